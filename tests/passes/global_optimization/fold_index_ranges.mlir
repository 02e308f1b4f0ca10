// RUN: tesselle opt --pass convert-stablehlo-to-linalg --pass fold-index-ranges %s | filecheck %s

// Inside of a loop over the rows, clamps and the wrapping of negative indices go away.
// CHECK-LABEL: @rows
// CHECK: scf.for
// CHECK-NOT: arith.maxsi
// CHECK-NOT: arith.minsi
// CHECK-NOT: arith.select
// CHECK: tensor.extract_slice
func.func public @rows(%x: tensor<9x4xf32>, %a: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<9> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %0:2 = stablehlo.while(%i = %c, %s = %a) : tensor<i32>, tensor<1x4xf32>
  cond {
    %1 = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %2 = stablehlo.compare LT, %i, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %3 = stablehlo.add %i, %n : tensor<i32>
    %4 = stablehlo.select %2, %3, %i : tensor<i1>, tensor<i32>
    %5 = stablehlo.dynamic_slice %x, %4, %c, sizes = [1, 4] : (tensor<9x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x4xf32>
    %6 = stablehlo.add %s, %5 : tensor<1x4xf32>
    %7 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %7, %6 : tensor<i32>, tensor<1x4xf32>
  }
  return %0#1 : tensor<1x4xf32>
}

// -----

// A size that goes through i32 is the size itself, once it is checked to fit; so is arithmetic in i32 that is.
// CHECK-LABEL: @sizes_in_i32
// CHECK: %[[N:.*]] = tensor.dim %{{.*}}, 0
// CHECK: arith.constant 2147483647 : index
// CHECK: arith.cmpi sle, %[[N]]
// CHECK: "flow.assert"{{.*}}must be at most 2147483647
// CHECK: %[[TWICE:.*]] = arith.muli %{{.*}}, %[[N]] : index
// CHECK: arith.cmpi sle, %[[TWICE]]
// CHECK: "flow.assert"
// CHECK-NOT: i32 to index
// CHECK: tensor.empty(%[[N]], %[[TWICE]])
func.func public @sizes_in_i32(%x: tensor<?xf32>, %y: tensor<f32>) -> tensor<?x?xf32> {
  %two = stablehlo.constant dense<2> : tensor<i32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  %m = stablehlo.multiply %n, %two : tensor<i32>
  %0 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %1 = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
  %2 = stablehlo.concatenate %0, %1, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %3 = stablehlo.dynamic_broadcast_in_dim %y, %2, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<?x?xf32>
  return %3 : tensor<?x?xf32>
}

// -----

// What the program asserts is known behind it: the sizes of both arguments are one value, 8 divides it, it is no more
// than 64. The same assertion again, and what follows, is dropped.
// CHECK-LABEL: @assertions
// CHECK: %[[N:.*]] = tensor.dim %a, 0
// CHECK-COUNT-4: "flow.assert"
// CHECK-NOT: "flow.assert"
// CHECK: return %[[N]], %{{.*}}, %[[ZERO:.*]], %[[N]] : index, i1, index, index
func.func public @assertions(%a: tensor<?xf32>, %b: tensor<?xf32>) -> (index, i1, index, index) {
  %zero = arith.constant 0 : index
  %eight = arith.constant 8 : index
  %most = arith.constant 64 : index
  %hundred = arith.constant 100 : index
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %m = tensor.dim %b, 0 : tensor<?xf32>
  %0 = arith.cmpi eq, %n, %m : index
  "flow.assert"(%0) <{message = "equal"}> : (i1) -> ()
  %1 = arith.remsi %m, %eight : index
  %2 = arith.cmpi eq, %1, %zero : index
  "flow.assert"(%2) <{message = "a multiple of 8"}> : (i1) -> ()
  %3 = arith.cmpi sle, %n, %most : index
  "flow.assert"(%3) <{message = "at most 64"}> : (i1) -> ()
  %4 = arith.cmpi sge, %m, %eight : index
  "flow.assert"(%4) <{message = "at least 8"}> : (i1) -> ()
  "flow.assert"(%0) <{message = "equal"}> : (i1) -> ()
  %5 = arith.cmpi slt, %m, %hundred : index
  "flow.assert"(%5) <{message = "follows"}> : (i1) -> ()
  %6 = arith.divsi %m, %eight : index
  %7 = arith.muli %6, %eight : index
  %8 = arith.remsi %n, %eight : index
  %9 = arith.minsi %m, %hundred : index
  return %7, %5, %8, %9 : index, i1, index, index
}

// -----

// Inside of a branch nothing is learned for what stands behind it.
// CHECK-LABEL: @in_a_branch
// CHECK: scf.if
// CHECK: "flow.assert"
// CHECK: %[[SAME:.*]] = arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: return %[[SAME]]
func.func public @in_a_branch(%a: tensor<?xf32>, %b: tensor<?xf32>, %c: i1) -> i1 {
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %m = tensor.dim %b, 0 : tensor<?xf32>
  scf.if %c {
    %0 = arith.cmpi eq, %n, %m : index
    "flow.assert"(%0) <{message = "equal"}> : (i1) -> ()
  }
  %1 = arith.cmpi eq, %m, %n : index
  return %1 : i1
}
