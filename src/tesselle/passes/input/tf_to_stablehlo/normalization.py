"""Batch normalization, and local response normalization."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.window import ReduceWindowOp
from tesselle.dialects.tf import pooling as tf
from tesselle.ir.core import Op, Value
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.convolution import Layout
from tesselle.passes.input.tf_to_stablehlo.registry import lowering


class _Channels:
    """A tensor of images as f32 (or f64), and vectors of its channels."""

    def __init__(self, b: TfBuilder, x: Value, data_format: str) -> None:
        self.b = b
        self.dtype = b.dtype(x).compute
        self.x = b.tensor(b.convert(x, self.dtype))
        layout = Layout.of(b, data_format, b.rank(x))
        self.feature = layout.feature
        self.axes = [d for d in range(layout.rank) if d != layout.feature]

    def sum(self, x: Tensor) -> Tensor:
        return self.b.tensor(self.b.sum(x.value, self.axes))

    def spread(self, vector: Tensor) -> Tensor:
        """A vector of channels in the shape of the images."""
        return self.b.tensor(self.b.broadcast_to(vector.value, self.b.sizes(self.x.value), (self.feature,)))

    def vector(self, value: Value) -> Tensor:
        return self.b.tensor(self.b.convert(value, self.dtype))

    def count(self) -> Tensor:
        """How many elements a channel has, for every channel."""
        b = self.b
        number = b.product([b.size_at(self.x.value, d) for d in self.axes])
        return b.tensor(b.broadcast_to(b.value_of(number, self.dtype), [b.size_at(self.x.value, self.feature)], ()))


@lowering(tf.FusedBatchNormOp, tf.FusedBatchNormV2Op, tf.FusedBatchNormV3Op)
def batch_norm(op: tf.FusedBatchNormBase, b: TfBuilder) -> list[Value]:
    channels = _Channels(b, op.x, op.data_format)
    scale, offset = channels.vector(op.scale), channels.vector(op.offset)
    if op.is_training:
        count = channels.count()
        mean = channels.sum(channels.x) / count
        centered = channels.x - channels.spread(mean)
        variance = channels.sum(centered * centered) / count
        rest = (count - 1).apply(e.MaximumOp, 1)
        statistics = [mean, variance * (count / rest)]
        factor = op.exponential_avg_factor
        if factor != 1:
            old = [channels.vector(op.mean), channels.vector(op.variance)]
            statistics = [o * (1 - factor) + s * factor for o, s in zip(old, statistics, strict=True)]
    else:
        mean, variance = channels.vector(op.mean), channels.vector(op.variance)
        centered = channels.x - channels.spread(mean)
        statistics = [mean, variance]
    factors = (variance + op.epsilon).apply(e.RsqrtOp) * scale
    y = centered * channels.spread(factors) + channels.spread(offset)
    values = [y.value, *(s.value for s in statistics), mean.value, variance.value]
    return _results(b, op, values)


def _results(b: TfBuilder, op: Op, values: Sequence[Value]) -> list[Value]:
    """The values in the results' element types, and zeros for results that hold nothing."""
    found = [b.convert(v, tensor_type(r).dtype) for v, r in zip(values, op.results, strict=False)]
    for r in op.results[len(values) :]:
        found.append(b.zeros([n or 0 for n in tensor_type(r).shape], tensor_type(r).dtype))
    return found


@lowering(tf.FusedBatchNormGradV3Op)
def batch_norm_grad(op: tf.FusedBatchNormGradV3Op, b: TfBuilder) -> list[Value]:
    """Of training: scale rsqrt(v + ε) (g - mean(g) - x̂ mean(g x̂)); else the statistics are constants"""
    channels = _Channels(b, op.x, op.data_format)
    g = b.tensor(b.convert(op.y_backprop, channels.dtype))
    scale, mean, variance = (channels.vector(v) for v in (op.scale, op.reserve_space_1, op.reserve_space_2))
    root = (variance + op.epsilon).apply(e.RsqrtOp)
    normal = (channels.x - channels.spread(mean)) * channels.spread(root)
    by_offset, by_scale = channels.sum(g), channels.sum(g * normal)
    if op.is_training:
        count = channels.count()
        g = g - channels.spread(by_offset / count) - normal * channels.spread(by_scale / count)
    by_x = g * channels.spread(scale * root)
    return _results(b, op, [by_x.value, by_scale.value, by_offset.value])


# ---------------------------------------------------------------------------------------------- local response


def _neighbours(b: TfBuilder, x: Value, radius: int) -> Value:
    """The sum over `radius` channels on both sides."""
    dtype = b.dtype(x)
    window = (1, 1, 1, 2 * radius + 1)
    pads = ((0, 0), (0, 0), (0, 0), (radius, radius))
    zero = b.full(0, (), dtype)
    combine = b.combiner(e.AddOp, dtype)
    return b.insert(ReduceWindowOp((x, zero), window, combine, (1,) * 4, None, None, pads)).results[0]


@lowering(tf.LRNOp)
def lrn(op: tf.LRNOp, b: TfBuilder) -> Value:
    dtype = b.dtype(op.input)
    x = b.tensor(b.convert(op.input, dtype.compute))
    norm = b.tensor(_neighbours(b, (x * x).value, op.depth_radius)) * op.alpha + op.bias
    return b.convert((x * norm.apply(e.PowerOp, -op.beta)).value, dtype)


@lowering(tf.LRNGradOp)
def lrn_grad(op: tf.LRNGradOp, b: TfBuilder) -> Value:
    """g norm^-β - 2 α β x sum over neighbours of (g y / norm)"""
    dtype = b.dtype(op.input_image)
    g, x, y = (b.tensor(b.convert(v, dtype.compute)) for v in op.operands)
    norm = b.tensor(_neighbours(b, (x * x).value, op.depth_radius)) * op.alpha + op.bias
    around = b.tensor(_neighbours(b, (g * y / norm).value, op.depth_radius))
    return b.convert((g * norm.apply(e.PowerOp, -op.beta) - x * around * (2 * op.alpha * op.beta)).value, dtype)
