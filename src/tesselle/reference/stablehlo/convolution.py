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


class Products:
    """What a convolution sums up: for each place of the kernel a piece of the input and a slice of the kernel.

    `equation` multiplies them and sums over the features of the input, the last dimension of the piece and the first of
    the slice. out[n, x, f] = sum over w, c of lhs[n, x * stride + w * dilation, c] * rhs[w, c, f], by groups.
    """

    def __init__(
        self, op: s.ConvolutionOp | s.DynamicConvOp, lhs: Array, rhs: Array, padding: Sequence[Sequence[int]]
    ) -> None:
        d = op.dimension_numbers
        rank = lhs.ndim - 2
        strides = op.window_strides or (1,) * rank
        base, dilation = op.lhs_dilation or (1,) * rank, op.rhs_dilation or (1,) * rank
        self.dtype = result_type(op).dtype
        self.accumulator = self.dtype.compute.numpy
        x = lhs.transpose((d.input_batch_dimension, *d.input_spatial_dimensions, d.input_feature_dimension))
        w = rhs.transpose(
            (*d.kernel_spatial_dimensions, d.kernel_input_feature_dimension, d.kernel_output_feature_dimension)
        )
        x, w = widen(x).astype(self.accumulator), widen(w).astype(self.accumulator)
        reversed_dims = tuple(i for i, r in enumerate(op.window_reversal or ()) if r)
        w = np.flip(w, reversed_dims) if reversed_dims else w
        low = [0, *(p[0] for p in padding), 0]
        high = [0, *(p[1] for p in padding), 0]
        x = pad(x, np.zeros((), x.dtype), low, high, [0, *(b - 1 for b in base), 0])
        groups, batch_groups = op.feature_group_count, op.batch_group_count
        counts = [
            max(0, (x.shape[1 + i] - ((w.shape[i] - 1) * dilation[i] + 1)) // strides[i] + 1) for i in range(rank)
        ]
        features, group_count = w.shape[-1], max(groups, batch_groups)
        batch, channels = x.shape[0] // batch_groups, x.shape[-1] // groups
        self.equation = "gb...c,cgf->b...gf" if batch_groups > 1 else "b...gc,cgf->b...gf"
        self.shape = (batch, *counts, group_count, features // group_count)
        self._features = features
        self._order = (d.output_batch_dimension, *d.output_spatial_dimensions, d.output_feature_dimension)
        by_groups = (batch_groups, batch, *counts, channels) if batch_groups > 1 else (batch, *counts, groups, channels)
        self.pairs: list[tuple[Array, Array]] = []
        for offset in window_offsets(w.shape[:rank], dilation):
            place = tuple(o // t for o, t in zip(offset, dilation, strict=True))
            piece = window_slice(x, (0, *offset, 0), (x.shape[0], *counts, x.shape[-1]), (1, *strides, 1))
            kernel = w[place].reshape(channels, group_count, features // group_count)
            self.pairs.append((piece.reshape(by_groups), kernel))

    def result(self, total: Array) -> Array:
        """The operation's result from the sum, which has `shape` and the type `accumulator`."""
        narrowed = narrow(total.reshape(*self.shape[:-2], self._features), self.dtype.numpy)
        return narrowed.transpose(np.argsort(self._order))


def convolve(op: s.ConvolutionOp | s.DynamicConvOp, lhs: Array, rhs: Array, padding: Sequence[Sequence[int]]) -> Array:
    products = Products(op, lhs, rhs, padding)
    total = np.zeros(products.shape, products.accumulator)
    for piece, kernel in products.pairs:
        total += sum_of_products(products.equation, piece, kernel)
    return products.result(total)


def padding_of(op: s.ConvolutionOp) -> Sequence[Sequence[int]]:
    return op.padding or ((0, 0),) * len(op.dimension_numbers.input_spatial_dimensions)


@semantics(s.ConvolutionOp)
def convolution(op: s.ConvolutionOp, lhs: Array, rhs: Array) -> Array:
    return convolve(op, lhs, rhs, padding_of(op))


@semantics(s.DynamicConvOp)
def dynamic_conv(op: s.DynamicConvOp, lhs: Array, rhs: Array, padding: Array) -> Array:
    flat = ints(padding)
    return convolve(op, lhs, rhs, [flat[i : i + 2] for i in range(0, len(flat), 2)])
