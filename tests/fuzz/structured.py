"""Makers of reductions, windows, contractions, sorts and normalisations."""

from __future__ import annotations

import math

from tesselle.dialects.stablehlo import contraction, convolution, normalization, reduction, window
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import (
    ComparisonDirection,
    ComparisonType,
    ConvDimensionNumbers,
    DotDimensionNumbers,
)
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import F32, F64, I1

from .combiners import combiner
from .scope import Scope, scalar, shape_of, type_of
from .values import ALL, FLOATS, MAX_ELEMENTS, random_dtype

NUMBERS = tuple(t for t in ALL if t is not I1)
ORDERED = tuple(t for t in ALL if not t.is_complex)


def reduce(scope: Scope) -> None:
    x = scope.pick()
    shape = shape_of(x)
    body = combiner(scope, type_of(x).dtype)
    inputs = [x, *(scope.like(shape, t) for t in body.dtypes[1:])]
    inits = body.initial_values(scope)
    dims = [d for d in range(len(shape)) if scope.random.random() < 0.6]
    scope.random.shuffle(dims)
    scope.insert(reduction.ReduceOp([*inputs, *inits], tuple(dims), body.region))


def _windows(scope: Scope, shape: tuple[int, ...], dilations: bool) -> tuple[tuple[object, ...], ...]:
    """window, strides, base dilations, window dilations, padding."""
    r = scope.random
    sizes = tuple(r.choice((1, 1, 2, 3)) if d != 0 else 1 for d in shape)
    strides = tuple(r.choice((1, 1, 2, 3)) for _ in shape)
    base = tuple(r.choice((1, 1, 1, 2)) if dilations else 1 for _ in shape)
    spread = tuple(r.choice((1, 1, 1, 2)) if dilations else 1 for _ in shape)
    padding = tuple((r.choice((0, 0, 1, 2)), r.choice((0, 0, 1, 3, -1 if dilations else 0))) for _ in shape)
    return sizes, strides, base, spread, padding


def reduce_window(scope: Scope) -> None:
    x = scope.pick(fits=lambda t: 1 <= t.rank <= 4)
    shape = shape_of(x)
    body = combiner(scope, type_of(x).dtype)
    inputs = [x, *(scope.like(shape, t) for t in body.dtypes[1:])]
    inits = body.initial_values(scope)
    sizes, strides, base, spread, padding = _windows(scope, shape, True)
    scope.insert(window.ReduceWindowOp([*inputs, *inits], sizes, body.region, strides, base, spread, padding))


def select_and_scatter(scope: Scope) -> None:
    x = scope.pick(tuple(t for t in ORDERED if t is not I1), lambda t: 1 <= t.rank <= 4 and 0 not in t.static_shape)
    shape, dtype = shape_of(x), type_of(x).dtype
    r = scope.random
    sizes = tuple(min(r.choice((1, 2, 3)), d) for d in shape)
    strides = tuple(r.choice((1, 2, 3)) for _ in shape)
    # Windows that lie in the padding alone have no element to select.
    padding = tuple((r.randint(0, w - 1), r.randint(0, w - 1)) for w in sizes)
    counts = [
        window.window_count(d, w, st, 1, 1, p) for d, w, st, p in zip(shape, sizes, strides, padding, strict=True)
    ]
    source = scope.like(tuple(c or 0 for c in counts), dtype)
    direction = r.choice((ComparisonDirection.GE, ComparisonDirection.LE))
    kind = ComparisonType.TOTALORDER if dtype.is_float else None

    def choose(inner: Scope) -> list[Value]:
        a, b = inner.block.args
        return [inner.insert(s.CompareOp(a, b, direction, kind)).result]

    def add(inner: Scope) -> list[Value]:
        a, b = inner.block.args
        return [inner.insert(s.AddOp(a, b)).result]

    regions = (scope.region([scalar(dtype)] * 2, choose), scope.region([scalar(dtype)] * 2, add))
    init = scope.like((), dtype)
    scope.insert(window.SelectAndScatterOp(x, source, init, *regions, sizes, strides, padding))


def dot_general(scope: Scope) -> None:
    x = scope.pick(NUMBERS, lambda t: t.rank <= 4)
    shape, dtype = shape_of(x), type_of(x).dtype
    r = scope.random
    roles = [r.choice(("batch", "contract", "contract", "free")) for _ in shape]
    batch = [d for d, role in enumerate(roles) if role == "batch"]
    contract = [d for d, role in enumerate(roles) if role == "contract"]
    r.shuffle(batch)
    r.shuffle(contract)
    free = [r.choice((1, 2, 3, 5, 17)) for _ in range(r.choice((0, 1, 1, 2)))]
    sides = (
        [("batch", d) for d in batch] + [("contract", d) for d in contract] + [("free", i) for i in range(len(free))]
    )
    order = sides.copy()
    r.shuffle(order)
    rhs_shape = tuple(free[i] if role == "free" else shape[i] for role, i in order)
    result = (*(shape[d] for d in batch), *(shape[d] for d, role in enumerate(roles) if role == "free"))
    result = (*result, *(free[i] for role, i in order if role == "free"))
    work = math.prod(result) * max(1, math.prod(shape[d] for d in contract))
    if math.prod(rhs_shape) > MAX_ELEMENTS or math.prod(result) > 4 * MAX_ELEMENTS or work > 1 << 16:
        return
    numbers = DotDimensionNumbers(
        tuple(batch),
        tuple(order.index(("batch", d)) for d in batch),
        tuple(contract),
        tuple(order.index(("contract", d)) for d in contract),
    )
    out = r.choice((dtype, dtype, F32)) if dtype.is_float and dtype is not F64 else dtype
    scope.insert(contraction.DotGeneralOp(x, scope.like(rhs_shape, dtype), numbers, TensorType(result, out)))


