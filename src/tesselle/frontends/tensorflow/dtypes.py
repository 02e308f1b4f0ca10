"""Element types as TensorFlow numbers them. Source: tensorflow/core/framework/types.proto."""

from __future__ import annotations

from tesselle.support.dtypes import DTYPES, DType

FLOAT, STRING = 1, 7

_ROWS = (
    (FLOAT, "float", "f32"),
    (2, "double", "f64"),
    (3, "int32", "i32"),
    (4, "uint8", "ui8"),
    (5, "int16", "i16"),
    (6, "int8", "i8"),
    (STRING, "string", ""),
    (8, "complex64", "complex<f32>"),
    (9, "int64", "i64"),
    (10, "bool", "i1"),
    (11, "qint8", ""),
    (12, "quint8", ""),
    (13, "qint32", ""),
    (14, "bfloat16", "bf16"),
    (15, "qint16", ""),
    (16, "quint16", ""),
    (17, "uint16", "ui16"),
    (18, "complex128", "complex<f64>"),
    (19, "half", "f16"),
    (20, "resource", ""),
    (21, "variant", ""),
    (22, "uint32", "ui32"),
    (23, "uint64", "ui64"),
    (24, "float8_e5m2", "f8E5M2"),
    (25, "float8_e4m3fn", "f8E4M3FN"),
    (26, "float8_e4m3fnuz", "f8E4M3FNUZ"),
    (27, "float8_e4m3b11fnuz", "f8E4M3B11FNUZ"),
    (28, "float8_e5m2fnuz", "f8E5M2FNUZ"),
    (29, "int4", ""),  # four bits in a byte: how TensorFlow fills the others is not specified
    (30, "uint4", ""),
    (31, "int2", ""),
    (32, "uint2", ""),
    (33, "float4_e2m1fn", ""),
)
_DTYPES = {number: DTYPES[name] for number, _, name in _ROWS if name}
_NAMES = {number: name for number, name, _ in _ROWS}


def dtype_of(number: int) -> DType | None:
    """The element type that `number` stands for; None when its elements cannot be read as numbers."""
    return _DTYPES.get(number)


def dtype_name(number: int) -> str:
    """What TensorFlow calls it."""
    return _NAMES.get(number, f"DataType {number}")
