"""Reads the operations of a file.

Operations, blocks and regions are read in one loop without recursion, so that hostile nesting costs nothing but an
entry of a list. Values are numbered: those of a region stand behind those of the regions around it, up to the
innermost isolated one. A use may come before its definition.

    op     ::= name mask(byte) location [attributes] [properties] [results] [operands] [successors] [uses] [regions]
    region ::= number of blocks, number of values, blocks
    block  ::= number of operations, [arguments], operations

Source: MLIR, BytecodeFormat.md, section IR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from tesselle.ir.attributes import Attribute, DenseArray
from tesselle.ir.bytecode.entries import Entry, EntryTable
from tesselle.ir.bytecode.registry import OpForm, Property, find_form, unregistered_form
from tesselle.ir.bytecode.sections import (
    ELIDED_LOCATIONS,
    LAZY_REGIONS,
    NATIVE_SEGMENTS,
    USE_LIST_ORDERS,
    Section,
    Sections,
    read_section,
)
from tesselle.ir.bytecode.stream import Stream
from tesselle.ir.core import Block, BlockArgument, Op, Region, UnregisteredOp, Value
from tesselle.ir.text.codec import DecodeError, decode_attributes
from tesselle.ir.text.parser import MAX_NESTING, default_segments, spec_has_segments
from tesselle.ir.types import TokenType, Type
from tesselle.support.diagnostics import Diagnostic, Unsupported
from tesselle.support.dtypes import I32
from tesselle.support.locations import UNKNOWN, ByteLocation, Location

_ATTRIBUTES, _RESULTS, _OPERANDS, _SUCCESSORS, _REGIONS, _USE_ORDERS, _PROPERTIES = 1, 2, 4, 8, 16, 32, 64

_Attributes = tuple[dict[str, Attribute], tuple[int, ...] | None]


@dataclass(slots=True)
class _Level:
    """A region that is being read, and what is left to do around it.

    `queue` holds the other regions of its operation, and `finish` is called behind the last one. `values` are those of
    its isolated scope, from `start` on its own; `next_value` is the number of the next definition. `end` is where the
    section of an isolated region ends.
    """

    region: Region
    finish: Callable[[], None] | None
    queue: list[Region]
    values: list[Value | None]
    start: int
    next_value: int
    isolated: bool
    end: int | None
    blocks: list[Block]
    block: int = 0
    left: int = 0


class _Form:
    """An operation's name with what is known about it, and the attributes that were decoded for it."""

    __slots__ = ("attributes", "cls", "form", "has_segments", "name", "registered", "upgrade")

    def __init__(self, name: str, registered: bool, form: OpForm) -> None:
        self.name = name
        self.registered = registered
        self.form = form
        self.cls = form.cls
        self.upgrade = form.upgrade
        self.has_segments = spec_has_segments(form.cls)
        self.attributes: dict[tuple[int, int], _Attributes] = {}


