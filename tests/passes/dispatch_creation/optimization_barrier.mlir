// RUN: tesselle opt --pass flatten-tuples --pass convert-stablehlo-to-linalg --pass resolve-dims --pass hoist-loop-invariants --pass propagate-transposes --pass fold-unit-dims --pass fuse-elementwise --pass resolve-dims --pass prepare-dispatches --pass form-dispatch-regions --pass clone-into-regions --pass outline-dispatches %s | filecheck %s

// Two elementwise operations on both sides are two dispatches; the barrier itself is gone, and nothing is copied.
// CHECK-LABEL: func.func @elementwise(
// CHECK-NEXT: %[[A:[0-9]+]] = "flow.dispatch"(%x)
// CHECK-NEXT: %[[B:[0-9]+]] = "flow.dispatch"(%[[A]])
// CHECK-NEXT: return %[[B]]
func.func @elementwise(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = stablehlo.add %x, %x : tensor<8xf32>
  %1 = stablehlo.optimization_barrier %0 : tensor<8xf32>
  %2 = stablehlo.exponential %1 : tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----

// What follows waits for every operand; equal values behind two barriers stay two.
// CHECK-LABEL: func.func @several(
// CHECK-COUNT-4: "flow.dispatch"
// CHECK-NEXT: return
func.func @several(%x: tensor<?xf32>, %s: tensor<f32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<f32>) {
  %0 = stablehlo.negate %x : tensor<?xf32>
  %t = stablehlo.negate %s : tensor<f32>
  %1:2 = stablehlo.optimization_barrier %0, %t : tensor<?xf32>, tensor<f32>
  %2:2 = stablehlo.optimization_barrier %0, %t : tensor<?xf32>, tensor<f32>
  %3 = stablehlo.add %1#0, %1#0 : tensor<?xf32>
  %4 = stablehlo.add %2#0, %2#0 : tensor<?xf32>
  return %3, %4, %1#1 : tensor<?xf32>, tensor<?xf32>, tensor<f32>
}

// -----

// Transpositions do not meet across it, nor does it leave the loop that it stands in; tokens come and go.
// CHECK-LABEL: func.func @loop(
// CHECK: scf.for
// CHECK: "flow.dispatch"
// CHECK-NEXT: "flow.dispatch"
// CHECK: scf.yield
func.func @loop(%x: tensor<3x4xf32>, %y: tensor<4x3xf32>) -> tensor<3x4xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %n = stablehlo.constant dense<5> : tensor<i32>
  %token = stablehlo.create_token : !stablehlo.token
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<3x4xf32>
   cond {
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %1:2 = stablehlo.optimization_barrier %y, %token : tensor<4x3xf32>, !stablehlo.token
    %2 = stablehlo.transpose %1#0, dims = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
    %3 = stablehlo.optimization_barrier %2 : tensor<3x4xf32>
    %4 = stablehlo.add %3, %a : tensor<3x4xf32>
    %5 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %5, %4 : tensor<i32>, tensor<3x4xf32>
  }
  return %r#1 : tensor<3x4xf32>
}
