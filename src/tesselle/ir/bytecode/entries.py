"""The table of attributes and types: every entry is decoded when it is first asked for, and once.

An entry is text, or what the dialect's own encoding makes of it. Entries refer to one another by number; references
may neither be circular nor grow exponentially when they are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

from tesselle.ir.attributes import Attribute, OpaqueAttr
from tesselle.ir.bytecode.registry import ATTRIBUTE_READERS, TYPE_READERS, load_bytecode
from tesselle.ir.bytecode.sections import Resource, Section, Sections
from tesselle.ir.bytecode.stream import Buffer, Stream, decode
from tesselle.ir.text.definitions import MAX_WEIGHT
from tesselle.ir.text.parser import Parser
from tesselle.ir.types import Type
from tesselle.support.diagnostics import Diagnostic, ParseError, Unsupported
from tesselle.support.dtypes import DType
from tesselle.support.locations import ByteLocation, Location

T = TypeVar("T")

MAX_DEPTH = 100
"""References that an entry may follow in a row."""


_SMALL = 1 << 12
"""Entries of fewer bytes are copied, for bytes are read faster than views of the file."""

_OPEN: Any = object()


class Entry(Stream):
    """The encoding of one attribute or type, for readers of dialects."""

    __slots__ = ("table",)

    def __init__(self, table: EntryTable, data: Buffer, base: int) -> None:
        super().__init__(data, table.sections.file, base)
        self.table = table

    def unsupported(self, what: str) -> NoReturn:
        """What stands here can be read by nobody here; `what` names it in the plural."""
        raise Unsupported(f"{what} are not supported", ByteLocation(self.file, self.base), "bytecode")

    def attribute(self) -> Any:
        return self.table.attribute(self.index(len(self.table.attributes), "attribute"))

    def optional_attribute(self) -> Any:
        """An attribute that may be absent (None)."""
        at = self.pos
        index, present = self.flagged()
        if not present:
            return None
        if index >= len(self.table.attributes):
            self.fail(f"there is no attribute {index}: the file has {len(self.table.attributes)}", at)
        return self.table.attribute(index)

    def type(self) -> Type:
        return self.table.type(self.index(len(self.table.types), "type"))

    def dtype(self) -> DType:
        """A type that must be one of elements."""
        at = self.pos
        found = self.type()
        if not isinstance(found, DType):
            self.fail(f"expected an element type, found {found}", at)
        return found

    def string(self) -> str:
        return self.table.sections.string(self)

    def text_attribute(self) -> str:
        """An attribute that must be a string."""
        at = self.pos
        found = self.attribute()
        if not isinstance(found, str):
            self.fail(f"expected a string, found {found}", at)
        return found

    def location(self) -> Location:
        """An attribute that must be a location."""
        at = self.pos
        found = self.attribute()
        if not isinstance(found, Location):
            self.fail(f"expected a location, found {found}", at)
        return found

    def list(self, read: Callable[[], T]) -> tuple[T, ...]:
        return tuple([read() for _ in range(self.count("elements"))])

    def attributes(self) -> tuple[Attribute, ...]:
        return self.list(self.attribute)

    def types(self) -> tuple[Type, ...]:
        return self.list(self.type)

    def ints(self) -> tuple[int, ...]:
        return self.list(self.signed)

    def blob(self) -> Buffer:
        """Bytes; a view of the file when there are many."""
        return self.take(self.varint())

    def ap_int(self, bits: int) -> int:
        """An integer of `bits` bits as an unsigned number."""
        if bits <= 8:
            return self.byte() & ((1 << bits) - 1)
        if bits <= 64:
            return self.signed() & ((1 << bits) - 1)
        value = 0
        for i in range(self.count("words")):
            value |= (self.signed() & ((1 << 64) - 1)) << (64 * i)
        return value & ((1 << bits) - 1)

    def ap_float(self, dtype: DType) -> float:
        """A float of `dtype`, which is written as its bits."""
        bits = self.ap_int(dtype.bits)
        size = dtype.numpy.itemsize
        return float(np.frombuffer(bits.to_bytes(size, "little"), dtype.numpy)[0])

    def resource(self) -> Resource:
        resources = self.table.sections.resources
        return resources[self.index(len(resources), "resource")]


class EntryTable:
    """All attributes and types of a file.

    `attributes` and `types` hold what is decoded already and None elsewhere; `None` as an attribute is kept as `NONE`.
    """

    def __init__(self, sections: Sections) -> None:
        self.sections = sections
        self.unsupported: list[Diagnostic] = []
        s = sections.stream(Section.ATTR_TYPE_OFFSET)
        count = s.varint()
        type_count = s.varint()
        s.require(count + type_count, 1, "attributes and types")
        data = sections.stream(Section.ATTR_TYPE)
        self._data = data.data
        at = data.pos
        self._places: list[list[tuple[int, int, int, bool]]] = []
        for wanted in (count, type_count):
            places: list[tuple[int, int, int, bool]] = []
            while len(places) < wanted:
                dialect = s.index(len(sections.dialects), "dialect")
                group = s.count("entries")
                if group > wanted - len(places):
                    s.fail(f"{group} entries are too many: {wanted - len(places)} are left")
                for _ in range(group):
                    value = s.varint()
                    size = value >> 1
                    if at + size > data.end:
                        s.fail(f"an entry of {size} bytes reaches behind its section")
                    places.append((at, at + size, dialect, bool(value & 1)))
                    at += size
            self._places.append(places)
        if s.left:
            s.fail("bytes are left behind the offsets of attributes and types")
        self.attributes: list[Any] = [None] * count
        self.types: list[Type | None] = [None] * type_count
        self._weights: list[list[int]] = [[0] * count, [0] * type_count]
        self._open: set[tuple[int, int]] = set()
        self._weight = 0

    def attribute(self, index: int) -> Any:
        """The attribute of that number, which must exist."""
        found = self.attributes[index]
        if found is not None:
            self._count(self._weights[0][index])
            return None if found is NONE else found
        value = self._decode(0, index)
        self.attributes[index] = NONE if value is None else value
        return value

    def type(self, index: int) -> Type:
        """The type of that number, which must exist."""
        found = self.types[index]
        if found is not None:
            self._count(self._weights[1][index])
            return found
        value = self._decode(1, index)
        if not isinstance(value, Type):
            self._fail(1, index, f"expected a type, found {value}")
        self.types[index] = value
        return value

    def _count(self, weight: int) -> None:
        self._weight += weight

    def _decode(self, kind: int, index: int) -> Any:
        start, end, dialect_index, custom = self._places[kind][index]
        key = (kind, index)
        if key in self._open:
            self._fail(kind, index, f"{_KINDS[kind]} {index} refers to itself")
        if len(self._open) >= MAX_DEPTH:
            self._fail(kind, index, "attributes and types are nested too deeply")
        self._open.add(key)
        outer, self._weight = self._weight, 1
        data: Buffer = self._data[start:end]
        if end - start < _SMALL:
            data = bytes(data)
        dialect = self.sections.dialects[dialect_index].name
        value = self._custom(kind, dialect, data, start) if custom else self._text(kind, data, start)
        weight = self._weight
        if weight > MAX_WEIGHT:
            self._fail(kind, index, f"{_KINDS[kind]} {index} consists of more than {MAX_WEIGHT} others")
        self._weights[kind][index] = weight
        self._weight = outer + weight
        self._open.discard(key)
        return value

    def _custom(self, kind: int, dialect: str, data: Buffer, start: int) -> Any:
        load_bytecode(dialect)
        if not kind and dialect not in ATTRIBUTE_READERS:
            # As MLIR writes attributes of dialects that it does not know.
            return OpaqueAttr(f'#{dialect}<"0x{bytes(data).hex().upper()}">')
        entry = Entry(self, data, start)
        code = entry.varint()
        read: Callable[[Entry], Any] | None = (TYPE_READERS if kind else ATTRIBUTE_READERS).get(dialect, {}).get(code)
        if read is None:
            place = ByteLocation(self.sections.file, start)
            raise Unsupported(f"there is no {_KINDS[kind]} with code {code} in dialect {dialect}", place, "bytecode")
        value = read(entry)
        if entry.left:
            entry.fail(f"{entry.left} bytes are left behind an encoded {_KINDS[kind]}")
        return value

    def _text(self, kind: int, data: Buffer, start: int) -> Any:
        if not len(data) or data[-1]:
            Stream(data, self.sections.file, start).fail(f"the text of an {_KINDS[kind]} does not end with zero")
        text = decode(bytes(data[:-1]))
        place = ByteLocation(self.sections.file, start)
        try:
            parser = Parser(text, self.sections.file)
            # An attribute that holds a location is written as one.
            is_location = parser.token == "loc"
            value: Any = parser.type() if kind else parser.location() if is_location else parser.any_attribute()
            if parser.token:
                parser.unexpected("the end")
        except Unsupported as error:
            raise Unsupported(error.diagnostics[0].message, place, error.diagnostics[0].rule) from error
        except ParseError as error:
            message = f"malformed {_KINDS[kind]} '{text[:60]}': {error.diagnostics[0].message}"
            raise ParseError(message, place, "bytecode") from error
        return value

    def _fail(self, kind: int, index: int, message: str) -> NoReturn:
        raise ParseError(message, ByteLocation(self.sections.file, self._places[kind][index][0]), "bytecode")


NONE: Any = object()
"""Stands for the attribute `none` in the table."""

_KINDS = ("attribute", "type")
