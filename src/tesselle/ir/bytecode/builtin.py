"""The encodings of the builtin dialect's attributes, locations and types.

Source: MLIR, BuiltinDialectBytecode.td.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tesselle.ir.attributes import (
    UNIT,
    Attribute,
    DenseArray,
    DenseElements,
    DialectAttr,
    FloatAttr,
    IntegerAttr,
    OpaqueAttr,
    SymbolRef,
)
from tesselle.ir.bytecode.entries import Entry
from tesselle.ir.bytecode.registry import ATTRIBUTE_READERS, TYPE_READERS, ReadAttribute, ReadType
from tesselle.ir.text.codec import DYNAMIC
from tesselle.ir.text.elements import ElementsError, from_bytes, from_resource, from_sparse
from tesselle.ir.types import NAMED_TYPES, Dim, FunctionType, MemRefType, TensorType, TupleType, Type, VectorType
from tesselle.support.dtypes import BF16, DTYPES, F16, F32, F64, I64, INDEX, DType
from tesselle.support.locations import (
    UNKNOWN,
    CallSiteLocation,
    FileLocation,
    FusedLocation,
    NameLocation,
)

# ---------------------------------------------------------------------------------------------- attributes


def _dictionary(e: Entry) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for _ in range(e.count("attributes")):
        at = e.pos
        name = e.text_attribute()
        if name in found:
            e.fail(f"attribute '{name}' is given twice", at)
        found[name] = e.attribute()
    return found


def _string_with_type(e: Entry) -> str:
    text = e.string()
    e.type()
    return text


def _symbol(e: Entry) -> SymbolRef:
    return SymbolRef(e.text_attribute())


def _nested_symbol(e: Entry) -> SymbolRef:
    root = e.text_attribute()
    nested: list[str] = []
    for _ in range(e.count("symbols")):
        at = e.pos
        ref = e.attribute()
        if not isinstance(ref, SymbolRef):
            e.fail(f"expected a symbol, found {ref}", at)
        nested.append(ref.root)
    return SymbolRef(root, tuple(nested))


def integer_of(value: int, t: DType) -> bool | int | IntegerAttr:
    """An integer attribute as the text reader makes it, from the bits of `value`."""
    if t.is_bool:
        return bool(value & 1)
    if not t.is_unsigned and value >> (t.bits - 1):
        value -= 1 << t.bits
    return value if t is I64 else IntegerAttr(value, t)


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


def shaped(e: Entry) -> TensorType | VectorType:
    """A type that must be that of elements, with a static shape."""
    at = e.pos
    t = e.type()
    if not isinstance(t, TensorType | VectorType) or not t.is_static:
        e.fail(f"elements need a tensor or vector type of static shape, found {t}", at)
    return t


def _dense(e: Entry) -> DenseElements:
    t = shaped(e)
    at = e.pos
    try:
        return from_bytes(e.blob(), t)
    except ElementsError as error:
        e.fail(str(error), at)


def _dense_resource(e: Entry) -> DenseElements:
    t = shaped(e)
    at = e.pos
    resource = e.resource()
    if resource.data is None:
        e.fail(f"resource {resource.name} has no data", at)
    try:
        return from_resource(resource.data, t)
    except ElementsError as error:
        e.fail(f"resource {resource.name}: {error}", at)


def _dense_array(e: Entry) -> DenseArray:
    t = e.dtype()
    at = e.pos
    count = e.varint()
    data = e.blob()
    size = 1 if t.is_bool else t.numpy.itemsize
    if count * size != len(data):
        e.fail(f"{count} elements of {t} need {count * size} bytes, found {len(data)}", at)
    values: list[Any] = np.frombuffer(data, np.uint8 if t.is_bool else t.numpy).tolist()
    return DenseArray(t, tuple(map(bool, values)) if t.is_bool else tuple(values))


def _sparse(e: Entry) -> DenseElements:
    t = shaped(e)
    at = e.pos
    indices, values = e.attribute(), e.attribute()
    if not isinstance(indices, DenseElements) or not isinstance(values, DenseElements):
        e.fail("sparse elements need indices and values", at)
    try:
        return from_sparse(indices.array, values.array, t)
    except ElementsError as error:
        e.fail(str(error), at)


def _call_site(e: Entry) -> CallSiteLocation:
    callee = e.location()
    return CallSiteLocation(callee, e.location())


def _file_place(e: Entry) -> FileLocation:
    file = e.text_attribute()
    line = e.varint()
    return FileLocation(file, line, e.varint())


def _file_range(e: Entry) -> FileLocation:
    """The start of a range; its end is not kept."""
    file = e.text_attribute()
    numbers = e.list(e.varint)
    return FileLocation(file, *(*numbers[:2], 0, 0)[:2])


def _fused(e: Entry) -> FusedLocation:
    return FusedLocation(e.list(e.location))


def _fused_with_metadata(e: Entry) -> FusedLocation:
    parts = e.list(e.location)
    e.attribute()
    return FusedLocation(parts)


def _named(e: Entry) -> NameLocation:
    name = e.text_attribute()
    child = e.location()
    return NameLocation(name, None if child is UNKNOWN else child)


ATTRIBUTES: dict[int, ReadAttribute] = {
    0: Entry.attributes,
    1: _dictionary,
    2: Entry.string,
    3: _string_with_type,
    4: _symbol,
    5: _nested_symbol,
    6: Entry.type,
    7: lambda _: UNIT,
    8: _integer,
    9: _float,
    10: _call_site,
    11: _file_place,
    12: _fused,
    13: _fused_with_metadata,
    14: _named,
    15: lambda _: UNKNOWN,
    16: _dense_resource,
    17: _dense_array,
    18: _dense,
    19: lambda e: e.unsupported("tensors of strings"),
    20: _sparse,
    21: lambda e: e.unsupported("distinct attributes"),
    22: _file_range,
}

# ---------------------------------------------------------------------------------------------- types


def _integer_type(e: Entry) -> Type:
    value = e.varint()
    bits, sign = value >> 2, value & 3
    found = DTYPES.get(f"{'ui' if sign == 2 else 'i'}{bits}") if bits < 128 else None
    if found is None or sign > 2:
        return e.unsupported(f"integers of {bits} bits")
    return found


def _function(e: Entry) -> FunctionType:
    inputs = e.types()
    return FunctionType(inputs, e.types())


def _complex(e: Entry) -> DType:
    found = DTYPES.get(f"complex<{e.dtype()}>")
    return found if found is not None else e.unsupported("complex numbers of other types than f32 and f64")


def dims(e: Entry) -> tuple[Dim, ...]:
    """A shape; the least integer stands for a dynamic dimension, as -1 did once."""
    found: list[Dim] = []
    for _ in range(e.count("dimensions")):
        at = e.pos
        size = e.signed()
        if size < 0 and size not in (DYNAMIC, -1):
            e.fail(f"{size} is no dimension", at)
        found.append(None if size < 0 else size)
    return tuple(found)


def _tensor(e: Entry) -> TensorType:
    shape = dims(e)
    return TensorType(shape, e.dtype())


def _tensor_with_encoding(e: Entry) -> TensorType:
    at = e.pos
    encoding = e.attribute()
    if not isinstance(encoding, DialectAttr | OpaqueAttr):
        e.fail(f"{encoding} is no encoding of a tensor", at)
    shape = dims(e)
    return TensorType(shape, e.dtype(), encoding)


def _memref(e: Entry) -> MemRefType:
    shape = dims(e)
    dtype = e.dtype()
    layout: Any = e.attribute()
    if getattr(layout, "is_identity", True) is not True:
        return e.unsupported("memory layouts")
    return MemRefType(shape, dtype)


def _vector(e: Entry) -> VectorType:
    at = e.pos
    shape = dims(e)
    if None in shape:
        e.fail("a vector has no dynamic dimension", at)
    return VectorType(shape, e.dtype())


TYPES: dict[int, ReadType] = {
    0: _integer_type,
    1: lambda _: INDEX,
    2: _function,
    3: lambda _: BF16,
    4: lambda _: F16,
    5: lambda _: F32,
    6: lambda _: F64,
    7: lambda _: NAMED_TYPES["f80"],
    8: lambda _: NAMED_TYPES["f128"],
    9: _complex,
    10: _memref,
    11: lambda e: e.unsupported("memory spaces"),
    12: lambda _: NAMED_TYPES["none"],
    13: _tensor,
    14: _tensor_with_encoding,
    15: lambda e: TupleType(e.types()),
    16: lambda e: e.unsupported("memory without a rank"),
    17: lambda e: e.unsupported("memory without a rank"),
    18: lambda e: e.unsupported("tensors without a rank"),
    19: _vector,
    20: lambda e: e.unsupported("scalable vectors"),
    21: lambda _: NAMED_TYPES["tf32"],
}

_SMALL_FLOATS = (
    "f8E5M2 f8E4M3 f8E4M3FN f8E5M2FNUZ f8E4M3FNUZ f8E4M3B11FNUZ f8E3M4 f4E2M1FN f6E2M3FN f6E3M2FN f8E8M0FNU".split()
)
"""Types from code 22 on; older producers write them as text."""


def _constant_type(t: Type) -> ReadType:
    return lambda _: t


TYPES.update({code: _constant_type(DTYPES[name]) for code, name in enumerate(_SMALL_FLOATS, 22)})

ATTRIBUTE_READERS["builtin"] = ATTRIBUTES
TYPE_READERS["builtin"] = TYPES
