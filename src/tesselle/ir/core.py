"""Operations, values, blocks and regions.

Blocks keep their operations in a doubly linked list, so that insertion and erasure are O(1) at any place. A value knows
its uses as an ordered set of (operation, operand index).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from tesselle.ir.attributes import Attribute, DenseElements
from tesselle.ir.types import Type, types_compatible
from tesselle.support.diagnostics import Note, VerifyError
from tesselle.support.locations import UNKNOWN, Location


class Value:
    """An SSA value: the result of an operation or the argument of a block."""

    __slots__ = ("name_hint", "type", "uses")

    def __init__(self, type: Type) -> None:
        self.type = type
        self.uses: dict[tuple[Op, int], None] = {}
        self.name_hint: str | None = None

    @property
    def owner(self) -> Op | Block:
        """The operation or block that defines the value."""
        raise TypeError("a bare Value has no owner")

    @property
    def defining_op(self) -> Op | None:
        """The operation that defines the value; None for block arguments."""
        return None

    @property
    def users(self) -> list[Op]:
        """The operations that use the value, each once, in order of their first use."""
        return list(dict.fromkeys(op for op, _ in self.uses))

    @property
    def has_one_use(self) -> bool:
        return len(self.uses) == 1

    def replace_all_uses_with(self, other: Value) -> None:
        if other is self:
            return
        for op, index in list(self.uses):
            op.set_operand(index, other)

    def replace_uses_if(self, other: Value, condition: Callable[[Op, int], bool]) -> None:
        """Replace only those uses for which `condition(user, operand_index)` holds."""
        for op, index in list(self.uses):
            if condition(op, index):
                op.set_operand(index, other)

    @property
    def parent_region(self) -> Region | None:
        raise TypeError("a bare Value has no parent")


class OpResult(Value):
    __slots__ = ("index", "op")

    def __init__(self, type: Type, op: Op, index: int) -> None:
        # As Value.__init__, written out: results are made by the hundred thousand.
        self.type = type
        self.uses = {}
        self.name_hint = None
        self.op = op
        self.index = index

    @property
    def owner(self) -> Op:
        return self.op

    @property
    def defining_op(self) -> Op:
        return self.op

    @property
    def parent_region(self) -> Region | None:
        return self.op.parent_region


class BlockArgument(Value):
    __slots__ = ("block", "index", "location")

    def __init__(self, type: Type, block: Block, index: int, location: Location = UNKNOWN) -> None:
        super().__init__(type)
        self.block = block
        self.index = index
        self.location = location

    @property
    def owner(self) -> Block:
        return self.block

    @property
    def parent_region(self) -> Region | None:
        return self.block.parent


class Block:
    """A list of operations with arguments; the last operation may be a terminator."""

    __slots__ = ("_first", "_last", "args", "parent")

    def __init__(self, arg_types: Sequence[Type] = (), locations: Sequence[Location] | None = None) -> None:
        self.parent: Region | None = None
        self.args: list[BlockArgument] = [
            BlockArgument(t, self, i, locations[i] if locations else UNKNOWN) for i, t in enumerate(arg_types)
        ]
        self._first: Op | None = None
        self._last: Op | None = None

    def add_arg(self, type: Type, location: Location = UNKNOWN) -> BlockArgument:
        arg = BlockArgument(type, self, len(self.args), location)
        self.args.append(arg)
        return arg

    def erase_arg(self, index: int) -> None:
        """Remove an argument that nothing uses."""
        if self.args[index].uses:
            raise ValueError(f"block argument {index} still has uses")
        del self.args[index]
        for i, arg in enumerate(self.args):
            arg.index = i

    @property
    def first(self) -> Op | None:
        return self._first

    @property
    def last(self) -> Op | None:
        return self._last

    @property
    def terminator(self) -> Op:
        """The last operation; ValueError when the block is empty."""
        if self._last is None:
            raise ValueError("the block is empty")
        return self._last

    @property
    def parent_op(self) -> Op | None:
        return self.parent.parent if self.parent is not None else None

    def __iter__(self) -> Iterator[Op]:
        """The operations in order; the current one may be erased or moved while iterating."""
        op = self._first
        while op is not None:
            following = op.next
            yield op
            op = following

    @property
    def ops(self) -> list[Op]:
        return list(self)

    def append(self, op: Op) -> None:
        """Put a detached `op` at the end."""
        if op.parent is not None:
            raise ValueError(f"{op.name} already stands in a block")
        op.parent = self
        last = self._last
        op.prev = last
        op.next = None
        if last is None:
            self._first = op
        else:
            last.next = op
        self._last = op

    def insert(self, op: Op, before: Op | None) -> None:
        """Put a detached `op` in front of `before`, or at the end when that is None."""
        if op.parent is not None:
            raise ValueError(f"{op.name} already stands in a block")
        op.parent = self
        if before is None:
            op.prev, op.next = self._last, None
            if self._last is not None:
                self._last.next = op
            else:
                self._first = op
            self._last = op
            return
        if before.parent is not self:
            raise ValueError("the insertion point stands in another block")
        op.prev, op.next = before.prev, before
        if before.prev is not None:
            before.prev.next = op
        else:
            self._first = op
        before.prev = op

    def unlink(self, op: Op) -> None:
        """Take `op` out of the block without destroying it."""
        if op.parent is not self:
            raise ValueError(f"{op.name} does not stand in this block")
        if op.prev is not None:
            op.prev.next = op.next
        else:
            self._first = op.next
        if op.next is not None:
            op.next.prev = op.prev
        else:
            self._last = op.prev
        op.parent = op.prev = op.next = None


class Region:
    __slots__ = ("blocks", "parent")

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.parent: Op | None = None
        self.blocks: list[Block] = []
        for block in blocks:
            self.append(block)

    def append(self, block: Block) -> None:
        if block.parent is not None:
            raise ValueError("the block already stands in a region")
        block.parent = self
        self.blocks.append(block)

    @property
    def is_empty(self) -> bool:
        return not self.blocks

    @property
    def block(self) -> Block:
        """The only block; ValueError when there is not exactly one."""
        if len(self.blocks) != 1:
            raise ValueError(f"expected one block, found {len(self.blocks)}")
        return self.blocks[0]

    def take_blocks(self, other: Region) -> None:
        """Move every block of `other` to the end of this region."""
        for block in other.blocks:
            block.parent = self
        self.blocks.extend(other.blocks)
        other.blocks = []

    def walk(self) -> Iterator[Op]:
        for block in list(self.blocks):
            for op in block:
                yield from op.walk()

    def is_ancestor_of(self, region: Region | None) -> bool:
        """Whether `region` is this region or lies inside it."""
        while region is not None:
            if region is self:
                return True
            region = region.parent.parent_region if region.parent is not None else None
        return False


class Trait:
    """A property of an operation's class; see the constants below."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


