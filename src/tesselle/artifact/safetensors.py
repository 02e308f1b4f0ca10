"""The safetensors format: constants inside an artifact, the variables of a session in a file of their own.

    8 bytes     length of the header, little-endian
    header      JSON: name → {"dtype", "shape", "data_offsets": [begin, end]}; "__metadata__" → strings
    data        the tensors, row-major, one directly after the other; offsets count from its beginning

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DTYPES, DType, from_numpy

ALIGNMENT = 64
METADATA_KEY = "__metadata__"
PADDING_KEY = "__padding__"
"""Prefix of tensors that only fill gaps: the format allows no holes."""

_CHUNK = 1 << 24
_MAX_HEADER_BYTES = 100_000_000
"""As much as the format's own reader takes."""
_NAMES = {
    "i1": "BOOL",
    "i8": "I8",
    "i16": "I16",
    "i32": "I32",
    "i64": "I64",
    "ui8": "U8",
    "ui16": "U16",
    "ui32": "U32",
    "ui64": "U64",
    "f8E4M3FN": "F8_E4M3",
    "f8E5M2": "F8_E5M2",
    "bf16": "BF16",
    "f16": "F16",
    "f32": "F32",
    "f64": "F64",
    "complex<f32>": "C64",
}
_DTYPES = {spelling: DTYPES[name] for name, spelling in _NAMES.items()}
_UI8 = DTYPES["ui8"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies: `offset` counts from the beginning of the file."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    offset: int
    size: int


def lay_out(
    tensors: Sequence[tuple[str, Array]], what: str, alignment: int = ALIGNMENT
) -> tuple[bytes, tuple[Place, ...]]:
    """The header of a file of `tensors`, and where each lies: at multiples of `alignment`. `what` names it in errors.

    Elements that the format has no name for are stored as bytes, with an axis more.
    """
    entries: dict[str, Any] = {}
    places: list[Place] = []
    position = 0
    for name, array in tensors:
        if name in entries or name.startswith(PADDING_KEY) or name == METADATA_KEY:
            raise ArtifactError(f"{what}: '{name}' cannot be used as a name (again)")
        padding = -position % alignment
        if padding:
            key = f"{PADDING_KEY}{len(entries)}"
            entries[key] = {"dtype": "U8", "shape": [padding], "data_offsets": [position, position + padding]}
            position += padding
        dtype = from_numpy(array.dtype)
        spelling = _NAMES.get(dtype.name)
        shape = list(array.shape) if spelling else [*array.shape, dtype.size_bytes]
        data_offsets = [position, position + array.nbytes]
        entries[name] = {"dtype": spelling or "U8", "shape": shape, "data_offsets": data_offsets}
        places.append(Place(name, dtype, tuple(array.shape), position, array.nbytes))
        position += array.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    # Eight bytes of length, then the text, filled up with spaces so that the data is aligned.
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    header = len(text).to_bytes(8, "little") + text
    return header, tuple(Place(p.name, p.dtype, p.shape, len(header) + p.offset, p.size) for p in places)


def file_chunks(
    header: bytes, tensors: Sequence[tuple[str, Array]], alignment: int = ALIGNMENT
) -> Iterator[memoryview | bytes]:
    """The file that `lay_out` has laid out, in pieces."""
    yield header
    position = 0
    for _, array in tensors:
        padding = -position % alignment
        yield bytes(padding)
        yield from _array_bytes(array)
        position += padding + array.nbytes


def _array_bytes(array: Array) -> Iterator[memoryview | bytes]:
    """The elements of an array, row-major, in pieces: a memory map is never read as a whole."""
    if array.nbytes == 0:
        return
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    flat = array.reshape(-1).view(np.uint8)
    for begin in range(0, flat.size, _CHUNK):
        yield flat[begin : begin + _CHUNK].data


def write_safetensors(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write a file, which is replaced only when the whole is written.

    Errors: ArtifactError for a name that the format does not allow; OSError.
    """
    # The largest elements first: then all are aligned to their size, and nothing has to be filled up.
    items = sorted(tensors.items(), key=lambda item: -item[1].itemsize)
    header, _ = lay_out(items, str(path), alignment=1)
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            for chunk in file_chunks(header, items, alignment=1):
                file.write(chunk)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_safetensors(path: Path, dtypes: Mapping[str, DType]) -> dict[str, Array]:
    """The tensors of a file, read-only, on top of a memory map.

    `dtypes` tells the elements of tensors that are stored as bytes with an axis more; all others tell theirs
    themselves. Errors: ArtifactError for a damaged file; OSError for one that cannot be opened.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 8:
            raise ArtifactError(f"{path}: is not a safetensors file ({size} bytes)")
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        return _read(data, dtypes)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error.diagnostics[0].message}") from None


def _read(data: memoryview, dtypes: Mapping[str, DType]) -> dict[str, Array]:
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, _MAX_HEADER_BYTES):
        raise ArtifactError(f"is not a safetensors file (a header of {length} bytes)")
    try:
        header = json.loads(bytes(data[8 : 8 + length]))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"has a damaged header: {error}") from None
    if not isinstance(header, dict):
        raise ArtifactError("has a damaged header: expected an object")
    body = data[8 + length :]
    found: dict[str, Array] = {}
    for name, entry in cast(dict[str, Any], header).items():
        if name != METADATA_KEY and not name.startswith(PADDING_KEY):
            found[name] = _tensor(name, entry, body, dtypes.get(name))
    return found


def _tensor(name: str, entry: Any, body: memoryview, expected: DType | None) -> Array:
    match entry:
        case {"dtype": str(spelling), "shape": [*numbers], "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise ArtifactError(f"tensor {name!r} has a damaged entry")
    # A boolean is an int to Python, and numbers beyond the file's size could not be multiplied in time.
    if any(type(d) is not int or not 0 <= d < 2**62 for d in numbers) or len(numbers) > 65:
        raise ArtifactError(f"tensor {name!r} has a damaged shape")
    if not 0 <= begin <= end <= len(body):
        raise ArtifactError(f"tensor {name!r} lies outside the file")
    dtype, shape = _DTYPES.get(spelling), tuple(cast(list[int], numbers))
    if dtype is None:
        raise ArtifactError(f"tensor {name!r} has elements {spelling!r}, which Tesselle does not know")
    if dtype is _UI8 and expected is not None and expected.name not in _NAMES and shape[-1:] == (expected.size_bytes,):
        dtype, shape = expected, shape[:-1]
    if math.prod(shape) * dtype.size_bytes != end - begin:
        raise ArtifactError(f"tensor {name!r} takes {end - begin} bytes, which is not what its shape and elements take")
    part = body[begin:end]
    raw = np.frombuffer(part, np.uint8) if len(part) else np.empty(0, np.uint8)
    if dtype.is_bool and raw.max(initial=0) > 1:
        raise ArtifactError(f"tensor {name!r} has booleans that are neither 0 nor 1")
    array = raw.view(dtype.numpy).reshape(shape)
    array.flags.writeable = False
    return array
