"""Products of matrices, einsums, convolutions and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    INTEGER_OR_FLOAT,
    NUMBER,
    numbers,
    require_rank,
    require_rank_in,
    same_dtype,
    vector,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, variadic_def
from tesselle.ir.types import TensorType, Type, dims_compatible


@op("tf.MatMul", PURE)
class MatMulOp(Op):
    """a b, of matrices, each transposed where that is asked for. Errors: a, b."""

    a: Value = operand_def()
    b: Value = operand_def()
    transpose_a: bool = attr_def(default=False)
    transpose_b: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        x, y = numbers(self, self.a, "a", NUMBER), numbers(self, self.b, "b", NUMBER)
        require_rank(self, x, 2, "a")
        require_rank(self, y, 2, "b")
        same_dtype(self, (x, y), "b", "a and b")
        m, k = x.shape[::-1] if self.transpose_a else x.shape
        j, n = y.shape[::-1] if self.transpose_b else y.shape
        self.require(dims_compatible(k, j), "b", f"{x} and {y} have no common dimension")
        return (x.with_shape((m, n)),)


@op_base
class BatchMatMulBase(Op):
    """x y, of batches of matrices, each transposed and conjugated where that is asked for. Errors: x, y."""

    x: Value = operand_def()
    y: Value = operand_def()
    result_type: TensorType = result_type_def()
    adj_x: bool = attr_def(default=False)
    adj_y: bool = attr_def(default=False)

    def check(self) -> None:
        x, y = numbers(self, self.x, "x", NUMBER), numbers(self, self.y, "y", NUMBER)
        require_rank_in(self, x, 2, None, "x")
        require_rank_in(self, y, 2, None, "y")
        k = x.shape[-2 if self.adj_x else -1]
        j = y.shape[-1 if self.adj_y else -2]
        self.require(dims_compatible(k, j), "y", f"{x} and {y} have no common dimension")
        require_rank(self, self.result_type, max(x.rank, y.rank), "y")


@op("tf.BatchMatMul", PURE)
class BatchMatMulOp(BatchMatMulBase):
    """x y, of batches of one shape."""


@op("tf.BatchMatMulV2", PURE)
class BatchMatMulV2Op(BatchMatMulBase):
    """x y; the batches broadcast."""


@op("tf.BatchMatMulV3", PURE)
class BatchMatMulV3Op(BatchMatMulBase):
    """x y, of another element type; the batches broadcast."""


@op("tf.Einsum", PURE)
class EinsumOp(Op):
    """The sum of products that the equation says. Errors: inputs, equation."""

    inputs: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()
    equation: str = attr_def()

    def check(self) -> None:
        types = [numbers(self, v, "inputs", NUMBER) for v in self.operands]
        self.require(len(types) in (1, 2), "inputs", f"expected one or two operands, found {len(types)}")
        same_dtype(self, types, "inputs", "the operands")
        left, arrow, _ = self.equation.partition("->")
        self.require(bool(arrow), "equation", f"'{self.equation}' says no result")
        count = len(left.split(","))
        self.require(count == len(types), "equation", f"'{self.equation}' is about {count} operands")


@op_base
class BiasBase(Op):
    """value + bias, along the dimension of channels. Errors: value, bias, data_format."""

    value: Value = operand_def()
    bias: Value = operand_def()

    def channels(self) -> int:
        """The dimension of channels."""
        return numbers(self, self.value, "value").rank - 1

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.value, "value", NUMBER)
        require_rank_in(self, t, 2, None, "value")
        c = vector(self, self.bias, "bias", t.shape[self.channels()], NUMBER)
        same_dtype(self, (t, c), "bias", "the value and the bias")
        return (t,)


@op("tf.BiasAdd", PURE)
class BiasAddOp(BiasBase):
    """value + bias; channels are the last dimension, or the second one where data_format starts with NC."""

    data_format: str = attr_def(default="NHWC")

    def channels(self) -> int:
        return 1 if self.data_format.startswith("NC") else super().channels()


@op("tf.BiasAddV1", PURE)
class BiasAddV1Op(BiasBase):
    """value + bias; channels are the last dimension."""


@op("tf.BiasAddGrad", PURE)
class BiasAddGradOp(Op):
    """The sum over all dimensions but that of channels. Errors: out_backprop."""

    out_backprop: Value = operand_def()
    data_format: str = attr_def(default="NHWC")

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.out_backprop, "out_backprop", NUMBER)
        require_rank_in(self, t, 2, None, "out_backprop")
        return (t.with_shape((t.shape[1 if self.data_format.startswith("NC") else -1],)),)


# ---------------------------------------------------------------------------------------------- convolutions

PADDINGS = ("SAME", "VALID", "EXPLICIT")


@op_base
class WindowAttributes(Op):
    """How a window moves: strides and dilations have one entry for every dimension of the operand."""

    strides: tuple[int, ...] = attr_def()
    padding: str = attr_def()

    def check_window(self, rank: int) -> None:
        self.require(len(self.strides) == rank, "strides", f"expected {rank} strides, found {list(self.strides)}")
        self.require(min(self.strides) > 0, "strides", f"strides must be positive, found {list(self.strides)}")
        self.require(self.padding in PADDINGS, "padding", f"expected one of {PADDINGS}, found {self.padding}")
        explicit = self.attributes.get("explicit_paddings", ())
        if self.padding == "EXPLICIT":
            fits = isinstance(explicit, tuple) and len(explicit) == 2 * rank
            self.require(fits, "padding", f"expected {2 * rank} explicit paddings")
        dilations = self.attributes.get("dilations", ())
        if isinstance(dilations, tuple) and dilations:
            positive = len(dilations) == rank and all(isinstance(d, int) and d > 0 for d in dilations)
            self.require(positive, "dilations", f"expected {rank} positive dilations, found {dilations}")


@op_base
class ConvolutionOp(WindowAttributes):
    """A convolution; the filter is [spatial…, input channels, output channels]."""

    RANK = 4

    def check_convolution(self, input_rank: int, filter_: Value) -> None:
        self.require(input_rank == self.RANK, "input", f"expected a tensor of rank {self.RANK}, found {input_rank}")
        require_rank(self, numbers(self, filter_, "filter", INTEGER_OR_FLOAT), self.RANK, "filter")
        self.check_window(self.RANK)


@op_base
class ForwardConvolutionOp(ConvolutionOp):
    """Errors: input, filter, strides, dilations, padding."""

    input: Value = operand_def()
    filter: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input", INTEGER_OR_FLOAT)
        self.check_convolution(t.rank, self.filter)
        same_dtype(self, (t, numbers(self, self.filter, "filter")), "filter", "the operand and the filter")
        require_rank(self, self.result_type, t.rank, "result")


@op_base
class InputGradientOp(ConvolutionOp):
    """The gradient of a convolution's operand, of shape input_sizes. Errors: input_sizes, filter, out_backprop."""

    input_sizes: Value = operand_def()
    filter: Value = operand_def()
    out_backprop: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.input_sizes, "input_sizes")
        t = numbers(self, self.out_backprop, "out_backprop", INTEGER_OR_FLOAT)
        self.check_convolution(t.rank, self.filter)
        require_rank(self, self.result_type, t.rank, "result")


