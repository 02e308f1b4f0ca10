"""Attributes. Declared attributes are plain Python values; these classes hold what Python has no value for."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tesselle.ir.affine import AffineMap
from tesselle.ir.types import TensorType, Type, VectorType
from tesselle.support.dtypes import DType


class DialectAttr:
    """Base of attributes that a dialect declares, such as dimension numbers; `str()` gives their text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UnitAttr:
    """Present or absent, nothing more."""


UNIT = UnitAttr()


@dataclass(frozen=True, slots=True)
class IntegerAttr:
    """A typed integer that no declaration covers: `1 : i32`."""

    value: int
    type: Type


@dataclass(frozen=True, slots=True)
class FloatAttr:
    """A typed float that no declaration covers: `1.5 : f32`."""

    value: float
    type: Type


@dataclass(frozen=True, slots=True)
class SymbolRef:
    """`@root::@nested`."""

    root: str
    nested: tuple[str, ...] = ()

    @property
    def leaf(self) -> str:
        return self.nested[-1] if self.nested else self.root

    def __str__(self) -> str:
        return "::".join(f"@{n}" for n in (self.root, *self.nested))


@dataclass(frozen=True, slots=True)
class DenseArray:
    """`array<i64: 1, 2>` that no declaration covers (declared ones are tuples)."""

    dtype: DType
    values: tuple[int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class OpaqueAttr:
    """An attribute of a dialect that is not known here, kept as its text."""

    text: str

    def __str__(self) -> str:
        return self.text


class DenseElements:
    """Elements of a tensor or vector constant.

    `array` has the static shape of `type`; it may be a read-only memory map, or a broadcast view (all strides zero)
    when the constant is a splat. Elements are never copied into Python objects.
    """

    __slots__ = ("_digest", "array", "type")

    def __init__(self, array: np.ndarray[Any, np.dtype[Any]], type: TensorType | VectorType) -> None:
        if array.shape != type.shape or array.dtype != type.dtype.numpy:
            raise ValueError(f"array {array.dtype}{array.shape} does not fit {type}")
        self.array = array
        self.type = type
        self._digest: int | None = None

    @staticmethod
    def splat(value: Any, type: TensorType) -> DenseElements:
        """All elements equal `value`; stored once."""
        return DenseElements(np.broadcast_to(np.asarray(value, dtype=type.dtype.numpy), type.static_shape), type)

    @property
    def is_splat(self) -> bool:
        """True when every element is stored once (a broadcast view or a single element)."""
        a = self.array
        return a.size == 1 or (a.size > 0 and not any(a.strides))

    @property
    def splat_value(self) -> Any:
        """The one element of a splat, as a NumPy scalar; ValueError when it is none."""
        if not self.is_splat:
            raise ValueError("not a splat")
        return self.array[(0,) * self.array.ndim]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, DenseElements) or self.type != other.type:
            return False
        if self.array is other.array:
            return True
        if self.is_splat and other.is_splat:
            return np.asarray(self.splat_value).tobytes() == np.asarray(other.splat_value).tobytes()
        if self.array.nbytes > 1 << 16 and hash(self) != hash(other):
            return False
        return self.array.tobytes() == other.array.tobytes()

    def __hash__(self) -> int:
        """Hash of type and contents; computed once, over at most 64 KiB sampled evenly from large arrays."""
        if self._digest is None:
            flat = self.array if self.is_splat else self.array.reshape(-1)
            if self.is_splat:
                sample = np.asarray(self.splat_value).tobytes()
            else:
                step = max(1, flat.size // 4096)
                sample = flat[::step].tobytes()
            self._digest = hash((self.type, sample))
        return self._digest

    def __repr__(self) -> str:
        return f"DenseElements({self.type}{', splat' if self.is_splat else ''})"


_Leaf: TypeAlias = (
    bool
    | int
    | float
    | str
    | Type
    | enum.Enum
    | UnitAttr
    | IntegerAttr
    | FloatAttr
    | SymbolRef
    | DenseArray
    | DenseElements
    | OpaqueAttr
    | AffineMap
    | DialectAttr
    | None
)
Attribute: TypeAlias = "_Leaf | tuple[Attribute, ...] | Mapping[str, Attribute]"
