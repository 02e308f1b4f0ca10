// RUN: tesselle opt --pass convert-to-stream --pass copy-on-write --pass assign-storage --pass fold-host-arithmetic --pass schedule-commands --pass convert-to-hal %s | filecheck %s

// A variable holds a view. Commands are recorded by the first call: every call binds what the variable holds now.
// CHECK: "hal.variable"() <{sym_name = "v", type = !hal.buffer_view, tensor = tensor<8xf32>}>
// CHECK: "hal.variable"() <{sym_name = "set_commands_0", type = !hal.command_buffer}>
// CHECK-LABEL: func.func @set
// CHECK: "hal.buffer_view.check"(%x)
// CHECK: %[[VIEW:.*]] = "hal.variable.load"() <{variable = @v}>
// CHECK: %[[PLACE:.*]] = "hal.buffer_view.buffer"(%[[VIEW]])
// CHECK-NOT: "hal.buffer.allocate"
// CHECK: %[[READY:.*]] = "hal.variable.load"() <{variable = @set_commands_0_ready}>
// CHECK: %[[COMMANDS:.*]] = scf.if %[[READY]]
// CHECK: "hal.queue.execute"(%[[COMMANDS]], {{.*}}, %[[PLACE]])
// CHECK-NOT: "hal.variable.store"() <{variable = @v}>
// CHECK: return
ml_program.global private mutable @v : tensor<8xf32>
func.func @set(%x: tensor<8xf32>) {
  ml_program.global_store @v = %x : tensor<8xf32>
  return
}
