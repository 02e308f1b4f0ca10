target triple = "x86_64-unknown-none-elf"

define void @row_sum(ptr noalias readonly captures(none) %bindings, ptr noalias readonly captures(none) %push, i64 %wx, i64 %wy, i64 %wz, ptr noalias align 64 captures(none) %local) #0 {
entry:
  %v1 = load ptr, ptr %bindings, align 8, !invariant.load !0
  %v2 = getelementptr inbounds ptr, ptr %bindings, i64 1
  %v3 = load ptr, ptr %v2, align 8, !invariant.load !0
  br label %head.4
head.4:
  %v7 = phi i64 [ 0, %entry ], [ %v8, %body.5 ]
  %v9 = phi <8 x float> [ splat (float 0x0000000000000000), %entry ], [ %v15, %body.5 ]
  %v10 = icmp slt i64 %v7, 64
  br i1 %v10, label %body.5, label %exit.6
body.5:
  %v11 = mul nsw i64 %wx, 64
  %v12 = add nsw i64 %v11, %v7
  %v13 = getelementptr inbounds float, ptr %v1, i64 %v12
  %v14 = load <8 x float>, ptr %v13, align 4
  %v15 = fadd <8 x float> %v9, %v14
  %v8 = add nsw i64 %v7, 8
  br label %head.4, !llvm.loop !2
exit.6:
  %v16 = shufflevector <8 x float> %v9, <8 x float> poison, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %v17 = shufflevector <8 x float> %v9, <8 x float> poison, <4 x i32> <i32 4, i32 5, i32 6, i32 7>
  %v18 = fadd <4 x float> %v16, %v17
  %v19 = shufflevector <4 x float> %v18, <4 x float> poison, <2 x i32> <i32 0, i32 1>
  %v20 = shufflevector <4 x float> %v18, <4 x float> poison, <2 x i32> <i32 2, i32 3>
  %v21 = fadd <2 x float> %v19, %v20
  %v22 = shufflevector <2 x float> %v21, <2 x float> poison, <1 x i32> zeroinitializer
  %v23 = shufflevector <2 x float> %v21, <2 x float> poison, <1 x i32> <i32 1>
  %v24 = fadd <1 x float> %v22, %v23
  %v25 = extractelement <1 x float> %v24, i64 0
  %v26 = getelementptr inbounds float, ptr %v3, i64 %wx
  store float %v25, ptr %v26, align 4
  ret void
}


attributes #0 = { nounwind "no-builtins" "tune-cpu"="generic" }
attributes #1 = { alwaysinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #2 = { noinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #3 = { noinline optsize nounwind "no-builtins" "tune-cpu"="generic" }
!0 = !{}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = distinct !{!2, !1}
