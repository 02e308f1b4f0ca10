"""Pooling: reductions of moving windows.

%r = tf.AvgPool %x {ksize = [1, 2, 2, 1], padding = "SAME"}
->  sum of %x in each window  /  sum of ones, as many as %x has pixels, in each window
"""

from __future__ import annotations

import math

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.window import ReduceWindowOp
from tesselle.dialects.tf import pooling as tf
from tesselle.ir.core import Op, Value
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.convolution import Edges, Layout, Window, edges, is_known, paddings
from tesselle.passes.input.tf_to_stablehlo.reduction import lowest
from tesselle.passes.input.tf_to_stablehlo.registry import lowering


def _edges(op: tf.PoolOp, b: TfBuilder, x: Value) -> Edges:
    """What is added in front of and behind every dimension."""
    # The window alone says which dimensions it moves along, whatever the format calls them.
    moved = tuple(d for d, (k, s) in enumerate(_steps(op)) if k > 1 or s > 1)
    layout = Layout(op.RANK, op.RANK - 1, moved)
    window = Window(layout.spatial_of(op.ksize), layout.spatial_of(op.strides), (1,) * len(moved))
    low, high = paddings(b, op, layout, window, [b.size_at(x, d) for d in moved])
    return edges(layout, low), edges(layout, high)


def _windows(op: tf.PoolOp, b: TfBuilder, x: Value, cls: type[Op], start: complex, around: Edges) -> Value:
    dtype = tensor_type(x).dtype
    low, high = around
    pads = tuple((p, q) for p, q in zip(low, high, strict=True) if isinstance(p, int) and isinstance(q, int))
    if not (is_known(low) and is_known(high)):
        x = b.padded(x, start, low, high)
        pads = ((0, 0),) * op.RANK
    operands = (x, b.full(start, (), dtype))
    body = b.combiner(cls, dtype)
    return b.insert(ReduceWindowOp(operands, op.ksize, body, op.strides, None, None, pads)).results[0]


@lowering(tf.MaxPoolOp, tf.MaxPool3DOp)
def max_pool(op: tf.PoolOp, b: TfBuilder) -> Value:
    x = op.operands[0]
    return _windows(op, b, x, e.MaximumOp, lowest(tensor_type(x).dtype), _edges(op, b, x))


@lowering(tf.AvgPoolOp, tf.AvgPool3DOp)
def average_pool(op: tf.PoolOp, b: TfBuilder) -> Value:
    x = op.operands[0]
    dtype = tensor_type(x).dtype
    around = _edges(op, b, x)
    total = _windows(op, b, x, e.AddOp, 0, around)
    if all(n == 0 for side in around for n in side):
        return b.binary(e.DivideOp, total, b.full_of(math.prod(op.ksize), b.sizes(total), dtype))
    # How many elements a window has depends on where it stands along the dimensions that it moves along, only.
    whole: list[Size] = [1 if k == 1 and s == 1 else b.size_at(x, d) for d, (k, s) in enumerate(_steps(op))]
    counts = _windows(op, b, b.full_of(1, whole, dtype), e.AddOp, 0, around)
    return b.binary(e.DivideOp, total, b.broadcast_to(counts, b.sizes(total)))


def _steps(op: tf.PoolOp) -> list[tuple[int, int]]:
    return list(zip(op.ksize, op.strides, strict=True))
