"""Elementwise operations, and those that make or move elements."""

from __future__ import annotations

from tests.ir.rules.forms import ADD, generic, region

CASES: list[tuple[str, str]] = [
    # ------------------------------------------------------------------------------------------ elementwise
    ("cosine.I1", generic("cosine", "n", "", "n")),
    ("cosine.type", generic("cosine", "a", "", "t")),
    ("add.C1", generic("add", "a t", "", "a")),
    ("add.C1", generic("add", "a h", "", "a")),
    ("add.I1", generic("add", "tok tok", "", "tok")),
    ("and.I1", generic("and", "a a", "", "a")),
    ("and.I2", generic("and", "n a", "", "n")),
    ("abs.I1", generic("abs", "u", "", "u")),
    ("abs.type", generic("abs", "c", "", "c")),
    ("complex.I1", generic("complex", "h h", "", "c")),
    ("complex.I2", generic("complex", "a n", "", "c")),
    ("complex.C1", generic("complex", "a t", "", "c")),
    ("real.I1", generic("real", "n", "", "n")),
    ("imag.I1", generic("imag", "n", "", "n")),
    ("is_finite.I1", generic("is_finite", "n", "", "p")),
    ("is_finite.type", generic("is_finite", "a", "", "a")),
    ("compare.I1", generic("compare", "tok a", "comparison_direction = #stablehlo<comparison_direction EQ>", "p")),
    ("compare.I2", generic("compare", "a tok", "comparison_direction = #stablehlo<comparison_direction EQ>", "p")),
    ("compare.C1", generic("compare", "a n", "comparison_direction = #stablehlo<comparison_direction EQ>", "p")),
    ("compare.C2", generic("compare", "a t", "comparison_direction = #stablehlo<comparison_direction EQ>", "p")),
    (
        "compare.C3",
        generic(
            "compare",
            "n n",
            "comparison_direction = #stablehlo<comparison_direction EQ>,"
            " compare_type = #stablehlo<comparison_type FLOAT>",
            "p",
        ),
    ),
    (
        "compare.C4",
        generic(
            "compare",
            "c c",
            "comparison_direction = #stablehlo<comparison_direction LT>,"
            " compare_type = #stablehlo<comparison_type FLOAT>",
            "p",
        ),
    ),
    ("convert.C1", generic("convert", "a", "", "t")),
    ("reduce_precision.I1", generic("reduce_precision", "n", "exponent_bits = 8 : i32, mantissa_bits = 7 : i32", "n")),
    ("reduce_precision.C2", generic("reduce_precision", "a", "exponent_bits = 0 : i32, mantissa_bits = 7 : i32", "a")),
    ("reduce_precision.C3", generic("reduce_precision", "a", "exponent_bits = 8 : i32, mantissa_bits = -1 : i32", "a")),
    ("select.I1", generic("select", "n a a", "", "a")),
    ("select.I2", generic("select", "p tok a", "", "a")),
    ("select.I3", generic("select", "p a tok", "", "a")),
    ("select.C1", generic("select", "pt a a", "", "a")),
    ("select.C2", generic("select", "p a t", "", "a")),
    ("clamp.I1", generic("clamp", "tok a s", "", "a")),
    ("clamp.C1", generic("clamp", "t a s", "", "a")),
    ("clamp.C2", generic("clamp", "s a t", "", "a")),
    ("clamp.C3", generic("clamp", "sh a s", "", "a")),
    ("map.C1", generic("map", "a t", "dimensions = array<i64: 0, 1>", "a", ADD)),
    ("map.C2", generic("map", "", "dimensions = array<i64>", "a", ADD)),
    ("map.C3", generic("map", "a a", "dimensions = array<i64: 1, 0>", "a", ADD)),
    ("map.C4", generic("map", "a a", "dimensions = array<i64: 0, 1>", "a", region("f32", "q0"))),
    ("map.I1", generic("map", "tok", "dimensions = array<i64>", "a", ADD)),
    ("bitcast_convert.C1", generic("bitcast_convert", "a", "", "t")),
    ("bitcast_convert.C1", generic("bitcast_convert", "a", "", "tensor<2x3x4xf16>")),
    ("bitcast_convert.C2", generic("bitcast_convert", "c", "", "tensor<2x3xi64>")),
    # ------------------------------------------------------------------------------------------ shape
    ("iota.C1", generic("iota", "", "iota_dimension = 2 : i64", "a")),
    ("reshape.C1", generic("reshape", "a", "", "n")),
    ("reshape.C2", generic("reshape", "a", "", "v")),
    ("transpose.C2", generic("transpose", "a", "permutation = array<i64: 0, 0>", "a")),
    ("transpose.type", generic("transpose", "a", "permutation = array<i64: 1, 0>", "a")),
    ("broadcast_in_dim.C1", generic("broadcast_in_dim", "a", "broadcast_dimensions = array<i64: 0, 1>", "n")),
    ("broadcast_in_dim.C2", generic("broadcast_in_dim", "a", "broadcast_dimensions = array<i64: 0>", "a")),
    ("broadcast_in_dim.C3", generic("broadcast_in_dim", "a", "broadcast_dimensions = array<i64: 0, 2>", "a")),
    ("broadcast_in_dim.C4", generic("broadcast_in_dim", "a", "broadcast_dimensions = array<i64: 0, 0>", "a")),
    ("broadcast_in_dim.C5", generic("broadcast_in_dim", "a", "broadcast_dimensions = array<i64: 0, 1>", "t")),
    ("broadcast.C1", generic("broadcast", "a", "broadcast_sizes = array<i64: -1>", "a")),
    ("concatenate.C1", generic("concatenate", "a n", "dimension = 0 : i64", "m")),
    ("concatenate.C2", generic("concatenate", "a m", "dimension = 0 : i64", "m")),
    ("concatenate.C2", generic("concatenate", "a v", "dimension = 0 : i64", "m")),
    ("concatenate.C3", generic("concatenate", "", "dimension = 0 : i64", "m")),
    ("concatenate.C4", generic("concatenate", "a a", "dimension = 2 : i64", "m")),
    ("concatenate.I1", generic("concatenate", "tok", "dimension = 2 : i64", "m")),
    ("reverse.C2", generic("reverse", "a", "dimensions = array<i64: 0, 0>", "a")),
    ("reverse.C3", generic("reverse", "a", "dimensions = array<i64: 2>", "a")),
    *(
        (
            f"slice.{rule}",
            generic(
                "slice",
                "a",
                f"start_indices = array<i64: {start}>, limit_indices = array<i64: {limit}>,"
                f" strides = array<i64: {strides}>",
                "a",
            ),
        )
        for rule, start, limit, strides in (
            ("C2", "0", "2, 3", "1, 1"),
            ("C2", "0, 0", "2", "1, 1"),
            ("C2", "0, 0", "2, 3", "1"),
            ("C3", "-1, 0", "2, 3", "1, 1"),
            ("C3", "2, 0", "1, 3", "1, 1"),
            ("C3", "0, 0", "2, 4", "1, 1"),
            ("C4", "0, 0", "2, 3", "1, 0"),
        )
    ),
    *(
        (
            f"pad.{rule}",
            generic(
                "pad",
                operands,
                f"edge_padding_low = array<i64: {low}>, edge_padding_high = array<i64: 0, 0>,"
                f" interior_padding = array<i64: {interior}>",
                "a",
            ),
        )
        for rule, operands, low, interior in (
            ("I2", "a v", "0, 0", "0, 0"),
            ("C1", "a sh", "0, 0", "0, 0"),
            ("C2", "a s", "0", "0, 0"),
            ("C3", "a s", "0, 0", "0, -1"),
            ("C4", "a s", "0, -4", "0, 0"),
        )
    ),
    ("get_dimension_size.C1", generic("get_dimension_size", "a", "dimension = 2 : i64", "i")),
    ("set_dimension_size.C1", generic("set_dimension_size", "a i", "dimension = 2 : i64", "dyn")),
    ("set_dimension_size.I2", generic("set_dimension_size", "a j", "dimension = 0 : i64", "dyn")),
    ("set_dimension_size.type", generic("set_dimension_size", "a i", "dimension = 0 : i64", "v")),
    # ------------------------------------------------------------------------------------------ dynamic
    *(
        (
            f"dynamic_broadcast_in_dim.{rule}",
            generic("dynamic_broadcast_in_dim", operands, f"broadcast_dimensions = array<i64: {dims}>{more}", result),
        )
        for rule, operands, dims, more, result in (
            ("C1", "a x2", "0, 1", "", "n"),
            ("C2", "a x2", "0", "", "a"),
            ("C3", "a x2", "0, 2", "", "a"),
            ("C4", "a x2", "0, 0", "", "a"),
            ("C5", "a x2", "0, 1", "", "t"),
            ("C7", "a x3", "0, 1", "", "a"),
            ("C7", "a x22", "0, 1", "", "a"),
            (
                "C8",
                "a x2",
                "0, 1",
                ", known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 0>",
                "a",
            ),
            ("C9", "a x2", "0, 1", ", known_expanding_dimensions = array<i64: 2>", "a"),
            ("C10", "a x2", "0, 1", ", known_nonexpanding_dimensions = array<i64: 2>", "a"),
        )
    ),
    ("dynamic_iota.C1", generic("dynamic_iota", "x2", "iota_dimension = 2 : i64", "a")),
    ("dynamic_iota.C2", generic("dynamic_iota", "x3", "iota_dimension = 0 : i64", "a")),
    ("dynamic_reshape.C1", generic("dynamic_reshape", "a x2", "", "n")),
    ("dynamic_reshape.C2", generic("dynamic_reshape", "a x2", "", "m")),
    ("dynamic_reshape.C4", generic("dynamic_reshape", "a x3", "", "a")),
    ("dynamic_pad.I2", generic("dynamic_pad", "a v x2 x2 x2", "", "a")),
    ("dynamic_pad.C1", generic("dynamic_pad", "a sh x2 x2 x2", "", "a")),
    ("dynamic_pad.C2", generic("dynamic_pad", "a s x2 x3 x2", "", "a")),
    ("dynamic_pad.C3", generic("dynamic_pad", "a s x2 x2 neg", "", "a")),
    ("dynamic_pad.C4", generic("dynamic_pad", "a s x2 x2 x2", "", "v")),
    ("real_dynamic_slice.C1", generic("real_dynamic_slice", "a x2 x2 x2", "", "n")),
    ("real_dynamic_slice.C2", generic("real_dynamic_slice", "a x2 x3 x2", "", "a")),
    ("real_dynamic_slice.C5", generic("real_dynamic_slice", "a x2 x2 x2", "", "v")),
]
