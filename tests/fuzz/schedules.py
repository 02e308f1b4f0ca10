"""Sums and folds in an order of their own: the specification leaves it open in which one they are computed.

Source: StableHLO spec, reduce ("schedule is an implementation-defined full binary tree", with initial values anywhere
in it, in any number); dot_general and convolution, whose elements are such sums; batch_norm_training and its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.stablehlo import contraction, convolution, normalization, reduction
from tesselle.ir.core import Block
from tesselle.reference.combine import fold_axes, single_fold
from tesselle.reference.numerics import narrow, widen
from tesselle.reference.stablehlo.contraction import labels, sum_of_products
from tesselle.reference.stablehlo.convolution import Products, padding_of
from tesselle.reference.stablehlo.shape import result_type

from .values import Array

Run = Callable[[Sequence[Array]], list[Array]]
RunBlock = Callable[[Block, Sequence[Array]], list[Array]]
Body = Callable[[Sequence[Array], Sequence[Array]], list[Array]]


def folded(body: Body, flat: Sequence[Array], lanes: int) -> list[Array]:
    """`flat` folded along its first dimension: every lanes-th element into one running result, those pairwise."""
    running = [x[:lanes].copy() for x in flat]
    for start in range(lanes, flat[0].shape[0], lanes):
        piece = [x[start : start + lanes] for x in flat]
        size = piece[0].shape[0]
        for x, new in zip(running, body([x[:size] for x in running], piece), strict=True):
            x[:size] = new
    while (size := running[0].shape[0]) > 1:
        half = size // 2
        joined = body([x[:half] for x in running], [x[half : 2 * half] for x in running])
        running = [np.concatenate([j, x[2 * half :]]) for j, x in zip(joined, running, strict=True)]
    return [x[0] for x in running]


def _lanes(rng: np.random.Generator, count: int) -> int:
    return min(count, int(rng.choice((1, 4, 16, count))))


def reduce(op: reduction.ReduceOp, operands: Sequence[Array], rng: np.random.Generator, run: RunBlock) -> list[Array]:
    """A fold of its elements and initial values, shuffled, in several running results that are joined at the end.

    Bodies here are associative and commutative but for rounding; where a partial product leaves the range of its type,
    the order decides between 0, a number, infinity and nan.
    """
    half = len(operands) // 2
    inputs, inits = operands[:half], operands[half:]
    kept = [d for d in range(inputs[0].ndim) if d not in op.dimensions]
    shape = tuple(inputs[0].shape[d] for d in kept)
    flat = [
        np.concatenate([x.transpose([*op.dimensions, *kept]).reshape(-1, *shape), np.broadcast_to(i, (1, *shape))])
        for x, i in zip(inputs, inits, strict=True)
    ]
    count = flat[0].shape[0]
    order = rng.permutation(count)
    flat = [x[order] for x in flat]
    cls = single_fold(op.body.block)
    if cls is not None:
        # The reference rounds narrow floats once, at the end.
        return [fold_axes(cls, flat[0][1:], flat[0][0], (0,))]

    def body(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
        results = run(op.body.block, [*left, *right])
        return [np.broadcast_to(r, x.shape) for r, x in zip(results, left, strict=True)]

    return folded(body, flat, _lanes(rng, count))


def sum_products(
    op: contraction.DotGeneralOp | convolution.ConvolutionOp, lhs: Array, rhs: Array, rng: np.random.Generator
) -> Array:
    """The products added one by one in a random order, with the initial 0 or without: it makes 0 of a sum of -0."""
    dtype = result_type(op).dtype
    if isinstance(op, contraction.DotGeneralOp):
        left, right, out, summed = labels(op, lhs.ndim, rhs.ndim)
        sizes = dict(zip([*left, *right], [*lhs.shape, *rhs.shape], strict=True))
        equation, pairs = [left, right, [*summed, *out]], [(_wide(lhs, dtype.compute), _wide(rhs, dtype.compute))]
        shape = tuple(sizes[d] for d in out)
        return narrow(_sum(equation, pairs, shape, rng), dtype.numpy)
    products = Products(op, lhs, rhs, padding_of(op))
    equation = products.equation.replace("->", "->c")
    return products.result(_sum(equation, products.pairs, products.shape, rng))


def _wide(x: Array, dtype: Any) -> Array:
    return widen(x).astype(dtype.numpy)


def _sum(
    equation: str | list[Any], pairs: Sequence[tuple[Array, Array]], shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """`equation` has what is summed over in front."""
    if 0 in shape:
        return np.zeros(shape, pairs[0][0].dtype)

    def total(terms: Sequence[Array]) -> Array:
        zeros = rng.integers(2) if sum(map(len, terms)) else 1
        flat = np.concatenate([*terms, np.zeros((zeros, *shape), terms[0].dtype)])
        flat = flat[rng.permutation(len(flat))]
        return folded(lambda x, y: [x[0] + y[0]], [flat], _lanes(rng, len(flat)))[0]

    def terms(factors: Sequence[tuple[Array, Array]]) -> list[Array]:
        return [sum_of_products(equation, x, y).reshape(-1, *shape) for x, y in factors]

    if not any(x.dtype.kind == "c" for x, _ in pairs):
        return total(terms(pairs))
    real = terms([(x.real, y.real) for x, y in pairs]) + terms([(-x.imag, y.imag) for x, y in pairs])
    imag = terms([(x.real, y.imag) for x, y in pairs]) + terms([(x.imag, y.real) for x, y in pairs])
    result = np.empty(shape, pairs[0][0].dtype)
    result.real, result.imag = total(real), total(imag)
    return result


def batch_norm(
    op: normalization.BatchNormTrainingOp | normalization.BatchNormGradOp,
    operands: Sequence[Array],
    rng: np.random.Generator,
    run: Run,
) -> list[Array]:
    """Of the samples of each feature in another order; results of their shape are put back.

    Gradients that are 0 have either sign: an initial 0 may be added to a sum before it is divided, later, or never.
    """
    shape = operands[0].shape
    orders = [np.arange(n) if d == op.feature_index else rng.permutation(n) for d, n in enumerate(shape)]
    back = [np.argsort(order) for order in orders]
    shuffled = [x[np.ix_(*orders)] if x.shape == shape else x for x in operands]
    out, *sums = run(shuffled)
    if isinstance(op, normalization.BatchNormTrainingOp):
        return [out[np.ix_(*back)], *sums]
    signs = [np.where((r == 0) & (rng.random(r.shape) < 0.5), -r, r).astype(r.dtype) for r in sums]
    return [out[np.ix_(*back)], *signs]
