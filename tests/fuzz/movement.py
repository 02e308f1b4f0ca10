"""Makers of operations that move elements, and of those that read and write at positions given by tensors."""

from __future__ import annotations

import math

import numpy as np

from tesselle.dialects.stablehlo import indexing as ix
from tesselle.dialects.stablehlo import shape as sh
from tesselle.dialects.stablehlo.attributes import GatherDimensionNumbers, ScatterDimensionNumbers
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import I32, I64, UI8, UI32, DType

from .combiners import combiner
from .scope import Scope, shape_of, type_of
from .values import FLOATS, INTEGERS, MAX_ELEMENTS, random_dtype, random_shape

INDICES = (I32, I32, I64, UI32, UI8)


def broadcast_in_dim(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank <= 3 and math.prod(t.static_shape) <= 64)
    shape = list(shape_of(x))
    order = list(range(len(shape)))
    scope.random.shuffle(order)
    result, position = [], [0] * len(shape)
    for d in order:
        while scope.random.random() < 0.4 and len(result) < 4:
            result.append(scope.random.choice((1, 2, 3, 5)))
        position[d] = len(result)
        result.append(scope.random.choice((2, 3, 8)) if shape[d] == 1 and scope.random.random() < 0.5 else shape[d])
    if not result or scope.random.random() < 0.5:
        result.append(scope.random.choice((1, 2, 4, 17)))
    if math.prod(result) <= 4 * MAX_ELEMENTS:
        scope.insert(sh.BroadcastInDimOp(x, tuple(position), TensorType(tuple(result), type_of(x).dtype)))


def reshape(scope: Scope) -> None:
    x = scope.pick()
    size = math.prod(shape_of(x))
    shape: list[int] = []
    rest = size
    while rest > 1 and len(shape) < 4:
        divisors = [d for d in range(2, min(rest, 40) + 1) if rest % d == 0]
        if not divisors or scope.random.random() < 0.2:
            break
        d = scope.random.choice(divisors)
        shape.append(d)
        rest //= d
    if rest != 1:
        shape.append(rest)
    for _ in range(scope.random.choice((0, 0, 1, 2))):
        shape.insert(scope.random.randint(0, len(shape)), 1)
    scope.insert(sh.ReshapeOp(x, TensorType(tuple(shape), type_of(x).dtype)))


def transpose(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank >= 2)
    order = list(range(type_of(x).rank))
    scope.random.shuffle(order)
    scope.insert(sh.TransposeOp(x, tuple(order)))


def slice_(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank >= 1)
    starts, limits, strides = [], [], []
    for size in shape_of(x):
        start = scope.random.randint(0, size) if scope.random.random() < 0.5 else 0
        limit = scope.random.randint(start, size) if scope.random.random() < 0.5 else size
        if start == limit and size and scope.random.random() < 0.9:
            start, limit = 0, size
        starts.append(start)
        limits.append(limit)
        strides.append(scope.random.choice((1, 1, 1, 2, 3)))
    scope.insert(sh.SliceOp(x, tuple(starts), tuple(limits), tuple(strides)))


def pad(scope: Scope) -> None:
    x = scope.pick()
    shape = shape_of(x)
    interior = [scope.random.choice((0, 0, 0, 1, 2)) for _ in shape]
    low, high, size = [], [], 1
    for d, i in zip(shape, interior, strict=True):
        dilated = d + max(d - 1, 0) * i
        low.append(scope.random.choice((0, 0, 1, 3, -1, -2)))
        high.append(scope.random.choice((0, 0, 1, 2, -1, -3)))
        if dilated + low[-1] + high[-1] < 0 or (dilated + low[-1] + high[-1] == 0 and scope.random.random() < 0.9):
            low[-1], high[-1] = 1, 0
        size *= dilated + low[-1] + high[-1]
    if size <= 4 * MAX_ELEMENTS:
        scope.insert(sh.PadOp(x, scope.like((), type_of(x).dtype), tuple(low), tuple(high), tuple(interior)))


def concatenate(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank >= 1)
    shape, dtype = list(shape_of(x)), type_of(x).dtype
    dim = scope.random.randrange(len(shape))
    inputs = [x]
    for _ in range(scope.random.choice((0, 1, 1, 2, 4))):
        other = list(shape)
        if scope.random.random() < 0.6:
            other[dim] = scope.random.choice((0, 1, 1, 2, 3, 9))
        if math.prod(other) <= MAX_ELEMENTS:
            inputs.append(scope.like(tuple(other), dtype))
    scope.random.shuffle(inputs)
    scope.insert(sh.ConcatenateOp(inputs, dim))


def reverse(scope: Scope) -> None:
    x = scope.pick()
    dims = tuple(d for d in range(type_of(x).rank) if scope.random.random() < 0.5)
    scope.insert(sh.ReverseOp(x, dims))


def iota(scope: Scope) -> None:
    shape = random_shape(scope.random, scope.random.randint(1, 4))
    dtype = random_dtype(scope.random, (*INTEGERS, *FLOATS))
    scope.insert(sh.IotaOp(scope.random.randrange(len(shape)), TensorType(shape, dtype)))


# ------------------------------------------------------------------------------------------ positions from tensors