@op_base
class FilterGradientOp(ConvolutionOp):
    """The gradient of a convolution's filter, of shape filter_sizes. Errors: input, filter_sizes, out_backprop."""

    input: Value = operand_def()
    filter_sizes: Value = operand_def()
    out_backprop: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input", INTEGER_OR_FLOAT)
        vector(self, self.filter_sizes, "filter_sizes", self.RANK)
        require_rank(self, numbers(self, self.out_backprop, "out_backprop"), t.rank, "out_backprop")
        self.require(t.rank == self.RANK, "input", f"expected a tensor of rank {self.RANK}, found {t}")
        self.require(self.result_type.is_static, "result", "the shape of the filter must be known")
        self.check_window(self.RANK)


@op("tf.Conv2D", PURE)
class Conv2DOp(ForwardConvolutionOp):
    """The convolution of images; the filter is [height, width, channels in a group, channels]."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.Conv3D", PURE)
class Conv3DOp(ForwardConvolutionOp):
    """The convolution of volumes; the filter is [depth, height, width, channels in a group, channels]."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1, 1))


@op("tf.DepthwiseConv2dNative", PURE)
class DepthwiseConv2dNativeOp(ForwardConvolutionOp):
    """Every channel is convolved on its own; the filter is [height, width, channels, multiplier]."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.Conv2DBackpropInput", PURE)
class Conv2DBackpropInputOp(InputGradientOp):
    """The gradient of Conv2D's operand; also the transposed convolution."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.Conv3DBackpropInputV2", PURE)
class Conv3DBackpropInputV2Op(InputGradientOp):
    """The gradient of Conv3D's operand; also the transposed convolution."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1, 1))


@op("tf.DepthwiseConv2dNativeBackpropInput", PURE)
class DepthwiseConv2dNativeBackpropInputOp(InputGradientOp):
    """The gradient of DepthwiseConv2dNative's operand."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.Conv2DBackpropFilter", PURE)
class Conv2DBackpropFilterOp(FilterGradientOp):
    """The gradient of Conv2D's filter."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())


@op("tf.Conv3DBackpropFilterV2", PURE)
class Conv3DBackpropFilterV2Op(FilterGradientOp):
    """The gradient of Conv3D's filter."""

    RANK = 5
    data_format: str = attr_def(default="NDHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1, 1))


@op("tf.DepthwiseConv2dNativeBackpropFilter", PURE)
class DepthwiseConv2dNativeBackpropFilterOp(FilterGradientOp):
    """The gradient of DepthwiseConv2dNative's filter."""

    data_format: str = attr_def(default="NHWC")
    dilations: tuple[int, ...] = attr_def(default=(1, 1, 1, 1))
    explicit_paddings: tuple[int, ...] = attr_def(default=())
