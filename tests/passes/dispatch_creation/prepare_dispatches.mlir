// RUN: tesselle opt --pass prepare-dispatches %s | filecheck %s

// Rows of a tensor lie together: no kernel is needed to take one.
// CHECK-LABEL: @row
// CHECK: %[[AT:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK: "flow.tensor.slice"(%{{.*}}, %[[AT]])
// CHECK: "flow.tensor.update"
func.func @row(%x: tensor<100x512xf32>, %i: tensor<i32>) -> tensor<1x512xf32> {
  %c3 = arith.constant 3 : index
  %n = arith.constant 100 : index
  %z = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y = scf.for %k = %z to %n step %one iter_args(%acc = %x) -> (tensor<100x512xf32>) {
    %s = tensor.extract_slice %x[%k, 0] [1, 512] [1, 1] : tensor<100x512xf32> to tensor<1x512xf32>
    %t = tensor.insert_slice %s into %acc[%k, 0] [1, 512] [1, 1] : tensor<1x512xf32> into tensor<100x512xf32>
    scf.yield %t : tensor<100x512xf32>
  }
  %r = tensor.extract_slice %y[3, 0] [1, 512] [1, 1] : tensor<100x512xf32> to tensor<1x512xf32>
  return %r : tensor<1x512xf32>
}

// -----

// A column does not lie together.
// CHECK-LABEL: @column
// CHECK: tensor.extract_slice
func.func @column(%x: tensor<100x512xf32>) -> tensor<100x1xf32> {
  %r = tensor.extract_slice %x[0, 3] [100, 1] [1, 1] : tensor<100x512xf32> to tensor<100x1xf32>
  return %r : tensor<100x1xf32>
}

// -----

// A row whose number lies on the device is taken by a kernel; nothing is read back.
// CHECK-LABEL: @device_index
// CHECK: tensor.extract_slice
func.func @device_index(%x: tensor<100x512xf32>, %i: tensor<index>) -> tensor<1x512xf32> {
  %k = tensor.extract %i[] : tensor<index>
  %r = tensor.extract_slice %x[%k, 0] [1, 512] [1, 1] : tensor<100x512xf32> to tensor<1x512xf32>
  return %r : tensor<1x512xf32>
}

// -----

// CHECK-LABEL: @reshape
// CHECK: "flow.tensor.reshape"
// CHECK-NOT: tensor.collapse_shape
func.func @reshape(%x: tensor<2x3x4xf32>) -> tensor<6x4xf32> {
  %r = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  return %r : tensor<6x4xf32>
}
