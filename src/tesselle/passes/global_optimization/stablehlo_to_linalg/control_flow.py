"""Loops and branches. A while with a counter becomes scf.for, its counter an index on the host; others scf.while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import scf, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Region, Value, constant_elements
from tesselle.ir.types import TensorType, Type
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import from_elements, pull_to_host
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, lower_block, lowering
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert
from tesselle.support.dtypes import INDEX, DType


@dataclass(frozen=True)
class Counter:
    """What makes a while a counted loop: state[position] runs from its initial value by `step` while below `bound`.

    `bound` is a value outside of the loop, or a constant; `inclusive`: the comparison is LE instead of LT.
    """

    position: int
    bound: Value | int
    step: int
    inclusive: bool


_FLIPPED = {
    ComparisonDirection.GT: ComparisonDirection.LT,
    ComparisonDirection.GE: ComparisonDirection.LE,
}


def find_counter(op: s.WhileOp) -> Counter | None:
    """The counter of a loop `while i < bound: …; i = i + constant`, or None."""
    cond, body = op.cond.block, op.body.block
    compare = cond.terminator.operands[0].defining_op
    if not isinstance(compare, e.CompareOp):
        return None
    left, right, direction = compare.lhs, compare.rhs, compare.comparison_direction
    if direction in _FLIPPED:
        left, right, direction = right, left, _FLIPPED[direction]
    if direction not in (ComparisonDirection.LT, ComparisonDirection.LE):
        return None
    if not isinstance(left, BlockArgument) or left.block is not cond:
        return None
    dtype = tensor_type(left).dtype
    if not dtype.is_integer or dtype.bits < 8:
        return None
    k = left.index
    bound = _invariant(op, right)
    step = _increment(body.terminator.operands[k], body.args[k])
    if bound is None or step is None or step <= 0:
        return None
    return Counter(k, bound, step, direction is ComparisonDirection.LE)


def _invariant(op: s.WhileOp, value: Value) -> Value | int | None:
    """A value of the condition that no iteration changes: a constant, from outside, or state that stays as it is."""
    elements = constant_elements(value)
    if elements is not None:
        return int(elements.splat_value) if elements.is_splat else None
    if isinstance(value, BlockArgument) and value.block is op.cond.block:
        body = op.body.block
        stays = body.terminator.operands[value.index] is body.args[value.index]
        return op.operands[value.index] if stays else None
    return None if op.cond.is_ancestor_of(value.parent_region) else value


def _increment(value: Value, argument: Value) -> int | None:
    """c when `value` is argument + c."""
    add = value.defining_op
    if not isinstance(add, e.AddOp) or argument not in add.operands:
        return None
    other = add.rhs if add.lhs is argument else add.lhs
    elements = constant_elements(other)
    return int(elements.splat_value) if elements is not None and elements.array.size == 1 else None


@lowering(s.WhileOp)
def while_loop(op: s.WhileOp, b: Lowering) -> list[Value]:
    counter = find_counter(op)
    return _general(op, b) if counter is None else _counted(op, b, counter)


def _carried_type(op: s.WhileOp, i: int) -> Type:
    """The type of state number `i`: dimensions are known where all that stands for it knows them."""
    types = [op.operands[i].type, op.results[i].type]
    for region in op.regions:
        types.append(region.block.args[i].type)
    types.append(op.body.block.terminator.operands[i].type)
    first = types[0]
    if not isinstance(first, TensorType) or all(t == first for t in types):
        return first
    shapes = zip(*(t.shape for t in types if isinstance(t, TensorType)), strict=True)
    return first.with_shape([sizes[0] if len(set(sizes)) == 1 else None for sizes in shapes])


def _as(b: Builder, value: Value, type: Type) -> Value:
    """The value under a type that knows more or fewer of the dimensions."""
    if value.type == type or not isinstance(type, TensorType):
        return value
    return b.insert(tensor.CastOp(value, type)).result


def _to_index(b: Lowering, value: Value) -> Value:
    """A tensor of rank 0 as an index value."""
    return convert(b, b.scalar(pull_to_host(b, value)), INDEX)


def _counted(op: s.WhileOp, b: Lowering, counter: Counter) -> list[Value]:
    k = counter.position
    body = op.body.block
    start = _to_index(b, op.operands[k])
    bound = counter.bound
    if isinstance(bound, int):
        upper = b.index(bound + (1 if counter.inclusive else 0))
    else:
        upper = _to_index(b, bound)
        if counter.inclusive:
            upper = b.insert(a.AddIOp(upper, b.index(1))).result
    step = b.index(counter.step)
    returned = body.terminator.operands
    stays = [returned[i] is body.args[i] and i != k for i in range(len(returned))]
    for i, arg in enumerate(body.args):
        if stays[i]:
            arg.replace_all_uses_with(_as(b, op.operands[i], arg.type))
    carried = [i for i in range(len(returned)) if i != k and not stays[i]]
    types = [_carried_type(op, i) for i in carried]
    block = Block([INDEX, *types])
    inner = Builder.at_end(block, op.location)
    counter_type = tensor_type(op.operands[k])
    number = convert(inner, block.args[0], counter_type.dtype)
    body.args[k].replace_all_uses_with(from_elements(inner, [number], counter_type))
    for i, arg in zip(carried, block.args[1:], strict=True):
        arg.name_hint = body.args[i].name_hint
        body.args[i].replace_all_uses_with(_as(inner, arg, body.args[i].type))
    _move(body, block, carried, types)
    lower_block(block)
    init = tuple(_as(b, op.operands[i], t) for i, t in zip(carried, types, strict=True))
    loop = b.insert(scf.ForOp(start, upper, step, init, Region([block])))
    results = [_as(b, v, r.type) for v, r in zip(op.operands, op.results, strict=True)]
    for i, r in zip(carried, loop.results, strict=True):
        results[i] = _as(b, r, op.results[i].type)
    if op.results[k].uses:
        results[k] = _final_count(b, start, upper, step, counter_type)
    return results


def _move(source: Block, target: Block, kept: Sequence[int], types: Sequence[Type]) -> None:
    """The operations of `source` at the end of `target`; its terminator becomes scf.yield of the operands `kept`."""
    terminator = source.terminator
    values = [terminator.operands[i] for i in kept]
    location = terminator.location
    terminator.erase()
    for op in source:
        target.append(op.detach())
    b = Builder.at_end(target, location)
    b.insert(scf.YieldOp(tuple(_as(b, v, t) for v, t in zip(values, types, strict=True))))


def _final_count(b: Lowering, start: Value, upper: Value, step: Value, t: TensorType) -> Value:
    """start + step * max(0, ceil((upper - start) / step)): the counter after the loop."""
    distance = b.insert(a.SubIOp(upper, start)).result
    rounds = b.insert(a.MaxSIOp(b.insert(a.CeilDivSIOp(distance, step)).result, b.index(0))).result
    last = b.insert(a.AddIOp(start, b.insert(a.MulIOp(rounds, step)).result)).result
    return from_elements(b, [convert(b, last, t.dtype)], t)


def _general(op: s.WhileOp, b: Lowering) -> list[Value]:
    types = [_carried_type(op, i) for i in range(len(op.operands))]
    before, after = Block(types), Block(types)
    for source, target in ((op.cond.block, before), (op.body.block, after)):
        inner = Builder.at_end(target, op.location)
        for old, new in zip(source.args, target.args, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(_as(inner, new, old.type))
    condition = op.cond.block.terminator
    flag = condition.operands[0]
    condition.erase()
    for inner_op in op.cond.block:
        before.append(inner_op.detach())
    marker = scf.ConditionOp(flag, tuple(before.args))
    before.append(marker)
    lower_block(before)
    inner = Lowering(marker)
    marker.set_operands((inner.scalar(pull_to_host(inner, marker.operands[0])), *before.args))
    _move(op.body.block, after, range(len(types)), types)
    lower_block(after)
    init = tuple(_as(b, v, t) for v, t in zip(op.operands, types, strict=True))
    loop = b.insert(scf.WhileOp(init, types, Region([before]), Region([after])))
    return [_as(b, v, r.type) for v, r in zip(loop.results, op.results, strict=True)]


def _branch(region: Region, types: Sequence[Type]) -> Region:
    """A branch of if or case as a region that ends in scf.yield."""
    block = Block()
    _move(region.block, block, range(len(types)), types)
    lower_block(block)
    return Region([block])


@lowering(s.IfOp)
def if_op(op: s.IfOp, b: Lowering) -> list[Value]:
    condition = b.scalar(pull_to_host(b, op.pred))
    types = [r.type for r in op.results]
    then, other = _branch(op.true_branch, types), _branch(op.false_branch, types)
    return list(b.insert(scf.IfOp(condition, types, then, other)).results)


@lowering(s.CaseOp)
def case(op: s.CaseOp, b: Lowering) -> list[Value]:
    """if index == 0: …; else if index == 1: …; the last branch stands for every other index."""
    index = b.scalar(pull_to_host(b, op.index))
    dtype = index.type
    assert isinstance(dtype, DType)
    types = [r.type for r in op.results]
    branches = [_branch(region, types) for region in op.branches]
    if len(branches) == 1:
        from tesselle.ir.rewrite import inline_block

        assert b.before is not None
        return inline_block(branches[0].block, b.before, ())

    def build(inner: Builder, i: int) -> list[Value]:
        number = inner.insert(a.ConstantOp(i, dtype)).result
        equal = inner.insert(a.CmpIOp(a.CmpIPredicate.EQ, index, number)).result
        if i + 2 == len(branches):
            return list(inner.insert(scf.IfOp(equal, types, branches[i], branches[i + 1])).results)
        block = Block()
        rest = Builder.at_end(block, inner.location)
        values = build(rest, i + 1)
        rest.insert(scf.YieldOp(tuple(values)))
        return list(inner.insert(scf.IfOp(equal, types, branches[i], Region([block]))).results)

    return build(b, 0)


@lowering(s.OptimizationBarrierOp)
def optimization_barrier(op: s.OptimizationBarrierOp, b: Lowering) -> list[Value]:
    """What nobody uses needs no barrier; nor is there anything to keep apart without a value."""
    if not any(r.users for r in op.results):
        return list(op.operands)
    return list(b.insert(flow.OptimizationBarrierOp(op.operands)).results)


__all__ = ["Counter", "find_counter"]
