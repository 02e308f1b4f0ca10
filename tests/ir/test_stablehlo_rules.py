"""Every constraint of StableHLO that the verifier knows is broken once, and named by the error."""

from __future__ import annotations

import inspect
import re

import pytest

from tesselle.dialects import stablehlo
from tesselle.ir.text import parse_module
from tesselle.ir.text.registry import load_dialect
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import VerifyError

load_dialect("stablehlo")

ARGUMENTS = {
    "a": "tensor<2x3xf32>",
    "t": "tensor<3x2xf32>",
    "n": "tensor<2x3xi32>",
    "u": "tensor<2x3xui32>",
    "h": "tensor<2x3xf16>",
    "c": "tensor<2x3xcomplex<f32>>",
    "p": "tensor<2x3xi1>",
    "pt": "tensor<3x2xi1>",
    "p0": "tensor<i1>",
    "s": "tensor<f32>",
    "sh": "tensor<f16>",
    "i": "tensor<i32>",
    "j": "tensor<i64>",
    "v": "tensor<3xf32>",
    "w": "tensor<4xf32>",
    "vh": "tensor<3xf16>",
    "x2": "tensor<2xindex>",
    "x3": "tensor<3xindex>",
    "x22": "tensor<2x2xindex>",
    "m": "tensor<4x4xf32>",
    "img": "tensor<2x8x8x6xf32>",
    "ker": "tensor<3x3x6x4xf32>",
    "ker2": "tensor<3x3x2x4xf32>",
    "idx": "tensor<5x1xi32>",
    "idx2": "tensor<2x5x1xi32>",
    "up": "tensor<5x4xf32>",
    "bat": "tensor<2x4x4xf32>",
    "bid": "tensor<3x5x1xi32>",
    "tok": "!stablehlo.token",
    "st": "tensor<2xui64>",
    "st5": "tensor<5xui64>",
    "tup": "tuple<tensor<f32>>",
    "cm": "tensor<2x5xcomplex<f32>>",
    "dyn": "tensor<?x3xf32>",
}


def generic(name: str, operands: str, attributes: str = "", results: str = "", regions: str = "") -> str:
    """The generic form of an operation on the arguments above; `results` are type names or types."""
    names = operands.split()
    types = ", ".join(ARGUMENTS[n] for n in names)
    out = ", ".join(ARGUMENTS.get(r, r) for r in results.split())
    count = len(results.split())
    left = f"%r:{count} = " if count else ""
    props = f" <{{{attributes}}}>" if attributes else ""
    body = f" ({regions})" if regions else ""
    shown = ", ".join(f"%{n}" for n in names)
    return f'{left}"stablehlo.{name}"({shown}){props}{body} : ({types}) -> ({out})'


def region(args: str, returned: str, result: str = "f32") -> str:
    """A region that takes scalars `args` (element types) and returns the value `returned`."""
    block = ", ".join(f"%q{i}: tensor<{t}>" for i, t in enumerate(args.split()))
    head = f"^bb0({block}):" if block else ""
    values = returned.split()
    types = ", ".join(f"tensor<{result}>" for _ in values)
    shown = ", ".join(f"%{v}" for v in values)
    return f'{{ {head} "stablehlo.return"({shown}) : ({types}) -> () }}'


ADD = region("f32 f32", "q0")
PREDICATE = region("f32 f32", "p0", "i1")
DOT = "dot_dimension_numbers = #stablehlo.dot<{}>"
WINDOW = "window_dimensions = array<i64: 1, 2>"


def conv(
    numbers: str = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]",
    groups: int = 1,
    batch_groups: int = 1,
    more: str = "",
    operands: str = "img ker",
    result: str = "tensor<2x6x6x4xf32>",
) -> str:
    attributes = (
        f"dimension_numbers = #stablehlo.conv<{numbers}>, feature_group_count = {groups} : i64,"
        f" batch_group_count = {batch_groups} : i64{', ' if more else ''}{more}"
    )
    return generic("convolution", operands, attributes, result)


