"""Builtin types. A dimension that is not known until run time is `None` here and `?` in text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.support.dtypes import DType, Type

__all__ = [
    "NAMED_TYPES",
    "DType",
    "Dim",
    "FunctionType",
    "FutureType",
    "MemRefType",
    "NamedType",
    "ShapedType",
    "TensorType",
    "TokenType",
    "TupleType",
    "Type",
    "UnrankedTensorType",
    "VectorType",
    "dims_compatible",
    "shapes_compatible",
    "types_compatible",
]

Dim = int | None
"""A dimension: a size, or None when it is dynamic."""


def _dims_text(shape: Sequence[Dim]) -> str:
    return "".join("?x" if d is None else f"{d}x" for d in shape)


class ShapedType(Type):
    """A type with a shape and an element type."""

    __slots__ = ()
    shape: tuple[Dim, ...]
    dtype: DType

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """True when every dimension is known."""
        return None not in self.shape

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as integers; ValueError when a dimension is dynamic."""
        dims = tuple(d for d in self.shape if d is not None)
        if len(dims) != len(self.shape):
            raise ValueError(f"{self} has dynamic dimensions")
        return dims

    @property
    def element_count(self) -> int:
        """The number of elements; ValueError when a dimension is dynamic."""
        return math.prod(self.static_shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of a dense array of this type; ValueError when a dimension is dynamic."""
        return self.element_count * self.dtype.size_bytes


@dataclass(frozen=True, slots=True)
class TensorType(ShapedType):
    """`tensor<2x?xf32>`; `encoding` carries a dialect's attribute such as bounds, or None."""

    shape: tuple[Dim, ...]
    dtype: DType
    encoding: object = None

    def __str__(self) -> str:
        tail = "" if self.encoding is None else f", {self.encoding}"
        return f"tensor<{_dims_text(self.shape)}{self.dtype}{tail}>"

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(self.shape, dtype, self.encoding)

    def with_shape(self, shape: Sequence[Dim]) -> TensorType:
        return TensorType(tuple(shape), self.dtype)


@dataclass(frozen=True, slots=True)
class UnrankedTensorType(Type):
    """`tensor<*xf32>`: a tensor of which not even the rank is known; programs of TensorFlow have such values."""

    dtype: DType

    def __str__(self) -> str:
        return f"tensor<*x{self.dtype}>"


@dataclass(frozen=True, slots=True)
class VectorType(ShapedType):
    """`vector<8xf32>`; sizes are always static (read them through `static_shape`)."""

    shape: tuple[Dim, ...]
    dtype: DType

    def __str__(self) -> str:
        return f"vector<{_dims_text(self.shape)}{self.dtype}>"


@dataclass(frozen=True, slots=True)
class MemRefType(ShapedType):
    """`memref<2x?xf32, strided<[?, 1], offset: ?>>`: a view of memory.

    `strides` (in elements) is None for the dense row-major layout; an entry or `offset` of None is dynamic.
    """

    shape: tuple[Dim, ...]
    dtype: DType
    strides: tuple[Dim, ...] | None = None
    offset: Dim = 0

    def __str__(self) -> str:
        layout = ""
        if self.strides is not None:
            strides = ", ".join("?" if s is None else str(s) for s in self.strides)
            offset = "" if self.offset == 0 else f", offset: {'?' if self.offset is None else self.offset}"
            layout = f", strided<[{strides}]{offset}>"
        return f"memref<{_dims_text(self.shape)}{self.dtype}{layout}>"


@dataclass(frozen=True, slots=True)
class FunctionType(Type):
    inputs: tuple[Type, ...]
    results: tuple[Type, ...]

    def __str__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        if len(self.results) == 1 and not isinstance(self.results[0], FunctionType):
            return f"({inputs}) -> {self.results[0]}"
        return f"({inputs}) -> ({', '.join(map(str, self.results))})"


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    types: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple<{', '.join(map(str, self.types))}>"


@dataclass(frozen=True, slots=True)
class TokenType(Type):
    """`!stablehlo.token`: orders side effects."""

    def __str__(self) -> str:
        return "!stablehlo.token"


@dataclass(frozen=True, slots=True)
class FutureType(Type):
    """`!stablehlo.future<T, …>`: the results of an asynchronous operation that was started."""

    types: tuple[Type, ...]

    def __str__(self) -> str:
        return f"!stablehlo.future<{', '.join(map(str, self.types))}>"


@dataclass(frozen=True, slots=True)
class NamedType(Type):
    """A type that attributes name, but no value has here: `tf32`, `none`."""

    name: str

    def __str__(self) -> str:
        return self.name


NAMED_TYPES: dict[str, NamedType] = {name: NamedType(name) for name in ("tf32", "f80", "f128", "none")}


def dims_compatible(a: Dim, b: Dim) -> bool:
    """Whether two dimensions may be equal at run time."""
    return a is None or b is None or a == b


def shapes_compatible(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    return len(a) == len(b) and all(dims_compatible(x, y) for x, y in zip(a, b, strict=True))


def types_compatible(a: Type, b: Type) -> bool:
    """Whether two types may describe the same value: equal up to dynamic dimensions and encodings."""
    if a == b:
        return True
    if isinstance(a, UnrankedTensorType) or isinstance(b, UnrankedTensorType):
        ranked = (TensorType, UnrankedTensorType)
        return isinstance(a, ranked) and isinstance(b, ranked) and a.dtype == b.dtype
    if isinstance(a, TensorType) and isinstance(b, TensorType):
        return a.dtype == b.dtype and shapes_compatible(a.shape, b.shape)
    if isinstance(a, TupleType) and isinstance(b, TupleType):
        return len(a.types) == len(b.types) and all(map(types_compatible, a.types, b.types))
    return False
