"""What the lowerings of TensorFlow's operations build with: StableHLO on tensors of any shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np

from tesselle.dialects.chlo import attributes as chlo
from tesselle.dialects.chlo import broadcast as c
from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import dynamic, indexing, reduction
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, GatherDimensionNumbers
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value, constant_elements
from tesselle.ir.types import Dim, TensorType
from tesselle.passes.input.expand_chlo import ELEMENTWISE
from tesselle.passes.input.known_sizes import KnownSizes, as_size, available, build
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32, DType

Size = int | Value
"""A number that is known, or a tensor<i32>."""

_BROADCASTING: dict[type[Op], type[Op]] = {plain: cls for cls, plain in ELEMENTWISE.items()}


class TfBuilder(StablehloBuilder):
    """Builds in front of the operation that is lowered."""

    def __init__(self, op: Op, known: KnownSizes) -> None:
        assert op.parent is not None
        super().__init__(op.parent, op, op.location)
        self.op_: Op = op
        self.known = known

    def unsupported(self, rule: str, message: str) -> NoReturn:
        """Say what of the operation has no lowering."""
        raise Unsupported(message, self.op_.location, f"{self.op_.name}.{rule}")

    def tensor(self, value: Value) -> Tensor:
        """The value with Python's operators."""
        return Tensor(self, value)

    def dtype(self, value: Value) -> DType:
        return tensor_type(value).dtype

    def rank(self, value: Value) -> int:
        return tensor_type(value).rank

    # ------------------------------------------------------------------------------------------ constants and sizes

    def integers(self, value: Value, rule: str, what: str) -> list[int]:
        """The elements of a constant of integers; Unsupported where they are known when the program runs only."""
        found = self.known_integers(value)
        if found is None:
            self.unsupported(rule, f"{what} must be known when the program is compiled")
        return found

    def known_integers(self, value: Value) -> list[int] | None:
        """The elements of a constant of integers, also one that is put together; None where it is none."""
        constant = constant_elements(value)
        if constant is not None:
            return [int(n) for n in constant.array.reshape(-1)]
        t = tensor_type(value)
        if t.rank > 1 or not t.is_static:
            return None
        extents = self.known.elements(value) if t.rank else [self.known.number(value)]
        numbers = [x.constant for x in extents or [] if x.constant is not None]
        return numbers if extents is not None and len(numbers) == len(extents) else None

    def axis(self, value: Value, rank: int, rule: str) -> int:
        """A dimension that is given by a constant, counted from the end where it is negative."""
        (axis,) = self.integers(value, rule, "the axis")
        if not -rank <= axis < max(rank, 1):
            self.unsupported(rule, f"axis {axis} lies outside of rank {rank}")
        return axis % rank if rank else 0

    def axes(self, value: Value, rank: int, rule: str) -> tuple[int, ...]:
        """Dimensions that are given by a constant, in order."""
        found = self.integers(value, rule, "the axes")
        if any(not -rank <= d < rank for d in found):
            self.unsupported(rule, f"axes {found} lie outside of rank {rank}")
        return tuple(sorted({d % rank for d in found}))

    def size_at(self, value: Value, axis: int) -> Size:
        """The size of a dimension."""
        extent = self.known.of(value, axis)
        if isinstance(extent.key, int):
            return extent.key
        if extent.scalar is not None:
            return as_size(self, extent.scalar)
        near = not extent.far or available(extent, self.op_)
        if isinstance(extent.key, tuple) and extent.key[0] == "dim" and near:
            return build(self, extent)
        return self.insert(s.GetDimensionSizeOp(value, axis)).result

    def sizes(self, value: Value) -> list[Size]:
        return [self.size_at(value, d) for d in range(self.rank(value))]

    def scalar(self, value: Value) -> Size:
        """A tensor of one integer as a size."""
        extent = self.known.number(value)
        return extent.constant if extent.constant is not None else as_size(self, value)

    def elements(self, vector: Value) -> list[Size]:
        """The elements of a vector of integers of known length."""
        extents = self.known.elements(vector)
        count = self.size(vector, 0)
        found: list[Size] = []
        for i in range(count):
            extent = extents[i] if extents is not None else None
            if extent is not None and extent.constant is not None:
                found.append(extent.constant)
            elif extent is not None and extent.scalar is not None:
                found.append(as_size(self, extent.scalar))
            else:
                found.append(as_size(self, self.slice(vector, 0, i, i + 1)))
        return found

    def vector(self, sizes: Sequence[Size]) -> Value:
        """Sizes as a tensor<Nxi32>."""
        if all(isinstance(n, int) for n in sizes):
            return self.constant(np.array(sizes, np.int32))
        return super().vector(sizes)

    def value_of(self, size: Size, dtype: DType = I32) -> Value:
        """A size as a tensor of rank 0."""
        return self.full(size, (), dtype) if isinstance(size, int) else self.convert(size, dtype)

    # ------------------------------------------------------------------------------------------ arithmetic on sizes

    def _sizes_op(self, cls: type[Op], fold: Callable[[int, int], int], a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return fold(a, b)
        return self.op(cls, self.value_of(a), self.value_of(b))

    def plus(self, a: Size, b: Size) -> Size:
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self._sizes_op(e.AddOp, lambda x, y: x + y, a, b)

    def minus(self, a: Size, b: Size) -> Size:
        return a if b == 0 else self._sizes_op(e.SubtractOp, lambda x, y: x - y, a, b)

    def times(self, a: Size, b: Size) -> Size:
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self._sizes_op(e.MultiplyOp, lambda x, y: x * y, a, b)

    def over(self, a: Size, b: int) -> Size:
        """a / b, of sizes, cut to an integer."""
        return a if b == 1 else self._sizes_op(e.DivideOp, lambda x, y: x // y, a, b)

    def divided(self, a: Size, b: Size) -> Size:
        """a / b, of sizes, cut to an integer; 0 where b is 0."""
        if isinstance(b, int):
            return self.over(a, b) if b else 0
        return self._sizes_op(e.DivideOp, lambda x, y: x // y, a, self.most(b, 1))

    def over_up(self, a: Size, b: int) -> Size:
        """The least integer that is not below a / b."""
        return self.over(self.plus(a, b - 1), b)

    def least(self, a: Size, b: Size) -> Size:
        return self._sizes_op(e.MinimumOp, min, a, b)

    def most(self, a: Size, b: Size) -> Size:
        return self._sizes_op(e.MaximumOp, max, a, b)

    def product(self, sizes: Sequence[Size]) -> Size:
        known, found = 1, None
        for n in sizes:
            if isinstance(n, int):
                known *= n
            else:
                found = n if found is None else self.multiply(found, n)
        return known if found is None else self.times(found, known)

    def choose(self, condition: Value, yes: Size, no: Size) -> Size:
        return yes if yes == no else self.select(condition, self.value_of(yes), self.value_of(no))

    def is_negative(self, size: Value) -> Value:
        return self.compare(size, ComparisonDirection.LT, self.index(0))

    # ------------------------------------------------------------------------------------------ shapes

    def type_of(self, sizes: Sequence[Size], dtype: DType) -> TensorType:
        return TensorType(tuple(n if isinstance(n, int) else None for n in sizes), dtype)

    def cast(self, value: Value, t: TensorType) -> Value:
        """The value under a type that says more or less of its dimensions."""
        return value if value.type == t else self.insert(CastOp(value, t)).result

    def full_of(self, value: Value | complex, sizes: Sequence[Size], dtype: DType) -> Value:
        """A tensor whose elements are all `value`."""
        if not isinstance(value, Value):
            if all(isinstance(n, int) for n in sizes):
                t = self.type_of(sizes, dtype)
                return self.insert(s.ConstantOp(DenseElements.splat(value, t))).result
            value = self.full(value, (), dtype)
        return self.broadcast_to(value, sizes, ())

    def zeros(self, sizes: Sequence[Size], dtype: DType) -> Value:
        return self.full_of(0, sizes, dtype)

    def iota(self, sizes: Sequence[Size], axis: int, dtype: DType = I32) -> Value:
        """result[i] = i[axis]."""
        t = self.type_of(sizes, dtype)
        if t.is_static:
            return self.insert(s.IotaOp(axis, t)).result
        return self.insert(dynamic.DynamicIotaOp(self.vector(sizes), axis, t)).result

    def reshape_to(self, value: Value, sizes: Sequence[Size]) -> Value:
        t = self.type_of(sizes, self.dtype(value))
        if t.shape == self.dims(value) and t.shape.count(None) < 2:
            return value
        if t.is_static and tensor_type(value).is_static:
            return self.insert(s.ReshapeOp(value, t)).result
        return self.insert(dynamic.DynamicReshapeOp(value, self.vector(sizes), t)).result

    def with_axis(self, value: Value, axis: int) -> Value:
        """The value with a dimension of size 1."""
        sizes = self.sizes(value)
        return self.reshape_to(value, [*sizes[:axis], 1, *sizes[axis:]])

    def without_axis(self, value: Value, axis: int) -> Value:
        """The value without a dimension of size 1."""
        sizes = self.sizes(value)
        return self.reshape_to(value, [*sizes[:axis], *sizes[axis + 1 :]])

    def flat(self, value: Value) -> Value:
        return self.reshape_to(value, [self.product(self.sizes(value))])

    def broadcast_to(self, value: Value, sizes: Sequence[Size], dims: Sequence[int] | None = None) -> Value:
        """The value repeated to a shape; its dimensions become `dims`, the last ones where that is absent."""
        t = tensor_type(value)
        out = self.type_of(sizes, t.dtype)
        places = tuple(range(out.rank - t.rank, out.rank)) if dims is None else tuple(dims)
        if t.is_static and out.is_static:
            return value if t == out else self.insert(s.BroadcastInDimOp(value, places, out)).result
        return self.insert(dynamic.DynamicBroadcastInDimOp(value, self.vector(sizes), places, out)).result

    def common_sizes(self, values: Sequence[Value]) -> list[Size]:
        """The shape to which all values broadcast by NumPy's rule."""
        rank = max(self.rank(v) for v in values)
        found: list[Size] = []
        for d in range(rank):
            places = [(v, d - rank + self.rank(v)) for v in values]
            extents = dict.fromkeys(self.known.of(v, a) for v, a in places if a >= 0)
            sizes = [x for x in extents if x.key != 1]
            known = next((x.constant for x in sizes if x.constant is not None), None)
            if known is not None or not sizes:
                found.append(1 if known is None else known)
                continue
            size: Value | None = None
            for x in sizes:
                n = self.value_of(next(self.size_at(v, a) for v, a in places if a >= 0 and self.known.of(v, a) == x))
                is_one = size is not None and self.compare(size, ComparisonDirection.EQ, self.index(1))
                size = n if size is None or is_one is False else self.select(is_one, n, size)
            assert size is not None
            found.append(size)
        return found

    def common(self, *values: Value) -> list[Value]:
        """The values repeated to one shape by NumPy's rule."""
        if all(self.known.same_shape(values[0], v) for v in values):
            return list(values)
        sizes = self.common_sizes(values)
        return [self.broadcast_to(v, sizes) for v in values]

    # ------------------------------------------------------------------------------------------ elementwise

    def same_type(self, x: Value, y: Value) -> bool:
        a, b = tensor_type(x), tensor_type(y)
        return a.rank == b.rank and ((a.shape == b.shape and a.is_static) or self.known.same_shape(x, y))

    def binary(self, cls: type[Op], x: Value, y: Value) -> Value:
        """An elementwise operation of StableHLO on operands that broadcast by NumPy's rule."""
        if tensor_type(x).is_static and tensor_type(y).is_static:
            x, y = self.common(x, y)
        return self.op(cls if self.same_type(x, y) else _BROADCASTING[cls], x, y)

    def relate(self, x: Value, direction: ComparisonDirection, y: Value) -> Value:
        """A comparison of operands that broadcast by NumPy's rule."""
        if self.same_type(x, y):
            return self.compare(x, direction, y)
        return self.insert(c.BroadcastCompareOp(x, y, chlo.ComparisonDirection(direction.value))).result

    def choose_between(self, condition: Value, yes: Value, no: Value) -> Value:
        """A selection among operands that broadcast by NumPy's rule."""
        if self.same_type(yes, no) and (not self.rank(condition) or self.same_type(condition, yes)):
            return self.select(condition, yes, no)
        return self.insert(c.BroadcastSelectOp(condition, yes, no)).result

    # ------------------------------------------------------------------------------------------ moving elements

    def part(
        self, value: Value, starts: Sequence[Size], limits: Sequence[Size], strides: Sequence[int] | None = None
    ) -> Value:
        """value[start:limit:stride] in every dimension, with 0 <= start <= limit <= size."""
        steps = list(strides or [1] * len(starts))
        shape: list[Dim] = []
        whole = True
        for d, (start, limit, step) in enumerate(zip(starts, limits, steps, strict=True)):
            size = self.dims(value)[d]
            is_whole = start == 0 and step == 1 and self._is_size(limit, value, d)
            whole = whole and is_whole
            if isinstance(start, int) and isinstance(limit, int):
                shape.append(max(0, -((start - limit) // step)))
            else:
                shape.append(size if is_whole else None)
        if whole:
            return value
        if tensor_type(value).is_static and all(isinstance(n, int) for n in (*starts, *limits)):
            numbers = [tuple(n for n in v if isinstance(n, int)) for v in (starts, limits)]
            return self.insert(s.SliceOp(value, numbers[0], numbers[1], tuple(steps))).result
        t = tensor_type(value).with_shape(shape)
        bounds = self.vector(starts), self.vector(limits), self.constant(np.array(steps, np.int32))
        return self.insert(dynamic.RealDynamicSliceOp(value, *bounds, t)).result

    def _is_size(self, limit: Size, value: Value, axis: int) -> bool:
        if isinstance(limit, int):
            return limit == self.dims(value)[axis]
        return self.known.number(limit) == self.known.of(value, axis)

    def part_of_axis(self, value: Value, axis: int, start: Size, limit: Size, stride: int = 1) -> Value:
        """value[start:limit:stride] along one dimension."""
        sizes = self.sizes(value)
        starts: list[Size] = [0] * len(sizes)
        starts[axis], sizes[axis] = start, limit
        return self.part(value, starts, sizes, [stride if d == axis else 1 for d in range(len(sizes))])

    def padded(
        self,
        value: Value,
        fill: Value | complex,
        low: Sequence[Size],
        high: Sequence[Size],
        interior: Sequence[int] | None = None,
    ) -> Value:
        """The value with `fill` around it and between its elements; negative edges cut."""
        t = tensor_type(value)
        inner = list(interior or [0] * t.rank)
        if all(n == 0 for n in (*low, *high, *inner)):
            return value
        if not isinstance(fill, Value):
            fill = self.full(fill, (), t.dtype)
        edges = [tuple(n for n in v if isinstance(n, int)) for v in (low, high)]
        if len(edges[0]) == len(edges[1]) == t.rank:
            return self.insert(s.PadOp(value, fill, edges[0], edges[1], tuple(inner))).result
        shape: list[Dim] = []
        for n, a, b, i in zip(t.shape, low, high, inner, strict=True):
            if n is not None and isinstance(a, int) and isinstance(b, int):
                shape.append(a + b + n + max(n - 1, 0) * i)
            else:
                shape.append(None)
        amounts = self.vector(low), self.vector(high), self.constant(np.array(inner, np.int32))
        return self.insert(dynamic.DynamicPadOp(value, fill, *amounts, t.with_shape(shape))).result

    def take(self, value: Value, indices: Value, axis: int) -> Value:
        """result[…, i, …] = value[…, indices[i], …] along one dimension; `indices` is a vector."""
        rank = self.rank(value)
        numbers = GatherDimensionNumbers(
            offset_dims=tuple(d for d in range(rank) if d != axis),
            collapsed_slice_dims=(axis,),
            start_index_map=(axis,),
            index_vector_dim=1,
        )
        return self.gather(value, indices, numbers, [1 if d == axis else n for d, n in enumerate(self.sizes(value))])

    def gather(self, value: Value, indices: Value, numbers: GatherDimensionNumbers, sizes: Sequence[Size]) -> Value:
        """gather, or dynamic_gather where slices have sizes that are known when the program runs only.

        Of a tensor without elements nothing can be taken; StableHLO has no such slices, hence a tensor with some.
        """
        missing = [int(n == 1 and self.size_at(value, d) == 0) for d, n in enumerate(sizes)]
        if any(missing):
            value = self.padded(value, 0, [0] * len(missing), missing)
        known = tuple(n for n in sizes if isinstance(n, int))
        if len(known) == len(sizes):
            return self.insert(indexing.GatherOp(value, indices, numbers, known)).result
        shape = indexing.gather_shape(
            self.op_,
            numbers,
            tensor_type(value),
            tensor_type(indices),
            [n if isinstance(n, int) else None for n in sizes],
        )
        t = tensor_type(value).with_shape(shape)
        return self.insert(indexing.DynamicGatherOp(value, indices, self.vector(sizes), numbers, t)).result

    # ------------------------------------------------------------------------------------------ regions

    def combiner(self, cls: type[Op], dtype: DType) -> Region:
        """(a, b) -> cls(a, b)."""
        scalar = TensorType((), dtype)
        block = Block((scalar, scalar))
        inner = Builder(block, None, self.location)
        inner.insert(ReturnOp((inner.insert(cls(*block.args)).result,)))
        return Region([block])

    def reduce(self, value: Value, cls: type[Op], start: complex, axes: Sequence[int]) -> Value:
        """The fold of whole dimensions with an operation."""
        if not axes:
            return value
        dtype = self.dtype(value)
        init = self.full(start, (), dtype)
        return self.insert(reduction.ReduceOp((value, init), tuple(axes), self.combiner(cls, dtype))).result

    def sum(self, value: Value, axes: Sequence[int]) -> Value:
        """The sum over dimensions, of narrow floats in f32."""
        dtype = self.dtype(value)
        wide = dtype.compute if dtype.is_float else dtype
        return self.convert(self.reduce(self.convert(value, wide), e.AddOp, 0, axes), dtype)

    def spread(self, value: Value, like: Value, axes: Sequence[int]) -> Value:
        """A reduction over `axes` of a tensor, repeated to the shape of `like`."""
        kept = tuple(d for d in range(self.rank(like)) if d not in axes)
        return self.broadcast_to(value, self.sizes(like), kept)

    def sort(
        self, values: Sequence[Value], axis: int, before: Callable[[StablehloBuilder, list[Value]], Value]
    ) -> list[Value]:
        """A stable sort of all values together; `before(b, (a0, b0, a1, b1, …))` says whether a stands before b."""
        scalars = [TensorType((), self.dtype(v)) for v in values for _ in range(2)]
        block = Block(scalars)
        inner = StablehloBuilder(block, None, self.location)
        inner.insert(ReturnOp((before(inner, list(block.args)),)))
        return list(self.insert(reduction.SortOp(tuple(values), Region([block]), axis, True)).results)
