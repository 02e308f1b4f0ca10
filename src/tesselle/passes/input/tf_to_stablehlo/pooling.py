"""Pooling, and its gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.window import ReduceWindowOp, SelectAndScatterOp
from tesselle.dialects.tf import pooling as tf
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.convolution import Edges, Layout, Window, edges, is_known, paddings, widened
from tesselle.passes.input.tf_to_stablehlo.reduction import lowest
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import F32, I32


class _Pooling:
    """Windows over the spatial dimensions, and over channels where the operation has them there."""

    def __init__(self, op: tf.PoolingAttributes, b: TfBuilder) -> None:
        self.op, self.b = op, b
        data_format = str(op.attributes.get("data_format", "NHWC" if op.RANK == 4 else "NDHWC"))
        images = Layout.of(b, data_format, op.RANK)
        axes = tuple(d for d in range(1, op.RANK) if d in images.spatial or op.ksize[d] > 1 or op.strides[d] > 1)
        self.layout = Layout(op.RANK, images.feature, axes)
        sizes, strides = self.layout.spatial_of(op.ksize), self.layout.spatial_of(op.strides)
        self.window = Window(sizes, strides, (1,) * len(axes))

    def paddings(self, sizes: Sequence[Size]) -> Edges:
        return paddings(self.b, self.op, self.layout, self.window, sizes)

    def sizes(self, value: Value) -> list[Size]:
        return [self.b.size_at(value, d) for d in self.layout.spatial]

    def full(self, values: Sequence[int]) -> tuple[int, ...]:
        """Numbers of the walked dimensions, for all of them."""
        found = [1] * self.layout.rank
        for d, n in zip(self.layout.spatial, values, strict=True):
            found[d] = n
        return tuple(found)

    def pads(self, low: Sequence[Size], high: Sequence[Size]) -> tuple[tuple[int, int], ...]:
        found = [(0, 0)] * self.layout.rank
        for d, p, q in zip(self.layout.spatial, low, high, strict=True):
            assert isinstance(p, int) and isinstance(q, int)
            found[d] = p, q
        return tuple(found)

    def reduced(self, x: Value, cls: type[Op], start: complex, low: Sequence[Size], high: Sequence[Size]) -> Value:
        """The fold of every window."""
        b = self.b
        dtype = b.dtype(x)
        if not (is_known(low) and is_known(high)):
            x = b.padded(x, start, edges(self.layout, low), edges(self.layout, high))
            low = high = [0] * len(low)
        init = b.full(start, (), dtype)
        return b.insert(
            ReduceWindowOp(
                (x, init),
                self.full(self.window.size),
                b.combiner(cls, dtype),
                self.full(self.window.strides),
                None,
                None,
                self.pads(low, high),
            )
        ).results[0]

    def counts(self, inputs: Sequence[Size], outputs: Sequence[Size], low: Sequence[Size], like: Value) -> Value | int:
        """How many elements of every window are no padding, in the shape of `like`, or one number for all."""
        b, op = self.b, self.op
        if op.padding == "VALID":
            return int(np.prod(self.window.size))
        dtype = b.dtype(like)
        found: Value | None = None
        for d, n, m, p, k, s in zip(
            self.layout.spatial, inputs, outputs, low, self.window.size, self.window.strides, strict=True
        ):
            start = b.tensor(b.multiply(b.iota([m], 0, I32), b.broadcast_to(b.index(s), [m], ())))
            first = start - b.tensor(b.broadcast_to(b.value_of(p), [m], ()))
            limit = b.tensor(b.broadcast_to(b.value_of(n), [m], ()))
            inside = (first + k).apply(e.MinimumOp, limit) - first.apply(e.MaximumOp, 0)
            spread = b.broadcast_to(b.convert(inside.value, dtype), b.sizes(like), (d,))
            found = spread if found is None else b.multiply(found, spread)
        assert found is not None
        return found


@lowering(tf.MaxPoolOp, tf.MaxPool3DOp)
def max_pool(op: tf.PoolingOp, b: TfBuilder) -> Value:
    pooling = _Pooling(op, b)
    low, high = pooling.paddings(pooling.sizes(op.value))
    return pooling.reduced(op.value, e.MaximumOp, lowest(b.dtype(op.value)), low, high)


@lowering(tf.AvgPoolOp, tf.AvgPool3DOp)
def avg_pool(op: tf.PoolingOp, b: TfBuilder) -> Value:
    pooling = _Pooling(op, b)
    dtype = b.dtype(op.value)
    x = b.convert(op.value, dtype.compute if dtype.is_float else F32)
    inputs = pooling.sizes(x)
    low, high = pooling.paddings(inputs)
    total = pooling.reduced(x, e.AddOp, 0, low, high)
    return b.convert(_divided(b, total, pooling.counts(inputs, pooling.sizes(total), low, total)), dtype)


def _divided(b: TfBuilder, value: Value, count: Value | int) -> Value:
    x = b.tensor(value)
    return (x / (count if isinstance(count, int) else b.tensor(count))).value


@lowering(tf.MaxPoolGradOp, tf.MaxPool3DGradOp)
def max_pool_grad(op: tf.MaxPoolGradBase, b: TfBuilder) -> Value:
    """select_and_scatter; where the padding is not known, of the padded operand, which is cut again"""
    pooling = _Pooling(op, b)
    dtype = b.dtype(op.orig_input)
    sizes = pooling.sizes(op.orig_input)
    low, high = pooling.paddings(sizes)
    x = op.orig_input
    padded = not (is_known(low) and is_known(high))
    if padded:
        x = b.padded(x, lowest(dtype), edges(pooling.layout, low), edges(pooling.layout, high))
    pads = None if padded else pooling.pads(low, high)
    scalar = TensorType((), dtype)
    block = Block((scalar, scalar))
    inner = StablehloBuilder(block, None, b.location)
    inner.insert(ReturnOp((inner.compare(block.args[0], ComparisonDirection.GE, block.args[1]),)))
    found = b.insert(
        SelectAndScatterOp(
            x,
            op.grad,
            b.full(0, (), dtype),
            Region([block]),
            b.combiner(e.AddOp, dtype),
            pooling.full(pooling.window.size),
            pooling.full(pooling.window.strides),
            pads,
        )
    ).result
    if not padded:
        return found
    starts: list[Size] = [0] * op.RANK
    limits = b.sizes(found)
    for d, p, n in zip(pooling.layout.spatial, low, sizes, strict=True):
        starts[d], limits[d] = p, b.plus(p, n)
    return b.cast(b.part(found, starts, limits), tensor_type(op.orig_input))


@lowering(tf.AvgPoolGradOp, tf.AvgPool3DGradOp)
def avg_pool_grad(op: tf.AvgPoolGradBase, b: TfBuilder) -> Value:
    """The gradient over the counts, widened by the strides, summed over the windows that hold an element"""
    pooling = _Pooling(op, b)
    given, known = b.elements(op.orig_input_shape), op.result_type.shape
    inputs = [given[d] if known[d] is None else known[d] or 0 for d in pooling.layout.spatial]
    outputs = pooling.sizes(op.grad)
    low, _ = pooling.paddings(inputs)
    dtype = b.dtype(op.grad)
    g = b.convert(op.grad, dtype.compute)
    g = _divided(b, g, pooling.counts(inputs, outputs, low, g))
    front: list[Size] = []
    back: list[Size] = []
    for p, n, m, k, s in zip(low, inputs, outputs, pooling.window.size, pooling.window.strides, strict=True):
        front.append(b.minus(k - 1, p))
        back.append(b.plus(b.minus(n, widened(b, m, s)), p))
    inner = [n - 1 for n in pooling.full(pooling.window.strides)]
    wide = b.padded(g, 0, edges(pooling.layout, front), edges(pooling.layout, back), inner)
    pooling.window = Window(pooling.window.size, (1,) * len(inputs), pooling.window.dilations)
    none: list[Size] = [0] * len(inputs)
    return b.convert(pooling.reduced(wide, e.AddOp, 0, none, none), dtype)
