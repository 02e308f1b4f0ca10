"""Operations that read or write at positions given by tensors: gather, scatter, segments."""

from __future__ import annotations

import math
from typing import Any, cast

import ml_dtypes
import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import (
    ComparisonDirection,
    GatherDimensionNumbers,
    ScatterDimensionNumbers,
)
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.indexing import ScatterOp
from tesselle.dialects.tf import indexing as tf
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.reduction import highest, lowest
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.passes.input.tf_to_stablehlo.shape import shaped, vector_of
from tesselle.support.dtypes import I32, DType

# ---------------------------------------------------------------------------------------------- gather


@lowering(tf.GatherOp)
def gather(op: tf.GatherOp, b: TfBuilder) -> Value:
    return gathered(b, op.params, op.indices, 0, 0)


@lowering(tf.GatherV2Op)
def gather_v2(op: tf.GatherV2Op, b: TfBuilder) -> Value:
    axis = b.axis(op.axis, b.rank(op.params), "axis")
    batch = op.batch_dims + (b.rank(op.indices) if op.batch_dims < 0 else 0)
    if batch > axis:
        b.unsupported("axis", f"axis {axis} lies among the {batch} common dimensions")
    known = _of_sizes(b, op.params, op.indices)
    return gathered(b, op.params, op.indices, axis, batch) if known is None else known


def _of_sizes(b: TfBuilder, params: Value, indices: Value) -> Value | None:
    """Elements of a vector of sizes, which are known one by one, at constant places."""
    if b.rank(params) != 1 or not b.dtype(params).is_integer or b.rank(indices) > 1:
        return None
    places = b.known_integers(indices)
    if places is None or b.known.elements(params) is None:
        return None
    sizes = b.elements(params)
    if any(not 0 <= i < len(sizes) for i in places):
        b.unsupported("indices", f"indices {places} lie outside of {len(sizes)} elements")
    found = vector_of(b, [sizes[i] for i in places], tensor_type(params))
    return b.reshape(found, ()) if b.rank(indices) == 0 else found


def gathered(b: TfBuilder, params: Value, indices: Value, axis: int, batch: int) -> Value:
    """result[batch, before, i, behind] = params[batch, before, indices[batch, i], behind]."""
    rank, wide = b.rank(params), b.rank(indices)
    behind = range(axis + wide - batch, rank + wide - batch - 1)
    numbers = GatherDimensionNumbers(
        offset_dims=(*range(batch, axis), *behind),
        collapsed_slice_dims=(axis,),
        operand_batching_dims=tuple(range(batch)),
        start_indices_batching_dims=tuple(range(batch)),
        start_index_map=(axis,),
        index_vector_dim=wide,
    )
    sizes = [1 if d == axis or d < batch else n for d, n in enumerate(b.sizes(params))]
    return b.gather(params, indices, numbers, sizes)


@lowering(tf.GatherNdOp)
def gather_nd(op: tf.GatherNdOp, b: TfBuilder) -> Value:
    return gathered_at(b, op.params, op.indices)


def gathered_at(b: TfBuilder, params: Value, indices: Value) -> Value:
    """result[…] = params[indices[…, 0], …, indices[…, k - 1]]."""
    rank, wide = b.rank(params), b.rank(indices)
    count = b.size(indices, wide - 1)
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(range(wide - 1, wide - 1 + rank - count)),
        collapsed_slice_dims=tuple(range(count)),
        start_index_map=tuple(range(count)),
        index_vector_dim=wide - 1,
    )
    return b.gather(params, indices, numbers, [1 if d < count else n for d, n in enumerate(b.sizes(params))])


# ---------------------------------------------------------------------------------------------- scatter


def scattered(b: TfBuilder, target: Value, indices: Value, updates: Value, cls: type[Op] | None) -> Value:
    """target[indices[…, :]] = cls(target[…], updates[…]), or the updates where cls is None; outside nothing."""
    rank, wide = b.rank(target), b.rank(indices)
    count = b.size(indices, wide - 1)
    if b.rank(updates) == 0:
        sizes = [*b.sizes(indices)[:-1], *b.sizes(target)[count:]]
        updates = b.broadcast_to(updates, sizes, ())
    numbers = ScatterDimensionNumbers(
        update_window_dims=tuple(range(wide - 1, wide - 1 + rank - count)),
        inserted_window_dims=tuple(range(count)),
        scatter_dims_to_operand_dims=tuple(range(count)),
        index_vector_dim=wide - 1,
    )
    body = b.combiner(cls, b.dtype(target)) if cls is not None else _second(b, b.dtype(target))
    return b.insert(ScatterOp((target, indices, updates), numbers, body)).result


def _second(b: TfBuilder, dtype: DType) -> Region:
    """(a, b) -> b."""
    scalar = TensorType((), dtype)
    block = Block((scalar, scalar))
    Builder(block, None, b.location).insert(ReturnOp((block.args[1],)))
    return Region([block])


@lowering(tf.ScatterNdOp)
def scatter_nd(op: tf.ScatterNdOp, b: TfBuilder) -> Value:
    t = op.result_type
    zeros = b.zeros(shaped(b, op.shape, t), t.dtype)
    return scattered(b, zeros, op.indices, op.updates, e.OrOp if t.dtype.is_bool else e.AddOp)


