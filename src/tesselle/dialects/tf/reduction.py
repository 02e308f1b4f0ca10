"""Reductions over dimensions, running sums, and softmax with its losses."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.broadcast import broadcast_shape
from tesselle.dialects.tf.base import (
    BOOL,
    FLOAT,
    INTEGER,
    INTEGER_OR_FLOAT,
    NUMBER,
    PLAIN,
    numbers,
    require_rank,
    require_rank_in,
    require_size_of,
    same_dtype,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import TensorType, Type


@op_base
class ReductionOp(Op):
    """The fold of the dimensions `reduction_indices`, which stay with size 1 where keep_dims is set.

    Errors: input, reduction_indices, result.
    """

    KINDS = NUMBER

    input: Value = operand_def()
    reduction_indices: Value = operand_def()
    result_type: TensorType = result_type_def()
    keep_dims: bool = attr_def(default=False)

    def check(self) -> None:
        t = numbers(self, self.input, "input", self.KINDS)
        axes = numbers(self, self.reduction_indices, "reduction_indices", INTEGER)
        require_rank_in(self, axes, 0, 1, "reduction_indices")
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        if self.keep_dims:
            require_rank(self, self.result_type, t.rank, "result")


@op("tf.Sum", PURE)
class SumOp(ReductionOp):
    """The sum."""


@op("tf.Mean", PURE)
class MeanOp(ReductionOp):
    """The mean."""


@op("tf.Prod", PURE)
class ProdOp(ReductionOp):
    """The product."""


@op("tf.Max", PURE)
class MaxOp(ReductionOp):
    """The greatest element."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Min", PURE)
class MinOp(ReductionOp):
    """The smallest element."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.All", PURE)
class AllOp(ReductionOp):
    """Whether all elements hold."""

    KINDS = BOOL


@op("tf.Any", PURE)
class AnyOp(ReductionOp):
    """Whether an element holds."""

    KINDS = BOOL


@op("tf.EuclideanNorm", PURE)
class EuclideanNormOp(ReductionOp):
    """The square root of the sum of squares."""


@op("tf.L2Loss", PURE)
class L2LossOp(Op):
    """Half of the sum of the squares of all elements. Errors: t (element type)."""

    t: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return (TensorType((), numbers(self, self.t, "t", FLOAT).dtype),)


@op_base
class ArgOp(Op):
    """The index along a dimension. Errors: input, dimension, result."""

    input: Value = operand_def()
    dimension: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input", PLAIN)
        require_rank_in(self, t, 1, None, "input")
        require_rank(self, numbers(self, self.dimension, "dimension", INTEGER), 0, "dimension")
        require_rank(self, numbers(self, self.results[0], "result", INTEGER), t.rank - 1, "result")


@op("tf.ArgMax", PURE)
class ArgMaxOp(ArgOp):
    """The index of the greatest element along a dimension, the first of several."""


@op("tf.ArgMin", PURE)
class ArgMinOp(ArgOp):
    """The index of the smallest element along a dimension, the first of several."""


@op_base
class CumulativeOp(Op):
    """result[i] = fold of x[0] … x[i], without x[i] where `exclusive` is set, from the end where `reverse` is.

    Errors: x, axis.
    """

    KINDS = NUMBER

    x: Value = operand_def()
    axis: Value = operand_def()
    exclusive: bool = attr_def(default=False)
    reverse: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.x, "x", self.KINDS)
        require_rank_in(self, t, 1, None, "x")
        require_rank(self, numbers(self, self.axis, "axis", INTEGER), 0, "axis")
        return (t,)


@op("tf.Cumsum", PURE)
class CumsumOp(CumulativeOp):
    """The running sum along a dimension."""


@op("tf.Cumprod", PURE)
class CumprodOp(CumulativeOp):
    """The running product along a dimension."""


@op("tf.CumulativeLogsumexp", PURE)
class CumulativeLogsumexpOp(CumulativeOp):
    """The logarithm of the running sum of exponentials along a dimension."""

    KINDS = FLOAT


# ---------------------------------------------------------------------------------------------- softmax


@op_base
class SoftmaxBase(Op):
    """A function of the last dimension of the logits. Errors: logits."""

    logits: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.logits, "logits", FLOAT)
        require_rank_in(self, t, 1, None, "logits")
        return (t,)


@op("tf.Softmax", PURE)
class SoftmaxOp(SoftmaxBase):
    """exp(x) / sum(exp(x)) along the last dimension."""


@op("tf.LogSoftmax", PURE)
class LogSoftmaxOp(SoftmaxBase):
    """x - log(sum(exp(x))) along the last dimension."""


@op("tf.SoftmaxCrossEntropyWithLogits", PURE)
class SoftmaxCrossEntropyWithLogitsOp(Op):
    """loss = -sum(labels * log_softmax(features)), backprop = softmax(features) - labels, along the last dimension.

    Errors: features, labels (types), C2 (shapes).
    """

    features: Value = operand_def()
    labels: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        x, y = numbers(self, self.features, "features", FLOAT), numbers(self, self.labels, "labels", FLOAT)
        same_dtype(self, (x, y), "labels", "features and labels")
        shape = broadcast_shape(self, x.shape, y.shape)
        self.require(len(shape) == 2, "features", f"expected tensors of rank 2, found {x} and {y}")
        return (TensorType(shape[:1], x.dtype), TensorType(shape, x.dtype))


@op("tf.SparseSoftmaxCrossEntropyWithLogits", PURE)
class SparseSoftmaxCrossEntropyWithLogitsOp(Op):
    """As SoftmaxCrossEntropyWithLogits, with the number of one class for every row. Errors: features, labels."""

    features: Value = operand_def()
    labels: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        x = numbers(self, self.features, "features", FLOAT)
        require_rank(self, x, 2, "features")
        y = numbers(self, self.labels, "labels", INTEGER)
        require_rank(self, y, 1, "labels")
        require_size_of(self, y.shape[0], x.shape[0], "labels", "the labels")
        return (TensorType(x.shape[:1], x.dtype), x)
