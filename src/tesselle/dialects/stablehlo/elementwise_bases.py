"""What elementwise operations of one and of two operands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tesselle.dialects.stablehlo.attributes import ResultAccuracy
from tesselle.dialects.stablehlo.base import (
    PLAIN,
    QUANTIZED,
    merge_shapes,
    tensor_type,
)
from tesselle.dialects.stablehlo.quantized_rules import QuantizableOp, same_baseline
from tesselle.ir.core import Value
from tesselle.ir.declare import attr_def, op_base, operand_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import Kind


@op_base
class UnaryOp(QuantizableOp):
    """result[i] = f(operand[i]), of the operand's type; quantized results have scales of their own.

    Errors: I1 (element type), C1 (result type). Source: StableHLO spec.
    """

    KINDS: ClassVar[frozenset[Kind]] = PLAIN
    QUANTIZED: ClassVar[frozenset[Kind]] = QUANTIZED
    """Kind.QUANTIZED, or nothing where the operation is about bits."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = self.operands[0].type
        if not isinstance(t, TensorType) or t.dtype.kind not in self.KINDS:
            tensor_type(self, t, "I1", self.KINDS | self.QUANTIZED)
        return (t,)


@op_base
class TranscendentalOp(UnaryOp):
    """A unary operation whose accuracy may be asked for."""

    result_accuracy: ResultAccuracy | None = attr_def(default=None)


@op_base
class BinaryOp(QuantizableOp):
    """result[i] = f(lhs[i], rhs[i]); both operands and the result have one type, but for scales of quantized ones.

    Errors: I1, I2 (element types), C1 (types differ). Source: StableHLO spec.
    """

    KINDS: ClassVar[frozenset[Kind]] = PLAIN
    QUANTIZED: ClassVar[frozenset[Kind]] = QUANTIZED
    """Kind.QUANTIZED, or nothing where the operation is about bits."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        lhs, rhs = self.operands
        a, b = lhs.type, rhs.type
        if not isinstance(a, TensorType) or a.dtype.kind not in self.KINDS:
            tensor_type(self, a, "I1", self.KINDS | self.QUANTIZED)
        if a is b or a == b:
            return (a,)
        x, y = tensor_type(self, lhs, "I1"), tensor_type(self, rhs, "I2", self.KINDS | self.QUANTIZED)
        dtype = same_baseline(self, (x, y), "C1", "lhs and rhs")
        return (TensorType(merge_shapes(self, (x.shape, y.shape), "C1", "lhs and rhs"), dtype),)
