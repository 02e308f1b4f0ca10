"""Quantization as operations: from floats to quantized tensors, back, and between them.

    quantize(x)   = round_nearest_even(clamp(storage_min, x / scale + zero_point, storage_max))
    dequantize(q) = (q - zero_point) * scale

Source: StableHLO spec, "Quantization computations".
"""

from __future__ import annotations

from tesselle.dialects.stablehlo import contraction, convolution, dynamic, elementwise, linear_algebra, normalization
from tesselle.dialects.stablehlo.base import FLOAT, QUANTIZED, merge_shapes, tensor_type
from tesselle.dialects.stablehlo.quantized_rules import quantized_element
from tesselle.dialects.stablehlo.shape import IotaOp
from tesselle.ir.core import ELEMENTWISE, PURE, Op, Value
from tesselle.ir.declare import op, operand_def, result_type_def
from tesselle.ir.types import TensorType


@op("stablehlo.uniform_quantize", PURE, ELEMENTWISE)
class UniformQuantizeOp(Op):
    """quantize(x) for floats; quantize(dequantize(x)), with other parameters, for quantized x.

    Errors: I1 (neither floats nor quantized), C1 (shape), C2 (expressed type). Source: spec, uniform_quantize.
    """

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, "I1", FLOAT | QUANTIZED, per_axis=True)
        b = tensor_type(self, self.result_type, "result", QUANTIZED, per_axis=True)
        merge_shapes(self, (a.shape, b.shape), "C1", "operand and result")
        source, target = quantized_element(a), quantized_element(b)
        assert target is not None
        found = a.dtype if source is None else source.expressed
        self.require(found is target.expressed, "C2", f"{found} cannot be quantized to {target}")


@op("stablehlo.uniform_dequantize", PURE, ELEMENTWISE)
class UniformDequantizeOp(Op):
    """The floats that quantized x stands for.

    Errors: I1 (not quantized), C1 (shape), C2 (element type). Source: spec, uniform_dequantize.
    """

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, "I1", QUANTIZED, per_axis=True)
        b = tensor_type(self, self.result_type, "result", FLOAT)
        merge_shapes(self, (a.shape, b.shape), "C1", "operand and result")
        source = quantized_element(a)
        assert source is not None
        self.require(b.dtype is source.expressed, "C2", f"the result must have elements of {source.expressed}")


_IN_FLOATS: tuple[type[Op], ...] = (
    elementwise.UnaryOp,
    elementwise.BinaryOp,
    elementwise.IsFiniteOp,
    elementwise.CompareOp,
    elementwise.ReducePrecisionOp,
    elementwise.SelectOp,
    elementwise.ClampOp,
    contraction.DotGeneralOp,
    contraction.DotOp,
    convolution.ConvolutionOp,
    convolution.DynamicConvOp,
    linear_algebra.CholeskyOp,
    linear_algebra.TriangularSolveOp,
    normalization.BatchNormInferenceOp,
    normalization.BatchNormTrainingOp,
    normalization.BatchNormGradOp,
    IotaOp,
    dynamic.DynamicIotaOp,
)


def computes_in_floats(op_: Op) -> bool:
    """Whether the operation dequantizes its operands, computes on floats and quantizes its results.

    All others move what is stored, or leave it to their regions. Source: spec, dequantize_op_quantize.
    """
    return isinstance(op_, _IN_FLOATS)
