// RUN: tesselle opt --pass expand-rng %s | filecheck %s

// Two words for every counter: four elements are two counters.
// CHECK-LABEL: @bits
// CHECK: stablehlo.iota dim = 0 : tensor<2xui64>
// CHECK-NOT: rng_bit_generator
// CHECK: stablehlo.concatenate
func.func @bits(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<4xui32>) {
  %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<4xui32>)
  return %0, %1 : tensor<2xui64>, tensor<4xui32>
}

// The count of draws goes through the branch.
// CHECK-LABEL: @branch
// CHECK: %[[N:.*]] = stablehlo.constant dense<0> : tensor<ui32>
// CHECK: "stablehlo.if"
// CHECK: stablehlo.add %[[N]]
// CHECK: stablehlo.return {{.*}} : tensor<4xf32>, tensor<ui32>
func.func @branch(%p: tensor<i1>, %a: tensor<f32>, %b: tensor<f32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %s = stablehlo.constant dense<4> : tensor<1xi64>
  %0 = "stablehlo.if"(%p) ({
    %1 = stablehlo.rng %a, %b, %s, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
    stablehlo.return %1 : tensor<4xf32>
  }, {
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
