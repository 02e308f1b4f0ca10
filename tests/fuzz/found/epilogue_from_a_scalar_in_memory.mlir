// The initial value of a stage behind a product is read from memory.
module {
  func.func @main(%arg0: tensor<5xf32>, %arg1: tensor<5xf32>, %arg2: tensor<f32>) -> tensor<5xf32> {
    %0 = stablehlo.dot_general %arg0, %arg0, batching_dims = [0] x [0], contracting_dims = [] x [] : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
    %1 = stablehlo.clamp %arg2, %0, %arg1 : (tensor<f32>, tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
    %2 = stablehlo.reduce(%1 init: %arg2) applies stablehlo.multiply across dimensions = [] : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
    return %2 : tensor<5xf32>
  }
}
