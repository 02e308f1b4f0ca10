"""Operations that read or write at positions given by tensors, sort, count and search."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    ANY,
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
    vector,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import TensorType, Type, shapes_compatible
from tesselle.support.dtypes import I1

# ---------------------------------------------------------------------------------------------- gather


@op("tf.Gather", PURE)
class GatherOp(Op):
    """params[indices], along the first dimension. Errors: params, indices, result."""

    params: Value = operand_def()
    indices: Value = operand_def()
    result_type: TensorType = result_type_def()
    validate_indices: bool = attr_def(default=True)

    def check(self) -> None:
        t, i = numbers(self, self.params, "params"), numbers(self, self.indices, "indices", INTEGER)
        require_rank_in(self, t, 1, None, "params")
        require_rank(self, self.result_type, t.rank + i.rank - 1, "result")
        same_dtype(self, (t, self.result_type), "result", "params and the result")


@op("tf.GatherV2", PURE)
class GatherV2Op(Op):
    """params[…, indices, …] along `axis`; the first batch_dims dimensions are common. Errors: params, indices, axis."""

    params: Value = operand_def()
    indices: Value = operand_def()
    axis: Value = operand_def()
    result_type: TensorType = result_type_def()
    batch_dims: int = attr_def(default=0)

    def check(self) -> None:
        t, i = numbers(self, self.params, "params"), numbers(self, self.indices, "indices", INTEGER)
        require_rank_in(self, t, 1, None, "params")
        a = numbers(self, self.axis, "axis", INTEGER)
        self.require(a.is_static and a.element_count == 1, "axis", f"expected one integer, found {a}")
        batch = self.batch_dims
        self.require(-i.rank <= batch <= i.rank, "indices", f"batch_dims {batch} lies outside of rank {i.rank}")
        batch += i.rank if batch < 0 else 0
        require_rank(self, self.result_type, t.rank + i.rank - 1 - batch, "result")
        same_dtype(self, (t, self.result_type), "result", "params and the result")


@op("tf.GatherNd", PURE)
class GatherNdOp(Op):
    """params[indices[…, :]]: the last dimension of `indices` holds positions. Errors: params, indices, result."""

    params: Value = operand_def()
    indices: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, i = numbers(self, self.params, "params"), numbers(self, self.indices, "indices", INTEGER)
        count = require_positions(self, i, t.rank)
        require_rank(self, self.result_type, i.rank - 1 + t.rank - count, "result")
        same_dtype(self, (t, self.result_type), "result", "params and the result")


def require_positions(op_: Op, indices: TensorType, rank: int) -> int:
    """How many coordinates a position has: the size of the last dimension of `indices`, which must be known."""
    require_rank_in(op_, indices, 1, None, "indices")
    count = indices.shape[-1]
    if count is None or count > rank:
        op_.fail("indices", f"{indices} does not hold positions in a tensor of rank {rank}")
    assert count is not None
    return count


# ---------------------------------------------------------------------------------------------- scatter


def _check_updates(op_: Op, indices: Value, updates: Value, result: TensorType) -> None:
    i, u = numbers(op_, indices, "indices", INTEGER), numbers(op_, updates, "updates")
    count = require_positions(op_, i, result.rank)
    wanted = (*i.shape[:-1], *result.shape[count:])
    fits = u.rank == 0 or shapes_compatible(u.shape, wanted)
    op_.require(fits, "updates", f"{u} does not fit positions {i} in {result}")
    same_dtype(op_, (u, result), "updates", "the updates and the result")


@op("tf.ScatterNd", PURE)
class ScatterNdOp(Op):
    """Zeros of `shape` with the updates added at the positions. Errors: indices, updates, shape."""

    indices: Value = operand_def()
    updates: Value = operand_def()
    shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.shape, "shape", self.result_type.rank)
        _check_updates(self, self.indices, self.updates, self.result_type)


@op_base
class TensorScatterOp(Op):
    """The tensor with the updates combined into it at the positions. Errors: tensor, indices, updates."""

    tensor: Value = operand_def()
    indices: Value = operand_def()
    updates: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.tensor, "tensor")
        _check_updates(self, self.indices, self.updates, t)
        return (t,)


@op("tf.TensorScatterUpdate", PURE)
class TensorScatterUpdateOp(TensorScatterOp):
    """tensor[indices] = updates."""


@op("tf.TensorScatterAdd", PURE)
class TensorScatterAddOp(TensorScatterOp):
    """tensor[indices] += updates."""


@op("tf.TensorScatterSub", PURE)
class TensorScatterSubOp(TensorScatterOp):
    """tensor[indices] -= updates."""


@op("tf.TensorScatterMax", PURE)
class TensorScatterMaxOp(TensorScatterOp):
    """tensor[indices] = max(tensor[indices], updates)."""


@op("tf.TensorScatterMin", PURE)
class TensorScatterMinOp(TensorScatterOp):
    """tensor[indices] = min(tensor[indices], updates)."""


@op_base
class UnsortedSegmentOp(Op):
    """result[i] = fold of data[j] for all j with segment_ids[j] = i. Errors: data, segment_ids, num_segments."""

    KINDS = NUMBER

    data: Value = operand_def()
    segment_ids: Value = operand_def()
    num_segments: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, i = numbers(self, self.data, "data", self.KINDS), numbers(self, self.segment_ids, "segment_ids", INTEGER)
        require_rank(self, numbers(self, self.num_segments, "num_segments", INTEGER), 0, "num_segments")
        fits = i.rank <= t.rank and shapes_compatible(i.shape, t.shape[: i.rank])
        self.require(fits, "segment_ids", f"{i} does not number the rows of {t}")
        require_rank(self, self.result_type, t.rank - i.rank + 1, "result")


@op("tf.UnsortedSegmentSum", PURE)
class UnsortedSegmentSumOp(UnsortedSegmentOp):
    """The sums of segments; empty ones are 0."""


@op("tf.UnsortedSegmentProd", PURE)
class UnsortedSegmentProdOp(UnsortedSegmentOp):
    """The products of segments; empty ones are 1."""


@op("tf.UnsortedSegmentMax", PURE)
class UnsortedSegmentMaxOp(UnsortedSegmentOp):
    """The greatest elements of segments; empty ones are the lowest finite number."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.UnsortedSegmentMin", PURE)
