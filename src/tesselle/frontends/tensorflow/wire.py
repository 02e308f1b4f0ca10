"""The wire format of protocol buffers: messages as streams of numbered fields.

A message is a sequence of keys, `number << 3 | type`, each followed by a value: a varint (type 0), eight bytes (1), a
length and that many bytes (2), or four bytes (5). Source: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from tesselle.support.diagnostics import ParseError
from tesselle.support.locations import ByteLocation

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class Message:
    """An encoded message, or a string: `data`, which begins at byte `offset` of `file`."""

    data: memoryview
    file: str
    offset: int = 0

    @staticmethod
    def of(data: bytes | memoryview, file: str) -> Message:
        return Message(memoryview(data), file)

    def fields(self) -> Iterator[tuple[int, int | Message]]:
        """Number and value of every field, in order: an integer as it is stored, or what stands behind a length."""
        return ((number, value) for number, value, _, _ in self._scan())

    def _scan(self) -> Iterator[tuple[int, int | Message, int, int]]:
        """The fields, each with the positions where it begins and ends."""
        data, at, end = self.data, 0, len(self.data)
        while at < end:
            begin = at
            key, at = self.varint(at)
            number, kind = key >> 3, key & 7
            if number == 0:
                self.fail("a field with number 0", begin)
            if kind == _VARINT:
                value, at = self.varint(at)
                yield number, value, begin, at
                continue
            if kind == _BYTES:
                size, at = self.varint(at)
            elif kind == _FIXED64:
                size = 8
            elif kind == _FIXED32:
                size = 4
            else:
                self.fail(f"a field of type {kind}, which does not exist", begin)
            if size > end - at:
                self.fail(f"field {number} ends after the message it stands in", begin)
            part = data[at : at + size]
            at += size
            if kind == _BYTES:
                yield number, Message(part, self.file, self.offset + at - size), begin, at
            else:
                yield number, int.from_bytes(part, "little"), begin, at

    def varint(self, at: int) -> tuple[int, int]:
        """The number at a position, and the position behind it."""
        value, shift = 0, 0
        for byte in self.data[at : at + _MAX_VARINT_BYTES]:
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
            shift += 7
        self.fail("a number that does not end", at)

    def of_field(self, number: int) -> Iterator[int | Message]:
        """The values of one field."""
        return (value for n, value in self.fields() if n == number)

    def messages(self, number: int) -> Iterator[Message]:
        """The messages of a repeated field."""
        return (self.as_message(value, number) for value in self.of_field(number))

    def message(self, number: int) -> Message | None:
        """The message in a field; the last where there are several, None where there is none."""
        found = None
        for value in self.messages(number):
            found = value
        return found

    def texts(self, number: int) -> list[str]:
        """The strings of a repeated field."""
        return [value.to_text() for value in self.messages(number)]

    def text(self, number: int) -> str:
        """The string in a field; empty where there is none."""
        found = self.message(number)
        return "" if found is None else found.to_text()

    def integer(self, number: int) -> int:
        """The number in a field, as it is stored; 0 where there is none."""
        found = 0
        for value in self.of_field(number):
            if isinstance(value, Message):
                self.fail(f"field {number} is no number")
            found = value
        return found

    def integers(self, number: int) -> list[int]:
        """The numbers of a repeated field of varints, packed or not, as they are stored."""
        found: list[int] = []
        for value in self.of_field(number):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value.data):
                one, at = value.varint(at)
                found.append(one)
        return found

    def as_message(self, value: int | Message, number: int) -> Message:
        if isinstance(value, int):
            self.fail(f"field {number} is a number, where a message or a string is expected")
        return value

    def to_text(self) -> str:
        try:
            return str(self.data, "utf-8")
        except UnicodeDecodeError:
            self.fail("a string that is not UTF-8")

    def edited(self, number: int, edit: Callable[[int, Message], bytes | None]) -> bytes:
        """The message with the messages of field `number` replaced by what `edit(i, message)` returns for the i-th.

        None keeps it as it is. All other fields stay as they are.
        """
        parts: list[bytes | memoryview] = []
        kept = count = 0
        for n, value, begin, end in self._scan():
            if n != number:
                continue
            new = edit(count, self.as_message(value, number))
            count += 1
            if new is not None:
                parts += [self.data[kept:begin], bytes_field(number, new)]
                kept = end
        return b"".join((*parts, self.data[kept:]))

    def fail(self, what: str, at: int = 0) -> NoReturn:
        raise ParseError(f"damaged: {what}", ByteLocation(self.file, self.offset + at))


def to_signed(value: int) -> int:
    """The integer that a stored one stands for in a field of a signed type."""
    return value - (1 << 64) if value >> 63 else value


def varint(value: int) -> bytes:
    """The encoding of an integer; a negative one takes ten bytes."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def integer_field(number: int, value: int) -> bytes:
    return varint(number << 3 | _VARINT) + varint(value)


def fixed32_field(number: int, value: int) -> bytes:
    return varint(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def bytes_field(number: int, value: bytes | memoryview | str) -> bytes:
    """A string or a message in a field."""
    data = value.encode() if isinstance(value, str) else value
    return b"".join((varint(number << 3 | _BYTES), varint(len(data)), data))
