"""Images of other sizes: gathers of the pixels around every place, or products with matrices of weights.

Places are computed in f32 in the order of TensorFlow's kernels, so that they round the same way. Source: TensorFlow,
`core/kernels/image`: `image_resizer_state.h`, `resize_bicubic_op.cc`, `resize_area_op.cc`, `scale_and_translate_op.cc`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.tf import image as tf
from tesselle.ir.core import Value
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.contraction import product
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import F32, I32

AXES = (1, 2)
"""Height and width."""


def sizes_of(b: TfBuilder, op: tf.ResizeOp | tf.ScaleAndTranslateOp) -> list[Size]:
    """The new height and width."""
    given = b.elements(op.size)
    found: list[Size] = []
    for d, n in zip(AXES, given, strict=True):
        known = op.result_type.shape[d]
        found.append(n if known is None else known)
    return found


def scale_of(b: TfBuilder, before: Size, after: Size, align_corners: bool) -> Value:
    """(before - 1) / (after - 1) where corners are aligned and there are two, else before / after."""
    if isinstance(before, int) and isinstance(after, int):
        aligned = align_corners and after > 1
        top, bottom = (before - 1, after - 1) if aligned else (before, after)
        return b.full(float(np.float32(top) / np.float32(max(bottom, 1))), (), F32)
    plain = b.tensor(b.value_of(before, F32)) / b.tensor(b.value_of(after, F32))
    if not align_corners:
        return plain.value
    steps = b.tensor(b.value_of(b.most(b.minus(after, 1), 1), F32))
    corners = b.tensor(b.value_of(b.minus(before, 1), F32)) / steps
    return corners.where(b.tensor(b.value_of(after)) > 1, plain).value


class Places:
    """The places of new pixels along a dimension, in pixels of the old image."""

    def __init__(self, b: TfBuilder, before: Size, after: Size, align_corners: bool) -> None:
        self.b, self.before, self.after = b, before, after
        self.index = b.tensor(b.iota([after], 0, F32))
        self.scale = self.spread(scale_of(b, before, after, align_corners))
        self.last = self.spread(b.minus(before, 1), I32)

    def spread(self, value: Size | Value, dtype: object = F32) -> Tensor:
        """A number for every new pixel."""
        b = self.b
        one = b.value_of(value, F32 if dtype is F32 else I32)
        return b.tensor(b.broadcast_to(one, [self.after], ()))

    def at(self, half_pixel_centers: bool) -> Tensor:
        if half_pixel_centers:
            return (self.index + 0.5) * self.scale - 0.5
        return self.index * self.scale

    def clamped(self, place: Tensor) -> Tensor:
        """A place as the index of a pixel."""
        return place.convert(I32).apply(e.MaximumOp, 0).apply(e.MinimumOp, self.last)


def along(b: TfBuilder, vector: Tensor, like: Value, axis: int) -> Tensor:
    """A vector along a dimension, in the shape of `like`."""
    return b.tensor(b.broadcast_to(vector.value, b.sizes(like), (axis,)))


@lowering(tf.ResizeBilinearOp)
def resize_bilinear(op: tf.ResizeBilinearOp, b: TfBuilder) -> Value:
    """x[lower] + (x[upper] - x[lower]) * fraction, along the width, then along the height"""
    x = b.convert(op.images, F32)
    for axis, after in reversed(list(zip(AXES, sizes_of(b, op), strict=True))):
        places = Places(b, b.size_at(x, axis), after, op.align_corners)
        lower, upper, fraction = _neighbours(places, op.half_pixel_centers)
        left, right = (b.take(x, v.value, axis) for v in (lower, upper))
        weight = along(b, fraction, left, axis)
        x = (b.tensor(left) + (b.tensor(right) - b.tensor(left)) * weight).value
    return b.convert(x, op.result_type.dtype)


def _neighbours(places: Places, half_pixel_centers: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels around every place, and how far it is from the first."""
    at = places.at(half_pixel_centers)
    floor = at.apply(e.FloorOp)
    return places.clamped(floor), places.clamped(at.apply(e.CeilOp)), at - floor


def _nearest(b: TfBuilder, before: Size, after: Size, align_corners: bool, half_pixel_centers: bool) -> Tensor:
    places = Places(b, before, after, align_corners)
    at = (places.index + 0.5) * places.scale if half_pixel_centers else places.index * places.scale
    return places.clamped(at.apply(e.RoundNearestAfzOp if align_corners else e.FloorOp))


@lowering(tf.ResizeNearestNeighborOp)
def resize_nearest(op: tf.ResizeNearestNeighborOp, b: TfBuilder) -> Value:
    x = op.images
    for axis, after in zip(AXES, sizes_of(b, op), strict=True):
        index = _nearest(b, b.size_at(x, axis), after, op.align_corners, op.half_pixel_centers)
        x = b.take(x, index.value, axis)
    return x


TABLE = 1024
"""TensorFlow reads cubic weights from a table of as many steps."""


