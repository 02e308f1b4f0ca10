"""carry-dims: control flow hands on the sizes of tensors that change on the way, beside the tensors.

    %r = scf.for … iter_args(%a = %x) {            %r, %n = scf.for … iter_args(%a = %x, %d = %dim_x) {
                                                     %t = flow.tensor.tie_shape %a {%d}
      %b = tensor.concat %a, %row           ->       %b = tensor.concat %t, %row;  %e = %d + 1
      yield %b : tensor<?x4xf32> }                   yield %b, %e }
                                                   %s = flow.tensor.tie_shape %r {%n}

A size stays what it was in front of the loop where that can be shown; then nothing is carried. The proof is by
induction: under the assumption that no size changes, those that do not come out the same are taken back, until none is
left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tesselle.dialects.core import arith, func, scf
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code, is_constant
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.host_scalars import is_scalar_arithmetic
from tesselle.passes.dispatch_creation.shapes import Shapes, forwarded
from tesselle.passes.global_optimization.check_shapes import equal_sizes
from tesselle.passes.global_optimization.fold_index_ranges import fold_index_ranges
from tesselle.passes.index_arithmetic import IndexBuilder, Size
from tesselle.passes.index_facts import IndexFacts
from tesselle.support.dtypes import INDEX

ControlFlow = scf.ForOp | scf.WhileOp | scf.IfOp


@register_pass("carry-dims", needs=[Fact.LINALG])
@dataclass(frozen=True)
class CarryDims(Pass):
    """Carry the dimensions that loops and branches change, and say so by flow.tensor.tie_shape."""

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _Carrying(op).run()


@dataclass(frozen=True, eq=False)
class _Handing:
    """A way on which control flow hands a tensor on: from `sources` to `targets`, which have one size.

    `first` is what comes in where the sources are those of later iterations: without a change its sizes stay.
    `holders` are the operations whose operands `sources` are; a size that is handed on becomes their last operand.
    """

    op: ControlFlow
    first: Value | None
    sources: tuple[Value, ...]
    holders: tuple[Op, ...]
    targets: tuple[Value, ...]


@dataclass
class _Carried:
    """A dimension that is handed on: operand number `operands[i]` of `holders[i]` is its size."""

    handing: _Handing
    axis: int
    holders: tuple[Op, ...]
    operands: tuple[int, ...]


def _handings(op: Op) -> Iterator[_Handing]:
    """How an operation hands tensors on whose types leave dimensions open."""
    ways: Sequence[_Handing] = ()
    match op:
        case scf.ForOp():
            end = op.body.block.terminator
            rows = zip(op.init_args, end.operands, op.body.block.args[1:], op.results, strict=False)
            ways = [_Handing(op, a, (b,), (op, end), (c, r)) for a, b, c, r in rows]
        case scf.WhileOp():
            end, condition = op.after.block.terminator, op.before.block.terminator
            rows = zip(op.init_args, end.operands, op.before.block.args, strict=False)
            around = [_Handing(op, a, (b,), (op, end), (c,)) for a, b, c in rows]
            onward = zip(forwarded(op), op.after.block.args, op.results, strict=False)
            ways = [*around, *(_Handing(op, None, (a,), (condition,), (b, r)) for a, b, r in onward)]
        case scf.IfOp() if op.results:
            ends = (op.then_region.block.terminator, op.else_region.block.terminator)
            rows = zip(ends[0].operands, ends[1].operands, op.results, strict=False)
            ways = [_Handing(op, None, (a, b), ends, (r,)) for a, b, r in rows]
        case _:
            pass
    for way in ways:
        if any(isinstance(t.type, TensorType) and not t.type.is_static for t in way.targets):
            yield way


@dataclass
class _Assumption(Shapes):
    """Shapes if control flow changes the sizes `carried`, and no others."""

    carried: dict[Value, dict[int, Value]] = field(default_factory=dict[Value, dict[int, Value]])

    def __post_init__(self) -> None:
        super().__init__()

    def _carried(self, value: Value, t: TensorType) -> Sequence[Size]:
        known = self.carried.get(value, {})
        dims = self._find_dynamic(value, t)
        return [known.get(axis, d) for axis, d in enumerate(dims)]


class _Carrying:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.carried: dict[Value, dict[int, Value]] = {}
        self.positions: list[_Carried] = []

    def run(self) -> None:
        ops = [op for op in self.function.walk() if isinstance(op, ControlFlow)]
        # Inner ones first: what branches compute of sizes from outside moves out of them.
        if not any(True for op in ops for _ in _handings(op)):
            return
        fold_index_ranges(self.function)  # StableHLO computes sizes in i32: so that equal ones are seen to be equal
        handings = [way for op in reversed(ops) for way in _handings(op)]
        while found := self._find(handings):
            for way, axis in found:
                self._hand_on(way, axis)
        self._fill_in(handings)
        eliminate_dead_code(self.function)

    # ------------------------------------------------------------------------------------------ the proof

    def _find(self, handings: Sequence[_Handing]) -> list[tuple[_Handing, int]]:
        """The dimensions of which the assumption does not hold that they stay."""
        shapes = _Assumption(self.carried)
        found: list[tuple[_Handing, int]] = []
        facts: dict[Op, IndexFacts] = {}
        for way in handings:
            known = facts.get(way.op)
            if known is None:
                known = facts[way.op] = self._facts(way.op, shapes)
            t = tensor_type(way.targets[0])
            values = (*((way.first,) if way.first is not None else ()), *way.sources)
            sizes = [shapes.of(v) for v in values]
            for axis in range(t.rank):
                if t.shape[axis] is not None or axis in self.carried.get(way.targets[0], {}):
                    continue
                first, *others = (s[axis] for s in sizes)
                stays = all(known.same(first, other) for other in others)
                if not stays or not _comes_from_outside(first, way.op):
                    found.append((way, axis))
        return found

    def _facts(self, op: ControlFlow, shapes: Shapes) -> IndexFacts:
        """What is known where `op` ends an iteration: what its body and everything in front of it has checked."""
        facts = IndexFacts.of_function(self.function)
        at: Op | None = op
        while at is not None and at is not self.function:
            assert at.parent is not None
            _learn(facts, _in_front_of(at, at.parent), shapes)
            at = at.parent_op
        if not isinstance(op, scf.IfOp):
            for region in op.regions:
                _learn(facts, region.block, shapes)
        return facts

    # ------------------------------------------------------------------------------------------ the change

    def _hand_on(self, way: _Handing, axis: int) -> None:
        """Make room for a size: operands that are filled in later, arguments and results."""
        b = Builder.before_op(way.op)
        later = b.insert(arith.ConstantOp(0, INDEX)).result
        places: list[int] = []
        for holder in way.holders:
            places.append(len(holder.operands))
            holder.set_operands([*holder.operands, later])
        self.positions.append(_Carried(way, axis, way.holders, tuple(places)))
        for target in way.targets:
            if isinstance(target, BlockArgument):
                new: Value = target.block.add_arg(INDEX, target.location)
            else:
                new = way.op.add_results([INDEX])[0]
            self.carried.setdefault(target, {})[axis] = new

    def _fill_in(self, handings: Sequence[_Handing]) -> None:
        """The sizes that are handed on, now that all of them have values; then nobody asks for the old ones."""
        shapes = _Assumption(self.carried)
        for position in self.positions:
            way = position.handing
            values = (*((way.first,) if way.first is not None else ()), *way.sources)
            for holder, place, value in zip(position.holders, position.operands, values, strict=True):
                size = shapes.of(value)[position.axis]
                holder.set_operand(place, IndexBuilder(Builder.before_op(holder)).value(size))
        targets = {target: way.op for way in handings for target in way.targets}
        for target, op in targets.items():
            dims = shapes.dynamic(target)
            others = [r for r in op.regions if r is not target.parent_region]
            inside = [d for d in dims if any(r.is_ancestor_of(d.parent_region) for r in others)]
            if target not in self.carried and not inside:
                continue
            for d in inside:
                _comes_from_outside(d, op)  # moves it there
            owner = target.owner
            b = (
                Builder.after_op(owner)
                if isinstance(owner, Op)
                else Builder(owner, owner.first, owner.terminator.location)
            )
            tie = b.insert(flow.TensorTieShapeOp(target, dims))
            tie.result.name_hint = target.name_hint
            target.replace_uses_if(tie.result, lambda user, _, tie=tie: user is not tie)


def _learn(facts: IndexFacts, ops: Iterable[Op], shapes: Shapes) -> None:
    """What holds behind `ops`, which all run: assertions, and loop nests, of which check-shapes makes them."""
    for op in ops:
        if isinstance(op, flow.AssertOp):
            facts.learn(op.condition)
        for _, _, size, expected in equal_sizes(op, shapes):
            facts.learn_equal(size, expected)


def _in_front_of(op: Op, block: Block) -> Iterator[Op]:
    for other in block:
        if other is op:
            return
        yield other


def _comes_from_outside(size: Size, op: ControlFlow) -> bool:
    """Whether a size is known in front of `op`; arithmetic on such sizes moves there."""
    if isinstance(size, int):
        return True
    return all(_lift(size, op, region) for region in op.regions if region.is_ancestor_of(size.parent_region))


def _lift(value: Value, op: Op, region: Region) -> bool:
    if not region.is_ancestor_of(value.parent_region):
        return True
    maker = value.defining_op
    if maker is None or maker.regions or not (is_scalar_arithmetic(maker) or is_constant(value)):
        return False
    if not all(_lift(v, op, region) for v in maker.operands):
        return False
    maker.move_before(op)
    return True


__all__ = ["CarryDims"]
