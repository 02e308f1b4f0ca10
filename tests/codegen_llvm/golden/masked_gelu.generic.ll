target triple = "x86_64-unknown-none-elf"

define void @masked_gelu(ptr noalias readonly captures(none) %bindings, ptr noalias readonly captures(none) %push, i64 %wx, i64 %wy, i64 %wz, ptr noalias align 64 captures(none) %local) #0 {
entry:
  %v1 = load i64, ptr %push, align 8, !invariant.load !0
  %v2 = load ptr, ptr %bindings, align 8, !invariant.load !0
  %v3 = getelementptr inbounds ptr, ptr %bindings, i64 1
  %v4 = load ptr, ptr %v3, align 8, !invariant.load !0
  br label %head.5
head.5:
  %v8 = phi i64 [ 0, %entry ], [ %v9, %body.6 ]
  %v10 = icmp slt i64 %v8, %v1
  br i1 %v10, label %body.6, label %exit.7
body.6:
  %v11 = sub nsw i64 %v1, %v8
  %v12 = call i64 @llvm.smin.i64(i64 %v11, i64 8)
  %v13 = call i64 @llvm.smax.i64(i64 %v12, i64 0)
  %v14 = trunc i64 %v13 to i32
  %v15 = insertelement <8 x i32> poison, i32 %v14, i64 0
  %v16 = shufflevector <8 x i32> %v15, <8 x i32> poison, <8 x i32> zeroinitializer
  %v17 = icmp slt <8 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>, %v16
  %v18 = getelementptr inbounds float, ptr %v2, i64 %v8
  %v19 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4 %v18, <8 x i1> %v17, <8 x float> splat (float 0x0000000000000000)), !alias.scope !6, !noalias !7
  %v20 = fmul <8 x float> %v19, splat (float 0x3FE6A09E60000000)
  %v21 = call <8 x float> @tsl.erf.v8f32(<8 x float> %v20)
  %v22 = fadd <8 x float> %v21, splat (float 0x3FF0000000000000)
  %v23 = fmul <8 x float> %v19, splat (float 0x3FE0000000000000)
  %v24 = fmul <8 x float> %v23, %v22
  %v25 = getelementptr inbounds float, ptr %v4, i64 %v8
  call void @llvm.masked.store.v8f32.p0(<8 x float> %v24, ptr align 4 %v25, <8 x i1> %v17), !alias.scope !8, !noalias !9
  %v9 = add nsw i64 %v8, 8
  br label %head.5, !llvm.loop !2
exit.7:
  ret void
}

