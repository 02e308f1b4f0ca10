"""The encodings of VHLO's attributes and types. Source: VhloBytecode.cpp, and what jaxlib 0.10 writes."""

from __future__ import annotations

import numpy as np

import tesselle.dialects.vhlo.upgrade  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers the upgrades
from tesselle.dialects.stablehlo.attributes import RngDistribution
from tesselle.dialects.stablehlo.bytecode import (
    ACCURACIES,
    ALGORITHMS,
    API_VERSIONS,
    COMPARISONS,
    DIRECTIONS,
    FFTS,
    PRECISIONS,
    TRANSPOSES,
    axis_ref,
    mesh,
    mesh_groups,
    read_accuracy,
    read_alias,
    read_bounds,
    read_enum,
    read_sub_axis,
)
from tesselle.dialects.stablehlo.mesh import MeshAxis
from tesselle.ir.attributes import Attribute, DenseElements, FloatAttr
from tesselle.ir.bytecode.builtin import dims, integer_of, shaped
from tesselle.ir.bytecode.entries import Entry
from tesselle.ir.bytecode.registry import ATTRIBUTE_READERS, TYPE_READERS, ReadType
from tesselle.ir.quantized import quantized
from tesselle.ir.text.elements import ElementsError, from_bytes
from tesselle.ir.types import NAMED_TYPES, FunctionType, FutureType, TensorType, TokenType, TupleType, Type
from tesselle.support.dtypes import DTYPES, F64, DType

# ---------------------------------------------------------------------------------------------- attributes


def _boolean(e: Entry) -> bool:
    at = e.pos
    value = e.varint()
    if value > 1:
        e.fail(f"{value} is no boolean", at)
    return bool(value)


def _dictionary(e: Entry) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for _ in range(e.count("attributes")):
        name = e.text_attribute()
        found[name] = e.attribute()
    return found


def _integer(e: Entry) -> Attribute:
    at = e.pos
    t = e.dtype()
    if not (t.is_integer or t.is_bool or t.is_index):
        e.fail(f"an integer cannot have type {t}", at)
    return integer_of(e.ap_int(t.bits), t)


def _float(e: Entry) -> Attribute:
    at = e.pos
    t = e.dtype()
    if not t.is_float:
        e.fail(f"a float cannot have type {t}", at)
    value = e.ap_float(t)
    return value if t is F64 else FloatAttr(value, t)


def _tensor(e: Entry) -> DenseElements:
    """Elements; booleans were written one to a byte by some producers."""
    t = shaped(e)
    at = e.pos
    data = e.blob()
    try:
        if t.dtype.is_bool and len(data) == t.element_count != (t.element_count + 7) // 8:
            return DenseElements((np.frombuffer(data, np.uint8) != 0).reshape(t.static_shape), t)
        return from_bytes(data, t)
    except ElementsError as error:
        e.fail(str(error), at)


ATTRIBUTE_READERS["vhlo"] = {
    1: Entry.attributes,
    2: _boolean,
    3: read_enum(DIRECTIONS),
    4: read_enum(COMPARISONS),
    5: read_enum(API_VERSIONS),
    6: _dictionary,
    7: read_enum(FFTS),
    8: _float,
    9: _integer,
    10: read_alias,
    11: read_enum(PRECISIONS),
    12: read_enum(ALGORITHMS),
    13: read_enum((None, *RngDistribution)),
    14: Entry.string,
    15: _tensor,
    16: read_enum(TRANSPOSES),
    17: Entry.type,
    18: read_bounds,
    19: read_enum(ACCURACIES),
    20: read_accuracy,
    21: read_sub_axis,
    22: lambda e: axis_ref(e, e.text_attribute(), e.attribute() if _boolean(e) else None),
    23: lambda e: mesh_groups(e, e.attribute(), e.attribute()),
    24: lambda e: MeshAxis(e.text_attribute(), e.signed()),
    25: lambda e: mesh(e, e.attribute(), e.optional_attribute()),
}

# ---------------------------------------------------------------------------------------------- types

_NAMES = {
    0: "i1",
    2: "bf16",
    3: "f16",
    4: "f32",
    5: "f64",
    6: "f8E4M3FN",
    7: "f8E5M2",
    9: "index",
    10: "i4",
    11: "i8",
    12: "i16",
    13: "i32",
    14: "i64",
    15: "ui4",
    16: "ui8",
    17: "ui16",
    18: "ui32",
    19: "ui64",
    27: "f8E4M3FNUZ",
    28: "f8E5M2FNUZ",
    29: "f8E4M3B11FNUZ",
    31: "i2",
    32: "ui2",
    35: "f8E4M3",
    36: "f8E3M4",
    37: "f4E2M1FN",
    38: "f6E2M3FN",
    39: "f6E3M2FN",
    40: "f8E8M0FNU",
}
"""Element types by their codes."""


def _complex(e: Entry) -> DType:
    found = DTYPES.get(f"complex<{e.dtype()}>")
    return found if found is not None else e.unsupported("complex numbers of other types than f32 and f64")


def _function(e: Entry) -> FunctionType:
    inputs = e.types()
    return FunctionType(inputs, e.types())


def _ranked(e: Entry) -> TensorType:
    shape = dims(e)
    return TensorType(shape, e.dtype())


def _ranked_with_encoding(e: Entry) -> TensorType:
    encoding = e.attribute()
    shape = dims(e)
    return TensorType(shape, e.dtype(), encoding)


def _quantized(e: Entry) -> Type:
    at = e.pos
    flags = e.varint()
    storage, expressed = _storage(e, e.dtype(), flags), e.dtype()
    scale, zero, low, high = e.ap_float(F64), e.signed(), e.signed(), e.signed()
    try:
        return quantized(storage, expressed, (scale,), (zero,), storage_min=low, storage_max=high)
    except ValueError as error:
        e.fail(str(error), at)


def _quantized_per_axis(e: Entry) -> Type:
    at = e.pos
    flags = e.varint()
    storage, expressed = _storage(e, e.dtype(), flags), e.dtype()
    axis, low, high = e.varint(), e.signed(), e.signed()
    scales = e.list(lambda: e.ap_float(F64))
    zeros = e.ints()
    try:
        return quantized(storage, expressed, scales, zeros, axis=axis, storage_min=low, storage_max=high)
    except ValueError as error:
        e.fail(str(error), at)


def _storage(e: Entry, storage: DType, flags: int) -> DType:
    """The storage type with the sign that the flags give it: bit 0 says that it is signed."""
    found = DTYPES.get(f"{'' if flags & 1 else 'u'}i{storage.bits}") if storage.is_integer else None
    if found is None:
        e.fail(f"{storage} is no storage type")
    return found


_TYPES: dict[int, ReadType] = {
    1: _complex,
    8: _function,
    20: _ranked,
    21: _ranked_with_encoding,
    22: lambda _: TokenType(),
    23: lambda e: TupleType(e.types()),
    24: _quantized,
    25: lambda e: e.unsupported("tensors without a rank"),
    26: lambda e: e.unsupported("witnesses"),
    30: _quantized_per_axis,
    33: lambda _: NAMED_TYPES["none"],
    34: lambda _: NAMED_TYPES["tf32"],
    41: lambda e: e.unsupported("buffers"),
    42: lambda e: FutureType(e.types()),
}


def _named(name: str) -> ReadType:
    found = DTYPES[name]
    return lambda _: found


TYPE_READERS["vhlo"] = _TYPES | {code: _named(name) for code, name in _NAMES.items()}
