// A slice from the beginning in the dispatch that makes the whole.
module {
  func.func @main(%arg0: tensor<i32>, %arg1: tensor<1x5x33xi64>, %arg2: tensor<i32>, %arg3: tensor<1x5x33xi32>, %arg4: tensor<i64>) -> tensor<3x6x14xi32> {
    %0:2 = "stablehlo.reduce_window"(%arg1, %arg3, %arg4, %arg2) <{window_dimensions = array<i64: 1, 1, 1>, window_strides = array<i64: 1, 1, 2>, base_dilations = array<i64: 2, 1, 1>, window_dilations = array<i64: 1, 2, 1>, padding = dense<[[0, 1], [0, 1], [2, -1]]> : tensor<3x2xi64>}> ({
    ^bb0(%arg5: tensor<i64>, %arg6: tensor<i32>, %arg7: tensor<i64>, %arg8: tensor<i32>):
      %1 = stablehlo.compare GT, %arg5, %arg7 : (tensor<i64>, tensor<i64>) -> tensor<i1>
      %2 = stablehlo.compare EQ, %arg5, %arg7 : (tensor<i64>, tensor<i64>) -> tensor<i1>
      %3 = stablehlo.compare LT, %arg6, %arg8 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %4 = stablehlo.and %2, %3 : tensor<i1>
      %5 = stablehlo.or %1, %4 : tensor<i1>
      %6 = stablehlo.select %5, %arg5, %arg7 : tensor<i1>, tensor<i64>
      %7 = stablehlo.select %5, %arg6, %arg8 : tensor<i1>, tensor<i32>
      stablehlo.return %6, %7 : tensor<i64>, tensor<i32>
    }) : (tensor<1x5x33xi64>, tensor<1x5x33xi32>, tensor<i64>, tensor<i32>) -> (tensor<2x6x17xi64>, tensor<2x6x17xi32>)
    %1 = stablehlo.pad %0#1, %arg0, low = [1, 3, 0], high = [0, -3, -3], interior = [0, 0, 0] : (tensor<2x6x17xi32>, tensor<i32>) -> tensor<3x6x14xi32>
    return %1 : tensor<3x6x14xi32>
  }
}
