"""math: elementary functions, elementwise on scalars, vectors and tensors. Accuracy: the ULP table of each target."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.arith import BinaryOp, UnaryOp, with_element
from tesselle.ir.core import ELEMENTWISE, PURE, Op, Value
from tesselle.ir.declare import op, operand_def
from tesselle.ir.types import Type
from tesselle.support.dtypes import I1


@op("math.absf", PURE, ELEMENTWISE)
class AbsFOp(UnaryOp):
    """|x|"""


@op("math.ceil", PURE, ELEMENTWISE)
class CeilOp(UnaryOp):
    """Smallest integer not below x."""


@op("math.floor", PURE, ELEMENTWISE)
class FloorOp(UnaryOp):
    """Largest integer not above x."""


@op("math.trunc", PURE, ELEMENTWISE)
class TruncOp(UnaryOp):
    """Integer part, towards zero."""


@op("math.round", PURE, ELEMENTWISE)
class RoundOp(UnaryOp):
    """Nearest integer, ties away from zero."""


@op("math.roundeven", PURE, ELEMENTWISE)
class RoundEvenOp(UnaryOp):
    """Nearest integer, ties to even."""


@op("math.sqrt", PURE, ELEMENTWISE)
class SqrtOp(UnaryOp):
    """Square root, correctly rounded."""


@op("math.rsqrt", PURE, ELEMENTWISE)
class RsqrtOp(UnaryOp):
    """1 / sqrt(x)."""


@op("math.cbrt", PURE, ELEMENTWISE)
class CbrtOp(UnaryOp):
    """Cube root."""


@op("math.exp", PURE, ELEMENTWISE)
class ExpOp(UnaryOp):
    """e**x."""


@op("math.exp2", PURE, ELEMENTWISE)
class Exp2Op(UnaryOp):
    """2**x."""


@op("math.expm1", PURE, ELEMENTWISE)
class ExpM1Op(UnaryOp):
    """e**x - 1."""


@op("math.log", PURE, ELEMENTWISE)
class LogOp(UnaryOp):
    """Natural logarithm."""


@op("math.log2", PURE, ELEMENTWISE)
class Log2Op(UnaryOp):
    """Logarithm of base 2."""


@op("math.log1p", PURE, ELEMENTWISE)
class Log1pOp(UnaryOp):
    """log(1 + x)."""


@op("math.sin", PURE, ELEMENTWISE)
class SinOp(UnaryOp):
    """Sine of x radians."""


@op("math.cos", PURE, ELEMENTWISE)
class CosOp(UnaryOp):
    """Cosine of x radians."""


@op("math.tan", PURE, ELEMENTWISE)
class TanOp(UnaryOp):
    """Tangent of x radians."""


@op("math.asin", PURE, ELEMENTWISE)
class AsinOp(UnaryOp):
    """Inverse sine."""


@op("math.acos", PURE, ELEMENTWISE)
class AcosOp(UnaryOp):
    """Inverse cosine."""


@op("math.atan", PURE, ELEMENTWISE)
class AtanOp(UnaryOp):
    """Inverse tangent."""


@op("math.sinh", PURE, ELEMENTWISE)
class SinhOp(UnaryOp):
    """Hyperbolic sine."""


@op("math.cosh", PURE, ELEMENTWISE)
class CoshOp(UnaryOp):
    """Hyperbolic cosine."""


@op("math.tanh", PURE, ELEMENTWISE)
class TanhOp(UnaryOp):
    """Hyperbolic tangent."""


@op("math.asinh", PURE, ELEMENTWISE)
class AsinhOp(UnaryOp):
    """Inverse hyperbolic sine."""


@op("math.acosh", PURE, ELEMENTWISE)
class AcoshOp(UnaryOp):
    """Inverse hyperbolic cosine."""


@op("math.atanh", PURE, ELEMENTWISE)
class AtanhOp(UnaryOp):
    """Inverse hyperbolic tangent."""


@op("math.erf", PURE, ELEMENTWISE)
class ErfOp(UnaryOp):
    """2/sqrt(pi) * integral of exp(-t**2) from 0 to x."""


@op("math.erfc", PURE, ELEMENTWISE)
class ErfcOp(UnaryOp):
    """1 - erf(x)."""


@op("math.logistic", PURE, ELEMENTWISE)
class LogisticOp(UnaryOp):
    """1 / (1 + e**-x). Ours: MLIR's math has none, and a fused form is more accurate."""


@op("math.absi", PURE, ELEMENTWISE)
class AbsIOp(UnaryOp):
    """|x|; MIN stays MIN."""


@op("math.ctpop", PURE, ELEMENTWISE)
class CtPopOp(UnaryOp):
    """Number of set bits."""


@op("math.ctlz", PURE, ELEMENTWISE)
class CtLzOp(UnaryOp):
    """Number of leading zero bits; the width for 0."""


@op("math.atan2", PURE, ELEMENTWISE)
class Atan2Op(BinaryOp):
    """Angle of the point (rhs, lhs): atan(lhs / rhs) in its quadrant."""


@op("math.powf", PURE, ELEMENTWISE)
class PowFOp(BinaryOp):
    """lhs ** rhs, as IEEE 754 pow."""


@op("math.copysign", PURE, ELEMENTWISE)
class CopySignOp(BinaryOp):
    """|lhs| with the sign of rhs."""


@op("math.fma", PURE, ELEMENTWISE)
class FmaOp(Op):
    """a * b + c, rounded once where the target can, else twice."""

    a: Value = operand_def()
    b: Value = operand_def()
    c: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        self.require(self.a.type == self.b.type == self.c.type, "type", "operands differ in type")
        return [self.a.type]


@op("math.isfinite", PURE, ELEMENTWISE)
class IsFiniteOp(Op):
    """Neither infinite nor nan : i1."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [with_element(self.operand.type, I1)]
