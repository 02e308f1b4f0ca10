"""Fusion of elementwise generics into the generics that read them, and wide accumulators for narrow floats."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common import generics
from tesselle.codegen.common.combiners import match_combiners
from tesselle.codegen.common.sizes import tensor_sizes
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import arith, memref, tensor
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp
from tesselle.dialects.core.math import FmaOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp, IndexOp, YieldOp
from tesselle.ir.affine import AffineBinary, AffineConst, AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.support.dtypes import BF16, F16, F32, INDEX

MAX_BODY_OPS = 300
CHEAP_OPS = 6


def fuse_elementwise(kernel: KernelFunction) -> None:
    """Inline producers whose elements are read once, or cost less than writing and reading them again."""
    changed = True
    while changed:
        changed = False
        for op in kernel.function.entry:
            if isinstance(op, GenericOp) and is_inlinable(op) and _worthwhile(op):
                inline_into_users(op)
                changed = True
        eliminate_dead_code(kernel.function)


def is_inlinable(op: GenericOp) -> bool:
    """One result, no reduction, reads no output, and all users are inputs of generics."""
    if not op.is_elementwise or len(op.outputs) != 1 or not op.results:
        return False
    if op.body.block.args[-1].uses or not op.output_maps[0].is_permutation or not op.result.uses:
        return False
    return all(isinstance(u, GenericOp) and i < len(u.inputs) for u, i in op.result.uses)


def is_cheap(op: GenericOp) -> bool:
    """Whether computing an element again costs about as much as loading it."""
    ops = [o for o in op.body.block if not isinstance(o, arith.ConstantOp | YieldOp)]
    heavy = any(
        o.dialect == "math" or isinstance(o, arith.DivFOp | arith.RemFOp | tensor.ExtractOp | memref.LoadOp)
        for o in ops
    )
    return not heavy and len(ops) <= CHEAP_OPS


def _worthwhile(op: GenericOp) -> bool:
    users = op.result.users
    sizes = [len(list(u.regions[0].block)) for u in users]
    if max(sizes) + len(list(op.body.block)) > MAX_BODY_OPS:
        return False
    if not op.inputs and is_cheap(op):
        return True
    if len(users) > 1:
        return is_cheap(op) and len(op.inputs) <= 1
    (user,) = users
    assert isinstance(user, GenericOp)
    once = all(user.indexing_maps[i].is_permutation for _, i in op.result.uses) and op.result.has_one_use
    return once or is_cheap(op)


def inline_into_users(op: GenericOp) -> None:
    """Replace every read of the result by the computation of the element."""
    while op.result.uses:
        user, index = next(iter(op.result.uses))
        assert isinstance(user, GenericOp)
        _inline(op, user, index)


def _inline(producer: GenericOp, consumer: GenericOp, index: int) -> None:
    read = consumer.indexing_maps[index]
    positions = producer.output_maps[0].projected_dims()
    assert positions is not None
    table: dict[int, AffineExpr] = {p: read.results[j] for j, p in enumerate(positions)}
    loops = len(consumer.iterator_types)
    own = [i for i in range(len(consumer.inputs)) if i != index]
    inputs = [consumer.inputs[i] for i in own]
    maps = [consumer.indexing_maps[i] for i in own]
    # Inputs that are there already are not read twice.
    places: list[int] = []
    for v, m in zip(producer.inputs, producer.input_maps, strict=True):
        moved = generics.substitute_dims(m, table, loops)
        found = next((i for i, (w, n) in enumerate(zip(inputs, maps, strict=True)) if w is v and n == moved), None)
        if found is None:
            found = len(inputs)
            inputs.append(v)
            maps.append(moved)
        places.append(found)
    own_places = list(range(len(own)))
    if not generics.bounds_hold(consumer, inputs, [*maps, *consumer.output_maps]):
        # What the producer's result said about the loops' bounds, an unread tensor of its shape says now.
        inputs.insert(0, producer.outputs[0])
        maps.insert(0, read)
        places = [p + 1 for p in places]
        own_places = [p + 1 for p in own_places]
    types = [generics.element_type(v) for v in (*inputs, *consumer.outputs)]
    block = Block(types)
    b = Builder.at_end(block, consumer.location)
    values: dict[Value, Value] = {}
    for arg, place in zip(producer.body.block.args, places, strict=False):
        values[arg] = block.args[place]
    element = _clone_ops(b, producer, values, table)[0]
    values = {consumer.body.block.args[index]: element}
    values.update({consumer.body.block.args[i]: block.args[n] for n, i in zip(own_places, own, strict=True)})
    outs = consumer.body.block.args[len(consumer.inputs) :]
    values.update(zip(outs, block.args[len(inputs) :], strict=True))
    b.insert(YieldOp(_clone_ops(b, consumer, values, {})))
    maps.extend(consumer.output_maps)
    new = generics.make_generic(inputs, consumer.outputs, maps, consumer.iterator_types, Region([block]))
    Builder.before_op(consumer).insert(new)
    consumer.replace_with(new.results)


def _clone_ops(b: Builder, op: GenericOp, values: dict[Value, Value], table: dict[int, AffineExpr]) -> list[Value]:
    """Copy the body's operations to `b`, loop counters replaced by expressions of the new ones; the yielded values."""
    for inner in op.body.block:
        if inner is op.body.block.last:
            break
        if isinstance(inner, IndexOp) and inner.dim in table:
            values[inner.result] = _counter_expression(b, table[inner.dim])
        else:
            b.insert(inner.clone(values))
    return [values.get(v, v) for v in op.body.block.terminator.operands]


