"""Tensors on the command line: `2x3xf32=1,2,3,4,5,6`, `f32=1.5`, `@x.npy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tesselle.support.diagnostics import InvocationError
from tesselle.support.dtypes import DTYPES, DType, Kind, from_numpy

Array = NDArray[Any]

_TYPED = re.compile(r"(?P<dims>(?:\d+x)*)(?P<dtype>[A-Za-z][\w<>]*)")


_NAME = re.compile(r"[A-Za-z_][\w.:/-]*")
"""Names of arguments: identifiers, and what joins them into paths (`inputs.image.0`)."""


def parse_named_tensor(text: str) -> tuple[str | None, Array]:
    """`NAME=2x3xf32=…` or `NAME=@x.npy`: the argument's name, or None when it goes by position, and its value."""
    name, separator, rest = text.partition("=")
    if separator and _NAME.fullmatch(name) and (rest.startswith("@") or "=" in rest):
        return name, parse_tensor(rest)
    return None, parse_tensor(text)


def parse_tensor(text: str) -> Array:
    """The value that `text` spells.

    `@x.npy` reads a file. `2x3xf32=1,2,3,4,5,6` lists the elements row by row, with commas, blanks or brackets between
    them; a single element fills the whole tensor. Elements are numbers, `inf`, `nan`, `true` and `false`; complex ones
    are spelled as in Python, `1+2j`.
    Errors: InvocationError says what is wrong with the text.
    """
    if text.startswith("@"):
        return read_array(Path(text[1:]))
    head, separator, elements = text.partition("=")
    if not separator:
        raise InvocationError(f"input '{text}' has no value: write 2x3xf32=1,2,3,4,5,6 or @file.npy")
    match = _TYPED.fullmatch(head.strip())
    element_type = DTYPES.get(match["dtype"]) if match else None
    if match is None or element_type is None or element_type.is_index:
        raise InvocationError(f"input '{_shorten(text)}': '{head}' is not a type such as 2x3xf32")
    shape = tuple(int(d) for d in match["dims"].split("x") if d)
    words = re.sub(r"[\[\],]", " ", elements).split()
    count = int(np.prod(shape, dtype=object))
    values = np.array([_parse_element(w, element_type, text) for w in words], element_type.numpy)
    if len(values) == 1:
        return np.full(shape, values[0], element_type.numpy)
    if len(values) != count:
        raise InvocationError(f"input '{_shorten(text)}': {head} has {count} elements, found {len(values)}")
    return values.reshape(shape)


def read_array(path: Path) -> Array:
    """The array in a `.npy` file. Errors: InvocationError when it is not one; OSError when it cannot be opened."""
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvocationError(f"{path} is not a .npy file: {error}") from error


def write_array(path: Path, array: Array) -> None:
    """Write `array` as `.npy`. Types that the format does not know (bf16, f8…, i4) are written as their bytes."""
    if array.dtype.type.__module__ == "ml_dtypes":
        # Left alone, NumPy writes f8E5M2 as a float of one byte, which it then refuses to read.
        flat = np.ascontiguousarray(array).reshape(-1).view(np.dtype(f"V{array.dtype.itemsize}"))
        array = flat.reshape(array.shape)
    with path.open("wb") as f:
        np.save(f, array, allow_pickle=False)


def reinterpret(array: Array, wanted: DType) -> Array:
    """`array` as `wanted` where its own type says no more than a size: the `.npy` format knows bf16 only as 2 bytes."""
    if array.dtype.type is np.void and array.dtype.itemsize == wanted.size_bytes:
        return array.view(wanted.numpy)
    return array


def type_text(array: Array) -> str:
    """`2x3xf32`."""
    return "x".join([*(str(d) for d in array.shape), str(from_numpy(array.dtype))])


def format_tensor(array: Array) -> str:
    """`2x3xf32=[[1 2 3] [4 5 6]]`; long tensors are shortened in the middle."""
    # NumPy prints the types that ml_dtypes adds without regard to its print options.
    shown = array.astype(np.float32) if array.dtype.name in _ADDED_FLOATS else array
    body = np.array2string(shown, separator=" ", threshold=256, max_line_width=110, precision=7)
    return f"{type_text(array)}={body}"


_ADDED_FLOATS = frozenset(d.numpy.name for d in DTYPES.values() if d.is_float and d.numpy.kind == "V")


def _parse_element(word: str, element_type: DType, text: str) -> Any:
    try:
        match element_type.kind:
            case Kind.BOOL:
                return {"true": True, "false": False, "1": True, "0": False}[word.lower()]
            case Kind.SIGNED | Kind.UNSIGNED:
                value, limits = int(word, 0), ml_dtypes.iinfo(element_type.numpy)
                if not limits.min <= value <= limits.max:
                    raise InvocationError(f"input '{_shorten(text)}': {word} does not fit {element_type}")
                return value
            case Kind.COMPLEX:
                return complex(word)
            case _:
                return float(word)
    except (ValueError, KeyError):
        raise InvocationError(f"input '{_shorten(text)}': '{word}' is not an element of {element_type}") from None


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
