// RUN: tesselle opt --pass pack-transients %s | filecheck %s

// No barrier stands between the copy and the loop's first fill: both may run at once, so the fill may not reuse what
// the copy reads. What the loop does behind its own barrier may.
// CHECK-LABEL: @copy_beside_a_loop
// CHECK-SAME: stream.peak_transient_bytes = 128
// CHECK: "stream.cmd.copy"(%arena, %[[READ:[^,]*]], %out
// CHECK: scf.for
// CHECK-NOT: "stream.cmd.fill"(%{{.*}}, %arena, %[[READ]],
// CHECK: "stream.cmd.barrier"
// CHECK: "stream.cmd.fill"(%{{.*}}, %arena, %[[READ]],
// CHECK: return
func.func @copy_beside_a_loop(%out: !stream.resource<external>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %size = arith.constant 64 : index
  %zero = arith.constant 0 : i32
  %read = "stream.resource.alloc"(%size) : (index) -> !stream.resource<transient>
  %first = "stream.resource.alloc"(%size) : (index) -> !stream.resource<transient>
  %second = "stream.resource.alloc"(%size) : (index) -> !stream.resource<transient>
  %now = "stream.timepoint.immediate"() : () -> !stream.timepoint
  %done = "stream.cmd.execute"(%now) ({
    "stream.cmd.fill"(%zero, %read, %c0, %size) : (i32, !stream.resource<transient>, index, index) -> ()
    "stream.cmd.barrier"() : () -> ()
    "stream.cmd.copy"(%read, %c0, %out, %c0, %size) : (!stream.resource<transient>, index, !stream.resource<external>, index, index) -> ()
    scf.for %i = %c0 to %c3 step %c1 {
      "stream.cmd.fill"(%zero, %first, %c0, %size) : (i32, !stream.resource<transient>, index, index) -> ()
      "stream.cmd.barrier"() : () -> ()
      "stream.cmd.fill"(%zero, %second, %c0, %size) : (i32, !stream.resource<transient>, index, index) -> ()
      "stream.cmd.barrier"() : () -> ()
    }
    "stream.return"() : () -> ()
  }) : (!stream.timepoint) -> !stream.timepoint
  "stream.timepoint.await"(%done) : (!stream.timepoint) -> ()
  return
}
