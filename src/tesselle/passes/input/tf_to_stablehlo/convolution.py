"""Convolutions, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import convolution as conv
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ConvDimensionNumbers
from tesselle.dialects.stablehlo.window import window_count
from tesselle.dialects.tf import contraction as tf
from tesselle.ir.core import Op, Value
from tesselle.ir.types import Dim
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.contraction import product
from tesselle.passes.input.tf_to_stablehlo.registry import lowering

Edges = tuple[list[Size], list[Size]]
"""What is added in front of and behind dimensions."""


@dataclass(frozen=True)
class Layout:
    """Where a tensor of images has its dimensions."""

    rank: int
    feature: int
    spatial: tuple[int, ...]

    @staticmethod
    def of(b: TfBuilder, data_format: str, rank: int) -> Layout:
        if data_format in ("NHWC", "NDHWC", "NWC"):
            return Layout(rank, rank - 1, tuple(range(1, rank - 1)))
        if data_format in ("NCHW", "NCDHW", "NCW"):
            return Layout(rank, 1, tuple(range(2, rank)))
        b.unsupported("data_format", f"the format {data_format} is not supported")

    def spatial_of(self, values: Sequence[int]) -> tuple[int, ...]:
        return tuple(values[d] for d in self.spatial)


@dataclass(frozen=True)
class Window:
    """How a window of `size` moves over the spatial dimensions."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def extent(self) -> list[int]:
        """How many elements the window covers."""
        return [(k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True)]


def paddings(b: TfBuilder, op: tf.WindowAttributes, layout: Layout, window: Window, sizes: Sequence[Size]) -> Edges:
    """What is added in front of and behind the spatial dimensions, which have `sizes`.

    SAME: as much as makes the number of windows ceil(size / stride), half of it in front, cut.
    """
    explicit = op.attributes.get("explicit_paddings", ())
    if op.padding == "EXPLICIT" and isinstance(explicit, tuple):
        numbers = [n for n in explicit if isinstance(n, int)]
        return [numbers[2 * d] for d in layout.spatial], [numbers[2 * d + 1] for d in layout.spatial]
    low: list[Size] = []
    high: list[Size] = []
    for n, k, s in zip(sizes, window.extent, window.strides, strict=True):
        if op.padding == "VALID":
            low.append(0)
            high.append(0)
            continue
        count = b.over_up(n, s)
        total = b.most(b.minus(b.plus(b.times(b.minus(count, 1), s), k), n), 0)
        low.append(b.over(total, 2))
        high.append(b.minus(total, low[-1]))
    return low, high


def is_known(sizes: Sequence[Size]) -> bool:
    return all(isinstance(n, int) for n in sizes)


def widened(b: TfBuilder, count: Size, stride: int) -> Size:
    """How many elements `count` of them cover that are `stride` apart: none cover none."""
    return count if stride == 1 else b.most(b.plus(b.times(b.minus(count, 1), stride), 1), 0)


def seen_at(b: TfBuilder, offset: int, count: Size, stride: int, size: Size) -> tuple[Size, Size]:
    """Where the elements begin and end that `count` windows have at `offset`, in a dimension of `size`.

    Where there is no window, `offset` may lie behind the end.
    """
    start = b.least(offset, size) if offset else 0
    return start, b.plus(start, widened(b, count, stride))


def edges(layout: Layout, values: Sequence[Size]) -> list[Size]:
    """Amounts of the spatial dimensions, for all of them."""
    full: list[Size] = [0] * layout.rank
    for d, n in zip(layout.spatial, values, strict=True):
        full[d] = n
    return full


def _dilations(op: Op, layout: Layout) -> tuple[int, ...]:
    found = op.attributes.get("dilations")
    numbers = [n for n in found if isinstance(n, int)] if isinstance(found, tuple) else [1] * layout.rank
    return layout.spatial_of(numbers)


def _filter_window(b: TfBuilder, op: tf.ConvolutionOp, layout: Layout, shape: Sequence[Dim]) -> Window:
    sizes = [n for n in shape[: layout.rank - 2] if n is not None]
    if len(sizes) < layout.rank - 2:
        b.unsupported("filter", "the sizes of the filter must be known")
    return Window(tuple(sizes), layout.spatial_of(op.strides), _dilations(op, layout))


