// RUN: tesselle opt --pass convert-to-vm --pass fold-vm %s | filecheck %s

// Equal constants side by side at the head of a function: one of them stays, and more follow from later blocks.
// CHECK-LABEL: sym_name = "constants"
// CHECK: %[[ZERO:.*]] = "vm.const.i32"() <{value = 0 : i32}>
// CHECK-NEXT: %[[ONE:.*]] = "vm.const.i32"() <{value = 1 : i32}>
// CHECK-NEXT: %[[FIVE:.*]] = "vm.const.i32"() <{value = 5 : i32}>
// CHECK-NEXT: %[[C:.*]] = "vm.cmp.eq.i32"(%{{.*}}, %[[ZERO]])
// CHECK-NOT: "vm.const
func.func @constants(%x: i32) -> i32 {
  %false = arith.constant false
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %true = arith.constant true
  %c = arith.cmpi eq, %x, %zero : i32
  %d = arith.xori %c, %true : i1
  %e = arith.ori %d, %false : i1
  %r = scf.if %e -> (i32) {
    %0 = arith.addi %x, %one : i32
    scf.yield %0 : i32
  } else {
    %five = arith.constant 5 : i32
    %0 = arith.muli %x, %five : i32
    scf.yield %0 : i32
  }
  return %r : i32
}
