"""Elementwise operations of two and more operands, which broadcast by NumPy's rule."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.broadcast import broadcast_shape
from tesselle.dialects.tf.base import (
    BOOL,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    INTEGER_OR_FLOAT,
    NUMBER,
    PLAIN,
    BinaryOp,
    ComparisonOp,
    same_dtype,
    tensor_type,
)
from tesselle.ir.attribute_types import Float32
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def, variadic_def
from tesselle.ir.types import TensorType, Type, shapes_compatible
from tesselle.support.dtypes import C64, C128, F32, I1, DType


@op("tf.Add", PURE)
class AddOp(BinaryOp):
    """x + y."""


@op("tf.AddV2", PURE)
class AddV2Op(BinaryOp):
    """x + y."""


@op("tf.Sub", PURE)
class SubOp(BinaryOp):
    """x - y."""


@op("tf.Mul", PURE)
class MulOp(BinaryOp):
    """x * y."""


@op("tf.MulNoNan", PURE)
class MulNoNanOp(BinaryOp):
    """y = 0 ? 0 : x * y, also where x is infinite or nan."""

    KINDS = FLOAT_OR_COMPLEX


@op("tf.Div", PURE)
class DivOp(BinaryOp):
    """x / y; integers are cut towards zero."""


@op("tf.RealDiv", PURE)
class RealDivOp(BinaryOp):
    """x / y."""


@op("tf.DivNoNan", PURE)
class DivNoNanOp(BinaryOp):
    """y = 0 ? 0 : x / y."""

    KINDS = FLOAT_OR_COMPLEX


@op("tf.FloorDiv", PURE)
class FloorDivOp(BinaryOp):
    """floor(x / y)."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.FloorMod", PURE)
class FloorModOp(BinaryOp):
    """x - floor(x / y) * y, of the sign of y."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Mod", PURE)
class ModOp(BinaryOp):
    """The remainder of x / y, of the sign of x."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.TruncateMod", PURE)
class TruncateModOp(BinaryOp):
    """The remainder of x / y, of the sign of x."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.TruncateDiv", PURE)
class TruncateDivOp(BinaryOp):
    """x / y, cut towards zero."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Maximum", PURE)
class MaximumOp(BinaryOp):
    """The greater of x and y."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Minimum", PURE)
class MinimumOp(BinaryOp):
    """The smaller of x and y."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Pow", PURE)
class PowOp(BinaryOp):
    """x to the power of y."""


@op("tf.SquaredDifference", PURE)
class SquaredDifferenceOp(BinaryOp):
    """|x - y|²."""


@op("tf.Atan2", PURE)
class Atan2Op(BinaryOp):
    """The angle of the point (y, x)."""

    KINDS = FLOAT


@op("tf.NextAfter", PURE)
class NextAfterOp(BinaryOp):
    """The float behind x in the direction of y."""

    KINDS = FLOAT


@op("tf.Polygamma", PURE)
class PolygammaOp(BinaryOp):
    """The derivative of order x of the digamma function, at y."""

    KINDS = FLOAT


@op("tf.Zeta", PURE)
class ZetaOp(BinaryOp):
    """The Hurwitz zeta function of x and y."""

    KINDS = FLOAT


@op("tf.Xdivy", PURE)
class XdivyOp(BinaryOp):
    """x = 0 ? 0 : x / y."""

    KINDS = FLOAT_OR_COMPLEX


@op("tf.Xlogy", PURE)
class XlogyOp(BinaryOp):
    """x = 0 ? 0 : x log(y)."""

    KINDS = FLOAT_OR_COMPLEX


@op("tf.Xlog1py", PURE)
class Xlog1pyOp(BinaryOp):
    """x = 0 ? 0 : x log(1 + y)."""

    KINDS = FLOAT_OR_COMPLEX


@op("tf.BitwiseAnd", PURE)
class BitwiseAndOp(BinaryOp):
    """The bits that are set in both."""

    KINDS = INTEGER


@op("tf.BitwiseOr", PURE)
class BitwiseOrOp(BinaryOp):
    """The bits that are set in one or both."""

    KINDS = INTEGER


@op("tf.BitwiseXor", PURE)
class BitwiseXorOp(BinaryOp):
    """The bits that are set in one of both."""

    KINDS = INTEGER


@op("tf.LeftShift", PURE)
class LeftShiftOp(BinaryOp):
    """x << y; distances outside of the width are taken as the nearest inside."""

    KINDS = INTEGER


