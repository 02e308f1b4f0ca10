// RUN: tesselle opt --pass split-reductions %s | filecheck %s

// The outer loop becomes parallel; what begins with the neutral element is joined with the initial value at the end.
// CHECK-LABEL: @whole_loop
// CHECK: arith.constant -0.000000e+00 : f32
// CHECK: tensor.empty() : tensor<1024xf32>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%x : tensor<1024x1024xf32>)
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} ins({{.*}} : tensor<1024xf32>) outs(%init : tensor<f32>)
// CHECK: arith.addf
#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @whole_loop(%x: tensor<1024x1024xf32>, %init: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<1024x1024xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %0 = arith.mulf %a, %a : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}

// -----

// One long loop is taken apart by a reshape of every operand that it runs along.
// CHECK-LABEL: @long_loop
// CHECK: tensor.expand_shape %x {{.*}} : tensor<262144x2xi32> into tensor<32x8192x2xi32>
// CHECK: tensor.expand_shape %w {{.*}} : tensor<262144xi32> into tensor<32x8192xi32>
// CHECK: arith.constant -1 : i32
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel", "parallel"]}
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]}
#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>
func.func @long_loop(%x: tensor<262144x2xi32>, %w: tensor<262144xi32>, %init: tensor<2xi32>) -> tensor<2xi32> {
  %r = linalg.generic {indexing_maps = [#id, #rows, #columns], iterator_types = ["reduction", "parallel"]} ins(%x, %w : tensor<262144x2xi32>, tensor<262144xi32>) outs(%init : tensor<2xi32>) {
  ^bb0(%a: i32, %b: i32, %s: i32):
    %0 = arith.ori %a, %b : i32
    %1 = arith.andi %s, %0 : i32
    linalg.yield %1 : i32
  } -> tensor<2xi32>
  return %r : tensor<2xi32>
}

// -----

// The position takes part: no sum of elements alone.
// CHECK-LABEL: @positions
// CHECK: iterator_types = ["reduction", "reduction"]
// CHECK-NOT: "parallel"
#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @positions(%x: tensor<1024x1024xi32>, %init: tensor<i32>) -> tensor<i32> {
  %r = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<1024x1024xi32>) outs(%init : tensor<i32>) {
  ^bb0(%a: i32, %s: i32):
    %0 = linalg.index 1
    %1 = arith.index_cast %0 : index to i32
    %2 = arith.maxsi %s, %1 : i32
    linalg.yield %2 : i32
  } -> tensor<i32>
  return %r : tensor<i32>
}

// -----

// The accumulator is more than an operand of the sum.
// CHECK-LABEL: @no_fold
// CHECK: iterator_types = ["reduction", "reduction"]
// CHECK-NOT: "parallel"
#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @no_fold(%x: tensor<1024x1024xf32>, %init: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<1024x1024xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %0 = arith.mulf %a, %s : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}

// -----

// A scalar beside the elements goes to the first step.
// CHECK-LABEL: @scalar
// CHECK: iterator_types = ["parallel", "reduction"]} ins(%x, %w : tensor<1024x1024xf32>, f32)
// CHECK: iterator_types = ["reduction"]
#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @scalar(%x: tensor<1024x1024xf32>, %w: f32, %init: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [#id, #none, #none], iterator_types = ["reduction", "reduction"]} ins(%x, %w : tensor<1024x1024xf32>, f32) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
