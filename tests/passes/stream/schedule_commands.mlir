// RUN: tesselle opt --pass convert-to-stream --pass copy-on-write --pass assign-storage --pass fold-host-arithmetic --pass schedule-commands %s | filecheck %s

// Independent commands share a wave; a barrier stands only where one depends on another.
// CHECK-LABEL: @waves
// CHECK: "stream.cmd.execute"
// CHECK-COUNT-2: "stream.cmd.fill"
// CHECK: "stream.cmd.barrier"
// CHECK-COUNT-2: "stream.cmd.copy"
// CHECK-NOT: "stream.cmd.barrier"
// CHECK: "stream.timepoint.await"
func.func @waves(%r: tensor<1x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %at = arith.constant 8 : index
  %v = arith.constant 1.5 : f32
  %w = arith.constant 2.5 : f32
  %x = "flow.tensor.splat"(%v) : (f32) -> tensor<4x8xf32>
  %y = "flow.tensor.splat"(%w) : (f32) -> tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %x, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %1 = "flow.tensor.update"(%r, %y, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Writes of different rows do not wait for one another.
// CHECK-LABEL: @rows
// CHECK: "stream.cmd.fill"
// CHECK: "stream.cmd.barrier"
// CHECK-COUNT-2: "stream.cmd.copy"
// CHECK-NOT: "stream.cmd.barrier"
// CHECK: "stream.timepoint.await"
func.func @rows(%r: tensor<1x8xf32>) -> tensor<4x8xf32> {
  %a = arith.constant 8 : index
  %b = arith.constant 16 : index
  %v = arith.constant 1.5 : f32
  %x = "flow.tensor.splat"(%v) : (f32) -> tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %x, %a) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %1 = "flow.tensor.update"(%r, %0, %b) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

// A loop of a known number of steps is recorded as a whole: one submission.
// CHECK-LABEL: @loop
// CHECK: "stream.cmd.execute"
// CHECK: scf.for
// CHECK: "stream.cmd.copy"
// CHECK: "stream.cmd.barrier"
// CHECK-NOT: "stream.cmd.execute"
// CHECK: return
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

// An argument is there from the beginning: it is read, and looked at, before a variable changes.
// CHECK-LABEL: @checked_first
// CHECK: %[[N:.*]] = "stream.resource.load"(%n
// CHECK: %[[OK:.*]] = arith.cmpi eq, %[[N]]
// CHECK: "flow.assert"(%[[OK]])
// CHECK: "stream.cmd.execute"
// CHECK: "stream.cmd.copy"
// CHECK-NOT: "stream.cmd.execute"
// CHECK: return
ml_program.global private mutable @v : tensor<4x8xf32>
func.func @checked_first(%r: tensor<1x8xf32>, %n: tensor<i32>) {
  %at = arith.constant 8 : index
  %eight = arith.constant 8 : i32
  %v = ml_program.global_load @v : tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %v, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  %1 = tensor.extract %n[] : tensor<i32>
  %2 = arith.cmpi eq, %1, %eight : i32
  "flow.assert"(%2) <{message = "eight"}> : (i1) -> ()
  ml_program.global_store @v = %0 : tensor<4x8xf32>
  return
}

// -----

// What a command has written is read when it is done.
// CHECK-LABEL: @written
// CHECK: "stream.cmd.execute"
// CHECK: "stream.timepoint.await"
// CHECK-NEXT: "stream.resource.load"
ml_program.global private mutable @v : tensor<8xi32>
func.func @written(%r: tensor<1xi32>) -> tensor<4xi32> {
  %at = arith.constant 2 : index
  %v = ml_program.global_load @v : tensor<8xi32>
  %0 = "flow.tensor.update"(%r, %v, %at) : (tensor<1xi32>, tensor<8xi32>, index) -> tensor<8xi32>
  %1 = tensor.extract %0[%at] : tensor<8xi32>
  %2 = "flow.tensor.splat"(%1) : (i32) -> tensor<4xi32>
  ml_program.global_store @v = %0 : tensor<8xi32>
  return %2 : tensor<4xi32>
}
