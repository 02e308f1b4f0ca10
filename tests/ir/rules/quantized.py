"""Quantized tensors: every rule about which go together."""

from __future__ import annotations

from tests.ir.rules.forms import DOT, conv, generic
from tests.ir.rules.quantized_types import AXIS0, AXIS1_WIDE, HALF, Q

QDOT = DOT.format("lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]")
_OUT = "tensor<2x6x6x4x{}>"
_CONV_ATTRIBUTES = (
    "dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64,"
    " batch_group_count = 1 : i64"
)


def _dot(operands: str, result: str) -> str:
    return generic("dot_general", operands, QDOT, result)


def _convolutions(rule: str, operands: str, result: str) -> list[tuple[str, str]]:
    """The case for the static and the dynamic convolution."""
    static = conv(operands=operands, result=result)
    return [
        (f"convolution.{rule}", static),
        (f"dynamic_conv.{rule}", generic("dynamic_conv", f"{operands} qp22", _CONV_ATTRIBUTES, result)),
    ]


CASES: list[tuple[str, str]] = [
    # --------------------------------------------------------------------- types: one scale, or one for every index
    ("negate.I1", generic("negate", "qa", "", "qa")),
    ("negate.I1", generic("negate", "qsub", "", "qsub")),
    ("and.I1", generic("and", "q q", "", "q")),
    ("and.I2", generic("and", "n q", "", "n")),
    ("convert.I1", generic("convert", "q", "", "a")),
    ("convert.result", generic("convert", "a", "", "q")),
    ("transpose.I1", generic("transpose", "qsub", "permutation = array<i64: 1, 0>", "qsub")),
    ("reshape.result", generic("reshape", "a", "", "tensor<6x!quant.uniform<i8:f32:1,{0.5}>>")),
    ("reshape.result", generic("reshape", "a", "", "tensor<6x!quant.uniform<i8:f32:0,{0.5,0.25}>>")),
    ("reverse.I1", generic("reverse", "qa", "dimensions = array<i64: 0>", "qa")),
    # ------------------------------------------------------------------------------------------ elementwise
    ("abs.C2", generic("abs", "q", "", "qw")),
    ("negate.C1", generic("negate", "q", "", "qw")),
    ("negate.C1", generic("negate", "q", "", "qh")),
    ("negate.C1", generic("negate", "q", "", "qn")),
    ("negate.C1", generic("negate", "q", "", "qt")),
    ("negate.C1", generic("negate", "a", "", "q")),
    ("negate.type", generic("negate", "q", "", "a")),
    ("multiply.C1", generic("multiply", "q qw", "", "q")),
    ("multiply.C1", generic("multiply", "q a", "", "q")),
    ("multiply.C1", generic("multiply", "q qz", "", "qw")),
    ("reduce_precision.C1", generic("reduce_precision", "q", "exponent_bits = 5 : i32, mantissa_bits = 5 : i32", "qw")),
    ("compare.C1", generic("compare", "q qw", "comparison_direction = #stablehlo<comparison_direction LT>", "p")),
    ("select.C2", generic("select", "p q qw", "", "q")),
    ("select.C2", generic("select", "p q qz", "", "qw")),
    ("clamp.C3", generic("clamp", "q qw q", "", "q")),
    ("clamp.C4", generic("clamp", "q qz q", "", "qw")),
    ("add.C1", generic("add", "q qt", "", "q")),
    ("add.C2", generic("add", "q a", "", "q")),
    ("add.C2", generic("add", "q q", "", "a")),
    ("add.C3", generic("add", "q qw", "", "q")),
    ("add.C4", generic("add", "q qh", "", "q")),
    ("add.C5", generic("add", "q qa", "", "q")),
    ("add.C5", generic("add", "q q", "", "qa")),
    ("add.C6", generic("add", "qa q", "", "qb")),
    ("add.C7", generic("add", "q qa", "", "qb")),
    (
        "batch_norm_training.C2",
        generic("batch_norm_training", "q qv qv", "epsilon = 1.0e-3 : f32, feature_index = 1 : i64", "qw qv qv"),
    ),
    # ------------------------------------------------------------------------------------------ axes that move
    ("reshape.C1", generic("reshape", "q", "", "qw")),
    ("reshape.C1", generic("reshape", "qa", "", "tensor<2x3x!quant.uniform<i8:f32:0,{0.5:1,0.5}>>")),
    ("reshape.C3", generic("reshape", "qa", "", "tensor<3x2x!quant.uniform<i8:f32:1,{0.5:1,0.25}>>")),
    ("transpose.type", generic("transpose", "qa", "permutation = array<i64: 0, 1>", "qb")),
    (
        "broadcast_in_dim.C1",
        generic("broadcast_in_dim", "qb", "broadcast_dimensions = array<i64: 0, 1>", f"tensor<2x3x{AXIS1_WIDE}>"),
    ),
    (
        "broadcast_in_dim.C6",
        generic("broadcast_in_dim", "qb", "broadcast_dimensions = array<i64: 0, 1>", "tensor<2x3x" + AXIS0 + ">"),
    ),
    (
        "broadcast_in_dim.C6",
        generic(
            "broadcast_in_dim",
            "qv1",
            "broadcast_dimensions = array<i64: 0>",
            "tensor<2x!quant.uniform<i8:f32:0,{0.5,0.25}>>",
        ),
    ),
    (
        "dynamic_broadcast_in_dim.C6",
        generic("dynamic_broadcast_in_dim", "qb x2", "broadcast_dimensions = array<i64: 0, 1>", f"tensor<2x3x{AXIS0}>"),
    ),
    (
        "dynamic_reshape.C3",
        generic("dynamic_reshape", "qa x2", "", "tensor<3x2x!quant.uniform<i8:f32:1,{0.5:1,0.25}>>"),
    ),
    # ------------------------------------------------------------------------------------------ contractions
    ("dot_general.C14", _dot("q m34", "tensor<2x4xf32>")),
    ("dot_general.C14", _dot("q qm", "tensor<2x4xf32>")),
    ("dot_general.C14", _dot("a qm", f"tensor<2x4x{Q}>")),
    ("dot_general.C15", _dot("q qmz", f"tensor<2x4x{Q}>")),
    ("dot_general.C16", _dot("q qma", f"tensor<2x4x{Q}>")),
    ("dot_general.C17", _dot("q qmw", f"tensor<2x4x{Q}>")),
    ("dot_general.C18", _dot("q qm", f"tensor<2x4x{HALF}>")),
    ("dot_general.C19", _dot("q qm", "tensor<2x4x!quant.uniform<i8:f32:0,{0.5,0.25}>>")),
    ("dot_general.C20", _dot("h qm", "tensor<2x4xf32>")),
    ("dot.C5", generic("dot", "q qmw", "", f"tensor<2x4x{Q}>")),
    *_convolutions("C28", "qimg ker", _OUT.format(Q)),
    *_convolutions("C29", "qimg qkera", _OUT.format(Q)),
    *_convolutions("C30", "qimg qkera4", "tensor<2x6x6x4x!quant.uniform<i8:f32:0,{0.5,0.25}>>"),
    *_convolutions("C31", "qimg qkerw", _OUT.format(Q)),
    *_convolutions("C32", "qimg qkerh", _OUT.format(Q)),
    *_convolutions("C33", "qimg qker", "tensor<2x6x6x4x!quant.uniform<i8:f32:3,{0.5,0.25,0.5,0.5}>>"),
    *_convolutions("C34", "img qker", _OUT.format("f16")),
    # ------------------------------------------------------------------------------------------ conversions
    ("uniform_quantize.I1", generic("uniform_quantize", "n", "", "q")),
    ("uniform_quantize.result", generic("uniform_quantize", "a", "", "a")),
    ("uniform_quantize.C1", generic("uniform_quantize", "a", "", "qt")),
    ("uniform_quantize.C2", generic("uniform_quantize", "h", "", "q")),
    ("uniform_quantize.C2", generic("uniform_quantize", "qh", "", "q")),
    ("uniform_dequantize.I1", generic("uniform_dequantize", "a", "", "a")),
    ("uniform_dequantize.C1", generic("uniform_dequantize", "q", "", "t")),
    ("uniform_dequantize.C2", generic("uniform_dequantize", "q", "", "h")),
]
