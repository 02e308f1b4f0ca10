// RUN: tesselle opt --pass expand-custom-calls{known=f} %s | filecheck %s

// What a call means takes its place; annotations go.
// CHECK-LABEL: func.func @expanded
// CHECK-NEXT: chlo.erf
// CHECK-NEXT: chlo.top_k
// CHECK-NEXT: return
func.func @expanded(%x: tensor<8xf32>) -> (tensor<2xf32>, tensor<2xi32>) {
  %0 = stablehlo.custom_call @Sharding(%x) : (tensor<8xf32>) -> tensor<8xf32>
  %1 = stablehlo.custom_call @mhlo.erf(%0) : (tensor<8xf32>) -> tensor<8xf32>
  %2:2 = stablehlo.custom_call @mhlo.topk(%1) {mhlo.attributes = {k = 2 : i64, largest = true}} : (tensor<8xf32>) -> (tensor<2xf32>, tensor<2xi32>)
  return %2#0, %2#1 : tensor<2xf32>, tensor<2xi32>
}

// -----

// A comparator becomes the region of a sort, and goes.
// CHECK-NOT: @greater
// CHECK-LABEL: func.func @approximate
// CHECK: stablehlo.sort
// CHECK: stablehlo.compare GT
// CHECK: stablehlo.slice
// CHECK-NOT: @greater
func.func @greater(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {
  %0 = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return %0 : tensor<i1>
}
func.func @approximate(%x: tensor<8xf32>, %i: tensor<8xi32>, %v: tensor<f32>, %w: tensor<i32>) -> tensor<2xf32> {
  %0:2 = stablehlo.custom_call @ApproxTopK(%x, %i, %v, %w) {called_computations = [@greater], mhlo.backend_config = {reduction_dim = 0 : i64, top_k = 2 : i64}} : (tensor<8xf32>, tensor<8xi32>, tensor<f32>, tensor<i32>) -> (tensor<2xf32>, tensor<2xi32>)
  return %0#0 : tensor<2xf32>
}

// -----

// Calls of the host stay: on tensors alone, and only where something asks for them.
// CHECK-LABEL: func.func @host
// CHECK-NEXT: stablehlo.custom_call @lapack_spotrf_ffi
// CHECK-NEXT: %[[F:.*]]:2 = stablehlo.custom_call @f(%{{.*}}) {has_side_effect = true} : (tensor<4x4xf32>) -> (tensor<2xf32>, tensor<i32>)
// CHECK-NEXT: stablehlo.tuple %[[F]]#0, %[[F]]#1
// CHECK-NOT: custom_call
func.func @host(%x: tensor<4x4xf32>, %t: !stablehlo.token) -> (tensor<2xf32>, !stablehlo.token) {
  %0:2 = stablehlo.custom_call @lapack_spotrf_ffi(%x) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<i32>)
  %1:2 = stablehlo.custom_call @f(%0#0, %t) {has_side_effect = true} : (tensor<4x4xf32>, !stablehlo.token) -> (tuple<tensor<2xf32>, tensor<i32>>, !stablehlo.token)
  %2 = stablehlo.get_tuple_element %1#0[0] : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<2xf32>
  %3 = stablehlo.custom_call @f(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %2, %1#1 : tensor<2xf32>, !stablehlo.token
}
