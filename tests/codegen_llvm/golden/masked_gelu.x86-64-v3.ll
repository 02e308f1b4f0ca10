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
  %t3 = call <8 x float> @llvm.fma.v8f32(<8 x float> splat (float 0x3F14E452A0000000), <8 x float> %t2, <8 x float> splat (float 0xBF4A5BA760000000))
  %t4 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t3, <8 x float> %t2, <8 x float> splat (float 0x3F754426C0000000))
  %t5 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t4, <8 x float> %t2, <8 x float> splat (float 0xBF9B800800000000))
  %t6 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t5, <8 x float> %t2, <8 x float> splat (float 0x3FBCE2D600000000))
  %t7 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t6, <8 x float> %t2, <8 x float> splat (float 0xBFD8127400000000))
  %t8 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t7, <8 x float> %t2, <8 x float> splat (float 0x3FC06EBA80000000))
  %t9 = call <8 x float> @llvm.fma.v8f32(<8 x float> %p0, <8 x float> %t8, <8 x float> %p0)
  %t10 = fcmp ogt <8 x float> %t1, splat (float 0x4010000000000000)
  %t11 = select <8 x i1> %t10, <8 x float> splat (float 0x4010000000000000), <8 x float> %t1
  %t12 = call <8 x float> @llvm.fma.v8f32(<8 x float> splat (float 0xBEE78C2FC0000000), <8 x float> %t11, <8 x float> splat (float 0x3F35274A20000000))
  %t13 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t12, <8 x float> %t11, <8 x float> splat (float 0xBF6DD69260000000))
  %t14 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t13, <8 x float> %t11, <8 x float> splat (float 0x3F98550720000000))
  %t15 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t14, <8 x float> %t11, <8 x float> splat (float 0xBFBB325340000000))
  %t16 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t15, <8 x float> %t11, <8 x float> splat (float 0xBFE4532920000000))
  %t17 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t16, <8 x float> %t11, <8 x float> splat (float 0xBFC0778D80000000))
  %t18 = fneg <8 x float> %t11
  %t19 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t11, <8 x float> %t17, <8 x float> %t18)
  %t20 = fmul <8 x float> %t19, splat (float 0x3FF7154760000000)
  %t21 = fadd <8 x float> %t20, splat (float 0x4168000000000000)
  %t22 = fsub <8 x float> %t21, splat (float 0x4168000000000000)
  %t23 = bitcast <8 x float> %t21 to <8 x i32>
  %t24 = bitcast <8 x float> splat (float 0x4168000000000000) to <8 x i32>
  %t25 = sub <8 x i32> %t23, %t24
  %t26 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t22, <8 x float> splat (float 0xBFE6300000000000), <8 x float> %t19)
  %t27 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t22, <8 x float> splat (float 0x3F2BD01060000000), <8 x float> %t26)
  %t28 = fmul <8 x float> %t27, %t27
  %t29 = call <8 x float> @llvm.fma.v8f32(<8 x float> splat (float 0x3FC5554D80000000), <8 x float> %t27, <8 x float> splat (float 0x3FE0000000000000))
  %t30 = call <8 x float> @llvm.fma.v8f32(<8 x float> splat (float 0x3F8120FF20000000), <8 x float> %t27, <8 x float> splat (float 0x3FA5555480000000))
  %t31 = fmul <8 x float> %t27, %t27
  %t32 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t30, <8 x float> %t31, <8 x float> %t29)
  %t33 = fmul <8 x float> %t31, %t31
  %t34 = call <8 x float> @llvm.fma.v8f32(<8 x float> splat (float 0x3F56CC2280000000), <8 x float> %t33, <8 x float> %t32)
  %t35 = call <8 x float> @llvm.fma.v8f32(<8 x float> %t28, <8 x float> %t34, <8 x float> %t27)
  %t36 = fadd <8 x float> %t35, splat (float 0x3FF0000000000000)
  %t37 = add <8 x i32> %t25, splat (i32 127)
  %t38 = shl <8 x i32> %t37, splat (i32 23)
  %t39 = bitcast <8 x i32> %t38 to <8 x float>
  %t40 = fmul <8 x float> %t36, %t39
  %t41 = fsub <8 x float> splat (float 0x3FF0000000000000), %t40
  %t42 = call <8 x float> @llvm.copysign.v8f32(<8 x float> %t41, <8 x float> %p0)
  %t43 = fcmp ogt <8 x float> %t1, splat (float 0x3FED9999A0000000)
  %t44 = select <8 x i1> %t43, <8 x float> %t42, <8 x float> %t9
  ret <8 x float> %t44
}

declare <8 x float> @llvm.copysign.v8f32(<8 x float>, <8 x float>)
declare <8 x float> @llvm.fabs.v8f32(<8 x float>)
declare <8 x float> @llvm.fma.v8f32(<8 x float>, <8 x float>, <8 x float>)
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
