"""Batch normalisation, written with StableHLO's own formulas on loop nests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import math as m
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import normalization as s
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    PARALLEL,
    REDUCTION,
    Lowering,
    lowering,
    scalar_constant,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert
from tesselle.support.dtypes import F32, DType


def _compute_type(value: Value) -> DType:
    dtype = tensor_type(value).dtype
    return F32 if dtype.bits < 32 else dtype


def _new(b: Builder, cls: Any, *args: Value) -> Value:
    return b.insert(cls(*args)).result


def _along(
    b: Lowering,
    full: Sequence[Value],
    features: Sequence[Value],
    axis: int,
    out: DType,
    body: Callable[[Builder, list[Value]], Value],
) -> Value:
    """An elementwise loop nest over the shape of `full`, with vectors along `axis`; computed in f32 at least."""
    rank = tensor_type(full[0]).rank
    compute = _compute_type(full[0])
    maps = [*[AffineMap.identity(rank)] * len(full), *[AffineMap.select(rank, [axis])] * len(features)]

    def wide(n: Builder, args: list[Value]) -> Value:
        return convert(n, body(n, [convert(n, x, compute) for x in args]), out)

    return b.elementwise([*full, *features], maps, b.dims(full[0]), out, wide)


def _sum(
    b: Lowering,
    inputs: Sequence[Value],
    features: Sequence[Value],
    axis: int,
    body: Callable[[Builder, list[Value]], Value],
) -> Value:
    """The sum of body(inputs, features) over all dimensions but `axis`, in f32 at least."""
    rank = tensor_type(inputs[0]).rank
    compute = _compute_type(inputs[0])
    out = b.fill(b.constant(0, compute), [b.dim(inputs[0], axis)])

    def add(n: Builder, args: list[Value]) -> list[Value]:
        values = [convert(n, x, compute) for x in args[:-1]]
        return [_new(n, a.AddFOp, args[-1], body(n, values))]

    maps = [*[AffineMap.identity(rank)] * len(inputs), *[AffineMap.select(rank, [axis])] * len(features)]
    iterators = [PARALLEL if d == axis else REDUCTION for d in range(rank)]
    return b.generic([*inputs, *features], maps, [out], [AffineMap.select(rank, [axis])], iterators, add)[0]


def _count(b: Lowering, value: Value, axis: int, dtype: DType) -> Value:
    """The number of elements per feature, as a scalar float."""
    t = tensor_type(value)
    known, count = 1, None
    for d, size in enumerate(b.dims(value)):
        if d == axis:
            continue
        if isinstance(size, int):
            known *= size
        else:
            count = size if count is None else _new(b, a.MulIOp, count, size)
    if count is None:
        return b.constant(known, dtype)
    from tesselle.support.dtypes import I64

    del t
    whole = _new(b, a.MulIOp, count, b.index(known))
    return b.insert(a.SIToFPOp(b.insert(a.IndexCastOp(whole, I64)).result, dtype)).result


def _scaled(b: Lowering, value: Value, count: Value) -> Value:
    """A vector divided by a scalar."""
    dtype = tensor_type(value).dtype
    maps = [AffineMap.identity(1), AffineMap(1, 0, ())]
    return b.elementwise([value, count], maps, b.dims(value), dtype, lambda n, x: _new(n, a.DivFOp, x[0], x[1]))


def _normalize(n: Builder, x: list[Value], epsilon: float) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset."""
    operand, scale, offset, mean, variance = x
    dtype = operand.type
    assert isinstance(dtype, DType)
    root = _new(n, m.SqrtOp, _new(n, a.AddFOp, variance, scalar_constant(n, epsilon, dtype)))
    centered = _new(n, a.SubFOp, operand, mean)
    return _new(n, a.AddFOp, _new(n, a.MulFOp, _new(n, a.DivFOp, centered, root), scale), offset)


