"""reduce_window and select_and_scatter: loop nests over places and windows."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import IndexOp, ScatterOp, YieldOp
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import window as s
from tesselle.ir.affine import AffineExpr, AffineMap, dim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.contraction import convert_tensor
from tesselle.passes.global_optimization.stablehlo_to_linalg.reduction import accumulators, combine_body
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    PARALLEL,
    REDUCTION,
    Lowering,
    Size,
    lowering,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert, emit_block
from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import build_pad
from tesselle.support.dtypes import I1, INDEX


def window_map(rank: int, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> AffineMap:
    """`(places…, window…) -> place * stride + window * dilation`, with loops for windows larger than 1 only."""
    walked = [d for d in range(rank) if window[d] > 1]
    exprs: list[AffineExpr] = []
    for d in range(rank):
        e = dim(d) * strides[d]
        exprs.append(e + dim(rank + walked.index(d)) * dilations[d] if d in walked else e)
    return AffineMap(rank + len(walked), 0, tuple(exprs))


def window_counts(
    b: Lowering, padded: Value, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[Size]:
    """How many places the window has along each dimension of the padded operand."""
    counts: list[Size] = []
    for size, w, stride, dilation in zip(b.dims(padded), window, strides, dilations, strict=True):
        reach = (w - 1) * dilation + 1
        if isinstance(size, int):
            counts.append(_places(size, w, stride, dilation))
        else:
            room = b.insert(a.SubIOp(size, b.index(reach))).result
            steps = b.insert(a.FloorDivSIOp(room, b.index(stride))).result if stride > 1 else room
            count = b.insert(a.AddIOp(steps, b.index(1))).result
            counts.append(b.insert(a.MaxSIOp(count, b.index(0))).result)
    return counts


@lowering(s.ReduceWindowOp)
def reduce_window(op: s.ReduceWindowOp, b: Lowering) -> list[Value]:
    rank = op.rank
    low, high = [p[0] for p in op.padding_or_zeros], [p[1] for p in op.padding_or_zeros]
    interior = [d - 1 for d in op.base_dilations_or_ones]
    if _reads_through_padding(op):
        return [_window_in_padding(op, b)]
    padded = [build_pad(b, x, i, low, high, interior) for x, i in zip(op.inputs, op.init_values, strict=True)]
    window, strides, dilations = op.window_dimensions, op.strides_or_ones, op.window_dilations_or_ones
    counts = window_counts(b, padded[0], window, strides, dilations)
    m = window_map(rank, window, strides, dilations)
    walked = [w for w in window if w > 1]
    inputs, maps = list(padded), [m] * len(padded)
    if walked:
        # Reads nothing: gives the loops over the window their bounds.
        inputs.append(b.empty(walked, tensor_type(padded[0]).dtype))
        maps.append(AffineMap.select(m.dim_count, range(rank, m.dim_count)))
    dtypes = accumulators(op.body.block, [tensor_type(v).dtype for v in op.inputs])
    outs = [b.fill(convert(b, b.scalar(v), d), counts) for v, d in zip(op.init_values, dtypes, strict=True)]
    results = b.generic(
        inputs,
        maps,
        outs,
        [AffineMap.select(m.dim_count, range(rank))] * len(outs),
        [PARALLEL] * rank + [REDUCTION] * len(walked),
        combine_body(op.body.block, len(padded), dtypes),
    )
    return [
        b.cast(convert_tensor(b, r, tensor_type(o).dtype), tensor_type(o))
        for r, o in zip(results, op.results, strict=True)
    ]


def _reads_through_padding(op: s.ReduceWindowOp) -> bool:
    """Whether windows lie across rows whose elements are all there: pooling of NHWC.

    Then the position of a row is compared with the border once for a whole row, and the padded copy is saved, which
    costs more than the reduction.
    """
    t = tensor_type(op.inputs[0])
    padding = op.padding_or_zeros
    walked = zip(t.shape, op.window_dimensions, op.strides_or_ones, padding, strict=True)
    return (
        len(op.inputs) == 1
        and op.rank > 1
        and all(n or (w == step == 1 and edges == (0, 0)) for n, w, step, edges in walked)
        and op.window_dimensions[-1] == 1
        and padding[-1] == (0, 0)
        and any(p != (0, 0) for p in padding)
        and all(p >= 0 for edges in padding for p in edges)
        and all(d == 1 for d in op.base_dilations_or_ones)
    )


_IDEMPOTENT = (e.MaximumOp, e.MinimumOp, e.AndOp, e.OrOp)


def _window_in_padding(op: s.ReduceWindowOp, b: Lowering) -> Value:
    """reduce_window that reads the operand itself: the nearest element for a place in the padding, and there the
    initial value instead; or that element, where it lies in the window as well and may count twice.
    """
    operand, rank = op.inputs[0], op.rank
    t = tensor_type(operand)
    window, strides, dilations = op.window_dimensions, op.strides_or_ones, op.window_dilations_or_ones
    padding = op.padding_or_zeros
    counts: list[Size] = []
    for n, (low, high), w, step, dilation in zip(b.dims(operand), padding, window, strides, dilations, strict=True):
        counts.append(_places(n + low + high, w, step, dilation) if isinstance(n, int) else n)
    walked = [d for d in range(rank) if window[d] > 1]
    loops = rank + len(walked)
    combination = op.body.block.ops[:-1]
    twice = all(isinstance(o, _IDEMPOTENT) for o in combination) and len(combination) == 1
    twice = twice and all(
        dilations[d] == 1 and max(padding[d]) < window[d] for d in range(rank) if padding[d] != (0, 0)
    )
    initial = b.scalar(op.init_values[0])
    dtypes = accumulators(op.body.block, [t.dtype])
    combine = combine_body(op.body.block, 1, dtypes)

    def body(m: Builder, args: list[Value]) -> Sequence[Value]:
        def number(value: int) -> Value:
            return m.insert(a.ConstantOp(value, INDEX)).result

        def scaled(loop: int, step: int) -> Value:
            counter = m.insert(IndexOp(loop)).result
            return m.insert(a.MulIOp(counter, number(step))).result if step > 1 else counter

        at: list[Value] = []
        inside: Value | None = None
        for d, (low, high) in enumerate(padding):
            place = scaled(d, strides[d])
            if d in walked:
                place = m.insert(a.AddIOp(place, scaled(rank + walked.index(d), dilations[d]))).result
            if low or high:
                place = m.insert(a.SubIOp(place, number(low))).result
                above = m.insert(a.MaxSIOp(place, number(0))).result
                near = m.insert(a.MinSIOp(above, number((t.shape[d] or 1) - 1))).result
                here = m.insert(a.CmpIOp(a.CmpIPredicate.EQ, near, place)).result
                inside = here if inside is None else m.insert(a.AndIOp(inside, here)).result
                place = near
            at.append(place)
        element = m.insert(tensor.ExtractOp(operand, tuple(at))).result
        if inside is not None and not twice:
            element = m.insert(a.SelectOp(inside, element, initial)).result
        return combine(m, [element, *args[-1:]])

    (result,) = b.generic(
        [b.empty([window[d] for d in walked], t.dtype)] if walked else [],
        [AffineMap.select(loops, range(rank, loops))] if walked else [],
        [b.fill(convert(b, initial, dtypes[0]), counts)],
        [AffineMap.select(loops, range(rank))],
        [PARALLEL] * rank + [REDUCTION] * len(walked),
        body,
    )
    return b.cast(convert_tensor(b, result, t.dtype), tensor_type(op.results[0]))


def _places(size: int, window: int, stride: int, dilation: int) -> int:
    reach = (window - 1) * dilation + 1
    return (size - reach) // stride + 1 if size >= reach else 0


@lowering(s.SelectAndScatterOp)
def select_and_scatter(op: s.SelectAndScatterOp, b: Lowering) -> Value:
    """Two steps: for every window the place that `select` chooses, then a scatter of the source to those places."""
    t = tensor_type(op.operand)
    rank = t.rank
    window = op.window_dimensions or (1,) * rank
    strides = op.window_strides or (1,) * rank
    padding = op.padding or ((0, 0),) * rank
    low, high = [p[0] for p in padding], [p[1] for p in padding]
    padded = build_pad(b, op.operand, op.init_value, low, high, [0] * rank)
    counts = window_counts(b, padded, window, strides, [1] * rank)
    m = window_map(rank, window, strides, [1] * rank)
    walked = [d for d in range(rank) if window[d] > 1]
    places = _chosen_places(op, b, padded, counts, m, walked, low)
    indices = b.reshape(places, [*counts, rank])
    updates = op.source
    init = b.fill(b.scalar(op.init_value), b.dims(op.operand))
    block = Block([t.dtype, t.dtype])
    inner = Builder(block, None, op.location)
    inner.insert(YieldOp(tuple(emit_block(inner, op.scatter.block, block.args))))
    all_dims = tuple(range(rank))
    return b.insert(ScatterOp((updates,), indices, (init,), all_dims, all_dims, Region([block]))).result


def _chosen_places(
    op: s.SelectAndScatterOp,
    b: Lowering,
    padded: Value,
    counts: Sequence[Size],
    m: AffineMap,
    walked: Sequence[int],
    low: Sequence[int],
) -> Value:
    """[windows…, rank]: the place in the operand of the element that every window chose."""
    t = tensor_type(op.operand)
    rank = t.rank
    strides = op.window_strides or (1,) * rank
    window = op.window_dimensions or (1,) * rank
    loops = m.dim_count
    bounds = b.empty([window[d] for d in walked], t.dtype)
    sizes = [b.index(d) if isinstance(d, int) else d for d in b.dims(op.operand)]
    outs = [b.fill(b.constant(0, t.dtype), counts), b.fill(b.constant(False, I1), counts)]
    outs += [b.fill(b.constant(0, INDEX), counts) for _ in range(rank)]

    def body(n: Builder, args: list[Value]) -> list[Value]:
        element, best, found, *chosen = args[0], *args[2:]
        place: list[Value] = []
        inside: Value = n.insert(a.ConstantOp(True, I1)).result
        for d in range(rank):
            i = n.insert(a.MulIOp(n.insert(IndexOp(d)).result, n.insert(a.ConstantOp(strides[d], INDEX)).result)).result
            if d in walked:
                i = n.insert(a.AddIOp(i, n.insert(IndexOp(rank + walked.index(d))).result)).result
            i = n.insert(a.SubIOp(i, n.insert(a.ConstantOp(low[d], INDEX)).result)).result
            # Unsigned: places in front of the operand compare as very large.
            here = n.insert(a.CmpIOp(a.CmpIPredicate.ULT, i, sizes[d])).result
            inside = n.insert(a.AndIOp(inside, here)).result
            place.append(i)
        (keep,) = emit_block(n, op.select.block, [best, element])
        true = n.insert(a.ConstantOp(True, I1)).result
        replace = n.insert(a.XOrIOp(n.insert(a.AndIOp(found, keep)).result, true)).result
        take = n.insert(a.AndIOp(inside, replace)).result
        pairs = [(element, best), (true, found), *zip(place, chosen, strict=True)]
        return [n.insert(a.SelectOp(take, x, y)).result for x, y in pairs]

    results = b.generic(
        [padded, bounds],
        [m, AffineMap.select(loops, range(rank, loops))],
        outs,
        [AffineMap.select(loops, range(rank))] * len(outs),
        [PARALLEL] * rank + [REDUCTION] * len(walked),
        body,
    )
    from tesselle.dialects.core.tensor import ConcatOp

    columns = [b.reshape(r, [*counts, 1]) for r in results[2:]]
    return b.insert(ConcatOp(tuple(columns), rank)).result