define internal <8 x float> @tsl.erf.v8f32(<8 x float> %p0) #1 {
entry:
  %t1 = call <8 x float> @llvm.fabs.v8f32(<8 x float> %p0)
  %t2 = fmul <8 x float> %p0, %p0
  %t3 = fmul <8 x float> splat (float 0x3F14E452A0000000), %t2
  %t4 = fadd <8 x float> %t3, splat (float 0xBF4A5BA760000000)
  %t5 = fmul <8 x float> %t4, %t2
  %t6 = fadd <8 x float> %t5, splat (float 0x3F754426C0000000)
  %t7 = fmul <8 x float> %t6, %t2
  %t8 = fadd <8 x float> %t7, splat (float 0xBF9B800800000000)
  %t9 = fmul <8 x float> %t8, %t2
  %t10 = fadd <8 x float> %t9, splat (float 0x3FBCE2D600000000)
  %t11 = fmul <8 x float> %t10, %t2
  %t12 = fadd <8 x float> %t11, splat (float 0xBFD8127400000000)
  %t13 = fmul <8 x float> %t12, %t2
  %t14 = fadd <8 x float> %t13, splat (float 0x3FC06EBA80000000)
  %t15 = fmul <8 x float> %p0, %t14
  %t16 = fadd <8 x float> %t15, %p0
  %t17 = fcmp ogt <8 x float> %t1, splat (float 0x4010000000000000)
  %t18 = select <8 x i1> %t17, <8 x float> splat (float 0x4010000000000000), <8 x float> %t1
  %t19 = fmul <8 x float> splat (float 0xBEE78C2FC0000000), %t18
  %t20 = fadd <8 x float> %t19, splat (float 0x3F35274A20000000)
  %t21 = fmul <8 x float> %t20, %t18
  %t22 = fadd <8 x float> %t21, splat (float 0xBF6DD69260000000)
  %t23 = fmul <8 x float> %t22, %t18
  %t24 = fadd <8 x float> %t23, splat (float 0x3F98550720000000)
  %t25 = fmul <8 x float> %t24, %t18
  %t26 = fadd <8 x float> %t25, splat (float 0xBFBB325340000000)
  %t27 = fmul <8 x float> %t26, %t18
  %t28 = fadd <8 x float> %t27, splat (float 0xBFE4532920000000)
  %t29 = fmul <8 x float> %t28, %t18
  %t30 = fadd <8 x float> %t29, splat (float 0xBFC0778D80000000)
  %t31 = fneg <8 x float> %t18
  %t32 = fmul <8 x float> %t18, %t30
  %t33 = fadd <8 x float> %t32, %t31
  %t34 = fmul <8 x float> %t33, splat (float 0x3FF7154760000000)
  %t35 = fadd <8 x float> %t34, splat (float 0x4168000000000000)
  %t36 = fsub <8 x float> %t35, splat (float 0x4168000000000000)
  %t37 = bitcast <8 x float> %t35 to <8 x i32>
  %t38 = bitcast <8 x float> splat (float 0x4168000000000000) to <8 x i32>
  %t39 = sub <8 x i32> %t37, %t38
  %t40 = fmul <8 x float> %t36, splat (float 0xBFE6300000000000)
  %t41 = fadd <8 x float> %t40, %t33
  %t42 = fmul <8 x float> %t36, splat (float 0x3F2BD01060000000)
  %t43 = fadd <8 x float> %t42, %t41
  %t44 = fmul <8 x float> %t43, %t43
  %t45 = fmul <8 x float> splat (float 0x3FC5554D80000000), %t43
  %t46 = fadd <8 x float> %t45, splat (float 0x3FE0000000000000)
  %t47 = fmul <8 x float> splat (float 0x3F8120FF20000000), %t43
  %t48 = fadd <8 x float> %t47, splat (float 0x3FA5555480000000)
  %t49 = fmul <8 x float> %t43, %t43
  %t50 = fmul <8 x float> %t48, %t49
  %t51 = fadd <8 x float> %t50, %t46
  %t52 = fmul <8 x float> %t49, %t49
  %t53 = fmul <8 x float> splat (float 0x3F56CC2280000000), %t52
  %t54 = fadd <8 x float> %t53, %t51
  %t55 = fmul <8 x float> %t44, %t54
  %t56 = fadd <8 x float> %t55, %t43
  %t57 = fadd <8 x float> %t56, splat (float 0x3FF0000000000000)
  %t58 = add <8 x i32> %t39, splat (i32 127)
  %t59 = shl <8 x i32> %t58, splat (i32 23)
  %t60 = bitcast <8 x i32> %t59 to <8 x float>
  %t61 = fmul <8 x float> %t57, %t60
  %t62 = fsub <8 x float> splat (float 0x3FF0000000000000), %t61
  %t63 = call <8 x float> @llvm.copysign.v8f32(<8 x float> %t62, <8 x float> %p0)
  %t64 = fcmp ogt <8 x float> %t1, splat (float 0x3FED9999A0000000)
  %t65 = select <8 x i1> %t64, <8 x float> %t63, <8 x float> %t16
  ret <8 x float> %t65
}

declare <8 x float> @llvm.copysign.v8f32(<8 x float>, <8 x float>)
declare <8 x float> @llvm.fabs.v8f32(<8 x float>)
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr, <8 x i1>, <8 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr, <8 x i1>)
attributes #0 = { nounwind "no-builtins" "tune-cpu"="generic" }
attributes #1 = { alwaysinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #2 = { noinline memory(none) nounwind "no-builtins" "tune-cpu"="generic" }
attributes #3 = { noinline optsize nounwind "no-builtins" "tune-cpu"="generic" }
!0 = !{}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = distinct !{!2, !1}
!3 = distinct !{!3, !"masked_gelu"}
!4 = distinct !{!4, !3}
!5 = distinct !{!5, !3}
!6 = !{!4}
!7 = !{!5}
!8 = !{!5}
!9 = !{!4}
