// RUN: tesselle opt --pass convert-to-stream --pass copy-on-write --pass assign-storage %s | filecheck %s

// What a variable will hold is made where it lies.
// CHECK-LABEL: @set
// CHECK: %[[V:.*]] = "stream.variable.load"() <{variable = @v}>
// CHECK: %[[PLACE:.*]] = "stream.tensor.import"(%[[V]]
// CHECK-NOT: "stream.resource.alloc"
// CHECK: "stream.cmd.copy"(%x{{.*}}, %{{.*}}, %[[PLACE]],
// CHECK-NOT: "stream.variable.store"
// CHECK: return
ml_program.global private mutable @v : tensor<8xf32>
func.func @set(%x: tensor<8xf32>) {
  ml_program.global_store @v = %x : tensor<8xf32>
  return
}

// -----

// Not while its old value is still read.
// CHECK-LABEL: @read_afterwards
// CHECK: %v = "stream.tensor.import"
// CHECK: %[[NEW:.*]] = "stream.resource.alloc"
// CHECK: "stream.cmd.fill"(%{{.*}}, %[[NEW]],
// CHECK: %[[VIEW:.*]] = "stream.tensor.export"(%[[NEW]])
// CHECK: "stream.variable.store"(%[[VIEW]]) <{variable = @v}>
// CHECK: "stream.cmd.copy"(%v,
ml_program.global private mutable @v : tensor<8xf32>
func.func @read_afterwards() -> tensor<8xf32> {
  %f = arith.constant 1.5 : f32
  %v = ml_program.global_load @v : tensor<8xf32>
  %0 = "flow.tensor.splat"(%f) : (f32) -> tensor<8xf32>
  ml_program.global_store @v = %0 : tensor<8xf32>
  return %v : tensor<8xf32>
}

// -----

// Nor when another variable holds what was there.
// CHECK-LABEL: @handed_on
// CHECK: %v = "stream.tensor.import"
// CHECK: %[[NEW:.*]] = "stream.resource.alloc"
// CHECK: "stream.tensor.export"(%v)
// CHECK: "stream.cmd.copy"(%x{{.*}}, %{{.*}}, %[[NEW]],
ml_program.global private mutable @v : tensor<8xf32>
ml_program.global private mutable @w : tensor<8xf32>
func.func @handed_on(%x: tensor<8xf32>) {
  %v = ml_program.global_load @v : tensor<8xf32>
  ml_program.global_store @w = %v : tensor<8xf32>
  ml_program.global_store @v = %x : tensor<8xf32>
  return
}

// -----

// Nor where sizes may change: what is there may be too small.
// CHECK-LABEL: @another_size
// CHECK: %[[NEW:.*]] = "stream.resource.alloc"
// CHECK: "stream.cmd.copy"(%x{{.*}}, %{{.*}}, %[[NEW]],
// CHECK: "stream.variable.store"
ml_program.global private mutable @v : tensor<?xf32>
func.func @another_size(%x: tensor<?xf32>) {
  ml_program.global_store @v = %x : tensor<?xf32>
  return
}
