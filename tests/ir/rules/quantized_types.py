"""Quantized types for the cases, by name."""

from __future__ import annotations

Q = "!quant.uniform<i8:f32,0.5:1>"
Q0 = "!quant.uniform<i8:f32,0.5>"
WIDE = "!quant.uniform<i16:f32,0.5>"
HALF = "!quant.uniform<i8:f16,0.5>"
NARROW = "!quant.uniform<i8<-127:127>:f32,0.5>"
AXIS0 = "!quant.uniform<i8:f32:0,{0.5:1,0.25}>"
AXIS1 = "!quant.uniform<i8:f32:1,{0.5,0.25,0.125}>"
AXIS1_WIDE = "!quant.uniform<i16:f32:1,{0.5,0.25,0.125}>"

ARGUMENTS = {
    "q": f"tensor<2x3x{Q}>",
    "qt": f"tensor<3x2x{Q}>",
    "qz": f"tensor<2x3x{Q0}>",
    "qv": f"tensor<3x{Q}>",
    "qw": f"tensor<2x3x{WIDE}>",
    "qh": f"tensor<2x3x{HALF}>",
    "qn": f"tensor<2x3x{NARROW}>",
    "qa": f"tensor<2x3x{AXIS0}>",
    "qb": f"tensor<2x3x{AXIS1}>",
    "qm": f"tensor<3x4x{Q0}>",
    "qmz": f"tensor<3x4x{Q}>",
    "qmw": f"tensor<3x4x{WIDE}>",
    "qma": "tensor<3x4x!quant.uniform<i8:f32:0,{0.5,0.25,0.125}>>",
    "qsub": "tensor<2x4x!quant.uniform<i8:f32:{1:2},{{0.5,0.25}}>>",
    "qv1": "tensor<1x!quant.uniform<i8:f32:0,{0.5}>>",
    "qimg": f"tensor<2x8x8x6x{Q}>",
    "qker": f"tensor<3x3x6x4x{Q0}>",
    "qkerw": f"tensor<3x3x6x4x{WIDE}>",
    "qkerh": f"tensor<3x3x6x4x{HALF}>",
    "qkera": "tensor<3x3x6x4x!quant.uniform<i8:f32:0,{0.5,0.25,0.125}>>",
    "qkera4": "tensor<3x3x6x4x!quant.uniform<i8:f32:3,{0.5,0.25,0.5,0.5}>>",
    "m34": "tensor<3x4xf32>",
    "qp22": "tensor<2x2xi32>",
}
"""Arguments of the cases, beside those of the others."""
