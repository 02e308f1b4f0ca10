"""Operations that take parts of tensors, turn them round, or move blocks between dimensions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.tf import slicing as tf
from tesselle.ir.core import Value
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.passes.input.tf_to_stablehlo.shape import paddings_of
from tesselle.support.dtypes import I1, I32, I64


@lowering(tf.SliceOp)
def slice_(op: tf.SliceOp, b: TfBuilder) -> Value:
    """A size of -1 goes to the end; where all sizes are known, dynamic_slice."""
    begins, wanted, given = b.elements(op.begin), b.elements(op.size), b.sizes(op.input)
    sizes = [n if n != -1 or r is None else r for n, r in zip(wanted, op.result_type.shape, strict=True)]
    if all(isinstance(n, int) and n >= 0 for n in sizes):
        return slice_of_known_sizes(b, op.input, begins, [n for n in sizes if isinstance(n, int)])
    limits: list[Size] = []
    for begin, n, size in zip(begins, wanted, given, strict=True):
        if n == -1:
            limits.append(size)
        elif isinstance(n, int):
            limits.append(b.plus(begin, n))
        else:
            limits.append(b.choose(b.is_negative(n), size, b.plus(begin, n)))
    return b.part(op.input, begins, limits)


def slice_of_known_sizes(b: TfBuilder, value: Value, begins: Sequence[Size], sizes: Sequence[int]) -> Value:
    """value[begin : begin + size] in every dimension."""
    if all(isinstance(n, int) for n in begins):
        return b.part(value, begins, [b.plus(n, m) for n, m in zip(begins, sizes, strict=True)])
    return b.dynamic_slice(value, [b.value_of(n) for n in begins], sizes)


# ---------------------------------------------------------------------------------------------- strided slices


@dataclass
class Range:
    """What a strided slice takes along a dimension: `count` elements from `start` on, backwards where `step` < 0.

    `picks`: one index whose dimension is left out of the result.
    """

    start: Size
    count: Size
    step: int
    picks: bool


@dataclass
class StridedShape:
    """A strided slice: a range for every dimension, and the shape of the result."""

    ranges: list[Range]
    result: list[Size]


def strided_shape(
    b: TfBuilder, op: tf.StridedOp, sizes: Sequence[Size], begin: Value, end: Value, strides: Value
) -> StridedShape:
    """The ranges that begin, end, strides and the masks of `op` describe in a tensor of shape `sizes`."""
    steps = b.integers(strides, "strides", "the strides")
    if 0 in steps:
        b.unsupported("strides", "strides must not be 0")
    begins, ends = b.elements(begin), b.elements(end)
    count = len(steps)
    news = [i for i in range(count) if op.new_axis_mask >> i & 1 and not op.ellipsis_mask >> i & 1]
    ellipsis = next((i for i in range(count) if op.ellipsis_mask >> i & 1), None)
    named = count - len(news) - (ellipsis is not None)
    if named > len(sizes):
        b.unsupported("begin", f"{named} ranges are too many for a tensor of rank {len(sizes)}")
    ranges: list[Range] = []
    result: list[Size] = []

    def whole(how_many: int) -> None:
        for _ in range(how_many):
            n = sizes[len(ranges)]
            ranges.append(Range(0, n, 1, False))
            result.append(n)

    for i in range(count):
        if i == ellipsis:
            whole(len(sizes) - named)
        elif i in news:
            result.append(1)
        else:
            picks = bool(op.shrink_axis_mask >> i & 1)
            first = None if op.begin_mask >> i & 1 and not picks else begins[i]
            last = None if op.end_mask >> i & 1 else ends[i]
            found = _range(b, sizes[len(ranges)], first, last, steps[i], picks)
            ranges.append(found)
            if not picks:
                result.append(found.count)
    whole(len(sizes) - len(ranges))
    return StridedShape(ranges, result)


def _range(b: TfBuilder, n: Size, begin: Size | None, end: Size | None, step: int, picks: bool) -> Range:
    """begin:end:step of n elements, by Python's rules."""
    if picks:
        assert begin is not None
        return Range(_from_start(b, begin, n), 1, 1, True)
    low, high = (0, n) if step > 0 else (-1, b.minus(n, 1))
    start: Size = (low if step > 0 else high) if begin is None else _clamped(b, begin, n, low, high)
    stop: Size = (high if step > 0 else low) if end is None else _clamped(b, end, n, low, high)
    distance = b.minus(stop, start) if step > 0 else b.minus(start, stop)
    plain = start == 0 and step > 0
    count = b.over_up(distance if plain else b.most(distance, 0), abs(step))
    return Range(start, count, step, False)


