func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>, %i: tensor<i32>, %p: tensor<2x3xi1>, %c: tensor<2x3xcomplex<f32>>, %n: tensor<2x3xi32>, %s: tensor<f32>, %p0: tensor<i1>, %sh: tensor<2xindex>, %sh3: tensor<3xi64>, %sh2: tensor<2xi64>, %tok: !stablehlo.token, %st: tensor<2xui64>, %v: tensor<3xf32>, %img: tensor<1x8x8x3xf32>, %ker: tensor<3x3x3x4xf32>, %idx: tensor<5x1xi32>, %m: tensor<4x4xf32>, %dyn: tensor<?x3xf32>, %e4: tensor<4x2xf32>, %pp: tensor<2x2xi64>) {
  %0 = "stablehlo.abs"(%c) : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xf32>
  %1 = "stablehlo.exponential"(%a) <{result_accuracy = #stablehlo.result_accuracy<atol = 1.000000e-05, rtol = 0.000000e+00, ulps = 1, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = "stablehlo.exponential"(%a) <{result_accuracy = #stablehlo.result_accuracy<mode = #stablehlo.result_accuracy_mode<HIGHEST>>}> {foo = 1 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xcomplex<f32>>
  %4 = "stablehlo.real"(%c) : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xf32>
  %5 = "stablehlo.is_finite"(%a) : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %6 = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction EQ>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %7 = "stablehlo.reduce_precision"(%a) <{exponent_bits = 8 : i32, mantissa_bits = 7 : i32}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = "stablehlo.select"(%p, %dyn, %a) : (tensor<2x3xi1>, tensor<?x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = "stablehlo.clamp"(%s, %a, %s) : (tensor<f32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %11 = "stablehlo.constant"() <{value = dense<[[1.0, 2.5, 3.0], [4.0, 1.0e-10, 6.1]]> : tensor<2x3xf32>}> {a} : () -> tensor<2x3xf32>
  %12 = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<2x3xi32>
  %13 = "stablehlo.dynamic_iota"(%sh) <{iota_dimension = 1 : i64}> : (tensor<2xindex>) -> tensor<?x?xi32>
  %14 = "stablehlo.reshape"(%a) : (tensor<2x3xf32>) -> tensor<6xf32>
  %15 = "stablehlo.dynamic_reshape"(%a, %sh) : (tensor<2x3xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  %16 = "stablehlo.transpose"(%a) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %17 = "stablehlo.broadcast"(%a) <{broadcast_sizes = array<i64: 4>}> : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
  %18 = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  %19 = "stablehlo.reverse"(%a) <{dimensions = array<i64: 0>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %20 = "stablehlo.slice"(%a) <{start_indices = array<i64: 0, 1>, limit_indices = array<i64: 2, 3>, strides = array<i64: 1, 2>}> : (tensor<2x3xf32>) -> tensor<2x1xf32>
  %21 = "stablehlo.pad"(%a, %s) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 0, 0>}> : (tensor<2x3xf32>, tensor<f32>) -> tensor<4x3xf32>
  %22 = "stablehlo.dynamic_pad"(%a, %s, %sh, %sh, %sh) : (tensor<2x3xf32>, tensor<f32>, tensor<2xindex>, tensor<2xindex>, tensor<2xindex>) -> tensor<?x?xf32>
  %23 = "stablehlo.get_dimension_size"(%dyn) <{dimension = 0 : i64}> : (tensor<?x3xf32>) -> tensor<i32>
  %24 = "stablehlo.set_dimension_size"(%a, %i) <{dimension = 0 : i64}> : (tensor<2x3xf32>, tensor<i32>) -> tensor<?x3xf32, #stablehlo.bounds<2, ?>>
  %25 = "stablehlo.dynamic_broadcast_in_dim"(%v, %sh) <{broadcast_dimensions = array<i64: 1>, known_expanding_dimensions = array<i64: 0>}> : (tensor<3xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  %26 = "stablehlo.real_dynamic_slice"(%a, %sh, %sh, %sh) : (tensor<2x3xf32>, tensor<2xindex>, tensor<2xindex>, tensor<2xindex>) -> tensor<?x?xf32>
  %27 = "stablehlo.dynamic_slice"(%a, %i, %i) <{slice_sizes = array<i64: 1, 1>}> : (tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x1xf32>
  %28 = "stablehlo.dynamic_slice"(%s) <{slice_sizes = array<i64>}> : (tensor<f32>) -> tensor<f32>
  %29 = "stablehlo.dynamic_update_slice"(%a, %27, %i, %i) : (tensor<2x3xf32>, tensor<1x1xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  %30 = "stablehlo.dot"(%m, %m) <{precision_config = [#stablehlo<precision HIGH>, #stablehlo<precision DEFAULT>]}> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %31 = "stablehlo.dot"(%m, %m) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %32 = "stablehlo.dot_general"(%m, %m) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>], algorithm = #stablehlo.dot_algorithm<lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false>}> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %33 = "stablehlo.dot_general"(%m, %m) <{dot_dimension_numbers = #stablehlo.dot<>}> {foo = "x"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4x4x4xf32>
  %34 = "stablehlo.einsum"(%m, %m) <{einsum_config = "ij,jk->ik"}> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %35 = "stablehlo.unary_einsum"(%m) <{einsum_config = "ij->i"}> : (tensor<4x4xf32>) -> tensor<4xf32>
  %36 = "stablehlo.convolution"(%img, %ker) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, padding = dense<[[1,1],[2,0]]> : tensor<2x2xi64>, window_strides = array<i64: 2, 2>, window_reversal = array<i1: true, false>, rhs_dilation = array<i64: 1, 1>, lhs_dilation = array<i64: 1,1>, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision HIGH>]}> {foo} : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x4x4x4xf32>
  %37 = "stablehlo.convolution"(%img, %ker) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64}> : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  %38 = "stablehlo.dynamic_conv"(%img, %ker, %pp) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, window_strides = array<i64: 2, 2>}> : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>, tensor<2x2xi64>) -> tensor<1x?x?x4xf32>
  %39 = "stablehlo.fft"(%c) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 3>}> : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xcomplex<f32>>
  %40 = "stablehlo.cholesky"(%m) <{lower = true}> : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %41 = "stablehlo.cholesky"(%m) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %42 = "stablehlo.triangular_solve"(%m, %e4) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<4x4xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  %43 = "stablehlo.rng"(%s, %s, %sh) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<2xindex>) -> tensor<?x?xf32>
  %44:2 = "stablehlo.rng_bit_generator"(%st) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<3xui32>)
  %45 = "stablehlo.batch_norm_inference"(%a, %v, %v, %v, %v) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}> : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %46:2 = "stablehlo.optimization_barrier"(%a, %i) : (tensor<2x3xf32>, tensor<i32>) -> (tensor<2x3xf32>, tensor<i32>)
  "stablehlo.optimization_barrier"() : () -> ()
  %47 = "stablehlo.tuple"(%a, %i) : (tensor<2x3xf32>, tensor<i32>) -> tuple<tensor<2x3xf32>, tensor<i32>>
  %48 = "stablehlo.get_tuple_element"(%47) <{index = 1 : i32}> : (tuple<tensor<2x3xf32>, tensor<i32>>) -> tensor<i32>
  %49 = "stablehlo.custom_call"(%a, %i) <{call_target_name = "foo.bar", has_side_effect = true, api_version = 2 : i32, backend_config = "abc", called_computations = [@g], operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>], result_layouts = [dense<[1, 0]> : tensor<2xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>]}> {mhlo.attr = {x = 1 : i32}} : (tensor<2x3xf32>, tensor<i32>) -> tensor<2x3xf32>
  "stablehlo.custom_call"(%a) <{call_target_name = "side", api_version = 4 : i32, backend_config = {a = 1 : i64}}> : (tensor<2x3xf32>) -> ()
  %50 = "stablehlo.composite"(%a) <{name = "my.op", decomposition = @g, version = 1 : i32, composite_attributes = {k = 1 : i64}}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %51 = "stablehlo.create_token"() : () -> !stablehlo.token
  %52 = "stablehlo.after_all"(%51, %tok) : (!stablehlo.token, !stablehlo.token) -> !stablehlo.token
  %53 = "stablehlo.after_all"() : () -> !stablehlo.token
  %54 = "stablehlo.replica_id"() : () -> tensor<ui32>
  %55:2 = "stablehlo.infeed"(%tok) <{infeed_config = "x", layout = [[0, 1]]}> : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
  %56 = "stablehlo.outfeed"(%a, %tok) <{outfeed_config = ""}> : (tensor<2x3xf32>, !stablehlo.token) -> !stablehlo.token
  %57 = "stablehlo.send"(%a, %tok) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2x3xf32>, !stablehlo.token) -> !stablehlo.token
  %58:2 = "stablehlo.recv"(%tok) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>, is_host_transfer = true}> : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
  %59 = "stablehlo.torch_index_select"(%m, %sh3) <{dim = 0 : i64, batch_dims = 0 : i64}> : (tensor<4x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %60 = "stablehlo.gather"(%m, %idx) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>, indices_are_sorted = false}> : (tensor<4x4xf32>, tensor<5x1xi32>) -> tensor<5x4xf32>
  %61 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>, use_global_device_ids}> : (tensor<2x3xf32>) -> tensor<2x6xf32>
  %62 = "stablehlo.collective_permute"(%a) <{source_target_pairs = dense<[[0, 1], [1, 0]]> : tensor<2x2xi64>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %63 = "stablehlo.all_to_all"(%m) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<4x4xf32>) -> tensor<8x2xf32>
  %64 = "stablehlo.reduce"(%a, %s) <{dimensions = array<i64: 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %70 = "stablehlo.add"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%70) : (tensor<f32>) -> ()
  }) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
  %65:2 = "stablehlo.reduce"(%a, %n, %s, %i) <{dimensions = array<i64: 1>}> ({
  ^bb0(%x: tensor<f32>, %x2: tensor<i32>, %y: tensor<f32>, %y2: tensor<i32>):
    %70 = "stablehlo.add"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %71 = "stablehlo.add"(%x2, %y2) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%70, %71) : (tensor<f32>, tensor<i32>) -> ()
  }) {foo} : (tensor<2x3xf32>, tensor<2x3xi32>, tensor<f32>, tensor<i32>) -> (tensor<2xf32>, tensor<2xi32>)
  %66 = "stablehlo.if"(%p0) ({
    "stablehlo.return"(%a) : (tensor<2x3xf32>) -> ()
  }, {
    "stablehlo.return"(%b) : (tensor<2x3xf32>) -> ()
  }) : (tensor<i1>) -> tensor<2x3xf32>
  %67 = "stablehlo.case"(%i) ({
    "stablehlo.return"(%a) : (tensor<2x3xf32>) -> ()
  }, {
    "stablehlo.return"(%b) : (tensor<2x3xf32>) -> ()
  }) : (tensor<i32>) -> tensor<2x3xf32>
  %68:2 = "stablehlo.while"(%i, %a) ({
  ^bb0(%x: tensor<i32>, %y: tensor<2x3xf32>):
    "stablehlo.return"(%p0) : (tensor<i1>) -> ()
  }, {
  ^bb0(%x: tensor<i32>, %y: tensor<2x3xf32>):
    "stablehlo.return"(%x, %y) : (tensor<i32>, tensor<2x3xf32>) -> ()
  }) {foo = 1 : i64} : (tensor<i32>, tensor<2x3xf32>) -> (tensor<i32>, tensor<2x3xf32>)
  "stablehlo.while"() ({
    "stablehlo.return"(%p0) : (tensor<i1>) -> ()
  }, {
    "stablehlo.return"() : () -> ()
  }) : () -> ()
  %69 = "stablehlo.map"(%a, %b) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    "stablehlo.return"(%x) : (tensor<f32>) -> ()
  }) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %70 = "stablehlo.bitcast_convert"(%a) : (tensor<2x3xf32>) -> tensor<2x3xi32>
  %71 = "stablehlo.convert"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %72 = "stablehlo.sort"(%a) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %73 = "stablehlo.compare"(%x, %y) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%73) : (tensor<i1>) -> ()
  }) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %74 = "stablehlo.add"(%a, %dyn) : (tensor<2x3xf32>, tensor<?x3xf32>) -> tensor<2x3xf32>
  %75 = "stablehlo.concatenate"(%a) <{dimension = 0 : i64}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %76 = "stablehlo.collective_broadcast"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %77 = "stablehlo.partition_id"() : () -> tensor<ui32>
  %78 = "stablehlo.dynamic_gather"(%m, %idx, %sh2) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<4x4xf32>, tensor<5x1xi32>, tensor<2xi64>) -> tensor<5x?xf32>
  return
}
func.func private @g(%a: tensor<2x3xf32>) -> tensor<2x3xf32>
