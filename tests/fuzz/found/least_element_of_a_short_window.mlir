// Lanes that chose nothing must not count when the lanes of a window are combined.
module {
  func.func @main(%arg0: tensor<1x1xi16>, %arg1: tensor<i16>, %arg2: tensor<3x3xi16>) -> tensor<1x3x1x3xi16> {
    %0 = "stablehlo.select_and_scatter"(%arg2, %arg0, %arg1) <{window_dimensions = array<i64: 1, 3>, window_strides = array<i64: 3, 3>, padding = dense<[[0, 0], [0, 2]]> : tensor<2x2xi64>}> ({
    ^bb0(%arg3: tensor<i16>, %arg4: tensor<i16>):
      %1 = stablehlo.compare LE, %arg3, %arg4 : (tensor<i16>, tensor<i16>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }, {
    ^bb0(%arg3: tensor<i16>, %arg4: tensor<i16>):
      %1 = stablehlo.add %arg3, %arg4 : tensor<i16>
      stablehlo.return %1 : tensor<i16>
    }) : (tensor<3x3xi16>, tensor<1x1xi16>, tensor<i16>) -> tensor<3x3xi16>
    %1 = stablehlo.broadcast_in_dim %0, dims = [1, 3] : (tensor<3x3xi16>) -> tensor<1x3x1x3xi16>
    return %1 : tensor<1x3x1x3xi16>
  }
}
