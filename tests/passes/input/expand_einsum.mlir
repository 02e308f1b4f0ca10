// RUN: tesselle opt --pass expand-einsum %s | filecheck %s

// CHECK-LABEL: @diagonal
// CHECK: %[[P:.*]] = stablehlo.compare EQ
// CHECK: %[[X:.*]] = stablehlo.select %[[P]], %x
// CHECK: stablehlo.reduce(%[[X]]
func.func @diagonal(%x: tensor<3x3xf32>) -> tensor<3xf32> {
  %0 = "stablehlo.unary_einsum"(%x) <{einsum_config = "ii->i"}> : (tensor<3x3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: @ellipsis
// CHECK: stablehlo.einsum %x, %y, config = "abij,abjk->abik"
func.func @ellipsis(%x: tensor<2x3x4x5xf32>, %y: tensor<2x3x5x6xf32>) -> tensor<2x3x4x6xf32> {
  %0 = stablehlo.einsum %x, %y, config = "...ij,...jk->...ik" : (tensor<2x3x4x5xf32>, tensor<2x3x5x6xf32>) -> tensor<2x3x4x6xf32>
  return %0 : tensor<2x3x4x6xf32>
}
