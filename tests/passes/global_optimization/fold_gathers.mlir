// RUN: tesselle opt --pass fold-gathers %s | filecheck %s

// The size of the operand is that of the loop: whether it is one or not, the counter is the place.
// CHECK-LABEL: @same_size
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK-SAME: ins(%x : tensor<?xf32>)
// CHECK-NOT: tensor.extract
// CHECK: return
#none = affine_map<(d0, d1) -> ()>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @same_size(%x: tensor<?xf32>) -> tensor<?x4xf32> {
  %n = tensor.dim %x, 0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]} ins(%n : index) outs(%e : tensor<?x4xf32>) {
  ^bb0(%size: index, %o: f32):
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %i = linalg.index 0
    %repeats = arith.cmpi eq, %size, %one : index
    %place = arith.select %repeats, %zero, %i : index
    %0 = tensor.extract %x[%place] : tensor<?xf32>
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Of another size it may repeat.
// CHECK-LABEL: @another_size
// CHECK: tensor.extract
#none = affine_map<(d0, d1) -> ()>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @another_size(%x: tensor<?xf32>, %m: index) -> tensor<?x4xf32> {
  %n = tensor.dim %x, 0 : tensor<?xf32>
  %e = tensor.empty(%m) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]} ins(%n : index) outs(%e : tensor<?x4xf32>) {
  ^bb0(%size: index, %o: f32):
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %i = linalg.index 0
    %repeats = arith.cmpi eq, %size, %one : index
    %place = arith.select %repeats, %zero, %i : index
    %0 = tensor.extract %x[%place] : tensor<?xf32>
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// The size of another argument that is checked to be the same is the same; a place of a unit dimension is 0. The scalar
// that the body still uses stays.
// CHECK-LABEL: @checked_and_unit
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK-SAME: ins(%s, %x : f32, tensor<?x1xf32>)
// CHECK-NOT: tensor.extract
// CHECK: return
#none = affine_map<(d0, d1) -> ()>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @checked_and_unit(%x: tensor<?x1xf32>, %z: tensor<?xf32>, %s: f32) -> tensor<?x4xf32> {
  %n = tensor.dim %x, 0 : tensor<?x1xf32>
  %m = tensor.dim %z, 0 : tensor<?xf32>
  %ok = arith.cmpi eq, %n, %m : index
  "flow.assert"(%ok) <{message = "equal"}> : (i1) -> ()
  %e = tensor.empty(%m) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]} ins(%s : f32) outs(%e : tensor<?x4xf32>) {
  ^bb0(%factor: f32, %o: f32):
    %zero = arith.constant 0 : index
    %i = linalg.index 0
    %0 = tensor.extract %x[%i, %zero] : tensor<?x1xf32>
    %1 = arith.mulf %0, %factor : f32
    linalg.yield %1 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A reversed read, and one along the wrong loop, stay.
// CHECK-LABEL: @other_places
// CHECK-COUNT-2: tensor.extract
#none = affine_map<(d0, d1) -> ()>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @other_places(%x: tensor<?xf32>) -> tensor<?x4xf32> {
  %n = tensor.dim %x, 0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]} ins(%n : index) outs(%e : tensor<?x4xf32>) {
  ^bb0(%size: index, %o: f32):
    %i = linalg.index 0
    %j = linalg.index 1
    %r = arith.subi %size, %i : index
    %0 = tensor.extract %x[%r] : tensor<?xf32>
    %1 = tensor.extract %x[%j] : tensor<?xf32>
    %2 = arith.addf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
