target triple = "x86_64-unknown-none-elf"

define void @tile_of_a_product(ptr noalias readonly captures(none) %bindings, ptr noalias readonly captures(none) %push, i64 %wx, i64 %wy, i64 %wz, ptr noalias align 64 captures(none) %local) #0 {
entry:
  %v1 = load ptr, ptr %bindings, align 8, !invariant.load !0
  %v2 = getelementptr inbounds ptr, ptr %bindings, i64 1
  %v3 = load ptr, ptr %v2, align 8, !invariant.load !0
  %v4 = getelementptr inbounds ptr, ptr %bindings, i64 2
  %v5 = load ptr, ptr %v4, align 8, !invariant.load !0
  br label %head.6
head.6:
  %v9 = phi i64 [ 0, %entry ], [ %v10, %body.7 ]
  %v11 = phi <8 x float> [ splat (float 0x0000000000000000), %entry ], [ %v22, %body.7 ]
  %v12 = phi <8 x float> [ splat (float 0x0000000000000000), %entry ], [ %v29, %body.7 ]
  %v13 = icmp slt i64 %v9, 16
  br i1 %v13, label %body.7, label %exit.8
body.7:
  %v14 = mul nsw i64 %v9, 8
  %v15 = getelementptr inbounds float, ptr %v3, i64 %v14
  %v16 = load <8 x float>, ptr %v15, align 4
  %v17 = getelementptr inbounds float, ptr %v1, i64 %v9
  %v18 = load float, ptr %v17, align 4
  %v19 = insertelement <8 x float> poison, float %v18, i64 0
  %v20 = shufflevector <8 x float> %v19, <8 x float> poison, <8 x i32> zeroinitializer
  %v21 = fmul <8 x float> %v20, %v16
  %v22 = fadd <8 x float> %v21, %v11
  %v23 = add nsw i64 16, %v9
  %v24 = getelementptr inbounds float, ptr %v1, i64 %v23
  %v25 = load float, ptr %v24, align 4
  %v26 = insertelement <8 x float> poison, float %v25, i64 0
  %v27 = shufflevector <8 x float> %v26, <8 x float> poison, <8 x i32> zeroinitializer
  %v28 = fmul <8 x float> %v27, %v16
  %v29 = fadd <8 x float> %v28, %v12
  %v10 = add nsw i64 %v9, 1
  br label %head.6, !llvm.loop !2
exit.8:
  %v30 = getelementptr inbounds float, ptr %v5, i64 8
  store <8 x float> %v11, ptr %v5, align 4
  store <8 x float> %v12, ptr %v30, align 4
  ret void
}


attributes #0 = { nounwind "no-builtins" "tune-cpu"="generic" }
attributes #1 = { alwaysinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #2 = { noinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #3 = { noinline optsize nounwind "no-builtins" "tune-cpu"="generic" }
!0 = !{}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = distinct !{!2, !1}
