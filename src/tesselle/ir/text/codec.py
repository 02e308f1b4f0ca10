"""Between the attributes of text and the plain Python values of declared attributes.

The annotation of a declared attribute says how it is written (see `tesselle.ir.attribute_types`). A codec turns what
the attribute parser read into the declared value, and a value into text.
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from tesselle.ir.attribute_types import DenseInts, TypedArray, TypedScalar, UnitFlag
from tesselle.ir.attributes import (
    Attribute,
    DenseArray,
    DenseElements,
    FloatAttr,
    IntegerAttr,
    SymbolRef,
    UnitAttr,
)
from tesselle.ir.core import Op
from tesselle.ir.declare import spec_of
from tesselle.ir.text.lexer import describe
from tesselle.ir.text.registry import ENUM_TEXTS
from tesselle.support.dtypes import I32, I64, DType

UNIT_TEXT = "unit"
"""The text of an attribute that is written by its name alone."""

Encode = Callable[[Any, Callable[[Attribute], str]], str]


class DecodeError(ValueError):
    """An attribute of another kind than the declaration asks for."""


@dataclass(frozen=True, slots=True)
class Codec:
    """`decode` makes the declared value; `encode` makes its text, given a printer of undeclared attributes."""

    decode: Callable[[Attribute], Any]
    encode: Encode
    expected: str


def codecs_of(cls: type[Op]) -> dict[str, Codec]:
    """The codecs of all declared attributes of an operation, by their names in text."""
    found = _codecs.get(cls)
    if found is None:
        found = _codecs[cls] = _make_codecs(cls)
    return found


_codecs: dict[type[Op], dict[str, Codec]] = {}


def decode_attributes(
    cls: type[Op], attributes: Mapping[str, Attribute]
) -> tuple[dict[str, Attribute], tuple[int, ...] | None]:
    """The declared values of an operation's attributes, without those that have their default; and segment sizes.

    Errors: DecodeError with a whole sentence.
    """
    codecs = codecs_of(cls)
    defaults = {f.attr_name: f.default for f in spec_of(cls).attributes if f.has_default}
    segments: tuple[int, ...] | None = None
    decoded: dict[str, Attribute] = {}
    for name, value in attributes.items():
        codec = codecs.get(name)
        if codec is not None:
            try:
                new = codec.decode(value)
            except DecodeError as error:
                found = describe(str(value))
                raise DecodeError(f"attribute '{name}' of {cls.NAME} must be {error}, found {found}") from error
            default = defaults.get(name, _NOTHING)
            if type(default) is not type(new) or default != new:
                decoded[name] = new
        elif name in ("operandSegmentSizes", "operand_segment_sizes"):
            segments = _decode_segments(value)
        elif name != "resultSegmentSizes":
            decoded[name] = value
    return decoded, segments


_NOTHING: Any = object()


def _decode_segments(value: Attribute) -> tuple[int, ...]:
    numbers: Sequence[Any] = ()
    if isinstance(value, DenseArray):
        numbers = value.values
    elif isinstance(value, DenseElements) and value.array.ndim == 1 and value.array.size < 1 << 16:
        numbers = value.array.tolist()
    if not numbers or any(not isinstance(n, int) or n < 0 for n in numbers):
        raise DecodeError("operandSegmentSizes must be a list of sizes")
    return tuple(numbers)


def _make_codecs(cls: type[Op]) -> dict[str, Codec]:
    fields = {f.name: f for f in spec_of(cls).attributes}
    return {fields[name].attr_name: codec_for(t) for name, t in _annotations(cls).items() if name in fields}


def _annotations(cls: type[Op]) -> dict[str, Any]:
    """The evaluated annotations of the class and its bases."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        scope = vars(sys.modules[base.__module__])
        for name, annotation in inspect.get_annotations(base).items():
            found[name] = _resolve(annotation, scope)
    return found


def annotation_of(cls: type[Op], attr_name: str) -> Any:
    """The evaluated annotation of the declared attribute `attr_name`."""
    field = next(f for f in spec_of(cls).attributes if f.attr_name == attr_name)
    return _annotations(cls).get(field.name, Any)


