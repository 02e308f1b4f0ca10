// The initial value of a reduction that becomes host arithmetic.
module {
  func.func @main(%arg0: tensor<1x1x3xf32>, %arg1: tensor<i32>, %arg2: tensor<2x1x3xf32>, %arg3: tensor<ui8>) -> tensor<2x1x3xf32> {
    %0 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.reduce(%arg1 init: %0) applies stablehlo.minimum across dimensions = [] : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %2 = stablehlo.convert %1 : (tensor<i32>) -> tensor<ui8>
    %3 = stablehlo.dynamic_update_slice %arg2, %arg0, %2, %2, %arg3 : (tensor<2x1x3xf32>, tensor<1x1x3xf32>, tensor<ui8>, tensor<ui8>, tensor<ui8>) -> tensor<2x1x3xf32>
    return %3 : tensor<2x1x3xf32>
  }
}