PURE = Trait("Pure")  # no side effects (in its regions neither): may be erased, merged, hoisted
TERMINATOR = Trait("Terminator")  # ends its block
ISOLATED = Trait("IsolatedFromAbove")  # its regions use no value from outside
COMMUTATIVE = Trait("Commutative")  # operands may be swapped
CONSTANT_LIKE = Trait("ConstantLike")  # no operands, one result, whose elements are its `value`
SYMBOL_TABLE = Trait("SymbolTable")  # its operations with `sym_name` have unique names
ELEMENTWISE = Trait("Elementwise")  # result[i] depends on operand[i] alone
NO_TERMINATOR = Trait("NoTerminator")  # its blocks need no terminator


class Op:
    """An operation. Subclasses are declared with `tesselle.ir.declare.op`, which makes their constructors."""

    __slots__ = (
        "attributes",
        "location",
        "next",
        "operand_segments",
        "operands",
        "parent",
        "prev",
        "regions",
        "results",
        "successors",
    )

    NAME: ClassVar[str] = ""
    TRAITS: ClassVar[frozenset[Trait]] = frozenset()

    operands: tuple[Value, ...]
    results: tuple[OpResult, ...]
    attributes: dict[str, Attribute]
    regions: tuple[Region, ...]
    successors: tuple[Block, ...]
    parent: Block | None
    prev: Op | None
    next: Op | None
    location: Location
    operand_segments: tuple[int, ...] | None

    @classmethod
    def build(
        cls,
        operands: Sequence[Value] = (),
        result_types: Sequence[Type] = (),
        attributes: Mapping[str, Attribute] | None = None,
        regions: Sequence[Region] = (),
        successors: Sequence[Block] = (),
        operand_segments: tuple[int, ...] | None = None,
        location: Location = UNKNOWN,
    ) -> Self:
        """Make an operation from its parts, without inference; `verify` checks it later."""
        op = cls.__new__(cls)
        op.assemble(operands, result_types, attributes, regions, successors, operand_segments, location)
        return op

    def assemble(
        self,
        operands: Sequence[Value],
        result_types: Sequence[Type],
        attributes: Mapping[str, Attribute] | None,
        regions: Sequence[Region],
        successors: Sequence[Block],
        operand_segments: tuple[int, ...] | None,
        location: Location,
    ) -> None:
        """Fill in a fresh instance; constructors and `build` call this once."""
        self.parent = self.prev = self.next = None
        self.location = location
        self.attributes = dict(attributes) if attributes else {}
        self.operands = tuple(operands)
        self.successors = tuple(successors) if successors else ()
        self.operand_segments = operand_segments
        self.regions = tuple(regions) if regions else ()
        for region in self.regions:
            if region.parent is not None:
                raise ValueError("a region already belongs to an operation")
            region.parent = self
        for i, value in enumerate(self.operands):
            value.uses[(self, i)] = None
        if len(result_types) == 1:
            self.results = (OpResult(result_types[0], self, 0),)
        else:
            self.results = tuple([OpResult(t, self, i) for i, t in enumerate(result_types)])

    # ------------------------------------------------------------------------------------------ reading

    @property
    def name(self) -> str:
        """The full name, `dialect.op`."""
        return self.NAME

    @property
    def dialect(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def result(self) -> OpResult:
        """The only result; ValueError when there is not exactly one."""
        if len(self.results) != 1:
            raise ValueError(f"{self.name} has {len(self.results)} results, not one")
        return self.results[0]

    @property
    def result_types(self) -> tuple[Type, ...]:
        return tuple(r.type for r in self.results)

    @property
    def parent_region(self) -> Region | None:
        return self.parent.parent if self.parent is not None else None

    @property
    def parent_op(self) -> Op | None:
        region = self.parent_region
        return region.parent if region is not None else None

    def has_trait(self, trait: Trait) -> bool:
        return trait in self.TRAITS

    def walk(self) -> Iterator[Op]:
        """This operation and everything inside it, outer operations first; the current one may be erased."""
        yield self
        for region in self.regions:
            yield from region.walk()

    def is_before_in_block(self, other: Op) -> bool:
        """Whether this operation stands before `other` in their common block. O(length of the block)."""
        op: Op | None = self.next
        while op is not None:
            if op is other:
                return True
            op = op.next
        return False

    # ------------------------------------------------------------------------------------------ changing

    def set_operand(self, index: int, value: Value) -> None:
        del self.operands[index].uses[(self, index)]
        self.operands = (*self.operands[:index], value, *self.operands[index + 1 :])
        value.uses[(self, index)] = None

    def set_operands(self, operands: Sequence[Value], segments: tuple[int, ...] | None = None) -> None:
        """Replace all operands; `segments` replaces the segment sizes of ops with several variadic groups."""
        for i, value in enumerate(self.operands):
            del value.uses[(self, i)]
        self.operands = tuple(operands)
        for i, value in enumerate(self.operands):
            value.uses[(self, i)] = None
        if segments is not None:
            self.operand_segments = segments

    def detach(self) -> Self:
        """Take the operation out of its block, keeping it alive."""
        if self.parent is not None:
            self.parent.unlink(self)
        return self

    def move_before(self, other: Op) -> None:
        assert other.parent is not None
        self.detach()
        other.parent.insert(self, other)

    def move_after(self, other: Op) -> None:
        assert other.parent is not None
        self.detach()
        other.parent.insert(self, other.next)

    def drop_all_references(self) -> None:
        """Give up every use that this operation and its regions make."""
        for i, value in enumerate(self.operands):
            value.uses.pop((self, i), None)
        self.operands = ()
        for region in self.regions:
            for block in region.blocks:
                for op in block:
                    op.drop_all_references()

    def erase(self) -> None:
        """Remove the operation for good; its results must have no uses left."""
        for r in self.results:
            if r.uses:
                user = next(iter(r.uses))[0]
                raise ValueError(f"cannot erase {self.name} at {self.location}: {user.name} still uses its result")
        self.detach()
        self.drop_all_references()

    def add_results(self, types: Sequence[Type]) -> list[OpResult]:
        """Further results, after those that there are."""
        first = len(self.results)
        new = [OpResult(t, self, first + i) for i, t in enumerate(types)]
        self.results = (*self.results, *new)
        return new

    def replace_with(self, values: Sequence[Value] | Value) -> None:
        """Give all uses of the results to `values` and erase the operation."""
        new = (values,) if isinstance(values, Value) else values
        for old, value in zip(self.results, new, strict=True):
            if value.name_hint is None:
                value.name_hint = old.name_hint
            old.replace_all_uses_with(value)
        self.erase()

    def clone(self, mapping: dict[Value, Value] | None = None) -> Self:
        """A detached copy; operands found in `mapping` are replaced, and `mapping` learns the copy's results.

        Successor blocks inside cloned regions are remapped to their copies.
        """
        return self._clone({} if mapping is None else mapping, {})

    def _clone(self, values: dict[Value, Value], blocks: dict[Block, Block]) -> Self:
        regions: list[Region] = []
        for region in self.regions:
            copy = Region()
            for block in region.blocks:
                new = Block([a.type for a in block.args], [a.location for a in block.args])
                for a, b in zip(block.args, new.args, strict=True):
                    b.name_hint = a.name_hint
                    values[a] = b
                blocks[block] = new
                copy.append(new)
            for block in region.blocks:
                for op in block:
                    blocks[block].append(op._clone(values, blocks))
            regions.append(copy)
        op = type(self).__new__(type(self))
        op.assemble(
            [values.get(v, v) for v in self.operands],
            [r.type for r in self.results],
            self.attributes,
            regions,
            [blocks.get(b, b) for b in self.successors],
            self.operand_segments,
            self.location,
        )
        for a, b in zip(self.results, op.results, strict=True):
            b.name_hint = a.name_hint
            values[a] = b
        return op

    # ------------------------------------------------------------------------------------------ rules

    def infer(self) -> Sequence[Type] | None:
        """Result types from operands and attributes; None when the declaration takes them as given."""
        return None

    def check(self) -> None:
        """Rules beyond the declaration; called by the verifier after operands, attributes and types were checked."""

    def complete(self) -> None:
        """Called by readers behind the construction: takes from the result types what attributes leave to them."""

    def result_segments(self) -> tuple[int, ...] | None:
        """Sizes of the groups of results, for operations that have several; written as `resultSegmentSizes`."""
        return None

    def verify_types(self) -> None:
        """Compare the result types with `infer`, when the op has it."""
        expected = self.infer()
        if expected is None:
            return
        results = self.results
        if len(expected) != len(results):
            self.fail("results", f"expected {len(expected)} results, found {len(results)}")
        for want, have in zip(expected, results, strict=True):
            if want is not have.type and not types_compatible(want, have.type):
                self.fail("type", f"result {have.index} must have type {want}, found {have.type}")

    def require(self, condition: bool, constraint: str, message: str) -> None:
        """Raise VerifyError for rule `name.constraint` at this operation unless `condition` holds."""
        if not condition:
            self.fail(constraint, message)

    def fail(self, constraint: str, message: str) -> None:
        """Raise VerifyError for rule `name.constraint` at this operation, with a note for each operand's type."""
        notes = tuple(
            Note(f"operand {i} is {v.type}", v.defining_op.location if v.defining_op else UNKNOWN)
            for i, v in enumerate(self.operands[:8])
        )
        raise VerifyError(message, self.location, f"{self.name}.{constraint}", notes)

    def __repr__(self) -> str:
        return f"<{self.name} at {self.location}>"


class UnregisteredOp(Op):
    """An operation of a dialect that is not known, kept only where the reader was told to allow it."""

    __slots__ = ("_name",)

    _name: str

    @classmethod
    def named(cls, name: str) -> type[UnregisteredOp]:
        """A class for the operation `name`."""
        return type("UnregisteredOp", (cls,), {"__slots__": (), "NAME": name})


def constant_elements(value: Value) -> DenseElements | None:
    """The elements of `value` when a constant defines it, else None."""
    op = value.defining_op
    if op is None or CONSTANT_LIKE not in op.TRAITS:
        return None
    elements: Any = op.attributes.get("value")
    return elements if isinstance(elements, DenseElements) else None
