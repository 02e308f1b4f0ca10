// A body reads a tensor that the same dispatch would compute.
module {
  func.func @main(%arg0: tensor<f32>, %arg1: tensor<0x16x1xi32>, %arg2: tensor<1x7x16xf32>) -> tensor<16x1xf32> {
    %0 = stablehlo.reduce(%arg2 init: %arg0) applies stablehlo.add across dimensions = [1, 0] : (tensor<1x7x16xf32>, tensor<f32>) -> tensor<16xf32>
    %1 = "stablehlo.gather"(%0, %arg1) <{dimension_numbers = #stablehlo.gather<operand_batching_dims = [0], start_indices_batching_dims = [1]>, slice_sizes = array<i64: 1>}> : (tensor<16xf32>, tensor<0x16x1xi32>) -> tensor<16x1xf32>
    return %1 : tensor<16x1xf32>
  }
}
