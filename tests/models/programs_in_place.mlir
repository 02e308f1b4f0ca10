// Functions that update variables: what each allocates and copies is in test_state_in_place.py.

ml_program.global private mutable @w(dense<0.5> : tensor<48x32xf32>) : tensor<48x32xf32>
ml_program.global private mutable @m : tensor<48x32xf32>
ml_program.global private mutable @b(dense<0.25> : tensor<32xf32>) : tensor<32xf32>
ml_program.global private mutable @one(dense<1.0> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private mutable @two(dense<2.0> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private mutable @three(dense<3.0> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private mutable @cache : tensor<32x16xf32>
ml_program.global private mutable @at(dense<0> : tensor<i32>) : tensor<i32>
ml_program.global private mutable @history(dense<1.0> : tensor<1x3xf32>) : tensor<?x3xf32>

// A step of gradient descent for a layer: the epilogue of the product subtracts from the weights where they lie.
func.func @layer(%x: tensor<20x48xf32>, %y: tensor<20x32xf32>) {
  %w = ml_program.global_load @w : tensor<48x32xf32>
  %b = ml_program.global_load @b : tensor<32xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<20x48xf32>, tensor<48x32xf32>) -> tensor<20x32xf32>
  %1 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<32xf32>) -> tensor<20x32xf32>
  %2 = stablehlo.add %0, %1 : tensor<20x32xf32>
  %3 = stablehlo.subtract %2, %y : tensor<20x32xf32>
  %4 = stablehlo.dot_general %x, %3, contracting_dims = [0] x [0] : (tensor<20x48xf32>, tensor<20x32xf32>) -> tensor<48x32xf32>
  %5 = stablehlo.constant dense<0.01> : tensor<48x32xf32>
  %6 = stablehlo.multiply %5, %4 : tensor<48x32xf32>
  %7 = stablehlo.subtract %w, %6 : tensor<48x32xf32>
  ml_program.global_store @w = %7 : tensor<48x32xf32>
  %8 = stablehlo.reduce(%3 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<20x32xf32>, tensor<f32>) -> tensor<32xf32>
  %9 = stablehlo.constant dense<0.01> : tensor<32xf32>
  %10 = stablehlo.multiply %9, %8 : tensor<32xf32>
  %11 = stablehlo.subtract %b, %10 : tensor<32xf32>
  ml_program.global_store @b = %11 : tensor<32xf32>
  return
}

// Several steps in a loop.
func.func @steps(%g: tensor<48x32xf32>, %count: tensor<i32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %next = stablehlo.constant dense<1> : tensor<i32>
  %0 = stablehlo.while(%i = %zero) : tensor<i32>
  cond {
    %c = stablehlo.compare LT, %i, %count : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %w = ml_program.global_load @w : tensor<48x32xf32>
    %m = ml_program.global_load @m : tensor<48x32xf32>
    %mu = stablehlo.constant dense<0.5> : tensor<48x32xf32>
    %1 = stablehlo.multiply %m, %mu : tensor<48x32xf32>
    %2 = stablehlo.add %1, %g : tensor<48x32xf32>
    %3 = stablehlo.subtract %w, %2 : tensor<48x32xf32>
    ml_program.global_store @w = %3 : tensor<48x32xf32>
    ml_program.global_store @m = %2 : tensor<48x32xf32>
    %j = stablehlo.add %i, %next : tensor<i32>
    stablehlo.return %j : tensor<i32>
  }
  return
}

// A step that may be left out.
func.func @step_if(%g: tensor<48x32xf32>, %p: tensor<i1>) {
  "stablehlo.if"(%p) ({
    %w = ml_program.global_load @w : tensor<48x32xf32>
    %1 = stablehlo.subtract %w, %g : tensor<48x32xf32>
    ml_program.global_store @w = %1 : tensor<48x32xf32>
    stablehlo.return
  }, {
    stablehlo.return
  }) : (tensor<i1>) -> ()
  return
}

// Divided by the norm of all of them: the new weights are made in two dispatches.
func.func @clip(%g: tensor<48x32xf32>) {
  %w = ml_program.global_load @w : tensor<48x32xf32>
  %0 = stablehlo.subtract %w, %g : tensor<48x32xf32>
  %zero = stablehlo.constant dense<1.0> : tensor<f32>
  %1 = stablehlo.multiply %0, %0 : tensor<48x32xf32>
  %2 = stablehlo.reduce(%1 init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<48x32xf32>, tensor<f32>) -> tensor<f32>
  %3 = stablehlo.sqrt %2 : tensor<f32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<48x32xf32>
  %5 = stablehlo.divide %0, %4 : tensor<48x32xf32>
  ml_program.global_store @w = %5 : tensor<48x32xf32>
  return
}

func.func @swap() {
  %0 = ml_program.global_load @one : tensor<8xf32>
  %1 = ml_program.global_load @two : tensor<8xf32>
  ml_program.global_store @two = %0 : tensor<8xf32>
  ml_program.global_store @one = %1 : tensor<8xf32>
  return
}

func.func @rotate() {
  %0 = ml_program.global_load @one : tensor<8xf32>
  %1 = ml_program.global_load @two : tensor<8xf32>
  %2 = ml_program.global_load @three : tensor<8xf32>
  ml_program.global_store @one = %1 : tensor<8xf32>
  ml_program.global_store @two = %2 : tensor<8xf32>
  ml_program.global_store @three = %0 : tensor<8xf32>
  return
}

// The old value goes to another variable, the new one is made in a place of its own.
func.func @remember(%x: tensor<8xf32>) {
  %0 = ml_program.global_load @one : tensor<8xf32>
  %1 = stablehlo.multiply %0, %x : tensor<8xf32>
  ml_program.global_store @two = %0 : tensor<8xf32>
  ml_program.global_store @one = %1 : tensor<8xf32>
  return
}

func.func @double_both() -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = ml_program.global_load @one : tensor<8xf32>
  %1 = stablehlo.add %0, %0 : tensor<8xf32>
  ml_program.global_store @one = %1 : tensor<8xf32>
  ml_program.global_store @two = %1 : tensor<8xf32>
  return %1, %0 : tensor<8xf32>, tensor<8xf32>
}

