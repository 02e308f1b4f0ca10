"""How often a loop runs at most, and how many elements loops push onto a list at most.

while(%i = %a) cond { %i < %n } do { … return %i + 2 }        ceil((n - a) / 2) times at most
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.tf.lists import EmptyTensorListOp, TensorListPushBackOp
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.passes.input.known_sizes import Extent, KnownSizes, available, combine


def runs_at_most(loop: cf.WhileOp, known: KnownSizes) -> Extent | None:
    """An upper bound of how often the body runs; None where there is none that is known before the loop."""
    pending = [loop.cond.block.terminator.operands[0]]
    while pending:
        test = pending.pop()
        op = test.defining_op
        if isinstance(op, e.AndOp):
            pending.extend(op.operands)
        elif isinstance(op, e.CompareOp):
            found = _bound(loop, op, known)
            if found is not None:
                return found
    return None


def _bound(loop: cf.WhileOp, test: e.CompareOp, known: KnownSizes) -> Extent | None:
    """The bound that a comparison of a counter with a limit gives."""
    counter, limit, direction = test.lhs, test.rhs, test.comparison_direction
    if not isinstance(counter, BlockArgument):
        counter, limit = limit, counter
        turned = {
            ComparisonDirection.GT: ComparisonDirection.LT,
            ComparisonDirection.GE: ComparisonDirection.LE,
        }
        direction = turned.get(direction, ComparisonDirection.EQ)
    if not isinstance(counter, BlockArgument) or counter.block is not loop.cond.block:
        return None
    if direction not in (ComparisonDirection.LT, ComparisonDirection.LE) or not _is_integer(counter):
        return None
    step = _step(loop, counter.index, known)
    last = known.number(limit)
    if step is None or not available(last, loop):
        return None
    distance = combine("subtract", last, known.number(loop.operands[counter.index]))
    if direction is ComparisonDirection.LE:
        distance = combine("add", distance, Extent(1))
    runs = combine("divide", combine("add", distance, Extent(step - 1)), Extent(step))
    return combine("maximum", runs, Extent(0))


def _is_integer(value: Value) -> bool:
    t = tensor_type(value)
    return t.rank == 0 and t.dtype.is_integer


def _step(loop: cf.WhileOp, index: int, known: KnownSizes) -> int | None:
    """By how much an iteration raises a counter, where that is a positive constant."""
    value = loop.body.block.terminator.operands[index]
    op = value.defining_op
    if not isinstance(op, e.AddOp):
        return None
    arg = loop.body.block.args[index]
    if arg not in op.operands:
        return None
    other = op.rhs if op.lhs is arg else op.lhs
    step = known.number(other).constant
    return step if step is not None and step > 0 else None


def pushes_at_most(ops: Sequence[Op], maker: EmptyTensorListOp, known: KnownSizes) -> Extent | None:
    """An upper bound of the pushes onto a list, from what is known in front of the operation that makes it."""
    total = Extent(0)
    for op in ops:
        if isinstance(op, TensorListPushBackOp):
            times = Extent(1)
            place: Op | None = op
            while place is not None and place.parent is not maker.parent:
                if isinstance(place, cf.WhileOp):
                    runs = runs_at_most(place, known)
                    if runs is None:
                        return None
                    times = combine("multiply", times, runs)
                place = place.parent_op
            if place is None:
                return None
            if isinstance(place, cf.WhileOp):
                runs = runs_at_most(place, known)
                if runs is None:
                    return None
                times = combine("multiply", times, runs)
            total = combine("add", total, times)
    return total if available(total, maker) else None
