// Interior padding reads the result of a reduction in its body, tile by tile.
module {
  func.func @main(%arg0: tensor<16x2xf16>, %arg1: tensor<f16>) -> tensor<10x2xf16> {
    %0 = stablehlo.reduce(%arg0 init: %arg1) applies stablehlo.add across dimensions = [] : (tensor<16x2xf16>, tensor<f16>) -> tensor<16x2xf16>
    %1 = "stablehlo.reduce_window"(%0, %arg1) <{window_dimensions = array<i64: 3, 2>, window_strides = array<i64: 3, 2>, base_dilations = array<i64: 2, 2>, window_dilations = array<i64: 1, 1>, padding = dense<[[1, -1], [0, 1]]> : tensor<2x2xi64>}> ({
    ^bb0(%arg2: tensor<f16>, %arg3: tensor<f16>):
      %2 = stablehlo.add %arg2, %arg3 : tensor<f16>
      stablehlo.return %2 : tensor<f16>
    }) : (tensor<16x2xf16>, tensor<f16>) -> tensor<10x2xf16>
    return %1 : tensor<10x2xf16>
  }
}
