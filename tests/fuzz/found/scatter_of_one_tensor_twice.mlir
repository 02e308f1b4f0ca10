// An input that two results of a scatter update: each has memory of its own.
module {
  func.func @main(%arg0: tensor<5xf64>, %arg1: tensor<5x1x3xi32>, %arg2: tensor<5x3x2xf64>) -> (tensor<5xf64>, tensor<f64>, tensor<9xf64>) {
    %0:2 = "stablehlo.scatter"(%arg0, %arg0, %arg1, %arg2, %arg2) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [2], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
    ^bb0(%arg3: tensor<f64>, %arg4: tensor<f64>, %arg5: tensor<f64>, %arg6: tensor<f64>):
      %1 = stablehlo.multiply %arg3, %arg5 : tensor<f64>
      %2 = stablehlo.maximum %arg4, %arg6 : tensor<f64>
      stablehlo.return %1, %2 : tensor<f64>, tensor<f64>
    }) : (tensor<5xf64>, tensor<5xf64>, tensor<5x1x3xi32>, tensor<5x3x2xf64>, tensor<5x3x2xf64>) -> (tensor<5xf64>, tensor<5xf64>)
    %1 = stablehlo.constant dense<1.0146296536965858e+00> : tensor<f64>
    %2 = stablehlo.pad %0#0, %1, low = [0], high = [0], interior = [1] : (tensor<5xf64>, tensor<f64>) -> tensor<9xf64>
    return %0#1, %1, %2 : tensor<5xf64>, tensor<f64>, tensor<9xf64>
  }
}
