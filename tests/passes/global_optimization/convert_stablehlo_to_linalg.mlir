// RUN: tesselle opt --pass convert-stablehlo-to-linalg %s | filecheck %s

// CHECK-LABEL: @elementwise
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]
// CHECK: arith.addf
// CHECK-NOT: stablehlo
func.func public @elementwise(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = stablehlo.add %a, %b : tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// Dynamic dimensions come from the operand that has them.
// CHECK-LABEL: @dynamic
// CHECK: tensor.dim
// CHECK: tensor.empty
// CHECK: linalg.generic
// CHECK: math.exp
func.func public @dynamic(%a: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = stablehlo.exponential %a : tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// Unsigned integers choose unsigned operations.
// CHECK-LABEL: @unsigned
// CHECK: arith.divui
// CHECK: arith.cmpi
// CHECK-SAME: ult
func.func public @unsigned(%a: tensor<4xui32>, %b: tensor<4xui32>) -> tensor<4xi1> {
  %0 = stablehlo.divide %a, %b : tensor<4xui32>
  %1 = stablehlo.compare LT, %0, %b, UNSIGNED : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xi1>
  return %1 : tensor<4xi1>
}

// -----

// A product reads its operands as they lie; bf16 accumulates in f32.
// CHECK-LABEL: @product
// CHECK: linalg.fill
// CHECK: linalg.contract
// CHECK-SAME: (d0, d1, d2) -> (d2, d0)
// CHECK-SAME: -> tensor<4x5xf32>
// CHECK: arith.truncf
func.func public @product(%a: tensor<3x4xbf16>, %b: tensor<3x5xbf16>) -> tensor<4x5xbf16> {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [0] x [0] : (tensor<3x4xbf16>, tensor<3x5xbf16>) -> tensor<4x5xbf16>
  return %0 : tensor<4x5xbf16>
}

// -----

// A contiguous slice is a view, another one a map.
// CHECK-LABEL: @slices
// CHECK: tensor.extract_slice
// CHECK: linalg.generic
// CHECK-SAME: (d0, d1) -> (d0 + 1, d1 * 2 + 1)
func.func public @slices(%a: tensor<4x6xf32>) -> (tensor<2x6xf32>, tensor<2x2xf32>) {
  %0 = stablehlo.slice %a [1:3, 0:6] : (tensor<4x6xf32>) -> tensor<2x6xf32>
  %1 = stablehlo.slice %a [1:3, 1:5:2] : (tensor<4x6xf32>) -> tensor<2x2xf32>
  return %0, %1 : tensor<2x6xf32>, tensor<2x2xf32>
}

// -----

// CHECK-LABEL: @reduce
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "reduction"]
// CHECK: arith.maximumf
func.func public @reduce(%a: tensor<4x6xf32>) -> tensor<4xf32> {
  %c = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %c) applies stablehlo.maximum across dimensions = [1] : (tensor<4x6xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A loop that counts becomes scf.for; its state that stays as it is leaves the loop.
// CHECK-LABEL: @counted
// CHECK: scf.for
// CHECK-NOT: scf.while
// CHECK: arith.mulf
func.func public @counted(%a: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %c = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<9> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %0:3 = stablehlo.while(%i = %c, %s = %a, %v = %w) : tensor<i32>, tensor<4xf32>, tensor<4xf32>
  cond {
    %1 = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %2 = stablehlo.multiply %s, %v : tensor<4xf32>
    %3 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %3, %2, %v : tensor<i32>, tensor<4xf32>, tensor<4xf32>
  }
  return %0#1 : tensor<4xf32>
}
