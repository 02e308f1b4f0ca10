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

// -----

// What the first dispatch makes of the variable is overwritten by the second.
// CHECK-LABEL: func.func @chain(
// CHECK: %[[FIRST:.*]] = "flow.dispatch"(%w) <{entry = {{.*}}, tied = array<i64: 0>
// CHECK: %[[SUM:.*]] = "flow.dispatch"(%[[FIRST]])
// CHECK: %[[LAST:.*]] = "flow.dispatch"(%[[SUM]], %[[FIRST]]) <{entry = {{.*}}, tied = array<i64: 1>
// CHECK: ml_program.global_store @w = %[[LAST]]
ml_program.global private mutable @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32>
func.func @chain() {
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
  %sum = "flow.dispatch.region"() ({
    %zero = arith.constant 0.0 : f32
    %1 = tensor.empty() : tensor<f32>
    %f = linalg.fill ins(%zero : f32) outs(%1 : tensor<f32>) -> tensor<f32>
    %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%0 : tensor<8xf32>) outs(%f : tensor<f32>) {
    ^bb0(%a: f32, %c: f32):
      %3 = arith.addf %a, %c : f32
      linalg.yield %3 : f32
    } -> tensor<f32>
    flow.return %2 : tensor<f32>
  }) : () -> tensor<f32>
  %4 = "flow.dispatch.region"() ({
    %1 = tensor.empty() : tensor<8xf32>
    %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%0, %sum : tensor<8xf32>, tensor<f32>) outs(%1 : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %3 = arith.divf %a, %b : f32
      linalg.yield %3 : f32
    } -> tensor<8xf32>
    flow.return %2 : tensor<8xf32>
  }) : () -> tensor<8xf32>
  ml_program.global_store @w = %4 : tensor<8xf32>
  return
}

// -----

// What a loop carries is overwritten, whatever it began with.
// CHECK-LABEL: func.func @loop(
// CHECK: scf.for
// CHECK: %[[NEXT:.*]] = "flow.dispatch"(%{{.*}}) <{entry = {{.*}}, tied = array<i64: 0>
// CHECK: scf.yield %[[NEXT]]
func.func @loop(%x: tensor<8xf32>) -> tensor<8xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %y = scf.for %i = %zero to %four step %one iter_args(%w = %x) -> (tensor<8xf32>) {
    %0 = "flow.dispatch.region"() ({
      %1 = tensor.empty() : tensor<8xf32>
      %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
      ^bb0(%a: f32, %c: f32):
        %3 = arith.negf %a : f32
        linalg.yield %3 : f32
      } -> tensor<8xf32>
      flow.return %2 : tensor<8xf32>
    }) : () -> tensor<8xf32>
    scf.yield %0 : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// -----

// Not what stands in front of the loop: the next iteration reads it again.
// CHECK-LABEL: func.func @read_again(
// CHECK-NOT: tied
// CHECK: return
ml_program.global private mutable @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32>
func.func @read_again(%x: tensor<8xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %w = ml_program.global_load @w : tensor<8xf32>
  %y = scf.for %i = %zero to %four step %one iter_args(%v = %x) -> (tensor<8xf32>) {
    %0 = "flow.dispatch.region"() ({
      %1 = tensor.empty() : tensor<8xf32>
      %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%1 : tensor<8xf32>) {
      ^bb0(%a: f32, %c: f32):
        %3 = arith.negf %a : f32
        linalg.yield %3 : f32
      } -> tensor<8xf32>
      flow.return %2 : tensor<8xf32>
    }) : () -> tensor<8xf32>
    scf.yield %0 : tensor<8xf32>
  }
  ml_program.global_store @w = %y : tensor<8xf32>
  return
}

// -----

// The epilogue of a product overwrites the weights.
// CHECK-LABEL: func.func @product(
// CHECK: "flow.dispatch"(%x, %d, %w) <{entry = {{.*}}, tied = array<i64: 2>
ml_program.global private mutable @w(dense<1.0> : tensor<8x4xf32>) : tensor<8x4xf32>
func.func @product(%x: tensor<8x2xf32>, %d: tensor<2x4xf32>) {
  %w = ml_program.global_load @w : tensor<8x4xf32>
  %0 = "flow.dispatch.region"() ({
    %zero = arith.constant 0.0 : f32
    %1 = tensor.empty() : tensor<8x4xf32>
    %f = linalg.fill ins(%zero : f32) outs(%1 : tensor<8x4xf32>) -> tensor<8x4xf32>
    %2 = linalg.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} ins(%x, %d : tensor<8x2xf32>, tensor<2x4xf32>) outs(%f : tensor<8x4xf32>) -> tensor<8x4xf32>
    %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%w, %2 : tensor<8x4xf32>, tensor<8x4xf32>) outs(%1 : tensor<8x4xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %4 = arith.subf %a, %b : f32
      linalg.yield %4 : f32
    } -> tensor<8x4xf32>
    flow.return %3 : tensor<8x4xf32>
  }) : () -> tensor<8x4xf32>
  ml_program.global_store @w = %0 : tensor<8x4xf32>
  return
}
