"""The sections of a bytecode file: strings, dialects, offsets, resources, properties."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tesselle.ir.bytecode.stream import Buffer, Stream, decode
from tesselle.support.diagnostics import Unsupported
from tesselle.support.locations import ByteLocation

MAGIC = b"ML\xefR"

# What the versions of the format brought.
NESTED_VERSIONS = 1  # a version beside the name of every dialect
LAZY_REGIONS = 2  # isolated regions in sections of their own
USE_LIST_ORDERS = 3
ELIDED_LOCATIONS = 4  # of block arguments; the number of operations in the dialect section
NATIVE_PROPERTIES = 5
NATIVE_SEGMENTS = 6  # sizes of operand and result groups are no attributes any more
NEWEST = 6


class Section(enum.IntEnum):
    STRING = 0
    DIALECT = 1
    ATTR_TYPE = 2
    ATTR_TYPE_OFFSET = 3
    IR = 4
    RESOURCE = 5
    RESOURCE_OFFSET = 6
    DIALECT_VERSIONS = 7
    PROPERTIES = 8


@dataclass(slots=True)
class OpName:
    """The name of an operation of the file; `registered` where the producer knew its declaration."""

    name: str
    registered: bool


@dataclass(slots=True)
class Dialect:
    """A dialect of the file; `version` holds the bytes of its version, which it alone can read."""

    name: str
    version: bytes | None


@dataclass(slots=True)
class Resource:
    """A named piece of data; `data` is a view of the file. It is None for names without data in the file."""

    name: str
    data: Buffer | None = None


@dataclass(slots=True)
class Sections:
    """What the sections of a file hold, ahead of attributes and operations."""

    file: str
    version: int
    producer: str
    streams: dict[Section, Stream]
    strings: list[str] = field(default_factory=list[str])
    dialects: list[Dialect] = field(default_factory=list[Dialect])
    ops: list[OpName] = field(default_factory=list[OpName])
    resources: list[Resource] = field(default_factory=list[Resource])
    properties: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def stream(self, section: Section) -> Stream:
        """A fresh stream of a section that must be there."""
        found = self.streams.get(section)
        if found is None:
            Stream(b"", self.file).fail(f"the file has no section {section.name}")
        return Stream(found.data, found.file, found.base, found.pos, found.end)

    def string(self, s: Stream) -> str:
        """The string whose index stands next."""
        return self.strings[s.index(len(self.strings), "string")]


def read_sections(data: Buffer, file: str) -> Sections:
    """Everything of a file but its attributes, types and operations.

    Errors: ParseError with the offset of what is malformed; Unsupported for versions that are newer than `NEWEST`.
    """
    s = Stream(data, file)
    if bytes(s.take(min(4, s.left))) != MAGIC:
        s.fail("the file is no MLIR bytecode", 0)
    at = s.pos
    version = s.varint()
    if version > NEWEST:
        raise Unsupported(
            f"MLIR bytecode of version {version} is newer than what is read ({NEWEST})",
            ByteLocation(file, at),
            "bytecode",
        )
    producer = s.terminated()
    found = Sections(file, version, producer, {})
    while s.left:
        at = s.pos
        kind, stream = read_section(s)
        if kind in found.streams:
            s.fail(f"section {kind.name} stands twice", at)
        found.streams[kind] = stream
    for kind in (Section.STRING, Section.DIALECT, Section.ATTR_TYPE, Section.ATTR_TYPE_OFFSET, Section.IR):
        found.stream(kind)
    _read_strings(found)
    _read_dialects(found)
    _read_resources(found)
    _read_properties(found)
    return found


def read_section(s: Stream) -> tuple[Section, Stream]:
    """The section that stands next, which is skipped."""
    at = s.pos
    head = s.byte()
    kind, aligned = head & 0x7F, head & 0x80
    if kind > Section.PROPERTIES:
        s.fail(f"there is no section {kind}", at)
    size = s.varint()
    if aligned:
        s.align(s.varint())
    return Section(kind), s.sub(size)


def _read_strings(found: Sections) -> None:
    s = found.stream(Section.STRING)
    count = s.count("strings")
    sizes = [s.varint() for _ in range(count)]
    if sum(sizes) != s.left:
        s.fail(f"strings of {sum(sizes)} bytes are announced, but {s.left} bytes follow")
    at = s.end
    text = bytes(s.data[s.pos : s.end])
    strings: list[str] = []
    for size in sizes:  # the sizes stand in reverse order
        at -= size
        if not size or s.data[at + size - 1]:
            s.fail("a string does not end with zero", at)
        strings.append(decode(text[at - s.pos : at - s.pos + size - 1]))
    strings.reverse()
    found.strings = strings


def _read_dialects(found: Sections) -> None:
    s = found.stream(Section.DIALECT)
    count = s.count("dialects")
    for _ in range(count):
        if found.version < NESTED_VERSIONS:
            found.dialects.append(Dialect(found.string(s), None))
            continue
        at = s.pos
        name, versioned = s.flagged()
        if name >= len(found.strings):
            s.fail(f"there is no string {name}", at)
        data: bytes | None = None
        if versioned:
            at = s.pos
            kind, nested = read_section(s)
            if kind is not Section.DIALECT_VERSIONS:
                s.fail("expected the version of a dialect", at)
            data = bytes(nested.data[nested.pos : nested.end])
        found.dialects.append(Dialect(found.strings[name], data))
    if found.version >= ELIDED_LOCATIONS:
        s.count("operations")
    while s.left:
        dialect = found.dialects[s.index(len(found.dialects), "dialect")].name
        for _ in range(s.count("operations")):
            at = s.pos
            name, registered = s.flagged() if found.version >= NATIVE_PROPERTIES else (s.varint(), True)
            if name >= len(found.strings):
                s.fail(f"there is no string {name}", at)
            found.ops.append(OpName(f"{dialect}.{found.strings[name]}", registered))


def _read_resources(found: Sections) -> None:
    if Section.RESOURCE_OFFSET not in found.streams:
        if Section.RESOURCE in found.streams:
            found.streams[Section.RESOURCE].fail("resources without their offsets")
        return
    offsets = found.stream(Section.RESOURCE_OFFSET)
    data = found.stream(Section.RESOURCE) if Section.RESOURCE in found.streams else Stream(b"", found.file)
    for _ in range(offsets.count("groups of resources")):
        found.string(offsets)
        for _ in range(offsets.count("resources")):
            _read_resource(found, offsets, data)
    while offsets.left:
        offsets.index(len(found.dialects), "dialect")
        for _ in range(offsets.count("resources")):
            found.resources.append(_read_resource(found, offsets, data))


def _read_resource(found: Sections, offsets: Stream, data: Stream) -> Resource:
    name = found.string(offsets)
    size = offsets.varint()
    kind = offsets.byte()
    if not size:
        return Resource(name)
    entry = data.sub(size)
    if kind == 0:  # a blob
        alignment = entry.varint()
        size = entry.varint()
        entry.align(alignment)
        if size != entry.left:
            entry.fail(f"resource {name} announces {size} bytes, {entry.left} follow")
        return Resource(name, entry.take(size))
    if kind > 2:
        entry.fail(f"resource {name} is of an unknown kind {kind}")
    return Resource(name)


def _read_properties(found: Sections) -> None:
    if Section.PROPERTIES not in found.streams:
        return
    s = found.stream(Section.PROPERTIES)
    if not s.left:
        return
    for _ in range(s.count("properties")):
        size = s.varint()
        entry = s.sub(size)
        found.properties.append((entry.pos, entry.end))
    if s.left:
        s.fail("bytes are left behind the properties")
