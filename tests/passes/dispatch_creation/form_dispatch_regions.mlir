// RUN: tesselle opt --pass form-dispatch-regions %s | filecheck %s

// Softmax over rows: two reductions and two elementwise operations share the rows, so they are one dispatch.
// CHECK-LABEL: @softmax
// CHECK: "flow.dispatch.region"
// CHECK-COUNT-4: linalg.generic
// CHECK-NOT: "flow.dispatch.region"
// CHECK: return
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @softmax(%x: tensor<128x384xf32>) -> tensor<128x384xf32> {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<128x384xf32>
  %r = tensor.empty() : tensor<128xf32>
  %i0 = linalg.fill ins(%low : f32) outs(%r : tensor<128xf32>) -> tensor<128xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%r : tensor<128xf32>) -> tensor<128xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<128x384xf32>) outs(%i0 : tensor<128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.maximumf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<128xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<128x384xf32>, tensor<128xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<128x384xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%p : tensor<128x384xf32>) outs(%i1 : tensor<128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<128xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<128x384xf32>, tensor<128xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<128x384xf32>
  return %y : tensor<128x384xf32>
}

// -----

// A matrix product takes its elementwise epilogue along, but no reduction behind it.
// CHECK-LABEL: @epilogue
// CHECK: "flow.dispatch.region"
// CHECK: linalg.contract
// CHECK: linalg.generic
// CHECK: "flow.dispatch.region"
// CHECK: linalg.generic
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>
func.func @epilogue(%x: tensor<128x64xf32>, %w: tensor<64x384xf32>, %b: tensor<384xf32>) -> (tensor<128x384xf32>, tensor<128xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<128x384xf32>
  %r = tensor.empty() : tensor<128xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<128x384xf32>) -> tensor<128x384xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%r : tensor<128xf32>) -> tensor<128xf32>
  %p = linalg.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} ins(%x, %w : tensor<128x64xf32>, tensor<64x384xf32>) outs(%i : tensor<128x384xf32>) -> tensor<128x384xf32>
  %y = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<128x384xf32>, tensor<384xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<128x384xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<128x384xf32>) outs(%i1 : tensor<128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<128xf32>
  return %y, %s : tensor<128x384xf32>, tensor<128xf32>
}

// -----

// A sum over everything leaves no common loop: fusing its user would put all the work on one core.
// CHECK-LABEL: @serial
// CHECK-COUNT-2: "flow.dispatch.region"
#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
func.func @serial(%x: tensor<1000000xf32>) -> tensor<1000000xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1000000xf32>
  %r = tensor.empty() : tensor<f32>
  %i = linalg.fill ins(%zero : f32) outs(%r : tensor<f32>) -> tensor<f32>
  %s = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction"]} ins(%x : tensor<1000000xf32>) outs(%i : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %y = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel"]} ins(%x, %s : tensor<1000000xf32>, tensor<f32>) outs(%e : tensor<1000000xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<1000000xf32>
  return %y : tensor<1000000xf32>
}

// -----

// The consumer reads only the first half of the columns: the producer's other half is still a result.
// CHECK-LABEL: @part
// CHECK: "flow.dispatch.region"
// CHECK: linalg.generic
// CHECK: "flow.dispatch.region"
// CHECK: linalg.generic
#id = affine_map<(d0) -> (d0)>
func.func @part(%x: tensor<100000xf32>) -> (tensor<100000xf32>, tensor<50000xf32>) {
  %e = tensor.empty() : tensor<100000xf32>
  %h = tensor.empty() : tensor<50000xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<100000xf32>) outs(%e : tensor<100000xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<100000xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%p : tensor<100000xf32>) outs(%h : tensor<50000xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<50000xf32>
  return %p, %y : tensor<100000xf32>, tensor<50000xf32>
}
