"""Pooling, and normalization over images."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    FLOAT,
    INTEGER_OR_FLOAT,
    numbers,
    require_rank,
    same_dtype,
    vector,
)
from tesselle.dialects.tf.contraction import WindowAttributes
from tesselle.ir.attribute_types import Float32
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, result_types_def
from tesselle.ir.types import TensorType, Type


@op_base
class PoolingAttributes(WindowAttributes):
    """Windows of `ksize`, which has one entry for every dimension."""

    RANK = 4

    ksize: tuple[int, ...] = attr_def()

    def check_pooling(self, t: TensorType) -> None:
        require_rank(self, t, self.RANK, "input")
        self.check_window(self.RANK)
        fits = len(self.ksize) == self.RANK and min(self.ksize) > 0
        self.require(fits, "ksize", f"expected {self.RANK} positive sizes, found {list(self.ksize)}")


@op_base
class PoolingOp(PoolingAttributes):
    """Errors: input, ksize, strides, padding."""

    value: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_pooling(numbers(self, self.value, "input", INTEGER_OR_FLOAT))
        require_rank(self, self.result_type, self.RANK, "result")


@op("tf.MaxPool", PURE)
class MaxPoolOp(PoolingOp):
    """The greatest element of every window."""

    data_format: str = attr_def(default="NHWC")
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.MaxPool3D", PURE)
class MaxPool3DOp(PoolingOp):
    """The greatest element of every window of a volume."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")


@op("tf.AvgPool", PURE)
class AvgPoolOp(PoolingOp):
    """The mean of every window, of the elements that are no padding."""

    data_format: str = attr_def(default="NHWC")


@op("tf.AvgPool3D", PURE)
class AvgPool3DOp(PoolingOp):
    """The mean of every window of a volume, of the elements that are no padding."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")


@op_base
class MaxPoolGradBase(PoolingAttributes):
    """The gradient goes to the first greatest element of every window. Errors: input, ksize, strides, padding."""

    orig_input: Value = operand_def()
    orig_output: Value = operand_def()
    grad: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.orig_input, "input", INTEGER_OR_FLOAT)
        self.check_pooling(t)
        for v in (self.orig_output, self.grad):
            require_rank(self, numbers(self, v, "input"), self.RANK, "input")
        return (t,)


@op("tf.MaxPoolGrad", PURE)
class MaxPoolGradOp(MaxPoolGradBase):
    """The gradient of MaxPool."""

    data_format: str = attr_def(default="NHWC")
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.MaxPool3DGrad", PURE)
class MaxPool3DGradOp(MaxPoolGradBase):
    """The gradient of MaxPool3D."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")


@op_base
class AvgPoolGradBase(PoolingAttributes):
    """The gradient of every window goes to its elements in equal parts. Errors: orig_input_shape, input."""

    orig_input_shape: Value = operand_def()
    grad: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.orig_input_shape, "orig_input_shape", self.RANK)
        self.check_pooling(numbers(self, self.grad, "input", FLOAT))
        require_rank(self, self.result_type, self.RANK, "result")


@op("tf.AvgPoolGrad", PURE)
class AvgPoolGradOp(AvgPoolGradBase):
    """The gradient of AvgPool."""

    data_format: str = attr_def(default="NHWC")


@op("tf.AvgPool3DGrad", PURE)
class AvgPool3DGradOp(AvgPoolGradBase):
    """The gradient of AvgPool3D."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")


# ---------------------------------------------------------------------------------------------- normalization


@op_base
class FusedBatchNormBase(Op):
    """(x - mean) / √(variance + epsilon) * scale + offset, for every channel.

    Results: y; the mean and the variance, those of x where is_training is set (the variance divided by n - 1), which
    enter the running ones with exponential_avg_factor; the same again for the gradient, of n; and nothing.
    Errors: x, scale, offset, mean, variance.
    """

    x: Value = operand_def()
    scale: Value = operand_def()
    offset: Value = operand_def()
    mean: Value = operand_def()
    variance: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    epsilon: Float32 = attr_def(default=1e-4)
    exponential_avg_factor: Float32 = attr_def(default=1.0)
    data_format: str = attr_def(default="NHWC")
    is_training: bool = attr_def(default=True)

    def check(self) -> None:
        t = numbers(self, self.x, "x", FLOAT)
        self.require(t.rank in (4, 5), "x", f"expected a tensor of rank 4 or 5, found {t}")
        for label in ("scale", "offset", "mean", "variance"):
            vector(self, getattr(self, label), label, None, FLOAT)
        self.require(5 <= len(self.results) <= 6, "results", f"expected 5 or 6 results, found {len(self.results)}")


@op("tf.FusedBatchNorm", PURE)
class FusedBatchNormOp(FusedBatchNormBase):
    """Batch normalization in one element type."""


@op("tf.FusedBatchNormV2", PURE)
class FusedBatchNormV2Op(FusedBatchNormBase):
    """Batch normalization with statistics in f32."""


@op("tf.FusedBatchNormV3", PURE)
class FusedBatchNormV3Op(FusedBatchNormBase):
    """Batch normalization with statistics in f32."""


@op("tf.FusedBatchNormGradV3", PURE)
class FusedBatchNormGradV3Op(Op):
    """The gradients of FusedBatchNormV3's x, scale and offset, and twice nothing. Errors: y_backprop, x, scale."""

    y_backprop: Value = operand_def()
    x: Value = operand_def()
    scale: Value = operand_def()
    reserve_space_1: Value = operand_def()
    reserve_space_2: Value = operand_def()
    reserve_space_3: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    epsilon: Float32 = attr_def(default=1e-4)
    data_format: str = attr_def(default="NHWC")
    is_training: bool = attr_def(default=True)

    def check(self) -> None:
        t, g = numbers(self, self.x, "x", FLOAT), numbers(self, self.y_backprop, "y_backprop", FLOAT)
        self.require(t.rank in (4, 5), "x", f"expected a tensor of rank 4 or 5, found {t}")
        require_rank(self, g, t.rank, "y_backprop")
        for label in ("scale", "reserve_space_1", "reserve_space_2"):
            vector(self, getattr(self, label), label, None, FLOAT)
        self.require(len(self.results) == 5, "results", f"expected 5 results, found {len(self.results)}")


@op("tf.LRN", PURE)
class LRNOp(Op):
    """x / (bias + alpha * the sum of x² over depth_radius channels on both sides)^beta. Errors: input."""

    input: Value = operand_def()
    depth_radius: int = attr_def(default=5)
    bias: Float32 = attr_def(default=1.0)
    alpha: Float32 = attr_def(default=1.0)
    beta: Float32 = attr_def(default=0.5)

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input", FLOAT)
        require_rank(self, t, 4, "input")
        self.require(self.depth_radius >= 0, "depth_radius", f"depth_radius {self.depth_radius} must not be negative")
        return (t,)


@op("tf.LRNGrad", PURE)
class LRNGradOp(Op):
    """The gradient of LRN. Errors: input_grads, input_image, output_image."""

    input_grads: Value = operand_def()
    input_image: Value = operand_def()
    output_image: Value = operand_def()
    depth_radius: int = attr_def(default=5)
    bias: Float32 = attr_def(default=1.0)
    alpha: Float32 = attr_def(default=1.0)
    beta: Float32 = attr_def(default=0.5)

    def infer(self) -> Sequence[Type]:
        types = [numbers(self, v, "input_image", FLOAT) for v in self.operands]
        for t in types:
            require_rank(self, t, 4, "input_image")
        same_dtype(self, types, "input_image", "the operands")
        return (types[1],)
