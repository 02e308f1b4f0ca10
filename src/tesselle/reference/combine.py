"""Folding with a region: the fast way for single operations, the general way for any body."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tesselle.dialects.core import arith
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.quantized_rules import quantized_element
from tesselle.ir.core import Block, Op
from tesselle.reference.numerics import narrow, ramp, widen
from tesselle.reference.registry import Array, RegionRunner

_FOLDS: dict[type[Op], tuple[np.ufunc, np.ufunc]] = {
    # operation: for numbers, for booleans
    s.AddOp: (np.add, np.logical_or),
    s.MultiplyOp: (np.multiply, np.logical_and),
    s.MaximumOp: (np.maximum, np.logical_or),
    s.MinimumOp: (np.minimum, np.logical_and),
    s.AndOp: (np.bitwise_and, np.logical_and),
    s.OrOp: (np.bitwise_or, np.logical_or),
    s.XorOp: (np.bitwise_xor, np.logical_xor),
    arith.AddFOp: (np.add, np.logical_or),
    arith.AddIOp: (np.add, np.logical_xor),
    arith.MulFOp: (np.multiply, np.logical_and),
    arith.MulIOp: (np.multiply, np.logical_and),
    arith.MaximumFOp: (np.maximum, np.logical_or),
    arith.MinimumFOp: (np.minimum, np.logical_and),
    arith.AndIOp: (np.bitwise_and, np.logical_and),
    arith.OrIOp: (np.bitwise_or, np.logical_or),
    arith.XOrIOp: (np.bitwise_xor, np.logical_xor),
}


def is_foldable(op: Op) -> bool:
    """Whether NumPy folds with this binary operation."""
    return type(op) in _FOLDS


def single_fold(block: Block) -> type[Op] | None:
    """The operation of a body that only returns `op(arg0, arg1)`, when NumPy can fold it."""
    first = block.first
    if first is None or type(first) not in _FOLDS or first.next is not block.last or len(block.args) != 2:
        return None
    terminator = block.terminator
    if terminator.operands != (first.result,) or set(first.operands) != set(block.args):
        return None
    if quantized_element(block.args[0].type) is not None:
        return None
    return type(first)


def fold_axes(cls: type[Op], x: Array, init: Array, axes: tuple[int, ...]) -> Array:
    """x folded along `axes` by the operation `cls`, starting from `init`; narrow floats in f32."""
    number, boolean = _FOLDS[cls]
    ufunc = boolean if x.dtype == np.bool_ else number
    wide, first = widen(x), widen(init)
    if any(x.shape[a] == 0 for a in axes):
        return np.broadcast_to(init, _rest(x, axes))
    # NumPy would begin with 0, which makes 0 of a sum of -0, or with 1, which makes nan of an infinite complex number.
    folded = ufunc.reduce(wide, axis=axes, dtype=wide.dtype, initial=None)
    result = np.asarray(ufunc(first, folded), wide.dtype)
    result = _signed_zeros(result, ufunc, wide, first, axes) if wide.dtype.kind == "f" else result
    return narrow(result, x.dtype)


def _signed_zeros(result: Array, ufunc: np.ufunc, x: Array, init: Array, axes: tuple[int, ...]) -> Array:
    """Extremes with -0 before 0, which NumPy holds equal: a maximum is 0 when one element is, a minimum -0."""
    if ufunc not in (np.maximum, np.minimum) or (result != 0).all():
        return result
    sign = ufunc is np.minimum
    wanted = ((x == 0) & (np.signbit(x) == sign)).any(axis=axes) | ((init == 0) & (np.signbit(init) == sign))
    return np.where((result == 0) & wanted, np.copysign(result, -1 if sign else 1), result)


def _rest(x: Array, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(d for i, d in enumerate(x.shape) if i not in axes)


def tree_fold(
    block: Block, runner: RegionRunner, inputs: Sequence[Array], inits: Sequence[Array], axes: tuple[int, ...]
) -> list[Array]:
    """Inputs folded along `axes` by any body, pairwise and keeping the order, starting from `inits`."""
    kept = [d for d in range(inputs[0].ndim) if d not in axes]
    shape = tuple(inputs[0].shape[d] for d in kept)
    count = math.prod(inputs[0].shape[d] for d in axes)
    flat = [x.transpose([*axes, *kept]).reshape(count, *shape) for x in inputs]
    while flat[0].shape[0] > 1:
        even = flat[0].shape[0] // 2 * 2
        pairs = runner.run_elementwise(block, [*(x[0:even:2] for x in flat), *(x[1:even:2] for x in flat)])
        flat = [
            np.concatenate([np.broadcast_to(p, (even // 2, *shape)), x[even:]])
            for p, x in zip(pairs, flat, strict=True)
        ]
    if not flat[0].shape[0]:
        return [np.broadcast_to(i, shape) for i in inits]
    out = runner.run_elementwise(block, [*inits, *(x[0] for x in flat)])
    return [np.broadcast_to(x, shape) for x in out]


def stable_sort(before: Callable[[list[Array], list[Array]], Array], inputs: Sequence[Array], axis: int) -> list[Array]:
    """Inputs sorted together along `axis`, stable; `before(left, right)` compares elementwise.

    A bottom-up merge sort on all lanes at once: the place of an element after merging two runs is its own place plus
    the number of elements of the other run in front of it, found by a vectorised binary search.
    """
    if inputs[0].size == 0:
        return list(inputs)
    moved = [np.moveaxis(x, axis, -1) for x in inputs]
    shape, n = moved[0].shape, moved[0].shape[-1]
    if n < 2:
        return list(inputs)
    lanes: list[Array] = [np.ascontiguousarray(x).reshape(-1, n) for x in moved]
    rows = ramp(lanes[0].shape[0])[:, None]
    place = ramp(n)
    width = 1
    while width < n:
        start = place // (2 * width) * (2 * width)
        middle = np.minimum(start + width, n)
        end = np.minimum(start + 2 * width, n)
        is_left = place < middle
        low = np.broadcast_to(np.where(is_left, middle, start), lanes[0].shape).copy()
        high = np.broadcast_to(np.where(is_left, end, middle), lanes[0].shape).copy()
        base = low.copy()
        for _ in range(width.bit_length()):
            probe = np.minimum((low + high) // 2, n - 1)
            other = [x[rows, probe] for x in lanes]
            # A left element stands behind those of the right run that come strictly before it; a right element stands
            # behind those of the left run that it does not come strictly before.
            passed = np.where(is_left, before(other, lanes), ~before(lanes, other))
            open_ = low < high
            low = np.where(open_ & passed, probe + 1, low)
            high = np.where(open_ & ~passed, probe, high)
        target = np.where(is_left, place, place - middle + start) + (low - base)
        merged: list[Array] = [np.empty_like(x) for x in lanes]
        for x, y in zip(lanes, merged, strict=True):
            y[rows, target] = x
        lanes = merged
        width *= 2
    return [np.moveaxis(x.reshape(shape), -1, axis) for x in lanes]
