"""fuse-elementwise: merge elementwise producers into the linalg.generic that reads them.

    %p = linalg.generic ins(%x) { exp }            ─┐
    %c = linalg.generic ins(%p, %y) { add }         ├▶  %c = linalg.generic ins(%x, %y) { exp, add }

A producer has parallel loops only. Its maps are composed with the map through which the consumer reads it, so that
transposes, broadcasts, slices and reversals melt into indexing maps. A producer is merged when that computes nothing
expensive more often than before:

- it has no other use, and the consumer reads each of its elements once (or its body is cheap); or
- it has other uses, its body is cheap, reading its inputs again moves no more bytes than reading its result, and no
  reader needs the result in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineBinary, AffineConst, AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, OpResult, Region, Value, constant_elements
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.ir.types import DType, TensorType, Type
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.support.dtypes import INDEX

CHEAP_LIMIT = 4
"""A body of at most this many cheap operations is recomputed rather than stored."""

_EXPENSIVE = frozenset(
    {"arith.divf", "arith.divsi", "arith.divui", "arith.remf", "arith.remsi", "arith.remui", "tensor.extract"}
)
"""Operations that take many cycles a lane, besides everything in the math dialect that is not listed as cheap."""

_CHEAP_MATH = frozenset({"math.absf", "math.absi", "math.fma", "math.floor", "math.ceil", "math.copysign"})


@register_pass("fuse-elementwise", needs=[Fact.LINALG], gives=[Fact.FUSED])
@dataclass(frozen=True)
class FuseElementwise(Pass):
    """Merge chains of elementwise operations; `max_operands` bounds the inputs of one merged operation."""

    max_operands: int = 24

    def run(self, module: Op) -> None:
        shapes = Shapes()
        for op in list(module.walk()):
            if isinstance(op, linalg.GenericOp) and op.parent is not None:
                _Fusion(self.max_operands, shapes).fuse_into(op)
        eliminate_dead_code(module)


@dataclass(frozen=True)
class _Fusion:
    max_operands: int
    shapes: Shapes

    def fuse_into(self, consumer: linalg.GenericOp) -> None:
        """Merge producers into `consumer` until none qualifies; each merge makes a new operation in its place."""
        refused: set[Value] = set()
        while (index := next((i for i, v in enumerate(consumer.inputs) if v not in refused), None)) is not None:
            value = consumer.inputs[index]
            scalar = _splat_scalar(value)
            if scalar is None:
                merged = self._merge(consumer, index, value)
            else:
                merged = _inline_scalar(consumer, index, scalar, self.shapes)
            if merged is None:
                refused.add(value)
            else:
                consumer = merged
        # A producer that was read twice through one map left its body twice.
        eliminate_common_subexpressions(consumer)

    def _merge(self, consumer: linalg.GenericOp, index: int, value: Value) -> linalg.GenericOp | None:
        producer = value.defining_op
        if not isinstance(producer, linalg.GenericOp) or not isinstance(value, OpResult):
            return None
        if not _can_merge(producer, value) or not _is_worth_it(producer, value, consumer, index):
            return None
        if len(consumer.inputs) + len(producer.inputs) - 1 > self.max_operands:
            return None
        return _merge_producer(consumer, index, producer, value, self.shapes)


def _can_merge(producer: linalg.GenericOp, value: OpResult) -> bool:
    """All loops parallel, the result in a permutation of them, initial elements of the output unread."""
    if not producer.is_elementwise or not producer.output_maps[value.index].is_permutation:
        return False
    first_output = len(producer.inputs)
    return not any(a.uses for a in producer.body.block.args[first_output:])


def _is_worth_it(producer: linalg.GenericOp, value: OpResult, consumer: linalg.GenericOp, index: int) -> bool:
    read_once = len(consumer.input_maps[index].used_dims()) == len(consumer.iterator_types)
    cost = body_cost(producer.body.block)
    only_here = all(user is consumer for user in value.users) and all(
        r is value or not r.uses for r in producer.results
    )
    if only_here:
        # Several reads through one map share the merged body after common subexpressions are merged.
        return (read_once and _is_injective(consumer.input_maps[index])) or cost <= CHEAP_LIMIT
    if cost > CHEAP_LIMIT:
        return False
    out = _size(value)
    full_size_inputs = sum(_size(v) >= out for v in set(producer.inputs))
    if full_size_inputs and cost and not all(isinstance(user, linalg.GenericOp) for user in value.users):
        return False  # it is stored for another reader anyway
    return full_size_inputs <= 1 and not _permutes(producer)


def body_cost(block: Block) -> int:
    """Operations of a body, expensive ones counted as many."""
    cost = 0
    for op in block:
        if op.name in _EXPENSIVE or (op.dialect == "math" and op.name not in _CHEAP_MATH):
            cost += 4 * CHEAP_LIMIT
        elif op.dialect in ("arith", "math", "complex"):
            cost += 1
    return cost


def _is_injective(read: AffineMap) -> bool:
    """Whether no element is read twice: each loop moves one result of its own. Conservative."""
    seen: set[int] = set()
    for e in read.results:
        dims = e.used_dims()
        if len(dims) > 1 or dims & seen or (dims and e.linear_coefficients(read.dim_count) is None):
            return False
        seen |= dims
    return len(seen) == read.dim_count


def _permutes(producer: linalg.GenericOp) -> bool:
    """Whether an input of full rank is read in another order than the output is written."""
    return any(m.is_permutation and m != producer.output_maps[0] for m in producer.input_maps)


def _size(value: Value) -> int:
    """Elements, a dynamic dimension counted as a large one."""
    size = 1
    if isinstance(value.type, TensorType):
        for d in value.type.shape:
            size *= 1 << 20 if d is None else d
    return size


def _splat_scalar(value: Value) -> Value | object | None:
    """What every element of `value` equals: a scalar value, a number, or None when they differ."""
    elements = constant_elements(value)
    if elements is not None:
        return elements.splat_value if elements.is_splat else None
    op = value.defining_op
    if isinstance(op, linalg.FillOp | tensor.SplatOp):
        return op.value
    return None


def _inline_scalar(
    consumer: linalg.GenericOp, index: int, scalar: Value | object, shapes: Shapes
) -> linalg.GenericOp | None:
    """Replace the input `index` by one scalar inside the body."""
    keep = [i for i in range(len(consumer.inputs)) if i != index]
    if not _bounds_known(consumer, [(consumer.inputs[i], consumer.input_maps[i]) for i in keep], shapes):
        return None
    block = consumer.body.block
    arg = block.args[index]
    if isinstance(scalar, Value):
        replacement = scalar
    else:
        assert block.first is not None
        constant = arith.ConstantOp(_number(scalar, arg.type), arg.type)
        replacement = Builder.before_op(block.first).insert(constant).result
    arg.replace_all_uses_with(replacement)
    block.erase_arg(index)
    return _rebuild(consumer, [(consumer.inputs[i], consumer.input_maps[i]) for i in keep], shapes)


def _number(scalar: Any, type: Type) -> bool | int | float | complex:
    """The NumPy scalar of a splat as a Python number of the right kind."""
    if not isinstance(type, DType):
        raise TypeError(f"{type} is not a scalar type")
    if type.is_bool:
        return bool(scalar)
    if type.is_complex:
        return complex(scalar)
    return float(scalar) if type.is_float else int(scalar)


def _merge_producer(
    consumer: linalg.GenericOp, index: int, producer: linalg.GenericOp, value: OpResult, shapes: Shapes
) -> linalg.GenericOp | None:
    read = consumer.input_maps[index]
    # The producer's loops in terms of the consumer's: loop -> index of the result -> consumer's map.
    loops = producer.output_maps[value.index].inverse_permutation().compose(read)
    added = [(v, m.compose(loops)) for v, m in zip(producer.inputs, producer.input_maps, strict=True)]
    keep = [i for i in range(len(consumer.inputs)) if i != index]
    operands = [*((consumer.inputs[i], consumer.input_maps[i]) for i in keep), *added]
    if not _bounds_known(consumer, operands, shapes):
        return None
    block = consumer.body.block
    assert block.first is not None
    # Clone the producer's body in front of the consumer's.
    mapping: dict[Value, Value] = {}
    new_args: list[Value] = []
    for v in producer.inputs:
        element = v.type.dtype if isinstance(v.type, TensorType) else v.type
        new_args.append(block.add_arg(element))
    mapping.update(zip(producer.body.block.args, new_args, strict=False))
    b = Builder.before_op(block.first)
    for op in producer.body.block:
        if isinstance(op, linalg.YieldOp):
            result = op.values[value.index]
            block.args[index].replace_all_uses_with(mapping.get(result, result))
        elif isinstance(op, linalg.IndexOp):
            mapping[op.result] = emit_affine(b, loops.results[op.dim])
        else:
            b.insert(op.clone(mapping))
    # Arguments in the order inputs, added inputs, outputs.
    count, extra = len(consumer.inputs), len(new_args)
    args = block.args
    block.args = args[:count] + args[len(args) - extra :] + args[count : len(args) - extra]
    for i, a in enumerate(block.args):
        a.index = i
    block.erase_arg(index)
    return _rebuild(consumer, operands, shapes)


def _bounds_known(consumer: linalg.GenericOp, inputs: Sequence[tuple[Value, AffineMap]], shapes: Shapes) -> bool:
    """Whether every loop finds the bound that it has now when the inputs are `inputs` (see `loop_ranges`).

    A slice that starts at 0 reads a longer tensor through a bare dimension: that must not bound a reduction.
    """
    reduced = set(consumer.reduction_dims)
    if not reduced:
        return True  # the outputs give all bounds
    bounds: dict[int, tuple[Value, int]] = {}
    for value, m in inputs:
        for j, e in enumerate(m.results):
            if isinstance(e, AffineDim) and e.position in reduced:
                bounds.setdefault(e.position, (value, j))
    if len(bounds) != len(reduced):
        return False
    ranges = linalg.loop_ranges(consumer)
    for d, (value, j) in bounds.items():
        operand, axis = ranges[d]
        if not shapes.same(shapes.of(consumer.operands[operand])[axis], shapes.of(value)[j]):
            return False
    return True


def _rebuild(consumer: linalg.GenericOp, inputs: list[tuple[Value, AffineMap]], shapes: Shapes) -> linalg.GenericOp:
    """The consumer with other inputs (its body's arguments fit them already); equal inputs become one."""
    body = Region()
    body.take_blocks(consumer.body)
    block = body.block
    unique: dict[tuple[Value, AffineMap], int] = {}
    for i, key in reversed(list(enumerate(inputs))):
        if key in inputs[:i]:
            first = inputs.index(key)
            block.args[i].replace_all_uses_with(block.args[first])
            block.erase_arg(i)
    for key in inputs:
        unique.setdefault(key, len(unique))
    for i, (value, m) in reversed(list(enumerate(unique))):
        unused = not block.args[i].uses
        rest = [k for k in unique if k != (value, m)]
        if unused and _bounds_known(consumer, rest, shapes):
            block.erase_arg(i)
            del unique[(value, m)]
    merged = linalg.GenericOp(
        [v for v, _ in unique],
        consumer.outputs,
        (*(m for _, m in unique), *consumer.output_maps),
        consumer.iterator_types,
        body,
    )
    Builder.before_op(consumer).insert(merged)
    consumer.replace_with(merged.results)
    return merged


def emit_affine(b: Builder, expr: AffineExpr) -> Value:
    """The value of `expr` over the loop counters of the enclosing linalg.generic, as index arithmetic."""
    if isinstance(expr, AffineDim):
        return b.insert(linalg.IndexOp(expr.position)).result
    if isinstance(expr, AffineConst):
        return b.insert(arith.ConstantOp(expr.value, INDEX)).result
    if not isinstance(expr, AffineBinary):
        raise TypeError(f"{expr} has symbols")
    lhs, rhs = emit_affine(b, expr.lhs), emit_affine(b, expr.rhs)
    if expr.kind == "+":
        return b.insert(arith.AddIOp(lhs, rhs)).result
    if expr.kind == "*":
        return b.insert(arith.MulIOp(lhs, rhs)).result
    quotient = b.insert(arith.FloorDivSIOp(lhs, rhs)).result
    if expr.kind == "floordiv":
        return quotient
    return b.insert(arith.SubIOp(lhs, b.insert(arith.MulIOp(quotient, rhs)).result)).result
