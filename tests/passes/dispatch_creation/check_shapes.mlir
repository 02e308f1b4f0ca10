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

// -----

// Checks of sizes come first of all, with what they are computed from; those that depend on data stay where they are.
// CHECK-LABEL: @hoisted
// CHECK: tensor.dim
// CHECK: tensor.dim
// CHECK: arith.cmpi
// CHECK-NEXT: "flow.assert"{{.*}}the sizes differ
// CHECK: linalg.generic
// CHECK: tensor.extract
// CHECK: "flow.assert"{{.*}}not positive
#id = affine_map<(d0) -> (d0)>
func.func @hoisted(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %n = tensor.dim %a, 0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%p: f32, %o: f32):
    %0 = math.exp %p : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %zero = arith.constant 0 : index
  %none = arith.constant 0.0 : f32
  %first = tensor.extract %y[%zero] : tensor<?xf32>
  %1 = arith.cmpf ogt, %first, %none : f32
  "flow.assert"(%1) <{message = "not positive"}> : (i1) -> ()
  %m = tensor.dim %b, 0 : tensor<?xf32>
  %2 = arith.cmpi eq, %n, %m : index
  "flow.assert"(%2) <{message = "the sizes differ"}> : (i1) -> ()
  return %y : tensor<?xf32>
}
