// RUN: tesselle opt --errors --pass convert-stablehlo-to-linalg %s | filecheck %s

// Every operation without a lowering is reported at once.
// CHECK: error[stablehlo.fft]: stablehlo.fft is not supported
// CHECK: error[stablehlo.custom_call]: custom call @solve: result 0 is tensor<?xcomplex<f32>>, and no operand says its shape
func.func public @main(%a: tensor<4xcomplex<f32>>) -> tensor<?xcomplex<f32>> {
  %0 = stablehlo.fft %a, type = FFT, length = [4] : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = stablehlo.custom_call @solve(%0) : (tensor<4xcomplex<f32>>) -> tensor<?xcomplex<f32>>
  return %1 : tensor<?xcomplex<f32>>
}
