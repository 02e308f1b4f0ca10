"""Element types, shared by the compiler, the artifact and the runtime.

One table lists every element type with its width and its NumPy representation. ml_dtypes supplies the NumPy types that
NumPy itself lacks (bf16, f8…, i2, i4). Sub-byte integers take one byte each in memory.
"""

from __future__ import annotations

import enum
from typing import Any

import ml_dtypes
import numpy as np


class Type:
    """Base of every type of the IR; element types are types of scalars, so they derive from it too."""

    __slots__ = ()


class Kind(enum.Enum):
    """The family of an element type."""

    BOOL = "bool"
    SIGNED = "signed"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    COMPLEX = "complex"
    INDEX = "index"
    QUANTIZED = "quantized"
    OPAQUE = "opaque"


class DType(Type):
    """An element type: `name` is its MLIR spelling, `bits` its width, `numpy` the dtype of its arrays.

    Element types are singletons: compare them with `is` or `==`. Quantized ones are made as programs name them.
    """

    __slots__ = ("bits", "kind", "name", "numpy")

    def __init__(self, name: str, bits: int, kind: Kind, numpy: Any) -> None:
        self.name = name
        self.bits = bits
        self.kind = kind
        self.numpy: np.dtype[Any] = np.dtype(numpy)

    def __repr__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (dtype, (self.name,))

    @property
    def size_bytes(self) -> int:
        """Bytes that one element takes in memory (sub-byte types and i1 take one)."""
        return self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        return self.kind is Kind.FLOAT

    @property
    def is_complex(self) -> bool:
        return self.kind is Kind.COMPLEX

    @property
    def is_signed(self) -> bool:
        """Signed integer (i1 is not)."""
        return self.kind is Kind.SIGNED

    @property
    def is_unsigned(self) -> bool:
        return self.kind is Kind.UNSIGNED

    @property
    def is_bool(self) -> bool:
        return self.kind is Kind.BOOL

    @property
    def is_quantized(self) -> bool:
        """Integers that stand for floats: `tesselle.ir.quantized.QuantizedType`."""
        return self.kind is Kind.QUANTIZED

    @property
    def is_opaque(self) -> bool:
        """A handle or a string of a source program, no operand of arithmetic: `tesselle.dialects.tf_type`."""
        return self.kind is Kind.OPAQUE

    @property
    def is_index(self) -> bool:
        return self.kind is Kind.INDEX

    @property
    def is_integer(self) -> bool:
        """Signed or unsigned integer; neither i1 nor index."""
        return self.kind in (Kind.SIGNED, Kind.UNSIGNED)

    @property
    def compute(self) -> DType:
        """The type that operations on this one compute in; they round, or wrap around, back after every operation.

        f32 for narrower floats, 8 bits for narrower integers, the type itself otherwise.
        """
        return _COMPUTE.get(self, self)

    @property
    def element(self) -> DType:
        """The part type of a complex type; the type itself otherwise."""
        if self is C64:
            return F32
        if self is C128:
            return F64
        return self


_ROWS: tuple[tuple[str, int, Kind, Any], ...] = (
    ("i1", 1, Kind.BOOL, np.bool_),
    ("i2", 2, Kind.SIGNED, ml_dtypes.int2),
    ("i4", 4, Kind.SIGNED, ml_dtypes.int4),
    ("i8", 8, Kind.SIGNED, np.int8),
    ("i16", 16, Kind.SIGNED, np.int16),
    ("i32", 32, Kind.SIGNED, np.int32),
    ("i64", 64, Kind.SIGNED, np.int64),
    ("ui2", 2, Kind.UNSIGNED, ml_dtypes.uint2),
    ("ui4", 4, Kind.UNSIGNED, ml_dtypes.uint4),
    ("ui8", 8, Kind.UNSIGNED, np.uint8),
    ("ui16", 16, Kind.UNSIGNED, np.uint16),
    ("ui32", 32, Kind.UNSIGNED, np.uint32),
    ("ui64", 64, Kind.UNSIGNED, np.uint64),
    ("f4E2M1FN", 4, Kind.FLOAT, ml_dtypes.float4_e2m1fn),
    ("f6E2M3FN", 6, Kind.FLOAT, ml_dtypes.float6_e2m3fn),
    ("f6E3M2FN", 6, Kind.FLOAT, ml_dtypes.float6_e3m2fn),
    ("f8E3M4", 8, Kind.FLOAT, ml_dtypes.float8_e3m4),
    ("f8E4M3", 8, Kind.FLOAT, ml_dtypes.float8_e4m3),
    ("f8E4M3B11FNUZ", 8, Kind.FLOAT, ml_dtypes.float8_e4m3b11fnuz),
    ("f8E4M3FN", 8, Kind.FLOAT, ml_dtypes.float8_e4m3fn),
    ("f8E4M3FNUZ", 8, Kind.FLOAT, ml_dtypes.float8_e4m3fnuz),
    ("f8E5M2", 8, Kind.FLOAT, ml_dtypes.float8_e5m2),
    ("f8E5M2FNUZ", 8, Kind.FLOAT, ml_dtypes.float8_e5m2fnuz),
    ("f8E8M0FNU", 8, Kind.FLOAT, ml_dtypes.float8_e8m0fnu),
    ("bf16", 16, Kind.FLOAT, ml_dtypes.bfloat16),
    ("f16", 16, Kind.FLOAT, np.float16),
    ("f32", 32, Kind.FLOAT, np.float32),
    ("f64", 64, Kind.FLOAT, np.float64),
    ("complex<f32>", 64, Kind.COMPLEX, np.complex64),
    ("complex<f64>", 128, Kind.COMPLEX, np.complex128),
    ("index", 64, Kind.INDEX, np.int64),
)

DTYPES: dict[str, DType] = {row[0]: DType(*row) for row in _ROWS}
"""Every element type by its MLIR spelling."""

_BY_NUMPY: dict[np.dtype[Any], DType] = {d.numpy: d for d in DTYPES.values() if not d.is_index}


def dtype(name: str) -> DType:
    """The element type spelled `name` in MLIR; KeyError when there is none."""
    return DTYPES[name]


def from_numpy(numpy_dtype: Any) -> DType:
    """The element type whose arrays have `numpy_dtype`; KeyError when there is none."""
    return _BY_NUMPY[np.dtype(numpy_dtype)]


I1, I2, I4 = DTYPES["i1"], DTYPES["i2"], DTYPES["i4"]
I8, I16, I32, I64 = DTYPES["i8"], DTYPES["i16"], DTYPES["i32"], DTYPES["i64"]
UI2, UI4 = DTYPES["ui2"], DTYPES["ui4"]
UI8, UI16, UI32, UI64 = DTYPES["ui8"], DTYPES["ui16"], DTYPES["ui32"], DTYPES["ui64"]
BF16, F16, F32, F64 = DTYPES["bf16"], DTYPES["f16"], DTYPES["f32"], DTYPES["f64"]
C64, C128 = DTYPES["complex<f32>"], DTYPES["complex<f64>"]
INDEX = DTYPES["index"]

_COMPUTE: dict[DType, DType] = {
    **{d: F32 for d in DTYPES.values() if d.is_float and d.bits < 32},
    I2: I8,
    I4: I8,
    UI2: UI8,
    UI4: UI8,
}
