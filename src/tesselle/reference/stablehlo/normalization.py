"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.stablehlo import normalization as s
from tesselle.reference.numerics import widen
from tesselle.reference.registry import Array, semantics


def _along(x: Array, rank: int, feature: int) -> Array:
    return widen(x).reshape([-1 if d == feature else 1 for d in range(rank)])


@semantics(s.BatchNormInferenceOp)
def batch_norm_inference(
    op: s.BatchNormInferenceOp, x: Array, scale: Array, offset: Array, mean: Array, variance: Array
) -> Array:
    g, b, m, v = (_along(a, x.ndim, op.feature_index) for a in (scale, offset, mean, variance))
    return ((widen(x) - m) / np.sqrt(v + v.dtype.type(op.epsilon)) * g + b).astype(x.dtype)


@semantics(s.BatchNormTrainingOp)
def batch_norm_training(op: s.BatchNormTrainingOp, x: Array, scale: Array, offset: Array) -> list[Array]:
    axes = tuple(d for d in range(x.ndim) if d != op.feature_index)
    wide = widen(x)
    mean, variance = wide.mean(axis=axes), wide.var(axis=axes)
    g, b, m, v = (_along(a, x.ndim, op.feature_index) for a in (scale, offset, mean, variance))
    out = (wide - m) / np.sqrt(v + v.dtype.type(op.epsilon)) * g + b
    return [out.astype(x.dtype), mean.astype(x.dtype), variance.astype(x.dtype)]


@semantics(s.BatchNormGradOp)
def batch_norm_grad(
    op: s.BatchNormGradOp, x: Array, scale: Array, mean: Array, variance: Array, grad: Array
) -> list[Array]:
    axes = tuple(d for d in range(x.ndim) if d != op.feature_index)
    g, m, v = (_along(a, x.ndim, op.feature_index) for a in (scale, mean, variance))
    wide, dy = widen(x), widen(grad)
    count = np.prod([x.shape[d] for d in axes]).astype(wide.dtype)
    centered, root = wide - m, np.sqrt(v + v.dtype.type(op.epsilon))
    dy_sum = dy.sum(axis=axes)
    scaled = (dy * centered).sum(axis=axes)
    i1, i2 = dy * count, _along(dy_sum, x.ndim, op.feature_index)
    i3 = _along(scaled, x.ndim, op.feature_index) * centered / (v + v.dtype.type(op.epsilon))
    grad_operand = g / root / count * (i1 - i2 - i3)
    grad_scale = (dy * centered / root).sum(axis=axes)
    return [grad_operand.astype(x.dtype), grad_scale.astype(x.dtype), dy_sum.astype(x.dtype)]
