// Functions that share variables: see test_state.py.
ml_program.global private mutable @ring(dense<0.0> : tensor<8x4xf32>) : tensor<8x4xf32>
ml_program.global private mutable @pos(dense<0> : tensor<i32>) : tensor<i32>
ml_program.global private mutable @a(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @b(dense<2.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @cache(dense<0.0> : tensor<2x16x4xf32>) : tensor<2x16x4xf32>
ml_program.global private mutable @grow : tensor<?x4xf32>
func.func @push(%x: tensor<1x4xf32>) -> tensor<i32> {
  %p = ml_program.global_load @pos : tensor<i32>
  %r = ml_program.global_load @ring : tensor<8x4xf32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %eight = stablehlo.constant dense<8> : tensor<i32>
  %n = stablehlo.dynamic_update_slice %r, %x, %p, %z : (tensor<8x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<8x4xf32>
  ml_program.global_store @ring = %n : tensor<8x4xf32>
  %q = stablehlo.add %p, %one : tensor<i32>
  %m = stablehlo.remainder %q, %eight : tensor<i32>
  ml_program.global_store @pos = %m : tensor<i32>
  return %q : tensor<i32>
}
func.func @swap() {
  %a = ml_program.global_load @a : tensor<4xf32>
  %b = ml_program.global_load @b : tensor<4xf32>
  ml_program.global_store @a = %b : tensor<4xf32>
  ml_program.global_store @b = %a : tensor<4xf32>
  return
}
func.func @swapadd() -> tensor<4xf32> {
  %a = ml_program.global_load @a : tensor<4xf32>
  %b = ml_program.global_load @b : tensor<4xf32>
  %c = stablehlo.add %a, %b : tensor<4xf32>
  ml_program.global_store @a = %c : tensor<4xf32>
  ml_program.global_store @b = %a : tensor<4xf32>
  return %a : tensor<4xf32>
}
func.func @append(%x: tensor<2x1x4xf32>) -> tensor<2x16xf32> {
  %p = ml_program.global_load @pos : tensor<i32>
  %c = ml_program.global_load @cache : tensor<2x16x4xf32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.dynamic_update_slice %c, %x, %z, %p, %z : (tensor<2x16x4xf32>, tensor<2x1x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  ml_program.global_store @cache = %n : tensor<2x16x4xf32>
  %q = stablehlo.reshape %x : (tensor<2x1x4xf32>) -> tensor<2x4xf32>
  %s = stablehlo.dot_general %n, %q, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x16x4xf32>, tensor<2x4xf32>) -> tensor<2x16xf32>
  return %s : tensor<2x16xf32>
}
func.func @enlarge(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %g = ml_program.global_load @grow : tensor<?x4xf32>
  %n = stablehlo.concatenate %g, %x, dim = 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  ml_program.global_store @grow = %n : tensor<?x4xf32>
  return %n : tensor<?x4xf32>
}
func.func @double() -> tensor<?x4xf32> {
  %g = ml_program.global_load @grow : tensor<?x4xf32>
  %n = stablehlo.add %g, %g : tensor<?x4xf32>
  ml_program.global_store @grow = %n : tensor<?x4xf32>
  return %n : tensor<?x4xf32>
}
func.func @many(%x: tensor<2x1x4xf32>, %k: tensor<i32>) {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r = stablehlo.while(%i = %z) : tensor<i32> cond {
    %c = stablehlo.compare LT, %i, %k : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %c = ml_program.global_load @cache : tensor<2x16x4xf32>
    %n = stablehlo.dynamic_update_slice %c, %x, %z, %i, %z : (tensor<2x16x4xf32>, tensor<2x1x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
    ml_program.global_store @cache = %n : tensor<2x16x4xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j : tensor<i32>
  }
  return
}
func.func @perhaps(%p: tensor<i1>) {
  "stablehlo.if"(%p) ({
    %a = ml_program.global_load @a : tensor<4xf32>
    %n = stablehlo.add %a, %a : tensor<4xf32>
    ml_program.global_store @a = %n : tensor<4xf32>
    stablehlo.return
  }, {
    stablehlo.return
  }) : (tensor<i1>) -> ()
  return
}
