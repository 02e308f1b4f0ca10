"""Types for declared attributes whose text form their Python type alone does not determine.

A declared attribute is a plain Python value. Its annotation says how it is written:

    int -> `1 : i64`            bool -> `true`                  float -> `1.0 : f64`        str -> `"text"`
    tuple[int, ...] -> `array<i64: 1, 2>`                       tuple[bool, ...] -> `array<i1: true>`
    tuple of anything else -> `[…]`                             Mapping[str, Attribute] -> `{…}`

and these cover the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from tesselle.support.dtypes import F32, I32, I64, DType


@dataclass(frozen=True, slots=True)
class TypedScalar:
    """Written with this type behind the value: `1 : i32`."""

    type: DType


@dataclass(frozen=True, slots=True)
class TypedArray:
    """Written as `array<i32: …>`."""

    type: DType


@dataclass(frozen=True, slots=True)
class DenseInts:
    """A table of integers written as `dense<…> : tensor<NxMxi64>`; `columns` is the M of an empty table."""

    type: DType
    columns: int = 0


@dataclass(frozen=True, slots=True)
class UnitFlag:
    """Written by its name alone when it is true, and not at all when it is false."""


Flag: TypeAlias = Annotated[bool, UnitFlag()]
Int32: TypeAlias = Annotated[int, TypedScalar(I32)]
Float32: TypeAlias = Annotated[float, TypedScalar(F32)]
Int32Array: TypeAlias = Annotated[tuple[int, ...], TypedArray(I32)]
PairTable: TypeAlias = Annotated[tuple[tuple[int, int], ...], DenseInts(I64, 2)]
IntTable: TypeAlias = Annotated[tuple[tuple[int, ...], ...], DenseInts(I64)]
