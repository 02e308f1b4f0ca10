// RUN: tesselle opt --pass expand-quantized %s | filecheck %s

// Arithmetic happens in floats; the signature is that of what is stored, and says how it is meant.
// CHECK-LABEL: @multiply
// CHECK-SAME: %a: tensor<4xi8> {tesselle.quantization = "!quant.uniform<i8:f32, 5.000000e-01:3>"}
// CHECK: %[[WIDE:.+]] = stablehlo.convert %a : (tensor<4xi8>) -> tensor<4xi32>
// CHECK: %[[DIFFERENCE:.+]] = stablehlo.subtract %[[WIDE]]
// CHECK: %[[FLOAT:.+]] = stablehlo.convert %[[DIFFERENCE]] : (tensor<4xi32>) -> tensor<4xf32>
// CHECK: %[[REAL:.+]] = stablehlo.multiply %[[FLOAT]]
// CHECK: %[[SQUARE:.+]] = stablehlo.multiply %{{.*}}, %{{.*}} : tensor<4xf32>
// CHECK: %[[SCALED:.+]] = stablehlo.divide %[[SQUARE]]
// CHECK: %[[MOVED:.+]] = stablehlo.add %[[SCALED]]
// CHECK: %[[CLAMPED:.+]] = stablehlo.clamp %{{.*}}, %[[MOVED]]
// CHECK: %[[ROUNDED:.+]] = stablehlo.round_nearest_even %[[CLAMPED]]
// CHECK: %[[STORED:.+]] = stablehlo.convert %[[ROUNDED]] : (tensor<4xf32>) -> tensor<4xi8>
// CHECK: return %[[STORED]] : tensor<4xi8>
!q = !quant.uniform<i8:f32, 0.5:3>
func.func @multiply(%a: tensor<4x!q>) -> tensor<4x!q> {
  %0 = stablehlo.multiply %a, %a : tensor<4x!q>
  return %0 : tensor<4x!q>
}

// -----

// A zero point of 0 is not subtracted; weights keep their own scales, along an axis.
// CHECK-LABEL: @hybrid
// CHECK-NOT: subtract
// CHECK: %[[FLOAT:.+]] = stablehlo.convert %w : (tensor<3x2xi8>) -> tensor<3x2xf32>
// CHECK: %[[SCALES:.+]] = stablehlo.constant dense<[5.000000e-01, 2.500000e-01]>
// CHECK: stablehlo.broadcast_in_dim %[[SCALES]], dims = [1]
// CHECK: %[[REAL:.+]] = stablehlo.multiply %[[FLOAT]]
// CHECK: stablehlo.dot_general %x, %[[REAL]]
!w = !quant.uniform<i8:f32:1, {0.5, 0.25}>
func.func @hybrid(%x: tensor<4x3xf32>, %w: tensor<3x2x!w>) -> tensor<4x2xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<4x3xf32>, tensor<3x2x!w>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

// What moves elements moves what is stored.
// CHECK-LABEL: @move
// CHECK-NEXT: %[[T:.+]] = stablehlo.transpose %a, dims = [1, 0] : (tensor<3x2xi8>) -> tensor<2x3xi8>
// CHECK-NEXT: return %[[T]]
func.func @move(%a: tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>> {
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  return %0 : tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
}

// -----

// A region on a wider type takes requantized inputs.
// CHECK-LABEL: @promote
// CHECK: %[[INPUT:.+]] = stablehlo.convert %{{.*}} : (tensor<3xf32>) -> tensor<3xi32>
// CHECK: %[[INIT:.+]] = stablehlo.convert %{{.*}} : (tensor<f32>) -> tensor<i32>
// CHECK: stablehlo.reduce(%[[INPUT]] init: %[[INIT]])
// CHECK: reducer(%x: tensor<i32>, %y: tensor<i32>)
// CHECK: stablehlo.add %{{.*}} : tensor<f32>
!n = !quant.uniform<i8:f32, 0.5:3>
!d = !quant.uniform<i32:f32, 0.5>
func.func @promote(%a: tensor<3x!n>, %i: tensor<!n>) -> tensor<!d> {
  %0 = "stablehlo.reduce"(%a, %i) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<!d>, %y: tensor<!d>):
    %s = stablehlo.add %x, %y : tensor<!d>
    "stablehlo.return"(%s) : (tensor<!d>) -> ()
  }) : (tensor<3x!n>, tensor<!n>) -> tensor<!d>
  return %0 : tensor<!d>
}
