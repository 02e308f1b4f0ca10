// Operations that JAX does not print: deprecated, dynamic, quantized, normalizing ones. Values by hand.

func.func @dot_einsum() {
  %a = stablehlo.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = stablehlo.constant dense<[[5.0, 6.0], [7.0, 8.0]]> : tensor<2x2xf32>
  %0 = stablehlo.dot %a, %b : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_eq_const %0, dense<[[19.0, 22.0], [43.0, 50.0]]> : tensor<2x2xf32>
  %1 = stablehlo.einsum %a, %b, config = "ij,kj->ik" : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_eq_const %1, dense<[[17.0, 23.0], [39.0, 53.0]]> : tensor<2x2xf32>
  %2 = stablehlo.broadcast %a, sizes = [2] : (tensor<2x2xf32>) -> tensor<2x2x2xf32>
  check.expect_eq_const %2, dense<[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]]> : tensor<2x2x2xf32>
  %i = stablehlo.constant dense<[1, 0, 1]> : tensor<3xi32>
  %3 = "stablehlo.torch_index_select"(%a, %i) {dim = 0 : i64, batch_dims = 0 : i64} : (tensor<2x2xf32>, tensor<3xi32>) -> tensor<3x2xf32>
  check.expect_eq_const %3, dense<[[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]> : tensor<3x2xf32>
  func.return
}

// -----

func.func @map_and_composite() {
  %a = stablehlo.constant dense<[1, -2, 3]> : tensor<3xi32>
  %b = stablehlo.constant dense<[4, 5, 6]> : tensor<3xi32>
  %0 = "stablehlo.map"(%a, %b) ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %p = stablehlo.multiply %x, %y : tensor<i32>
    %s = stablehlo.add %p, %x : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) {dimensions = array<i64: 0>} : (tensor<3xi32>, tensor<3xi32>) -> tensor<3xi32>
  %e = stablehlo.constant dense<[5, -12, 21]> : tensor<3xi32>
  stablehlo.custom_call @check.expect_eq(%0, %e) {has_side_effect = true} : (tensor<3xi32>, tensor<3xi32>) -> ()
  %1 = stablehlo.composite "my.twice" %a {decomposition = @twice} : (tensor<3xi32>) -> tensor<3xi32>
  check.expect_eq_const %1, dense<[2, -4, 6]> : tensor<3xi32>
  func.return
}
func.func private @twice(%x: tensor<3xi32>) -> tensor<3xi32> {
  %0 = stablehlo.add %x, %x : tensor<3xi32>
  func.return %0 : tensor<3xi32>
}

// -----

func.func @dynamic() {
  %x = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi64>
  %s = stablehlo.constant dense<[2, 2]> : tensor<2xi64>
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<4xi64>, tensor<2xi64>) -> tensor<2x2xi64>
  check.expect_eq_const %0, dense<[[1, 2], [3, 4]]> : tensor<2x2xi64>
  %t = stablehlo.constant dense<[2, 4]> : tensor<2xi64>
  %1 = stablehlo.dynamic_broadcast_in_dim %x, %t, dims = [1] : (tensor<4xi64>, tensor<2xi64>) -> tensor<2x4xi64>
  check.expect_eq_const %1, dense<[[1, 2, 3, 4], [1, 2, 3, 4]]> : tensor<2x4xi64>
  %n = stablehlo.constant dense<3> : tensor<1xi64>
  %2 = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi64>) -> tensor<3xi64>
  check.expect_eq_const %2, dense<[0, 1, 2]> : tensor<3xi64>
  %z = stablehlo.constant dense<9> : tensor<i64>
  %l = stablehlo.constant dense<1> : tensor<1xi64>
  %h = stablehlo.constant dense<0> : tensor<1xi64>
  %3 = stablehlo.dynamic_pad %x, %z, %l, %h, %l : (tensor<4xi64>, tensor<i64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<8xi64>
  check.expect_eq_const %3, dense<[9, 1, 9, 2, 9, 3, 9, 4]> : tensor<8xi64>
  %4 = stablehlo.real_dynamic_slice %x, %l, %n, %l : (tensor<4xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  check.expect_eq_const %4, dense<[2, 3]> : tensor<2xi64>
  %5 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<4xi64>) -> tensor<i32>
  check.expect_eq_const %5, dense<4> : tensor<i32>
  func.return
}

// -----

func.func @batch_norm() {
  %x = stablehlo.constant dense<[[1.0, 4.0], [3.0, 8.0]]> : tensor<2x2xf32>
  %scale = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %offset = stablehlo.constant dense<[0.5, -1.0]> : tensor<2xf32>
  %mean = stablehlo.constant dense<[2.0, 6.0]> : tensor<2xf32>
  %var = stablehlo.constant dense<[1.0, 4.0]> : tensor<2xf32>
  %0 = "stablehlo.batch_norm_inference"(%x, %scale, %offset, %mean, %var) {epsilon = 0.0 : f32, feature_index = 1 : i64} : (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq_const %0, dense<[[-0.5, -3.0], [1.5, 1.0]]> : tensor<2x2xf32>
  %1:3 = "stablehlo.batch_norm_training"(%x, %scale, %offset) {epsilon = 0.0 : f32, feature_index = 1 : i64} : (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>)
  check.expect_almost_eq_const %1#0, dense<[[-0.5, -3.0], [1.5, 1.0]]> : tensor<2x2xf32>
  check.expect_almost_eq_const %1#1, dense<[2.0, 6.0]> : tensor<2xf32>
  check.expect_almost_eq_const %1#2, dense<[1.0, 4.0]> : tensor<2xf32>
  func.return
}

// -----

func.func @quantized() {
  %x = stablehlo.constant dense<[-1.0, 0.3, 2.0, 200.0]> : tensor<4xf32>
  %q = stablehlo.uniform_quantize %x : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5:1>>
  %s = stablehlo.bitcast_convert %q : (tensor<4x!quant.uniform<i8:f32, 0.5:1>>) -> tensor<4xi8>
  check.expect_eq_const %s, dense<[-1, 2, 5, 127]> : tensor<4xi8>
  %a = stablehlo.add %q, %q : tensor<4x!quant.uniform<i8:f32, 0.5:1>>
  %f = stablehlo.uniform_dequantize %a : (tensor<4x!quant.uniform<i8:f32, 0.5:1>>) -> tensor<4xf32>
  check.expect_eq_const %f, dense<[-2.0, 1.0, 4.0, 63.0]> : tensor<4xf32>
  func.return
}
