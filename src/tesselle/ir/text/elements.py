"""Elements of constants between text and NumPy arrays.

`dense<…>` holds nested lists, one value for all elements, or a string with the raw little-endian bytes in hexadecimal.
A hexadecimal number among floats is a bit pattern. Raw bytes are decoded at once; the elements never become Python
objects.
"""

from __future__ import annotations

import binascii
import math
from typing import Any

import numpy as np

from tesselle.ir.attributes import DenseElements
from tesselle.ir.types import TensorType, VectorType
from tesselle.support.dtypes import DType, Kind

Array = np.ndarray[Any, np.dtype[Any]]

HEX_ABOVE = 100
"""Constants with more elements are printed as raw bytes."""


class ElementsError(ValueError):
    """A literal that does not fit its type; `token` is the index of the token at fault, counted from the literal's."""

    def __init__(self, message: str, token: int = 0) -> None:
        super().__init__(message)
        self.token = token


def decode_raw(digits: str, type: TensorType | VectorType) -> DenseElements:
    """The elements whose bytes `digits` (hexadecimal, without 0x) spells: all of them, or one for all.

    A splat boolean is one byte, 00, 01 or FF.
    """
    try:
        data = binascii.unhexlify(digits)
    except (binascii.Error, ValueError) as error:
        raise ElementsError("malformed hexadecimal data") from error
    return _booleans_from_text(data, type) if type.dtype.is_bool else from_bytes(data, type)


def _booleans_from_text(data: bytes, type: TensorType | VectorType) -> DenseElements:
    """Text holds booleans as one byte each, as MLIR has written them since 2026, or eight to a byte, as before."""
    shape = static_shape(type)
    given = np.frombuffer(data, np.uint8)
    if len(data) == 1 and data[0] <= 1:
        return splat(np.bool_(data[0]), type)
    if len(data) == math.prod(shape) and int(given.max(initial=0)) <= 1:
        return DenseElements(given.view(np.bool_).reshape(shape), type)
    return from_bytes(data, type)


def from_resource(data: bytes | memoryview, type: TensorType | VectorType) -> DenseElements:
    """The elements that a resource holds: all of them, booleans as one byte each; the array is a view of `data`."""
    shape = static_shape(type)
    count = math.prod(shape)
    size = type.dtype.size_bytes
    if len(data) != count * size:
        raise ElementsError(f"{type} needs {count * size} bytes, found {len(data)}")
    if type.dtype.is_bool:
        return DenseElements(np.frombuffer(data, np.uint8).astype(np.bool_).reshape(shape), type)
    return DenseElements(_view(data, type.dtype).reshape(shape), type)


def _view(data: bytes | memoryview, dtype: DType) -> Array:
    """The elements in `data`, looked at in place where they are aligned as NumPy and kernels want them."""
    array = np.frombuffer(data, dtype.numpy)
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    return array


def from_bytes(data: bytes | memoryview, type: TensorType | VectorType) -> DenseElements:
    """The elements that `data` holds in the raw form of MLIR's bytecode, booleans eight to a byte; the array is a view
    of `data` where that is aligned.
    """
    shape = static_shape(type)
    count = math.prod(shape)
    dtype = type.dtype
    if dtype.is_bool:
        if (len(data) == 1 and count > 8) or (len(data) == 1 and data[0] == 0xFF):
            return splat(np.bool_(data[0] & 1), type)
        if len(data) != (count + 7) // 8:
            raise ElementsError(f"{type} needs {(count + 7) // 8} bytes, found {len(data)}")
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
        return DenseElements(bits.view(np.bool_).reshape(shape), type)
    size = dtype.size_bytes
    if len(data) == size and count != 1:
        return splat(np.frombuffer(data, dtype.numpy)[0], type)
    if len(data) != count * size:
        raise ElementsError(f"{type} needs {count * size} bytes, found {len(data)}")
    return DenseElements(_view(data, dtype).reshape(shape), type)


MAX_SPARSE = 1 << 24
"""Elements that sparse elements may stand for: they are made dense."""


def from_sparse(indices: Array, values: Array, type: TensorType | VectorType) -> DenseElements:
    """The elements `values` at `indices` (one row of coordinates each, or one for all), and zero elsewhere."""
    shape = static_shape(type)
    if math.prod(shape) > MAX_SPARSE:
        raise ElementsError(f"sparse elements of {type} are too many to be made dense")
    if values.size == 0:
        return splat(np.zeros((), type.dtype.numpy)[()], type)
    if indices.ndim != 2:
        indices = np.broadcast_to(indices.reshape(-1), (max(values.size, 1), len(shape)))
    if indices.shape[1] != len(shape) or (indices.shape[0] != values.size and values.size != 1):
        raise ElementsError(f"indices of shape {list(indices.shape)} do not fit {values.size} values of {type}")
    if not bool(((indices >= 0) & (indices < np.array(shape, np.int64))).all()):
        raise ElementsError(f"an index of sparse elements lies outside of {type}")
    found = np.zeros(shape, type.dtype.numpy)
    found[tuple(indices.T)] = values.reshape(-1)
    return DenseElements(found, type)


def splat(value: Any, type: TensorType | VectorType) -> DenseElements:
    """All elements equal to `value`, which is stored once however large the type is."""
    shape = static_shape(type)
    one = np.array(value, dtype=type.dtype.numpy)
    if not shape:
        one.flags.writeable = False
        return DenseElements(one, type)
    try:
        return DenseElements(np.broadcast_to(one, shape), type)
    except ValueError as error:  # NumPy refuses shapes that no memory could hold
        raise ElementsError(f"{type} is too large") from error


