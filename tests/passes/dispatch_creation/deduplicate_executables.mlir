// RUN: tesselle opt --pass form-dispatch-regions --pass clone-into-regions --pass outline-dispatches --pass deduplicate-executables %s | filecheck %s

// Two equal computations with other names are one executable; one with another constant is not.
// CHECK: "flow.executable"() <{sym_name = "main_dispatch_0_elementwise_64_f32"}>
// CHECK: "flow.executable"() <{sym_name = "main_dispatch_2_elementwise_64_f32"}>
// CHECK-NOT: "flow.executable"()
// CHECK: @main
// CHECK: "flow.dispatch"(%x) <{entry = @main_dispatch_0_elementwise_64_f32
// CHECK: "flow.dispatch"(%y) <{entry = @main_dispatch_0_elementwise_64_f32
// CHECK: "flow.dispatch"(%x) <{entry = @main_dispatch_2_elementwise_64_f32
#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<64xf32>, %y: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%p: f32, %o: f32):
    %0 = arith.mulf %p, %two : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%y : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%q: f32, %r: f32):
    %named = arith.mulf %q, %two : f32
    linalg.yield %named : f32
  } -> tensor<64xf32>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%p: f32, %o: f32):
    %0 = arith.mulf %p, %three : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  return %a, %b, %c : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}