def indices(scope: Scope, shape: tuple[int, ...], bound: int, dtype: DType | None = None) -> Value:
    """Indices mostly in [0, bound), sometimes beyond; or whatever value of the type there is."""
    dtype = dtype or scope.random.choice(INDICES)
    if scope.random.random() < 0.3:
        return scope.like(shape, dtype)
    rng = np.random.default_rng(scope.random.getrandbits(32))
    low, high = (-2, bound + 2) if scope.random.random() < 0.3 else (0, max(bound, 1))
    if not dtype.is_signed:
        low = max(low, 0)
    array = rng.integers(low, max(high, low + 1), shape).astype(dtype.numpy)
    if scope.outer is not None or scope.random.random() < 0.15:
        return scope.constant(array, dtype)
    scope.arrays.append(array)
    value = scope.block.add_arg(TensorType(shape, dtype))
    scope.values.append(value)
    return value


def dynamic_slice(scope: Scope) -> None:
    x = scope.pick()
    shape = shape_of(x)
    sizes = tuple(d if scope.random.random() < 0.3 else scope.random.randint(min(d, 1), d) for d in shape)
    dtype = scope.random.choice(INDICES)
    scope.insert(ix.DynamicSliceOp(x, [indices(scope, (), d, dtype) for d in shape], sizes))


def dynamic_update_slice(scope: Scope) -> None:
    x = scope.pick()
    shape = shape_of(x)
    sizes = tuple(d if scope.random.random() < 0.3 else scope.random.randint(min(d, 1), d) for d in shape)
    dtype = scope.random.choice(INDICES)
    update = scope.like(sizes, type_of(x).dtype)
    scope.insert(ix.DynamicUpdateSliceOp(x, update, [indices(scope, (), d, dtype) for d in shape]))


class _Positions:
    """What gather and scatter have in common: which dimensions of the operand are indexed, batched, windowed."""

    def __init__(self, scope: Scope, shape: tuple[int, ...]) -> None:
        r = scope.random
        rank = len(shape)
        dims = list(range(rank))
        r.shuffle(dims)
        self.batching = sorted(dims[: r.choice((0, 0, 0, 1))])
        rest = [d for d in range(rank) if d not in self.batching]
        self.mapped = r.sample(rest, r.randint(min(1, len(rest)), len(rest))) if rest else []
        self.collapsed = sorted(d for d in rest if r.random() < 0.5 and shape[d] > 0)
        self.window = [d for d in rest if d not in self.collapsed]
        free = [r.choice((1, 2, 3, 5)) for _ in range(r.randrange(3))]
        # The indices' dimensions: batching ones and free ones in some order, the index vector somewhere among them.
        tags: list[tuple[str, int]] = [("batch", d) for d in self.batching] + [("free", s) for s in free]
        r.shuffle(tags)
        self.vector_dim = r.randint(0, len(tags))
        implicit = len(self.mapped) == 1 and r.random() < 0.3
        if implicit:
            self.vector_dim = len(tags)
        else:
            tags.insert(self.vector_dim, ("vector", len(self.mapped)))
        self.indices_shape = tuple(shape[v] if kind == "batch" else v for kind, v in tags)
        self.indices_batching = tuple(tags.index(("batch", d)) for d in self.batching)
        self.batch_sizes = [s for i, s in enumerate(self.indices_shape) if i != self.vector_dim]
        # The window's dimensions in the result (or in the updates).
        total = len(self.batch_sizes) + len(self.window)
        self.offsets = tuple(sorted(r.sample(range(total), len(self.window))))
        self.bound = max((shape[d] for d in self.mapped), default=1)


def gather(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank >= 1)
    shape = shape_of(x)
    p = _Positions(scope, shape)
    sizes = [
        min(d, 1) if i in p.collapsed or i in p.batching else scope.random.randint(min(d, 1), d)
        for i, d in enumerate(shape)
    ]
    numbers = GatherDimensionNumbers(
        p.offsets, tuple(p.collapsed), tuple(p.batching), p.indices_batching, tuple(p.mapped), p.vector_dim
    )
    if math.prod(sizes) * math.prod(p.batch_sizes) <= 4 * MAX_ELEMENTS:
        scope.insert(ix.GatherOp(x, indices(scope, p.indices_shape, p.bound), numbers, tuple(sizes)))


def scatter(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: t.rank >= 1)
    shape = shape_of(x)
    p = _Positions(scope, shape)
    window = [scope.random.randint(min(shape[d], 1), shape[d]) for d in p.window]
    numbers = ScatterDimensionNumbers(
        p.offsets, tuple(p.collapsed), tuple(p.batching), p.indices_batching, tuple(p.mapped), p.vector_dim
    )
    sizes, batch = iter(window), iter(p.batch_sizes)
    total = len(p.batch_sizes) + len(window)
    update_shape = tuple(next(sizes) if i in p.offsets else next(batch) for i in range(total))
    if math.prod(update_shape) > 4 * MAX_ELEMENTS:
        return
    body = combiner(scope, type_of(x).dtype)
    inputs = [x, *(scope.like(shape, t) for t in body.dtypes[1:])]
    positions = indices(scope, p.indices_shape, p.bound)
    updates = [scope.like(update_shape, t) for t in body.dtypes]
    scope.insert(ix.ScatterOp([*inputs, positions, *updates], numbers, body.region))


MAKERS = {
    broadcast_in_dim: 4,
    reshape: 3,
    transpose: 3,
    slice_: 3,
    pad: 3,
    concatenate: 3,
    reverse: 2,
    iota: 1,
    dynamic_slice: 2,
    dynamic_update_slice: 2,
    gather: 3,
    scatter: 3,
}
