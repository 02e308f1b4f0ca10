"""Batch normalization: inference, training, gradient."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import (
    FLOAT,
    QUANTIZED,
    require_dims,
    require_in_range,
    tensor_type,
    tensor_types,
)
from tesselle.dialects.stablehlo.quantized_rules import QuantizableOp, same_baseline
from tesselle.ir.attribute_types import Float32
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def
from tesselle.ir.types import TensorType, Type


def _check(op_: Op, operand: Value, vectors: Sequence[Value], feature: int) -> tuple[TensorType, TensorType]:
    """Rules C1 to C6; returns the types of the operand and of a vector of features."""
    t = tensor_type(op_, operand, "I1", FLOAT | QUANTIZED)
    require_in_range(op_, (feature,), t.rank, "C1", "feature_index")
    types = tensor_types(op_, vectors, "I2")
    same_baseline(op_, [t, *types], "C2", "operands")
    for i, v in enumerate(types):
        op_.require(v.rank == 1, f"I{i + 2}", f"operand {i + 1} must have rank 1, found {v}")
        require_dims(op_, v.shape[0], t.shape[feature], f"C{i + 3}", f"the size of operand {i + 1} and of the features")
    return t, TensorType((t.shape[feature],), t.dtype)


@op("stablehlo.batch_norm_inference", PURE)
class BatchNormInferenceOp(QuantizableOp):
    """(operand - mean) * scale / sqrt(variance + epsilon) + offset, along feature_index. Errors: C1-C6."""

    BASELINE_LABEL = "C2"

    operand: Value = operand_def()
    scale: Value = operand_def()
    offset: Value = operand_def()
    mean: Value = operand_def()
    variance: Value = operand_def()
    epsilon: Float32 = attr_def()
    feature_index: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t, _ = _check(self, self.operand, self.operands[1:], self.feature_index)
        return (t,)


@op("stablehlo.batch_norm_training", PURE)
class BatchNormTrainingOp(QuantizableOp):
    """Normalizes with the mean and variance of the operand itself, which are results too. Errors: C1-C4."""

    BASELINE_LABEL = "C2"

    operand: Value = operand_def()
    scale: Value = operand_def()
    offset: Value = operand_def()
    epsilon: Float32 = attr_def()
    feature_index: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t, v = _check(self, self.operand, self.operands[1:], self.feature_index)
        return (t, v, v)


@op("stablehlo.batch_norm_grad", PURE)
class BatchNormGradOp(QuantizableOp):
    """Gradients of batch_norm_training by operand, scale and offset. Errors: C1-C7."""

    BASELINE_LABEL = "C2"

    operand: Value = operand_def()
    scale: Value = operand_def()
    mean: Value = operand_def()
    variance: Value = operand_def()
    grad_output: Value = operand_def()
    epsilon: Float32 = attr_def()
    feature_index: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t, v = _check(self, self.operand, self.operands[1:4], self.feature_index)
        g = tensor_type(self, self.grad_output, "I5", FLOAT | QUANTIZED)
        same_baseline(self, (t, g), "C2", "operand and grad_output")
        for d in range(t.rank):
            if g.rank != t.rank:
                self.fail("C7", f"grad_output must have type {t}, found {g}")
            require_dims(self, g.shape[d], t.shape[d], "C7", f"dimension {d} of operand and grad_output")
        return (t, v, v)
