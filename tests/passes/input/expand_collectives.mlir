// RUN: tesselle opt --pass expand-collectives %s | filecheck %s

// One process is its own neighbour: what is gathered, exchanged or sent around is the operand.
// CHECK-LABEL: @alone
// CHECK-NOT: stablehlo.all
// CHECK: return %x, %x : tensor<4xf32>, tensor<4xf32>
func.func @alone(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = "stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "stablehlo.collective_permute"(%0) {source_target_pairs = dense<0> : tensor<1x2xi64>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// Nobody sends to this process.
// CHECK-LABEL: @nobody
// CHECK: %[[ZERO:.*]] = stablehlo.constant dense<0.000000e+00> : tensor<4xf32>
// CHECK: return %[[ZERO]]
func.func @nobody(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.collective_permute"(%x) {source_target_pairs = dense<> : tensor<0x2xi64>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// A body that computes in a wider type gives that type.
// CHECK-LABEL: @wider
// CHECK: stablehlo.convert %x : (tensor<4xf16>) -> tensor<4xf32>
func.func @wider(%x: tensor<4xf16>) -> tensor<4xf32> {
  %0 = "stablehlo.all_reduce"(%x) ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) {replica_groups = dense<0> : tensor<1x1xi64>} : (tensor<4xf16>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
