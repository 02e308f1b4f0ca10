module {
  func.func @f(%arg0: tensor<2x3xf32>, %arg1: tensor<2x3xf32>, %arg2: tensor<i32>, %arg3: tensor<2x3xi1>, %arg4: tensor<2x3xcomplex<f32>>, %arg5: tensor<2x3xi32>, %arg6: tensor<f32>, %arg7: tensor<i1>, %arg8: tensor<2xindex>, %arg9: tensor<3xi64>, %arg10: tensor<2xi64>, %arg11: !stablehlo.token, %arg12: tensor<2xui64>, %arg13: tensor<3xf32>, %arg14: tensor<1x8x8x3xf32>, %arg15: tensor<3x3x3x4xf32>, %arg16: tensor<5x1xi32>, %arg17: tensor<4x4xf32>, %arg18: tensor<?x3xf32>, %arg19: tensor<4x2xf32>, %arg20: tensor<2x2xi64>) {
    %0 = stablehlo.abs %arg4 : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xf32>
    %1 = stablehlo.exponential %arg0 {result_accuracy = #stablehlo.result_accuracy<atol = 1.000000e-05, ulps = 1, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<2x3xf32>
    %2 = stablehlo.exponential %arg0 {foo = 1 : i32, result_accuracy = #stablehlo.result_accuracy<mode = #stablehlo.result_accuracy_mode<HIGHEST>>} : tensor<2x3xf32>
    %3 = stablehlo.complex %arg0, %arg1 : tensor<2x3xcomplex<f32>>
    %4 = stablehlo.real %arg4 : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xf32>
    %5 = stablehlo.is_finite %arg0 : (tensor<2x3xf32>) -> tensor<2x3xi1>
    %6 = stablehlo.compare EQ, %arg0, %arg1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
    %7 = stablehlo.reduce_precision %arg0, format = e8m7 : tensor<2x3xf32>
    %8 = stablehlo.select %arg3, %arg0, %arg1 : tensor<2x3xi1>, tensor<2x3xf32>
    %9 = stablehlo.select %arg3, %arg18, %arg0 : (tensor<2x3xi1>, tensor<?x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %10 = stablehlo.clamp %arg6, %arg0, %arg6 : (tensor<f32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
    %cst = stablehlo.constant {a} dense<[[1.000000e+00, 2.500000e+00, 3.000000e+00], [4.000000e+00, 1.000000e-10, 6.100000e+00]]> : tensor<2x3xf32>
    %11 = stablehlo.iota dim = 1 : tensor<2x3xi32>
    %12 = stablehlo.dynamic_iota %arg8, dim = 1 : (tensor<2xindex>) -> tensor<?x?xi32>
    %13 = stablehlo.reshape %arg0 : (tensor<2x3xf32>) -> tensor<6xf32>
    %14 = stablehlo.dynamic_reshape %arg0, %arg8 : (tensor<2x3xf32>, tensor<2xindex>) -> tensor<?x?xf32>
    %15 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
    %16 = stablehlo.broadcast %arg0, sizes = [4] : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
    %17 = stablehlo.concatenate %arg0, %arg1, dim = 0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    %18 = stablehlo.reverse %arg0, dims = [0] : tensor<2x3xf32>
    %19 = stablehlo.slice %arg0 [0:2, 1:3:2] : (tensor<2x3xf32>) -> tensor<2x1xf32>
    %20 = stablehlo.pad %arg0, %arg6, low = [0, 1], high = [2, -1], interior = [0, 0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<4x3xf32>
    %21 = stablehlo.dynamic_pad %arg0, %arg6, %arg8, %arg8, %arg8 : (tensor<2x3xf32>, tensor<f32>, tensor<2xindex>, tensor<2xindex>, tensor<2xindex>) -> tensor<?x?xf32>
    %22 = stablehlo.get_dimension_size %arg18, dim = 0 : (tensor<?x3xf32>) -> tensor<i32>
    %23 = stablehlo.set_dimension_size %arg0, %arg2, dim = 0 : (tensor<2x3xf32>, tensor<i32>) -> tensor<?x3xf32, #stablehlo.bounds<2, ?>>
    %24 = stablehlo.dynamic_broadcast_in_dim %arg13, %arg8, dims = [1] {known_expanding_dimensions = array<i64: 0>} : (tensor<3xf32>, tensor<2xindex>) -> tensor<?x?xf32>
    %25 = stablehlo.real_dynamic_slice %arg0, %arg8, %arg8, %arg8 : (tensor<2x3xf32>, tensor<2xindex>, tensor<2xindex>, tensor<2xindex>) -> tensor<?x?xf32>
    %26 = stablehlo.dynamic_slice %arg0, %arg2, %arg2, sizes = [1, 1] : (tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x1xf32>
    %27 = stablehlo.dynamic_slice %arg6, sizes = [] : (tensor<f32>) -> tensor<f32>
    %28 = stablehlo.dynamic_update_slice %arg0, %26, %arg2, %arg2 : (tensor<2x3xf32>, tensor<1x1xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
    %29 = stablehlo.dot %arg17, %arg17, precision = [HIGH, DEFAULT] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %30 = stablehlo.dot %arg17, %arg17 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %31 = stablehlo.dot_general %arg17, %arg17, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %32 = stablehlo.dot_general %arg17, %arg17, contracting_dims = [] x [] {foo = "x"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4x4x4xf32>
    %33 = stablehlo.einsum %arg17, %arg17, config = "ij,jk->ik" : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %34 = stablehlo.unary_einsum %arg17, config = "ij->i" : (tensor<4x4xf32>) -> tensor<4xf32>
    %35 = stablehlo.convolution(%arg14, %arg15) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[1, 1], [2, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [true, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, foo, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision HIGH>]} : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x4x4x4xf32>
    %36 = stablehlo.convolution(%arg14, %arg15) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
    %37 = "stablehlo.dynamic_conv"(%arg14, %arg15, %arg20) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, window_strides = array<i64: 2, 2>}> : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>, tensor<2x2xi64>) -> tensor<1x?x?x4xf32>
    %38 = stablehlo.fft %arg4, type = FFT, length = [3] : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xcomplex<f32>>
    %39 = stablehlo.cholesky %arg17, lower = true : tensor<4x4xf32>
    %40 = stablehlo.cholesky %arg17 : tensor<4x4xf32>
    %41 = "stablehlo.triangular_solve"(%arg17, %arg19) <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}> : (tensor<4x4xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
    %42 = stablehlo.rng %arg6, %arg6, %arg8, distribution = NORMAL : (tensor<f32>, tensor<f32>, tensor<2xindex>) -> tensor<?x?xf32>
    %output_state, %output = stablehlo.rng_bit_generator %arg12, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<3xui32>)
    %43 = "stablehlo.batch_norm_inference"(%arg0, %arg13, %arg13, %arg13, %arg13) <{epsilon = 1.000000e-03 : f32, feature_index = 1 : i64}> : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %44:2 = stablehlo.optimization_barrier %arg0, %arg2 : tensor<2x3xf32>, tensor<i32>
    stablehlo.optimization_barrier()
    %45 = stablehlo.tuple %arg0, %arg2 : tuple<tensor<2x3xf32>, tensor<i32>>
    %46 = stablehlo.get_tuple_element %45[1] : (tuple<tensor<2x3xf32>, tensor<i32>>) -> tensor<i32>
    %47 = stablehlo.custom_call @foo.bar(%arg0, %arg2) {api_version = 2 : i32, backend_config = "abc", called_computations = [@g], has_side_effect = true, mhlo.attr = {x = 1 : i32}, operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<[1, 0]> : tensor<2xindex>]} : (tensor<2x3xf32>, tensor<i32>) -> tensor<2x3xf32>
    stablehlo.custom_call @side(%arg0) {api_version = 4 : i32, backend_config = {a = 1 : i64}} : (tensor<2x3xf32>) -> ()
    %48 = stablehlo.composite "my.op" %arg0 {composite_attributes = {k = 1 : i64}, decomposition = @g, version = 1 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %49 = stablehlo.create_token : !stablehlo.token
    %50 = stablehlo.after_all %49, %arg11 : !stablehlo.token
    %51 = stablehlo.after_all  : !stablehlo.token
    %52 = stablehlo.replica_id : tensor<ui32>
    %53:2 = "stablehlo.infeed"(%arg11) <{infeed_config = "x", layout = [[0, 1]]}> : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
    %54 = "stablehlo.outfeed"(%arg0, %arg11) <{outfeed_config = ""}> : (tensor<2x3xf32>, !stablehlo.token) -> !stablehlo.token
    %55 = "stablehlo.send"(%arg0, %arg11) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2x3xf32>, !stablehlo.token) -> !stablehlo.token
    %56:2 = "stablehlo.recv"(%arg11) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>, is_host_transfer = true}> : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
    %57 = "stablehlo.torch_index_select"(%arg17, %arg9) <{batch_dims = 0 : i64, dim = 0 : i64}> : (tensor<4x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
    %58 = "stablehlo.gather"(%arg17, %arg16) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 4>}> : (tensor<4x4xf32>, tensor<5x1xi32>) -> tensor<5x4xf32>
    %59 = "stablehlo.all_gather"(%arg0) <{all_gather_dim = 1 : i64, channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>, replica_groups = dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>, use_global_device_ids}> : (tensor<2x3xf32>) -> tensor<2x6xf32>
    %60 = "stablehlo.collective_permute"(%arg0) <{source_target_pairs = dense<[[0, 1], [1, 0]]> : tensor<2x2xi64>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %61 = "stablehlo.all_to_all"(%arg17) <{concat_dimension = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, split_count = 2 : i64, split_dimension = 1 : i64}> : (tensor<4x4xf32>) -> tensor<8x2xf32>
    %62 = stablehlo.reduce(%arg0 init: %arg6) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
    %63:2 = stablehlo.reduce(%arg0 init: %arg6), (%arg5 init: %arg2) across dimensions = [1] {foo} : (tensor<2x3xf32>, tensor<2x3xi32>, tensor<f32>, tensor<i32>) -> (tensor<2xf32>, tensor<2xi32>)
     reducer(%arg21: tensor<f32>, %arg23: tensor<f32>) (%arg22: tensor<i32>, %arg24: tensor<i32>)  {
      %76 = stablehlo.add %arg21, %arg23 : tensor<f32>
      %77 = stablehlo.add %arg22, %arg24 : tensor<i32>
      stablehlo.return %76, %77 : tensor<f32>, tensor<i32>
    }
    %64 = "stablehlo.if"(%arg7) ({
      stablehlo.return %arg0 : tensor<2x3xf32>
    }, {
      stablehlo.return %arg1 : tensor<2x3xf32>
    }) : (tensor<i1>) -> tensor<2x3xf32>
    %65 = "stablehlo.case"(%arg2) ({
      stablehlo.return %arg0 : tensor<2x3xf32>
    }, {
      stablehlo.return %arg1 : tensor<2x3xf32>
    }) : (tensor<i32>) -> tensor<2x3xf32>
    %66:2 = stablehlo.while(%iterArg = %arg2, %iterArg_0 = %arg0) : tensor<i32>, tensor<2x3xf32> attributes {foo = 1 : i64}
    cond {
      stablehlo.return %arg7 : tensor<i1>
    } do {
      stablehlo.return %iterArg, %iterArg_0 : tensor<i32>, tensor<2x3xf32>
    }
    stablehlo.while()
    cond {
      stablehlo.return %arg7 : tensor<i1>
    } do {
      stablehlo.return 
    }
    %67 = "stablehlo.map"(%arg0, %arg1) <{dimensions = array<i64: 0, 1>}> ({
    ^bb0(%arg21: tensor<f32>, %arg22: tensor<f32>):
      stablehlo.return %arg21 : tensor<f32>
    }) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %68 = stablehlo.bitcast_convert %arg0 : (tensor<2x3xf32>) -> tensor<2x3xi32>
    %69 = stablehlo.convert %arg0 : tensor<2x3xf32>
    %70 = "stablehlo.sort"(%arg0) <{dimension = 1 : i64, is_stable = true}> ({
    ^bb0(%arg21: tensor<f32>, %arg22: tensor<f32>):
      %76 = stablehlo.compare LT, %arg21, %arg22, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %76 : tensor<i1>
    }) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %71 = stablehlo.add %arg0, %arg18 : (tensor<2x3xf32>, tensor<?x3xf32>) -> tensor<2x3xf32>
    %72 = stablehlo.concatenate %arg0, dim = 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %73 = "stablehlo.collective_broadcast"(%arg0) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %74 = stablehlo.partition_id : tensor<ui32>
    %75 = "stablehlo.dynamic_gather"(%arg17, %arg16, %arg10) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<4x4xf32>, tensor<5x1xi32>, tensor<2xi64>) -> tensor<5x?xf32>
    return
  }
  func.func private @g(tensor<2x3xf32>) -> tensor<2x3xf32>
}

