// Loops of a producer and of a consumer that reads only the beginning are not the same loops.
module {
  func.func @main(%arg0: tensor<6x4xf32>, %arg1: tensor<f32>) -> (tensor<6x4xf32>, tensor<2x5xf32>) {
    %0 = stablehlo.log_plus_one %arg0 : tensor<6x4xf32>
    %1 = "stablehlo.reduce_window"(%0, %arg1) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 0], [2, -1]]> : tensor<2x2xi64>}> ({
    ^bb0(%arg2: tensor<f32>, %arg3: tensor<f32>):
      %2 = stablehlo.maximum %arg2, %arg3 : tensor<f32>
      stablehlo.return %2 : tensor<f32>
    }) : (tensor<6x4xf32>, tensor<f32>) -> tensor<2x5xf32>
    return %0, %1 : tensor<6x4xf32>, tensor<2x5xf32>
  }
}
