// RUN: tesselle opt --pass flatten-tuples %s | filecheck %s

// CHECK-LABEL: func.func @nested(%a: tensor<2xf32>, %b: tensor<i32>) -> (tensor<i32>, tensor<2xf32>)
// CHECK-NEXT: return %b, %a : tensor<i32>, tensor<2xf32>
func.func @nested(%t: tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tuple<tensor<i32>, tensor<2xf32>> {
  %a = stablehlo.get_tuple_element %t[0] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tensor<2xf32>
  %p = stablehlo.get_tuple_element %t[1] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tuple<tensor<i32>, !stablehlo.token>
  %b = stablehlo.get_tuple_element %p[0] : (tuple<tensor<i32>, !stablehlo.token>) -> tensor<i32>
  %r = stablehlo.tuple %b, %a : tuple<tensor<i32>, tensor<2xf32>>
  return %r : tuple<tensor<i32>, tensor<2xf32>>
}

// CHECK-LABEL: @branches
// CHECK: "stablehlo.if"(%p)
// CHECK: stablehlo.return %x, %y : tensor<f32>, tensor<i32>
// CHECK: (tensor<i1>) -> (tensor<f32>, tensor<i32>)
func.func @branches(%p: tensor<i1>, %x: tensor<f32>, %y: tensor<i32>) -> tuple<tensor<f32>, tensor<i32>> {
  %r = "stablehlo.if"(%p) ({
    %t = stablehlo.tuple %x, %y : tuple<tensor<f32>, tensor<i32>>
    stablehlo.return %t : tuple<tensor<f32>, tensor<i32>>
  }, {
    %n = stablehlo.negate %x : tensor<f32>
    %t = stablehlo.tuple %n, %y : tuple<tensor<f32>, tensor<i32>>
    stablehlo.return %t : tuple<tensor<f32>, tensor<i32>>
  }) : (tensor<i1>) -> tuple<tensor<f32>, tensor<i32>>
  return %r : tuple<tensor<f32>, tensor<i32>>
}
