// RUN: tesselle opt --pass create-initializer %s | filecheck %s

// CHECK: ml_program.global private mutable @count(dense<7> : tensor<i32>) : tensor<i32>
ml_program.global private mutable @count(dense<7> : tensor<i32>) : tensor<i32>
// Without a value a variable begins with zeros, and empty where its size is not known.
ml_program.global private mutable @rows : tensor<?x4xf32>
// A constant needs no first value in every session.
ml_program.global private @scale(dense<2.0> : tensor<f32>) : tensor<f32>

// The program's own initializer comes last.
func.func @initialize() {
  return
}

// CHECK-LABEL: func.func @tesselle.initializer() attributes {tesselle.initializer} {
// CHECK-NEXT: %count = stablehlo.constant dense<7> : tensor<i32>
// CHECK-NEXT: ml_program.global_store @count = %count
// CHECK-NEXT: %rows = stablehlo.constant dense<> : tensor<0x4xf32>
// CHECK-NEXT: ml_program.global_store @rows = %rows
// CHECK-NEXT: call @initialize() : () -> ()
// CHECK-NEXT: return
