// Arrays without elements along the sorted dimension.
module {
  func.func @main(%arg0: tensor<16x2x0xf32>, %arg1: tensor<16x2x0xf64>) -> tensor<16x2x0xf32> {
    %0:2 = "stablehlo.sort"(%arg0, %arg1) <{is_stable = true}> ({
    ^bb0(%arg2: tensor<f32>, %arg3: tensor<f32>, %arg4: tensor<f64>, %arg5: tensor<f64>):
      %1 = stablehlo.compare GT, %arg2, %arg3, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }) : (tensor<16x2x0xf32>, tensor<16x2x0xf64>) -> (tensor<16x2x0xf32>, tensor<16x2x0xf64>)
    return %0#0 : tensor<16x2x0xf32>
  }
}
