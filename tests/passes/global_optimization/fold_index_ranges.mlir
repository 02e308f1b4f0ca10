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
