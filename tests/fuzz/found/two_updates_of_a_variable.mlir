// The dispatch of the second update overwrites what that of the first one overwrote.
ml_program.global private mutable @v(dense<2.0> : tensor<16x4xf16>) : tensor<16x4xf16>
func.func @main(%at: tensor<i32>, %piece: tensor<7x1xf16>) -> tensor<16x4xf16> {
  %0 = ml_program.global_load @v : tensor<16x4xf16>
  %1 = stablehlo.dynamic_update_slice %0, %piece, %at, %at : (tensor<16x4xf16>, tensor<7x1xf16>, tensor<i32>, tensor<i32>) -> tensor<16x4xf16>
  %2 = stablehlo.multiply %1, %1 : tensor<16x4xf16>
  ml_program.global_store @v = %2 : tensor<16x4xf16>
  return %2 : tensor<16x4xf16>
}
