// As scatter_of_one_tensor_twice, with batching dimensions.
module {
  func.func @main(%arg0: tensor<2x3x1x1xi32>, %arg1: tensor<2x3x1xi32>, %arg2: tensor<4x2xi32>) -> (tensor<4x2xi32>, tensor<4x2xi32>) {
    %0:2 = "stablehlo.scatter"(%arg2, %arg2, %arg0, %arg1, %arg1) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], input_batching_dims = [1], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 2>}> ({
    ^bb0(%arg3: tensor<i32>, %arg4: tensor<i32>, %arg5: tensor<i32>, %arg6: tensor<i32>):
      %1 = stablehlo.compare GT, %arg3, %arg5 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %2 = stablehlo.compare EQ, %arg3, %arg5 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %3 = stablehlo.compare LT, %arg4, %arg6 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %4 = stablehlo.and %2, %3 : tensor<i1>
      %5 = stablehlo.or %1, %4 : tensor<i1>
      %6 = stablehlo.select %5, %arg3, %arg5 : tensor<i1>, tensor<i32>
      %7 = stablehlo.select %5, %arg4, %arg6 : tensor<i1>, tensor<i32>
      stablehlo.return %6, %7 : tensor<i32>, tensor<i32>
    }) : (tensor<4x2xi32>, tensor<4x2xi32>, tensor<2x3x1x1xi32>, tensor<2x3x1xi32>, tensor<2x3x1xi32>) -> (tensor<4x2xi32>, tensor<4x2xi32>)
    return %0#0, %0#1 : tensor<4x2xi32>, tensor<4x2xi32>
  }
}
