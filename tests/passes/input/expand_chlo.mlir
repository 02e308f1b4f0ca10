// RUN: tesselle opt --pass expand-chlo %s | filecheck %s

// CHECK-LABEL: @static
// CHECK: %[[A:.*]] = stablehlo.broadcast_in_dim %a, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
// CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %b, dims = [0, 1] : (tensor<3x1xf32>) -> tensor<3x4xf32>
// CHECK: stablehlo.add %[[A]], %[[B]] : tensor<3x4xf32>
func.func @static(%a: tensor<4xf32>, %b: tensor<3x1xf32>) -> tensor<3x4xf32> {
  %0 = chlo.broadcast_add %a, %b : (tensor<4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// A scalar cannot widen the other operand, whose dynamic dimension stays as it is.
// CHECK-LABEL: @dynamic
// CHECK: %[[N:.*]] = stablehlo.get_dimension_size %a, dim = 0
// CHECK: %[[B:.*]] = stablehlo.dynamic_broadcast_in_dim %b
// CHECK: stablehlo.compare LT, %a, %[[B]]
func.func @dynamic(%a: tensor<?xf32>, %b: tensor<f32>) -> tensor<?xi1> {
  %0 = chlo.broadcast_compare %a, %b {comparison_direction = #chlo<comparison_direction LT>} : (tensor<?xf32>, tensor<f32>) -> tensor<?xi1>
  return %0 : tensor<?xi1>
}

// CHECK-LABEL: @cumulative
// CHECK: stablehlo.while
// CHECK: stablehlo.dynamic_slice %x
// CHECK: stablehlo.dynamic_update_slice
func.func @cumulative(%x: tensor<5xf32>, %c: tensor<f32>) -> tensor<5xf32> {
  %0:2 = "chlo.scan"(%x, %c) <{dimension = 0 : i64, operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1, 1>}> ({
  ^bb0(%v: tensor<f32>, %s: tensor<f32>):
    %1 = stablehlo.add %v, %s : tensor<f32>
    stablehlo.return %1, %1 : tensor<f32>, tensor<f32>
  }) : (tensor<5xf32>, tensor<f32>) -> (tensor<5xf32>, tensor<f32>)
  return %0#0 : tensor<5xf32>
}
