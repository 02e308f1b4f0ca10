// Where a recorded loop leaves its result is needed beyond its command buffer.
module {
  func.func @main(%arg0: tensor<f32>, %arg1: tensor<16xui64>, %arg2: tensor<i1>, %arg3: tensor<1xui8>, %arg4: tensor<3xui64>, %arg5: tensor<5xf32>, %arg6: tensor<5xf32>, %arg7: tensor<f32>, %arg8: tensor<16xi32>, %arg9: tensor<3xi32>) -> (tensor<i32>, tensor<i32>, tensor<16xui64>, tensor<16xi32>) {
    %0 = stablehlo.constant dense<0> : tensor<i32>
    %1:4 = stablehlo.while(%iterArg = %0, %iterArg_0 = %arg1, %iterArg_1 = %arg6, %iterArg_2 = %arg7) : tensor<i32>, tensor<16xui64>, tensor<5xf32>, tensor<f32>
    cond {
      %2 = stablehlo.constant dense<1> : tensor<i32>
      %3 = stablehlo.compare LT, %iterArg, %2 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %2 = stablehlo.constant dense<2> : tensor<ui64>
      %3 = "stablehlo.reduce_window"(%arg1, %2) <{window_dimensions = array<i64: 3>, window_strides = array<i64: 1>, base_dilations = array<i64: 1>, window_dilations = array<i64: 1>, padding = dense<0> : tensor<1x2xi64>}> ({
      ^bb0(%arg10: tensor<ui64>, %arg11: tensor<ui64>):
        %4 = stablehlo.compare LT, %arg10, %arg11 : (tensor<ui64>, tensor<ui64>) -> tensor<i1>
        %5 = stablehlo.select %4, %arg10, %arg11 : tensor<i1>, tensor<ui64>
        stablehlo.return %5 : tensor<ui64>
      }) : (tensor<16xui64>, tensor<ui64>) -> tensor<14xui64>
      %4 = stablehlo.iota dim = 2 : tensor<1x2x1xf16>
      %5 = stablehlo.constant dense<[[-645640315, 970196121, 1386952013, 1303298021, 0, 469018899, -1383350505, 966889928, 31, -646419541, -2147483648, 2110667328, 1593510621, -210626930, -1148823176, -1389476111, 2147483646], [343927147, -1680120397, -334683453, -146202138, 1537897684, -563057383, 1, 1771439624, -912863230, 568690316, 1, 697538966, -2147483648, 360879028, -2016006844, -696176952, -352636129]]> : tensor<2x17xi32>
      %6 = stablehlo.multiply %5, %5 : tensor<2x17xi32>
      %7 = stablehlo.constant dense<1> : tensor<16x3x2x4x3xi8>
      %8 = stablehlo.constant dense<1> : tensor<16x3x2x4x3xi8>
      %9 = stablehlo.shift_left %7, %8 : tensor<16x3x2x4x3xi8>
      %10 = stablehlo.constant dense<1> : tensor<i32>
      %11 = stablehlo.add %iterArg, %10 : tensor<i32>
      %12 = stablehlo.constant dense<[17, 60, 33, 22, 15, 18, 64, 27, 65, 9, 77, 72, 42, 42, 33, 56]> : tensor<16xui64>
      stablehlo.return %11, %12, %arg6, %arg7 : tensor<i32>, tensor<16xui64>, tensor<5xf32>, tensor<f32>
    }
    %2 = stablehlo.constant dense<0> : tensor<i32>
    %3:2 = stablehlo.while(%iterArg = %2, %iterArg_0 = %arg0) : tensor<i32>, tensor<f32>
    cond {
      %4 = stablehlo.constant dense<1> : tensor<i32>
      %5 = stablehlo.compare LT, %iterArg, %4 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %6 = stablehlo.and %5, %arg2 : tensor<i1>
      stablehlo.return %6 : tensor<i1>
    } do {
      %4 = stablehlo.constant dense<[[4, 4], [4, 3], [4, 4]]> : tensor<3x2xui32>
      %5 = stablehlo.constant dense<[[6, 4], [4, 9], [6, 4], [7, 10], [0, 0]]> : tensor<5x2xui32>
      %6 = stablehlo.dot_general %4, %5, contracting_dims = [1] x [1] : (tensor<3x2xui32>, tensor<5x2xui32>) -> tensor<3x5xui32>
      %7 = stablehlo.constant dense<[[-4.000000e+00, -7.000000e+00, -4.000000e+00, -4.000000e+00, 8.000000e+00, 0.000000e+00, 6.000000e+00, -1.000000e+00], [5.000000e+00, 6.000000e+00, -1.000000e+00, -8.000000e+00, -6.000000e+00, -8.000000e+00, -6.000000e+00, 8.000000e+00], [-7.000000e+00, 8.000000e+00, -7.000000e+00, 3.000000e+00, 2.000000e+00, -5.000000e+00, 1.000000e+00, -8.000000e+00]]> : tensor<3x8xf32>
      %8:2 = stablehlo.optimization_barrier %7, %iterArg : tensor<3x8xf32>, tensor<i32>
      %9 = stablehlo.constant dense<3> : tensor<ui32>
      %10 = stablehlo.pad %6, %9, low = [1, -2], high = [0, 1], interior = [2, 1] : (tensor<3x5xui32>, tensor<ui32>) -> tensor<8x8xui32>
      %11 = stablehlo.constant dense<1> : tensor<i32>
      %12 = stablehlo.add %iterArg, %11 : tensor<i32>
      stablehlo.return %12, %iterArg_0 : tensor<i32>, tensor<f32>
    }
    %4 = stablehlo.constant dense<0> : tensor<i32>
    %5:2 = stablehlo.while(%iterArg = %4, %iterArg_0 = %3#0) : tensor<i32>, tensor<i32>
    cond {
      %6 = stablehlo.constant dense<1> : tensor<i32>
      %7 = stablehlo.compare LT, %iterArg, %6 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %7 : tensor<i1>
    } do {
      %6:2 = stablehlo.optimization_barrier %arg5, %4 : tensor<5xf32>, tensor<i32>
      %7 = stablehlo.reshape %6#1 : (tensor<i32>) -> tensor<i32>
      %8 = stablehlo.constant dense<1> : tensor<i32>
      %9 = stablehlo.add %iterArg, %8 : tensor<i32>
      stablehlo.return %9, %iterArg_0 : tensor<i32>, tensor<i32>
    }
    %6:2 = "stablehlo.scatter"(%1#1, %arg8, %arg3, %arg4, %arg9) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0], scatter_dims_to_operand_dims = [0]>}> ({
    ^bb0(%arg10: tensor<ui64>, %arg11: tensor<i32>, %arg12: tensor<ui64>, %arg13: tensor<i32>):
      %7 = stablehlo.or %arg10, %arg12 : tensor<ui64>
      %8 = stablehlo.maximum %arg11, %arg13 : tensor<i32>
      stablehlo.return %7, %8 : tensor<ui64>, tensor<i32>
    }) : (tensor<16xui64>, tensor<16xi32>, tensor<1xui8>, tensor<3xui64>, tensor<3xi32>) -> (tensor<16xui64>, tensor<16xi32>)
    return %5#0, %5#1, %6#0, %6#1 : tensor<i32>, tensor<i32>, tensor<16xui64>, tensor<16xi32>
  }
}
