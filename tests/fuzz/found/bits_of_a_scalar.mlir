// The reference made two dimensions of one.
module {
  func.func @main(%arg0: tensor<ui64>, %arg1: tensor<1x3x2xui8>, %arg2: tensor<3x2xf32>) -> tensor<2xf32> {
    %0 = stablehlo.bitcast_convert %arg0 : (tensor<ui64>) -> tensor<2xf32>
    %1 = "stablehlo.scatter"(%0, %arg1, %arg2) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0]>}> ({
    ^bb0(%arg3: tensor<f32>, %arg4: tensor<f32>):
      %2 = stablehlo.compare LT, %arg3, %arg4, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %3 = stablehlo.select %2, %arg3, %arg4 : tensor<i1>, tensor<f32>
      stablehlo.return %3 : tensor<f32>
    }) : (tensor<2xf32>, tensor<1x3x2xui8>, tensor<3x2xf32>) -> tensor<2xf32>
    return %1 : tensor<2xf32>
  }
}
