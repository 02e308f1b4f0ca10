"""StableHLO whose shapes are operands."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.stablehlo import dynamic as s
from tesselle.reference.registry import Array, semantics
from tesselle.reference.stablehlo.shape import broadcast_in_dim, iota, pad, result_type


def ints(x: Array) -> list[int]:
    return [int(v) for v in x.reshape(-1)]


@semantics(s.DynamicBroadcastInDimOp)
def dynamic_broadcast_in_dim(op: s.DynamicBroadcastInDimOp, x: Array, shape: Array) -> Array:
    return broadcast_in_dim(x, ints(shape), op.broadcast_dimensions)


@semantics(s.DynamicIotaOp)
def dynamic_iota(op: s.DynamicIotaOp, shape: Array) -> Array:
    return iota(ints(shape), op.iota_dimension, result_type(op).dtype)


@semantics(s.DynamicReshapeOp)
def dynamic_reshape(op: s.DynamicReshapeOp, x: Array, shape: Array) -> Array:
    return x.reshape(ints(shape))


@semantics(s.DynamicPadOp)
def dynamic_pad(op: s.DynamicPadOp, x: Array, value: Array, low: Array, high: Array, interior: Array) -> Array:
    return pad(x, value, ints(low), ints(high), ints(interior))


@semantics(s.RealDynamicSliceOp)
def real_dynamic_slice(op: s.RealDynamicSliceOp, x: Array, start: Array, limit: Array, strides: Array) -> Array:
    return np.asarray(x[tuple(map(slice, ints(start), ints(limit), ints(strides)))])