@lowering(tf.ResizeBicubicOp)
def resize_bicubic(op: tf.ResizeBicubicOp, b: TfBuilder) -> Value:
    """The sum over four pixels of x[i] * weight[i], along both dimensions"""
    x = b.convert(op.images, F32)
    for axis, after in reversed(list(zip(AXES, sizes_of(b, op), strict=True))):
        places = Places(b, b.size_at(x, axis), after, op.align_corners)
        total: Tensor | None = None
        for index, weight in _cubic(places, op.half_pixel_centers):
            part = b.take(x, index.value, axis)
            term = b.tensor(part) * along(b, weight, part, axis)
            total = term if total is None else total + term
        assert total is not None
        x = total.value
    return b.convert(x, op.result_type.dtype)


def _cubic(places: Places, half_pixel_centers: bool) -> list[tuple[Tensor, Tensor]]:
    """Four pixels around every place, and their weights, which are 0 outside where centers are those of pixels."""
    factor = -0.5 if half_pixel_centers else -0.75
    at = places.at(half_pixel_centers)
    floor = at.apply(e.FloorOp)
    step = ((at - floor) * TABLE).apply(e.RoundNearestEvenOp)
    near, far = step * (1 / TABLE), (step.number(TABLE) - step) * (1 / TABLE)

    def inner(d: Tensor) -> Tensor:
        return (d * (factor + 2) - (factor + 3)) * d * d + 1

    def outer(d: Tensor) -> Tensor:
        d = d + 1
        return ((d * factor - 5 * factor) * d + 8 * factor) * d - 4 * factor

    weights = [outer(near), inner(near), inner(far), outer(far)]
    wanted = [floor.convert(I32) + (i - 1) for i in range(4)]
    bounded = [w.apply(e.MaximumOp, 0).apply(e.MinimumOp, places.last) for w in wanted]
    if half_pixel_centers:
        kept = [w.where(i.equals(j), 0) for w, i, j in zip(weights, wanted, bounded, strict=True)]
        total = kept[0] + kept[1] + kept[2] + kept[3]
        large = total.apply(e.AbsOp) >= 1000 * 1.17549435e-38
        weights = [(w / total).where(large, w) for w in kept]
    return list(zip(bounded, weights, strict=True))


# ---------------------------------------------------------------------------------------------- weights


def _weighed(b: TfBuilder, x: Value, weights: Value, axis: int) -> Value:
    """result[…, o, …] = sum over i of weights[o, i] x[…, i, …]."""
    found = product(b, x, weights, ((axis,), (1,)))
    rank = b.rank(x)
    order = [d for d in range(rank) if d != axis] + [axis]
    return b.transpose(found, [order.index(d) for d in range(rank)])


class _Grid:
    """A matrix of new pixels by old ones."""

    def __init__(self, b: TfBuilder, after: Size, before: Size) -> None:
        self.b = b
        self.sizes = [after, before]
        self.new, self.old = (b.tensor(b.iota(self.sizes, d, F32)) for d in (0, 1))

    def spread(self, value: Size | Value) -> Tensor:
        return self.b.tensor(self.b.broadcast_to(self.b.value_of(value, F32), self.sizes, ()))

    def normalized(self, weights: Tensor) -> Tensor:
        """Rows whose sum is one, unless that is nearly zero."""
        b = self.b
        total = b.tensor(b.broadcast_to(b.sum(weights.value, [1]), self.sizes, (0,)))
        large = total.apply(e.AbsOp) >= 1000 * 1.17549435e-38
        return (weights / total).where(large, weights)


@lowering(tf.ResizeAreaOp)
def resize_area(op: tf.ResizeAreaOp, b: TfBuilder) -> Value:
    """A new pixel o covers [o, o + 1] * scale: an old one i counts by how much of [i, i + 1] lies inside"""
    x = b.convert(op.images, F32)
    for axis, after in zip(AXES, sizes_of(b, op), strict=True):
        before = b.size_at(x, axis)
        grid = _Grid(b, after, before)
        scale = grid.spread(scale_of(b, before, after, op.align_corners))
        first, limit = grid.new * scale, (grid.new + 1) * scale
        at_end = grid.old.equals(grid.spread(b.minus(before, 1)))
        edge = (grid.old + 1).apply(e.MaximumOp, limit).where(at_end, grid.old + 1)
        inside = (edge.apply(e.MinimumOp, limit) - grid.old.apply(e.MaximumOp, first)).apply(e.MaximumOp, 0)
        x = _weighed(b, x, (inside / scale).value, axis)
    return b.convert(x, op.result_type.dtype)


def _lanczos(radius: float) -> Callable[[Tensor], Tensor]:
    def kernel(x: Tensor) -> Tensor:
        turned = (x * math.pi).apply(e.SineOp) * (x * (math.pi / radius)).apply(e.SineOp)
        value = turned * radius / (x * x * math.pi**2)
        inside = value.where(x <= radius, 0)
        return x.number(1).where(x <= 1e-3, inside)

    return kernel