@lowering(s.BatchNormInferenceOp)
def batch_norm_inference(op: s.BatchNormInferenceOp, b: Lowering) -> Value:
    features = [op.scale, op.offset, op.mean, op.variance]
    dtype = tensor_type(op.operand).dtype
    return _along(b, [op.operand], features, op.feature_index, dtype, lambda n, x: _normalize(n, x, op.epsilon))


@lowering(s.BatchNormTrainingOp)
def batch_norm_training(op: s.BatchNormTrainingOp, b: Lowering) -> list[Value]:
    x, axis = op.operand, op.feature_index
    dtype, compute = tensor_type(x).dtype, _compute_type(x)
    count = _count(b, x, axis, compute)
    mean = _scaled(b, _sum(b, [x], [], axis, lambda n, v: v[0]), count)

    def square(n: Builder, v: list[Value]) -> Value:
        centered = _new(n, a.SubFOp, v[0], v[1])
        return _new(n, a.MulFOp, centered, centered)

    variance = _scaled(b, _sum(b, [x], [mean], axis, square), count)
    features = [op.scale, op.offset, mean, variance]
    out = _along(b, [x], features, axis, dtype, lambda n, v: _normalize(n, v, op.epsilon))
    from tesselle.passes.global_optimization.stablehlo_to_linalg.contraction import convert_tensor

    return [out, convert_tensor(b, mean, dtype), convert_tensor(b, variance, dtype)]


@lowering(s.BatchNormGradOp)
def batch_norm_grad(op: s.BatchNormGradOp, b: Lowering) -> list[Value]:
    """Source: StableHLO spec, batch_norm_grad."""
    x, dy, axis = op.operand, op.grad_output, op.feature_index
    dtype, compute = tensor_type(x).dtype, _compute_type(x)
    count = _count(b, x, axis, compute)
    dy_sum = _sum(b, [dy], [], axis, lambda n, v: v[0])
    scaled = _sum(b, [dy, x], [op.mean], axis, lambda n, v: _new(n, a.MulFOp, v[0], _new(n, a.SubFOp, v[1], v[2])))
    rank = tensor_type(x).rank
    features = [op.scale, op.mean, op.variance, dy_sum, scaled]
    maps = [
        AffineMap.identity(rank),
        AffineMap.identity(rank),
        *[AffineMap.select(rank, [axis])] * len(features),
        AffineMap(rank, 0, ()),
    ]

    def gradient(n: Builder, args: list[Value]) -> Value:
        v, d, scale, mean, variance, total, cross, size = (convert(n, y, compute) for y in args)
        shifted = _new(n, a.AddFOp, variance, scalar_constant(n, op.epsilon, compute))
        centered = _new(n, a.SubFOp, v, mean)
        i1 = _new(n, a.MulFOp, d, size)
        i3 = _new(n, a.DivFOp, _new(n, a.MulFOp, cross, centered), shifted)
        inner = _new(n, a.SubFOp, _new(n, a.SubFOp, i1, total), i3)
        factor = _new(n, a.DivFOp, _new(n, a.DivFOp, scale, _new(n, m.SqrtOp, shifted)), size)
        return convert(n, _new(n, a.MulFOp, factor, inner), dtype)

    grad_operand = b.elementwise([x, dy, *features, count], maps, b.dims(x), dtype, gradient)

    def scale_gradient(n: Builder, args: list[Value]) -> Value:
        cross, variance = convert(n, args[0], compute), convert(n, args[1], compute)
        root = _new(n, m.SqrtOp, _new(n, a.AddFOp, variance, scalar_constant(n, op.epsilon, compute)))
        return convert(n, _new(n, a.DivFOp, cross, root), dtype)

    one = AffineMap.identity(1)
    grad_scale = b.elementwise([scaled, op.variance], [one, one], b.dims(scaled), dtype, scale_gradient)
    from tesselle.passes.global_optimization.stablehlo_to_linalg.contraction import convert_tensor

    return [grad_operand, grad_scale, convert_tensor(b, dy_sum, dtype)]
