"""How values of the kernel IR look in LLVM: element types in registers and in memory, vectors as slots, memrefs as
views.

A *slot* is one LLVM value. A scalar or a one-dimensional vector takes one; a vector of higher rank takes one for each
row of its last dimension (vector<4x8xf32>: four `<8 x float>`), so that rows cost nothing to take out; a complex value
takes twice as many, all real parts before all imaginary parts.

f16, bf16 and the 8-bit floats are integers in registers: LLVM would call a library for some of their operations on some
targets. i1 and the sub-byte integers take one byte in memory.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tesselle.codegen.llvm.emitter import Lanes
from tesselle.ir.attributes import DenseElements
from tesselle.ir.types import VectorType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DType, Kind, Type

Index = int | str
"""A size, stride or offset: known, or the name of an i64."""


@dataclass(frozen=True)
class View:
    """A memref during translation: element i is at base + (offset + sum(i * strides)) elements.

    `root` numbers the memory that the view lies in (a binding or a piece of scratch), for alias information.
    """

    base: str
    dtype: DType
    offset: Index
    sizes: tuple[Index, ...]
    strides: tuple[Index, ...]
    root: int


@cache
def register_element(dtype: DType) -> str:
    """The LLVM type of one element in a register; complex types have none (their parts do)."""
    if dtype.is_index:
        return "i64"
    if dtype.kind is Kind.FLOAT:
        return {32: "float", 64: "double"}.get(dtype.bits, f"i{max(8, dtype.bits)}")
    if dtype.is_complex:
        return register_element(dtype.element)
    return f"i{dtype.bits}"


@cache
def register_bits(dtype: DType) -> int:
    """The width of one element in a register."""
    return 64 if dtype.is_index else max(8, dtype.bits) if dtype.is_float else dtype.element.bits


@cache
def memory_element(dtype: DType) -> str:
    """The LLVM type of one element in memory."""
    if dtype.is_complex:
        return register_element(dtype.element)
    return "i8" if dtype.bits < 8 else register_element(dtype)


def is_small_float(dtype: DType) -> bool:
    """A float that is kept as an integer and computed with in f32."""
    return dtype.kind is Kind.FLOAT and dtype.bits < 32


def element_type(type: Type) -> DType:
    """The element type of a scalar or vector type."""
    if isinstance(type, VectorType):
        return type.dtype
    if isinstance(type, DType):
        return type
    raise Unsupported(f"the LLVM back end has no values of type {type}")


def vector_of(lanes: int | None, element: str) -> str:
    """`<lanes x element>`, or the element itself for None."""
    return element if lanes is None else f"<{lanes} x {element}>"


def lane_count(type: Type) -> int | None:
    """Lanes of one slot: the last dimension of a vector, 1 for a vector of rank 0, None for scalars."""
    if not isinstance(type, VectorType):
        return None
    return type.static_shape[-1] if type.shape else 1


@cache
def slot_type(type: Type) -> str:
    """The LLVM type of each slot of a value."""
    return vector_of(lane_count(type), register_element(element_type(type)))


@cache
def row_count(type: Type) -> int:
    """Rows of a vector: the product of all dimensions but the last; 1 for scalars."""
    return math.prod(type.static_shape[:-1]) if isinstance(type, VectorType) else 1


@cache
def slot_count(type: Type) -> int:
    return row_count(type) * (2 if element_type(type).is_complex else 1)


def lanes_of(type: Type, dtype: DType | None = None) -> Lanes:
    """The type of a slot as the emitter sees it, with another element type when `dtype` is given."""
    d = dtype or element_type(type)
    kind = "f" if d.kind is Kind.FLOAT and d.bits >= 32 else "i"
    bits = 64 if d.is_index else max(8, d.bits) if is_small_float(d) else d.bits
    return Lanes(kind, bits, lane_count(type) or 0)


def scalar_constant(value: Any, dtype: DType) -> str:
    """One real number, integer or boolean as an LLVM constant of the register element type."""
    if dtype.is_bool:
        return "true" if value else "false"
    if dtype.kind is Kind.FLOAT:
        if dtype.bits == 64:
            return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
        if dtype.bits == 32:
            with np.errstate(over="ignore"):
                wide = float(np.float32(value))
            return f"0x{struct.unpack('<Q', struct.pack('<d', wide))[0]:016X}"
        with np.errstate(over="ignore"):
            bits = np.asarray(value).astype(dtype.numpy).view(f"u{dtype.size_bytes}")
        return str(int(bits))
    bits = 64 if dtype.is_index else dtype.bits
    wrapped = int(value) & ((1 << bits) - 1)
    return str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)


def splat_constant(text: str, type: Type) -> str:
    """A scalar constant on every lane of a slot of `type`."""
    lanes = lane_count(type)
    return text if lanes is None else f"splat ({register_element(element_type(type))} {text})"


def constant_slots(value: Any, type: Type) -> tuple[str, ...]:
    """The slots of a constant: a Python number on every lane, or DenseElements."""
    dtype = element_type(type)
    if isinstance(value, DenseElements):
        if value.is_splat:
            return constant_slots(value.splat_value, type)
        array: Any = value.array
        parts: list[Any] = [array.real, array.imag] if dtype.is_complex else [array]
        part = dtype.element
        rows: list[Any] = [r for p in parts for r in p.reshape(-1, lane_count(type) or 1)]
        return tuple(_row_constant(row, part) for row in rows)
    if dtype.is_complex:
        number = complex(value)
        parts_text = [splat_constant(scalar_constant(p, dtype.element), type) for p in (number.real, number.imag)]
        return tuple(t for t in parts_text for _ in range(row_count(type)))
    return (splat_constant(scalar_constant(value, dtype), type),) * row_count(type)


def _row_constant(row: Sequence[Any], dtype: DType) -> str:
    element = register_element(dtype)
    return "<" + ", ".join(f"{element} {scalar_constant(v, dtype)}" for v in row) + ">"
