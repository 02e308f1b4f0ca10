// RUN: tesselle opt --pass resolve-dims --pass check-shapes %s | filecheck %s

// CHECK-LABEL: @add
// CHECK-DAG: %[[A:.*]] = tensor.dim %a
// CHECK-DAG: %[[B:.*]] = tensor.dim %b
// CHECK: %[[OK:.*]] = arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: "flow.assert"(%[[OK]], %[[B]], %[[A]])
// CHECK-SAME: argument 1 'b': dimension 0 is {0}, but must equal dimension 0 of argument 0 'a', which is {1}
// CHECK: linalg.generic
#id = affine_map<(d0) -> (d0)>
func.func @add(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// One check for both additions, and none for what is the same number by arithmetic.
// CHECK-LABEL: @once
// CHECK: "flow.assert"
// CHECK-NOT: "flow.assert"
#id = affine_map<(d0) -> (d0)>
func.func @once(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %m = arith.addi %n, %zero : index
  %e = tensor.empty(%m) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%y, %b : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  return %z : tensor<?xf32>
}

// -----

// A cast to a static type, a reshape, a concatenation, a size that may be negative.
// CHECK-LABEL: @others
// CHECK-DAG: must be 4
// CHECK-DAG: must be at least 5
// CHECK-DAG: the number of elements
// CHECK-DAG: argument 1 'b': dimension 1 is {0}, but must equal dimension 1 of argument 0 'a', which is {1}
func.func @others(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %s: index) -> (tensor<?x4xf32>, tensor<?x?xf32>, tensor<?x3xf32>, tensor<?xf32>) {
  %zero = arith.constant 0 : index
  %five = arith.constant 5 : index
  %n = tensor.dim %a, 0 : tensor<?x?xf32>
  %0 = tensor.cast %a : tensor<?x?xf32> to tensor<?x4xf32>
  %1 = tensor.concat dim(0) %a, %b : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  %2 = "tensor.reshape"(%a, %s) : (tensor<?x?xf32>, index) -> tensor<?x3xf32>
  %m = arith.subi %n, %five : index
  %3 = tensor.empty(%m) : tensor<?xf32>
  return %0, %1, %2, %3 : tensor<?x4xf32>, tensor<?x?xf32>, tensor<?x3xf32>, tensor<?xf32>
}
