// A reduction over no dimensions begins with 63 in memory that holds what it reads, when a loop overwrites its argument.
func.func @main(%x: tensor<700xi32>) -> tensor<700xi32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<700xi32>
  cond {
    %three = stablehlo.constant dense<3> : tensor<i32>
    %less = stablehlo.compare LT, %i, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %less : tensor<i1>
  } do {
    %init = stablehlo.constant dense<63> : tensor<i32>
    %b = stablehlo.reduce(%a init: %init) applies stablehlo.add across dimensions = [] : (tensor<700xi32>, tensor<i32>) -> tensor<700xi32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %b : tensor<i32>, tensor<700xi32>
  }
  return %r#1 : tensor<700xi32>
}
