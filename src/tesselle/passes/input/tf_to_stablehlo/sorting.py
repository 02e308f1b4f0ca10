"""Operations whose results have as many elements as the data asks for, and the order of elements."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.structured import TopKOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.tf import indexing as tf
from tesselle.ir.core import Value
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.cumulative import moved, running, running_sum
from tesselle.passes.input.tf_to_stablehlo.indexing import scattered
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.passes.input.tf_to_stablehlo.slicing import take_along
from tesselle.support.dtypes import I1, I32


def chosen(b: TfBuilder, mask: Value) -> Value:
    """The places of a mask of rank 1 that hold, in order, as i32: as many as there are.

    Every place that holds is written to the number of those in front of it.
    """
    ones = b.convert(mask, I32)
    rank = b.tensor(running_sum(b, ones, 0)) - 1
    count = b.reduce(ones, e.AddOp, 0, [0])
    sizes = b.sizes(mask)
    outside = b.tensor(b.broadcast_to(count, sizes, ()))
    target = rank.where(b.tensor(mask), outside)
    places = b.with_axis(target.value, 1)
    return scattered(b, b.zeros([count], I32), places, b.iota(sizes, 0, I32), None)


@lowering(tf.WhereOp)
def where(op: tf.WhereOp, b: TfBuilder) -> Value:
    """The places in row-major order, taken apart into coordinates"""
    x = op.input
    dtype = op.result_type.dtype
    sizes = b.sizes(x)
    if not sizes:
        x, sizes = b.reshape(x, (1,)), []
    mask = x if b.dtype(x) is I1 else b.tensor(x).compare(ComparisonDirection.NE, 0).value
    places = chosen(b, b.flat(mask))
    count = b.size_at(places, 0)
    if not sizes:
        return b.zeros([count, 0], dtype)
    columns: list[Value] = []
    rest = b.tensor(places)
    for d in reversed(range(len(sizes))):
        if d == 0:
            column = rest
        else:
            # Without elements nothing is divided: a size of 0 counts as 1.
            size = b.tensor(b.broadcast_to(b.value_of(b.most(sizes[d], 1)), [count], ()))
            column, rest = rest % size, rest / size
        columns.insert(0, b.with_axis(column.value, 1))
    return b.convert(b.concatenate(columns, 1), dtype)


@lowering(tf.DynamicPartitionOp)
def dynamic_partition(op: tf.DynamicPartitionOp, b: TfBuilder) -> list[Value]:
    """Of every partition the rows at its places"""
    rank = b.rank(op.partitions)
    sizes = b.sizes(op.data)
    rows = b.product(sizes[:rank])
    data = b.reshape_to(op.data, [rows, *sizes[rank:]])
    numbers = b.tensor(b.reshape_to(op.partitions, [rows]))
    return [b.take(data, chosen(b, numbers.equals(p).value), 0) for p in range(len(op.results))]


# ---------------------------------------------------------------------------------------------- unique


def _unique(b: TfBuilder, x: Value) -> tuple[Value, Value, Value]:
    """The different elements in the order of their first places, which of them each element is, and how many.

    Sorted with their places, equal elements stand together, and the first of a group has the lowest place.
    """
    sizes = b.sizes(x)
    index = b.tensor(b.iota(sizes, 0, I32))
    values, places = b.sort([x, index.value], 0, _less)
    before = moved(b, values, 0, b.least(1, sizes[0]), 0)
    starts = b.tensor(b.compare(values, ComparisonDirection.NE, before)) | index.equals(0)
    group = running(b, (index.where(starts, 0)).value, 0, lambda p, q: p.apply(e.MaximumOp, q), 0)
    first = b.take(places, group, 0)
    column = b.with_axis(places, 1)
    leader = scattered(b, index.value, column, first, None)
    leads = b.compare(leader, ComparisonDirection.EQ, index.value)
    rank = b.tensor(running_sum(b, b.convert(leads, I32), 0)) - 1
    kept = chosen(b, leads)
    return b.take(x, kept, 0), b.take(rank.value, leader, 0), kept


def _less(b: StablehloBuilder, args: Sequence[Value]) -> Value:
    """a < b, by IEEE-754's total order for floats."""
    order = ComparisonType.TOTALORDER if tensor_type(args[0]).dtype.is_float else None
    return b.insert(e.CompareOp(args[0], args[1], ComparisonDirection.LT, order)).result


@lowering(tf.UniqueOp, tf.UniqueV2Op, tf.UniqueWithCountsOp)
def unique(op: tf.UniqueOp | tf.UniqueV2Op | tf.UniqueWithCountsOp, b: TfBuilder) -> list[Value]:
    if isinstance(op, tf.UniqueV2Op) and b.rank(op.x) != 1:
        b.unsupported("axis", f"only elements of vectors are compared, not slices of {op.x.type}")
    y, index, kept = _unique(b, op.x)
    found = [y, b.convert(index, tensor_type(op.results[1]).dtype)]
    if isinstance(op, tf.UniqueWithCountsOp):
        dtype = tensor_type(op.results[2]).dtype
        zeros = b.zeros(b.sizes(kept), dtype)
        found.append(scattered(b, zeros, b.with_axis(index, 1), b.full_of(1, b.sizes(op.x), dtype), e.AddOp))
    return found


# ---------------------------------------------------------------------------------------------- the greatest


@lowering(tf.TopKV2Op)
def top_k(op: tf.TopKV2Op, b: TfBuilder) -> list[Value]:
    """chlo.top_k, or the first k behind a sort where k is known when the program runs only"""
    x = op.input
    axis = b.rank(x) - 1
    dtype = tensor_type(op.results[1]).dtype
    k: Size = b.scalar(op.k)
    size = b.size_at(x, axis)
    if isinstance(k, int) and isinstance(size, int):
        if k > size:
            b.unsupported("k", f"k = {k} is more than the {size} elements of {x.type}")
        found = b.insert(TopKOp(x, k)).results
        return [found[0], b.convert(found[1], dtype)]
    index = b.iota(b.sizes(x), axis, I32)
    values, places = b.sort([x, index], axis, lambda inner, args: _less(inner, [args[1], args[0]]))
    return [b.part_of_axis(values, axis, 0, k), b.convert(b.part_of_axis(places, axis, 0, k), dtype)]


@lowering(tf.InTopKV2Op)
def in_top_k(op: tf.InTopKV2Op, b: TfBuilder) -> Value:
    """Fewer than k predictions are above that of the target, which is finite"""
    x = op.predictions
    sizes = b.sizes(x)
    own = take_along(b, x, b.with_axis(op.targets, 1), 0, 1)
    wide = b.broadcast_to(b.without_axis(own, 1), sizes, (0,))
    above = b.compare(x, ComparisonDirection.GT, wide)
    count = b.tensor(b.reduce(b.convert(above, I32), e.AddOp, 0, [1]))
    k = b.tensor(b.broadcast_to(b.value_of(b.scalar(op.k)), sizes[:1], ()))
    finite = b.op(e.IsFiniteOp, b.without_axis(own, 1))
    dtype = b.dtype(op.targets)
    targets = b.tensor(op.targets)
    limit = b.tensor(b.broadcast_to(b.value_of(sizes[1], dtype), sizes[:1], ()))
    return ((count < k) & b.tensor(finite) & (targets >= 0) & (targets < limit)).value
