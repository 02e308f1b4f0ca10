"""Reductions over dimensions, and softmax with its losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.reduction import ReduceOp
from tesselle.dialects.tf import reduction as tf
from tesselle.dialects.tf.shape import BroadcastGradientArgsOp, ReshapeOp
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import I32, DType


def lowest(dtype: DType) -> float:
    """What max starts from."""
    if dtype.is_float:
        return -np.inf
    return 0 if dtype.is_unsigned or dtype.is_bool else -(2 ** (dtype.bits - 1))


def highest(dtype: DType) -> float:
    """What min starts from."""
    if dtype.is_float:
        return np.inf
    return 2 ** (dtype.bits - (0 if dtype.is_unsigned else 1)) - 1


Fold = tuple[type[Op], Callable[[DType], complex]]
_FOLDS: dict[type[Op], Fold] = {
    tf.SumOp: (e.AddOp, lambda _: 0),
    tf.MeanOp: (e.AddOp, lambda _: 0),
    tf.ProdOp: (e.MultiplyOp, lambda _: 1),
    tf.MaxOp: (e.MaximumOp, lowest),
    tf.MinOp: (e.MinimumOp, highest),
    tf.AllOp: (e.AndOp, lambda _: 1),
    tf.AnyOp: (e.OrOp, lambda _: 0),
    tf.EuclideanNormOp: (e.AddOp, lambda _: 0),
}
_ON_SIZES: dict[type[Op], Callable[[TfBuilder, Size, Size], Size]] = {
    tf.SumOp: TfBuilder.plus,
    tf.ProdOp: TfBuilder.times,
    tf.MaxOp: TfBuilder.most,
    tf.MinOp: TfBuilder.least,
}


@lowering(*_FOLDS)
def reduction(op: tf.ReductionOp, b: TfBuilder) -> Value:
    source = op.reduction_indices.defining_op
    if isinstance(source, BroadcastGradientArgsOp) and isinstance(op, tf.SumOp):
        own, other = (source.s0, source.s1) if op.reduction_indices is source.results[0] else (source.s1, source.s0)
        return _sum_to(op, b, b.elements(own), b.size(other, 0))
    rank = b.rank(op.input)
    axes = b.axes(op.reduction_indices, rank, "reduction_indices")
    if rank == 1 and axes and type(op) in _ON_SIZES and not op.keep_dims:
        found = _of_sizes(op, b)
        if found is not None:
            return found
    return _kept(b, op, _folded(op, b, axes), axes)


def _folded(op: tf.ReductionOp, b: TfBuilder, axes: Sequence[int]) -> Value:
    cls, start = _FOLDS[type(op)]
    dtype = b.dtype(op.input)
    wide = dtype.compute if dtype.is_float else dtype
    x = b.convert(op.input, wide)
    if isinstance(op, tf.EuclideanNormOp):
        x = b.multiply(x, b.conjugate(x))
    folded = b.reduce(x, cls, start(wide), axes)
    if isinstance(op, tf.EuclideanNormOp):
        folded = b.op(e.SqrtOp, folded)
    if isinstance(op, tf.MeanOp):
        size = b.product([b.size_at(op.input, d) for d in axes])
        # Of no numbers, the mean is not a number; as an integer that is 0, the sum, where 0 / 0 would be -1.
        count = b.value_of(size if wide.is_float or wide.is_complex else b.most(size, 1), wide)
        folded = b.binary(e.DivideOp, folded, count)
    return b.convert(folded, dtype)


def _kept(b: TfBuilder, op: tf.ReductionOp, value: Value, axes: Sequence[int]) -> Value:
    """With dimensions of size 1 in place of those that were folded, where the operation keeps them."""
    if not op.keep_dims or not axes:
        return value
    return b.reshape_to(value, [1 if d in axes else n for d, n in enumerate(b.sizes(op.input))])


def _of_sizes(op: tf.ReductionOp, b: TfBuilder) -> Value | None:
    """The fold of a vector of sizes, which are computed one by one."""
    if not b.dtype(op.input).is_integer or b.known.elements(op.input) is None:
        return None
    sizes = b.elements(op.input)
    if not sizes:
        return None
    found = sizes[0]
    for n in sizes[1:]:
        found = _ON_SIZES[type(op)](b, found, n)
    return b.value_of(found, b.dtype(op.input))


def _sum_to(op: tf.SumOp, b: TfBuilder, target: list[Size], others: int) -> Value:
    """The sum over the dimensions along which an operand was repeated: the gradient of that operand.

    `target` is the operand's shape, or the part of it that broadcasts; the other operand's has `others` dimensions.
    A dimension whose size in `target` is known when the program runs only is summed when that is 1.
    """
    x = op.input
    rank = b.rank(x)
    # Without the dimensions that are summed the rank is not known: the operation behind must say the shape.
    reshaped = op.keep_dims or all(isinstance(user, ReshapeOp) for user in op.results[0].users)
    if len(target) > rank or others > rank or not reshaped:
        b.unsupported("reduction_indices", "the axes must be known when the program is compiled")
    repeated = max(len(target), others)
    wanted: list[Size] = [*[1] * (repeated - len(target)), *target]
    open_: list[int] = []
    summed: list[int] = []
    for d, n in enumerate(wanted):
        if n == 1:
            summed.append(d)
        elif not isinstance(n, int) and b.known.number(n) != b.known.of(x, d):
            open_.append(d)
    sizes = b.sizes(x)
    if summed:
        x = b.reshape_to(b.sum(x, summed), [1 if d in summed else n for d, n in enumerate(sizes)])
    for d in open_:
        n = wanted[d]
        assert isinstance(n, Value)
        whole = [n if k == d else m for k, m in enumerate(b.sizes(x))]
        kept = tuple(k for k in range(rank) if k != d)
        total = b.broadcast_to(b.sum(x, [d]), whole, kept)
        # The first n; a pad, for there is none where one is summed of none.
        first = b.padded(x, 0, [0] * rank, [b.minus(n, m) if k == d else 0 for k, m in enumerate(b.sizes(x))])
        x = b.select(b.compare(n, ComparisonDirection.EQ, b.index(1)), total, first)
    return x


@lowering(tf.L2LossOp)
def l2_loss(op: tf.L2LossOp, b: TfBuilder) -> Value:
    total = b.sum(b.multiply(op.t, op.t), range(b.rank(op.t)))
    return (b.tensor(total) * 0.5).value


@lowering(tf.ArgMaxOp, tf.ArgMinOp)
def arg(op: tf.ArgOp, b: TfBuilder) -> Value:
    """A reduction of values together with their indices; of equal values the lower index stays."""
    axis = b.axis(op.dimension, b.rank(op.input), "dimension")
    x = op.input
    if b.dtype(x).is_bool:
        x = b.convert(x, I32)
    dtype = b.dtype(x)
    greatest = isinstance(op, tf.ArgMaxOp)
    place = b.iota(b.sizes(x), axis, I32)
    block = Block([TensorType((), t) for t in (dtype, I32, dtype, I32)])
    inner = StablehloBuilder(block, None, b.location)
    v, i, w, j = (Tensor(inner, a) for a in block.args)
    ahead = (v > w) if greatest else (v < w)
    first = ahead | (v.equals(w) & (i < j)) | (v.compare(ComparisonDirection.NE, v))
    inner.insert(ReturnOp((v.where(first, w).value, i.where(first, j).value)))
    start = b.full(lowest(dtype) if greatest else highest(dtype), (), dtype)
    inits = (start, b.full(2**31 - 1, (), I32))
    found = b.insert(ReduceOp((x, place, *inits), (axis,), Region([block]))).results[1]
    return b.convert(found, op.result_type.dtype)


# ---------------------------------------------------------------------------------------------- softmax


def shifted_logits(b: TfBuilder, x: Value, axis: int) -> Value:
    """x - max(x), of which no exponential is above 1."""
    top = b.reduce(x, e.MaximumOp, lowest(b.dtype(x)), [axis])
    return b.subtract(x, b.spread(top, x, [axis]))


def softmax(b: TfBuilder, x: Value) -> Value:
    axis = b.rank(x) - 1
    powers = b.op(e.ExponentialOp, shifted_logits(b, x, axis))
    return b.op(e.DivideOp, powers, b.spread(b.sum(powers, [axis]), x, [axis]))


@lowering(tf.SoftmaxOp)
def softmax_(op: tf.SoftmaxOp, b: TfBuilder) -> Value:
    return softmax(b, op.logits)


@lowering(tf.LogSoftmaxOp)
def log_softmax(op: tf.LogSoftmaxOp, b: TfBuilder) -> Value:
    """shifted - log(sum(exp(shifted)))"""
    axis = b.rank(op.logits) - 1
    shifted = shifted_logits(b, op.logits, axis)
    total = b.op(e.LogOp, b.sum(b.op(e.ExponentialOp, shifted), [axis]))
    return b.subtract(shifted, b.spread(total, op.logits, [axis]))


def _loss_parts(b: TfBuilder, x: Value) -> tuple[Value, Value]:
    """The shifted logits' -log_softmax, and softmax."""
    shifted = shifted_logits(b, x, 1)
    powers = b.op(e.ExponentialOp, shifted)
    total = b.sum(powers, [1])
    logs = b.subtract(b.spread(b.op(e.LogOp, total), x, [1]), shifted)
    return logs, b.op(e.DivideOp, powers, b.spread(total, x, [1]))


