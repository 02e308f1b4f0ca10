"""Reductions, contractions, convolutions, linear algebra, normalization."""

from __future__ import annotations

from tests.ir.rules.forms import ADD, DOT, PREDICATE, WINDOW, conv, generic, region

CASES: list[tuple[str, str]] = [
    # ------------------------------------------------------------------------------------------ reductions
    (
        "reduce.C1",
        generic("reduce", "a t s s", "dimensions = array<i64: 1>", "v v", region("f32 f32 f32 f32", "q0 q1")),
    ),
    ("reduce.C2", generic("reduce", "a sh", "dimensions = array<i64: 1>", "v", ADD)),
    ("reduce.C3", generic("reduce", "a", "dimensions = array<i64: 1>", "v", ADD)),
    ("reduce.C4", generic("reduce", "a s", "dimensions = array<i64: 2>", "v", ADD)),
    ("reduce.C5", generic("reduce", "a s", "dimensions = array<i64: 1, 1>", "v", ADD)),
    ("reduce.C6", generic("reduce", "a s", "dimensions = array<i64: 1>", "v", region("f32", "q0"))),
    ("reduce.C6", generic("reduce", "a s", "dimensions = array<i64: 1>", "v", region("i32 i32", "q0", "i32"))),
    ("reduce.C6", generic("reduce", "a s", "dimensions = array<i64: 1>", "v", region("f32 f32", "q0 q1"))),
    ("reduce.I1", generic("reduce", "tok s", "dimensions = array<i64: 1>", "v", ADD)),
    ("reduce.I2", generic("reduce", "a v", "dimensions = array<i64: 1>", "v", ADD)),
    ("sort.C1", generic("sort", "", "dimension = 0 : i64", "", PREDICATE)),
    ("sort.C3", generic("sort", "a t", "dimension = 0 : i64", "a t", region("f32 f32 f32 f32", "p0", "i1"))),
    ("sort.C4", generic("sort", "a", "dimension = 2 : i64", "a", PREDICATE)),
    ("sort.C5", generic("sort", "a", "dimension = 0 : i64", "a", ADD)),
    ("sort.I1", generic("sort", "tok", "dimension = 0 : i64", "tok", PREDICATE)),
    ("reduce_window.C1", generic("reduce_window", "a", WINDOW, "a", ADD)),
    (
        "reduce_window.C2",
        generic("reduce_window", "a t s s", WINDOW, "a a", region("f32 f32 f32 f32", "q0 q1")),
    ),
    ("reduce_window.C3", generic("reduce_window", "a sh", WINDOW, "a", ADD)),
    ("reduce_window.I2", generic("reduce_window", "a v", WINDOW, "a", ADD)),
    ("reduce_window.I1", generic("reduce_window", "tok s", WINDOW, "a", ADD)),
    ("reduce_window.C4", generic("reduce_window", "a s", "window_dimensions = array<i64: 1>", "a", ADD)),
    ("reduce_window.C5", generic("reduce_window", "a s", "window_dimensions = array<i64: 1, 0>", "a", ADD)),
    *(
        (
            f"reduce_window.{rule}",
            generic("reduce_window", "a s", f"{WINDOW}, {name} = array<i64: {values}>", "a", ADD),
        )
        for rule, name, values in (
            ("C6", "window_strides", "1"),
            ("C7", "window_strides", "1, 0"),
            ("C8", "base_dilations", "1"),
            ("C9", "base_dilations", "1, 0"),
            ("C10", "window_dilations", "1"),
            ("C11", "window_dilations", "1, 0"),
        )
    ),
    (
        "reduce_window.C12",
        generic("reduce_window", "a s", f"{WINDOW}, padding = dense<0> : tensor<1x2xi64>", "a", ADD),
    ),
    ("reduce_window.C13", generic("reduce_window", "a s", WINDOW, "a", region("f32", "q0"))),
    ("reduce_window.type", generic("reduce_window", "a s", WINDOW, "t", ADD)),
    *(
        (
            f"select_and_scatter.{rule}",
            generic("select_and_scatter", operands, attributes, "a", f"{select}, {body}"),
        )
        for rule, operands, attributes, select, body in (
            ("C1", "a h s", WINDOW, PREDICATE, ADD),
            ("C2", "a t s", WINDOW, PREDICATE, ADD),
            ("C3", "a a sh", WINDOW, PREDICATE, ADD),
            ("C4", "a a s", "window_dimensions = array<i64: 1>", PREDICATE, ADD),
            ("C5", "a a s", "window_dimensions = array<i64: 1, 0>", PREDICATE, ADD),
            ("C6", "a a s", f"{WINDOW}, window_strides = array<i64: 1>", PREDICATE, ADD),
            ("C7", "a a s", f"{WINDOW}, window_strides = array<i64: 1, 0>", PREDICATE, ADD),
            ("C8", "a a s", f"{WINDOW}, padding = dense<0> : tensor<1x2xi64>", PREDICATE, ADD),
            ("C9", "a a s", "window_dimensions = array<i64: 1, 1>", ADD, ADD),
            ("C10", "a a s", "window_dimensions = array<i64: 1, 1>", PREDICATE, PREDICATE),
            ("I1", "tok a s", WINDOW, PREDICATE, ADD),
        )
    ),
    # ------------------------------------------------------------------------------------------ contraction
    *(
        (f"dot_general.{rule}", generic("dot_general", operands, DOT.format(numbers) + more, result))
        for rule, operands, numbers, more, result in (
            ("C1", "m m", "lhs_batching_dimensions = [0]", "", "m"),
            ("C2", "m m", "lhs_contracting_dimensions = [0]", "", "m"),
            ("C3", "m m", "lhs_contracting_dimensions = [0, 0], rhs_contracting_dimensions = [0, 1]", "", "m"),
            ("C4", "m m", "lhs_contracting_dimensions = [0, 1], rhs_contracting_dimensions = [0, 0]", "", "m"),
            ("C5", "m m", "lhs_batching_dimensions = [2], rhs_batching_dimensions = [0]", "", "m"),
            ("C6", "m m", "lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [0]", "", "m"),
            ("C7", "m m", "lhs_batching_dimensions = [0], rhs_batching_dimensions = [2]", "", "m"),
            ("C8", "m m", "lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [2]", "", "m"),
            ("C9", "a m", "lhs_batching_dimensions = [0], rhs_batching_dimensions = [0]", "", "m"),
            ("C10", "a m", "lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]", "", "m"),
            (
                "C11",
                "m m",
                "lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]",
                ", precision_config = [#stablehlo<precision HIGH>]",
                "m",
            ),
            ("C12", "m m", "lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]", "", "a"),
            ("C13", "a n", "lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]", "", "tensor<3x3xf32>"),
            ("I2", "m tok", "", "", "m"),
        )
    ),
    ("dot.C1", generic("dot", "img m", "", "m")),
    ("dot.C2", generic("dot", "a m", "", "m")),
    ("dot.C3", generic("dot", "m m", "", "a")),
    ("dot.C4", generic("dot", "m m", "precision_config = [#stablehlo<precision HIGH>]", "m")),
    ("dot.I2", generic("dot", "m tok", "", "m")),
    ("einsum.C1", generic("einsum", "a n", 'einsum_config = "ij,ij->ij"', "a")),
    ("einsum.C2", generic("einsum", "a a", 'einsum_config = "ij->ij"', "a")),
    ("einsum.C2", generic("einsum", "a a", 'einsum_config = "ij,jk->ik"', "a")),
    ("einsum.I2", generic("einsum", "a tok", 'einsum_config = "ij,jk->ik"', "a")),
    ("unary_einsum.C1", generic("unary_einsum", "a", 'einsum_config = "ij->i"', "n")),
    ("unary_einsum.C2", generic("unary_einsum", "a", 'einsum_config = "ijk->i"', "a")),
    # ------------------------------------------------------------------------------------------ convolution
    ("convolution.C1", conv(operands="img a")),
    ("convolution.C1", conv(operands="v v", numbers="[b, f]x[i, o]->[b, f]")),
    ("convolution.C2", conv(more="window_strides = array<i64: 1>")),
    ("convolution.C3", conv(more="window_strides = array<i64: 1, 0>")),
    ("convolution.C4", conv(more="padding = dense<0> : tensor<1x2xi64>")),
    ("convolution.C5", conv(more="lhs_dilation = array<i64: 1>")),
    ("convolution.C6", conv(more="lhs_dilation = array<i64: 1, 0>")),
    ("convolution.C7", conv(more="rhs_dilation = array<i64: 1>")),
    ("convolution.C8", conv(more="rhs_dilation = array<i64: 1, 0>")),
    ("convolution.C9", conv(more="window_reversal = array<i1: true>")),
    ("convolution.C10", conv(batch_groups=3)),
    ("convolution.C11", conv(groups=4)),
    ("convolution.C12", conv(numbers="[b, 0, f]x[0, i, o]->[b, 0, f]")),
    ("convolution.C13", conv(numbers="[b, 0, 1, ?, f]x[0, 1, i, o]->[b, 0, 1, f]")),
    ("convolution.C14", conv(groups=2)),
    ("convolution.C15", conv(operands="img ker", batch_groups=2, numbers="[b, 0, 1, f]x[0, o, i, 1]->[b, 0, 1, f]")),
    ("convolution.C16", conv(operands="img ker2", groups=3)),
    ("convolution.C18", conv(numbers="[b, 0, 1, f]x[0, 1, ?, i, o]->[b, 0, 1, f]")),
    ("convolution.C20", conv(numbers="[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, ?, f]")),
    ("convolution.C21", conv(groups=0)),
    ("convolution.C22", conv(batch_groups=0)),
    ("convolution.C23", conv(groups=2, batch_groups=2)),
    ("convolution.C24", conv(more="precision_config = [#stablehlo<precision HIGH>]")),
    ("convolution.C25", conv(result="tensor<2x6x6x5xf32>")),
    ("convolution.C26", conv(result="tensor<2x6x6xf32>")),
    ("convolution.I2", conv(operands="img tok")),
    (
        "dynamic_conv.C4",
        generic(
            "dynamic_conv",
            "img ker x3",
            "dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,"
            " feature_group_count = 1 : i64, batch_group_count = 1 : i64",
            "tensor<2x?x?x4xf32>",
        ),
    ),
    (
        "dynamic_conv.I4",
        generic(
            "dynamic_conv",
            "img ker m",
            "dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,"
            " feature_group_count = 1 : i64, batch_group_count = 1 : i64",
            "tensor<2x?x?x4xf32>",
        ),
    ),
    (
        "dynamic_conv.C24",
        generic(
            "dynamic_conv",
            "img ker x22",
            "dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,"
            " feature_group_count = 1 : i64, batch_group_count = 1 : i64,"
            " precision_config = [#stablehlo<precision HIGH>]",
            "tensor<2x?x?x4xf32>",
        ),
    ),
    # ------------------------------------------------------------------------------------------ linear algebra
    ("fft.I1", generic("fft", "n", "fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 3>", "c")),
    ("fft.C1", generic("fft", "cm", "fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 1, 2, 5>", "cm")),
    ("fft.C2", generic("fft", "a", "fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 3>", "c")),
    ("fft.C3", generic("fft", "c", "fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64>", "c")),
    ("fft.C4", generic("fft", "a", "fft_type = #stablehlo<fft_type RFFT>, fft_length = array<i64: 4>", "c")),
    ("fft.C4", generic("fft", "cm", "fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 3, 8>", "a")),
    ("fft.C5", generic("fft", "cm", "fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 4>", "a")),
    ("cholesky.I1", generic("cholesky", "n", "", "n")),
    ("cholesky.C2", generic("cholesky", "v", "", "v")),
    ("cholesky.C3", generic("cholesky", "a", "", "a")),
    *(
        (
            f"triangular_solve.{rule}",
            generic(
                "triangular_solve",
                operands,
                "left_side = true, lower = true, unit_diagonal = false,"
                " transpose_a = #stablehlo<transpose NO_TRANSPOSE>",
                result,
            ),
        )
        for rule, operands, result in (
            ("I1", "n n", "n"),
            ("I2", "m n", "n"),
            ("C1", "m h", "h"),
            ("C2", "m v", "v"),
            ("C3", "a a", "a"),
            ("C3", "m a", "a"),
        )
    ),
    ("rng.I1", generic("rng", "v v x2", "rng_distribution = #stablehlo<rng_distribution UNIFORM>", "a")),
    ("rng.I3", generic("rng", "s s a", "rng_distribution = #stablehlo<rng_distribution UNIFORM>", "a")),
    ("rng.C1", generic("rng", "s sh x2", "rng_distribution = #stablehlo<rng_distribution UNIFORM>", "a")),
    ("rng.C2", generic("rng", "i i x2", "rng_distribution = #stablehlo<rng_distribution NORMAL>", "n")),
    ("rng.C3", generic("rng", "s s x3", "rng_distribution = #stablehlo<rng_distribution UNIFORM>", "a")),
    (
        "rng_bit_generator.C1",
        generic("rng_bit_generator", "st", "rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>", "st5 n"),
    ),
    (
        "rng_bit_generator.C2",
        generic("rng_bit_generator", "st5", "rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>", "st5 n"),
    ),
    # ------------------------------------------------------------------------------------------ normalization
    *(
        (
            f"batch_norm_inference.{rule}",
            generic("batch_norm_inference", operands, f"epsilon = 1.0e-3 : f32, feature_index = {feature} : i64", "a"),
        )
        for rule, operands, feature in (
            ("I1", "n v v v v", 1),
            ("I2", "a a v v v", 1),
            ("C1", "a v v v v", 2),
            ("C2", "a vh v v v", 1),
            ("C3", "a w v v v", 1),
            ("C4", "a v w v v", 1),
            ("C5", "a v v w v", 1),
            ("C6", "a v v v w", 1),
        )
    ),
    (
        "batch_norm_training.C3",
        generic("batch_norm_training", "a w v", "epsilon = 1.0e-3 : f32, feature_index = 1 : i64", "a v v"),
    ),
    (
        "batch_norm_grad.C2",
        generic("batch_norm_grad", "a v v v h", "epsilon = 1.0e-3 : f32, feature_index = 1 : i64", "a v v"),
    ),
    (
        "batch_norm_grad.C7",
        generic("batch_norm_grad", "a v v v v", "epsilon = 1.0e-3 : f32, feature_index = 1 : i64", "a v v"),
    ),
    (
        "batch_norm_grad.I5",
        generic("batch_norm_grad", "a v v v tok", "epsilon = 1.0e-3 : f32, feature_index = 1 : i64", "a v v"),
    ),
]