def _from_start(b: TfBuilder, index: Size, n: Size) -> Size:
    """An index that counts from the end where it is negative, counted from the start."""
    if isinstance(index, int):
        return b.plus(n, index) if index < 0 else index
    return b.choose(b.is_negative(index), b.plus(index, n), index)


def _clamped(b: TfBuilder, index: Size, n: Size, low: Size, high: Size) -> Size:
    if isinstance(index, int) and isinstance(n, int):
        return min(max(index + n if index < 0 else index, low if isinstance(low, int) else 0), b_int(high))
    if not isinstance(index, int) and b.known.number(index) == b.known.number(b.value_of(n)):
        return b.least(n, high)
    if isinstance(index, int):
        if index == 0 and low == 0:
            return 0
        return b.most(b.plus(n, index), low) if index < 0 else b.least(index, high)
    return b.least(b.most(_from_start(b, index, n), low), high)


def b_int(size: Size) -> int:
    assert isinstance(size, int)
    return size


def taken(b: TfBuilder, value: Value, shape: StridedShape) -> Value:
    """The elements of the ranges, in the shape of the result."""
    backwards = [d for d, r in enumerate(shape.ranges) if r.step < 0]
    starts: list[Size] = []
    limits: list[Size] = []
    for d, r in enumerate(shape.ranges):
        start = b.minus(b.minus(b.size_at(value, d), 1), r.start) if r.step < 0 else r.start
        starts.append(start)
        span = b.plus(b.times(b.minus(r.count, 1), abs(r.step)), 1) if abs(r.step) > 1 else r.count
        if abs(r.step) > 1 and r.count != 0:
            span = b.least(span, b.minus(b.size_at(value, d), start)) if not isinstance(span, int) else span
        if r.count == 0:
            span = 0
        elif abs(r.step) > 1 and not isinstance(r.count, int):
            span = b.most(span, 0)
        limits.append(b.plus(start, span))
    if backwards:
        value = b.reverse(value, *backwards)
    counts = [r.count for r in shape.ranges]
    steps = [abs(r.step) for r in shape.ranges]
    known = [n for n in counts if isinstance(n, int)]
    if len(known) == len(counts) and set(steps) == {1} and not all(isinstance(n, int) for n in starts):
        part = b.dynamic_slice(value, [b.value_of(n) for n in starts], known)
    else:
        part = b.part(value, starts, limits, steps)
    return b.reshape_to(part, shape.result)


@lowering(tf.StridedSliceOp)
def strided_slice(op: tf.StridedSliceOp, b: TfBuilder) -> Value:
    shape = strided_shape(b, op, b.sizes(op.input), op.begin, op.end, op.strides)
    return taken(b, op.input, shape)


def placed(b: TfBuilder, value: Value, sizes: Sequence[Size], shape: StridedShape) -> tuple[Value, Value]:
    """A tensor of shape `sizes` with `value` where the ranges lie and 0 elsewhere, and whether they lie there."""
    wide = b.reshape_to(value, [r.count for r in shape.ranges])
    backwards = [d for d, r in enumerate(shape.ranges) if r.step < 0]
    if backwards:
        wide = b.reverse(wide, *backwards)
    low: list[Size] = []
    high: list[Size] = []
    for n, r in zip(sizes, shape.ranges, strict=True):
        step = abs(r.step)
        last = b.minus(r.count, 1)
        span = b.plus(b.times(last, step), 1) if step > 1 else r.count
        if step > 1:
            span = b.most(span, 0)
        first = r.start if r.step > 0 else b.minus(r.start, b.times(last, step))
        if r.step < 0 and r.count == 0:
            first = 0
        low.append(first)
        high.append(b.minus(n, b.plus(first, span)))
    inner = [abs(r.step) - 1 for r in shape.ranges]
    ones = b.full_of(True, b.sizes(wide), I1)
    return b.padded(wide, 0, low, high, inner), b.padded(ones, False, low, high, inner)


