"""linalg on packed weights: unpack the panels, then as linalg.contract and linalg.conv."""

from __future__ import annotations

import math

import numpy as np

from tesselle.dialects.linalg import packed as s
from tesselle.reference.linalg import grouped_convolution
from tesselle.reference.numerics import widen
from tesselle.reference.registry import Array, semantics
from tesselle.reference.stablehlo.contraction import einsum
from tesselle.support.dtypes import from_numpy


def unpacked(panels: Array, columns: int) -> Array:
    """[batch…, panels, K, panel] -> [batch…, K, columns]."""
    *batch, count, depth, width = panels.shape
    return np.swapaxes(panels, -3, -2).reshape(*batch, depth, count * width)[..., :columns]


@semantics(s.PackedContractOp)
def packed_contract(op: s.PackedContractOp, lhs: Array, rhs: Array, output: Array) -> Array:
    batch = rhs.shape[: len(op.batch_loops)]
    weights = unpacked(rhs, math.prod(op.n_sizes)).reshape(*batch, *op.k_sizes, *op.n_sizes)
    loops = [*op.batch_loops, *op.k_loops, *op.n_loops]
    subscripts = [[*(op.lhs_map.projected_dims() or ())], loops, [*(op.out_map.projected_dims() or ())]]
    product = einsum(subscripts, (lhs, weights), from_numpy(output.dtype))
    return (widen(output) + widen(product)).astype(output.dtype)


@semantics(s.PackedConvOp)
def packed_conv(op: s.PackedConvOp, x: Array, filter: Array, output: Array) -> Array:
    split = unpacked(filter, op.features // op.groups)
    channels = split.shape[1] // math.prod(op.window)
    weights = split.transpose(1, 0, 2).reshape(*op.window, channels, op.features)
    return grouped_convolution(x, weights, output, op.strides, op.dilations, op.groups)
