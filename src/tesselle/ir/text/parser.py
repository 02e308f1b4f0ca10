"""The parser of MLIR text: generic form, and the pretty forms that dialects register.

A pretty form's reader (see `registry.Assembly`) starts behind the operation's name and uses what this class offers:

    operand() / operands()         places of value names, which `resolve(place, type)` turns into values
    type(), function_types(), …    types; any_attribute(), int_list(), attribute_dict(), … attributes
    region(args)                   a region, whose entry block gets the given arguments
    make(cls, …)                   the operation, with the attributes of its dictionary decoded as they are declared

Values may be used before they are defined where blocks are not in the order of dominance; a value that no definition
follows is an error at its first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tesselle.ir.attributes import Attribute
from tesselle.ir.core import ISOLATED, Block, Op, Region, UnregisteredOp, Value
from tesselle.ir.declare import OPS, spec_of
from tesselle.ir.text.codec import DecodeError, decode_attributes
from tesselle.ir.text.definitions import DefinitionParser
from tesselle.ir.text.lexer import unescape
from tesselle.ir.text.registry import ASSEMBLIES, ParseOp, load_dialect
from tesselle.ir.types import Type
from tesselle.ir.upgrade import Upgrade, find_upgrade
from tesselle.support.diagnostics import Diagnostic, Note, Unsupported
from tesselle.support.locations import UNKNOWN, FileLocation, Location, UnknownLocation

OpT = TypeVar("OpT", bound=Op)

BlockArg = tuple[int, Type, Location]
"""An argument of an entry block: the place of its name, its type, its location."""

MAX_NESTING = 100
"""Regions that may stand inside one another; readers, the verifier and the printer follow them by recursion."""

_IMPLICIT_DIALECTS = ("func", "builtin")
"""Where operations without a dialect are looked up: `return`, `call`, `module`."""


class Parser(DefinitionParser):
    """Reads one text. `elided` gives the arrays that the text leaves out, in order (see `DenseElements`)."""

    def __init__(
        self,
        text: str,
        file: str = "<text>",
        *,
        allow_unregistered: bool = False,
        elided: Iterator[np.ndarray[Any, np.dtype[Any]]] | None = None,
    ) -> None:
        super().__init__(text, file, elided)
        self.allow_unregistered = allow_unregistered
        self._values: dict[str, Value] = {}
        self._scope: list[str] = []
        self._forward: dict[str, tuple[Value, int]] = {}
        self._depth = 0
        self._labels: dict[str, Block] = {}
        self._undefined_labels: dict[str, int] = {}
        self._parsers: dict[str, ParseOp] = {}
        self._unregistered: list[Diagnostic] = []
        self.implied_ops: list[Op] = []
        """Operations that the text of the one being read implies; they get its location."""

    # ------------------------------------------------------------------------------------------ whole texts

    def top_level(self) -> list[Op]:
        """All operations of the text."""
        block = Block()
        while True:
            token = self.tokens[self.pos]
            if not token:
                break
            if token[0] in "#!" and self.tokens[self.pos + 1] == "=":
                self.skip_alias(token)
            elif token == "{-#":
                self.metadata()
            else:
                self._operation(block)
        self._require_no_forward_references()
        if self._unregistered:
            raise Unsupported.several(self._unregistered)
        found = block.ops
        for op in found:
            op.detach()
        return found

    # ------------------------------------------------------------------------------------------ values

    def operand(self) -> int:
        """The place of the value name that stands next."""
        at = self.pos
        if self.tokens[at][:1] != "%" or len(self.tokens[at]) < 2:
            self.unexpected("a value")
        self.pos = at + 1
        return at

    def operands(self) -> list[int]:
        """The places of value names separated by commas; none when no value stands next."""
        tokens = self.tokens
        pos = self.pos
        found: list[int] = []
        while tokens[pos][:1] == "%":
            found.append(pos)
            pos += 1
            if tokens[pos] != "," or tokens[pos + 1][:1] != "%":
                break
            pos += 1
        self.pos = pos
        return found

    def operands_in_parentheses(self) -> list[int]:
        """`(%a, %b, …)`."""
        self.expect("(")
        found = self.operands()
        self.expect(")")
        return found

    def resolve(self, place: int, type: Type) -> Value:
        """The value whose name stands at `place`, which must have `type`."""
        name = self.tokens[place]
        value = self._values.get(name)
        if value is None:
            return self._forward_reference(name, place, type)
        found = value.type
        if found is not type and found != type:
            self._wrong_type(name, value, place, type)
        return value

    def resolve_all(self, places: Sequence[int], types: Sequence[Type]) -> list[Value]:
        """The values at `places` with their types; there must be as many of both."""
        if len(places) != len(types):
            self.fail(f"{len(places)} operands have {len(types)} types", self.pos - 1)
        values, tokens = self._values, self.tokens
        found: list[Value] = []
        for place, type in zip(places, types, strict=True):
            value = values.get(tokens[place])
            found.append(value if value is not None and value.type is type else self.resolve(place, type))
        return found

    def _wrong_type(self, name: str, value: Value, place: int, type: Type) -> None:
        defined = value.defining_op
        where = defined.location if defined is not None else UNKNOWN
        self.fail(f"{name} has type {value.type}, used here as {type}", place, Note(f"{name} is defined here", where))

    def _forward_reference(self, name: str, place: int, type: Type) -> Value:
        if name.endswith("#0"):
            value = self._values.get(name[:-2])
            if value is not None:
                if value.type != type:
                    self._wrong_type(name, value, place, type)
                return value
        known = self._forward.get(name)
        if known is not None:
            if known[0].type != type:
                self._wrong_type(name, known[0], place, type)
            return known[0]
        value = Value(type)
        self._forward[name] = (value, place)
        return value

    def define(self, place: int, value: Value, name: str | None = None) -> None:
        """Give `value` the name at `place`, or `name` when it has several parts."""
        key = self.tokens[place] if name is None else name
        if key in self._values:
            self.fail(f"{key} is defined twice", place)
        if len(key) < 2:
            self.unexpected("a value", place)
        self._values[key] = value
        self._scope.append(key)
        if not key[1].isdigit() and "#" not in key and not (key.startswith("%arg") and key[4:].isdigit()):
            value.name_hint = key[1:]  # numbers are given anew when the value is printed
        if self._forward:
            used = self._forward.pop(key, None)
            if used is not None:
                if used[0].type != value.type:
                    self._wrong_type(key, value, used[1], used[0].type)
                used[0].replace_all_uses_with(value)

    def _require_no_forward_references(self) -> None:
        if self._forward:
            name, (_, place) = min(self._forward.items(), key=lambda item: item[1][1])
            self.fail(f"{name} is not defined", place)

    # ------------------------------------------------------------------------------------------ operations

    def _operation(self, block: Block) -> None:
        """Read one operation with its results and location, and append it to `block`."""
        tokens = self.tokens
        start = self.pos
        token = tokens[start]
        results: list[tuple[int, int]] | None = None
        single = False
        if token[:1] == "%":
            if tokens[start + 1] == "=":
                single = True
                self.pos = start + 2
            else:
                results = self._result_names()
            token = tokens[self.pos]
        parse = self._parsers.get(token)
        if parse is not None:
            self.pos += 1
            op = parse(self)
        elif token[:1] == '"':
            op = self._generic()
        else:
            parse = self._find_parser(token)
            self.pos += 1
            op = parse(self)
        if tokens[self.pos] == "loc" and tokens[self.pos + 1] == "(":
            location = self.location()
            op.location = self.place(start) if isinstance(location, UnknownLocation) else location
        else:
            op.location = self.place(start)
        if self.implied_ops:
            for implied in self.implied_ops:
                implied.location = op.location
            self.implied_ops = []
        if single:
            if len(op.results) == 1:
                self.define(start, op.results[0])
            else:
                self._define_results(op, [(start, 1)])
        elif results is not None:
            self._define_results(op, results)
        block.append(op)

    def _result_names(self) -> list[tuple[int, int]]:
        """`%a, %b:2 =`: the place of each name, and how many results it names."""
        found: list[tuple[int, int]] = []
        while True:
            place = self.operand()
            count = 1
            if self.accept(":"):
                at = self.pos
                count = self.integer()
                if not 1 <= count <= 1 << 20:
                    self.fail("a name stands for one result at least", at)
            found.append((place, count))
            if self.accept("="):
                return found
            self.expect(",")

    def _define_results(self, op: Op, names: list[tuple[int, int]]) -> None:
        results = op.results
        if sum(count for _, count in names) != len(results):
            found = sum(count for _, count in names)
            self.fail(f"{op.name} has {len(results)} results, found names for {found}", names[0][0])
        index = 0
        for place, count in names:
            name = self.tokens[place]
            self.define(place, results[index])
            for i in range(1, count):
                self.define(place, results[index + i], f"{name}#{i}")
            index += count

    def _find_parser(self, token: str) -> ParseOp:
        """The reader of the pretty form of `token`, remembered for the next time."""
        at = self.pos
        if not token:
            self.unexpected("an operation")
        if not (token[0].isalpha() or token[0] == "_"):
            self.unexpected("an operation")
        names = [token] if "." in token else [f"{d}.{token}" for d in _IMPLICIT_DIALECTS]
        for name in names:
            load_dialect(name.split(".", 1)[0])
            assembly = ASSEMBLIES.get(name)
            if assembly is not None:
                self._parsers[token] = assembly.parse
                return assembly.parse
        if token in OPS:
            self.fail(f"{token} is read in its generic form only", at)
        if "." not in token:
            self.unexpected("an operation")
        self._report_unknown(at)
        raise Unsupported.several(self._unregistered)

    def _report_unknown(self, at: int) -> None:
        """List every operation from token `at` on that is not known."""
        tokens = self.tokens
        starts = set(self._firsts)
        if tokens[at][:1] != '"':
            self._unregistered.append(_unknown_op(tokens[at], self.place(at)))
        for i in range(at + 1, self._count):
            token = tokens[i]
            quoted = token[:1] == '"'
            if i not in starts and tokens[i - 1] != "=":
                continue
            name = token[1:-1] if quoted else token
            if "." not in name or not name[:1].isalpha() or (quoted and tokens[i + 1] != "("):
                continue
            if not quoted and tokens[i + 1][:1] in ("=", ":", ",", ""):
                continue
            load_dialect(name.split(".", 1)[0])
            if name not in OPS:
                self._unregistered.append(_unknown_op(name, self.place(i)))

    def _generic(self) -> Op:
        """`"name"(%a) [^b] <{…}> ({…}) {…} : (T) -> T`."""
        at = self.pos
        name = self.string()
        cls = OPS.get(name)
        upgrade: Upgrade | None = None
        if cls is None and load_dialect(name.split(".", 1)[0]):
            cls = OPS.get(name)
            if cls is None:
                upgrade = find_upgrade(name)
                cls = upgrade.cls if upgrade is not None else None
        if cls is None:
            if "." not in name:
                self.fail(f'expected the name of an operation, found "{name}"', at)
            if not self.allow_unregistered:
                self._unregistered.append(_unknown_op(name, self.place(at)))
            cls = UnregisteredOp.named(name)
        places = self.operands_in_parentheses()
        successors: list[Block] = []
        if self.accept("["):
            while not self.accept("]"):
                if successors:
                    self.expect(",")
                successors.append(self.successor())
        attributes: dict[str, Attribute] = {}
        if self.accept("<"):
            attributes = self.attribute_dict()
            self.expect(">")
        regions: list[Region] = []
        if self.tokens[self.pos] == "(":
            self.pos += 1
            while True:
                regions.append(self.region(isolated=ISOLATED in cls.TRAITS))
                if not self.accept(","):
                    break
            self.expect(")")
        if self.tokens[self.pos] == "{":
            for key, value in self.attribute_dict().items():
                if key in attributes:
                    self.fail(f"attribute '{key}' is given twice", at)
                attributes[key] = value
        self.expect(":")
        inputs, results = self.function_types()
        operands = self.resolve_all(places, inputs)
        if upgrade is None:
            return self.make(cls, operands, results, attributes, regions, successors, at=at)
        try:
            attributes = upgrade.attributes(attributes)
        except DecodeError as error:
            self.fail(str(error), at)
        op = self.make(cls, operands, results, attributes, regions, successors, at=at)
        if upgrade.finish is not None:
            upgrade.finish(op)
        return op

    def successor(self) -> Block:
        """`^name`, a block of the region that is being read."""
        at = self.pos
        token = self.tokens[at]
        if token[:1] != "^" or len(token) < 2:
            self.unexpected("a block")
        self.pos += 1
        block = self._labels.get(token)
        if block is None:
            block = self._labels[token] = Block()
            self._undefined_labels[token] = at
        return block

    def make(
        self,
        cls: type[OpT],
        operands: Sequence[Value],
        results: Sequence[Type],
        attributes: Mapping[str, Attribute],
        regions: Sequence[Region] = (),
        successors: Sequence[Block] = (),
        *,
        at: int | None = None,
    ) -> OpT:
        """The operation, with attributes as text has them: they are decoded as the declaration says."""
        segments: tuple[int, ...] | None = None
        if attributes and not issubclass(cls, UnregisteredOp):
            decoded, segments = self._decode(cls, attributes, at)
        else:
            decoded = dict(attributes)
        if segments is None and spec_has_segments(cls):
            segments = default_segments(cls, len(operands))
        op = cls.build(operands, results, decoded, regions, successors, segments)
        op.complete()
        return op

    def declared_attributes(self, cls: type[Op], attributes: dict[str, Attribute]) -> None:
        """Read a dictionary into `attributes`, decoded as the declaration says."""
        at = self.pos
        decoded, _ = self._decode(cls, self.attribute_dict(), at)
        for name, value in decoded.items():
            if name in attributes:
                self.fail(f"attribute '{name}' is given twice", at)
            attributes[name] = value

    def _decode(
        self, cls: type[Op], attributes: Mapping[str, Attribute], at: int | None
    ) -> tuple[dict[str, Attribute], tuple[int, ...] | None]:
        try:
            return decode_attributes(cls, attributes)
        except DecodeError as error:
            self.fail(str(error), self.pos - 1 if at is None else at)

    # ------------------------------------------------------------------------------------------ regions

    def region(self, args: Sequence[BlockArg] = (), *, isolated: bool = False) -> Region:
        """`{ … }`: its entry block gets `args`. Isolated regions do not see the values around them.

        A region without arguments and text has no block.
        """
        self.expect("{")
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.fail(f"regions are nested more than {MAX_NESTING} deep", self.pos - 1)
        outer = (self._values, self._scope, self._forward) if isolated else None
        if isolated:
            self._values, self._scope, self._forward = {}, [], {}
        mark = len(self._scope)
        labels, undefined = self._labels, self._undefined_labels
        self._labels, self._undefined_labels = {}, {}
        region = Region()
        tokens = self.tokens
        if args or tokens[self.pos][:1] not in "^}":
            block = Block()
            region.append(block)
            for place, type, location in args:
                self.define(place, block.add_arg(type, location))
            self._block_body(block)
        while tokens[self.pos][:1] == "^":
            self._block(region)
        self.expect("}")
        if self._undefined_labels:
            name, place = next(iter(self._undefined_labels.items()))
            self.fail(f"block {name} is not defined", place)
        self._labels, self._undefined_labels = labels, undefined
        self._depth -= 1
        if outer is not None:
            self._require_no_forward_references()
            self._values, self._scope, self._forward = outer
        else:
            values = self._values
            for name in self._scope[mark:]:
                del values[name]
            del self._scope[mark:]
        return region

    def _block(self, region: Region) -> None:
        """`^name(%a: T, …): …`."""
        at = self.pos
        name = self.tokens[at]
        self.pos += 1
        block = self._labels.get(name)
        if block is None:
            block = self._labels[name] = Block()
        elif self._undefined_labels.pop(name, None) is None:
            self.fail(f"block {name} is defined twice", at)
        region.append(block)
        if self.tokens[self.pos] == "(":
            for place, type, location in self.typed_arguments():
                self.define(place, block.add_arg(type, location))
        self.expect(":")
        self._block_body(block)

    def _block_body(self, block: Block) -> None:
        tokens = self.tokens
        operation = self._operation
        while True:
            token = tokens[self.pos]
            if not token:
                self.unexpected("'}'")
            if token == "}" or token[0] == "^":
                return
            operation(block)

    def typed_arguments(self) -> list[BlockArg]:
        """`(%a: T loc(…), …)`."""
        self.expect("(")
        found: list[BlockArg] = []
        while not self.accept(")"):
            if found:
                self.expect(",")
            found.append(self.typed_argument())
        return found

    def typed_argument(self) -> BlockArg:
        """`%a: T`, perhaps with a location."""
        place = self.operand()
        self.expect(":")
        t = self.type()
        return place, t, self.optional_location()

    def optional_location(self) -> Location:
        """The location that stands next, or UNKNOWN."""
        if self.tokens[self.pos] == "loc" and self.tokens[self.pos + 1] == "(":
            return self.location()
        return UNKNOWN


def spec_has_segments(cls: type[Op]) -> bool:
    return not issubclass(cls, UnregisteredOp) and spec_of(cls).has_segments


def default_segments(cls: type[Op], count: int) -> tuple[int, ...] | None:
    """Segments of an operation whose operands leave no choice, else None (the verifier tells)."""
    spec = spec_of(cls)
    return (1,) * count if count == len(spec.operands) else (0,) * len(spec.operands) if count == 0 else None


def _unknown_op(name: str, place: FileLocation) -> Diagnostic:
    return Diagnostic(f"there is no operation {name}", place, "operation")


def read_name(token: str) -> str:
    """The name that a string or word token spells."""
    return unescape(token[1:-1]) if token[:1] == '"' else token