@lowering(tf.StridedSliceGradOp)
def strided_slice_grad(op: tf.StridedSliceGradOp, b: TfBuilder) -> Value:
    sizes = [n if s is None else s for n, s in zip(b.elements(op.shape), op.result_type.shape, strict=True)]
    shape = strided_shape(b, op, sizes, op.begin, op.end, op.strides)
    return placed(b, op.dy, sizes, shape)[0]


def with_strided_slice(
    op: tf.StridedOp, b: TfBuilder, old: Value, bounds: tuple[Value, Value, Value], value: Value
) -> Value:
    """`old` with `value`, which broadcasts, where a strided slice takes its elements."""
    sizes = b.sizes(old)
    shape = strided_shape(b, op, sizes, *bounds)
    wide = b.broadcast_to(value, shape.result)
    steps = {r.step for r in shape.ranges}
    if steps == {1}:
        update = b.reshape_to(wide, [r.count for r in shape.ranges])
        return b.dynamic_update(old, update, [b.value_of(r.start) for r in shape.ranges])
    new, here = placed(b, wide, sizes, shape)
    return b.select(here, new, old)


@lowering(tf.TensorStridedSliceUpdateOp)
def tensor_strided_slice_update(op: tf.TensorStridedSliceUpdateOp, b: TfBuilder) -> Value:
    return with_strided_slice(op, b, op.input, (op.begin, op.end, op.strides), op.value)


# ---------------------------------------------------------------------------------------------- turning


@lowering(tf.ReverseV2Op)
def reverse_v2(op: tf.ReverseV2Op, b: TfBuilder) -> Value:
    axes = b.axes(op.axis, b.rank(op.tensor), "axis")
    return b.reverse(op.tensor, *axes) if axes else op.tensor


@lowering(tf.ReverseSequenceOp)
def reverse_sequence(op: tf.ReverseSequenceOp, b: TfBuilder) -> Value:
    """result[b, i] = x[b, i < n ? n - 1 - i : i], where n = seq_lengths[b]: a gather along seq_dim"""
    rank = b.rank(op.input)
    batch, axis = op.batch_dim % rank, op.seq_dim % rank
    sizes = [b.size_at(op.input, batch), b.size_at(op.input, axis)]
    length = b.tensor(b.broadcast_to(b.convert(op.seq_lengths, I32), sizes, (0,)))
    index = b.tensor(b.iota(sizes, 1, I32))
    places = (length - 1 - index).where(index < length, index)
    return take_along(b, op.input, places.value, batch, axis)


def take_along(b: TfBuilder, value: Value, places: Value, batch: int, axis: int) -> Value:
    """result[…, b, …, i, …] = value[…, b, …, places[b, i], …], for the dimensions `batch` and `axis`."""
    from tesselle.dialects.stablehlo.attributes import GatherDimensionNumbers

    rank = b.rank(value)
    sizes = b.sizes(value)
    windows = [d for d in range(rank) if d not in (batch, axis)]
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(range(2, rank)),
        collapsed_slice_dims=(axis,),
        operand_batching_dims=(batch,),
        start_indices_batching_dims=(0,),
        start_index_map=(axis,),
        index_vector_dim=2,
    )
    picked = b.gather(value, places, numbers, [1 if d in (batch, axis) else n for d, n in enumerate(sizes)])
    order = [batch, axis, *windows]
    return b.transpose(picked, [order.index(d) for d in range(rank)])


