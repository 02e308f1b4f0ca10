"""Building StableHLO in front of an operation that is expanded: one method for each step of an algorithm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, DotDimensionNumbers, GatherDimensionNumbers
from tesselle.dialects.stablehlo.contraction import DotGeneralOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.stablehlo.dynamic import (
    DynamicBroadcastInDimOp,
    DynamicIotaOp,
    DynamicReshapeOp,
    RealDynamicSliceOp,
)
from tesselle.dialects.stablehlo.indexing import DynamicGatherOp, DynamicSliceOp, DynamicUpdateSliceOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.rewrite import Pattern, Rewriter
from tesselle.ir.types import Dim, TensorType
from tesselle.support.dtypes import I32, DType, from_numpy

Array = np.ndarray[Any, Any]


def expand(op: Op, rule: Pattern) -> None:
    """Put what `rule` builds in place of `op`. The rules of an expansion build nothing that they apply to."""
    values = rule(op, Rewriter(op))
    assert isinstance(values, Value)
    op.replace_with(values)


class StablehloBuilder(Builder):
    """Builds operations on tensors of static shapes; where a signature says `Dim`, dimensions may be open."""

    @classmethod
    def of(cls, rw: Rewriter) -> StablehloBuilder:
        """Builds where the rewriter does."""
        return cls(rw.block, rw.before, rw.location)

    # ------------------------------------------------------------------------------------------ constants and shapes

    def constant(self, array: Array) -> Value:
        """The array as a constant."""
        t = TensorType(array.shape, from_numpy(array.dtype))
        return self.insert(s.ConstantOp(DenseElements(np.ascontiguousarray(array).reshape(array.shape), t))).result

    def full(self, value: complex, shape: Sequence[int], dtype: DType) -> Value:
        """A tensor whose elements are all `value`."""
        return self.insert(s.ConstantOp(DenseElements.splat(value, TensorType(tuple(shape), dtype)))).result

    def shape(self, value: Value) -> tuple[int, ...]:
        return tensor_type(value).static_shape

    def dims(self, value: Value) -> tuple[Dim, ...]:
        return tensor_type(value).shape

    def size(self, value: Value, axis: int) -> int:
        """The size of a dimension that is not open."""
        found = tensor_type(value).shape[axis]
        assert found is not None
        return found

    def sizes(self, value: Value) -> list[int | Value]:
        """The sizes of all dimensions; those of open ones are tensors<i32>."""
        found: list[int | Value] = []
        for d, size in enumerate(self.dims(value)):
            found.append(self.insert(s.GetDimensionSizeOp(value, d)).result if size is None else size)
        return found

    def vector(self, sizes: Sequence[int | Value]) -> Value:
        """Sizes as a tensor<Nxi32>."""
        parts = [self.index(n) if isinstance(n, int) else n for n in sizes]
        return self.concatenate([self.reshape(n, (1,)) for n in parts], 0)

    def reshape(self, value: Value, shape: Sequence[Dim]) -> Value:
        """The elements in another shape, of whose dimensions one at most is open: it takes what the others leave."""
        t = tensor_type(value)
        if t.shape == tuple(shape) and t.shape.count(None) < 2:
            return value
        if t.is_static and None not in shape:
            return self.insert(s.ReshapeOp(value, t.with_shape(shape))).result
        assert shape.count(None) == 1
        given = [n for n in t.shape if n is not None]
        wanted = [n for n in shape if n is not None]
        common = math.gcd(math.prod(given), math.prod(wanted)) or 1
        left = self.index(math.prod(given) // common)
        for size in self.sizes(value):
            left = left if isinstance(size, int) else self.multiply(left, size)
        left = self.op(e.DivideOp, left, self.index(max(1, math.prod(wanted) // common)))
        return self.reshape_to(value, [left if n is None else n for n in shape])

    def reshape_to(self, value: Value, sizes: Sequence[int | Value]) -> Value:
        """The elements in a shape whose open dimensions have the given sizes."""
        t = tensor_type(value).with_shape([n if isinstance(n, int) else None for n in sizes])
        return self.insert(DynamicReshapeOp(value, self.vector(sizes), t)).result

    def transpose(self, value: Value, permutation: Sequence[int]) -> Value:
        if list(permutation) == list(range(len(permutation))):
            return value
        return self.insert(s.TransposeOp(value, tuple(permutation))).result

    def swap_last(self, value: Value) -> Value:
        """The transposes of a batch of matrices."""
        rank = tensor_type(value).rank
        return self.transpose(value, (*range(rank - 2), rank - 1, rank - 2))

    def broadcast(self, value: Value, shape: Sequence[int], dims: Sequence[int]) -> Value:
        """result[i] = value[i[d] for d in dims]."""
        t = tensor_type(value).with_shape(shape)
        return self.insert(s.BroadcastInDimOp(value, tuple(dims), t)).result

    def broadcast_like(self, value: Value, like: Value, dims: Sequence[int]) -> Value:
        """The broadcast of `value` to the shape of `like`, which may have open dimensions."""
        shape = self.dims(like)
        if None not in shape:
            return self.broadcast(value, self.shape(like), dims)
        t = tensor_type(value).with_shape(shape)
        return self.insert(DynamicBroadcastInDimOp(value, self.vector(self.sizes(like)), tuple(dims), t)).result

    def broadcast_to(self, value: Value, sizes: Sequence[int | Value], dims: Sequence[int]) -> Value:
        """result[i] = value[i[d] for d in dims], in a shape of these sizes."""
        shape = [n for n in sizes if isinstance(n, int)]
        if len(shape) == len(sizes):
            return self.broadcast(value, shape, dims)
        t = tensor_type(value).with_shape([n if isinstance(n, int) else None for n in sizes])
        return self.insert(DynamicBroadcastInDimOp(value, self.vector(sizes), tuple(dims), t)).result

    def full_like(self, like: Value, value: complex) -> Value:
        """A tensor in the shape of `like` whose elements are all `value`."""
        return self.broadcast_like(self.full(value, (), tensor_type(like).dtype), like, ())

    def iota_like(self, like: Value, axis: int, dtype: DType) -> Value:
        """result[i] = i[axis], in the shape of `like`."""
        t = tensor_type(like).with_dtype(dtype)
        if t.is_static:
            return self.insert(s.IotaOp(axis, t)).result
        return self.insert(DynamicIotaOp(self.vector(self.sizes(like)), axis, TensorType(t.shape, dtype))).result

    def slice_at(self, value: Value, axis: int, index: Value) -> Value:
        """The slice at one place of an axis, without that axis."""
        t = tensor_type(value)
        rest = [n for d, n in enumerate(t.shape) if d != axis]
        zero = self.index(0)
        if None not in rest:
            starts = tuple(index if d == axis else zero for d in range(t.rank))
            sizes = tuple(1 if d == axis else n or 0 for d, n in enumerate(t.shape))
            return self.reshape(self.dynamic_slice(value, starts, sizes), rest)
        numbers = GatherDimensionNumbers(
            offset_dims=tuple(range(t.rank - 1)),
            collapsed_slice_dims=(axis,),
            operand_batching_dims=(),
            start_indices_batching_dims=(),
            start_index_map=(axis,),
            index_vector_dim=0,
        )
        sizes_ = self.vector([1 if d == axis else n for d, n in enumerate(self.sizes(value))])
        start = self.reshape(index, (1,))
        return self.insert(DynamicGatherOp(value, start, sizes_, numbers, t.with_shape(rest))).result

    def with_slice(self, value: Value, axis: int, index: Value, part: Value) -> Value:
        """The value with `part` in place of the slice at one place of an axis."""
        zero = self.index(0)
        starts = [index if d == axis else zero for d in range(tensor_type(value).rank)]
        sizes = self.sizes(part)
        shape: list[int | Value] = [*sizes[:axis], 1, *sizes[axis:]]
        known = [n for n in shape if isinstance(n, int)]
        update = self.reshape(part, known) if len(known) == len(shape) else self.reshape_to(part, shape)
        return self.dynamic_update(value, update, starts)

    def slice(self, value: Value, axis: int, start: int, limit: int, step: int = 1) -> Value:
        """value[start:limit:step] along one axis, which is not open."""
        shape = list(self.dims(value))
        if (start, limit, step) == (0, shape[axis], 1):
            return value
        starts, steps = [0] * len(shape), [1] * len(shape)
        starts[axis], steps[axis] = start, step
        if None not in shape:
            limits = list(self.shape(value))
            limits[axis] = limit
            return self.insert(s.SliceOp(value, tuple(starts), tuple(limits), tuple(steps))).result
        ends = self.sizes(value)
        ends[axis] = limit
        shape[axis] = max(0, -((start - limit) // step))
        vectors = [self.constant(np.array(v, np.int32)) for v in (starts, steps)]
        t = tensor_type(value).with_shape(shape)
        return self.insert(RealDynamicSliceOp(value, vectors[0], self.vector(ends), vectors[1], t)).result

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        return values[0] if len(values) == 1 else self.insert(s.ConcatenateOp(tuple(values), axis)).result

    def reverse(self, value: Value, *axes: int) -> Value:
        return self.insert(s.ReverseOp(value, axes)).result

    def pad(self, value: Value, axis: int, high: int) -> Value:
        """`high` zeros behind the elements along one axis."""
        if not high:
            return value
        t = tensor_type(value)
        after = tuple(high if d == axis else 0 for d in range(t.rank))
        none = (0,) * t.rank
        return self.insert(s.PadOp(value, self.full(0, (), t.dtype), none, after, none)).result

    def dynamic_slice(self, value: Value, starts: Sequence[Value], sizes: Sequence[int]) -> Value:
        return self.insert(DynamicSliceOp(value, tuple(starts), tuple(sizes))).result

    def dynamic_update(self, value: Value, update: Value, starts: Sequence[Value]) -> Value:
        return self.insert(DynamicUpdateSliceOp(value, update, tuple(starts))).result

    # ------------------------------------------------------------------------------------------ arithmetic

    def op(self, cls: type[Op], *operands: Value) -> Value:
        """An elementwise operation whose result has the type that it infers."""
        return self.insert(cls(*operands)).result

    def add(self, a: Value, b: Value) -> Value:
        return self.op(e.AddOp, a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        return self.op(e.SubtractOp, a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        return self.op(e.MultiplyOp, a, b)

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        return self.op(e.SelectOp, condition, yes, no)

    def compare(self, a: Value, direction: ComparisonDirection, b: Value) -> Value:
        return self.insert(e.CompareOp(a, b, direction)).result

    def convert(self, value: Value, dtype: DType) -> Value:
        t = tensor_type(value)
        return value if t.dtype is dtype else self.insert(e.ConvertOp(value, t.with_dtype(dtype))).result

    def conjugate(self, value: Value) -> Value:
        """The complex conjugate; real values as they are."""
        if not tensor_type(value).dtype.is_complex:
            return value
        return self.op(e.ComplexOp, self.op(e.RealOp, value), self.op(e.NegateOp, self.op(e.ImagOp, value)))

    def dot(self, a: Value, b: Value, contract: tuple[Sequence[int], Sequence[int]], batch: int = 0) -> Value:
        """dot_general over the dimensions `contract` of both; the first `batch` dimensions are a common batch.

        Result: batch, the rest of `a`, the rest of `b`.
        """
        x, y = self.dims(a), self.dims(b)
        mine, other = tuple(contract[0]), tuple(contract[1])
        shape = [
            *x[:batch],
            *(n for d, n in enumerate(x) if d >= batch and d not in mine),
            *(n for d, n in enumerate(y) if d >= batch and d not in other),
        ]
        axes = tuple(range(batch))
        numbers = DotDimensionNumbers(axes, axes, mine, other)
        return self.insert(DotGeneralOp(a, b, numbers, tensor_type(a).with_shape(shape))).result

    # ------------------------------------------------------------------------------------------ loops

    def index(self, value: int) -> Value:
        return self.full(value, (), I32)

    def loop(
        self,
        count: int | Value,
        init: Sequence[Value],
        body: Callable[[StablehloBuilder, Value, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """state = init; for i in range(count): state = body(builder, i, state). `i`, and `count`, is a tensor<i32>."""
        start = self.index(0)
        types = [start.type, *(v.type for v in init)]
        blocks = Block(types), Block(types)
        test = StablehloBuilder(blocks[0], None, self.location)
        limit = test.index(count) if isinstance(count, int) else count
        more = test.compare(blocks[0].args[0], ComparisonDirection.LT, limit)
        test.insert(ReturnOp((more,)))
        step = StablehloBuilder(blocks[1], None, self.location)
        i, *state = blocks[1].args
        after = body(step, i, list(state))
        step.insert(ReturnOp((step.add(i, step.index(1)), *after)))
        loop = self.insert(WhileOp((start, *init), Region([blocks[0]]), Region([blocks[1]])))
        return list(loop.results[1:])