def _gaussian(x: Tensor) -> Tensor:
    sigma = 1.5 / 3
    return (x * x * (-1 / (2 * sigma * sigma))).apply(e.ExponentialOp).where(x < 1.5, 0)


def _box(x: Tensor) -> Tensor:
    return x.number(1).where(x < 0.5, x.number(0.5).where(x.equals(0.5), 0))


def _triangle(x: Tensor) -> Tensor:
    return (x.number(1) - x).where(x < 1, 0)


def _keys(x: Tensor) -> Tensor:
    outer = ((x * -0.5 + 2.5) * x - 4) * x + 2
    inner = (x * 1.5 - 2.5) * x * x + 1
    return x.number(0).where(x >= 2, outer.where(x >= 1, inner))


def _mitchell(x: Tensor) -> Tensor:
    outer = ((x * (-7 / 18) + 2) * x - 10 / 3) * x + 16 / 9
    inner = (x * (7 / 6) - 2) * x * x + 8 / 9
    return x.number(0).where(x >= 2, outer.where(x >= 1, inner))


_KERNELS: dict[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "lanczos1": (1, _lanczos(1)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, _gaussian),
    "box": (0.5, _box),
    "triangle": (1, _triangle),
    "keyscubic": (2, _keys),
    "mitchellcubic": (2, _mitchell),
}
"""Radius, and weight at a distance."""


@lowering(tf.ScaleAndTranslateOp)
def scale_and_translate(op: tf.ScaleAndTranslateOp, b: TfBuilder) -> Value:
    """Kernels at the distances of old pixels from the places of new ones; outside of the image nothing"""
    radius, kernel = _KERNELS[op.kernel_type]
    x = b.convert(op.images, F32)
    for i, (axis, after) in enumerate(zip(AXES, sizes_of(b, op), strict=True)):
        before = b.size_at(x, axis)
        grid = _Grid(b, after, before)
        scale = b.tensor(b.reshape(b.slice(op.scale, 0, i, i + 1), ()))
        move = b.tensor(b.reshape(b.slice(op.translation, 0, i, i + 1), ()))
        inverse = scale.number(1) / scale
        wide = inverse.apply(e.MaximumOp, 1) if op.antialias else inverse.number(1)
        at = (grid.new + 0.5) * grid.spread(inverse.value) + grid.spread((-inverse * move).value)
        distance = (grid.old + 0.5 - at).apply(e.AbsOp)
        weights = kernel(distance / grid.spread(wide.value)).where(distance <= grid.spread((wide * radius).value), 0)
        inside = (at >= 0) & (at <= grid.spread(before))
        weights = grid.normalized(weights).where(inside, 0)
        x = _weighed(b, x, weights.value, axis)
    return b.convert(x, op.result_type.dtype)


# ---------------------------------------------------------------------------------------------- gradients


def _hits(b: TfBuilder, grid: _Grid, index: Tensor) -> Tensor:
    """1 where the old pixel is that of `index`."""
    wide = b.tensor(b.broadcast_to(index.convert(F32).value, grid.sizes, (0,)))
    return grid.old.number(1).where(grid.old.equals(wide), 0)


@lowering(tf.ResizeBilinearGradOp)
def resize_bilinear_grad(op: tf.ResizeBilinearGradOp, b: TfBuilder) -> Value:
    """Products with the transposed matrices of weights"""
    g = b.convert(op.grads, F32)
    for axis in AXES:
        before, after = b.size_at(op.original_image, axis), b.size_at(op.grads, axis)
        lower, upper, fraction = _neighbours(Places(b, before, after, op.align_corners), op.half_pixel_centers)
        grid = _Grid(b, after, before)
        part = b.tensor(b.broadcast_to(fraction.value, grid.sizes, (0,)))
        weights = _hits(b, grid, lower) * (part.number(1) - part) + _hits(b, grid, upper) * part
        g = _weighed(b, g, b.transpose(weights.value, (1, 0)), axis)
    return b.convert(g, b.dtype(op.original_image))


@lowering(tf.ResizeNearestNeighborGradOp)
def resize_nearest_grad(op: tf.ResizeNearestNeighborGradOp, b: TfBuilder) -> Value:
    """Every gradient goes to the pixel that was taken"""
    dtype = b.dtype(op.grads)
    g = b.convert(op.grads, F32 if dtype.is_float else dtype)
    known = op.result_type.shape
    for axis, size in zip(AXES, b.elements(op.size), strict=True):
        before = known[axis] if known[axis] is not None else size
        assert before is not None
        after = b.size_at(op.grads, axis)
        index = _nearest(b, before, after, op.align_corners, op.half_pixel_centers)
        hits = _hits(b, _Grid(b, after, before), index).convert(b.dtype(g))
        g = _weighed(b, g, b.transpose(hits.value, (1, 0)), axis)
    return b.convert(g, dtype)