@lowering(tf.SoftmaxCrossEntropyWithLogitsOp)
def softmax_cross_entropy(op: tf.SoftmaxCrossEntropyWithLogitsOp, b: TfBuilder) -> list[Value]:
    """A label of 0 counts nothing, also where the logarithm is infinite."""
    x, labels = b.common(op.features, op.labels)
    logs, probabilities = _loss_parts(b, x)
    y = b.tensor(labels)
    terms = y.number(0).where(y.equals(0), y * b.tensor(logs))
    return [b.sum(terms.value, [1]), b.subtract(probabilities, labels)]


@lowering(tf.SparseSoftmaxCrossEntropyWithLogitsOp)
def sparse_softmax_cross_entropy(op: tf.SparseSoftmaxCrossEntropyWithLogitsOp, b: TfBuilder) -> list[Value]:
    """The labels as one-hot rows; rows whose label is no class are nan."""
    x = op.features
    logs, probabilities = _loss_parts(b, x)
    sizes = b.sizes(x)
    dtype = b.dtype(op.labels)
    labels = b.broadcast_to(op.labels, sizes, (0,))
    hot = b.compare(labels, ComparisonDirection.EQ, b.iota(sizes, 1, dtype))
    zero = b.zeros(sizes, b.dtype(x))
    one = b.full_of(1, sizes, b.dtype(x))
    loss = b.sum(b.select(hot, logs, zero), [1])
    backprop = b.subtract(probabilities, b.select(hot, one, zero))
    known = b.reduce(hot, e.OrOp, 0, [1])
    nan = b.full(np.nan, (), b.dtype(x))
    row = b.broadcast_to(known, sizes, (0,))
    return [
        b.select(known, loss, b.broadcast_to(nan, sizes[:1], ())),
        b.select(row, backprop, b.broadcast_to(nan, sizes, ())),
    ]
