// RUN: tesselle opt --pass freeze-globals %s | filecheck %s

// CHECK: ml_program.global private @weights(dense<2.000000e+00> : tensor<f32>) : tensor<f32>
ml_program.global private mutable @weights(dense<2.0> : tensor<f32>) : tensor<f32> {tesselle.constant_unless_stored}
// CHECK-NEXT: ml_program.global private mutable @count(dense<0.000000e+00> : tensor<f32>) : tensor<f32>
ml_program.global private mutable @count(dense<0.0> : tensor<f32>) : tensor<f32> {tesselle.constant_unless_stored}
// A store that stands in a loop is one, too.
// CHECK-NEXT: ml_program.global private mutable @inside(dense<0.000000e+00> : tensor<f32>) : tensor<f32>
ml_program.global private mutable @inside(dense<0.0> : tensor<f32>) : tensor<f32> {tesselle.constant_unless_stored}
// Nobody knows what it holds.
// CHECK-NEXT: ml_program.global private mutable @unset : tensor<f32>
ml_program.global private mutable @unset : tensor<f32> {tesselle.constant_unless_stored}
// A session may be given another value.
// CHECK-NEXT: ml_program.global private mutable @state(dense<1.000000e+00> : tensor<f32>) : tensor<f32>
ml_program.global private mutable @state(dense<1.0> : tensor<f32>) : tensor<f32>

func.func @step(%p: tensor<i1>) -> tensor<f32> {
  %w = ml_program.global_load @weights : tensor<f32>
  %s = ml_program.global_load @state : tensor<f32>
  ml_program.global_store @count = %w : tensor<f32>
  %r = "stablehlo.if"(%p) ({
    ml_program.global_store @inside = %s : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }, {
    stablehlo.return %w : tensor<f32>
  }) : (tensor<i1>) -> tensor<f32>
  return %r : tensor<f32>
}
