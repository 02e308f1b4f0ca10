#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0)>
!vec = vector<8xf32>
module @m {
  ml_program.global private mutable @v(dense<0.0> : tensor<4xf32>) : tensor<4xf32>
  func.func private @ext(tensor<4xf32>, index) -> tensor<4xf32>
  func.func @k(%a: tensor<4x8xf32>, %n: index, %m: memref<4x?xf32, strided<[?, 1], offset: ?>>) -> tensor<4xf32> attributes {foo} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %f = arith.constant 1.500000e+00 : f32
    %t = arith.constant true
    %d = arith.constant dense<1.0> : tensor<4xf32>
    %z = arith.constant (1.0, 2.0) : complex<f32>
    %i = arith.constant -3 : i32
    %nan = arith.constant 0x7FC00000 : f32
    %e = tensor.empty() : tensor<4xf32>
    %e2 = tensor.empty(%n, %n) : tensor<?x?xf32>
    %fill = linalg.fill ins(%f : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %r = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<4x8xf32>) outs(%fill : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %ix = linalg.index 0
      %s = arith.addf %in, %out : f32
      %cmp = arith.cmpf ogt, %s, %in : f32
      %sel = arith.select %cmp, %s, %in : f32
      %ex = math.exp %sel : f32
      linalg.yield %ex : f32
    } -> tensor<4xf32>
    %sl = tensor.extract_slice %a[0, %n] [2, 4] [1, 1] : tensor<4x8xf32> to tensor<2x4xf32>
    %ins = tensor.insert_slice %sl into %a[%n, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<4x8xf32>
    %pd = tensor.pad %a, %f low[0, %n] high[1, 1] : tensor<4x8xf32> to tensor<5x?xf32>
    %cs = tensor.collapse_shape %a [[0, 1]] : tensor<4x8xf32> into tensor<32xf32>
    %es = tensor.expand_shape %cs [[0, 1]]() : tensor<32xf32> into tensor<4x8xf32>
    %dim = tensor.dim %e2, 1 : tensor<?x?xf32>
    %el = tensor.extract %a[%c0, %c1] : tensor<4x8xf32>
    %fe = tensor.from_elements %f, %f : tensor<2xf32>
    %lp:2 = scf.for %iv = %c0 to %n step %c1 iter_args(%acc = %f, %acc2 = %r) -> (f32, tensor<4xf32>) {
      %q = arith.mulf %acc, %acc : f32
      scf.yield %q, %acc2 : f32, tensor<4xf32>
    }
    scf.for %iv = %c0 to %n step %c1 {
      memref.store %f, %m[%c0, %iv] : f32, memref<4x?xf32, strided<[?, 1], offset: ?>>
    }
    %cond = arith.cmpi slt, %c0, %n : index
    %if = scf.if %cond -> (f32) {
      scf.yield %f : f32
    } else {
      scf.yield %lp#0 : f32
    }
    scf.if %t {
      %x = arith.extf %f : f32 to f64
    }
    %w = scf.while (%wa = %f) : (f32) -> (f32) {
      scf.condition(%t) %wa : f32
    } do {
    ^bb0(%wb: f32):
      scf.yield %wb : f32
    }
    %vv = vector.load %m[%c0, %n] : memref<4x?xf32, strided<[?, 1], offset: ?>>, !vec
    %fm = vector.fma %vv, %vv, %vv : vector<8xf32>
    %red = vector.reduction <add>, %fm : (vector<8xf32>) -> f32
    vector.store %fm, %m[%c0, %n] {nontemporal = true} : memref<4x?xf32, strided<[?, 1], offset: ?>>, vector<8xf32>
    %sv = memref.subview %m[0, %n] [2, 4] [1, 1] : memref<4x?xf32, strided<[?, 1], offset: ?>> to memref<2x4xf32, strided<[?, 1], offset: ?>>
    %ld = ml_program.global_load @v : tensor<4xf32>
    ml_program.global_store @v = %ld : tensor<4xf32>
    %cl = call @ext(%ld, %n) : (tensor<4xf32>, index) -> tensor<4xf32>
    return %r : tensor<4xf32>
  }
}