class UnsortedSegmentMinOp(UnsortedSegmentOp):
    """The smallest elements of segments; empty ones are the highest finite number."""

    KINDS = INTEGER_OR_FLOAT


@op_base
class SegmentOp(Op):
    """As unsorted segments, with sorted segment_ids, of which the last is the last segment's.

    Errors: data, segment_ids.
    """

    KINDS = NUMBER

    data: Value = operand_def()
    segment_ids: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.data, "data", self.KINDS)
        require_rank_in(self, t, 1, None, "data")
        vector(self, self.segment_ids, "segment_ids", t.shape[0])
        require_rank(self, self.result_type, t.rank, "result")


@op("tf.SegmentSum", PURE)
class SegmentSumOp(SegmentOp):
    """The sums of segments; empty ones are 0."""


@op("tf.SegmentMean", PURE)
class SegmentMeanOp(SegmentOp):
    """The means of segments; empty ones are 0."""


@op("tf.SegmentProd", PURE)
class SegmentProdOp(SegmentOp):
    """The products of segments; empty ones are 1."""


@op("tf.SegmentMax", PURE)
class SegmentMaxOp(SegmentOp):
    """The greatest elements of segments; empty ones are 0."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.SegmentMin", PURE)
class SegmentMinOp(SegmentOp):
    """The smallest elements of segments; empty ones are 0."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.DynamicStitch", PURE)
