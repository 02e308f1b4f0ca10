// The host knows the counter; it took the bytes of it for elements of its own.
func.func @main(%x: tensor<4xf32>) -> tensor<4xi8> {
  %0 = stablehlo.constant dense<0> : tensor<i32>
  %1:2 = stablehlo.while(%i = %0, %a = %x) : tensor<i32>, tensor<4xf32>
    cond {
      %2 = stablehlo.constant dense<3> : tensor<i32>
      %3 = stablehlo.compare LT, %i, %2 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %9 = stablehlo.constant dense<1> : tensor<i32>
      %10 = stablehlo.add %i, %9 : tensor<i32>
      stablehlo.return %10, %a : tensor<i32>, tensor<4xf32>
    }
  %2 = stablehlo.bitcast_convert %1#0 : (tensor<i32>) -> tensor<4xi8>
  return %2 : tensor<4xi8>
}