def convolution_(scope: Scope) -> None:
    r = scope.random
    dtype = random_dtype(r, NUMBERS)
    spatial = r.choice((0, 1, 1, 2, 2, 3))
    groups, batch_groups = r.choice(((1, 1), (1, 1), (2, 1), (3, 1), (1, 2)))
    per_group, features = r.choice((1, 2, 3)), groups * batch_groups * r.choice((1, 2, 3))
    batch = batch_groups * r.choice((1, 2))
    sizes = [r.choice((1, 3, 4, 5, 8)) if spatial < 3 else r.choice((1, 2, 3)) for _ in range(spatial)]
    kernel = [r.choice((1, 2, 3)) for _ in range(spatial)]

    def arranged(first: int, second: int, rest: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Positions of (first, second, rest…) in a random order of dimensions, and the shape in that order."""
        positions = list(range(2 + spatial))
        r.shuffle(positions)
        shape = [0] * (2 + spatial)
        for p, size in zip(positions, (first, second, *rest), strict=True):
            shape[p] = size
        return tuple(positions), tuple(shape)

    x_at, x_shape = arranged(batch, per_group * groups, sizes)
    w_at, w_shape = arranged(per_group, features, kernel)
    strides = tuple(r.choice((1, 1, 2)) for _ in kernel)
    lhs_dilation = tuple(r.choice((1, 1, 2)) for _ in kernel)
    rhs_dilation = tuple(r.choice((1, 1, 2)) for _ in kernel)
    padding = tuple((r.choice((0, 0, 1, 2, -1)), r.choice((0, 0, 1, 2, -1))) for _ in kernel)
    out = [
        window.window_count(*v) for v in zip(sizes, kernel, strides, lhs_dilation, rhs_dilation, padding, strict=True)
    ]
    out_at, out_shape = arranged(batch // batch_groups, features, [c or 0 for c in out])
    numbers = ConvDimensionNumbers(
        x_at[0], x_at[1], x_at[2:], w_at[0], w_at[1], w_at[2:], out_at[0], out_at[1], out_at[2:]
    )
    lhs, rhs = scope.like(x_shape, dtype), scope.like(w_shape, dtype)
    reversal = tuple(r.random() < 0.3 for _ in kernel)
    scope.insert(
        convolution.ConvolutionOp(
            lhs, rhs, numbers, groups, batch_groups, TensorType(out_shape, dtype), strides, padding, lhs_dilation,
            rhs_dilation, reversal,
        )
    )  # fmt: skip


def sort(scope: Scope) -> None:
    x = scope.pick(ORDERED, lambda t: t.rank >= 1)
    shape = shape_of(x)
    inputs = [x, *(scope.like(shape, random_dtype(scope.random)) for _ in range(scope.random.choice((0, 0, 1, 2))))]
    direction = scope.random.choice((ComparisonDirection.LT, ComparisonDirection.GT))
    key = scope.random.choice([i for i, v in enumerate(inputs) if type_of(v).dtype in ORDERED])
    key_type = type_of(inputs[key]).dtype
    kind = ComparisonType.TOTALORDER if key_type.is_float else None

    def before(inner: Scope) -> list[Value]:
        a, b = inner.block.args[2 * key : 2 * key + 2]
        return [inner.insert(s.CompareOp(a, b, direction, kind)).result]

    region = scope.region([scalar(type_of(v).dtype) for v in inputs for _ in range(2)], before)
    dim = scope.random.randrange(-len(shape), len(shape))
    scope.insert(reduction.SortOp(inputs, region, dim, True))


def batch_norm(scope: Scope) -> None:
    x = scope.pick(FLOATS, lambda t: t.rank >= 1 and 0 not in t.static_shape)
    shape, dtype = shape_of(x), type_of(x).dtype
    feature = scope.random.randrange(len(shape))
    vectors = [scope.like((shape[feature],), dtype) for _ in range(4)]
    variance = scope.insert(s.AbsOp(vectors[3])).result
    epsilon = scope.random.choice((1e-3, 0.5))
    kind = scope.random.randrange(3)
    if kind == 0:
        op = normalization.BatchNormInferenceOp(x, *vectors[:3], variance, epsilon, feature)
    elif kind == 1:
        op = normalization.BatchNormTrainingOp(x, *vectors[:2], epsilon, feature)
    else:
        grad = scope.like(shape, dtype)
        op = normalization.BatchNormGradOp(x, vectors[0], vectors[1], variance, grad, epsilon, feature)
    scope.insert(op)


MAKERS = {
    reduce: 6,
    reduce_window: 3,
    select_and_scatter: 1,
    dot_general: 4,
    convolution_: 2,
    sort: 2,
    batch_norm: 1,
}
