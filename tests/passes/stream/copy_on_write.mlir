// RUN: tesselle opt --pass convert-to-stream --pass copy-on-write %s | filecheck %s

// An argument belongs to the caller: updating it copies it first.
// CHECK-LABEL: @argument
// CHECK: %[[C:.*]] = "stream.async.clone"
// CHECK: "stream.async.update"(%{{.*}}, %[[C]]
func.func @argument(%x: tensor<4x8xf32>, %r: tensor<1x8xf32>) -> tensor<4x8xf32> {
  %at = arith.constant 8 : index
  %0 = "flow.tensor.update"(%r, %x, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// A loop that updates what it carries does it in place: one copy before it, none inside.
// CHECK-LABEL: @loop
// CHECK: "stream.async.clone"
// CHECK: scf.for
// CHECK-NOT: "stream.async.clone"
// CHECK: scf.yield
func.func @loop(%x: tensor<4x8xf32>, %r: tensor<1x8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %eight = arith.constant 8 : index
  %y = scf.for %i = %zero to %four step %one iter_args(%a = %x) -> (tensor<4x8xf32>) {
    %at = arith.muli %i, %eight : index
    %0 = "flow.tensor.update"(%r, %a, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
    scf.yield %0 : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}

// -----

// The old value is still needed: the update takes a copy.
// CHECK-LABEL: @needed
// CHECK: %[[S:.*]] = "stream.async.splat"
// CHECK: %[[T:.*]] = "stream.async.splat"
// CHECK: "stream.async.update"(%{{.*}}, %[[T]]
func.func @needed(%r: tensor<1x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %at = arith.constant 8 : index
  %v = arith.constant 1.5 : f32
  %x = "flow.tensor.splat"(%v) : (f32) -> tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %x, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  return %0, %x : tensor<4x8xf32>, tensor<4x8xf32>
}
