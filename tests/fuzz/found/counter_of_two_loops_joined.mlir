// The other way round: the parts of one number are on the host.
func.func @main(%x: tensor<4xf32>) -> tensor<i32> {
  %0 = stablehlo.constant dense<0> : tensor<i16>
  %limit = stablehlo.constant dense<3> : tensor<i16>
  %one = stablehlo.constant dense<1> : tensor<i16>
  %1:2 = stablehlo.while(%i = %0, %a = %x) : tensor<i16>, tensor<4xf32>
    cond {
      %3 = stablehlo.compare LT, %i, %limit : (tensor<i16>, tensor<i16>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %10 = stablehlo.add %i, %one : tensor<i16>
      stablehlo.return %10, %a : tensor<i16>, tensor<4xf32>
    }
  %2 = stablehlo.reshape %1#0 : (tensor<i16>) -> tensor<1xi16>
  %3 = stablehlo.concatenate %2, %2, dim = 0 : (tensor<1xi16>, tensor<1xi16>) -> tensor<2xi16>
  %4 = stablehlo.bitcast_convert %3 : (tensor<2xi16>) -> tensor<i32>
  return %4 : tensor<i32>
}
