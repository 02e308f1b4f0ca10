// x - 0 is x, x - -0 is not: -0 - -0 is 0.
func.func @main() -> tensor<2xf32> {
  %0 = stablehlo.constant dense<-0.0> : tensor<2xf32>
  %1 = stablehlo.subtract %0, %0 : tensor<2xf32>
  return %1 : tensor<2xf32>
}
