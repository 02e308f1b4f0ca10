module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2048xf32>, %arg1: tensor<512x2048xf32>, %arg2: tensor<512x2048xf32>, %arg3: tensor<2048xf32>, %arg4: tensor<512x2048xf32>, %arg5: tensor<512x2048xf32>, %arg6: tensor<100x1x512xf32>) -> (tensor<100x1x512xf32> {jax.result_info = "result[0]"}, tensor<2x1x512xf32> {jax.result_info = "result[1]"}, tensor<2x1x512xf32> {jax.result_info = "result[2]"}) {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %1 = stablehlo.dot_general %arg6, %arg2, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<100x1x512xf32>, tensor<512x2048xf32>) -> tensor<100x1x2048xf32>
    %2 = stablehlo.broadcast_in_dim %arg0, dims = [2] : (tensor<2048xf32>) -> tensor<1x1x2048xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<1x1x2048xf32>) -> tensor<100x1x2048xf32>
    %4 = stablehlo.add %1, %3 : tensor<100x1x2048xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<100x1x512xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %6:6 = stablehlo.while(%iterArg = %4, %iterArg_3 = %arg1, %iterArg_4 = %c, %iterArg_5 = %0, %iterArg_6 = %0, %iterArg_7 = %5) : tensor<100x1x2048xf32>, tensor<512x2048xf32>, tensor<i32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<100x1x512xf32>
    cond {
      %c_8 = stablehlo.constant dense<100> : tensor<i32>
      %19 = stablehlo.compare LT, %iterArg_4, %c_8, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %19 : tensor<i1>
    } do {
      %19 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_4) : (tensor<100x1x2048xf32>, tensor<i32>) -> tensor<1x2048xf32>
      %20:3 = func.call @closed_call(%iterArg_3, %iterArg_5, %iterArg_6, %19) : (tensor<512x2048xf32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x2048xf32>) -> (tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>)
      %21 = func.call @dynamic_update_index_in_dim(%iterArg_7, %20#2, %iterArg_4) : (tensor<100x1x512xf32>, tensor<1x512xf32>, tensor<i32>) -> tensor<100x1x512xf32>
      %c_8 = stablehlo.constant dense<1> : tensor<i32>
      %22 = stablehlo.add %iterArg_4, %c_8 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_3, %22, %20#0, %20#1, %21 : tensor<100x1x2048xf32>, tensor<512x2048xf32>, tensor<i32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<100x1x512xf32>
    }
    %7 = stablehlo.dot_general %6#5, %arg5, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<100x1x512xf32>, tensor<512x2048xf32>) -> tensor<100x1x2048xf32>
    %8 = stablehlo.broadcast_in_dim %arg3, dims = [2] : (tensor<2048xf32>) -> tensor<1x1x2048xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 1, 2] : (tensor<1x1x2048xf32>) -> tensor<100x1x2048xf32>
    %10 = stablehlo.add %7, %9 : tensor<100x1x2048xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %11 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<100x1x512xf32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %12:6 = stablehlo.while(%iterArg = %10, %iterArg_3 = %arg4, %iterArg_4 = %c_2, %iterArg_5 = %0, %iterArg_6 = %0, %iterArg_7 = %11) : tensor<100x1x2048xf32>, tensor<512x2048xf32>, tensor<i32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<100x1x512xf32>
    cond {
      %c_8 = stablehlo.constant dense<100> : tensor<i32>
      %19 = stablehlo.compare LT, %iterArg_4, %c_8, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %19 : tensor<i1>
    } do {
      %19 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_4) : (tensor<100x1x2048xf32>, tensor<i32>) -> tensor<1x2048xf32>
      %20:3 = func.call @closed_call_0(%iterArg_3, %iterArg_5, %iterArg_6, %19) : (tensor<512x2048xf32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x2048xf32>) -> (tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>)
      %21 = func.call @dynamic_update_index_in_dim(%iterArg_7, %20#2, %iterArg_4) : (tensor<100x1x512xf32>, tensor<1x512xf32>, tensor<i32>) -> tensor<100x1x512xf32>
      %c_8 = stablehlo.constant dense<1> : tensor<i32>
      %22 = stablehlo.add %iterArg_4, %c_8 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_3, %22, %20#0, %20#1, %21 : tensor<100x1x2048xf32>, tensor<512x2048xf32>, tensor<i32>, tensor<1x512xf32>, tensor<1x512xf32>, tensor<100x1x512xf32>
    }
    %13 = stablehlo.broadcast_in_dim %6#3, dims = [1, 2] : (tensor<1x512xf32>) -> tensor<1x1x512xf32>
    %14 = stablehlo.broadcast_in_dim %12#3, dims = [1, 2] : (tensor<1x512xf32>) -> tensor<1x1x512xf32>
    %15 = stablehlo.concatenate %13, %14, dim = 0 : (tensor<1x1x512xf32>, tensor<1x1x512xf32>) -> tensor<2x1x512xf32>
    %16 = stablehlo.broadcast_in_dim %6#4, dims = [1, 2] : (tensor<1x512xf32>) -> tensor<1x1x512xf32>
    %17 = stablehlo.broadcast_in_dim %12#4, dims = [1, 2] : (tensor<1x512xf32>) -> tensor<1x1x512xf32>
    %18 = stablehlo.concatenate %16, %17, dim = 0 : (tensor<1x1x512xf32>, tensor<1x1x512xf32>) -> tensor<2x1x512xf32>
    return %12#5, %15, %18 : tensor<100x1x512xf32>, tensor<2x1x512xf32>, tensor<2x1x512xf32>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<100x1x2048xf32>, %arg1: tensor<i32>) -> tensor<1x2048xf32> {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %arg0, %arg1, %c, %c_0, sizes = [1, 1, 2048] : (tensor<100x1x2048xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x1x2048xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x1x2048xf32>) -> tensor<1x2048xf32>
    return %1 : tensor<1x2048xf32>
  }
  func.func private @closed_call(%arg0: tensor<512x2048xf32>, %arg1: tensor<1x512xf32>, %arg2: tensor<1x512xf32>, %arg3: tensor<1x2048xf32>) -> (tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>) {
    %0 = stablehlo.dot_general %arg1, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<1x512xf32>, tensor<512x2048xf32>) -> tensor<1x2048xf32>
    %1 = stablehlo.add %arg3, %0 : tensor<1x2048xf32>
    %2 = stablehlo.slice %1 [0:1, 0:512] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %3 = stablehlo.slice %1 [0:1, 512:1024] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %4 = stablehlo.slice %1 [0:1, 1024:1536] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %5 = stablehlo.slice %1 [0:1, 1536:2048] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %6 = stablehlo.negate %3 : tensor<1x512xf32>
    %7 = stablehlo.exponential %6 : tensor<1x512xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %9 = stablehlo.add %8, %7 : tensor<1x512xf32>
    %cst_0 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %11 = stablehlo.divide %10, %9 : tensor<1x512xf32>
    %12 = stablehlo.multiply %11, %arg2 : tensor<1x512xf32>
    %13 = stablehlo.negate %2 : tensor<1x512xf32>
    %14 = stablehlo.exponential %13 : tensor<1x512xf32>
    %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %16 = stablehlo.add %15, %14 : tensor<1x512xf32>
    %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %17 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %18 = stablehlo.divide %17, %16 : tensor<1x512xf32>
    %19 = stablehlo.tanh %4 : tensor<1x512xf32>
    %20 = stablehlo.multiply %18, %19 : tensor<1x512xf32>
    %21 = stablehlo.add %12, %20 : tensor<1x512xf32>
    %22 = stablehlo.negate %5 : tensor<1x512xf32>
    %23 = stablehlo.exponential %22 : tensor<1x512xf32>
    %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %24 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %25 = stablehlo.add %24, %23 : tensor<1x512xf32>
    %cst_4 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %26 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %27 = stablehlo.divide %26, %25 : tensor<1x512xf32>
    %28 = stablehlo.tanh %21 : tensor<1x512xf32>
    %29 = stablehlo.multiply %27, %28 : tensor<1x512xf32>
    return %29, %21, %29 : tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<100x1x512xf32>, %arg1: tensor<1x512xf32>, %arg2: tensor<i32>) -> tensor<100x1x512xf32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [1, 2] : (tensor<1x512xf32>) -> tensor<1x1x512xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2, %c, %c_0 : (tensor<100x1x512xf32>, tensor<1x1x512xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<100x1x512xf32>
    return %1 : tensor<100x1x512xf32>
  }
  func.func private @closed_call_0(%arg0: tensor<512x2048xf32>, %arg1: tensor<1x512xf32>, %arg2: tensor<1x512xf32>, %arg3: tensor<1x2048xf32>) -> (tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>) {
    %0 = stablehlo.dot_general %arg1, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<1x512xf32>, tensor<512x2048xf32>) -> tensor<1x2048xf32>
    %1 = stablehlo.add %arg3, %0 : tensor<1x2048xf32>
    %2 = stablehlo.slice %1 [0:1, 0:512] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %3 = stablehlo.slice %1 [0:1, 512:1024] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %4 = stablehlo.slice %1 [0:1, 1024:1536] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %5 = stablehlo.slice %1 [0:1, 1536:2048] : (tensor<1x2048xf32>) -> tensor<1x512xf32>
    %6 = stablehlo.negate %3 : tensor<1x512xf32>
    %7 = stablehlo.exponential %6 : tensor<1x512xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %9 = stablehlo.add %8, %7 : tensor<1x512xf32>
    %cst_0 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %11 = stablehlo.divide %10, %9 : tensor<1x512xf32>
    %12 = stablehlo.multiply %11, %arg2 : tensor<1x512xf32>
    %13 = stablehlo.negate %2 : tensor<1x512xf32>
    %14 = stablehlo.exponential %13 : tensor<1x512xf32>
    %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %16 = stablehlo.add %15, %14 : tensor<1x512xf32>
    %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %17 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %18 = stablehlo.divide %17, %16 : tensor<1x512xf32>
    %19 = stablehlo.tanh %4 : tensor<1x512xf32>
    %20 = stablehlo.multiply %18, %19 : tensor<1x512xf32>
    %21 = stablehlo.add %12, %20 : tensor<1x512xf32>
    %22 = stablehlo.negate %5 : tensor<1x512xf32>
    %23 = stablehlo.exponential %22 : tensor<1x512xf32>
    %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %24 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %25 = stablehlo.add %24, %23 : tensor<1x512xf32>
    %cst_4 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %26 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<1x512xf32>
    %27 = stablehlo.divide %26, %25 : tensor<1x512xf32>
    %28 = stablehlo.tanh %21 : tensor<1x512xf32>
    %29 = stablehlo.multiply %27, %28 : tensor<1x512xf32>
    return %29, %21, %29 : tensor<1x512xf32>, tensor<1x512xf32>, tensor<1x512xf32>
  }
}
