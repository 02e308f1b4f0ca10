// RUN: tesselle opt --pass promote-globals %s | filecheck %s

ml_program.global private mutable @a(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @b(dense<2.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @rows : tensor<?x4xf32>
// CHECK-NOT: @scale
ml_program.global private @scale(dense<2.0> : tensor<4xf32>) : tensor<4xf32>

// One load at the beginning, one store at the end; what was stored is not loaded again.
// CHECK-LABEL: func.func @straight
// CHECK: %a = ml_program.global_load @a
// CHECK-NEXT: %[[TWICE:.*]] = stablehlo.add %a, %a
// CHECK-NEXT: %[[FOUR:.*]] = stablehlo.add %[[TWICE]], %[[TWICE]]
// CHECK-NEXT: ml_program.global_store @a = %[[FOUR]]
// CHECK-NEXT: return %[[TWICE]]
func.func @straight() -> tensor<4xf32> {
  %0 = ml_program.global_load @a : tensor<4xf32>
  %1 = stablehlo.add %0, %0 : tensor<4xf32>
  ml_program.global_store @a = %1 : tensor<4xf32>
  %2 = ml_program.global_load @a : tensor<4xf32>
  %3 = stablehlo.add %2, %2 : tensor<4xf32>
  ml_program.global_store @a = %3 : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// Globals that are not mutable are constants.
// CHECK-LABEL: func.func @constant
// CHECK: %scale = stablehlo.constant dense<2.0
// CHECK-NEXT: return %scale
func.func @constant() -> tensor<4xf32> {
  %0 = ml_program.global_load_const @scale : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// What is stored as it was loaded is not stored.
// CHECK-LABEL: func.func @unchanged
// CHECK-NOT: global_store
// CHECK: return
func.func @unchanged() {
  %0 = ml_program.global_load @a : tensor<4xf32>
  ml_program.global_store @a = %0 : tensor<4xf32>
  return
}

// A loop carries what it stores to, and sees from outside what it only loads.
// CHECK-LABEL: func.func @loop
// CHECK-DAG: %a = ml_program.global_load @a
// CHECK-DAG: %b = ml_program.global_load @b
// CHECK: %[[LOOP:.*]]:2 = stablehlo.while(%[[I:.*]] = %n, %[[A:.*]] = %a)
// CHECK: %[[SUM:.*]] = stablehlo.add %[[A]], %b
// CHECK: stablehlo.return %{{.*}}, %[[SUM]]
// CHECK: ml_program.global_store @a = %[[LOOP]]#1
// CHECK-NOT: global_store
// CHECK: return
func.func @loop(%n: tensor<i32>) {
  %0 = stablehlo.while(%i = %n) : tensor<i32> cond {
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.compare GT, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %1 = ml_program.global_load @a : tensor<4xf32>
    %2 = ml_program.global_load @b : tensor<4xf32>
    %3 = stablehlo.add %1, %2 : tensor<4xf32>
    ml_program.global_store @a = %3 : tensor<4xf32>
    %4 = stablehlo.subtract %i, %one : tensor<i32>
    stablehlo.return %4 : tensor<i32>
  }
  return
}

// Every branch gives what one of them stores to.
// CHECK-LABEL: func.func @branch
// CHECK: %a = ml_program.global_load @a
// CHECK: %[[IF:.*]] = "stablehlo.if"(%p)
// CHECK: %[[TWICE:.*]] = stablehlo.add %a, %a
// CHECK: stablehlo.return %[[TWICE]]
// CHECK: stablehlo.return %a
// CHECK: ml_program.global_store @a = %[[IF]]
func.func @branch(%p: tensor<i1>) {
  "stablehlo.if"(%p) ({
    %0 = ml_program.global_load @a : tensor<4xf32>
    %1 = stablehlo.add %0, %0 : tensor<4xf32>
    ml_program.global_store @a = %1 : tensor<4xf32>
    stablehlo.return
  }, {
    stablehlo.return
  }) : (tensor<i1>) -> ()
  return
}

// What is known of a stored value's shape stays known; it is stored as what the variable is declared to be.
// CHECK-LABEL: func.func @shapes
// CHECK-NEXT: %[[CAST:.*]] = tensor.cast %x : tensor<3x4xf32> to tensor<?x4xf32>
// CHECK-NEXT: %[[STORED:.*]] = tensor.cast %x
// CHECK-NEXT: ml_program.global_store @rows = %[[STORED]]
// CHECK-NEXT: return %[[CAST]]
func.func @shapes(%x: tensor<3x4xf32>) -> tensor<?x4xf32> {
  ml_program.global_store @rows = %x : tensor<3x4xf32>
  %0 = ml_program.global_load @rows : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
