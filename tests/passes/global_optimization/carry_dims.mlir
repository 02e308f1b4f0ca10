// RUN: tesselle opt --pass carry-dims --pass resolve-dims %s | filecheck %s

// The size is one more in every iteration: it is carried, and what the loop gives has the last.
// CHECK-LABEL: @grows
// CHECK: %[[N:.*]] = tensor.dim %x, 0
// CHECK: %[[R:.*]]:2 = scf.for {{.*}} iter_args(%[[A:.*]] = %x, %[[D:.*]] = %[[N]])
// CHECK: %[[T:.*]] = "flow.tensor.tie_shape"(%[[A]], %[[D]])
// CHECK: %[[E:.*]] = arith.addi %[[D]]
// CHECK: scf.yield %{{.*}}, %[[E]]
// CHECK: "flow.tensor.tie_shape"(%[[R]]#0, %[[R]]#1)
// CHECK: return %{{.*}}, %[[R]]#1
func.func @grows(%x: tensor<?x4xf32>, %row: tensor<1x4xf32>) -> (tensor<?x4xf32>, index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %ten = arith.constant 10 : index
  %r = scf.for %i = %zero to %ten step %one iter_args(%a = %x) -> (tensor<?x4xf32>) {
    %b = tensor.concat dim(0) %a, %row : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
    scf.yield %b : tensor<?x4xf32>
  }
  %n = tensor.dim %r, 0 : tensor<?x4xf32>
  return %r, %n : tensor<?x4xf32>, index
}

// -----

// What is added must have the size of what it is added to: the size stays, and nothing is carried.
// CHECK-LABEL: @stays
// CHECK-NOT: tie_shape
#id = affine_map<(d0) -> (d0)>
func.func @stays(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %ten = arith.constant 10 : index
  %r = scf.for %i = %zero to %ten step %one iter_args(%a = %x) -> (tensor<?xf32>) {
    %n = tensor.dim %y, 0 : tensor<?xf32>
    %e = tensor.empty(%n) : tensor<?xf32>
    %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%y, %a : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
    ^bb0(%p: f32, %q: f32, %o: f32):
      %0 = arith.addf %p, %q : f32
      linalg.yield %0 : f32
    } -> tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// A size that the inner loop changes is one that the outer loop changes.
// CHECK-LABEL: @nested
// CHECK: scf.for
// CHECK: tie_shape
// CHECK: scf.for
// CHECK: tie_shape
// CHECK: tie_shape
// CHECK: tie_shape
func.func @nested(%x: tensor<?xf32>, %y: tensor<1xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %ten = arith.constant 10 : index
  %r = scf.for %i = %zero to %ten step %one iter_args(%a = %x) -> (tensor<?xf32>) {
    %s = scf.for %j = %zero to %ten step %one iter_args(%b = %a) -> (tensor<?xf32>) {
      %c = tensor.concat dim(0) %b, %y : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
      scf.yield %c : tensor<?xf32>
    }
    scf.yield %s : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// Only one of two dimensions changes; the other is that of the initial value.
// CHECK-LABEL: @one_of_two
// CHECK-DAG: %[[N:.*]] = tensor.dim %x, 0
// CHECK-DAG: %[[M:.*]] = tensor.dim %x, 1
// CHECK: scf.while (%[[A:.*]] = %x, %[[D:.*]] = %[[N]])
// CHECK: "flow.tensor.tie_shape"(%[[A]], %[[D]], %[[M]])
func.func @one_of_two(%x: tensor<?x?xf32>, %p: i1) -> tensor<?x?xf32> {
  %r = scf.while (%a = %x) : (tensor<?x?xf32>) -> tensor<?x?xf32> {
    scf.condition(%p) %a : tensor<?x?xf32>
  } do {
  ^bb0(%b: tensor<?x?xf32>):
    %c = tensor.concat dim(0) %b, %b : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
    scf.yield %c : tensor<?x?xf32>
  }
  return %r : tensor<?x?xf32>
}

// -----

// Branches of one size, which each computes for itself: it is computed in front of them. Of two sizes: handed on.
// CHECK-LABEL: @branches
// CHECK: %[[N:.*]] = tensor.dim %x, 0
// CHECK: %[[S:.*]] = arith.addi %[[N]]
// CHECK: %[[R:.*]]:3 = scf.if
// CHECK-DAG: "flow.tensor.tie_shape"(%[[R]]#1, %[[R]]#2)
// CHECK-DAG: "flow.tensor.tie_shape"(%[[R]]#0, %[[S]])
// CHECK: return %{{.*}}, %{{.*}}, %[[S]]
func.func @branches(%x: tensor<?xf32>, %y: tensor<1xf32>, %p: i1) -> (tensor<?xf32>, tensor<?xf32>, index) {
  %r:2 = scf.if %p -> (tensor<?xf32>, tensor<?xf32>) {
    %a = tensor.concat dim(0) %x, %y : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    scf.yield %a, %a : tensor<?xf32>, tensor<?xf32>
  } else {
    %b = tensor.concat dim(0) %y, %x : (tensor<1xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %b, %x : tensor<?xf32>, tensor<?xf32>
  }
  %n = tensor.dim %r#0, 0 : tensor<?xf32>
  return %r#0, %r#1, %n : tensor<?xf32>, tensor<?xf32>, index
}