func.func @set(%x: tensor<48x32xf32>) {
  ml_program.global_store @w = %x : tensor<48x32xf32>
  return
}

// Nothing of the old value is read: the new one is made where it lies.
func.func @renew(%x: tensor<48x32xf32>) {
  %0 = stablehlo.tanh %x : tensor<48x32xf32>
  ml_program.global_store @w = %0 : tensor<48x32xf32>
  return
}

func.func @clear() {
  %0 = stablehlo.constant dense<0.0> : tensor<48x32xf32>
  ml_program.global_store @m = %0 : tensor<48x32xf32>
  return
}

// Attention over a cache of keys, which are the values, too.
func.func private @attend(%q: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %next = stablehlo.constant dense<1> : tensor<i32>
  %size = stablehlo.constant dense<32> : tensor<i32>
  %at = ml_program.global_load @at : tensor<i32>
  %old = ml_program.global_load @cache : tensor<32x16xf32>
  %cache = stablehlo.dynamic_update_slice %old, %q, %at, %zero : (tensor<32x16xf32>, tensor<1x16xf32>, tensor<i32>, tensor<i32>) -> tensor<32x16xf32>
  ml_program.global_store @cache = %cache : tensor<32x16xf32>
  %0 = stablehlo.add %at, %next : tensor<i32>
  %1 = stablehlo.remainder %0, %size : tensor<i32>
  ml_program.global_store @at = %1 : tensor<i32>
  %2 = stablehlo.dot_general %q, %cache, contracting_dims = [1] x [1] : (tensor<1x16xf32>, tensor<32x16xf32>) -> tensor<1x32xf32>
  %3 = stablehlo.logistic %2 : tensor<1x32xf32>
  %4 = stablehlo.dot_general %3, %cache, contracting_dims = [1] x [0] : (tensor<1x32xf32>, tensor<32x16xf32>) -> tensor<1x16xf32>
  %5 = stablehlo.tanh %4 : tensor<1x16xf32>
  return %5 : tensor<1x16xf32>
}

func.func @decode(%q: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %0 = call @attend(%q) : (tensor<1x16xf32>) -> tensor<1x16xf32>
  return %0 : tensor<1x16xf32>
}

func.func @generate(%q: tensor<1x16xf32>, %count: tensor<i32>) -> tensor<1x16xf32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %next = stablehlo.constant dense<1> : tensor<i32>
  %0:2 = stablehlo.while(%i = %zero, %x = %q) : tensor<i32>, tensor<1x16xf32>
  cond {
    %c = stablehlo.compare LT, %i, %count : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %1 = func.call @attend(%x) : (tensor<1x16xf32>) -> tensor<1x16xf32>
    %j = stablehlo.add %i, %next : tensor<i32>
    stablehlo.return %j, %1 : tensor<i32>, tensor<1x16xf32>
  }
  return %0#1 : tensor<1x16xf32>
}

// The condition counts, too: once more than the body runs.
func.func @count_tests(%limit: tensor<i32>) -> tensor<i32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0 = stablehlo.while(%i = %zero) : tensor<i32>
  cond {
    %next = stablehlo.constant dense<1> : tensor<i32>
    %at = ml_program.global_load @at : tensor<i32>
    %1 = stablehlo.add %at, %next : tensor<i32>
    ml_program.global_store @at = %1 : tensor<i32>
    %c = stablehlo.compare LT, %i, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %two = stablehlo.constant dense<2> : tensor<i32>
    %j = stablehlo.add %i, %two : tensor<i32>
    stablehlo.return %j : tensor<i32>
  }
  %at = ml_program.global_load @at : tensor<i32>
  %size = stablehlo.constant dense<32> : tensor<i32>
  %1 = stablehlo.remainder %at, %size : tensor<i32>
  ml_program.global_store @at = %1 : tensor<i32>
  return %0 : tensor<i32>
}

func.func @extend(%x: tensor<?x3xf32>) {
  %h = ml_program.global_load @history : tensor<?x3xf32>
  %0 = stablehlo.concatenate %h, %x, dim = 0 : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  ml_program.global_store @history = %0 : tensor<?x3xf32>
  return
}

// Of unknown size, and yet in place: the size stays what it was.
func.func @square() {
  %h = ml_program.global_load @history : tensor<?x3xf32>
  %0 = stablehlo.multiply %h, %h : tensor<?x3xf32>
  ml_program.global_store @history = %0 : tensor<?x3xf32>
  return
}

func.func @forget() {
  %0 = stablehlo.constant dense<1.5> : tensor<1x3xf32>
  ml_program.global_store @history = %0 : tensor<1x3xf32>
  return
}
