// RUN: tesselle opt --pass convert-to-vm --pass fold-vm --pass sink-constants %s | filecheck %s

// A loop of the host becomes a cycle of blocks whose arguments are the counter and what is carried.
// CHECK-LABEL: sym_name = "loop"
// CHECK: "vm.br"(%{{.*}})[^[[HEAD:.*]]]
// CHECK: "vm.cmp.lt_s.i64"
// CHECK: "vm.cond_br"
// CHECK: "vm.add.i64"
// CHECK: "vm.return"
func.func @loop(%v: !hal.buffer_view) -> !hal.buffer_view {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %n = "hal.buffer_view.dim"(%v) <{axis = 0 : i64}> : (!hal.buffer_view) -> index
  %s = scf.for %i = %zero to %n step %one iter_args(%a = %zero) -> (index) {
    %0 = arith.addi %a, %i : index
    scf.yield %0 : index
  }
  %b = "hal.buffer.allocate"(%s) : (index) -> !hal.buffer
  %r = "hal.buffer_view.create"(%b, %zero, %s) <{dtype = i8}> : (!hal.buffer, index, index) -> !hal.buffer_view
  return %r : !hal.buffer_view
}
