// RUN: tesselle opt --pass convert-stablehlo-to-linalg --pass fuse-elementwise %s | filecheck %s

// A chain becomes one loop nest; the broadcast melts into a map.
// CHECK-LABEL: @chain
// CHECK: linalg.generic
// CHECK-SAME: (d0, d1) -> (d1)
// CHECK: arith.addf
// CHECK: math.tanh
// CHECK-NOT: linalg.generic
func.func public @chain(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<4xf32>) -> tensor<8x4xf32>
  %1 = stablehlo.add %x, %0 : tensor<8x4xf32>
  %2 = stablehlo.tanh %1 : tensor<8x4xf32>
  return %2 : tensor<8x4xf32>
}

// -----

// An expensive operation with two readers is computed once.
// CHECK-LABEL: @shared
// CHECK: math.exp
// CHECK-NOT: math.exp
func.func public @shared(%x: tensor<8x4xf32>) -> (tensor<8xf32>, tensor<8x4xf32>) {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.exponential %x : tensor<8x4xf32>
  %1 = stablehlo.reduce(%0 init: %c) applies stablehlo.add across dimensions = [1] : (tensor<8x4xf32>, tensor<f32>) -> tensor<8xf32>
  %2 = stablehlo.negate %0 : tensor<8x4xf32>
  return %1, %2 : tensor<8xf32>, tensor<8x4xf32>
}

// -----

// A slice that starts at 0 does not become the bound of a reduction.
// CHECK-LABEL: @bound
// CHECK: iterator_types = ["parallel", "reduction"]} ins(%{{.*}} : tensor<8x10xf32>)
func.func public @bound(%x: tensor<8x40xf32>) -> tensor<8xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.slice %x [0:8, 0:10] : (tensor<8x40xf32>) -> tensor<8x10xf32>
  %1 = stablehlo.reduce(%0 init: %c) applies stablehlo.add across dimensions = [1] : (tensor<8x10xf32>, tensor<f32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
