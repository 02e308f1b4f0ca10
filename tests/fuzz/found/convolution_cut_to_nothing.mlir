// Negative padding that cuts more than there is.
module {
  func.func @main(%arg0: tensor<1x1x6xf32>, %arg1: tensor<4x1x3xf32>) -> tensor<0x4x1xf32> {
    %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [0, b, f]x[o, 0, i]->[0, f, b], window = {stride = [1], pad = [[-1, -1]], lhs_dilate = [1], rhs_dilate = [1], reverse = [false]} {feature_group_count = 2 : i64, batch_group_count = 1 : i64} : (tensor<1x1x6xf32>, tensor<4x1x3xf32>) -> tensor<0x4x1xf32>
    return %0 : tensor<0x4x1xf32>
  }
}
