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

// -----

// A variable that the function stores to is updated where it lies, in a branch, too. There is nothing left to store.
// CHECK-LABEL: @update_in_a_branch
// CHECK: %v = "stream.tensor.import"
// CHECK-NOT: "stream.async.clone"
// CHECK: scf.if
// CHECK: "stream.async.update"(%{{.*}}, %v
// CHECK: } else {
// CHECK-NEXT: scf.yield %v
// CHECK-NOT: "stream.variable.store"
// CHECK: return
ml_program.global private mutable @v : tensor<4x8xf32>
func.func @update_in_a_branch(%r: tensor<1x8xf32>, %p: tensor<i1>) {
  %at = arith.constant 8 : index
  %v = ml_program.global_load @v : tensor<4x8xf32>
  %c = tensor.extract %p[] : tensor<i1>
  %0 = scf.if %c -> (tensor<4x8xf32>) {
    %1 = "flow.tensor.update"(%r, %v, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
    scf.yield %1 : tensor<4x8xf32>
  } else {
    scf.yield %v : tensor<4x8xf32>
  }
  ml_program.global_store @v = %0 : tensor<4x8xf32>
  return
}

// -----

// A variable that is only read belongs to the session: results are copies, and updates take one.
// CHECK-LABEL: @only_read
// CHECK: %v = "stream.tensor.import"
// CHECK: %[[C:.*]] = "stream.async.clone"(%v
// CHECK: %[[U:.*]] = "stream.async.update"(%{{.*}}, %[[C]]
// CHECK: %[[D:.*]] = "stream.async.clone"(%v
// CHECK: "stream.tensor.export"(%[[D]])
ml_program.global private mutable @v : tensor<4x8xf32>
func.func @only_read(%r: tensor<1x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %at = arith.constant 8 : index
  %v = ml_program.global_load @v : tensor<4x8xf32>
  %0 = "flow.tensor.update"(%r, %v, %at) : (tensor<1x8xf32>, tensor<4x8xf32>, index) -> tensor<4x8xf32>
  return %v, %0 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Variables that change places change hands: views are stored, and no bytes move.
// CHECK-LABEL: @swap
// CHECK: %a = "stream.tensor.import"
// CHECK: %b = "stream.tensor.import"
// CHECK-NOT: "stream.async.clone"
// CHECK: %[[B:.*]] = "stream.tensor.export"(%b)
// CHECK: "stream.variable.store"(%[[B]]) <{variable = @a}>
// CHECK: %[[A:.*]] = "stream.tensor.export"(%a)
// CHECK: "stream.variable.store"(%[[A]]) <{variable = @b}>
ml_program.global private mutable @a : tensor<8xf32>
ml_program.global private mutable @b : tensor<8xf32>
func.func @swap() {
  %a = ml_program.global_load @a : tensor<8xf32>
  %b = ml_program.global_load @b : tensor<8xf32>
  ml_program.global_store @a = %b : tensor<8xf32>
  ml_program.global_store @b = %a : tensor<8xf32>
  return
}

// -----

// One value in two variables: only one of them may have the bytes.
// CHECK-LABEL: @twice
// CHECK: %a = "stream.tensor.import"
// CHECK: "stream.tensor.export"(%a)
// CHECK: %[[C:.*]] = "stream.async.clone"(%a
// CHECK: "stream.tensor.export"(%[[C]])
ml_program.global private mutable @a : tensor<8xf32>
ml_program.global private mutable @b : tensor<8xf32>
ml_program.global private mutable @c : tensor<8xf32>
func.func @twice(%x: tensor<8xf32>) {
  %a = ml_program.global_load @a : tensor<8xf32>
  ml_program.global_store @b = %a : tensor<8xf32>
  ml_program.global_store @c = %a : tensor<8xf32>
  ml_program.global_store @a = %x : tensor<8xf32>
  return
}