_TENSOR_SCATTERS: dict[type[Op], type[Op] | None] = {
    tf.TensorScatterUpdateOp: None,
    tf.TensorScatterAddOp: e.AddOp,
    tf.TensorScatterSubOp: e.SubtractOp,
    tf.TensorScatterMaxOp: e.MaximumOp,
    tf.TensorScatterMinOp: e.MinimumOp,
}


@lowering(*_TENSOR_SCATTERS)
def tensor_scatter(op: tf.TensorScatterOp, b: TfBuilder) -> Value:
    cls = _TENSOR_SCATTERS[type(op)]
    updates = op.updates
    if cls is e.SubtractOp:
        # Subtraction does not combine updates of one place in any order: what is added is their negative.
        cls, updates = e.AddOp, b.op(e.NegateOp, updates)
    return scattered(b, op.tensor, op.indices, updates, cls)


# ---------------------------------------------------------------------------------------------- segments


def limit_of(dtype: DType, sign: int) -> float:
    """The highest finite number, or the lowest where sign < 0."""
    if dtype.is_float:
        return float(cast(Any, ml_dtypes.finfo)(dtype.numpy).max) * sign
    return highest(dtype) if sign > 0 else lowest(dtype)


def segments(b: TfBuilder, data: Value, ids: Value, count: Size, cls: type[Op], start: complex, rank: int) -> Value:
    """result[i] = fold of data[j] for all j with ids[j] = i, from `start` on; `ids` number the first `rank` dims."""
    sizes = b.sizes(data)
    rows = b.product(sizes[:rank])
    flat = b.reshape_to(data, [rows, *sizes[rank:]])
    places = b.reshape_to(ids, [rows, 1])
    target = b.full_of(start, [count, *sizes[rank:]], b.dtype(data))
    return scattered(b, target, places, flat, cls)


_FOLDS: dict[type[Op], tuple[type[Op], int | None]] = {
    tf.UnsortedSegmentSumOp: (e.AddOp, 0),
    tf.UnsortedSegmentProdOp: (e.MultiplyOp, 1),
    tf.UnsortedSegmentMaxOp: (e.MaximumOp, None),
    tf.UnsortedSegmentMinOp: (e.MinimumOp, None),
    tf.SegmentSumOp: (e.AddOp, 0),
    tf.SegmentMeanOp: (e.AddOp, 0),
    tf.SegmentProdOp: (e.MultiplyOp, 1),
    tf.SegmentMaxOp: (e.MaximumOp, None),
    tf.SegmentMinOp: (e.MinimumOp, None),
}
"""The fold, and what empty segments are where it is the number that the fold starts from."""


def _start(op: Op, dtype: DType) -> tuple[type[Op], complex]:
    cls, start = _FOLDS[type(op)]
    return cls, limit_of(dtype, -1 if cls is e.MaximumOp else 1) if start is None else start


@lowering(*(cls for cls in _FOLDS if issubclass(cls, tf.UnsortedSegmentOp)))
def unsorted_segment(op: tf.UnsortedSegmentOp, b: TfBuilder) -> Value:
    cls, start = _start(op, b.dtype(op.data))
    known = op.result_type.shape[0]
    count = b.most(b.scalar(op.num_segments), 0) if known is None else known
    return segments(b, op.data, op.segment_ids, count, cls, start, b.rank(op.segment_ids))


@lowering(*(cls for cls in _FOLDS if issubclass(cls, tf.SegmentOp)))
def segment(op: tf.SegmentOp, b: TfBuilder) -> Value:
    """The last segment is the highest; where the fold has no neutral element, empty segments are 0."""
    dtype = b.dtype(op.data)
    cls, start = _start(op, dtype)
    known = op.result_type.shape[0]
    count: Size
    if known is None:
        last = b.reduce(b.convert(op.segment_ids, I32), e.MaximumOp, -1, [0])
        count = b.add(last, b.index(1))
    else:
        count = known
    found = segments(b, op.data, op.segment_ids, count, cls, start, 1)
    if _FOLDS[type(op)][1] is not None and not isinstance(op, tf.SegmentMeanOp):
        return found
    ones = b.full_of(1, b.sizes(op.segment_ids), dtype)
    members = segments(b, ones, op.segment_ids, count, e.AddOp, 0, 1)
    wide = b.tensor(b.broadcast_to(members, b.sizes(found), (0,)))
    if isinstance(op, tf.SegmentMeanOp):
        return (b.tensor(found) / wide.apply(e.MaximumOp, 1)).value
    return b.tensor(found).where(wide > 0, 0).value


