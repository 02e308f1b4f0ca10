// The host program of these loops begins with equal constants; the pass that shares them lost its place.
module {
  func.func @main() -> tensor<i32> {
    %0 = stablehlo.constant dense<[-6, -2, 2147483646, 1, 1, 9, 7, -7, 10, 10, 8, -2147483648, -8, 2, 2, 32, -2]> : tensor<17xi32>
    %1 = stablehlo.constant dense<0> : tensor<i32>
    %2 = stablehlo.constant dense<false> : tensor<i1>
    %3:4 = stablehlo.while(%iterArg = %1, %iterArg_0 = %0, %iterArg_1 = %0, %iterArg_2 = %0) : tensor<i32>, tensor<17xi32>, tensor<17xi32>, tensor<17xi32>
    cond {
      %4 = stablehlo.constant dense<1> : tensor<i32>
      %5 = stablehlo.compare LT, %iterArg, %4 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %6 = stablehlo.and %5, %2 : tensor<i1>
      stablehlo.return %6 : tensor<i1>
    } do {
      %4 = stablehlo.constant dense<0> : tensor<i32>
      %5 = stablehlo.constant dense<true> : tensor<i1>
      %6:3 = stablehlo.while(%iterArg_3 = %4, %iterArg_4 = %iterArg_1, %iterArg_5 = %iterArg_0) : tensor<i32>, tensor<17xi32>, tensor<17xi32>
      cond {
        %7 = stablehlo.constant dense<2> : tensor<i32>
        %8 = stablehlo.compare LT, %iterArg_3, %7 : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %9 = stablehlo.and %8, %5 : tensor<i1>
        stablehlo.return %9 : tensor<i1>
      } do {
        %7 = stablehlo.dot_general %iterArg_4, %iterArg_0, contracting_dims = [0] x [0] : (tensor<17xi32>, tensor<17xi32>) -> tensor<i32>
        %8 = stablehlo.convert %iterArg_3 : (tensor<i32>) -> tensor<f32>
        %9 = stablehlo.rsqrt %8 : tensor<f32>
        %10 = stablehlo.constant dense<1> : tensor<i32>
        %11 = stablehlo.add %iterArg_3, %10 : tensor<i32>
        stablehlo.return %11, %iterArg_4, %iterArg_5 : tensor<i32>, tensor<17xi32>, tensor<17xi32>
      }
      %7 = stablehlo.constant dense<1> : tensor<i32>
      %8 = stablehlo.add %iterArg, %7 : tensor<i32>
      %9 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<i32>) -> tensor<17xi32>
      stablehlo.return %8, %9, %iterArg_0, %iterArg_2 : tensor<i32>, tensor<17xi32>, tensor<17xi32>, tensor<17xi32>
    }
    return %3#0 : tensor<i32>
  }
}
