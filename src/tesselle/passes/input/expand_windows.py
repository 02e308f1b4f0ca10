"""expand-windows: reductions over windows whose sizes are known only when the program runs.

custom_call @stablehlo.dynamic_reduce_window(x…, init…, window, strides, dilations, dilations, padding) @body
->
reduce_window on what dynamic_pad gives       where only the padding is computed
folds of 1, 2, 4, … neighbours                where one dimension has a window, of stride 1: cumulative sums
a loop over the places in the window          else

JAX writes the call for every window of symbolic sizes. Source: StableHLO, ExperimentalOps.h, DynamicReduceWindowOp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, GatherDimensionNumbers
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_call_expansions import called_computation
from tesselle.dialects.stablehlo.custom_calls import DYNAMIC_REDUCE_WINDOW
from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp, DynamicIotaOp, DynamicPadOp, RealDynamicSliceOp
from tesselle.dialects.stablehlo.indexing import DynamicGatherOp
from tesselle.dialects.stablehlo.window import ReduceWindowOp
from tesselle.ir.core import Op, Value, constant_elements
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.symbols import symbols_of
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32

Number = int | Value
"""A number that is known, or a tensor<i32>."""


@register_pass("expand-windows")
@dataclass(frozen=True)
class ExpandWindows(Pass):
    """Expand @stablehlo.dynamic_reduce_window. Errors: Unsupported for calls of another form."""

    def run(self, module: Op) -> None:
        calls = [
            op for op in module.walk() if isinstance(op, CustomCallOp) and op.call_target_name == DYNAMIC_REDUCE_WINDOW
        ]
        named = {name.root for op in calls for name in op.called_computations}
        for op in calls:
            op.replace_with(_expand(op))
        for name, function in list(symbols_of(module)):
            if isinstance(function, FuncOp) and name in named and not function.is_public:
                function.erase()


def _expand(op: CustomCallOp) -> list[Value]:
    count = len(op.results)
    if len(op.inputs) != 2 * count + 5 or not count:
        text = f"@{op.call_target_name} takes inputs, initial values and five vectors, found {len(op.inputs)} operands"
        raise Unsupported(text, op.location, op.name)
    b = StablehloBuilder.of(Rewriter(op))
    inputs, inits = op.inputs[:count], op.inputs[count : 2 * count]
    rank = tensor_type(inputs[0]).rank
    window, strides, base, dilations, padding = (_elements(b, v) for v in op.inputs[2 * count :])
    if any(len(v) != rank for v in (window, strides, base, dilations)) or len(padding) != 2 * rank:
        raise Unsupported(f"@{op.call_target_name}: there is a number missing for a dimension", op.location, op.name)
    low, high = padding[::2], padding[1::2]
    padded = [_pad(b, x, i, low, high, base) for x, i in zip(inputs, inits, strict=True)]
    steps = [n for n in (*window, *strides, *dilations) if isinstance(n, int)]
    walked = [d for d, n in enumerate(window) if not isinstance(n, int) or n != 1]
    if len(steps) == 3 * rank:
        numbers = [tuple(n for n in v if isinstance(n, int)) for v in (window, strides, dilations)]
        region = called_computation(op)
        made = ReduceWindowOp((*padded, *inits), numbers[0], region, numbers[1], None, numbers[2], None)
        results = list(b.insert(made).results)
    elif len(walked) == 1 and all(n == 1 for n in (*strides, *dilations)):
        results = _fold_neighbours(b, op, padded, inits, walked[0], window[walked[0]])
    else:
        results = _fold_places(b, op, padded, inits, window, strides, dilations)
    return [_as(b, v, tensor_type(r)) for v, r in zip(results, op.results, strict=True)]


def _as(b: StablehloBuilder, value: Value, t: TensorType) -> Value:
    return value if value.type == t else b.insert(CastOp(value, t)).result


# ---------------------------------------------------------------------------------------------- numbers


def _elements(b: StablehloBuilder, value: Value) -> list[Number]:
    """The elements of a tensor of integers in row-major order, known where constants or their parts say them."""
    t = tensor_type(value)
    known = constant_elements(value)
    if known is not None:
        return [int(x) for x in known.array.reshape(-1)]
    source = value.defining_op
    if isinstance(source, s.ReshapeOp):
        return _elements(b, source.operand)
    if isinstance(source, s.ConcatenateOp) and source.dimension == 0:
        return [x for v in source.inputs for x in _elements(b, v)]
    if t.rank == 0:
        return [b.convert(value, I32)]
    flat = b.reshape(value, (t.element_count,))
    return [b.convert(b.reshape(b.slice(flat, 0, i, i + 1), ()), I32) for i in range(t.element_count)]


def _scalar(b: StablehloBuilder, n: Number) -> Value:
    return b.index(n) if isinstance(n, int) else n


def _sum(b: StablehloBuilder, *numbers: Number) -> Number:
    known = sum(n for n in numbers if isinstance(n, int))
    rest = [n for n in numbers if not isinstance(n, int)]
    if not rest:
        return known
    total = rest[0]
    for n in rest[1:]:
        total = b.add(total, n)
    return b.add(total, b.index(known)) if known else total


def _product(b: StablehloBuilder, x: Number, y: Number) -> Number:
    if isinstance(x, int) and isinstance(y, int):
        return x * y
    if 1 in (x, y):
        return y if x == 1 else x
    return b.multiply(_scalar(b, x), _scalar(b, y))


def _negative(b: StablehloBuilder, n: Number) -> Number:
    return -n if isinstance(n, int) else b.op(e.NegateOp, n)


def _clamped(b: StablehloBuilder, n: Number, most: Number) -> Number:
    """min(n, most), but 0 at least."""
    if isinstance(n, int) and isinstance(most, int):
        return max(0, min(n, most))
    below = b.op(e.MinimumOp, _scalar(b, n), _scalar(b, most))
    return b.op(e.MaximumOp, below, b.index(0))


def _vector(b: StablehloBuilder, numbers: Sequence[Number]) -> Value:
    if all(isinstance(n, int) for n in numbers):
        return b.constant(np.array(numbers, np.int32))
    return b.vector(numbers)


def _pad(
    b: StablehloBuilder, x: Value, init: Value, low: Sequence[Number], high: Sequence[Number], base: Sequence[Number]
) -> Value:
    if all(n == 0 for n in (*low, *high)) and all(n == 1 for n in base):
        return x
    t = tensor_type(x)
    shape = [
        n if n is not None and (lo, hi, d) == (0, 0, 1) else None
        for n, lo, hi, d in zip(t.shape, low, high, base, strict=True)
    ]
    interior = [_sum(b, d, -1) for d in base]
    return b.insert(
        DynamicPadOp(x, init, _vector(b, low), _vector(b, high), _vector(b, interior), t.with_shape(shape))
    ).result


# ---------------------------------------------------------------------------------------------- folds


def _combine(b: StablehloBuilder, op: CustomCallOp, left: Sequence[Value], right: Sequence[Value]) -> list[Value]:
    """The reducer on every pair of elements."""
    results: list[Value] = []
    for i, v in enumerate(left):
        t = tensor_type(v)
        region = called_computation(op)
        end = region.block.terminator
        end.set_operands([end.operands[i]])
        made = e.MapOp((*left, *right), tuple(range(t.rank)), region, t)
        results.append(b.insert(made).result)
    return results


def _fold_neighbours(
    b: StablehloBuilder, op: CustomCallOp, padded: Sequence[Value], inits: Sequence[Value], axis: int, window: Number
) -> list[Value]:
    """Windows along one axis. Step k has the folds of 2^k elements that end at every place, and makes those of twice as
    many; of them the window is put together, as its size is of powers of two. What reaches in front of the first
    element is never asked for.
    """
    size = b.sizes(padded[0])[axis]
    counter = b.insert(
        DynamicIotaOp(b.vector([size]), 0, TensorType((tensor_type(padded[0]).shape[axis],), I32))
    ).result
    amount = _scalar(b, window)

    def moved(inner: StablehloBuilder, values: Sequence[Value], distance: Value) -> list[Value]:
        """The elements `distance` places in front; gather keeps positions inside."""
        positions = inner.subtract(counter, inner.broadcast_like(distance, counter, ()))
        return [_rows(inner, v, positions, axis) for v in values]

    def step(inner: StablehloBuilder, k: Value, state: list[Value]) -> list[Value]:
        powers, folds = state[: len(padded)], state[len(padded) :]
        reach = inner.op(e.ShiftLeftOp, inner.index(1), k)
        done = inner.op(e.AndOp, amount, inner.subtract(reach, inner.index(1)))
        bit = inner.op(e.AndOp, amount, reach)
        is_part = inner.compare(bit, ComparisonDirection.NE, inner.index(0))
        is_first = inner.compare(done, ComparisonDirection.EQ, inner.index(0))
        longer = _combine(inner, op, moved(inner, powers, done), folds)
        chosen = [inner.select(is_first, p, x) for p, x in zip(powers, longer, strict=True)]
        after = [inner.select(is_part, x, f) for x, f in zip(chosen, folds, strict=True)]
        return [*_combine(inner, op, moved(inner, powers, reach), powers), *after]

    # The number of bits of the window's size: a sum of comparisons is arithmetic that the host does.
    bits = b.index(0)
    for k in range(31):
        reached = b.compare(amount, ComparisonDirection.GE, b.index(1 << k))
        bits = b.add(bits, b.convert(reached, I32))
    folds = b.loop(bits, [*padded, *padded], step)[len(padded) :]
    cut = [_slice(b, v, {axis: (_sum(b, window, -1), size, 1)}) for v in folds]
    starts = [b.broadcast_like(i, v, ()) for i, v in zip(inits, cut, strict=True)]
    return _combine(b, op, starts, cut)


def _rows(b: StablehloBuilder, value: Value, positions: Value, axis: int) -> Value:
    """The slices of `value` at positions of one axis."""
    t = tensor_type(value)
    others = tuple(d for d in range(t.rank) if d != axis)
    numbers = GatherDimensionNumbers(
        offset_dims=others,
        collapsed_slice_dims=(axis,),
        operand_batching_dims=(),
        start_indices_batching_dims=(),
        start_index_map=(axis,),
        index_vector_dim=1,
    )
    sizes: list[Number] = [1 if d == axis else n for d, n in enumerate(b.sizes(value))]
    return b.insert(DynamicGatherOp(value, positions, _vector(b, sizes), numbers, t)).result


def _slice(b: StablehloBuilder, value: Value, parts: dict[int, tuple[Number, Number, Number]]) -> Value:
    """value[start:limit:stride] along the axes of `parts`."""
    t = tensor_type(value)
    whole: list[tuple[Number, Number, Number]] = [(0, n, 1) for n in b.sizes(value)]
    ranges = [parts.get(d, w) for d, w in enumerate(whole)]
    starts, limits, strides = (_vector(b, [r[k] for r in ranges]) for k in range(3))
    shape = [None if d in parts else n for d, n in enumerate(t.shape)]
    return b.insert(RealDynamicSliceOp(value, starts, limits, strides, t.with_shape(shape))).result


def _fold_places(
    b: StablehloBuilder,
    op: CustomCallOp,
    padded: Sequence[Value],
    inits: Sequence[Value],
    window: Sequence[Number],
    strides: Sequence[Number],
    dilations: Sequence[Number],
) -> list[Value]:
    """Any windows: one pass over the operands for each place in the window, in row-major order."""
    rank = len(window)
    sizes = b.sizes(padded[0])
    counts: list[Number] = []
    for size, w, stride, dilation in zip(sizes, window, strides, dilations, strict=True):
        reach = _sum(b, _product(b, _sum(b, w, -1), dilation), 1)
        room = _sum(b, size, _negative(b, reach))
        # Rounded up, as room may be negative, and then there is no place at all.
        steps = b.op(e.DivideOp, _scalar(b, _sum(b, room, stride)), _scalar(b, stride))
        counts.append(_clamped(b, steps, _sum(b, size, 1)))
    shape = _vector(b, counts)
    total: Number = 1
    for w in window:
        total = _product(b, total, w)
    open_shape = (None,) * rank
    starts = [
        b.insert(DynamicBroadcastInDimOp(i, shape, (), TensorType(open_shape, tensor_type(i).dtype))).result
        for i in inits
    ]

    def place(inner: StablehloBuilder, q: Value, state: list[Value]) -> list[Value]:
        rest, parts = q, dict[int, tuple[Number, Number, Number]]()
        for d in reversed(range(rank)):
            here = inner.op(e.RemainderOp, rest, _scalar(inner, window[d]))
            rest = inner.op(e.DivideOp, rest, _scalar(inner, window[d]))
            start = _clamped(inner, _product(inner, here, dilations[d]), sizes[d])
            length = _sum(inner, _product(inner, _sum(inner, counts[d], -1), strides[d]), 1)
            limit = _clamped(inner, _sum(inner, start, _clamped(inner, length, sizes[d])), sizes[d])
            parts[d] = (start, limit, strides[d])
        return _combine(inner, op, state, [_slice(inner, v, parts) for v in padded])

    return b.loop(_scalar(b, total), starts, place)
