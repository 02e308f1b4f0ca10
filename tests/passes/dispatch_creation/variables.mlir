// RUN: tesselle opt --pass outline-dispatches %s | filecheck %s

ml_program.global private mutable @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private mutable @m(dense<0.0> : tensor<8xf32>) : tensor<8xf32>

// The new value is computed where the old one lies.
// CHECK-LABEL: func.func @in_place_dispatch_0
// CHECK-SAME: (%{{.*}}: !flow.dispatch.tensor<readonly:tensor<8xf32>>, %{{.*}}: !flow.dispatch.tensor<readwrite:tensor<8xf32>>)
// CHECK-LABEL: func.func @in_place(
func.func @in_place(%g: tensor<8xf32>) {
  %w = ml_program.global_load @w : tensor<8xf32>
  %0 = "flow.dispatch.region"() ({
    %1 = tensor.empty() : tensor<8xf32>
    %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w, %g : tensor<8xf32>, tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %3 = arith.subf %a, %b : f32
      linalg.yield %3 : f32
    } -> tensor<8xf32>
    flow.return %2 : tensor<8xf32>
  }) : () -> tensor<8xf32>
  ml_program.global_store @w = %0 : tensor<8xf32>
  return
}

// Who reads the variable in another order keeps it from being overwritten.
// CHECK-LABEL: func.func @reversed_dispatch_0
// CHECK-SAME: (%{{.*}}: !flow.dispatch.tensor<readonly:tensor<8xf32>>, %{{.*}}: !flow.dispatch.tensor<writeonly:tensor<8xf32>>)
// CHECK-LABEL: func.func @reversed(
func.func @reversed() {
  %w = ml_program.global_load @w : tensor<8xf32>
  %0 = "flow.dispatch.region"() ({
    %1 = tensor.empty() : tensor<8xf32>
    %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (-d0 + 7)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %c: f32):
      %3 = arith.negf %a : f32
      linalg.yield %3 : f32
    } -> tensor<8xf32>
    flow.return %2 : tensor<8xf32>
  }) : () -> tensor<8xf32>
  ml_program.global_store @w = %0 : tensor<8xf32>
  return
}

// So does who needs the old value afterwards.
// CHECK-LABEL: func.func @needed_dispatch_0
// CHECK-SAME: (%{{.*}}: !flow.dispatch.tensor<readonly:tensor<8xf32>>, %{{.*}}: !flow.dispatch.tensor<writeonly:tensor<8xf32>>)
// CHECK-LABEL: func.func @needed(
func.func @needed() -> tensor<8xf32> {
  %w = ml_program.global_load @w : tensor<8xf32>
  %0 = "flow.dispatch.region"() ({
    %1 = tensor.empty() : tensor<8xf32>
    %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %c: f32):
      %3 = arith.negf %a : f32
      linalg.yield %3 : f32
    } -> tensor<8xf32>
    flow.return %2 : tensor<8xf32>
  }) : () -> tensor<8xf32>
  ml_program.global_store @w = %0 : tensor<8xf32>
  return %w : tensor<8xf32>
}

// A reader whose element might be computed again behind the maker: `%3` is not stored, and may be inlined.
// CHECK-LABEL: func.func @again_dispatch_0
// CHECK-SAME: (%{{.*}}: !flow.dispatch.tensor<readonly:tensor<8xf32>>, %{{.*}}: !flow.dispatch.tensor<writeonly:tensor<8xf32>>, %{{.*}}: !flow.dispatch.tensor<writeonly:tensor<8xf32>>)
// CHECK-LABEL: func.func @again(
func.func @again() -> tensor<8xf32> {
  %w = ml_program.global_load @w : tensor<8xf32>
  %0:2 = "flow.dispatch.region"() ({
    %1 = tensor.empty() : tensor<8xf32>
    %3 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %c: f32):
      %9 = arith.negf %a : f32
      linalg.yield %9 : f32
    } -> tensor<8xf32>
    %4 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %c: f32):
      %9 = arith.addf %a, %a : f32
      linalg.yield %9 : f32
    } -> tensor<8xf32>
    %5 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%3, %4 : tensor<8xf32>, tensor<8xf32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %9 = arith.mulf %a, %b : f32
      linalg.yield %9 : f32
    } -> tensor<8xf32>
    flow.return %4, %5 : tensor<8xf32>, tensor<8xf32>
  }) : () -> (tensor<8xf32>, tensor<8xf32>)
  ml_program.global_store @w = %0#0 : tensor<8xf32>
  return %0#1 : tensor<8xf32>
}