def convolved(
    b: TfBuilder,
    x: Value,
    kernel: Value,
    layout: Layout,
    window: Window,
    low: Sequence[Size],
    high: Sequence[Size],
    groups: int,
    *,
    expand: Sequence[int] | None = None,
    transposed: bool = False,
) -> Value:
    """The convolution; paddings that are known when the program runs only are added to the operand before.

    `expand`: how many zeros, plus one, stand between elements. `transposed`: the filter is turned round, and its last
    two dimensions change places.
    """
    rank = layout.rank
    widen = list(expand or [1] * len(layout.spatial))
    if not (is_known(low) and is_known(high)):
        inner = [0] * rank
        for d, n in zip(layout.spatial, widen, strict=True):
            inner[d] = n - 1
        x = b.padded(x, 0, edges(layout, low), edges(layout, high), inner)
        widen, low, high = [1] * len(widen), [0] * len(widen), [0] * len(widen)
    pads = tuple((p, q) for p, q in zip(low, high, strict=True) if isinstance(p, int) and isinstance(q, int))
    kernel_in, kernel_out = (rank - 1, rank - 2) if transposed else (rank - 2, rank - 1)
    spatial = tuple(range(rank - 2))
    numbers = ConvDimensionNumbers(
        0, layout.feature, layout.spatial, kernel_in, kernel_out, spatial, 0, layout.feature, layout.spatial
    )
    dims: Sequence[Dim] = b.dims(x)
    shape: list[Dim] = [dims[0]] * rank
    shape[layout.feature] = b.dims(kernel)[kernel_out]
    for i, d in enumerate(layout.spatial):
        shape[d] = window_count(dims[d], window.size[i], window.strides[i], widen[i], window.dilations[i], pads[i])
    return b.insert(
        conv.ConvolutionOp(
            x,
            kernel,
            numbers,
            groups,
            1,
            tensor_type(x).with_shape(shape),
            window.strides,
            pads,
            tuple(widen),
            window.dilations,
            (transposed,) * len(spatial),
        )
    ).result


def _groups(b: TfBuilder, x: Value, layout: Layout, channels: int) -> int:
    found = b.dims(x)[layout.feature]
    if found is None or found % channels:
        b.unsupported("filter", f"{found} channels do not fit filters of {channels}")
    return found // channels


@lowering(tf.Conv2DOp, tf.Conv3DOp)
def convolution(op: tf.Conv2DOp | tf.Conv3DOp, b: TfBuilder) -> Value:
    layout = Layout.of(b, op.data_format, op.RANK)
    window = _filter_window(b, op, layout, b.dims(op.filter))
    low, high = paddings(b, op, layout, window, [b.size_at(op.input, d) for d in layout.spatial])
    groups = _groups(b, op.input, layout, b.size(op.filter, op.RANK - 2))
    return convolved(b, op.input, op.filter, layout, window, low, high, groups)


@lowering(tf.DepthwiseConv2dNativeOp)
def depthwise(op: tf.DepthwiseConv2dNativeOp, b: TfBuilder) -> Value:
    """Filters [h, w, c, m] as [h, w, 1, c m], in c groups"""
    layout = Layout.of(b, op.data_format, op.RANK)
    window = _filter_window(b, op, layout, b.dims(op.filter))
    low, high = paddings(b, op, layout, window, [b.size_at(op.input, d) for d in layout.spatial])
    return convolved(b, op.input, _depthwise_filter(b, op.filter), layout, window, low, high, b.size(op.filter, 2))


def _depthwise_filter(b: TfBuilder, value: Value) -> Value:
    h, w, c, m = b.shape(value)
    return b.reshape(value, (h, w, 1, c * m))


# ---------------------------------------------------------------------------------------------- gradients


def _gradient_paddings(
    b: TfBuilder,
    op: tf.WindowAttributes,
    layout: Layout,
    window: Window,
    inputs: Sequence[Size],
    outputs: Sequence[Size],
) -> Edges:
    """What is added around the gradient, widened by the strides, so that its windows are the operand's elements."""
    low, _ = paddings(b, op, layout, window, inputs)
    front: list[Size] = []
    back: list[Size] = []
    for p, n, m, k, s in zip(low, inputs, outputs, window.extent, window.strides, strict=True):
        front.append(b.minus(k - 1, p))
        back.append(b.plus(b.minus(n, widened(b, m, s)), p))
    return front, back


def input_sizes(b: TfBuilder, op: tf.InputGradientOp, layout: Layout) -> list[Size]:
    """The sizes of the operand's spatial dimensions."""
    given = b.elements(op.input_sizes)
    known = op.result_type.shape
    found = [given[d] for d in layout.spatial] if len(given) == layout.rank else given
    return [n if known[d] is None else known[d] or 0 for d, n in zip(layout.spatial, found, strict=True)]