def _resolve(annotation: Any, scope: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(scope))  # the source text of a declaration
    except NameError:  # a name that is imported for type checking only
        return Any


def codec_for(annotation: Any) -> Codec:
    """The codec for values of an annotated type; anything unknown is written as it is."""
    origin = typing.get_origin(annotation)
    args = typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(args[1])
    if origin in (types.UnionType, typing.Union):
        members = [a for a in args if a is not types.NoneType]
        if len(members) == 1:
            return codec_for(members[0])
        if DenseElements in members:
            return Codec(_decode_value, _encode_any, "elements or a number")
        return _ANY
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _tuple_codec(args[0])
    if isinstance(annotation, type):
        return _class_codec(cast("type[Any]", annotation))
    return _ANY


def _class_codec(cls: type[Any]) -> Codec:
    if cls is bool:
        return Codec(_decode_bool, _encode_any, "a boolean")
    if cls is int:
        return Codec(_decode_int, _encode_any, "an integer")
    if cls is float:
        return Codec(_decode_float, _encode_any, "a float")
    if cls is str:
        return Codec(_instance_of(str, "a string"), _encode_any, "a string")
    if issubclass(cls, enum.Enum):
        return _enum_codec(cls)
    if cls is SymbolRef:
        return Codec(_decode_symbol, _encode_any, "a symbol")
    if cls is object:
        return _ANY
    name = cls.__name__
    return Codec(_instance_of(cls, name), _encode_any, name)


def _instance_of(cls: type[Any], expected: str) -> Callable[[Attribute], Any]:
    def decode(value: Attribute) -> Any:
        if isinstance(value, cls):
            return value
        raise DecodeError(expected)

    return decode


def _decode_any(value: Attribute) -> Any:
    return value


def _encode_any(value: Any, write: Callable[[Attribute], str]) -> str:
    return write(value)


_ANY = Codec(_decode_any, _encode_any, "an attribute")


def _decode_value(value: Attribute) -> Any:
    if isinstance(value, tuple) and len(value) == 2:  # the parts of a complex number
        return complex(_decode_float(value[0]), _decode_float(value[1]))
    return value.value if isinstance(value, IntegerAttr | FloatAttr) else value


def _decode_bool(value: Attribute) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, UnitAttr):
        return True
    raise DecodeError("a boolean")


def _decode_int(value: Attribute) -> int:
    if isinstance(value, IntegerAttr):
        return value.value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DecodeError("an integer")


def _decode_float(value: Attribute) -> float:
    if isinstance(value, FloatAttr):
        return value.value
    if isinstance(value, float):
        return value
    raise DecodeError("a float")


def _decode_symbol(value: Attribute) -> SymbolRef:
    if isinstance(value, SymbolRef):
        return value
    if isinstance(value, str):
        return SymbolRef(value)
    raise DecodeError("a symbol")


def _enum_codec(cls: type[enum.Enum]) -> Codec:
    by_value = {m.value: m for m in cls}
    expected = " or ".join(str(v) for v in by_value)

    def decode(value: Attribute) -> enum.Enum:
        if isinstance(value, cls):
            return value
        plain = value.value if isinstance(value, IntegerAttr) else value
        if isinstance(plain, str | int) and plain in by_value:
            return by_value[plain]
        raise DecodeError(expected)

    def encode(value: enum.Enum, write: Callable[[Attribute], str]) -> str:
        if cls in ENUM_TEXTS:
            return write(value)
        return f'"{value.value}"' if isinstance(value.value, str) else f"{value.value} : {I32}"

    return Codec(decode, encode, expected)


