// One branch leaves the variable alone, the one around it does not: the loop goes to and fro between two places.
ml_program.global private mutable @v(dense<true> : tensor<i1>) : tensor<i1>
func.func @main(%trips: tensor<i32>, %flag: tensor<i1>) -> tensor<i1> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %few = stablehlo.constant dense<3> : tensor<i32>
  %0 = stablehlo.while(%i = %zero) : tensor<i32>
  cond {
    %c = stablehlo.compare LT, %i, %trips : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %d = stablehlo.compare LT, %i, %few : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %e = stablehlo.and %c, %d : tensor<i1>
    stablehlo.return %e : tensor<i1>
  } do {
    "stablehlo.case"(%i) ({
      ml_program.global_store @v = %flag : tensor<i1>
      stablehlo.return
    }, {
      stablehlo.return
    }, {
      %v = ml_program.global_load @v : tensor<i1>
      ml_program.global_store @v = %v : tensor<i1>
      stablehlo.return
    }) : (tensor<i32>) -> ()
    %next = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %next : tensor<i32>
  }
  %v = ml_program.global_load @v : tensor<i1>
  return %v : tensor<i1>
}
