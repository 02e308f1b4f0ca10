// RUN: tesselle opt --pass convert-to-stream --pass copy-on-write --pass assign-storage --pass fold-host-arithmetic --pass schedule-commands --pass pack-transients %s | filecheck %s

// A chain of four transients of 128 bytes: three live at once (one is read, one written, one filled), so the arena
// holds three.
// CHECK-LABEL: @chain
// CHECK-SAME: stream.peak_transient_bytes = 384
// CHECK: %[[SIZE:.*]] = arith.constant 384 : index
// CHECK: %arena = "stream.resource.alloc"(%[[SIZE]]) : (index) -> !stream.resource<transient>
// CHECK-NOT: "stream.resource.alloc"(%{{.*}}) : (index) -> !stream.resource<transient>
func.func @chain(%r: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %at = arith.constant 8 : index
  %u = arith.constant 0.5 : f32
  %v = arith.constant 1.5 : f32
  %w = arith.constant 2.5 : f32
  %x = "flow.tensor.splat"(%u) : (f32) -> tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %x, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %1 = "flow.tensor.slice"(%0, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<4x8xf32>, index) -> tensor<1x8xf32>
  %y = "flow.tensor.splat"(%v) : (f32) -> tensor<4x8xf32>
  %2 = "flow.tensor.update"(%1, %y, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %3 = "flow.tensor.slice"(%2, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<4x8xf32>, index) -> tensor<1x8xf32>
  %z = "flow.tensor.splat"(%w) : (f32) -> tensor<4x8xf32>
  %4 = "flow.tensor.update"(%3, %z, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %5 = "flow.tensor.slice"(%4, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<4x8xf32>, index) -> tensor<1x8xf32>
  %w2 = arith.constant 3.5 : f32
  %z2 = "flow.tensor.splat"(%w2) : (f32) -> tensor<4x8xf32>
  %6 = "flow.tensor.update"(%5, %z2, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %7 = "flow.tensor.slice"(%6, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<4x8xf32>, index) -> tensor<1x8xf32>
  return %7 : tensor<1x8xf32>
}

// -----

// Sizes that are multiples of one number lie behind one another in multiples of it: 128·n and 256·n bytes take 384·n.
// CHECK-LABEL: @multiples
// CHECK: %[[N:.*]] = "stream.tensor.dim"
// CHECK: %[[SMALL:.*]] = arith.muli %{{.*}}, %[[N]] : index
// CHECK: %[[THREE:.*]] = arith.constant 3 : index
// CHECK: %[[ALL:.*]] = arith.muli %[[SMALL]], %[[THREE]] : index
// CHECK: %arena = "stream.resource.alloc"(%[[ALL]]) : (index) -> !stream.resource<transient>
// CHECK-NOT: "stream.resource.alloc"(%{{.*}}) : (index) -> !stream.resource<transient>
func.func @multiples(%x: tensor<?x4xf32>) -> tensor<1x8xf32> {
  %n = tensor.dim %x, 0 : tensor<?x4xf32>
  %at = arith.constant 8 : index
  %u = arith.constant 0.5 : f32
  %v = arith.constant 1.5 : f32
  %c32 = arith.constant 32 : index
  %a = "flow.tensor.splat"(%u, %n) : (f32, index) -> tensor<?x32xf32>
  %0 = "flow.tensor.slice"(%a, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x32xf32>, index) -> tensor<1x8xf32>
  %b = "flow.tensor.splat"(%v, %n) : (f32, index) -> tensor<?x64xf32>
  %1 = "flow.tensor.update"(%0, %b, %at) : (tensor<1x8xf32>, tensor<?x64xf32>, index) -> tensor<?x64xf32>
  %2 = "flow.tensor.slice"(%1, %at) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x64xf32>, index) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}