@lowering(tf.Conv2DBackpropInputOp, tf.Conv3DBackpropInputV2Op, tf.DepthwiseConv2dNativeBackpropInputOp)
def input_gradient(op: tf.InputGradientOp, b: TfBuilder) -> Value:
    """The convolution of the gradient, widened by the strides, with the filter turned round"""
    layout = Layout.of(b, str(op.attributes.get("data_format", "NHWC" if op.RANK == 4 else "NDHWC")), op.RANK)
    kernel, groups = op.filter, 1
    if isinstance(op, tf.DepthwiseConv2dNativeBackpropInputOp):
        groups = b.size(kernel, 2)
        kernel = _depthwise_filter(b, kernel)
    window = _filter_window(b, op, layout, b.dims(kernel))
    if groups == 1:
        channels: Size | None = op.result_type.shape[layout.feature]
        if channels is None and b.size(op.input_sizes, 0) == layout.rank:
            channels = b.elements(op.input_sizes)[layout.feature]
        if not isinstance(channels, int) or channels % b.size(kernel, op.RANK - 2):
            b.unsupported("filter", f"{channels} channels do not fit the filter {kernel.type}")
        groups = channels // b.size(kernel, op.RANK - 2)
    outputs = [b.size_at(op.out_backprop, d) for d in layout.spatial]
    low, high = _gradient_paddings(b, op, layout, window, input_sizes(b, op, layout), outputs)
    kernel = _grouped_filter(b, kernel, groups)
    back = Window(window.size, (1,) * len(window.size), window.dilations)
    g = op.out_backprop
    return convolved(b, g, kernel, layout, back, low, high, groups, expand=window.strides, transposed=True)


def _grouped_filter(b: TfBuilder, kernel: Value, groups: int) -> Value:
    """[…, i, g o] -> […, g i, o]: of every group the channels that it reads and writes change places."""
    if groups == 1:
        return kernel
    *spatial, i, o = b.shape(kernel)
    r = len(spatial)
    split = b.reshape(kernel, (*spatial, i, groups, o // groups))
    moved = b.transpose(split, (*range(r), r + 1, r, r + 2))
    return b.reshape(moved, (*spatial, groups * i, o // groups))


@lowering(tf.Conv2DBackpropFilterOp, tf.Conv3DBackpropFilterV2Op, tf.DepthwiseConv2dNativeBackpropFilterOp)
def filter_gradient(op: tf.FilterGradientOp, b: TfBuilder) -> Value:
    """For every place of the filter, the product of what it reads with the gradient, summed over all windows."""
    layout = Layout.of(b, str(op.attributes.get("data_format", "NHWC" if op.RANK == 4 else "NDHWC")), op.RANK)
    shape = op.result_type.static_shape
    window = _filter_window(b, op, layout, shape)
    low, high = paddings(b, op, layout, window, [b.size_at(op.input, d) for d in layout.spatial])
    x = b.padded(op.input, 0, edges(layout, low), edges(layout, high))
    outputs = [b.size_at(op.out_backprop, d) for d in layout.spatial]
    parts: list[Value] = []
    for place in _places(window.size):
        starts: list[Size] = [0] * layout.rank
        limits = b.sizes(x)
        steps = [1] * layout.rank
        for d, i, m, s, dilation in zip(layout.spatial, place, outputs, window.strides, window.dilations, strict=True):
            starts[d], limits[d] = seen_at(b, i * dilation, m, s, limits[d])
            steps[d] = s
        seen = b.part(x, starts, limits, steps)
        if isinstance(op, tf.DepthwiseConv2dNativeBackpropFilterOp):
            parts.append(_channel_products(b, seen, op.out_backprop, layout, shape))
        else:
            parts.append(_products(b, seen, op.out_backprop, layout, shape))
    stacked = b.concatenate([b.reshape(p, (1, *shape[-2:])) for p in parts], 0)
    return b.reshape(stacked, shape)


def _places(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for n in sizes:
        found = [(*p, i) for p in found for i in range(n)]
    return found


def _products(b: TfBuilder, x: Value, g: Value, layout: Layout, shape: Sequence[int]) -> Value:
    """sum over images and places of x[…, i] g[…, o], as [i, o]; of groups, [i, g o]."""
    axes = (0, *layout.spatial)
    i, o = shape[-2], shape[-1]
    groups = b.size(x, layout.feature) // i
    if groups == 1:
        return product(b, x, g, (axes, axes))
    x, g = _split_feature(b, x, layout, groups), _split_feature(b, g, layout, groups)
    f = layout.feature
    moved = tuple(d + (d > f) for d in axes)
    found = product(b, x, g, (moved, moved), ((f,), (f,)))
    return b.reshape(b.transpose(found, (1, 0, 2)), (i, o))


def _split_feature(b: TfBuilder, value: Value, layout: Layout, groups: int) -> Value:
    sizes = b.sizes(value)
    f = layout.feature
    return b.reshape_to(value, [*sizes[:f], groups, b.size(value, f) // groups, *sizes[f + 1 :]])


def _channel_products(b: TfBuilder, x: Value, g: Value, layout: Layout, shape: Sequence[int]) -> Value:
    """sum over images and places of x[…, c] g[…, c, m], as [c, m]."""
    c, m = shape[-2], shape[-1]
    f = layout.feature
    sizes = b.sizes(x)
    split = b.reshape_to(g, [*sizes[:f], c, m, *sizes[f + 1 :]])
    wide = b.broadcast_to(x, b.sizes(split), tuple(d + (d > f) for d in range(layout.rank)))
    terms = b.op(e.MultiplyOp, wide, split)
    return b.sum(terms, [d for d in range(layout.rank + 1) if d not in (f, f + 1)])
