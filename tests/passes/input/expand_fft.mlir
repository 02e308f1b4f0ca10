// RUN: tesselle opt --pass expand-fft %s | filecheck %s

// A short transform is one product of real numbers.
// CHECK-LABEL: func.func @short
// CHECK: stablehlo.concatenate
// CHECK: stablehlo.dot_general {{.*}} : (tensor<3x2x8xf32>, tensor<2x8x2x8xf32>) -> tensor<3x2x8xf32>
// CHECK-NOT: stablehlo.dot_general
// CHECK: stablehlo.complex
func.func @short(%x: tensor<3x8xcomplex<f32>>) -> tensor<3x8xcomplex<f32>> {
  %0 = stablehlo.fft %x, type = FFT, length = [8] : (tensor<3x8xcomplex<f32>>) -> tensor<3x8xcomplex<f32>>
  return %0 : tensor<3x8xcomplex<f32>>
}

// -----

// A real one reads half as much, and computes half as much.
// CHECK-LABEL: func.func @real
// CHECK: stablehlo.dot_general {{.*}} : (tensor<3x8xf64>, tensor<8x2x5xf64>) -> tensor<3x2x5xf64>
func.func @real(%x: tensor<3x8xf64>) -> tensor<3x5xcomplex<f64>> {
  %0 = stablehlo.fft %x, type = RFFT, length = [8] : (tensor<3x8xf64>) -> tensor<3x5xcomplex<f64>>
  return %0 : tensor<3x5xcomplex<f64>>
}

// -----

// 1024 = 32 * 32: two products and a rotation.
// CHECK-LABEL: func.func @four_step
// CHECK: stablehlo.dot_general {{.*}} tensor<2x32x2x32xf32>) -> tensor<1x32x2x32xf32>
// CHECK: stablehlo.reverse
// CHECK: stablehlo.dot_general {{.*}} tensor<2x32x2x32xf32>) -> tensor<32x2x32xf32>
// CHECK-NOT: stablehlo.dot_general
func.func @four_step(%x: tensor<1024xcomplex<f32>>) -> tensor<1024xcomplex<f32>> {
  %0 = stablehlo.fft %x, type = FFT, length = [1024] : (tensor<1024xcomplex<f32>>) -> tensor<1024xcomplex<f32>>
  return %0 : tensor<1024xcomplex<f32>>
}
