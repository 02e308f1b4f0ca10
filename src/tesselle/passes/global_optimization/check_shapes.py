"""check-shapes: dimensions that must agree, and are known only at run time, are compared before anything runs.

So are all other checks that depend on the sizes of arguments alone, whatever stands before them: what follows from them
is taken for granted by all that comes later (see `Shapes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tesselle.dialects.core import arith, func, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineDim, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.assertions import require
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import IndexBuilder, Size
from tesselle.passes.index_facts import IndexFacts, is_size_check

EQ, SGE = arith.CmpIPredicate.EQ, arith.CmpIPredicate.SGE


@register_pass("check-shapes", needs=[Fact.LINALG])
@dataclass(frozen=True)
class CheckShapes(Pass):
    """Assert that operands have the sizes that operations need, where types do not say it and nothing else does.

    %0 = linalg.generic ins(%a : tensor<?xf32>, %b : tensor<?xf32>)
    ->  flow.assert %dim_b == %dim_a, "argument 1 'b': dimension 0 is {0}, but must equal …";  %0 = linalg.generic …

    Checks that hold by themselves go away. Size checks of arguments move to the beginning of the function.
    """

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                shapes = Shapes()
                _Checks(shapes, shapes.facts_at(op)).block(op.entry, [])
                _hoist(op)
        eliminate_dead_code(module)


@dataclass(frozen=True)
class Requirement:
    """`size` must compare with `other`; `what` says in words what `size` is."""

    size: Size
    predicate: arith.CmpIPredicate
    other: Size
    what: str


class _Checks:
    """Goes through a function. `facts`: what its entry promises; `known`: what the blocks around a place checked."""

    def __init__(self, shapes: Shapes, facts: IndexFacts) -> None:
        self.shapes = shapes
        self.facts = facts

    def block(self, block: Block, known: list[tuple[Size, arith.CmpIPredicate, Size]]) -> None:
        known = list(known)
        for op in block.ops:
            if isinstance(op, flow.AssertOp):
                self._drop_if_true(op)
            for r in requirements(op, self.shapes):
                self._require(op, r, known)
            if op.dialect != "linalg":
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner, known)

    def _drop_if_true(self, op: flow.AssertOp) -> None:
        # What the facts were learned from must not be dropped for them: only what holds without.
        if IndexFacts().constant(op.condition) == 1:
            op.erase()

    def _require(self, op: Op, r: Requirement, known: list[tuple[Size, arith.CmpIPredicate, Size]]) -> None:
        if self._holds(r) or any(self._is_same(r, k) for k in known):
            return
        check = require(Builder.before_op(op), r.predicate, r.size, r.other, r.what)
        if check is None:
            return
        if is_size_check(check):
            self.facts.learn(check.condition)
        else:
            known.append((r.size, r.predicate, r.other))

    def _holds(self, r: Requirement) -> bool:
        difference = self.facts.form(r.size) - self.facts.form(r.other)
        low, high = self.facts.range_of_form(difference)
        return low >= 0 if r.predicate is SGE else low == high == 0

    def _is_same(self, r: Requirement, known: tuple[Size, arith.CmpIPredicate, Size]) -> bool:
        size, predicate, other = known
        same = self.facts.same
        return predicate is r.predicate and same(size, r.size) and same(other, r.other)


# ---------------------------------------------------------------------------------------------- what operations need


def requirements(op: Op, shapes: Shapes) -> Iterator[Requirement]:
    """What must hold of the sizes of an operation's operands, where their types leave it open."""
    for i, axis, size, expected in equal_sizes(op, shapes):
        if not isinstance(size, int) or not isinstance(expected, int):  # static types that differ are slices
            yield Requirement(size, EQ, expected, f"dimension {axis} of operand {i}")
    match op:
        case tensor.CastOp():
            known = zip(shapes.of(op.operand), op.result_type.shape, strict=True)
            for axis, (size, wanted) in enumerate(known):
                if wanted is not None:
                    yield Requirement(size, EQ, wanted, f"dimension {axis}")
        case tensor.ConcatOp():
            first = shapes.of(op.inputs[0])
            for i, v in enumerate(op.inputs):
                for axis, size in enumerate(shapes.of(v)):
                    if axis != op.axis:
                        yield Requirement(size, EQ, first[axis], f"dimension {axis} of operand {i}")
        case linalg.SortOp():
            first = shapes.of(op.inputs[0])
            for i, v in enumerate(op.inputs):
                for axis, size in enumerate(shapes.of(v)):
                    yield Requirement(size, EQ, first[axis], f"dimension {axis} of operand {i}")
        case arith.SelectOp() if isinstance(op.result.type, TensorType):
            rows = zip(shapes.of(op.false_value), shapes.of(op.true_value), strict=True)
            for axis, (size, other) in enumerate(rows):
                yield Requirement(size, EQ, other, f"dimension {axis} of the value where the condition is false")
        case tensor.EmptyOp() | tensor.SplatOp():
            for size in op.dynamic_dims:
                yield Requirement(size, SGE, 0, "a dimension")
        case tensor.ReshapeOp() | tensor.ExpandShapeOp():
            b = IndexBuilder(Builder.before_op(op))
            for size in op.output_dims:
                yield Requirement(size, SGE, 0, "a dimension")
            yield Requirement(
                b.product(shapes.of(op.result)), EQ, b.product(shapes.of(op.operand)), "the number of elements"
            )
        case _:
            pass


def equal_sizes(op: Op, shapes: Shapes) -> Iterator[tuple[int, int, Size, Size]]:
    """(operand, dimension, its size, the size of the loop over it) of a loop nest: the last two must be equal."""
    if not isinstance(op, linalg.GenericOp | linalg.ContractOp):
        return
    if all(tensor_type(v).is_static for _, v, _ in _reads(op)):
        return
    loops: dict[int, Size] = {}
    for i, value, m in _reads(op):
        for axis, (e, size) in enumerate(zip(m.results, shapes.of(value), strict=True)):
            if isinstance(e, AffineDim):
                yield i, axis, size, loops.setdefault(e.position, size)


def _reads(op: linalg.GenericOp | linalg.ContractOp) -> Iterator[tuple[int, Value, AffineMap]]:
    """Operands with their maps, outputs first: they say how large the loops are."""
    maps = op.indexing_maps
    outputs = len(op.results)
    first = len(maps) - outputs
    for i in (*range(first, len(maps)), *range(first)):
        if isinstance(op.operands[i].type, TensorType):
            yield i, op.operands[i], maps[i]


def _hoist(function: func.FuncOp) -> None:
    """Move the checks of sizes, and what they are computed from, to the beginning of the function."""
    checks = [op for op in function.entry if isinstance(op, flow.AssertOp) and is_size_check(op)]
    needed: set[Op] = set(checks)
    todo: list[Op] = list(checks)
    while todo:
        for value in todo.pop().operands:
            maker = value.defining_op
            if maker is not None and maker not in needed:
                needed.add(maker)
                todo.append(maker)
    first = next((op for op in function.entry if op not in needed), None)
    if first is not None:
        for op in [op for op in function.entry if op in needed]:
            op.move_before(first)
