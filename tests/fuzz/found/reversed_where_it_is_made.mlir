// A tile of unknown size was read from its end.
func.func @main(%arg0: tensor<17x7xi32>, %arg1: tensor<i32>) -> tensor<17x7xi32> {
  %0 = stablehlo.reduce(%arg0 init: %arg1) applies stablehlo.multiply across dimensions = [] : (tensor<17x7xi32>, tensor<i32>) -> tensor<17x7xi32>
  %1 = stablehlo.reverse %0, dims = [0, 1] : tensor<17x7xi32>
  return %1 : tensor<17x7xi32>
}