@op("tf.RightShift", PURE)
class RightShiftOp(BinaryOp):
    """x >> y, arithmetic for signed integers; distances outside of the width are taken as the nearest inside."""

    KINDS = INTEGER


@op("tf.LogicalAnd", PURE)
class LogicalAndOp(BinaryOp):
    """Whether both hold."""

    KINDS = BOOL


@op("tf.LogicalOr", PURE)
class LogicalOrOp(BinaryOp):
    """Whether one or both hold."""

    KINDS = BOOL


@op("tf.Complex", PURE)
class ComplexOp(BinaryOp):
    """x + y i."""

    KINDS = FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        return C64 if dtype is F32 else C128


# ---------------------------------------------------------------------------------------------- comparisons


@op("tf.Equal", PURE)
class EqualOp(ComparisonOp):
    """x = y."""

    KINDS = PLAIN
    incompatible_shape_error: bool = attr_def(default=True)


@op("tf.NotEqual", PURE)
class NotEqualOp(ComparisonOp):
    """x ≠ y."""

    KINDS = PLAIN
    incompatible_shape_error: bool = attr_def(default=True)


@op("tf.Greater", PURE)
class GreaterOp(ComparisonOp):
    """x > y."""


@op("tf.GreaterEqual", PURE)
class GreaterEqualOp(ComparisonOp):
    """x ≥ y."""


@op("tf.Less", PURE)
class LessOp(ComparisonOp):
    """x < y."""


@op("tf.LessEqual", PURE)
class LessEqualOp(ComparisonOp):
    """x ≤ y."""


@op("tf.ApproximateEqual", PURE)
class ApproximateEqualOp(ComparisonOp):
    """|x - y| < tolerance."""

    tolerance: Float32 = attr_def(default=1e-5)


# ---------------------------------------------------------------------------------------------- more operands


@op("tf.AddN", PURE)
class AddNOp(Op):
    """The sum of all operands, which have one type; lists are added element by element.

    Errors: inputs (none, or types that differ).
    """

    inputs: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.require(len(self.operands) > 0, "inputs", "expected an operand")
        types = [v.type for v in self.operands]
        for t in types:
            fits = isinstance(t, TensorType) and t.dtype is self.result_type.dtype
            self.require(fits or t == types[0], "inputs", f"expected operands of type {self.result_type}, found {t}")


@op("tf.AccumulateNV2", PURE)
class AccumulateNV2Op(Op):
    """The sum of all operands, which have one type. Errors: inputs (none, or element types that differ)."""

    inputs: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.require(len(self.operands) > 0, "inputs", "expected an operand")
        types = [tensor_type(self, v, "inputs", NUMBER) for v in self.operands]
        same_dtype(self, types, "inputs", "the operands")


@op("tf.Select", PURE)
class SelectOp(Op):
    """condition ? t : e; the condition is a scalar, a vector that chooses among rows, or has the operands' shape.

    Errors: condition, e (types).
    """

    condition: Value = operand_def()
    t: Value = operand_def()
    e: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        c = tensor_type(self, self.condition, "condition", BOOL)
        a, b = tensor_type(self, self.t, "t", PLAIN), tensor_type(self, self.e, "e", PLAIN)
        same_dtype(self, (a, b), "e", "t and e")
        self.require(shapes_compatible(a.shape, b.shape), "e", f"t and e must have one shape, found {a} and {b}")
        fits = c.rank == 0 or shapes_compatible(c.shape, a.shape) or shapes_compatible(c.shape, a.shape[:1])
        self.require(fits, "condition", f"the condition {c} does not choose among elements of {a}")
        shape = tuple(m if n is None else n for n, m in zip(a.shape, b.shape, strict=True))
        return (TensorType(shape, a.dtype),)


@op("tf.SelectV2", PURE)
class SelectV2Op(Op):
    """condition ? t : e, all broadcast to one shape. Errors: condition, e (types), C2 (shapes)."""

    condition: Value = operand_def()
    t: Value = operand_def()
    e: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        c = tensor_type(self, self.condition, "condition", BOOL)
        a, b = tensor_type(self, self.t, "t", PLAIN), tensor_type(self, self.e, "e", PLAIN)
        same_dtype(self, (a, b), "e", "t and e")
        shape = broadcast_shape(self, broadcast_shape(self, a.shape, b.shape), c.shape)
        return (TensorType(shape, a.dtype),)


@op("tf.ToBool", PURE)
class ToBoolOp(Op):
    """Whether a scalar is not zero; for other tensors whether they have elements. Errors: input."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        tensor_type(self, self.input, "input", PLAIN)
        return (TensorType((), I1),)
