// A long sort needs memory for all that it sorts.
module {
  func.func @main(%arg0: tensor<60000xi32>, %arg1: tensor<60000xf64>) -> tensor<60000xf64> {
    %0:2 = "stablehlo.sort"(%arg0, %arg1) <{is_stable = true}> ({
    ^bb0(%arg2: tensor<i32>, %arg3: tensor<i32>, %arg4: tensor<f64>, %arg5: tensor<f64>):
      %1 = stablehlo.compare GT, %arg2, %arg3 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }) : (tensor<60000xi32>, tensor<60000xf64>) -> (tensor<60000xi32>, tensor<60000xf64>)
    return %0#1 : tensor<60000xf64>
  }
}
