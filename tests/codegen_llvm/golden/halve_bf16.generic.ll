target triple = "x86_64-unknown-none-elf"

define void @halve_bf16(ptr noalias readonly captures(none) %bindings, ptr noalias readonly captures(none) %push, i64 %wx, i64 %wy, i64 %wz, ptr noalias align 64 captures(none) %local) #0 {
entry:
  %v1 = load ptr, ptr %bindings, align 8, !invariant.load !0
  %v2 = load <8 x i16>, ptr %v1, align 2, !alias.scope !4, !noalias !5
  store <8 x i16> %v2, ptr %local, align 2, !alias.scope !6, !noalias !7
  %v3 = load <8 x i16>, ptr %local, align 2, !alias.scope !6, !noalias !7
  %v4 = call <8 x float> @tsl.widen.bf16.8(<8 x i16> %v3)
  %v5 = call <8 x float> @tsl.widen.bf16.8(<8 x i16> splat (i16 16128))
  %v6 = fmul <8 x float> %v4, %v5
  %v7 = call <8 x i16> @tsl.narrow.bf16.8(<8 x float> %v6)
  store <8 x i16> %v7, ptr %v1, align 2, !alias.scope !4, !noalias !5
  ret void
}

define internal <8 x float> @tsl.widen.bf16.8(<8 x i16> %p0) #1 {
entry:
  %t1 = zext <8 x i16> %p0 to <8 x i32>
  %t2 = shl <8 x i32> %t1, splat (i32 16)
  %t3 = bitcast <8 x i32> %t2 to <8 x float>
  ret <8 x float> %t3
}

define internal <8 x i16> @tsl.narrow.bf16.8(<8 x float> %p0) #1 {
entry:
  %t1 = bitcast <8 x float> %p0 to <8 x i32>
  %t2 = add <8 x i32> %t1, splat (i32 32767)
  %t3 = lshr <8 x i32> %t1, splat (i32 16)
  %t4 = and <8 x i32> %t3, splat (i32 1)
  %t5 = add <8 x i32> %t2, %t4
  %t6 = lshr <8 x i32> %t5, splat (i32 16)
  %t7 = lshr <8 x i32> %t1, splat (i32 16)
  %t8 = or <8 x i32> %t7, splat (i32 64)
  %t9 = fcmp uno <8 x float> %p0, %p0
  %t10 = select <8 x i1> %t9, <8 x i32> %t8, <8 x i32> %t6
  %t11 = trunc <8 x i32> %t10 to <8 x i16>
  ret <8 x i16> %t11
}


attributes #0 = { nounwind "no-builtins" "tune-cpu"="generic" }
attributes #1 = { alwaysinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #2 = { noinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #3 = { noinline optsize nounwind "no-builtins" "tune-cpu"="generic" }
!0 = !{}
!1 = distinct !{!1, !"halve_bf16"}
!2 = distinct !{!2, !1}
!3 = distinct !{!3, !1}
!4 = !{!2}
!5 = !{!3}
!6 = !{!3}
!7 = !{!2}
