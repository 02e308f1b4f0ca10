"""Primitives of MLIR bytecode: bytes, variable-width integers, places.

A varint's first byte tells its size by the number of its low zero bits: `xxxxxxx1` holds 7 bits alone, `xxxxxx10`
has one byte behind it, `00000000` eight. Signed ones are zigzag-encoded. Source: MLIR, BytecodeFormat.md.
"""

from __future__ import annotations

from typing import NoReturn

from tesselle.support.diagnostics import ParseError
from tesselle.support.locations import ByteLocation

Buffer = bytes | memoryview

PADDING = 0xCB
"""What fills the gap in front of aligned data."""
_STRING_CHUNK = 4096


class Stream:
    """Reads `data` from `pos` to `end`; `base` is the place of `data[0]` in the file."""

    __slots__ = ("base", "data", "end", "file", "pos")

    def __init__(self, data: Buffer, file: str, base: int = 0, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.file = file
        self.base = base
        self.pos = pos
        self.end = len(data) if end is None else end

    # ------------------------------------------------------------------------------------------ errors

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        """Raise ParseError at `offset` of `data`, or at the next byte."""
        at = self.base + (self.pos if offset is None else offset)
        raise ParseError(message, ByteLocation(self.file, at), "bytecode")

    def require(self, count: int, size: int, what: str) -> None:
        """There must be room for `count` things of `size` bytes at least: nothing is reserved for what cannot come."""
        if count * size > self.end - self.pos:
            self.fail(f"expected {count} {what}, but {self.end - self.pos} bytes are left")

    @property
    def left(self) -> int:
        return self.end - self.pos

    # ------------------------------------------------------------------------------------------ numbers

    def byte(self) -> int:
        pos = self.pos
        if pos >= self.end:
            self.fail("unexpected end of the data")
        self.pos = pos + 1
        return self.data[pos]

    def varint(self) -> int:
        """An unsigned integer of at most 64 bits."""
        pos = self.pos
        if pos >= self.end:
            self.fail("unexpected end of the data")
        first = self.data[pos]
        if first & 1:
            self.pos = pos + 1
            return first >> 1
        size = (first & -first).bit_length() if first else 9
        if pos + size > self.end:
            self.fail("unexpected end of the data")
        self.pos = pos + size
        if not first:
            return int.from_bytes(self.data[pos + 1 : pos + 9], "little")
        return int.from_bytes(self.data[pos : pos + size], "little") >> size

    def signed(self) -> int:
        """A signed integer of at most 64 bits."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def flagged(self) -> tuple[int, bool]:
        """An integer whose lowest bit is a flag of its own."""
        value = self.varint()
        return value >> 1, bool(value & 1)

    def index(self, limit: int, what: str) -> int:
        """An integer below `limit`."""
        at = self.pos
        value = self.varint()
        if value >= limit:
            self.fail(f"there is no {what} {value}: the file has {limit}", at)
        return value

    def count(self, what: str) -> int:
        """The number of things that follow, each of one byte at least."""
        value = self.varint()
        self.require(value, 1, what)
        return value

    # ------------------------------------------------------------------------------------------ bytes

    def take(self, size: int) -> Buffer:
        """The next `size` bytes."""
        pos = self.pos
        if size > self.end - pos:
            self.fail(f"expected {size} bytes, but {self.end - pos} are left")
        self.pos = pos + size
        return self.data[pos : pos + size]

    def sub(self, size: int) -> Stream:
        """A stream of the next `size` bytes, which are skipped."""
        pos = self.pos
        if size > self.end - pos:
            self.fail(f"expected {size} bytes, but {self.end - pos} are left")
        self.pos = pos + size
        return Stream(self.data, self.file, self.base, pos, pos + size)

    def terminated(self) -> str:
        """A string that ends with a zero byte."""
        at = self.pos
        found = bytearray()
        for start in range(at, self.end, _STRING_CHUNK):  # what follows may be gigabytes of weights
            chunk = bytes(self.data[start : min(start + _STRING_CHUNK, self.end)])
            size = chunk.find(b"\0")
            found += chunk if size < 0 else chunk[:size]
            if size >= 0:
                self.pos = start + size + 1
                return decode(bytes(found))
        self.fail("a string does not end", at)

    def align(self, alignment: int) -> None:
        """Skip the padding in front of data aligned to `alignment` bytes of the file."""
        if alignment <= 0 or alignment & (alignment - 1) or alignment > 1 << 20:
            self.fail(f"{alignment} is no alignment")
        while (self.base + self.pos) % alignment:
            at = self.pos
            if self.byte() != PADDING:
                self.fail("expected padding", at)


def decode(data: bytes) -> str:
    """The text of a string; bytes that are not UTF-8 are kept, as the text reader does."""
    return data.decode("utf-8", errors="surrogateescape")
