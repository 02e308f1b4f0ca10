// RUN: tesselle opt --pass expand-linear-algebra %s | filecheck %s

// A small matrix is factored column by column.
// CHECK-LABEL: func.func @small
// CHECK: stablehlo.while
// CHECK: stablehlo.sqrt
// CHECK-NOT: stablehlo.while
func.func @small(%a: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = stablehlo.cholesky %a, lower = true : tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// A larger one by blocks of 32, padded to whole ones; only the corner of each is factored column by column.
// CHECK-LABEL: func.func @blocks
// CHECK: stablehlo.pad {{.*}} -> tensor<2x64x40xf32>
// CHECK: stablehlo.while
// CHECK: stablehlo.dot_general {{.*}} : (tensor<2x64x64xf32>, tensor<2x32x64xf32>) -> tensor<2x64x32xf32>
// CHECK: stablehlo.while
// CHECK: stablehlo.sqrt
func.func @blocks(%a: tensor<2x40x40xf32>) -> tensor<2x40x40xf32> {
  %0 = stablehlo.cholesky %a, lower = true : tensor<2x40x40xf32>
  return %0 : tensor<2x40x40xf32>
}

// -----

// An upper triangle on the right is a lower one on the left of transposed matrices; f16 is computed in f32.
// CHECK-LABEL: func.func @right
// CHECK: stablehlo.convert {{.*}} -> tensor<1x4x4xf32>
// CHECK: stablehlo.transpose
// CHECK-NOT: stablehlo.reverse
// CHECK: stablehlo.while
// CHECK: stablehlo.divide
// CHECK: stablehlo.convert {{.*}} -> tensor<1x2x4xf16>
func.func @right(%a: tensor<4x4xf16>, %b: tensor<2x4xf16>) -> tensor<2x4xf16> {
  %0 = "stablehlo.triangular_solve"(%a, %b) {left_side = false, lower = false, unit_diagonal = false,
    transpose_a = #stablehlo<transpose NO_TRANSPOSE>} : (tensor<4x4xf16>, tensor<2x4xf16>) -> tensor<2x4xf16>
  return %0 : tensor<2x4xf16>
}
