// RUN: tesselle opt --pass refine-shapes %s | filecheck %s

// CHECK-LABEL: @sizes_of_sizes
// CHECK: %[[R:.*]] = stablehlo.reshape %x : (tensor<2x6xf32>) -> tensor<4x3xf32>
// CHECK: %[[E:.*]] = stablehlo.exponential %[[R]] : tensor<4x3xf32>
// CHECK: %[[C:.*]] = tensor.cast %[[E]] : tensor<4x3xf32> to tensor<?x?xf32>
// CHECK: return %[[C]] : tensor<?x?xf32>
func.func @sizes_of_sizes(%x: tensor<2x6xf32>) -> tensor<?x?xf32> {
  %two = stablehlo.constant dense<2> : tensor<i32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<2x6xf32>) -> tensor<i32>
  %m = stablehlo.get_dimension_size %x, dim = 1 : (tensor<2x6xf32>) -> tensor<i32>
  %a = stablehlo.multiply %n, %two : tensor<i32>
  %b = stablehlo.divide %m, %two : tensor<i32>
  %c = stablehlo.reshape %a : (tensor<i32>) -> tensor<1xi32>
  %d = stablehlo.reshape %b : (tensor<i32>) -> tensor<1xi32>
  %s = stablehlo.concatenate %c, %d, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<2x6xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  %1 = stablehlo.exponential %0 : tensor<?x?xf32>
  return %1 : tensor<?x?xf32>
}

// CHECK-LABEL: @slice
// CHECK: stablehlo.slice %x [1:8:3]
func.func @slice(%x: tensor<9xf32>) -> tensor<?xf32> {
  %a = stablehlo.constant dense<1> : tensor<1xi32>
  %b = stablehlo.constant dense<8> : tensor<1xi32>
  %c = stablehlo.constant dense<3> : tensor<1xi32>
  %0 = stablehlo.real_dynamic_slice %x, %a, %b, %c : (tensor<9xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// What a loop carries keeps the type that its body states.
// CHECK-LABEL: @loop
// CHECK: %[[I:.*]] = stablehlo.iota dim = 0 : tensor<4xf32>
// CHECK: %[[C:.*]] = tensor.cast %[[I]]
// CHECK: stablehlo.while({{.*}} = %[[C]]
func.func @loop(%p: tensor<i1>) -> tensor<?xf32> {
  %n = stablehlo.constant dense<4> : tensor<1xi32>
  %0 = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>
  %1 = stablehlo.while(%x = %0) : tensor<?xf32> cond {
    stablehlo.return %p : tensor<i1>
  } do {
    %2 = stablehlo.add %x, %x : tensor<?xf32>
    stablehlo.return %2 : tensor<?xf32>
  }
  return %1 : tensor<?xf32>
}