class DynamicStitchOp(Op):
    """result[indices[m][i]] = data[m][i]; the operands are all indices, and behind them all data. Errors: operands."""

    all_operands: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    @property
    def indices(self) -> tuple[Value, ...]:
        return self.operands[: len(self.operands) // 2]

    @property
    def data(self) -> tuple[Value, ...]:
        return self.operands[len(self.operands) // 2 :]

    def check(self) -> None:
        self.require(len(self.operands) > 0 and len(self.operands) % 2 == 0, "operands", "expected pairs of operands")
        for i, d in zip(self.indices, self.data, strict=True):
            x, y = numbers(self, i, "operands", INTEGER), numbers(self, d, "operands", ANY)
            fits = y.rank >= x.rank and shapes_compatible(x.shape, y.shape[: x.rank])
            self.require(fits, "operands", f"{x} does not number the rows of {y}")
            require_rank(self, self.result_type, y.rank - x.rank + 1, "operands")
            same_dtype(self, (y, self.result_type), "operands", "the data and the result")


@op("tf.DynamicPartition", PURE)
class DynamicPartitionOp(Op):
    """result[p] = the rows of data with partitions[i] = p, in order. Errors: data, partitions."""

    data: Value = operand_def()
    partitions: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        t, p = numbers(self, self.data, "data"), numbers(self, self.partitions, "partitions", INTEGER)
        fits = p.rank >= 1 and p.rank <= t.rank and shapes_compatible(p.shape, t.shape[: p.rank])
        self.require(fits, "partitions", f"{p} does not number the rows of {t}")
        self.require(len(self.results) > 0, "results", "expected a result")


@op("tf.InvertPermutation", PURE)
class InvertPermutationOp(Op):
    """result[x[i]] = i. Errors: x."""

    x: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return (vector(self, self.x, "x"),)


# ---------------------------------------------------------------------------------------------- counting


@op("tf.DenseBincount", PURE)
class DenseBincountOp(Op):
    """How often each of the numbers below `size` stands in the input, or in each of its rows; or the sum of weights.

    Errors: input, size, weights, result.
    """

    input: Value = operand_def()
    size: Value = operand_def()
    weights: Value = operand_def()
    result_type: TensorType = result_type_def()
    binary_output: bool = attr_def(default=False)

    def check(self) -> None:
        t = numbers(self, self.input, "input", INTEGER)
        require_rank_in(self, t, 1, 2, "input")
        require_rank(self, numbers(self, self.size, "size", INTEGER), 0, "size")
        w = numbers(self, self.weights, "weights", INTEGER_OR_FLOAT)
        fits = w.shape == (0,) or w.shape == (0, 0) or shapes_compatible(w.shape, t.shape)
        self.require(fits, "weights", f"weights {w} do not fit {t}")
        require_rank(self, self.result_type, t.rank, "result")
        same_dtype(self, (w, self.result_type), "result", "the weights and the result")


@op("tf.Bincount", PURE)
class BincountOp(Op):
    """How often each of the numbers below `size` stands in `arr`; or the sum of weights. Errors: arr, size, weights."""

    arr: Value = operand_def()
    size: Value = operand_def()
    weights: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.arr, "arr", INTEGER)
        require_rank(self, numbers(self, self.size, "size", INTEGER), 0, "size")
        w = numbers(self, self.weights, "weights", INTEGER_OR_FLOAT)
        fits = (w.is_static and not w.element_count) or shapes_compatible(w.shape, t.shape)
        self.require(fits, "weights", f"weights {w} do not fit {t}")
        require_rank(self, self.result_type, 1, "result")


@op("tf.Bucketize", PURE)
class BucketizeOp(Op):
    """How many of the sorted `boundaries` are not above each element. Errors: input, boundaries."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()
    boundaries: tuple[float, ...] = attr_def()

    def check(self) -> None:
        numbers(self, self.input, "input", INTEGER_OR_FLOAT)
        fits = list(self.boundaries) == sorted(self.boundaries)
        self.require(fits, "boundaries", "the boundaries must be sorted")


@op_base
class BoundOp(Op):
    """A place in every row of sorted numbers, for every value of the row. Errors: sorted_inputs, values."""

    sorted_inputs: Value = operand_def()
    values: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        s, v = numbers(self, self.sorted_inputs, "sorted_inputs"), numbers(self, self.values, "values")
        require_rank(self, s, 2, "sorted_inputs")
        require_rank(self, v, 2, "values")
        require_size_of(self, v.shape[0], s.shape[0], "values", "the rows of the values")
        same_dtype(self, (s, v), "values", "the numbers and the values")


@op("tf.LowerBound", PURE)
class LowerBoundOp(BoundOp):
    """How many of the sorted numbers are below each value."""


@op("tf.UpperBound", PURE)
class UpperBoundOp(BoundOp):
    """How many of the sorted numbers are not above each value."""


@op("tf.Where", PURE)
class WhereOp(Op):
    """The positions of the elements that are not zero, in row-major order. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input", PLAIN)
        require_rank(self, self.result_type, 2, "result")
        require_size_of(self, self.result_type.shape[1], t.rank, "result", "the coordinates of a position")


@op_base
class UniqueBase(Op):
    """The different elements in the order of their first places, and for each element which of them it is."""

    x: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check_vector(self, results: int) -> None:
        require_rank(self, numbers(self, self.x, "x", PLAIN), 1, "x")
        self.require(len(self.results) == results, "results", f"expected {results} results, found {len(self.results)}")
        for r in self.results:
            require_rank(self, numbers(self, r, "results", PLAIN), 1, "results")


@op("tf.Unique", PURE)
class UniqueOp(UniqueBase):
    """y, idx: the different elements of a vector, and which of them each element is. Errors: x, results."""

    def check(self) -> None:
        self.check_vector(2)


@op("tf.UniqueWithCounts", PURE)
class UniqueWithCountsOp(UniqueBase):
    """y, idx, count: as Unique, and how often each stands. Errors: x, results."""

    def check(self) -> None:
        self.check_vector(3)


@op("tf.UniqueV2", PURE)
class UniqueV2Op(Op):
    """As Unique, along an axis. Errors: x, axis, results."""

    x: Value = operand_def()
    axis: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        numbers(self, self.x, "x", PLAIN)
        vector(self, self.axis, "axis")
        self.require(len(self.results) == 2, "results", f"expected 2 results, found {len(self.results)}")


@op("tf.TopKV2", PURE)
class TopKV2Op(Op):
    """The k greatest elements of the last dimension, from the greatest on, and their indices. Errors: input, k."""

    input: Value = operand_def()
    k: Value = operand_def()
    values: TensorType = result_type_def()
    indices: TensorType = result_type_def()
    sorted: bool = attr_def(default=True)

    def check(self) -> None:
        t = numbers(self, self.input, "input", INTEGER_OR_FLOAT)
        require_rank_in(self, t, 1, None, "input")
        require_rank(self, numbers(self, self.k, "k", INTEGER), 0, "k")
        for r in self.results:
            require_rank(self, numbers(self, r, "results", NUMBER), t.rank, "results")


@op("tf.InTopKV2", PURE)
class InTopKV2Op(Op):
    """Whether fewer than k classes have a higher prediction than the target. Errors: predictions, targets, k."""

    predictions: Value = operand_def()
    targets: Value = operand_def()
    k: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.predictions, "predictions", FLOAT)
        require_rank(self, t, 2, "predictions")
        vector(self, self.targets, "targets", t.shape[0])
        require_rank(self, numbers(self, self.k, "k", INTEGER), 0, "k")
        return (TensorType(t.shape[:1], I1),)
