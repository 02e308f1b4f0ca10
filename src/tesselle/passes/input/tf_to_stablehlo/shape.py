"""Operations that make tensors, and those that ask for, change or compute with shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.shape import ConstantOp, TransposeOp
from tesselle.dialects.tf import shape as tf
from tesselle.dialects.tf.base import SameTypeOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import I32

# ---------------------------------------------------------------------------------------------- making tensors


@lowering(tf.ConstOp)
def const(op: tf.ConstOp, b: TfBuilder) -> Value:
    assert isinstance(op.value, DenseElements)
    return b.insert(ConstantOp(op.value)).result


@lowering(tf.FillOp)
def fill(op: tf.FillOp, b: TfBuilder) -> Value:
    return b.broadcast_to(op.value, shaped(b, op.dims, op.result_type), ())


def shaped(b: TfBuilder, vector: Value, result: TensorType) -> list[Size]:
    """The elements of a vector that is the shape of `result`, which may know more of it."""
    if not result.rank:
        return []
    return [n if s is None else s for n, s in zip(b.elements(vector), result.shape, strict=True)]


@lowering(tf.EmptyOp)
def empty(op: tf.EmptyOp, b: TfBuilder) -> Value:
    """Zeros: what the elements are does not matter."""
    return b.zeros(shaped(b, op.shape, op.result_type), op.result_type.dtype)


@lowering(tf.ZerosLikeOp)
def zeros_like(op: tf.ZerosLikeOp, b: TfBuilder) -> Value:
    return b.zeros(b.sizes(op.x), b.dtype(op.x))


@lowering(tf.RangeOp)
def range_(op: tf.RangeOp, b: TfBuilder) -> Value:
    """start + i * delta, for i below max(0, ceil((limit - start) / delta))"""
    t = op.result_type
    size: Size | None = t.shape[0]
    if size is None:
        size = _count_of_range(op, b)
    index = b.iota([size], 0, t.dtype)
    return b.binary(e.AddOp, op.start, b.binary(e.MultiplyOp, index, op.delta))


def _count_of_range(op: tf.RangeOp, b: TfBuilder) -> Size:
    if op.result_type.dtype.is_float:
        x = b.tensor(b.subtract(op.limit, op.start)) / b.tensor(op.delta)
        return b.convert(x.apply(e.CeilOp).apply(e.MaximumOp, 0).value, I32)
    start, limit, delta = b.scalar(op.start), b.scalar(op.limit), b.scalar(op.delta)
    if isinstance(delta, int):
        if not delta:
            b.unsupported("delta", "delta must not be 0")
        distance = b.minus(limit, start) if delta > 0 else b.minus(start, limit)
        return b.over_up(b.most(distance, 0), abs(delta))
    span, step = b.value_of(b.minus(limit, start)), b.tensor(delta)
    quotient = b.tensor(span) / step
    rest = (quotient * step).compare(ComparisonDirection.NE, b.tensor(span))
    forward = (b.tensor(span) > 0).equals(step > 0)
    return (quotient + 1).where(rest & forward, quotient).apply(e.MaximumOp, 0).value


@lowering(tf.LinSpaceOp)
def lin_space(op: tf.LinSpaceOp, b: TfBuilder) -> Value:
    """start + i * (stop - start) / (num - 1); the last number is `stop` itself."""
    t = op.result_type
    size: Size = b.scalar(op.num) if t.shape[0] is None else t.shape[0]
    index = b.iota([size], 0, t.dtype)
    last = b.most(b.minus(size, 1), 1)
    step = b.tensor(b.subtract(op.stop, op.start)) / b.tensor(b.value_of(last, t.dtype))
    found = b.binary(e.AddOp, op.start, b.binary(e.MultiplyOp, index, step.value))
    # Of several numbers the last is exact; a single one is `start`.
    at_end = b.relate(index, ComparisonDirection.EQ, b.value_of(last, t.dtype))
    return b.choose_between(at_end, op.stop, found)


@lowering(tf.OneHotOp)
def one_hot(op: tf.OneHotOp, b: TfBuilder) -> Value:
    rank = b.rank(op.indices)
    axis = op.axis % (rank + 1)
    known = op.result_type.shape[axis]
    depth: Size = b.scalar(op.depth) if known is None else known
    sizes = b.sizes(op.indices)
    sizes.insert(axis, b.most(depth, 0))
    places = tuple(d for d in range(rank + 1) if d != axis)
    indices = b.broadcast_to(op.indices, sizes, places)
    hot = b.compare(indices, ComparisonDirection.EQ, b.iota(sizes, axis, b.dtype(op.indices)))
    on, off = (b.broadcast_to(v, sizes, ()) for v in (op.on_value, op.off_value))
    return b.select(hot, on, off)


# ---------------------------------------------------------------------------------------------- passing on


@lowering(
    tf.IdentityOp,
    tf.StopGradientOp,
    tf.PreventGradientOp,
    tf.SnapshotOp,
    tf.DeepCopyOp,
    tf.CheckNumericsOp,
    tf.EnsureShapeOp,
)
def identity(op: SameTypeOp, b: TfBuilder) -> Value:
    return op.input


@lowering(tf.IdentityNOp)
def identity_n(op: tf.IdentityNOp, b: TfBuilder) -> Sequence[Value]:
    return op.input


# ---------------------------------------------------------------------------------------------- asking


def vector_of(b: TfBuilder, sizes: Sequence[Size], t: TensorType) -> Value:
    """Sizes as a vector of type `t`."""
    if all(isinstance(n, int) for n in sizes):
        return b.constant(np.array(sizes, t.dtype.numpy))
    parts = [b.reshape(b.value_of(n, t.dtype), (1,)) for n in sizes]
    return b.concatenate(parts, 0)


@lowering(tf.ShapeOp)
def shape(op: tf.ShapeOp, b: TfBuilder) -> Value:
    return vector_of(b, b.sizes(op.input), op.result_type)


@lowering(tf.ShapeNOp)
def shape_n(op: tf.ShapeNOp, b: TfBuilder) -> list[Value]:
    return [vector_of(b, b.sizes(v), tensor_type(r)) for v, r in zip(op.input, op.results, strict=True)]


@lowering(tf.SizeOp)
def size_(op: tf.SizeOp, b: TfBuilder) -> Value:
    return b.value_of(b.product(b.sizes(op.input)), op.result_type.dtype)


@lowering(tf.RankOp)
def rank(op: tf.RankOp, b: TfBuilder) -> Value:
    return b.value_of(b.rank(op.input), op.result_type.dtype)


@lowering(tf.BroadcastArgsOp)
def broadcast_args(op: tf.BroadcastArgsOp, b: TfBuilder) -> Value:
    """The size of the other where one is 1"""
    if None in (*b.dims(op.s0), *b.dims(op.s1)):
        b.unsupported("rank", "shapes of unknown rank do not broadcast")
    x, y = b.elements(op.s0), b.elements(op.s1)
    rank = max(len(x), len(y))
    padded: list[list[Size]] = [[*[1] * (rank - len(v)), *v] for v in (x, y)]
    return vector_of(b, [_broadcast_size(b, m, n) for m, n in zip(*padded, strict=True)], op.result_type)


def _broadcast_size(b: TfBuilder, m: Size, n: Size) -> Size:
    if m == n or n == 1:
        return m
    if m == 1 or (isinstance(n, int) and not isinstance(m, int)):
        return n
    if isinstance(m, int):
        return m
    return b.choose(b.compare(m, ComparisonDirection.EQ, b.index(1)), n, m)


# ---------------------------------------------------------------------------------------------- other shapes


@lowering(tf.ReshapeOp)
def reshape(op: tf.ReshapeOp, b: TfBuilder) -> Value:
    """The size that is -1 is that of the operand over the product of the others."""
    sizes = shaped(b, op.shape, op.result_type)
    return b.reshape_to(op.tensor, _inferred(b, op.tensor, sizes))


def _inferred(b: TfBuilder, value: Value, sizes: list[Size]) -> list[Size]:
    """`sizes` with what -1 stands for."""
    given = b.sizes(value)
    if -1 in sizes:
        at = sizes.index(-1)
        sizes[at] = _quotient(b, given, [n for d, n in enumerate(sizes) if d != at])
        return sizes
    open_ = [d for d, n in enumerate(sizes) if not isinstance(n, int) and not _is_size(b, n)]
    if len(open_) == 1 and 0 not in sizes and len([n for n in sizes if not isinstance(n, int)]) == 1:
        # One number that is read when the program runs: whether it is -1 or right, it is what the others leave.
        sizes[open_[0]] = _quotient(b, given, [n for d, n in enumerate(sizes) if d != open_[0]])
    elif open_:
        total = b.value_of(b.product(given))
        others = b.value_of(
            b.product([n if d not in open_ else b.choose(_missing(b, n), 1, n) for d, n in enumerate(sizes)])
        )
        left = b.divided(total, others)
        for d in open_:
            sizes[d] = b.choose(_missing(b, sizes[d]), left, sizes[d])
    return sizes


def _missing(b: TfBuilder, size: Size) -> Value:
    return b.is_negative(b.value_of(size))


def _is_size(b: TfBuilder, size: Value) -> bool:
    """Whether a number is made of sizes in a way that keeps it from being negative."""
    pending = [b.known.number(size).key]
    while pending:
        key = pending.pop()
        if isinstance(key, int):
            if key < 0:
                return False
        elif not isinstance(key, tuple) or key[0] in ("value", "subtract"):
            return False
        elif key[0] != "dim":
            pending.extend(key[1:])
    return True


def _quotient(b: TfBuilder, given: Sequence[Size], others: Sequence[Size]) -> Size:
    """The product of `given` over that of `others`; equal sizes of both do not count, nor a 0 of both."""
    left, right = list(given), list(others)
    if 0 in left and 0 in right:
        left.remove(0)
        right.remove(0)
    for n in list(right):
        if not isinstance(n, int):
            same = next((m for m in left if not isinstance(m, int) and _equal(b, m, n)), None)
            if same is not None:
                left.remove(same)
                right.remove(n)
    known = np.gcd(_static(left), _static(right)) or 1
    left = [int(_static(left) // known), *(n for n in left if not isinstance(n, int))]
    right = [int(_static(right) // known), *(n for n in right if not isinstance(n, int))]
    return b.divided(b.product(left), b.product(right))


def _static(sizes: Sequence[Size]) -> int:
    return int(np.prod([n for n in sizes if isinstance(n, int)], dtype=np.int64))


def _equal(b: TfBuilder, m: Value, n: Value) -> bool:
    return m is n or b.known.number(m) == b.known.number(n)


@lowering(tf.ExpandDimsOp)
def expand_dims(op: tf.ExpandDimsOp, b: TfBuilder) -> Value:
    return b.with_axis(op.input, b.axis(op.dim, b.rank(op.input) + 1, "dim"))


@lowering(tf.SqueezeOp)
def squeeze(op: tf.SqueezeOp, b: TfBuilder) -> Value:
    t = tensor_type(op.input)
    dims = {d % t.rank for d in op.squeeze_dims}
    if not dims:
        dims = {d for d, n in enumerate(t.shape) if n == 1}
        if t.rank - len(dims) != op.result_type.rank:
            b.unsupported("squeeze_dims", f"which dimensions of {t} have size 1 must be known")
    sizes = b.sizes(op.input)
    return b.reshape_to(op.input, [n for d, n in enumerate(sizes) if d not in dims])


@lowering(tf.TransposeOp)
def transpose(op: tf.TransposeOp, b: TfBuilder) -> Value:
    permutation = b.integers(op.perm, "perm", "the permutation")
    rank = b.rank(op.x)
    if sorted(d % rank for d in permutation) != list(range(rank)):
        b.unsupported("perm", f"{permutation} is no permutation of {rank} dimensions")
    order = tuple(d % rank for d in permutation)
    return op.x if order == tuple(range(rank)) else b.insert(TransposeOp(op.x, order)).result


@lowering(tf.BroadcastToOp)
def broadcast_to(op: tf.BroadcastToOp, b: TfBuilder) -> Value:
    sizes = shaped(b, op.shape, op.result_type)
    offset = len(sizes) - b.rank(op.input)
    given = b.sizes(op.input)
    return b.broadcast_to(op.input, [given[d - offset] if n == -1 else n for d, n in enumerate(sizes)])


@lowering(tf.TileOp)
def tile(op: tf.TileOp, b: TfBuilder) -> Value:
    """[m, n] -> [k, m, l, n] -> [k m, l n]"""
    times = b.elements(op.multiples)
    if all(n == 1 for n in times):
        return op.input
    given = b.sizes(op.input)
    repeated = [d for d, n in enumerate(times) if n != 1]
    wide: list[Size] = []
    places: list[int] = []
    for d, n in enumerate(given):
        if d in repeated:
            wide.append(times[d])
        places.append(len(wide))
        wide.append(n)
    spread = b.broadcast_to(op.input, wide, tuple(places))
    return b.reshape_to(spread, [b.times(m, n) for m, n in zip(times, given, strict=True)])


@lowering(tf.PackOp)
def pack(op: tf.PackOp, b: TfBuilder) -> Value:
    axis = op.axis % (b.rank(op.values[0]) + 1)
    return b.concatenate([b.with_axis(v, axis) for v in op.values], axis)


@lowering(tf.UnpackOp)
def unpack(op: tf.UnpackOp, b: TfBuilder) -> list[Value]:
    axis = op.axis % b.rank(op.value)
    return [b.without_axis(b.part_of_axis(op.value, axis, i, i + 1), axis) for i in range(len(op.results))]


def _concatenated(b: TfBuilder, values: Sequence[Value], axis: Value) -> Value:
    d = b.axis(axis, b.rank(values[0]), "axis")
    kept = [v for v in values if b.dims(v)[d] != 0] or [values[0]]
    return b.concatenate(kept, d)


@lowering(tf.ConcatOp)
def concat(op: tf.ConcatOp, b: TfBuilder) -> Value:
    return _concatenated(b, op.values, op.concat_dim)


@lowering(tf.ConcatV2Op)
def concat_v2(op: tf.ConcatV2Op, b: TfBuilder) -> Value:
    return _concatenated(b, op.values, op.axis)


@lowering(tf.ConcatOffsetOp)
def concat_offset(op: tf.ConcatOffsetOp, b: TfBuilder) -> list[Value]:
    shapes = [b.elements(v) for v in op.shape]
    axis = b.axis(op.concat_dim, len(shapes[0]), "concat_dim")
    found: list[Value] = []
    start: Size = 0
    for v, sizes in zip(op.shape, shapes, strict=True):
        found.append(vector_of(b, [start if d == axis else 0 for d in range(len(sizes))], tensor_type(v)))
        start = b.plus(start, sizes[axis])
    return found


@lowering(tf.SplitOp)
def split(op: tf.SplitOp, b: TfBuilder) -> list[Value]:
    axis = b.axis(op.split_dim, b.rank(op.value), "split_dim")
    count = len(op.results)
    part = b.over(b.size_at(op.value, axis), count)
    bounds: list[Size] = [0]
    for _ in range(count - 1):
        bounds.append(b.plus(bounds[-1], part))
    bounds.append(b.size_at(op.value, axis))
    return [b.part_of_axis(op.value, axis, bounds[i], bounds[i + 1]) for i in range(count)]


@lowering(tf.SplitVOp)
def split_v(op: tf.SplitVOp, b: TfBuilder) -> list[Value]:
    axis = b.axis(op.split_dim, b.rank(op.value), "split_dim")
    sizes = b.elements(op.size_splits)
    if -1 in sizes:
        given: Size = 0
        for n in sizes:
            given = given if n == -1 else b.plus(given, n)
        sizes[sizes.index(-1)] = b.minus(b.size_at(op.value, axis), given)
    parts: list[Value] = []
    start: Size = 0
    for n in sizes:
        limit = b.plus(start, n)
        parts.append(b.part_of_axis(op.value, axis, start, limit))
        start = limit
    return parts


# ---------------------------------------------------------------------------------------------- padding


def paddings_of(b: TfBuilder, paddings: Value, rank: int) -> tuple[list[Size], list[Size]]:
    """What is added in front of and behind every dimension; `paddings` is a tensor<rank x 2>."""
    flat = b.elements(b.reshape(paddings, (2 * rank,))) if rank else []
    return flat[::2], flat[1::2]


@lowering(tf.PadOp)
def pad(op: tf.PadOp, b: TfBuilder) -> Value:
    low, high = paddings_of(b, op.paddings, b.rank(op.input))
    return b.padded(op.input, 0, low, high)


@lowering(tf.PadV2Op)
def pad_v2(op: tf.PadV2Op, b: TfBuilder) -> Value:
    low, high = paddings_of(b, op.paddings, b.rank(op.input))
    return b.padded(op.input, op.constant_values, low, high)


@lowering(tf.MirrorPadOp)
def mirror_pad(op: tf.MirrorPadOp, b: TfBuilder) -> Value:
    """concatenate(reverse(x[edge : edge + low]), x, reverse(x[n - edge - high : n - edge])) along every dimension"""
    low, high = paddings_of(b, op.paddings, b.rank(op.input))
    edge = 1 if op.mode == "REFLECT" else 0
    x = op.input
    for d, (before, behind) in enumerate(zip(low, high, strict=True)):
        n = b.size_at(x, d)
        parts = [x]
        if before != 0:
            parts.insert(0, b.reverse(b.part_of_axis(x, d, edge, b.plus(edge, before)), d))
        if behind != 0:
            end = b.minus(n, edge)
            parts.append(b.reverse(b.part_of_axis(x, d, b.minus(end, behind), end), d))
        x = b.concatenate(parts, d)
    return x


@lowering(tf.MirrorPadGradOp)
def mirror_pad_grad(op: tf.MirrorPadGradOp, b: TfBuilder) -> Value:
    """The middle, plus the turned edges padded with zeros to its size"""
    low, high = paddings_of(b, op.paddings, b.rank(op.input))
    edge = 1 if op.mode == "REFLECT" else 0
    x = op.input
    for d, (before, behind) in enumerate(zip(low, high, strict=True)):
        if before == 0 and behind == 0:
            continue
        total = b.size_at(x, d)
        end = b.minus(total, behind)
        middle = b.part_of_axis(x, d, before, end)
        n = b.minus(end, before)
        none: list[Size] = [0] * b.rank(x)
        front = b.reverse(b.part_of_axis(x, d, 0, before), d)
        back = b.reverse(b.part_of_axis(x, d, end, total), d)
        for part, first, count in ((front, edge, before), (back, b.minus(b.minus(n, edge), behind), behind)):
            lows, highs = list(none), list(none)
            lows[d], highs[d] = first, b.minus(n, b.plus(first, count))
            middle = b.binary(e.AddOp, middle, b.padded(part, 0, lows, highs))
        x = middle
    return x