def static_shape(type: TensorType | VectorType) -> tuple[int, ...]:
    if not type.is_static:
        raise ElementsError(f"a constant needs a static shape, found {type}")
    return type.static_shape


def scalar_from_token(token: str, dtype: DType) -> Any:
    """The NumPy scalar that a number or boolean token means as an element of `dtype`."""
    return array_from_tokens([token], dtype)[0]


def array_from_tokens(tokens: list[str], dtype: DType) -> Array:
    """A flat array from the tokens of its elements."""
    kind = dtype.kind
    if kind is Kind.COMPLEX:
        parts = _floats(tokens, dtype.element)
        return parts.view(dtype.numpy)
    if kind is Kind.FLOAT:
        return _floats(tokens, dtype)
    if kind is Kind.BOOL:
        words = {"true": True, "false": False, "1": True, "0": False, "-1": True}
        try:
            return np.array([words[t] for t in tokens], np.bool_)
        except KeyError as error:
            raise ElementsError(
                f"expected true or false, found '{error.args[0]}'", tokens.index(error.args[0])
            ) from None
    return _integers(tokens, dtype)


def _integers(tokens: list[str], dtype: DType) -> Array:
    bits = dtype.bits
    low = 0 if dtype.is_unsigned else -(1 << (bits - 1))
    high = 1 << bits  # MLIR takes i8 255 for -1
    values: list[int] = []
    for i, t in enumerate(tokens):
        try:
            value = int(t, 16 if _is_hexadecimal(t) else 10)
        except ValueError:
            raise ElementsError(f"expected an integer, found '{t[:40]}'", i) from None
        if not low <= value < high:
            raise ElementsError(f"{t[:40]} does not fit into {dtype}", i)
        values.append(value)
    signed = not dtype.is_unsigned
    half = 1 << (bits - 1)
    if signed:
        values = [v - high if v >= half else v for v in values]
    wide = np.array(values, np.int64 if signed else np.uint64)
    return wide.astype(dtype.numpy)


def _floats(tokens: list[str], dtype: DType) -> Array:
    patterns = [i for i, t in enumerate(tokens) if _is_hexadecimal(t)]
    try:
        if not patterns:
            values = np.array([float(t) for t in tokens], np.float64)
        else:
            values = np.array([0.0 if _is_hexadecimal(t) else float(t) for t in tokens], np.float64)
    except ValueError:
        for i, t in enumerate(tokens):
            if not _is_hexadecimal(t) and not _is_float(t):
                raise ElementsError(f"expected a float, found '{t[:40]}'", i) from None
        raise
    for i, t in enumerate(tokens):
        if t.lstrip("-").isdigit():
            raise ElementsError(f"expected a float with a point, found the integer '{t[:40]}'", i)
    with np.errstate(over="ignore", invalid="ignore"):
        out = values.astype(dtype.numpy)
    if patterns:
        width = dtype.numpy.itemsize
        raw = out.view(np.dtype(f"u{width}"))
        for i in patterns:
            t = tokens[i]
            pattern = int(t, 16)
            if t.startswith("-") or pattern >= 1 << dtype.bits:
                raise ElementsError(f"{t[:40]} is no bit pattern of {dtype}", i)
            raw[i] = pattern
    return out


def _is_hexadecimal(token: str) -> bool:
    return token[:2] in ("0x", "0X") or token[:3] in ("-0x", "-0X")


def _is_float(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return token[:1] in "-0123456789"


# ---------------------------------------------------------------------------------------------- printing


def elements_text(elements: DenseElements, *, elide_above: int | None = None) -> str:
    """`dense<…>` without the type; constants of more than `elide_above` elements leave out what they hold."""
    array, dtype = elements.array, elements.type.dtype
    if array.size == 0:
        return "dense<>"
    if elements.is_splat:
        return f"dense<{scalar_text(elements.splat_value, dtype)}>"
    if elide_above is not None and array.size > elide_above:
        return "dense_resource<__elided__>"
    if array.size > HEX_ABOVE:
        return f'dense<"0x{raw_bytes(array, dtype).hex().upper()}">'
    return f"dense<{_nested(array, dtype)}>"


def raw_bytes(array: Array, dtype: DType) -> bytes:
    """The elements in MLIR's raw form."""
    return np.ascontiguousarray(array).tobytes()


def _nested(array: Array, dtype: DType) -> str:
    if array.ndim == 0:
        return scalar_text(array[()], dtype)
    return "[" + ", ".join(_nested(part, dtype) for part in array) + "]"


def scalar_text(value: Any, dtype: DType) -> str:
    """An element as `dense<…>` holds it."""
    if dtype.is_complex:
        return f"({float_text(value.real, dtype.element)}, {float_text(value.imag, dtype.element)})"
    if dtype.is_float:
        return float_text(value, dtype)
    if dtype.is_bool:
        return "true" if value else "false"
    return str(int(value))


def float_text(value: Any, dtype: DType) -> str:
    """A float so that reading it gives the same bits; infinities and nans as bit patterns."""
    number = float(value)
    if not math.isfinite(number):
        one = np.asarray(value, dtype=dtype.numpy)
        return f"0x{int(one.view(np.dtype(f'u{dtype.numpy.itemsize}'))):0{max(1, dtype.bits // 4)}X}"
    text = f"{number:.6e}"
    if dtype.bits <= 32:
        if np.asarray(float(text)).astype(dtype.numpy) != np.asarray(value, dtype=dtype.numpy):
            text = _with_point(np.format_float_scientific(np.float32(number), unique=True, trim="0"))
    elif float(text) != number:
        text = _with_point(np.format_float_scientific(number, unique=True, trim="0"))
    return text


def _with_point(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent or '+00'}"
