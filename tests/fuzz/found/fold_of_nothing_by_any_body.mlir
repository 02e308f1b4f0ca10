// The reference folds what has no elements, by a body that NumPy has no function for.
func.func @main(%x: tensor<0x3xi32>, %y: tensor<3x0xi32>, %i: tensor<i32>) -> (tensor<3xi32>, tensor<0xi32>) {
  %0 = stablehlo.reduce(%x init: %i) across dimensions = [0] : (tensor<0x3xi32>, tensor<i32>) -> tensor<3xi32>
    reducer(%a: tensor<i32>, %b: tensor<i32>) {
      %p = stablehlo.compare LT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %q = stablehlo.select %p, %a, %b : tensor<i1>, tensor<i32>
      stablehlo.return %q : tensor<i32>
    }
  %1 = stablehlo.reduce(%y init: %i) across dimensions = [0] : (tensor<3x0xi32>, tensor<i32>) -> tensor<0xi32>
    reducer(%a: tensor<i32>, %b: tensor<i32>) {
      %p = stablehlo.compare LT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %q = stablehlo.select %p, %a, %b : tensor<i1>, tensor<i32>
      stablehlo.return %q : tensor<i32>
    }
  return %0, %1 : tensor<3xi32>, tensor<0xi32>
}
