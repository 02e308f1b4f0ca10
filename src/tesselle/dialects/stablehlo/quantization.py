"""Quantization as operations: from floats to quantized tensors, back, and between them.

    quantize(x)   = round_nearest_even(clamp(storage_min, x / scale + zero_point, storage_max))
    dequantize(q) = (q - zero_point) * scale

Source: StableHLO spec, "Quantization computations".
"""

from __future__ import annotations

from tesselle.dialects.stablehlo import (
    collective,
    contraction,
    convolution,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    reduction,
    window,
)
from tesselle.dialects.stablehlo.base import FLOAT, QUANTIZED, merge_shapes, tensor_type
from tesselle.dialects.stablehlo.quantized_rules import quantized_element
from tesselle.dialects.stablehlo.shape import IotaOp
from tesselle.ir.core import ELEMENTWISE, PURE, Op, Value
from tesselle.ir.declare import op, operand_def, result_type_def
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import TensorType
from tesselle.support.diagnostics import Unsupported


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


def computed_types(op_: Op) -> dict[int, QuantizedType]:
    """Number of an operand -> the quantized type in which the region of a reduction or scatter takes it.

    Source: spec, to_destination_type and is_promotable. Errors: Unsupported for a select_and_scatter that widens.
    """
    if isinstance(op_, reduction.ReduceOp | window.ReduceWindowOp):
        taken = {i: i for i in range(len(op_.operands))}
        body = op_.body
    elif isinstance(op_, indexing.ScatterOp):
        count = len(op_.operands) // 2
        taken = {i + (i >= count): i for i in range(2 * count)}
        body = op_.update_computation
    elif isinstance(op_, collective.AllReduceOp | collective.ReduceScatterOp):
        taken = dict.fromkeys(range(len(op_.operands)), 0)
        body = op_.computation
    elif isinstance(op_, window.SelectAndScatterOp):
        if op_.scatter.block.args[0].type != op_.select.block.args[0].type:
            raise Unsupported("scattering into a wider quantized type is not supported", op_.location, op_.name)
        return {}
    else:
        return {}
    found = {i: quantized_element(body.block.args[k].type) for i, k in taken.items()}
    return {i: t for i, t in found.items() if t is not None}
