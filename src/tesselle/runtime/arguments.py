"""Turns what a caller passes into what a function takes, or says in one line what is wrong with it.

The native fast path takes C-contiguous arrays of the right dtype and shape by itself. Everything else comes here: other
layouts, ml_dtypes arrays (which have no buffer protocol), DLPack objects, Python numbers and lists, and every mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from tesselle.artifact.schema import FunctionRecord, TensorSpec
from tesselle.artifact.vm_isa import DTYPE_CODES
from tesselle.support.diagnostics import InvocationError
from tesselle.support.dtypes import DType, from_numpy

Array = np.ndarray[Any, Any]

_FORMATS: dict[str, tuple[str, ...]] = {
    "i1": ("?",),
    "i8": ("b",),
    "i16": ("h",),
    "i32": ("i", "l"),
    "i64": ("l", "q"),
    "ui8": ("B",),
    "ui16": ("H",),
    "ui32": ("I", "L"),
    "ui64": ("L", "Q"),
    "f16": ("e",),
    "f32": ("f",),
    "f64": ("d",),
    "complex<f32>": ("Zf",),
    "complex<f64>": ("Zd",),
}
"""Codes of the buffer protocol for an element type; the item size tells "i" from "l". ml_dtypes have none."""


def describe(array: Array) -> str:
    """The type of an array as programs write it: tensor<2x3xf32>."""
    try:
        dtype = from_numpy(array.dtype).name
    except KeyError:
        dtype = str(array.dtype)
    return "tensor<" + "".join(f"{d}x" for d in array.shape) + dtype + ">"


def fits(spec: TensorSpec, shape: tuple[int, ...]) -> bool:
    """True when an array of this shape is one that `spec` takes."""
    return len(shape) == len(spec.shape) and all(e is None or e == d for e, d in zip(spec.shape, shape, strict=True))


@dataclass(frozen=True, slots=True)
class ArgumentConverter:
    """Binds and converts the arguments of one function. `labels`: what errors call an argument, where it has a path."""

    record: FunctionRecord
    labels: Mapping[int, str] = field(default_factory=dict[int, str])

    def native_specs(self) -> list[tuple[int, int, list[str], list[int]]]:
        """What the native fast path needs to know: (dtype code, item bytes, buffer formats, shape with -1)."""
        return [
            (
                DTYPE_CODES[a.dtype],
                a.dtype.size_bytes,
                list(_FORMATS.get(a.dtype.name, ())),
                [-1 if d is None else d for d in a.shape],
            )
            for a in self.record.arguments
        ]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Arguments by position and name, in order. InvocationError for missing, superfluous or unknown ones."""
        specs = self.record.arguments
        if len(args) > len(specs):
            given = len(args) + len(kwargs)
            raise self._error(f"takes {_count(len(specs), 'argument')}, {given} given")
        values: list[Any] = list(args)
        left = dict(kwargs)
        missing: list[str] = []
        for i, spec in enumerate(specs):
            if i < len(args):
                if spec.name and spec.name in left:
                    raise self._error(f"argument '{spec.name}' is given by position and by name")
            elif spec.name and spec.name in left:
                values.append(left.pop(spec.name))
            else:
                missing.append(_argument_name(i, spec))
        if left:
            names = ", ".join(s.name for s in specs if s.name) or "none of its arguments has a name"
            raise self._error(f"no argument named '{next(iter(left))}'; there are: {names}")
        if missing:
            given = len(values)
            word = "argument" if len(missing) == 1 else "arguments"
            expected = _count(len(specs), "argument")
            raise self._error(f"takes {expected}, {given} given: missing {word} {', '.join(missing)}")
        return tuple(values)

    def convert(self, index: int, value: Any) -> Array:
        """A C-contiguous array whose bytes are the argument's; InvocationError when dtype or shape is another."""
        spec = self.record.arguments[index]
        label = self.labels.get(index) or f"argument {_argument_name(index, spec)}"
        subject = f"function '{self.record.name}': {label}"
        return with_buffer_protocol(spec.dtype, convert(spec, subject, value))

    def _error(self, text: str) -> InvocationError:
        return InvocationError(f"function '{self.record.name}': {text}")