def _tuple_codec(element: Any) -> Codec:
    if element is int or element == (int | None):
        return _array_codec(I64, may_be_dynamic=element is not int)
    if element is bool:
        return Codec(_decode_bools, lambda v, _: _array_text("i1", ["true" if b else "false" for b in v]), "booleans")
    inner = codec_for(element)

    def decode(value: Attribute) -> tuple[Any, ...]:
        if isinstance(value, DenseArray):
            return tuple(inner.decode(v) for v in value.values)
        if not isinstance(value, tuple):
            raise DecodeError("a list")
        return tuple(inner.decode(v) for v in value)

    def encode(value: Sequence[Any], write: Callable[[Attribute], str]) -> str:
        return "[" + ", ".join(inner.encode(v, write) for v in value) + "]"

    return Codec(decode, encode, f"a list of {inner.expected}")


DYNAMIC = -(2**63)
"""What stands for None in an array of integers, as in MLIR."""


def _array_codec(dtype: DType, *, may_be_dynamic: bool = False) -> Codec:
    def decode(value: Attribute) -> tuple[int | None, ...]:
        if isinstance(value, DenseArray):
            numbers: Sequence[Any] = value.values
        elif isinstance(value, DenseElements) and value.array.ndim == 1:
            numbers = value.array.tolist() if value.array.size < 1 << 16 else ()
        elif isinstance(value, tuple):
            numbers = [_decode_int(v) for v in value]
        else:
            raise DecodeError("a list of integers")
        return tuple(None if may_be_dynamic and n == DYNAMIC else int(n) for n in numbers)

    def encode(value: Sequence[int | None], _write: Callable[[Attribute], str]) -> str:
        return _array_text(str(dtype), [str(DYNAMIC if v is None else v) for v in value])

    return Codec(decode, encode, "a list of integers")


def _array_text(dtype: str, parts: list[str]) -> str:
    return f"array<{dtype}: {', '.join(parts)}>" if parts else f"array<{dtype}>"


def _decode_bools(value: Attribute) -> tuple[bool, ...]:
    if isinstance(value, DenseArray):
        return tuple(map(bool, value.values))
    if isinstance(value, DenseElements) and value.array.ndim == 1 and value.array.size < 1 << 16:
        return tuple(map(bool, value.array.tolist()))
    if isinstance(value, tuple):
        return tuple(map(_decode_bool, value))
    raise DecodeError("a list of booleans")


def _annotated(mark: object) -> Codec:
    if isinstance(mark, TypedScalar):
        suffix = f" : {mark.type}"
        if mark.type.is_float:
            return Codec(_decode_float, lambda v, w: w(FloatAttr(v, mark.type)), f"a float{suffix}")
        return Codec(_decode_int, lambda v, _: f"{v}{suffix}", f"an integer{suffix}")
    if isinstance(mark, UnitFlag):
        return Codec(_decode_bool, lambda _v, _w: UNIT_TEXT, "a flag")
    if isinstance(mark, TypedArray):
        return _array_codec(mark.type)
    if isinstance(mark, DenseInts):
        return _table_codec(mark)
    return _ANY


def _table_codec(mark: DenseInts) -> Codec:
    def decode(value: Attribute) -> tuple[tuple[int, ...], ...]:
        if isinstance(value, DenseElements) and value.array.ndim == 2 and value.array.size < 1 << 20:
            rows: list[list[int]] = value.array.tolist()
            return tuple(tuple(map(int, row)) for row in rows)
        if isinstance(value, DenseElements) and value.array.ndim == 1 and mark.columns and not value.array.size % 2:
            flat: list[Any] = value.array.reshape(-1, mark.columns).tolist()
            return tuple(tuple(map(int, row)) for row in flat)
        raise DecodeError("a table of integers")

    def encode(value: Sequence[Sequence[int]], _write: Callable[[Attribute], str]) -> str:
        rows = len(value)
        columns = len(value[0]) if rows else mark.columns
        flat = {n for row in value for n in row}
        if not flat:
            body = ""
        elif len(flat) == 1:
            body = str(flat.pop())
        else:
            body = "[" + ", ".join("[" + ", ".join(map(str, row)) + "]" for row in value) + "]"
        return f"dense<{body}> : tensor<{rows}x{columns}x{mark.type}>"

    return Codec(decode, encode, "a table of integers")
