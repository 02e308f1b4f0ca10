// Products element by element are no outer product: rows and columns must not be exchanged.
module {
  func.func @main(%arg0: tensor<1x2x4x8xf32>, %arg1: tensor<2x1x1x1xf32>) -> tensor<2x4x8x1xf32> {
    %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [f, b, 1, 0]x[o, 1, i, 0]->[f, 1, 0, b], window = {stride = [1, 1], pad = [[0, 0], [1, -1]], lhs_dilate = [1, 1], rhs_dilate = [2, 2], reverse = [false, false]} {feature_group_count = 1 : i64, batch_group_count = 2 : i64} : (tensor<1x2x4x8xf32>, tensor<2x1x1x1xf32>) -> tensor<2x4x8x1xf32>
    return %0 : tensor<2x4x8x1xf32>
  }
}
