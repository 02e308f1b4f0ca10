// RUN: tesselle opt --pass convert-stablehlo-to-linalg --pass propagate-transposes %s | filecheck %s

// Operand and result are transposed by the product's maps alone.
// CHECK-LABEL: @both
// CHECK-NOT: linalg.generic
// CHECK: linalg.contract
// CHECK-SAME: (d0, d1, d2) -> (d0, d2)
// CHECK-SAME: (d0, d1, d2) -> (d1, d2)
// CHECK-SAME: (d0, d1, d2) -> (d1, d0)
// CHECK-NOT: linalg.generic
func.func public @both(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) -> tensor<4x2xf32> {
  %0 = stablehlo.transpose %b, dims = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %1 = stablehlo.dot_general %a, %0, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %2 = stablehlo.transpose %1, dims = [1, 0] : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return %2 : tensor<4x2xf32>
}
