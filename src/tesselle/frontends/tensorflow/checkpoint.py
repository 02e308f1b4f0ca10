"""Checkpoints of TensorFlow (tensor bundles): `variables.index`, a table, and shards of data beside it.

The key "" holds a BundleHeaderProto; every other key is the name of a tensor, its value a BundleEntryProto: element
type, shape, and where the bytes lie. A partitioned variable has an entry that lists its slices, each with a key of its
own. Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tesselle.frontends.tensorflow.crc32c import crc32c, mask, masked_crc32c
from tesselle.frontends.tensorflow.dtypes import STRING, dtype_name, dtype_of
from tesselle.frontends.tensorflow.table import read_table
from tesselle.frontends.tensorflow.wire import Message, to_signed
from tesselle.support.diagnostics import ParseError, Unsupported
from tesselle.support.locations import ByteLocation

Array = np.ndarray[Any, Any]

HEADER_KEY = b""
_MAX_RANK = 254
"""The highest that TensorFlow has."""
_MAX_ELEMENTS = 1 << 48
_MAX_SLICES = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a checkpoint: element type as TensorFlow numbers it, shape, and either its bytes or its slices.

    A slice has a start and a length in every dimension; no length means all.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[tuple[tuple[int, int | None], ...], ...]
    place: ByteLocation


class Checkpoint:
    """A checkpoint, opened: keys, element types and shapes are read, the tensors when they are asked for.

    `prefix` is the path without `.index` and `.data-…`. Errors: FileNotFoundError, ParseError, Unsupported.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._shards: dict[int, memoryview] = {}
        self._entries: dict[bytes, Entry] = {}
        index = prefix.with_name(prefix.name + ".index")
        self.shard_count = 0
        for key, value in read_table(memoryview(index.read_bytes()), str(index)):
            if key == HEADER_KEY:
                self.shard_count = _shard_count(value)
            else:
                self._entries[key] = _entry(value)
        if self.shard_count == 0:
            raise ParseError(f"{index}: damaged: there is no header")

    def __contains__(self, key: str) -> bool:
        return key.encode() in self._entries

    def entry(self, key: str) -> Entry:
        """What is known of a tensor without reading it. ParseError when there is none of that name."""
        found = self._entries.get(key.encode())
        if found is None:
            raise ParseError(f"{self._prefix}.index: there is no tensor '{key}'")
        return found

    def read(self, key: str) -> Array:
        """The elements of a tensor, checked against their checksum; read-only, on top of a memory map."""
        entry = self.entry(key)
        array = self._assemble(key, entry) if entry.slices else self._array(key, entry)
        array.flags.writeable = False
        return array

    def read_string(self, key: str) -> Message:
        """The one element of a tensor of strings.

        Bytes: the length as a varint, the masked CRC-32C of the length as 32 or 64 bits, the characters; the checksum
        of the whole is over the same with the length as 32 or 64 bits.
        """
        entry = self.entry(key)
        if entry.dtype != STRING or entry.shape:
            _fail(f"'{key}' is not one string", entry.place)
        raw = self._bytes(key, entry)
        length, at = raw.varint(0)
        if len(raw.data) != at + 4 + length:
            raw.fail(f"the string '{key}' takes {len(raw.data)} bytes, its length is {length}")
        stored, characters = bytes(raw.data[at : at + 4]), raw.data[at + 4 :]
        lengths = crc32c(length.to_bytes(4 if length < 1 << 32 else 8, "little"))
        if (
            mask(lengths) != int.from_bytes(stored, "little")
            or mask(crc32c(characters, crc32c(stored, lengths))) != entry.crc
        ):
            raw.fail(f"the checksum of '{key}' is wrong")
        return Message(characters, raw.file, raw.offset + at + 4)

    def _array(self, key: str, entry: Entry) -> Array:
        dtype = dtype_of(entry.dtype)
        if dtype is None:
            raise Unsupported(f"'{key}' has elements of type {dtype_name(entry.dtype)}", entry.place)
        if math.prod(entry.shape) * dtype.size_bytes != entry.size:
            text = f"{dtype.name}[{', '.join(map(str, entry.shape))}]"
            _fail(f"'{key}' takes {entry.size} bytes, which is not what {text} takes", entry.place)
        raw = self._bytes(key, entry)
        if masked_crc32c(raw.data) != entry.crc:
            raw.fail(f"the checksum of '{key}' is wrong")
        found = np.frombuffer(raw.data, np.uint8) if entry.size else np.empty(0, np.uint8)
        if dtype.is_bool and found.max(initial=0) > 1:
            raw.fail(f"'{key}' has booleans that are neither 0 nor 1")
        # The offset is a multiple of nothing: what is not aligned is copied.
        aligned = found if found.ctypes.data % dtype.size_bytes == 0 else found.copy()
        return aligned.view(dtype.numpy).reshape(entry.shape)

    def _assemble(self, key: str, entry: Entry) -> Array:
        """A tensor from its slices, which must cover it."""
        dtype = dtype_of(entry.dtype)
        if dtype is None:
            raise Unsupported(f"'{key}' has elements of type {dtype_name(entry.dtype)}", entry.place)
        if len(entry.slices) > _MAX_SLICES:
            raise Unsupported(f"'{key}' has {len(entry.slices)} slices, more than {_MAX_SLICES}", entry.place)
        covered = 0
        parts: list[tuple[tuple[slice, ...], Array]] = []
        for extents in entry.slices:
            if len(extents) != len(entry.shape):
                _fail(f"'{key}' has rank {len(entry.shape)}, a slice of it rank {len(extents)}", entry.place)
            part = self._entries.get(slice_key(key, extents))
            if part is None:
                _fail(f"a slice of '{key}' is missing", entry.place)
            spans: list[slice] = []
            for (start, length), size in zip(extents, entry.shape, strict=True):
                end = size if length is None else start + length
                if not 0 <= start <= end <= size:
                    _fail(f"a slice of '{key}' lies outside it", entry.place)
                spans.append(slice(start, end))
            array = self._array(key, part)
            if part.dtype != entry.dtype or array.shape != tuple(s.stop - s.start for s in spans):
                _fail(f"a slice of '{key}' has another type than '{key}'", part.place)
            covered += array.size
            parts.append((tuple(spans), array))
        if covered != math.prod(entry.shape) or _overlap([spans for spans, _ in parts]):
            _fail(f"the slices of '{key}' do not make up the whole", entry.place)
        whole = np.zeros(entry.shape, dtype.numpy)
        for where, array in parts:
            whole[where] = array
        return whole

    def _bytes(self, key: str, entry: Entry) -> Message:
        shard = self._shard(entry)
        if entry.offset + entry.size > len(shard):
            _fail(f"'{key}' lies outside {self._shard_path(entry.shard).name}", entry.place)
        data = shard[entry.offset : entry.offset + entry.size]
        return Message(data, str(self._shard_path(entry.shard)), entry.offset)

    def _shard(self, entry: Entry) -> memoryview:
        found = self._shards.get(entry.shard)
        if found is None:
            if entry.shard >= self.shard_count:
                _fail(f"shard {entry.shard} of {self.shard_count}", entry.place)
            with self._shard_path(entry.shard).open("rb") as file:
                empty = file.seek(0, 2) == 0
                found = memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            self._shards[entry.shard] = found
        return found

    def _shard_path(self, shard: int) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}.data-{shard:05}-of-{self.shard_count:05}")


