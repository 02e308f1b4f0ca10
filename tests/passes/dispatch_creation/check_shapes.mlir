// RUN: tesselle opt --pass resolve-dims --pass check-shapes %s | filecheck %s

// CHECK-LABEL: @add
// CHECK-DAG: %[[A:.*]] = tensor.dim %a
// CHECK-DAG: %[[B:.*]] = tensor.dim %b
// CHECK: %[[OK:.*]] = arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: "flow.assert"(%[[OK]])
// CHECK: linalg.generic
#id = affine_map<(d0) -> (d0)>
func.func @add(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// A type that says more than that of the operand.
// CHECK-LABEL: @cast
// CHECK: %[[D:.*]] = tensor.dim %a
// CHECK: %[[OK:.*]] = arith.cmpi eq, %[[D]], %{{.*}} : index
// CHECK: "flow.assert"(%[[OK]]) <{message = "{{.*}}dimension 0 must be 4"}>
// CHECK-NOT: flow.assert
// CHECK: return
func.func @cast(%a: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = tensor.cast %a : tensor<?x3xf32> to tensor<4x3xf32>
  %1 = tensor.cast %0 : tensor<4x3xf32> to tensor<?x3xf32>
  return %1 : tensor<?x3xf32>
}
