"""Element types of tensors that hold handles or strings. They live until the input phase has taken them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tesselle.ir.types import Dim
from tesselle.support.dtypes import DType, Kind


@dataclass(frozen=True, slots=True)
class Subtype:
    """What a handle refers to: tensors of `dtype`, whose shape is None where even the rank is not known."""

    shape: tuple[Dim, ...] | None
    dtype: DType

    def __str__(self) -> str:
        if self.shape is None:
            return f"tensor<*x{self.dtype}>"
        dims = "".join("?x" if d is None else f"{d}x" for d in self.shape)
        return f"tensor<{dims}{self.dtype}>"


class OpaqueType(DType):
    """An element type without elements that a program can compute with. Types with equal text are one object."""

    __slots__ = ("subtypes",)

    subtypes: tuple[Subtype, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return (_interned, (type(self), self.name, self.subtypes))


class VariantType(OpaqueType):
    """`!tf_type.variant<tensor<…>>`: a list of tensors, of which `subtypes` says what is known of one."""

    __slots__ = ()


class ResourceType(OpaqueType):
    """`!tf_type.resource<tensor<…>>`: a variable, of which `subtypes` says what it holds."""

    __slots__ = ()


class StringType(OpaqueType):
    """`!tf_type.string`."""

    __slots__ = ()


_TYPES: dict[tuple[type[OpaqueType], str], OpaqueType] = {}


def _interned(cls: type[OpaqueType], name: str, subtypes: tuple[Subtype, ...]) -> OpaqueType:
    key = (cls, name)
    found = _TYPES.get(key)
    if found is None:
        found = _TYPES[key] = cls(name, 64, Kind.OPAQUE, np.dtype(object))
        found.subtypes = subtypes
    return found


def variant(subtypes: Sequence[Subtype] = ()) -> OpaqueType:
    return _interned(VariantType, _text("variant", subtypes), tuple(subtypes))


def resource(subtypes: Sequence[Subtype] = ()) -> OpaqueType:
    return _interned(ResourceType, _text("resource", subtypes), tuple(subtypes))


def other(name: str) -> OpaqueType:
    """A type of TensorFlow that programs may name, but nothing here computes with: strings, legacy quantized types."""
    return _interned(StringType if name == "string" else OpaqueType, f"!tf_type.{name}", ())


def _text(name: str, subtypes: Sequence[Subtype]) -> str:
    inner = ", ".join(map(str, subtypes))
    return f"!tf_type.{name}<{inner}>" if inner else f"!tf_type.{name}"
