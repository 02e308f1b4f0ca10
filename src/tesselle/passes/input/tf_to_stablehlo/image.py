"""Crops, projections, patches and colours of images, and the choice of boxes."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.stablehlo.reduction import ReduceOp
from tesselle.dialects.tf import image as tf
from tesselle.ir.core import Block, Region, Value
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.convolution import seen_at
from tesselle.passes.input.tf_to_stablehlo.indexing import gathered_at
from tesselle.passes.input.tf_to_stablehlo.reduction import lowest
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import F32, I32, DType

# ---------------------------------------------------------------------------------------------- reading at places


class _Sampler:
    """Reads images at computed rows and columns, which tensors of [images, height, width] hold."""

    def __init__(self, b: TfBuilder, images: Value, which: Value, fill: Tensor) -> None:
        self.b, self.images, self.which, self.fill = b, images, which, fill
        self.pixels = images

    def allow_none(self) -> None:
        """Where images have no pixels, every place is outside: they are read from images with one."""
        missing = [self.b.most(self.b.minus(1, self.b.size_at(self.images, d)), 0) for d in (1, 2)]
        self.pixels = self.b.padded(self.images, 0, [0] * 4, [0, *missing, 0])

    def at(self, y: Tensor, x: Tensor) -> Tensor:
        """The pixels at whole coordinates, as f32; `fill` where they lie outside."""
        b = self.b
        rows, columns = b.size_at(self.images, 1), b.size_at(self.images, 2)
        inside: Tensor | None = None
        places: list[Value] = [b.with_axis(self.which, 3)]
        for v, n in ((y, rows), (x, columns)):
            limit = b.tensor(b.broadcast_to(b.value_of(n, b.dtype(v.value)), b.sizes(v.value), ()))
            here = (v >= 0) & (v < limit)
            inside = here if inside is None else inside & here
            places.append(b.with_axis(v.where(here, 0).convert(I32).value, 3))
        assert inside is not None
        pixels = b.convert(gathered_at(b, self.pixels, b.concatenate(places, 3)), F32)
        sizes = b.sizes(pixels)
        mask = b.tensor(b.broadcast_to(inside.value, sizes, (0, 1, 2)))
        fill = b.tensor(b.broadcast_to(self.fill.value, sizes, ()))
        return b.tensor(pixels).where(mask, fill)

    def wide(self, v: Tensor) -> Tensor:
        """A number for every place, for every channel."""
        b = self.b
        sizes = [*b.sizes(v.value), b.size_at(self.images, 3)]
        return b.tensor(b.broadcast_to(v.value, sizes, (0, 1, 2)))


@lowering(tf.CropAndResizeOp)
def crop_and_resize(op: tf.CropAndResizeOp, b: TfBuilder) -> Value:
    """Places from y1 to y2 in equal steps, in pixels of the image; those outside are extrapolation_value"""
    boxes = b.size_at(op.boxes, 0)
    height, width = (
        n if k is None else k for n, k in zip(b.elements(op.crop_size), op.result_type.shape[1:3], strict=True)
    )
    sizes: list[Size] = [boxes, height, width]
    which = b.broadcast_to(b.convert(op.box_ind, I32), sizes, (0,))
    sampler = _Sampler(b, op.image, which, b.tensor(b.full(op.extrapolation_value, (), F32)))
    places: list[Tensor] = []
    limits: list[Tensor] = []
    for k, count in enumerate((height, width)):
        last = b.tensor(b.broadcast_to(b.value_of(b.minus(b.size_at(op.image, k + 1), 1), F32), sizes, ()))
        first, end = (
            b.tensor(b.broadcast_to(b.reshape_to(b.slice(b.convert(op.boxes, F32), 1, c, c + 1), [boxes]), sizes, (0,)))
            for c in (k, k + 2)
        )
        index = b.tensor(b.iota(sizes, k + 1, F32))
        steps = b.tensor(b.broadcast_to(b.value_of(b.most(b.minus(count, 1), 1), F32), sizes, ()))
        place = first * last + index * ((end - first) * last / steps)
        if count == 1:
            place = (first + end) * last * 0.5
        elif not isinstance(count, int):
            several = b.tensor(b.broadcast_to(b.value_of(count), sizes, ())) > 1
            place = place.where(several, (first + end) * last * 0.5)
        places.append(place)
        limits.append(last)
    y, x = places
    inside = (y >= 0) & (y <= limits[0]) & (x >= 0) & (x <= limits[1])
    if op.method == "nearest":
        found = sampler.at(y.apply(e.RoundNearestAfzOp), x.apply(e.RoundNearestAfzOp))
    else:
        top, left = y.apply(e.FloorOp), x.apply(e.FloorOp)
        bottom, right = y.apply(e.CeilOp), x.apply(e.CeilOp)
        across, down = sampler.wide(x - left), sampler.wide(y - top)
        upper = _mixed(sampler.at(top, left), sampler.at(top, right), across)
        found = _mixed(upper, _mixed(sampler.at(bottom, left), sampler.at(bottom, right), across), down)
    fill = found.number(op.extrapolation_value)
    return b.convert(found.where(sampler.wide(inside), fill).value, op.result_type.dtype)


def _mixed(a: Tensor, b: Tensor, fraction: Tensor) -> Tensor:
    return a + (b - a) * fraction


@lowering(tf.ImageProjectiveTransformV2Op, tf.ImageProjectiveTransformV3Op)
def project(op: tf.ImageProjectiveTransformV2Op | tf.ImageProjectiveTransformV3Op, b: TfBuilder) -> Value:
    """((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), with k = c0 x + c1 y + 1"""
    count = b.size_at(op.images, 0)
    known = op.result_type.shape
    height, width = (n if k is None else k for n, k in zip(b.elements(op.output_shape), known[1:3], strict=True))
    sizes: list[Size] = [count, height, width]
    fill = b.full(0, (), F32) if isinstance(op, tf.ImageProjectiveTransformV2Op) else b.convert(op.fill_value, F32)
    sampler = _Sampler(b, op.images, b.iota(sizes, 0, I32), b.tensor(fill))
    sampler.allow_none()
    transforms = b.broadcast_to(op.transforms, [count, 8])
    a0, a1, a2, b0, b1, b2, c0, c1 = (
        b.tensor(b.broadcast_to(b.reshape_to(b.slice(transforms, 1, i, i + 1), [count]), sizes, (0,))) for i in range(8)
    )
    x, y = b.tensor(b.iota(sizes, 2, F32)), b.tensor(b.iota(sizes, 1, F32))
    k = c0 * x + c1 * y + 1
    in_x, in_y = (a0 * x + a1 * y + a2) / k, (b0 * x + b1 * y + b2) / k
    in_x = _mapped(b, in_x, b.size_at(op.images, 2), op.fill_mode)
    in_y = _mapped(b, in_y, b.size_at(op.images, 1), op.fill_mode)
    if op.interpolation == "NEAREST":
        found = sampler.at(in_y.apply(e.RoundNearestAfzOp), in_x.apply(e.RoundNearestAfzOp))
    else:
        top, left = in_y.apply(e.FloorOp), in_x.apply(e.FloorOp)
        bottom, right = top + 1, left + 1
        west, east = sampler.wide(right - in_x), sampler.wide(in_x - left)
        upper = west * sampler.at(top, left) + east * sampler.at(top, right)
        lower = west * sampler.at(bottom, left) + east * sampler.at(bottom, right)
        found = sampler.wide(bottom - in_y) * upper + sampler.wide(in_y - top) * lower
    # Places that are no numbers, where k is 0, are outside.
    lost = found.number(0).where(sampler.wide(k.equals(0)), 1) if op.fill_mode == "CONSTANT" else None
    if lost is not None:
        wide_fill = b.tensor(b.broadcast_to(fill, b.sizes(found.value), ()))
        found = found.where(lost > 0, wide_fill)
    return b.convert(found.value, op.result_type.dtype)


def _mapped(b: TfBuilder, v: Tensor, size: Size, mode: str) -> Tensor:
    """A coordinate outside of the image as the one inside that stands for it."""
    if mode == "CONSTANT":
        return v
    sizes = b.sizes(v.value)
    n = b.tensor(b.broadcast_to(b.value_of(b.most(size, 1), F32), sizes, ()))
    last = n - 1
    if mode == "REFLECT":
        double = n * 2
        below = (double * _truncated(-v / double) + v).where(v < double, v)
        below = (below + double).where(below < -n, -below - 1)
        above = v - double * _truncated(v / double)
        above = (double - above - 1).where(above >= n, above)
        v = below.where(v < 0, above.where(v > last, v))
    elif mode == "WRAP":
        steps = last.apply(e.MaximumOp, 1)
        below = v + n * (_truncated(-v / steps) + 1)
        above = v - n * _truncated(v / steps)
        v = below.where(v < 0, above.where(v > last, v))
    return v.apply(e.MaximumOp, 0).apply(e.MinimumOp, last)


def _truncated(x: Tensor) -> Tensor:
    return x.apply(e.CeilOp).where(x < 0, x.apply(e.FloorOp))


@lowering(tf.ExtractImagePatchesOp)
def extract_patches(op: tf.ExtractImagePatchesOp, b: TfBuilder) -> Value:
    """For every place of the window the pixels there, one beside the other as channels"""
    low: list[Size] = [0] * 4
    high: list[Size] = [0] * 4
    counts: list[Size] = [b.size_at(op.images, 0), 0, 0, b.size_at(op.images, 3)]
    for d in (1, 2):
        n, extent, stride = b.size_at(op.images, d), (op.ksizes[d] - 1) * op.rates[d] + 1, op.strides[d]
        if op.padding == "VALID":
            counts[d] = b.over_up(b.most(b.plus(b.minus(n, extent), 1), 0), stride)
            continue
        counts[d] = b.over_up(n, stride)
        total = b.most(b.minus(b.plus(b.times(b.minus(counts[d], 1), stride), extent), n), 0)
        low[d] = b.over(total, 2)
        high[d] = b.minus(total, low[d])
    x = b.padded(op.images, 0, low, high)
    parts: list[Value] = []
    for i in range(op.ksizes[1]):
        for j in range(op.ksizes[2]):
            starts: list[Size] = [0] * 4
            limits = b.sizes(x)
            for d, place in ((1, i), (2, j)):
                starts[d], limits[d] = seen_at(b, place * op.rates[d], counts[d], op.strides[d], limits[d])
            parts.append(b.part(x, starts, limits, op.strides))
    return b.concatenate(parts, 3)


# ---------------------------------------------------------------------------------------------- colours


@lowering(tf.AdjustContrastv2Op)
def adjust_contrast(op: tf.AdjustContrastv2Op, b: TfBuilder) -> Value:
    dtype = b.dtype(op.images)
    x = b.tensor(b.convert(op.images, F32 if dtype.bits < 64 else dtype))
    rank = b.rank(op.images)
    axes = [rank - 3, rank - 2]
    count = b.tensor(b.value_of(b.product([b.size_at(op.images, d) for d in axes]), b.dtype(x.value)))
    total = b.tensor(b.spread(b.sum(x.value, axes), x.value, axes))
    mean = total / b.tensor(b.broadcast_to(count.value, b.sizes(x.value), ()))
    factor = b.tensor(b.broadcast_to(b.convert(op.contrast_factor, b.dtype(x.value)), b.sizes(x.value), ()))
    return b.convert(((x - mean) * factor + mean).value, dtype)


def _channels(b: TfBuilder, images: Value) -> list[Tensor]:
    axis = b.rank(images) - 1
    return [b.tensor(b.without_axis(b.slice(images, axis, c, c + 1), axis)) for c in range(3)]


def _joined(b: TfBuilder, channels: Sequence[Tensor]) -> Value:
    axis = b.rank(channels[0].value)
    return b.concatenate([b.with_axis(c.value, axis) for c in channels], axis)


def _to_hsv(red: Tensor, green: Tensor, blue: Tensor) -> list[Tensor]:
    value = red.apply(e.MaximumOp, green).apply(e.MaximumOp, blue)
    span = value - red.apply(e.MinimumOp, green).apply(e.MinimumOp, blue)
    saturation = (span / value).where(value > 0, 0)
    step = value.number(1) / (span * 6)
    hue = (step * (green - blue)).where(
        red.equals(value),
        (step * (blue - red) + 2 / 6).where(green.equals(value), step * (red - green) + 4 / 6),
    )
    hue = hue.where(span > 0, 0)
    return [(hue + 1).where(hue < 0, hue), saturation, value]


def _to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> list[Tensor]:
    six = hue * 6
    parts = [
        (six - 3).apply(e.AbsOp) - 1,
        -(six - 2).apply(e.AbsOp) + 2,
        -(six - 4).apply(e.AbsOp) + 2,
    ]
    rest = saturation.number(1) - saturation
    return [(rest + saturation * p.apply(e.MaximumOp, 0).apply(e.MinimumOp, 1)) * value for p in parts]


@lowering(tf.RGBToHSVOp)
def rgb_to_hsv(op: tf.RGBToHSVOp, b: TfBuilder) -> Value:
    return _joined(b, _to_hsv(*_channels(b, op.images)))


@lowering(tf.HSVToRGBOp)
def hsv_to_rgb(op: tf.HSVToRGBOp, b: TfBuilder) -> Value:
    return _joined(b, _to_rgb(*_channels(b, op.images)))


def _spread(b: TfBuilder, scalar: Value, like: Tensor) -> Tensor:
    return b.tensor(b.broadcast_to(b.convert(scalar, b.dtype(like.value)), b.sizes(like.value), ()))


@lowering(tf.AdjustHueOp)
def adjust_hue(op: tf.AdjustHueOp, b: TfBuilder) -> Value:
    hue, saturation, value = _to_hsv(*_channels(b, op.images))
    moved = hue + _spread(b, op.delta, hue)
    return _joined(b, _to_rgb(moved - moved.apply(e.FloorOp), saturation, value))


@lowering(tf.AdjustSaturationOp)
def adjust_saturation(op: tf.AdjustSaturationOp, b: TfBuilder) -> Value:
    hue, saturation, value = _to_hsv(*_channels(b, op.images))
    scaled = (saturation * _spread(b, op.scale, saturation)).apply(e.MaximumOp, 0).apply(e.MinimumOp, 1)
    return _joined(b, _to_rgb(hue, scaled, value))


# ---------------------------------------------------------------------------------------------- boxes


def _suppressed(b: TfBuilder, op: tf.SuppressionBase, threshold: Value) -> tuple[Value, Value, Size]:
    """The indices of chosen boxes in a buffer of max_output_size, how many they are, and that size.

    Every step takes the highest score that is left, and strikes out what overlaps its box too much.
    """
    boxes, scores = op.boxes, op.scores
    dtype = b.dtype(scores)
    limit = b.scalar(op.max_output_size)
    count = b.size_at(scores, 0)
    corners = [b.tensor(b.reshape_to(b.slice(boxes, 1, c, c + 1), [count])) for c in range(4)]
    low = [corners[0].apply(e.MinimumOp, corners[2]), corners[1].apply(e.MinimumOp, corners[3])]
    high = [corners[0].apply(e.MaximumOp, corners[2]), corners[1].apply(e.MaximumOp, corners[3])]
    area = (high[0] - low[0]) * (high[1] - low[1])
    struck = lowest(dtype)
    wide_threshold = b.tensor(b.broadcast_to(b.convert(threshold, dtype), [count], ()))
    left = b.tensor(scores).where(b.tensor(scores) > wide_threshold, struck)
    chosen = b.zeros([limit], I32)
    overlap = b.broadcast_to(b.convert(op.iou_threshold, dtype), [count], ())
    index = b.iota([count], 0, I32)
    state = [b.index(0), chosen, left.value]
    types = [v.type for v in state]
    cond, body = Block(types), Block(types)
    test = StablehloBuilder(cond, None, b.location)
    some = test.insert(_any_left(test, cond.args[2], struck, dtype))
    room = test.compare(cond.args[0], ComparisonDirection.LT, b.value_of(limit))
    test.insert(ReturnOp((test.op(e.AndOp, room, some.result),)))
    with b.at(body):
        k, found, scores_left = body.args
        best = b.reduce(scores_left, e.MaximumOp, struck, [0])
        at_best = b.compare(scores_left, ComparisonDirection.EQ, b.broadcast_to(best, [count], ()))
        far = b.broadcast_to(b.index(2**31 - 1), [count], ())
        first = b.reduce(b.select(at_best, index, far), e.MinimumOp, 2**31 - 1, [0])

        def own(v: Tensor) -> Tensor:
            """What the chosen box has, beside all boxes."""
            return b.tensor(b.broadcast_to(b.reshape(b.dynamic_slice(v.value, [first], [1]), ()), [count], ()))

        sides = [
            (h.apply(e.MinimumOp, own(h)) - lo.apply(e.MaximumOp, own(lo))).apply(e.MaximumOp, 0)
            for h, lo in zip(high, low, strict=True)
        ]
        common = sides[0] * sides[1]
        mine = own(area)
        ratio = (common / (area + mine - common)).where((area > 0) & (mine > 0), 0)
        gone = (ratio > b.tensor(overlap)) | b.tensor(index).equals(b.tensor(b.broadcast_to(first, [count], ())))
        rest = b.tensor(scores_left).number(struck).where(gone, b.tensor(scores_left))
        written = b.dynamic_update(found, b.reshape(first, (1,)), [k])
        b.insert(ReturnOp((b.add(k, b.index(1)), b.cast(written, tensor_type(chosen)), rest.value)))
    loop = b.insert(WhileOp(tuple(state), Region([cond]), Region([body])))
    return loop.results[1], loop.results[0], limit


def _any_left(b: StablehloBuilder, scores: Value, struck: complex, dtype: DType) -> e.CompareOp:
    """Whether a score is not struck out."""
    block = Block([tensor_type(b.full(0, (), dtype))] * 2)
    inner = StablehloBuilder(block, None, b.location)
    inner.insert(ReturnOp((inner.op(e.MaximumOp, *block.args),)))
    best = b.insert(ReduceOp((scores, b.full(struck, (), dtype)), (0,), Region([block]))).results[0]
    return e.CompareOp(best, b.full(struck, (), dtype), ComparisonDirection.GT)


@lowering(tf.NonMaxSuppressionV3Op)
def non_max_suppression(op: tf.NonMaxSuppressionV3Op, b: TfBuilder) -> Value:
    chosen, count, _ = _suppressed(b, op, op.score_threshold)
    return b.part_of_axis(chosen, 0, 0, count)


@lowering(tf.NonMaxSuppressionV4Op)
def non_max_suppression_padded(op: tf.NonMaxSuppressionV4Op, b: TfBuilder) -> list[Value]:
    chosen, count, _ = _suppressed(b, op, op.score_threshold)
    return [chosen if op.pad_to_max_output_size else b.part_of_axis(chosen, 0, 0, count), count]
