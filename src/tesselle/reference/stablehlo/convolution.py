"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.stablehlo import convolution as s
from tesselle.reference.numerics import narrow, widen
from tesselle.reference.registry import Array, semantics
from tesselle.reference.stablehlo.contraction import sum_of_products
from tesselle.reference.stablehlo.dynamic import ints
from tesselle.reference.stablehlo.shape import pad, result_type
from tesselle.reference.stablehlo.window import window_offsets, window_slice


def convolve(op: s.ConvolutionOp | s.DynamicConvOp, lhs: Array, rhs: Array, padding: Sequence[Sequence[int]]) -> Array:
    """out[n, x, f] = sum over w, c of lhs[n, x * stride + w * dilation, c] * rhs[w, c, f], by groups."""
    d = op.dimension_numbers
    rank = lhs.ndim - 2
    strides = op.window_strides or (1,) * rank
    base, dilation = op.lhs_dilation or (1,) * rank, op.rhs_dilation or (1,) * rank
    out_dtype = result_type(op).dtype
    accumulator = out_dtype.compute.numpy
    x = lhs.transpose((d.input_batch_dimension, *d.input_spatial_dimensions, d.input_feature_dimension))
    w = rhs.transpose(
        (*d.kernel_spatial_dimensions, d.kernel_input_feature_dimension, d.kernel_output_feature_dimension)
    )
    x, w = widen(x).astype(accumulator), widen(w).astype(accumulator)
    reversed_dims = tuple(i for i, r in enumerate(op.window_reversal or ()) if r)
    w = np.flip(w, reversed_dims) if reversed_dims else w
    low = [0, *(p[0] for p in padding), 0]
    high = [0, *(p[1] for p in padding), 0]
    x = pad(x, np.zeros((), x.dtype), low, high, [0, *(b - 1 for b in base), 0])
    groups, batch_groups = op.feature_group_count, op.batch_group_count
    counts = [max(0, (x.shape[1 + i] - ((w.shape[i] - 1) * dilation[i] + 1)) // strides[i] + 1) for i in range(rank)]
    features = w.shape[-1]
    group_count = max(groups, batch_groups)
    batch, channels = x.shape[0] // batch_groups, x.shape[-1] // groups
    out = np.zeros((batch, *counts, group_count, features // group_count), accumulator)
    for offset in window_offsets(w.shape[:rank], dilation):
        place = tuple(o // t for o, t in zip(offset, dilation, strict=True))
        piece = window_slice(x, (0, *offset, 0), (x.shape[0], *counts, x.shape[-1]), (1, *strides, 1))
        kernel = w[place].reshape(channels, group_count, features // group_count)
        if batch_groups > 1:
            split = piece.reshape(batch_groups, batch, *counts, channels)
            out += sum_of_products("gb...c,cgf->b...gf", split, kernel)
        else:
            split = piece.reshape(batch, *counts, groups, channels)
            out += sum_of_products("b...gc,cgf->b...gf", split, kernel)
    result = narrow(out.reshape(batch, *counts, features), out_dtype.numpy)
    order = (d.output_batch_dimension, *d.output_spatial_dimensions, d.output_feature_dimension)
    return result.transpose(np.argsort(order))


@semantics(s.ConvolutionOp)
def convolution(op: s.ConvolutionOp, lhs: Array, rhs: Array) -> Array:
    return convolve(op, lhs, rhs, op.padding or ((0, 0),) * (lhs.ndim - 2))


@semantics(s.DynamicConvOp)
def dynamic_conv(op: s.DynamicConvOp, lhs: Array, rhs: Array, padding: Array) -> Array:
    flat = ints(padding)
    return convolve(op, lhs, rhs, [flat[i : i + 2] for i in range(0, len(flat), 2)])
