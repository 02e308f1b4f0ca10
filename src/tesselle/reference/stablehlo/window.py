"""reduce_window and select_and_scatter."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.stablehlo import window as s
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_call_expansions import called_computation
from tesselle.ir.core import Block
from tesselle.reference.combine import single_fold
from tesselle.reference.numerics import is_narrow, narrow, widen
from tesselle.reference.registry import Array, RegionRunner, region_semantics
from tesselle.reference.stablehlo.shape import pad


def window_offsets(window: Sequence[int], dilation: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Places inside a window, in row-major order, as offsets in the padded operand."""
    return itertools.product(*(range(0, w * d, d) for w, d in zip(window, dilation, strict=True)))


def window_slice(x: Array, offset: Sequence[int], counts: Sequence[int], strides: Sequence[int]) -> Array:
    """The elements at `offset` of every window."""
    return x[
        tuple(
            slice(o, o + max(c - 1, 0) * t + (1 if c else 0), t)
            for o, c, t in zip(offset, counts, strides, strict=True)
        )
    ]


@dataclass(frozen=True)
class Windows:
    """What a reduce_window walks over, one number for each dimension."""

    window: Sequence[int]
    strides: Sequence[int]
    base_dilations: Sequence[int]
    dilations: Sequence[int]
    padding: Sequence[tuple[int, int]]


@region_semantics(s.ReduceWindowOp)
def reduce_window(op: s.ReduceWindowOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    windows = Windows(
        op.window_dimensions,
        op.strides_or_ones,
        op.base_dilations_or_ones,
        op.window_dilations_or_ones,
        op.padding_or_zeros,
    )
    return _fold_windows(runner, op.body.block, operands, windows)


def dynamic_reduce_window(op: CustomCallOp, runner: RegionRunner, operands: Sequence[Array]) -> list[Array]:
    """custom_call @stablehlo.dynamic_reduce_window(inputs…, inits…, window, strides, dilations, dilations, padding)."""
    count = 2 * len(op.results)
    window, strides, base, dilations, flat = (tuple(int(n) for n in x.reshape(-1)) for x in operands[count:])
    windows = Windows(window, strides, base, dilations, tuple(zip(flat[::2], flat[1::2], strict=True)))
    return _fold_windows(runner, called_computation(op).block, operands[:count], windows)


def _fold_windows(runner: RegionRunner, body: Block, operands: Sequence[Array], w: Windows) -> list[Array]:
    count = len(operands) // 2
    inputs, inits = operands[:count], operands[count:]
    low, high = [p[0] for p in w.padding], [p[1] for p in w.padding]
    interior = [d - 1 for d in w.base_dilations]
    padded = [pad(x, i, low, high, interior) for x, i in zip(inputs, inits, strict=True)]
    counts = [
        max(0, (size - ((n - 1) * d + 1)) // t + 1) if size else 0
        for size, n, d, t in zip(padded[0].shape, w.window, w.dilations, w.strides, strict=True)
    ]
    wide = is_narrow(inputs[0]) and single_fold(body) is not None
    results = [np.broadcast_to(widen(i) if wide else i, counts) for i in inits]
    for offset in window_offsets(w.window, w.dilations):
        pieces = [window_slice(x, offset, counts, w.strides) for x in padded]
        pieces = [widen(p) for p in pieces] if wide else pieces
        results = runner.run_elementwise(body, [*results, *pieces])
    return [narrow(np.broadcast_to(r, counts), x.dtype) for r, x in zip(results, inputs, strict=True)]


@region_semantics(s.SelectAndScatterOp)
def select_and_scatter(op: s.SelectAndScatterOp, runner: RegionRunner, x: Array, source: Array, init: Array) -> Array:
    rank = x.ndim
    window = op.window_dimensions or (1,) * rank
    strides = op.window_strides or (1,) * rank
    padding = op.padding or ((0, 0),) * rank
    low, high = [p[0] for p in padding], [p[1] for p in padding]
    zeros = (0,) * rank
    padded = pad(x, init, low, high, zeros)
    inside = pad(np.ones(x.shape, bool), np.array(False), low, high, zeros)
    counts = source.shape
    offsets = list(window_offsets(window, (1,) * rank))
    chosen = np.full(counts, -1)
    best = np.broadcast_to(init, counts)
    for k, offset in enumerate(offsets):
        candidate = window_slice(padded, offset, counts, strides)
        valid = window_slice(inside, offset, counts, strides)
        (keep,) = runner.run_elementwise(op.select.block, [best, candidate])
        take = valid & ((chosen < 0) | ~keep)
        best = np.where(take, candidate, best)
        chosen = np.where(take, k, chosen)
    result = np.full(padded.shape, init, x.dtype)
    for k, offset in enumerate(offsets):
        # Two windows never choose the same element at the same offset, so that one vectorised step has no conflicts.
        place = window_slice(result, offset, counts, strides)
        (combined,) = runner.run_elementwise(op.scatter.block, [place, source])
        place[...] = np.where(chosen == k, combined, place)
    return result[tuple(slice(a, a + n) for a, n in zip(low, x.shape, strict=True))]