def _shard_count(header: Message) -> int:
    big_endian, version = header.integer(2), header.message(3)
    if big_endian:
        raise Unsupported(f"{header.file}: checkpoints with the most significant byte first are not supported")
    min_consumer = 0 if version is None else version.integer(2)
    if min_consumer > 1:
        raise Unsupported(f"{header.file}: the checkpoint is of version {min_consumer}, which is not known")
    return header.integer(1)


def _entry(message: Message) -> Entry:
    numbers = {n: value for n, value in message.fields() if isinstance(value, int)}
    shape = tuple(to_signed(size.integer(1)) for part in message.messages(2) for size in part.messages(2))
    place = ByteLocation(message.file, message.offset)
    if any(d < 0 for d in shape) or len(shape) > _MAX_RANK or math.prod(shape) > _MAX_ELEMENTS:
        _fail(f"a tensor of {len(shape)} dimensions {shape[:8]}", place)
    slices = tuple(tuple(_extent(e) for e in part.messages(1)) for part in message.messages(7))
    return Entry(
        dtype=numbers.get(1, 0),
        shape=shape,
        shard=numbers.get(3, 0),
        offset=numbers.get(4, 0),
        size=numbers.get(5, 0),
        crc=numbers.get(6, 0),
        slices=slices,
        place=place,
    )


def _extent(extent: Message) -> tuple[int, int | None]:
    """Start, and the length if there is one."""
    numbers = {n: to_signed(value) for n, value in extent.fields() if isinstance(value, int)}
    return numbers.get(1, 0), numbers.get(2)


# ------------------------------------------------------------------------------------------------ slices


def slice_key(tensor: str, extents: Sequence[tuple[int, int | None]]) -> bytes:
    """The key of a slice: its parts in an encoding that sorts as they do (OrderedCode).

    Source: tensorflow/core/util/saved_tensor_slice_util.cc, tensorflow/core/lib/strings/ordered_code.cc.
    """
    escaped = tensor.encode().replace(b"\xff", b"\xff\0").replace(b"\0", b"\0\xff")
    parts = [_unsigned(0), escaped, b"\0\1", _unsigned(len(extents))]
    for start, length in extents:
        # All of a dimension is written as start 0 and length -1.
        parts += [_signed(start), _signed(-1 if length is None else length)]
    return b"".join(parts)


def _unsigned(value: int) -> bytes:
    """The number of its bytes, then the bytes."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _overlap(boxes: Sequence[Sequence[slice]]) -> bool:
    """Whether any two boxes have an element in common; every box has one."""
    starts = np.array([[s.start for s in box] for box in boxes], np.int64).reshape(len(boxes), -1)
    ends = np.array([[s.stop for s in box] for box in boxes], np.int64).reshape(len(boxes), -1)
    return any(
        bool(np.all((starts[i] < ends[:i]) & (starts[:i] < ends[i]), axis=1).any()) for i in range(1, len(boxes))
    )


def _signed(value: int) -> bytes:
    """`n` bytes hold 7n - 1 bits; the first n bits tell n, and are inverted for negative numbers."""
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    header = ((1 << size) - 1) << (7 * size)
    return ((value & (1 << 8 * size) - 1) ^ header).to_bytes(size, "big")


def _fail(what: str, place: ByteLocation) -> NoReturn:
    raise ParseError(f"damaged: {what}", place)
