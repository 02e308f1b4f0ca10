"""Images: other sizes, crops, transformations, colours."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    FLOAT,
    INTEGER,
    INTEGER_OR_FLOAT,
    numbers,
    require_rank,
    require_rank_in,
    same_dtype,
    vector,
)
from tesselle.ir.attribute_types import Float32
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, result_types_def
from tesselle.ir.types import TensorType, Type


@op_base
class ResizeOp(Op):
    """Images of another height and width. Errors: images, size, result."""

    images: Value = operand_def()
    size: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.images, "images", INTEGER_OR_FLOAT), 4, "images")
        vector(self, self.size, "size", 2)
        require_rank(self, self.result_type, 4, "result")


@op("tf.ResizeBilinear", PURE)
class ResizeBilinearOp(ResizeOp):
    """Means of the four pixels around every place, in f32."""

    align_corners: bool = attr_def(default=False)
    half_pixel_centers: bool = attr_def(default=False)


@op("tf.ResizeNearestNeighbor", PURE)
class ResizeNearestNeighborOp(ResizeOp):
    """The pixel at every place."""

    align_corners: bool = attr_def(default=False)
    half_pixel_centers: bool = attr_def(default=False)


@op("tf.ResizeBicubic", PURE)
class ResizeBicubicOp(ResizeOp):
    """Cubic means of the sixteen pixels around every place, in f32."""

    align_corners: bool = attr_def(default=False)
    half_pixel_centers: bool = attr_def(default=False)


@op("tf.ResizeArea", PURE)
class ResizeAreaOp(ResizeOp):
    """Means of the pixels that every new pixel covers, in f32."""

    align_corners: bool = attr_def(default=False)


@op("tf.ResizeBilinearGrad", PURE)
class ResizeBilinearGradOp(Op):
    """The gradient of ResizeBilinear. Errors: grads, original_image."""

    grads: Value = operand_def()
    original_image: Value = operand_def()
    align_corners: bool = attr_def(default=False)
    half_pixel_centers: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        require_rank(self, numbers(self, self.grads, "grads", FLOAT), 4, "grads")
        t = numbers(self, self.original_image, "original_image", FLOAT)
        require_rank(self, t, 4, "original_image")
        return (t,)


@op("tf.ResizeNearestNeighborGrad", PURE)
class ResizeNearestNeighborGradOp(Op):
    """The gradient of ResizeNearestNeighbor, of images of the given size. Errors: grads, size, result."""

    grads: Value = operand_def()
    size: Value = operand_def()
    result_type: TensorType = result_type_def()
    align_corners: bool = attr_def(default=False)
    half_pixel_centers: bool = attr_def(default=False)

    def check(self) -> None:
        require_rank(self, numbers(self, self.grads, "grads", INTEGER_OR_FLOAT), 4, "grads")
        vector(self, self.size, "size", 2)
        require_rank(self, self.result_type, 4, "result")


KERNELS = (
    "lanczos1",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "box",
    "triangle",
    "keyscubic",
    "mitchellcubic",
)


@op("tf.ScaleAndTranslate", PURE)
class ScaleAndTranslateOp(Op):
    """Images of another size, scaled and moved, each pixel the mean of those around its place that a kernel weighs.

    Errors: images, size, scale, translation, kernel_type, result.
    """

    images: Value = operand_def()
    size: Value = operand_def()
    scale: Value = operand_def()
    translation: Value = operand_def()
    result_type: TensorType = result_type_def()
    kernel_type: str = attr_def(default="lanczos3")
    antialias: bool = attr_def(default=True)

    def check(self) -> None:
        require_rank(self, numbers(self, self.images, "images", INTEGER_OR_FLOAT), 4, "images")
        vector(self, self.size, "size", 2)
        vector(self, self.scale, "scale", 2, FLOAT)
        vector(self, self.translation, "translation", 2, FLOAT)
        self.require(self.kernel_type in KERNELS, "kernel_type", f"there is no kernel {self.kernel_type}")
        require_rank(self, self.result_type, 4, "result")


@op("tf.CropAndResize", PURE)
class CropAndResizeOp(Op):
    """Parts of images, which boxes of relative coordinates (y1, x1, y2, x2) name, at one size, in f32.

    Errors: image, boxes, box_ind, crop_size, method, result.
    """

    image: Value = operand_def()
    boxes: Value = operand_def()
    box_ind: Value = operand_def()
    crop_size: Value = operand_def()
    result_type: TensorType = result_type_def()
    method: str = attr_def(default="bilinear")
    extrapolation_value: Float32 = attr_def(default=0.0)

    def check(self) -> None:
        require_rank(self, numbers(self, self.image, "image", INTEGER_OR_FLOAT), 4, "image")
        boxes = numbers(self, self.boxes, "boxes", FLOAT)
        require_rank(self, boxes, 2, "boxes")
        self.require(boxes.shape[1] == 4, "boxes", f"expected four coordinates of a box, found {boxes}")
        vector(self, self.box_ind, "box_ind", boxes.shape[0])
        vector(self, self.crop_size, "crop_size", 2)
        self.require(self.method in ("bilinear", "nearest"), "method", f"there is no method {self.method}")
        require_rank(self, self.result_type, 4, "result")


@op_base
class ProjectiveBase(Op):
    """result[y, x] = images at the place to which eight numbers project (x, y).

    Errors: images, transforms, output_shape, interpolation, fill_mode.
    """

    images: Value = operand_def()
    transforms: Value = operand_def()
    output_shape: Value = operand_def()

    def check_projection(self, interpolation: str, fill_mode: str) -> None:
        require_rank(self, numbers(self, self.images, "images", INTEGER_OR_FLOAT), 4, "images")
        t = numbers(self, self.transforms, "transforms", FLOAT)
        require_rank(self, t, 2, "transforms")
        self.require(t.shape[1] == 8, "transforms", f"expected eight numbers for every image, found {t}")
        vector(self, self.output_shape, "output_shape", 2)
        known = ("NEAREST", "BILINEAR")
        self.require(interpolation in known, "interpolation", f"there is no interpolation {interpolation}")
        modes = ("CONSTANT", "REFLECT", "WRAP", "NEAREST")
        self.require(fill_mode in modes, "fill_mode", f"there is no mode {fill_mode}")


@op("tf.ImageProjectiveTransformV2", PURE)
class ImageProjectiveTransformV2Op(ProjectiveBase):
    """Projected images; outside they are 0, or as the mode says."""

    result_type: TensorType = result_type_def()
    interpolation: str = attr_def()
    fill_mode: str = attr_def(default="CONSTANT")

    def check(self) -> None:
        self.check_projection(self.interpolation, self.fill_mode)


@op("tf.ImageProjectiveTransformV3", PURE)
class ImageProjectiveTransformV3Op(ProjectiveBase):
    """Projected images; outside they are fill_value, or as the mode says."""

    fill_value: Value = operand_def()
    result_type: TensorType = result_type_def()
    interpolation: str = attr_def()
    fill_mode: str = attr_def(default="CONSTANT")

    def check(self) -> None:
        self.check_projection(self.interpolation, self.fill_mode)
        require_rank(self, numbers(self, self.fill_value, "fill_value", FLOAT), 0, "fill_value")


@op("tf.ExtractImagePatches", PURE)
class ExtractImagePatchesOp(Op):
    """Windows of an image as channels. Errors: images, ksizes, strides, rates, padding, result."""

    images: Value = operand_def()
    result_type: TensorType = result_type_def()
    ksizes: tuple[int, ...] = attr_def()
    strides: tuple[int, ...] = attr_def()
    rates: tuple[int, ...] = attr_def()
    padding: str = attr_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.images, "images"), 4, "images")
        for label in ("ksizes", "strides", "rates"):
            found = getattr(self, label)
            fits = len(found) == 4 and min(found) > 0 and found[0] == found[3] == 1
            self.require(fits, label, f"expected [1, height, width, 1], found {list(found)}")
        self.require(self.padding in ("SAME", "VALID"), "padding", f"there is no padding {self.padding}")


# ---------------------------------------------------------------------------------------------- colours


@op("tf.AdjustContrastv2", PURE)
class AdjustContrastv2Op(Op):
    """(x - mean) * contrast_factor + mean, of every channel of every image. Errors: images, contrast_factor."""

    images: Value = operand_def()
    contrast_factor: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.images, "images", FLOAT)
        require_rank_in(self, t, 3, None, "images")
        require_rank(self, numbers(self, self.contrast_factor, "contrast_factor", FLOAT), 0, "contrast_factor")
        return (t,)


@op_base
class ColourOp(Op):
    """Pixels of three channels. Errors: images."""

    images: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.images, "images", FLOAT)
        require_rank_in(self, t, 1, None, "images")
        self.require(t.shape[-1] == 3, "images", f"expected three channels, found {t}")
        return (t,)


@op("tf.RGBToHSV", PURE)
class RGBToHSVOp(ColourOp):
    """Red, green, blue as hue, saturation, value, all in [0, 1]."""


@op("tf.HSVToRGB", PURE)
class HSVToRGBOp(ColourOp):
    """Hue, saturation, value as red, green, blue."""


@op("tf.AdjustHue", PURE)
class AdjustHueOp(ColourOp):
    """Pixels with `delta` added to their hue. Errors: images, delta."""

    delta: Value = operand_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.delta, "delta", FLOAT), 0, "delta")


@op("tf.AdjustSaturation", PURE)
class AdjustSaturationOp(ColourOp):
    """Pixels with their saturation times `scale`, one at most. Errors: images, scale."""

    scale: Value = operand_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.scale, "scale", FLOAT), 0, "scale")


# ---------------------------------------------------------------------------------------------- boxes


@op_base
class SuppressionBase(Op):
    """Boxes (y1, x1, y2, x2) from the highest score on, without those that overlap a chosen one too much.

    Errors: boxes, scores.
    """

    boxes: Value = operand_def()
    scores: Value = operand_def()
    max_output_size: Value = operand_def()
    iou_threshold: Value = operand_def()

    def check_boxes(self) -> None:
        t = numbers(self, self.boxes, "boxes", FLOAT)
        require_rank(self, t, 2, "boxes")
        self.require(t.shape[1] == 4, "boxes", f"expected four coordinates of a box, found {t}")
        s = vector(self, self.scores, "scores", t.shape[0], FLOAT)
        same_dtype(self, (t, s), "scores", "the boxes and the scores")
        require_rank(self, numbers(self, self.max_output_size, "max_output_size", INTEGER), 0, "max_output_size")


@op("tf.NonMaxSuppressionV3", PURE)
class NonMaxSuppressionV3Op(SuppressionBase):
    """The indices of the chosen boxes, of scores above score_threshold."""

    score_threshold: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_boxes()


@op("tf.NonMaxSuppressionV4", PURE)
class NonMaxSuppressionV4Op(SuppressionBase):
    """The indices of the chosen boxes, filled up with 0 to max_output_size where that is asked for; their number."""

    score_threshold: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    pad_to_max_output_size: bool = attr_def(default=False)

    def check(self) -> None:
        self.check_boxes()
        self.require(len(self.results) == 2, "results", f"expected 2 results, found {len(self.results)}")