@lowering(tf.DynamicStitchOp)
def dynamic_stitch(op: tf.DynamicStitchOp, b: TfBuilder) -> Value:
    """The operands one behind the other, so that of equal indices the last counts"""
    t = op.result_type
    known = [b.known_integers(i) for i in op.indices]
    lists = [b.known.elements(d) if t.dtype.is_integer and b.rank(d) == 1 else None for d in op.data]
    if t.rank == 1 and None not in known and None not in lists:
        places = [p for part in known if part is not None for p in part]
        sizes = [n for d in op.data for n in b.elements(d)]
        found: list[Size] = [0] * (max(places, default=-1) + 1)
        for p, n in zip(places, sizes, strict=True):
            found[p] = n
        return vector_of(b, found, t)
    rows: list[Value] = []
    numbers: list[Value] = []
    for i, d in zip(op.indices, op.data, strict=True):
        sizes = b.sizes(d)
        rank = b.rank(i)
        count = b.product(sizes[:rank])
        rows.append(b.reshape_to(d, [count, *sizes[rank:]]))
        numbers.append(b.reshape_to(i, [count]))
    places_, values = b.concatenate(numbers, 0), b.concatenate(rows, 0)
    size: Size
    if t.shape[0] is None:
        size = b.add(b.reduce(b.convert(places_, I32), e.MaximumOp, -1, [0]), b.index(1))
    else:
        size = t.shape[0]
    zeros = b.zeros([size, *b.sizes(values)[1:]], t.dtype)
    return scattered(b, zeros, b.with_axis(places_, 1), values, None)


@lowering(tf.InvertPermutationOp)
def invert_permutation(op: tf.InvertPermutationOp, b: TfBuilder) -> Value:
    sizes, dtype = b.sizes(op.x), b.dtype(op.x)
    return scattered(b, b.zeros(sizes, dtype), b.with_axis(op.x, 1), b.iota(sizes, 0, dtype), None)


# ---------------------------------------------------------------------------------------------- counting


@lowering(tf.DenseBincountOp)
def dense_bincount(op: tf.DenseBincountOp, b: TfBuilder) -> Value:
    t = op.result_type
    known = t.shape[-1]
    size: Size = b.scalar(op.size) if known is None else known
    weights = None if _is_empty(op.weights) else op.weights
    if op.binary_output:
        weights = None
    cls = e.MaximumOp if op.binary_output else e.AddOp
    if b.rank(op.input) == 1:
        return _counted(b, op.input, weights, size, t.dtype, cls)
    sizes = b.sizes(op.input)
    row = b.iota(sizes, 0, b.dtype(op.input))
    positions = b.concatenate([b.with_axis(row, 2), b.with_axis(op.input, 2)], 2)
    values = weights if weights is not None else b.full_of(1, sizes, t.dtype)
    return scattered(b, b.zeros([sizes[0], size], t.dtype), positions, values, cls)


@lowering(tf.BincountOp)
def bincount(op: tf.BincountOp, b: TfBuilder) -> Value:
    known = op.result_type.shape[0]
    size: Size = b.scalar(op.size) if known is None else known
    weights = None if _is_empty(op.weights) else b.flat(op.weights)
    return _counted(b, b.flat(op.arr), weights, size, op.result_type.dtype, e.AddOp)


def _is_empty(value: Value) -> bool:
    t = tensor_type(value)
    return t.is_static and math.prod(t.static_shape) == 0


def _counted(b: TfBuilder, numbers: Value, weights: Value | None, size: Size, dtype: DType, cls: type[Op]) -> Value:
    values = weights if weights is not None else b.full_of(1, b.sizes(numbers), dtype)
    return scattered(b, b.zeros([size], dtype), b.with_axis(numbers, 1), values, cls)


@lowering(tf.BucketizeOp)
def bucketize(op: tf.BucketizeOp, b: TfBuilder) -> Value:
    """sum over boundaries of boundary <= x"""
    dtype = b.dtype(op.input)
    sizes = b.sizes(op.input)
    count = len(op.boundaries)
    if not count:
        return b.zeros(sizes, I32)
    # As TensorFlow does, numbers and boundaries are compared as f32 where they are that or narrower.
    edges = b.constant(np.array(op.boundaries, np.float32))
    x = op.input if dtype.is_float and dtype.bits > 32 else b.convert(op.input, b.dtype(edges))
    edges = b.convert(edges, b.dtype(x))
    wide = [*sizes, count]
    left = b.broadcast_to(edges, wide, (len(sizes),))
    right = b.broadcast_to(x, wide, tuple(range(len(sizes))))
    below = b.compare(left, ComparisonDirection.LE, right)
    return b.reduce(b.convert(below, I32), e.AddOp, 0, [len(sizes)])


@lowering(tf.LowerBoundOp, tf.UpperBoundOp)
def bound(op: tf.BoundOp, b: TfBuilder) -> Value:
    """sum over the sorted numbers s of s < x, or s <= x"""
    rows, count = b.sizes(op.values)
    wide = [rows, count, b.size_at(op.sorted_inputs, 1)]
    s, v = b.broadcast_to(op.sorted_inputs, wide, (0, 2)), b.broadcast_to(op.values, wide, (0, 1))
    direction = ComparisonDirection.LT if isinstance(op, tf.LowerBoundOp) else ComparisonDirection.LE
    inside = b.convert(b.compare(s, direction, v), op.result_type.dtype)
    return b.reduce(inside, e.AddOp, 0, [2])