@lowering(tf.RollOp)
def roll(op: tf.RollOp, b: TfBuilder) -> Value:
    """concatenate(x[n - s :], x[: n - s]) along every axis, where s = shift mod n"""
    rank = b.rank(op.input)
    axes = b.integers(op.axis, "axis", "the axes")
    shifts = b.elements(op.shift) if b.rank(op.shift) else [b.scalar(op.shift)]
    x = op.input
    for axis, shift in zip(axes, shifts, strict=True):
        d = axis % rank
        n = b.size_at(x, d)
        if isinstance(n, int) and isinstance(shift, int):
            cut: Size = n - shift % n if n else 0
        else:
            size = b.tensor(b.value_of(b.most(n, 1)))
            rest = b.tensor(b.value_of(shift)) % size
            positive = (rest + size).where(rest < 0, rest)
            cut = b.minus(n, b.least(positive.value, n))
        x = b.concatenate([b.part_of_axis(x, d, cut, n), b.part_of_axis(x, d, 0, cut)], d)
    return x


# ---------------------------------------------------------------------------------------------- blocks


@lowering(tf.SpaceToDepthOp)
def space_to_depth(op: tf.SpaceToDepthOp, b: TfBuilder) -> Value:
    """[n, h k, w k, c] -> [n, h, k, w, k, c] -> [n, h, w, k, k, c] -> [n, h, w, k k c]"""
    k = op.block_size
    first = _channels_last(op, b)
    n, h, w, c = b.sizes(first)
    wide = b.reshape_to(first, [n, b.over(h, k), k, b.over(w, k), k, c])
    moved = b.transpose(wide, (0, 1, 3, 2, 4, 5))
    out = b.reshape_to(moved, [n, b.over(h, k), b.over(w, k), b.times(c, k * k)])
    return _as_format(op, b, out)


@lowering(tf.DepthToSpaceOp)
def depth_to_space(op: tf.DepthToSpaceOp, b: TfBuilder) -> Value:
    """[n, h, w, k k c] -> [n, h, w, k, k, c] -> [n, h, k, w, k, c] -> [n, h k, w k, c]"""
    k = op.block_size
    first = _channels_last(op, b)
    n, h, w, c = b.sizes(first)
    wide = b.reshape_to(first, [n, h, w, k, k, b.over(c, k * k)])
    moved = b.transpose(wide, (0, 1, 3, 2, 4, 5))
    out = b.reshape_to(moved, [n, b.times(h, k), b.times(w, k), b.over(c, k * k)])
    return _as_format(op, b, out)


def _channels_last(op: tf.BlockOp, b: TfBuilder) -> Value:
    if op.data_format == "NHWC":
        return op.input
    if op.data_format != "NCHW":
        b.unsupported("data_format", f"the format {op.data_format} is not supported")
    return b.transpose(op.input, (0, 2, 3, 1))


def _as_format(op: tf.BlockOp, b: TfBuilder, value: Value) -> Value:
    return value if op.data_format == "NHWC" else b.transpose(value, (0, 3, 1, 2))


@lowering(tf.SpaceToBatchNDOp)
def space_to_batch(op: tf.SpaceToBatchNDOp, b: TfBuilder) -> Value:
    """pad; [n, h k, w l, …] -> [n, h, k, w, l, …] -> [k, l, n, h, w, …] -> [k l n, h, w, …]"""
    blocks = b.integers(op.block_shape, "block_shape", "the block shape")
    m, rank = len(blocks), b.rank(op.input)
    low, high = paddings_of(b, op.paddings, m)
    rest: list[Size] = [0] * (rank - m - 1)
    x = b.padded(op.input, 0, [0, *low, *rest], [0, *high, *rest])
    sizes = b.sizes(x)
    wide: list[Size] = [sizes[0]]
    for n, k in zip(sizes[1 : m + 1], blocks, strict=True):
        wide += [b.over(n, k), k]
    x = b.reshape_to(x, [*wide, *sizes[m + 1 :]])
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m + 1, 2), *range(2 * m + 1, b.rank(x))]
    batches = b.product([sizes[0], *blocks])
    return b.reshape_to(b.transpose(x, order), [batches, *wide[1::2], *sizes[m + 1 :]])


