// RUN: tesselle opt --pass fold-constants %s | filecheck %s

// The scale of a batch norm is computed now.
// CHECK-LABEL: @batch_norm
// CHECK: stablehlo.constant dense<[2.000000e+00, 1.000000e+00]>
// CHECK-NOT: stablehlo.rsqrt
// CHECK: stablehlo.multiply
func.func public @batch_norm(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %v = stablehlo.constant dense<[0.75, 3.75]> : tensor<2xf32>
  %g = stablehlo.constant dense<[2.0, 2.0]> : tensor<2xf32>
  %e = stablehlo.constant dense<0.25> : tensor<2xf32>
  %0 = stablehlo.add %v, %e : tensor<2xf32>
  %1 = stablehlo.rsqrt %0 : tensor<2xf32>
  %2 = stablehlo.multiply %1, %g : tensor<2xf32>
  %3 = stablehlo.broadcast_in_dim %2, dims = [1] : (tensor<2xf32>) -> tensor<3x2xf32>
  %4 = stablehlo.multiply %x, %3 : tensor<3x2xf32>
  return %4 : tensor<3x2xf32>
}

// -----

// x * 1 and max(x, -inf) are x.
// CHECK-LABEL: @neutral
// CHECK-NEXT: return %x
func.func public @neutral(%x: tensor<2xf32>) -> tensor<2xf32> {
  %one = stablehlo.constant dense<1.0> : tensor<2xf32>
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %0 = stablehlo.multiply %x, %one : tensor<2xf32>
  %1 = stablehlo.broadcast_in_dim %low, dims = [] : (tensor<f32>) -> tensor<2xf32>
  %2 = stablehlo.maximum %1, %0 : tensor<2xf32>
  return %2 : tensor<2xf32>
}
