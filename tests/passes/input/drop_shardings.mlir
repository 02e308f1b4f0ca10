// RUN: tesselle opt --pass drop-shardings %s | filecheck %s

// CHECK-NOT: sdy.mesh
sdy.mesh @mesh = <["x"=2, "y"=1]>

// Where elements lie is nothing to one device.
// CHECK-LABEL: @constraints
// CHECK-NEXT: return %a : tensor<4x3xf32>
func.func @constraints(%a: tensor<4x3xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {?}]>}) -> tensor<4x3xf32> {
  %0 = sdy.sharding_constraint %a <@mesh, [{"x"}, {}]> : tensor<4x3xf32>
  %1 = sdy.reshard %0 <@mesh, [{"x", "y":(1)1}, {?}], replicated={"y"}> : tensor<4x3xf32>
  sdy.sharding_group %1 group_id=3 : tensor<4x3xf32>
  %2 = sdy.propagation_barrier %1 allowed_direction=BACKWARD : tensor<4x3xf32>
  return %2 : tensor<4x3xf32>
}

// Computations whose pieces are whole tensors are their bodies.
// CHECK-LABEL: @computations
// CHECK-NEXT: %[[SUM:.*]] = stablehlo.add %a, %a
// CHECK-NEXT: %[[NEGATED:.*]] = stablehlo.negate %[[SUM]]
// CHECK-NEXT: return %[[NEGATED]], %[[SUM]]
func.func @computations(%a: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %0 = sdy.manual_computation(%a) in_shardings=[<@mesh, [{"y"}, {}]>] out_shardings=[<@mesh, [{"y"}, {}]>] manual_axes={"y"} (%b: tensor<4x3xf32>) {
    %s = stablehlo.add %b, %b : tensor<4x3xf32>
    sdy.return %s : tensor<4x3xf32>
  } : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %1:2 = sdy.named_computation<"negated">(%0) in_shardings=[<@mesh, [{}, {}]>] (%c: tensor<4x3xf32>) {
    %n = stablehlo.negate %c : tensor<4x3xf32>
    sdy.return %n, %c : tensor<4x3xf32>, tensor<4x3xf32>
  } : (tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
  return %1#0, %1#1 : tensor<4x3xf32>, tensor<4x3xf32>
}

// VHLO has types of its own, which are read as these.
// CHECK-LABEL: @casts
// CHECK-NEXT: return %a
func.func @casts(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "builtin.unrealized_conversion_cast"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