@lowering(tf.BatchToSpaceNDOp)
def batch_to_space(op: tf.BatchToSpaceNDOp, b: TfBuilder) -> Value:
    """[k l n, h, w, …] -> [k, l, n, h, w, …] -> [n, h, k, w, l, …] -> [n, h k, w l, …]; cut"""
    blocks = b.integers(op.block_shape, "block_shape", "the block shape")
    m = len(blocks)
    sizes = b.sizes(op.input)
    total = 1
    for k in blocks:
        total *= k
    batch = b.over(sizes[0], total)
    x = b.reshape_to(op.input, [*blocks, batch, *sizes[1:]])
    order = [m, *(d for i in range(m) for d in (m + 1 + i, i)), *range(2 * m + 1, b.rank(x))]
    spaces = [b.times(n, k) for n, k in zip(sizes[1 : m + 1], blocks, strict=True)]
    x = b.reshape_to(b.transpose(x, order), [batch, *spaces, *sizes[m + 1 :]])
    low, high = paddings_of(b, op.crops, m)
    limits = [b.minus(n, c) for n, c in zip(spaces, high, strict=True)]
    rest: list[Size] = [0] * (len(sizes) - m - 1)
    return b.part(x, [0, *low, *rest], [batch, *limits, *sizes[m + 1 :]])


# ---------------------------------------------------------------------------------------------- matrices


@lowering(tf.MatrixBandPartOp)
def matrix_band_part(op: tf.MatrixBandPartOp, b: TfBuilder) -> Value:
    """-lower <= column - row <= upper ? x : 0, where a negative number is no bound"""
    sizes = b.sizes(op.input)
    distance = b.tensor(b.subtract(b.iota(sizes[-2:], 1, I32), b.iota(sizes[-2:], 0, I32)))
    tests: list[Tensor] = []
    for bound, v in ((b.scalar(op.num_lower), -distance), (b.scalar(op.num_upper), distance)):
        if isinstance(bound, int):
            if bound < 0:
                continue
            within = v <= bound
        else:
            free = b.broadcast_to(b.is_negative(bound), sizes[-2:], ())
            within = (v <= b.tensor(b.broadcast_to(bound, sizes[-2:], ()))) | b.tensor(free)
        tests.append(within)
    if not tests:
        return op.input
    inside = functools.reduce(Tensor.__and__, tests)
    rank = len(sizes)
    here = b.broadcast_to(inside.value, sizes, (rank - 2, rank - 1))
    return b.select(here, op.input, b.zeros(sizes, b.dtype(op.input)))


def on_diagonal(b: TfBuilder, diagonal: Value, half: int) -> Value:
    """A tensor whose last `half` dimensions stand twice, with the value where they are equal and 0 elsewhere."""
    sizes = b.sizes(diagonal)
    batch, last = sizes[: len(sizes) - half], sizes[len(sizes) - half :]
    wide = [*batch, *last, *last]
    spread = b.broadcast_to(diagonal, wide, tuple(range(len(sizes))))
    here = _is_diagonal(b, last)
    first = len(batch)
    mask = b.broadcast_to(here, wide, tuple(range(first, first + 2 * half)))
    return b.select(mask, spread, b.zeros(wide, b.dtype(diagonal)))


def _is_diagonal(b: TfBuilder, sizes: Sequence[Size]) -> Value:
    half = len(sizes)
    wide = [*sizes, *sizes]
    found: Value | None = None
    for d in range(half):
        equal = b.compare(b.iota(wide, d, I64), ComparisonDirection.EQ, b.iota(wide, d + half, I64))
        found = equal if found is None else b.op(e.AndOp, found, equal)
    assert found is not None
    return found


@lowering(tf.DiagOp)
def diag(op: tf.DiagOp, b: TfBuilder) -> Value:
    return on_diagonal(b, op.diagonal, b.rank(op.diagonal)) if b.rank(op.diagonal) else op.diagonal


@lowering(tf.DiagPartOp)
def diag_part(op: tf.DiagPartOp, b: TfBuilder) -> Value:
    """The sum over the second half of what stands on the diagonal"""
    half = b.rank(op.input) // 2
    if not half:
        return op.input
    sizes = b.sizes(op.input)
    here = _is_diagonal(b, sizes[:half])
    kept = b.select(here, op.input, b.zeros(sizes, b.dtype(op.input)))
    return b.reduce(kept, e.AddOp, 0, range(half, 2 * half))