def _counter_expression(b: Builder, e: AffineExpr) -> Value:
    if isinstance(e, AffineDim):
        return b.insert(IndexOp(e.position)).result
    if isinstance(e, AffineConst):
        return b.insert(arith.ConstantOp(e.value, INDEX)).result
    assert isinstance(e, AffineBinary)
    classes = {"+": arith.AddIOp, "*": arith.MulIOp, "floordiv": arith.DivUIOp, "mod": arith.RemUIOp}
    return b.insert(classes[e.kind](_counter_expression(b, e.lhs), _counter_expression(b, e.rhs))).result


def inline_oversized(kernel: KernelFunction, is_oversized: Sequence[GenericOp]) -> None:
    """Compute again, wherever they are read, the elementwise results that no local memory can hold."""
    for op in reversed(is_oversized):  # what a reader became reads what it read
        if op.parent is not None and is_inlinable(op):
            inline_into_users(op)
    eliminate_dead_code(kernel.function)


# ---------------------------------------------------------------------------------------------- accumulators


def widen_accumulators(kernel: KernelFunction) -> None:
    """Sums and products of f16 and bf16 are accumulated in f32 and rounded once."""
    for op in kernel.function.entry:
        if isinstance(op, GenericOp) and len(op.outputs) == 1 and op.reduction_dims and op.results:
            dtype = tensor_type(op.outputs[0]).dtype
            combiners = match_combiners(op.body.block, 1)
            if dtype in (F16, BF16) and combiners and isinstance(combiners[0].op, arith.AddFOp | arith.MulFOp | FmaOp):
                _widen(kernel, op, combiners[0].op)


def _widen(kernel: KernelFunction, op: GenericOp, root: Op) -> None:
    b = Builder.before_op(op)
    narrow = tensor_type(op.outputs[0])
    sizes = tensor_sizes(kernel, b, op.outputs[0])
    identity = AffineMap.identity(narrow.rank)
    kinds = [generics.PARALLEL] * narrow.rank
    wide = generics.empty_like(b, narrow.with_dtype(F32), sizes)

    def extend(c: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [c.insert(arith.ExtFOp(args[0], F32)).result]

    start = generics.generic(b, [op.outputs[0]], [wide], [identity, identity], kinds, extend).result
    source = op.body.block
    block = Block([*(a.type for a in source.args[:-1]), F32])
    values: dict[Value, Value] = dict(zip(source.args, block.args, strict=True))
    c = Builder.at_end(block, op.location)
    for inner in source:
        if inner is source.last:
            break
        if inner is root:
            operands = [values.get(v, v) for v in inner.operands]
            operands = [v if v.type == F32 else c.insert(arith.ExtFOp(v, F32)).result for v in operands]
            values[inner.result] = c.insert(type(inner).build(operands, [F32], inner.attributes)).result
        else:
            c.insert(inner.clone(values))
    c.insert(YieldOp([values[source.terminator.operands[0]]]))
    total = b.insert(
        generics.make_generic(op.inputs, [start], op.indexing_maps, op.iterator_types, Region([block]))
    ).result

    def narrowed(c: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [c.insert(arith.TruncFOp(args[0], narrow.dtype)).result]

    out = generics.empty_like(b, narrow, sizes)
    op.replace_with(generics.generic(b, [total], [out], [identity, identity], kinds, narrowed).results)


def stored_values(kernel: KernelFunction) -> set[Value]:
    """The values that the dispatch writes."""
    return {op.source for op in kernel.function.entry if isinstance(op, MaterializeInDestinationOp)}