def gather(numbers: str, sizes: str = "1, 4", operands: str = "m idx", result: str = "tensor<5x4xf32>") -> str:
    attributes = f"dimension_numbers = #stablehlo.gather<{numbers}>, slice_sizes = array<i64: {sizes}>"
    return generic("gather", operands, attributes, result)


def scatter(numbers: str, operands: str = "m idx up", body: str = ADD, result: str = "m") -> str:
    return generic("scatter", operands, f"scatter_dimension_numbers = #stablehlo.scatter<{numbers}>", result, body)


ROWS = "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"

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
    ("dynamic_reshape.C3", generic("dynamic_reshape", "a x3", "", "a")),
    ("dynamic_pad.I2", generic("dynamic_pad", "a v x2 x2 x2", "", "a")),
    ("dynamic_pad.C1", generic("dynamic_pad", "a sh x2 x2 x2", "", "a")),
    ("dynamic_pad.C2", generic("dynamic_pad", "a s x2 x3 x2", "", "a")),
    ("dynamic_pad.C4", generic("dynamic_pad", "a s x2 x2 x2", "", "v")),
    ("real_dynamic_slice.C1", generic("real_dynamic_slice", "a x2 x2 x2", "", "n")),
    ("real_dynamic_slice.C2", generic("real_dynamic_slice", "a x2 x3 x2", "", "a")),
    ("real_dynamic_slice.C5", generic("real_dynamic_slice", "a x2 x2 x2", "", "v")),
    # ------------------------------------------------------------------------------------------ reductions
    ("reduce.C1", generic("reduce", "a t s s", "dimensions = array<i64: 1>", "v v", region("f32 f32 f32 f32", "q0 q1"))),
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
    # ------------------------------------------------------------------------------------------ indexing
    ("dynamic_slice.C2", generic("dynamic_slice", "a i", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C2", generic("dynamic_slice", "a i i", "slice_sizes = array<i64: 1>", "a")),
    ("dynamic_slice.C3", generic("dynamic_slice", "a i j", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C3", generic("dynamic_slice", "a x2 x2", "slice_sizes = array<i64: 1, 1>", "a")),
    ("dynamic_slice.C4", generic("dynamic_slice", "a i i", "slice_sizes = array<i64: 1, 4>", "a")),
    ("dynamic_update_slice.C2", generic("dynamic_update_slice", "a h i i", "", "a")),
    ("dynamic_update_slice.C3", generic("dynamic_update_slice", "a v i i", "", "a")),
    ("dynamic_update_slice.C4", generic("dynamic_update_slice", "a a i", "", "a")),
    ("dynamic_update_slice.C5", generic("dynamic_update_slice", "a a i j", "", "a")),
    ("dynamic_update_slice.C6", generic("dynamic_update_slice", "a m i i", "", "a")),
    ("dynamic_update_slice.I2", generic("dynamic_update_slice", "a tok i i", "", "a")),
    *(
        (f"gather.{rule}", gather(numbers, sizes, operands))
        for rule, numbers, sizes, operands in (
            ("C1", "offset_dims = [1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            (
                "C2",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 3",
                "1, 4",
                "m idx",
            ),
            (
                "C3",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0, 1], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            ("C4", "offset_dims = [1, 1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            ("C4", "offset_dims = [2, 1], start_index_map = [0], index_vector_dim = 1", "1, 4", "m idx"),
            (
                "C5",
                "offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            ("C6", "collapsed_slice_dims = [0, 0], start_index_map = [0], index_vector_dim = 1", "1, 1", "m idx"),
            ("C7", "collapsed_slice_dims = [1, 0], start_index_map = [0], index_vector_dim = 1", "1, 1", "m idx"),
            (
                "C8",
                "offset_dims = [1], collapsed_slice_dims = [2], start_index_map = [0], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            (
                "C9",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "2, 4",
                "m idx",
            ),
            (
                "C10",
                "offset_dims = [2], operand_batching_dims = [1, 0], start_indices_batching_dims = [0, 1],"
                " start_index_map = [2], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C11",
                "offset_dims = [2, 3], operand_batching_dims = [3], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C12",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "2, 1, 4",
                "bat idx2",
            ),
            (
                "C13",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0, 0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C14",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [3],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C15",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [2],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C16",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C17",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [1], index_vector_dim = 2",
                "1, 1, 4",
                "bat bid",
            ),
            (
                "C18",
                "offset_dims = [2, 3], operand_batching_dims = [0], start_indices_batching_dims = [0],"
                " start_index_map = [0], index_vector_dim = 2",
                "1, 1, 4",
                "bat idx2",
            ),
            (
                "C19",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [2], index_vector_dim = 1",
                "1, 4",
                "m idx",
            ),
            (
                "C20",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1",
                "m idx",
            ),
            (
                "C21",
                "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
                "1, 5",
                "m idx",
            ),
            ("I2", "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0]", "1, 4", "m a"),
        )
    ),
    (
        "dynamic_gather.C22",
        generic(
            "dynamic_gather",
            "m idx x2",
            "dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],"
            " start_index_map = [0], index_vector_dim = 1>",
            "tensor<6x4xf32>",
        ),
    ),
    (
        "dynamic_gather.C23",
        generic(
            "dynamic_gather",
            "m idx x2",
            "dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],"
            " start_index_map = [0], index_vector_dim = 1>",
            "tensor<5x4xf16>",
        ),
    ),
    (
        "dynamic_gather.I3",
        generic("dynamic_gather", "m idx x3", "dimension_numbers = #stablehlo.gather<offset_dims = [1]>", "m"),
    ),
    (
        "dynamic_gather.I2",
        generic("dynamic_gather", "m a x2", "dimension_numbers = #stablehlo.gather<offset_dims = [1]>", "m"),
    ),
    ("scatter.C1", scatter(ROWS, "m a idx up up", region("f32 f32 f32 f32", "q0 q1"), "m a")),
    ("scatter.C2", scatter(ROWS.replace("[0], scatter", "[0, 1], scatter"))),
    ("scatter.C3", scatter(ROWS, "m m idx up m", region("f32 f32 f32 f32", "q0 q1"), "m m")),
    ("scatter.C4", scatter(ROWS, "m idx m")),
    ("scatter.C4", scatter(ROWS, "t idx up")),
    ("scatter.C5", scatter(ROWS, "m idx")),
    ("scatter.C6", scatter(ROWS, "n idx up")),
    ("scatter.C7", scatter("update_window_dims = [1, 1], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C8", scatter(ROWS.replace("update_window_dims = [1]", "update_window_dims = [2]"))),
    ("scatter.C9", scatter("inserted_window_dims = [0, 0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C10", scatter("inserted_window_dims = [1, 0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1")),
    ("scatter.C11", scatter(ROWS.replace("inserted_window_dims = [0]", "inserted_window_dims = [2]"))),
    (
        "scatter.C12",
        scatter(
            "update_window_dims = [1], input_batching_dims = [1, 0], scatter_indices_batching_dims = [0, 1],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C13",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [3], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C14",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0, 0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C15",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [3],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C16",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [2],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C17",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    (
        "scatter.C18",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [2], index_vector_dim = 2",
            "bat bid up",
        ),
    ),
    ("scatter.C19", scatter(ROWS.replace("operand_dims = [0]", "operand_dims = [0, 1]"))),
    (
        "scatter.C20",
        scatter(
            "update_window_dims = [0, 1], input_batching_dims = [0], scatter_indices_batching_dims = [0],"
            " scatter_dims_to_operand_dims = [0], index_vector_dim = 2",
            "bat idx2 up",
        ),
    ),
    ("scatter.C21", scatter(ROWS.replace("operand_dims = [0]", "operand_dims = [2]"))),
    ("scatter.C22", scatter(ROWS.replace("index_vector_dim = 1", "index_vector_dim = 3"))),
    ("scatter.C23", scatter(ROWS, body=PREDICATE)),
    ("scatter.I1", scatter(ROWS, "tok idx up")),
    ("scatter.I2", scatter(ROWS, "m a up")),
    ("scatter.I3", scatter(ROWS, "m idx tok")),
    ("torch_index_select.C1", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 0 : i64", "n")),
    ("torch_index_select.C2", generic("torch_index_select", "m x3", "dim = 2 : i64, batch_dims = 0 : i64", "m")),
    ("torch_index_select.C3", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 1 : i64", "m")),
    ("torch_index_select.C4", generic("torch_index_select", "m x3", "dim = 0 : i64, batch_dims = 0 : i64", "m")),
    ("torch_index_select.I2", generic("torch_index_select", "m a", "dim = 0 : i64, batch_dims = 0 : i64", "m")),
    # ------------------------------------------------------------------------------------------ control flow
    ("while.C1", generic("while", "s", "", "s", f"{region('f32', 'q0')}, {region('f32', 'q0')}")),
    ("while.C2", generic("while", "s", "", "s", f"{region('f32', 'p0', 'i1')}, {region('f32', 'p0', 'i1')}")),
    ("while.C2", generic("while", "s", "", "s", f"{region('f32', 'p0', 'i1')}, {{}}")),
    ("if.I1", generic("if", "s", "", "s", f"{region('', 's')}, {region('', 's')}")),
    ("if.C1", generic("if", "p0", "", "s", f"{region('f32', 'q0')}, {region('', 's')}")),
    ("if.C2", generic("if", "p0", "", "s", f"{region('', 's')}, {region('', 'p0', 'i1')}")),
    ("if.C3", generic("if", "p0", "", "i", f"{region('', 's')}, {region('', 's')}")),
    ("case.I1", generic("case", "s", "", "s", region("", "s"))),
    ("case.C1", generic("case", "i", "", "s")),
    ("case.C2", generic("case", "i", "", "s", region("f32", "s"))),
    ("case.C3", generic("case", "i", "", "s", f"{region('', 's')}, {region('', 'p0', 'i1')}")),
    ("case.C4", generic("case", "i", "", "i", region("", "s"))),
    ("get_tuple_element.I1", generic("get_tuple_element", "s", "index = 0 : i32", "s")),
    ("get_tuple_element.C1", generic("get_tuple_element", "tup", "index = 1 : i32", "s")),
    ("custom_call.C1", generic("custom_call", "s", 'call_target_name = ""', "s")),
    ("custom_call.C2", generic("custom_call", "s", 'call_target_name = "f", operand_layouts = []', "s")),
    (
        "custom_call.C2",
        generic("custom_call", "s", 'call_target_name = "f", operand_layouts = [], result_layouts = []', "s"),
    ),
    ("composite.C1", generic("composite", "s", 'name = "x", decomposition = @callee', "s")),
    ("composite.C2", generic("composite", "s", 'name = "x.y", decomposition = @nobody', "s")),
    ("composite.C3", generic("composite", "a", 'name = "x.y", decomposition = @callee', "a")),
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
            generic(
                "batch_norm_inference", operands, f"epsilon = 1.0e-3 : f32, feature_index = {feature} : i64", "a"
            ),
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
    # ------------------------------------------------------------------------------------------ tokens, collectives
    ("after_all.I1", generic("after_all", "s", "", "tok")),
    ("infeed.I1", generic("infeed", "s", "", "tok")),
    ("infeed.C1", generic("infeed", "tok", "", "")),
    ("infeed.C3", generic("infeed", "tok", "", "s")),
    ("outfeed.I2", generic("outfeed", "s s", "", "tok")),
    ("send.I2", generic("send", "s s", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "tok")),
    ("recv.I1", generic("recv", "s", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "tok")),
    ("recv.C2", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "")),
    ("recv.C4", generic("recv", "tok", "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>", "s")),
    *(
        (
            f"all_gather.{rule}",
            generic(
                "all_gather",
                operands,
                f"all_gather_dim = {dim} : i64, replica_groups = dense<{groups}> : tensor<1x2xi64>",
                result,
            ),
        )
        for rule, operands, dim, groups, result in (
            ("C1", "a", 2, "[[0, 1]]", "a"),
            ("C2", "a", 1, "[[0, 0]]", "a"),
            ("C6", "a", 1, "[[0, 1]]", "m"),
            ("C6", "a", 1, "[[0, 1]]", "n"),
        )
    ),
    (
        "all_reduce.C1",
        generic("all_reduce", "a", "replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>", "a", ADD),
    ),
    (
        "all_reduce.C5",
        generic("all_reduce", "a", "replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>", "a", PREDICATE),
    ),
    ("all_reduce.I1", generic("all_reduce", "tok", "replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>", "a", ADD)),
    *(
        (
            f"all_to_all.{rule}",
            generic(
                "all_to_all",
                "m",
                f"split_dimension = {split} : i64, concat_dimension = {concat} : i64, split_count = {count} : i64,"
                f" replica_groups = dense<{groups}> : tensor<1x2xi64>",
                "m",
            ),
        )
        for rule, split, concat, count, groups in (
            ("C1", 2, 0, 2, "[[0, 1]]"),
            ("C2", 0, 1, 3, "[[0, 1]]"),
            ("C3", 0, 2, 2, "[[0, 1]]"),
            ("C4", 0, 1, 0, "[[0, 1]]"),
            ("C5", 0, 1, 2, "[[0, 0]]"),
        )
    ),
    (
        "collective_broadcast.C1",
        generic("collective_broadcast", "a", "replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>", "a"),
    ),
    *(
        (
            f"collective_permute.{rule}",
            generic("collective_permute", "a", f"source_target_pairs = dense<{pairs}> : tensor<2x2xi64>", "a"),
        )
        for rule, pairs in (("C2", "[[0, 1], [0, 2]]"), ("C3", "[[0, 1], [1, 1]]"), ("C4", "[[0, 1], [-1, 2]]"))
    ),
    *(
        (
            f"reduce_scatter.{rule}",
            generic(
                "reduce_scatter",
                "m",
                f"scatter_dimension = {dim} : i64, replica_groups = dense<{groups}> : tensor<1x2xi64>",
                result,
                body,
            ),
        )
        for rule, dim, groups, result, body in (
            ("C2", 2, "[[0, 1]]", "m", ADD),
            ("C3", 0, "[[0, 0]]", "m", ADD),
            ("C7", 0, "[[0, 1]]", "m", PREDICATE),
            ("C8", 0, "[[0, 1]]", "v", ADD),
            ("C8", 0, "[[0, 1]]", "tensor<2x3xf32>", ADD),
        )
    ),
]


def module_of(line: str) -> str:
    args = ", ".join(f"%{n}: {t}" for n, t in ARGUMENTS.items())
    return (
        f"func.func private @callee(tensor<f32>) -> tensor<f32>\nfunc.func @main({args}) {{\n  {line}\n  return\n}}\n"
    )


@pytest.mark.parametrize(("rule", "line"), CASES, ids=[f"{i}-{r}" for i, (r, _) in enumerate(CASES)])
def test_broken_rule_is_named(rule: str, line: str) -> None:
    module = parse_module(module_of(line), "case.mlir")
    with pytest.raises(VerifyError) as caught:
        verify(module)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.rule == f"stablehlo.{rule}", str(caught.value)
    assert str(diagnostic.location) == "case.mlir:3:3"


def test_every_label_has_a_case() -> None:
    """Labels that an operation's own class spells out are all broken by a case above."""
    covered = {rule for rule, _ in CASES}
    missing: list[str] = []
    for name in stablehlo.__all__:
        for cls in vars(getattr(stablehlo, name)).values():
            op_name = getattr(cls, "NAME", "")
            if not inspect.isclass(cls) or not op_name or cls.__module__ != f"tesselle.dialects.stablehlo.{name}":
                continue
            short = op_name.removeprefix("stablehlo.")
            labels = set(re.findall(r'"([CI]\d+)"', inspect.getsource(cls)))
            missing += [f"{short}.{label}" for label in labels if f"{short}.{label}" not in covered]
    allowed = {
        # The first operand's type is checked by the same helper everywhere.
        *(m for m in missing if m.endswith(".I1")),
        # Nothing but elements of a tensor is read as the value of a constant.
        "constant.C1",
        # An operand that is no tensor at all, beyond the first, is checked by the same helper everywhere.
        *(m for m in missing if re.search(r"\.I[2-9]$", m)),
        # lhs and rhs of different kinds: needs a result whose shape is right, which C25 looks at first.
        "convolution.C27",
    }
    assert sorted(set(missing) - allowed) == []
