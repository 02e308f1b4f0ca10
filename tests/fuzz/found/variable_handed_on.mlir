// What @a held belongs to @b afterwards: the new value of @a must not be made there.
ml_program.global private mutable @a(dense<1> : tensor<4xi32>) : tensor<4xi32>
ml_program.global private mutable @b(dense<2> : tensor<4xi32>) : tensor<4xi32>
func.func @main(%x: tensor<4xi32>) -> tensor<i32> {
  %0 = ml_program.global_load @a : tensor<4xi32>
  ml_program.global_store @b = %0 : tensor<4xi32>
  ml_program.global_store @a = %x : tensor<4xi32>
  %1 = stablehlo.constant dense<0> : tensor<i32>
  return %1 : tensor<i32>
}