class Reader:
    """Reads one file; `allow_unregistered` keeps operations that nobody declares."""

    def __init__(self, sections: Sections, *, allow_unregistered: bool = False) -> None:
        self.sections = sections
        self.table = EntryTable(sections)
        self.allow_unregistered = allow_unregistered
        stream = sections.stream(Section.IR)
        self.base = stream.pos
        # Indexing bytes is faster than indexing a view of the file.
        self.stream = Stream(bytes(stream.data[stream.pos : stream.end]), sections.file, stream.pos)
        self._forms: list[_Form | None] = [None] * len(sections.ops)
        self._unknown: list[Diagnostic] = []
        self._forward: dict[int, dict[int, Value]] = {}
        self._live = 0
        # What the header of an operation says about its regions, until they begin.
        self._isolated = False
        self._finish: Callable[[], None] | None = None

    # ------------------------------------------------------------------------------------------ the loop

    def top_level(self) -> list[Op]:
        """All operations of the file.

        Errors: ParseError, Unsupported that lists the operations that are not known.
        """
        block = Block()
        top = _Level(Region([block]), None, [], [], 0, 0, True, None, [block])
        s = self.stream
        try:
            self._block_header(top)
            levels = [top]
            while levels:
                level = levels[-1]
                if level.left:
                    op = self._operations(level)
                    if op is None:
                        continue
                    inner = self._regions(op, level)
                    if inner is not None:
                        if len(levels) > MAX_NESTING:
                            s.fail(f"regions are nested more than {MAX_NESTING} deep")
                        levels.append(inner)
                    continue
                level.block += 1
                if level.block < len(level.blocks):
                    self._block_header(level)
                    continue
                following = self._end_region(level)
                levels.pop()
                if following is not None:
                    levels.append(following)
        except IndexError:
            s.fail("a number is out of range, or the data ends within an operation")
        if s.left:
            s.fail("bytes are left behind the operations")
        if self._unknown:
            raise Unsupported.several(self._unknown)
        ops = block.ops
        for op in ops:
            op.detach()
        return ops

    def _operations(self, level: _Level) -> Op | None:
        """Read operations of the open block up to its end (None), or up to one with regions, which is returned."""
        s = self.stream
        data, pos = s.data, s.pos
        assert isinstance(data, bytes)
        forms, table = self._forms, self.table
        attributes, types, values = table.attributes, table.types, level.values
        block = level.blocks[level.block]
        left, next_value = level.left, level.next_value
        # Varints of one and two bytes, which nearly all are, are read in place.
        while left:
            left -= 1
            start = pos
            b = data[pos]
            if b & 1:
                index, pos = b >> 1, pos + 1
            else:
                index, pos = _varint(data, pos)
            form = forms[index] or self._form(index, start)
            mask = data[pos]
            b = data[pos + 1]
            if b & 1:
                index, pos = b >> 1, pos + 2
            elif b & 2:
                index, pos = (b | data[pos + 2] << 8) >> 2, pos + 3
            else:
                index, pos = _varint(data, pos + 1)
            location = attributes[index]
            if not isinstance(location, Location):
                location = self._location(index, start)
            if location is UNKNOWN:
                location = ByteLocation(s.file, s.base + start)
            attribute_index = property_index = -1
            if mask & _ATTRIBUTES:
                attribute_index, pos = _varint(data, pos)
            if mask & _PROPERTIES:
                b = data[pos]
                if b & 1:
                    property_index, pos = b >> 1, pos + 1
                elif b & 2:
                    property_index, pos = (b | data[pos + 1] << 8) >> 2, pos + 2
                else:
                    property_index, pos = _varint(data, pos)
            key = (attribute_index, property_index)
            found = form.attributes.get(key)
            if found is None:
                found = self._attributes(form, key, start)
            result_types: list[Type] = []
            if mask & _RESULTS:
                count, pos = _varint(data, pos)
                if count > len(data) - pos:
                    raise IndexError
                for _ in range(count):
                    b = data[pos]
                    if b & 1:
                        index, pos = b >> 1, pos + 1
                    else:
                        index, pos = _varint(data, pos)
                    result_types.append(types[index] or self._type(index))
            operands: list[Value] = []
            if mask & _OPERANDS:
                count, pos = _varint(data, pos)
                if count > len(data) - pos:
                    raise IndexError
                for _ in range(count):
                    b = data[pos]
                    if b & 1:
                        index, pos = b >> 1, pos + 1
                    elif b & 2:
                        index, pos = (b | data[pos + 1] << 8) >> 2, pos + 2
                    else:
                        index, pos = _varint(data, pos)
                    operands.append(values[index] or self._forward_use(values, index))
            successors: list[Block] = []
            regions: list[Region] = []
            if mask & (_SUCCESSORS | _USE_ORDERS | _REGIONS):
                s.pos = pos
                if mask & _SUCCESSORS:
                    for _ in range(s.count("successors")):
                        successors.append(level.blocks[s.varint()])
                if mask & _USE_ORDERS:
                    self._skip_use_orders(len(result_types))
                if mask & _REGIONS:
                    regions = self._region_header(level)
                pos = s.pos
            op = self._make(form, operands, result_types, found, regions, successors, location)
            block.append(op)
            results = op.results
            if len(results) == 1 and not self._forward:
                if values[next_value] is not None:
                    raise IndexError
                values[next_value] = results[0]
                next_value += 1
            else:
                for r in results:
                    self._define(values, next_value, r)
                    next_value += 1
            if regions:
                s.pos = pos
                level.left, level.next_value = left, next_value
                if form.upgrade is not None and form.upgrade.finish is not None:
                    self._finish = partial(form.upgrade.finish, op)
                return op
        s.pos = pos
        level.left, level.next_value = 0, next_value
        return None

    def _make(
        self,
        form: _Form,
        operands: Sequence[Value],
        result_types: Sequence[Type],
        found: _Attributes,
        regions: Sequence[Region],
        successors: Sequence[Block],
        location: Location,
    ) -> Op:
        attributes, segments = found
        cls = form.cls
        if segments is None and form.has_segments:
            segments = default_segments(cls, len(operands))
        op: Op = cls.__new__(cls)
        op.assemble(operands, result_types, attributes, regions, successors, segments, location)
        op.complete()
        if form.upgrade is not None and form.upgrade.finish is not None and not regions:
            form.upgrade.finish(op)
        return op

    # ------------------------------------------------------------------------------------------ regions

    def _region_header(self, level: _Level) -> list[Region]:
        """The regions of the operation that is being read, empty still; `level` learns whether they are isolated."""
        s = self.stream
        at = s.pos
        count, isolated = s.flagged()
        s.require(count, 1, "regions")
        if not count:
            s.fail("an operation announces no region", at)
        self._isolated = isolated
        return [Region() for _ in range(count)]

    def _regions(self, op: Op, level: _Level) -> _Level | None:
        """Begin with the first region of `op`."""
        s = self.stream
        finish, self._finish = self._finish, None
        end: int | None = None
        isolated = self._isolated
        if isolated and self.sections.version >= LAZY_REGIONS:
            at = s.pos
            kind, nested = read_section(s)
            if kind is not Section.IR:
                s.fail("expected the section of an isolated region", at)
            s.pos, end = nested.pos, nested.end
        values: list[Value | None] = [] if isolated else level.values
        return self._begin_region(finish, list(op.regions), values, isolated, end)

    def _begin_region(
        self,
        finish: Callable[[], None] | None,
        queue: list[Region],
        values: list[Value | None],
        isolated: bool,
        end: int | None,
    ) -> _Level | None:
        """Begin with the first region of `queue` that has blocks; None when there is none."""
        s = self.stream
        while queue:
            region = queue.pop(0)
            blocks = [Block() for _ in range(s.count("blocks"))]
            if not blocks:
                continue
            count = s.varint()
            self._live += count
            if self._live > len(s.data):
                s.fail(f"{count} values cannot be defined by what is left of the data")
            for block in blocks:
                region.append(block)
            start = len(values)
            values.extend([None] * count)
            level = _Level(region, finish, queue, values, start, start, isolated, end, blocks)
            self._block_header(level)
            return level
        if end is not None and s.pos != end:
            s.fail("an isolated region does not end with its section")
        if finish is not None:
            finish()
        return None

    def _end_region(self, level: _Level) -> _Level | None:
        """Forget the values of a region; begin with the next region of its operation, if there is one."""
        values = level.values
        if id(values) in self._forward:
            forward = self._forward[id(values)]
            missing = next((i for i in forward if i >= level.start), None)
            if missing is not None:
                self.stream.fail(f"value {missing} is used, but not defined")
        self._live -= len(values) - level.start
        del values[level.start :]
        return self._begin_region(level.finish, level.queue, values, level.isolated, level.end)

    def _block_header(self, level: _Level) -> None:
        s = self.stream
        level.left, has_arguments = s.flagged()
        s.require(level.left, 3, "operations")
        if not has_arguments:
            return
        block = level.blocks[level.block]
        elided = self.sections.version >= ELIDED_LOCATIONS
        for i in range(s.count("arguments")):
            location: Location = UNKNOWN
            at = s.pos
            index, has_location = s.flagged() if elided else (s.varint(), True)
            t = self._type(index)
            if has_location:
                location = self._location(s.varint(), at)
            arg = BlockArgument(t, block, i, location)
            block.args.append(arg)
            self._define(level.values, level.next_value, arg)
            level.next_value += 1
        if self.sections.version >= USE_LIST_ORDERS and s.byte():
            self._skip_use_orders(len(block.args))

    def _skip_use_orders(self, values: int) -> None:
        """The order of uses means nothing here."""
        s = self.stream
        for _ in range(s.count("use lists") if values > 1 else 1):
            if values > 1:
                s.varint()
            count, _ = s.flagged()
            s.require(count, 1, "uses")
            for _ in range(count):
                s.varint()

    # ------------------------------------------------------------------------------------------ values

    def _forward_use(self, values: list[Value | None], index: int) -> Value:
        """A value that is defined later; its type is known then."""
        forward = self._forward.setdefault(id(values), {})
        found = forward.get(index)
        if found is None:
            found = forward[index] = Value(TokenType())
        return found

    def _define(self, values: list[Value | None], index: int, value: Value) -> None:
        if values[index] is not None:
            raise IndexError
        values[index] = value
        forward = self._forward.get(id(values))
        if forward is not None:
            used = forward.pop(index, None)
            if used is not None:
                used.replace_all_uses_with(value)
            if not forward:
                del self._forward[id(values)]

    # ------------------------------------------------------------------------------------------ names, attributes

    def _form(self, index: int, start: int) -> _Form:
        name = self.sections.ops[index]
        form = find_form(name.name)
        if form is None:
            if not self.allow_unregistered:
                place = ByteLocation(self.stream.file, self.stream.base + start)
                self._unknown.append(Diagnostic(f"there is no operation {name.name}", place, "operation"))
            form = unregistered_form(name.name)
        found = self._forms[index] = _Form(name.name, name.registered, form)
        return found

    def _type(self, index: int) -> Type:
        if index >= len(self.table.types):
            self.stream.fail(f"there is no type {index}: the file has {len(self.table.types)}")
        return self.table.type(index)

    def _location(self, index: int, start: int) -> Location:
        if index >= len(self.table.attributes):
            self.stream.fail(f"there is no attribute {index}: the file has {len(self.table.attributes)}", start)
        found = self.table.attribute(index)
        if not isinstance(found, Location):
            self.stream.fail(f"expected a location, found {found}", start)
        return found

    def _attributes(self, form: _Form, key: tuple[int, int], start: int) -> _Attributes:
        """The attributes of an operation from its dictionary and its properties, as its class declares them."""
        s = self.stream
        found: dict[str, Any] = {}
        attribute_index, property_index = key
        if attribute_index >= 0:
            found.update(self._dictionary(attribute_index, start))
        if property_index >= 0:
            for name, value in self._properties(form, property_index, start).items():
                if name in found:
                    s.fail(f"attribute '{name}' of {form.name} is given twice", start)
                found[name] = value
        try:
            if form.upgrade is not None:
                found = form.upgrade.attributes(found)
            decoded = (found, None) if issubclass(form.cls, UnregisteredOp) else decode_attributes(form.cls, found)
        except DecodeError as error:
            s.fail(str(error), start)
        form.attributes[key] = decoded
        return decoded

    def _dictionary(self, index: int, start: int) -> dict[str, Any]:
        """The attribute of that number, which must be a dictionary."""
        if index >= len(self.table.attributes):
            self.stream.fail(f"there is no attribute {index}: the file has {len(self.table.attributes)}", start)
        found: Any = self.table.attribute(index)
        if not isinstance(found, dict):
            self.stream.fail(f"expected a dictionary of attributes, found {found}", start)
        return cast("dict[str, Any]", found)

    def _properties(self, form: _Form, index: int, start: int) -> dict[str, Any]:
        places = self.sections.properties
        if index >= len(places):
            self.stream.fail(f"there are no properties {index}: the file has {len(places)}", start)
        if form.registered and issubclass(form.cls, UnregisteredOp):
            return {}
        begin, end = places[index]
        whole = self.sections.stream(Section.PROPERTIES)
        entry = Entry(self.table, bytes(whole.data[begin:end]), whole.base + begin)
        if not form.registered:
            return self._dictionary(entry.varint(), start)
        groups = (("operandSegmentSizes", form.form.operand_groups), ("resultSegmentSizes", form.form.result_groups))
        listed = form.form.properties
        if self.sections.version < NATIVE_SEGMENTS:
            # Sizes of groups stand among the other attributes then.
            sizes = (Property(name) for name, count in groups if count)
            listed = tuple(sorted((*listed, *sizes), key=lambda p: p.name))
        found: dict[str, Any] = {}
        for p in listed:
            value = entry.attribute() if p.required else entry.optional_attribute()
            if p.required or value is not None:
                found[p.name] = value
        if self.sections.version >= NATIVE_SEGMENTS:
            for name, count in groups:
                if count:
                    found[name] = DenseArray(I32, _sparse(entry, count))
        if entry.left:
            entry.fail(f"{entry.left} bytes are left behind the properties of {form.name}")
        return found


def _sparse(e: Entry, count: int) -> tuple[int, ...]:
    """`count` numbers, most of them zero: all of them, or pairs of an index and a number."""
    found = [0] * count
    given, sparse = e.flagged()
    e.require(given, 1, "numbers")
    if given > count:
        e.fail(f"expected at most {count} numbers, found {given}")
    if not sparse:
        for i in range(given):
            found[i] = e.varint()
        return tuple(found)
    bits = e.varint()
    if bits > 8:
        e.fail(f"an index of {bits} bits is too large")
    for _ in range(given):
        pair = e.varint()
        index = pair & ((1 << bits) - 1)
        if index >= count:
            e.fail(f"there is no number {index}: the list has {count}")
        found[index] = pair >> bits
    return tuple(found)


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    """The varint at `pos`, and where it ends; IndexError when the data ends before."""
    first = data[pos]
    if first & 1:
        return first >> 1, pos + 1
    if not first:
        if pos + 9 > len(data):
            raise IndexError
        return int.from_bytes(data[pos + 1 : pos + 9], "little"), pos + 9
    end = pos + (first & -first).bit_length()
    if end > len(data):
        raise IndexError
    return int.from_bytes(data[pos:end], "little") >> (end - pos), end
