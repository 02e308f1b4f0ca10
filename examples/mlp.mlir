// A multi-layer perceptron, 4 -> 8 -> 3, with its weights in the text: h = max(x·W0 + b0, 0), y = softmax(h·W1 + b1).
//
//   tesselle run examples/mlp.mlir --input 1x4xf32=1,2,3,4
module @mlp {
  func.func public @main(%x: tensor<1x4xf32>) -> (tensor<1x3xf32> {jax.result_info = "probabilities"}) {
    %w0 = stablehlo.constant dense<[
      [ 0.50, -0.25,  0.125,  0.75, -0.50,  0.25,  0.00,  0.375],
      [-0.25,  0.50,  0.250, -0.50,  0.75,  0.00,  0.25, -0.125],
      [ 0.25,  0.00, -0.375,  0.50,  0.25, -0.75,  0.50,  0.250],
      [ 0.00,  0.25,  0.500, -0.25, -0.25,  0.50, -0.50,  0.125]]> : tensor<4x8xf32>
    %b0 = stablehlo.constant dense<[0.1, -0.1, 0.2, 0.0, 0.05, -0.2, 0.3, 0.0]> : tensor<8xf32>
    %w1 = stablehlo.constant dense<[
      [ 0.50, -0.50,  0.25],
      [ 0.25,  0.25, -0.50],
      [-0.25,  0.50,  0.00],
      [ 0.75, -0.25,  0.25],
      [-0.50,  0.25,  0.50],
      [ 0.00, -0.75,  0.25],
      [ 0.25,  0.00,  0.50],
      [-0.25,  0.50, -0.25]]> : tensor<8x3xf32>
    %b1 = stablehlo.constant dense<[0.1, 0.0, -0.1]> : tensor<3xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %minus_infinity = stablehlo.constant dense<0xFF800000> : tensor<f32>

    %0 = stablehlo.dot_general %x, %w0, contracting_dims = [1] x [0] : (tensor<1x4xf32>, tensor<4x8xf32>) -> tensor<1x8xf32>
    %1 = stablehlo.broadcast_in_dim %b0, dims = [1] : (tensor<8xf32>) -> tensor<1x8xf32>
    %2 = stablehlo.add %0, %1 : tensor<1x8xf32>
    %3 = stablehlo.broadcast_in_dim %zero, dims = [] : (tensor<f32>) -> tensor<1x8xf32>
    %h = stablehlo.maximum %2, %3 : tensor<1x8xf32>

    %4 = stablehlo.dot_general %h, %w1, contracting_dims = [1] x [0] : (tensor<1x8xf32>, tensor<8x3xf32>) -> tensor<1x3xf32>
    %5 = stablehlo.broadcast_in_dim %b1, dims = [1] : (tensor<3xf32>) -> tensor<1x3xf32>
    %logits = stablehlo.add %4, %5 : tensor<1x3xf32>

    %6 = stablehlo.reduce(%logits init: %minus_infinity) applies stablehlo.maximum across dimensions = [1] : (tensor<1x3xf32>, tensor<f32>) -> tensor<1xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0] : (tensor<1xf32>) -> tensor<1x3xf32>
    %8 = stablehlo.subtract %logits, %7 : tensor<1x3xf32>
    %9 = stablehlo.exponential %8 : tensor<1x3xf32>
    %10 = stablehlo.reduce(%9 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<1x3xf32>, tensor<f32>) -> tensor<1xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<1xf32>) -> tensor<1x3xf32>
    %y = stablehlo.divide %9, %11 : tensor<1x3xf32>
    return %y : tensor<1x3xf32>
  }
}