def convert(spec: TensorSpec, subject: str, value: Any) -> Array:
    """`value` as a C-contiguous array of type `spec`; InvocationError, which begins with `subject`, for another."""
    array = _as_array(spec, subject, value)
    if array.dtype != spec.dtype.numpy:
        expected = f"{spec.dtype.name}, found {_dtype_name(array)}"
        hint = f" (convert it with .astype({spec.dtype.numpy.name!r}))" if _is_numeric(array) else ""
        raise InvocationError(f"{subject}: expected dtype {expected}{hint}")
    wanted = TensorSpec("", spec.dtype, spec.shape)
    if array.ndim != len(spec.shape):
        expected, found = f"rank {len(spec.shape)} ({wanted})", f"rank {array.ndim} ({describe(array)})"
        raise InvocationError(f"{subject}: expected {expected}, found {found}")
    if not fits(spec, array.shape):
        raise InvocationError(f"{subject}: expected {wanted}, found {describe(array)}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        array = np.array(array, order="C", copy=True)
    return array


def with_buffer_protocol(dtype: DType, array: Array) -> Array:
    """A view of the same bytes that has the buffer protocol.

    ml_dtypes have no code in it: their bytes are shown as integers of the same size. A zero-dimensional array of a
    custom dtype cannot be viewed, but an unsized copy of its one element can.
    """
    if dtype.name in _FORMATS:
        return array
    return array.reshape(array.shape).view(np.dtype(f"u{dtype.size_bytes}"))


def _as_array(spec: TensorSpec, subject: str, value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return cast(Array, value)
    if isinstance(value, (bool, int, float, complex, list, tuple)):
        return _from_python(spec, subject, cast(Any, value))
    if isinstance(value, np.generic):
        return np.asarray(cast(Any, value))
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, TypeError, RuntimeError, ValueError):
            pass  # read-only, or of a dtype that DLPack's NumPy side does not know: other ways follow
    try:
        return np.asarray(value) if hasattr(value, "__array__") else np.asarray(memoryview(value))
    except (TypeError, ValueError, RuntimeError, BufferError):
        kind = type(value).__name__
        raise InvocationError(f"{subject}: expected an array ({spec}), found {kind}") from None


def _from_python(spec: TensorSpec, subject: str, value: Any) -> Array:
    """Python numbers have no dtype of their own: they take the one that is wanted when it can hold them."""
    try:
        plain = np.asarray(value)
    except ValueError:
        raise InvocationError(f"{subject}: expected an array ({spec}), found a ragged list") from None
    if plain.size and not _holds(spec.dtype, plain):
        raise InvocationError(f"{subject}: {spec.dtype.name} cannot hold Python values of type {plain.dtype.name}")
    try:
        return np.asarray(value, dtype=spec.dtype.numpy)
    except (OverflowError, ValueError, TypeError) as error:
        raise InvocationError(f"{subject}: {error}") from None


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _argument_name(index: int, spec: TensorSpec) -> str:
    return f"{index} ('{spec.name}')" if spec.name else str(index)


def _dtype_name(array: Array) -> str:
    try:
        return from_numpy(array.dtype).name
    except KeyError:
        return str(array.dtype)


def _is_numeric(array: Array) -> bool:
    return array.dtype.kind in "biufc"


def _holds(dtype: DType, plain: Array) -> bool:
    """Whether Python values of this kind may become `dtype`: bool → all, int → numbers, float → floats, complex."""
    kind = plain.dtype.kind
    if kind == "b":
        return True
    if kind in "iu":
        return not dtype.is_bool
    if kind == "f":
        return dtype.is_float or dtype.is_complex
    return kind == "c" and dtype.is_complex
