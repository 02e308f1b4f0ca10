"""Elementwise operations of one operand, and gradients of elementwise functions."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INTEGER,
    INTEGER_OR_FLOAT,
    NUMBER,
    PLAIN,
    SIGNED_FLOAT_OR_COMPLEX,
    GradientOp,
    UnaryOp,
    tensor_type,
)
from tesselle.ir.attribute_types import Float32
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def
from tesselle.ir.types import TensorType, Type, shapes_compatible
from tesselle.support.dtypes import I1, DType


@op("tf.Abs", PURE)
class AbsOp(UnaryOp):
    """|x|."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.ComplexAbs", PURE)
class ComplexAbsOp(UnaryOp):
    """|x| of complex numbers, a real number."""

    KINDS = COMPLEX

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.element


@op("tf.Acos", PURE)
class AcosOp(UnaryOp):
    """The inverse of the cosine."""


@op("tf.Acosh", PURE)
class AcoshOp(UnaryOp):
    """The inverse of the hyperbolic cosine."""


@op("tf.Angle", PURE)
class AngleOp(UnaryOp):
    """The argument of a complex number, a real number."""

    KINDS = COMPLEX

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.element


@op("tf.Asin", PURE)
class AsinOp(UnaryOp):
    """The inverse of the sine."""


@op("tf.Asinh", PURE)
class AsinhOp(UnaryOp):
    """The inverse of the hyperbolic sine."""


@op("tf.Atan", PURE)
class AtanOp(UnaryOp):
    """The inverse of the tangent."""


@op("tf.Atanh", PURE)
class AtanhOp(UnaryOp):
    """The inverse of the hyperbolic tangent."""


@op("tf.BesselI1e", PURE)
class BesselI1eOp(UnaryOp):
    """exp(-|x|) I1(x), the scaled modified Bessel function."""

    KINDS = FLOAT


@op("tf.Ceil", PURE)
class CeilOp(UnaryOp):
    """The least integer that is not below x."""

    KINDS = FLOAT


@op("tf.Conj", PURE)
class ConjOp(UnaryOp):
    """The complex conjugate."""

    KINDS = COMPLEX


@op("tf.Cos", PURE)
class CosOp(UnaryOp):
    """The cosine."""


@op("tf.Cosh", PURE)
class CoshOp(UnaryOp):
    """The hyperbolic cosine."""


@op("tf.Digamma", PURE)
class DigammaOp(UnaryOp):
    """The derivative of the logarithm of the gamma function."""

    KINDS = FLOAT


@op("tf.Elu", PURE)
class EluOp(UnaryOp):
    """x > 0 ? x : exp(x) - 1."""

    KINDS = FLOAT


@op("tf.Erf", PURE)
class ErfOp(UnaryOp):
    """The error function."""

    KINDS = FLOAT


@op("tf.Erfc", PURE)
class ErfcOp(UnaryOp):
    """1 - erf(x)."""

    KINDS = FLOAT


@op("tf.Erfinv", PURE)
class ErfinvOp(UnaryOp):
    """The inverse of the error function."""

    KINDS = FLOAT


@op("tf.Exp", PURE)
class ExpOp(UnaryOp):
    """e to the power of x."""


@op("tf.Expm1", PURE)
class Expm1Op(UnaryOp):
    """exp(x) - 1."""


@op("tf.Floor", PURE)
class FloorOp(UnaryOp):
    """The greatest integer that is not above x."""

    KINDS = FLOAT


@op("tf.Imag", PURE)
class ImagOp(UnaryOp):
    """The imaginary part."""

    KINDS = COMPLEX

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.element


@op("tf.Inv", PURE)
class InvOp(UnaryOp):
    """1 / x."""

    KINDS = NUMBER


@op("tf.Reciprocal", PURE)
class ReciprocalOp(UnaryOp):
    """1 / x."""

    KINDS = NUMBER


@op("tf.Invert", PURE)
class InvertOp(UnaryOp):
    """Every bit turned over."""

    KINDS = INTEGER


@op("tf.IsFinite", PURE)
class IsFiniteOp(UnaryOp):
    """Whether x is neither infinite nor nan."""

    KINDS = FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        return I1


@op("tf.IsInf", PURE)
class IsInfOp(UnaryOp):
    """Whether x is infinite."""

    KINDS = FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        return I1


@op("tf.IsNan", PURE)
class IsNanOp(UnaryOp):
    """Whether x is nan."""

    KINDS = FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        return I1


@op("tf.LeakyRelu", PURE)
class LeakyReluOp(UnaryOp):
    """x > 0 ? x : alpha x."""

    KINDS = FLOAT
    alpha: Float32 = attr_def(default=0.2)


@op("tf.Lgamma", PURE)
class LgammaOp(UnaryOp):
    """The logarithm of the absolute value of the gamma function."""

    KINDS = FLOAT


@op("tf.Log", PURE)
class LogOp(UnaryOp):
    """The natural logarithm."""


@op("tf.Log1p", PURE)
class Log1pOp(UnaryOp):
    """log(1 + x)."""


@op("tf.LogicalNot", PURE)
class LogicalNotOp(UnaryOp):
    """Whether x does not hold."""

    KINDS = BOOL


@op("tf.Ndtri", PURE)
class NdtriOp(UnaryOp):
    """The inverse of the normal distribution function."""

    KINDS = FLOAT


@op("tf.Neg", PURE)
class NegOp(UnaryOp):
    """-x."""

    KINDS = NUMBER


@op("tf.OnesLike", PURE)
class OnesLikeOp(UnaryOp):
    """Ones in the operand's shape."""

    KINDS = PLAIN


@op("tf.PopulationCount", PURE)
class PopulationCountOp(Op):
    """How many bits of x are set, as ui8. Errors: x (element type)."""

    x: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        tensor_type(self, self.x, "x", INTEGER)


@op("tf.Real", PURE)
class RealOp(UnaryOp):
    """The real part."""

    KINDS = COMPLEX

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.element


@op("tf.Relu", PURE)
class ReluOp(UnaryOp):
    """max(x, 0)."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Relu6", PURE)
class Relu6Op(UnaryOp):
    """min(max(x, 0), 6)."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Rint", PURE)
class RintOp(UnaryOp):
    """The nearest integer, the even one of two."""

    KINDS = FLOAT


@op("tf.Round", PURE)
class RoundOp(UnaryOp):
    """The nearest integer, the even one of two."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.Rsqrt", PURE)
class RsqrtOp(UnaryOp):
    """1 / sqrt(x)."""


@op("tf.Selu", PURE)
class SeluOp(UnaryOp):
    """scale * (x > 0 ? x : alpha (exp(x) - 1)), with the constants of self-normalizing networks."""

    KINDS = FLOAT


@op("tf.Sigmoid", PURE)
class SigmoidOp(UnaryOp):
    """1 / (1 + exp(-x))."""


@op("tf.Sign", PURE)
class SignOp(UnaryOp):
    """x / |x|, and 0 for 0."""

    KINDS = SIGNED_FLOAT_OR_COMPLEX


@op("tf.Sin", PURE)
class SinOp(UnaryOp):
    """The sine."""


@op("tf.Sinh", PURE)
class SinhOp(UnaryOp):
    """The hyperbolic sine."""


@op("tf.Softplus", PURE)
class SoftplusOp(UnaryOp):
    """log(1 + exp(x))."""

    KINDS = FLOAT


@op("tf.Softsign", PURE)
class SoftsignOp(UnaryOp):
    """x / (1 + |x|)."""

    KINDS = FLOAT


@op("tf.Sqrt", PURE)
class SqrtOp(UnaryOp):
    """The square root."""


@op("tf.Square", PURE)
class SquareOp(UnaryOp):
    """x * x."""

    KINDS = NUMBER


@op("tf.Tan", PURE)
class TanOp(UnaryOp):
    """The tangent."""


@op("tf.Tanh", PURE)
class TanhOp(UnaryOp):
    """The hyperbolic tangent."""


@op("tf.Cast", PURE)
class CastOp(Op):
    """x in another element type; floats are cut towards zero to integers. Errors: x (element type, shape)."""

    x: Value = operand_def()
    result_type: TensorType = result_type_def()
    Truncate: bool = attr_def(default=False)

    def check(self) -> None:
        a, b = tensor_type(self, self.x, "x"), tensor_type(self, self.result_type, "x", ANY)
        self.require(shapes_compatible(a.shape, b.shape), "x", f"{a} cannot become {b}")


@op("tf.Bitcast", PURE)
class BitcastOp(Op):
    """The bits of the operand as another element type; a last dimension makes up for another width.

    Errors: input (element type, shape).
    """

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a, b = tensor_type(self, self.input, "input", PLAIN), tensor_type(self, self.result_type, "input", PLAIN)
        wide, narrow = (a, b) if a.dtype.bits >= b.dtype.bits else (b, a)
        fits = wide.shape == narrow.shape
        if wide.dtype.bits != narrow.dtype.bits:
            ratio = wide.dtype.bits // narrow.dtype.bits
            fits = narrow.rank == wide.rank + 1 and narrow.shape[-1] == ratio
        self.require(fits, "input", f"the bits of {a} do not make {b}")


@op("tf.ClipByValue", PURE)
class ClipByValueOp(Op):
    """min(max(x, clip_value_min), clip_value_max); the bounds are scalars or of the operand's shape.

    Errors: x, clip_value_min, clip_value_max (element types, shapes).
    """

    x: Value = operand_def()
    clip_value_min: Value = operand_def()
    clip_value_max: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.x, "x", NUMBER)
        for label, bound in (("clip_value_min", self.clip_value_min), ("clip_value_max", self.clip_value_max)):
            b = tensor_type(self, bound, label, NUMBER)
            fits = b.dtype is t.dtype and (b.rank == 0 or shapes_compatible(b.shape, t.shape))
            self.require(fits, label, f"the bound {b} does not fit {t}")
        return (t,)


# ---------------------------------------------------------------------------------------------- gradients


@op("tf.EluGrad", PURE)
class EluGradOp(GradientOp):
    """x * (y < 0 ? y + 1 : 1), where x is the gradient and y = elu."""

    KINDS = FLOAT


@op("tf.InvGrad", PURE)
class InvGradOp(GradientOp):
    """-y * x * x, where x = 1 / z and y is the gradient."""


@op("tf.LeakyReluGrad", PURE)
class LeakyReluGradOp(GradientOp):
    """y > 0 ? x : alpha x, where x is the gradient and y the operand."""

    KINDS = FLOAT
    alpha: Float32 = attr_def(default=0.2)


@op("tf.ReciprocalGrad", PURE)
class ReciprocalGradOp(GradientOp):
    """-y * x * x, where x = 1 / z and y is the gradient."""


@op("tf.Relu6Grad", PURE)
class Relu6GradOp(GradientOp):
    """0 < y < 6 ? x : 0, where x is the gradient and y the operand or the result."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.ReluGrad", PURE)
class ReluGradOp(GradientOp):
    """y > 0 ? x : 0, where x is the gradient and y the operand or the result."""

    KINDS = INTEGER_OR_FLOAT


@op("tf.RsqrtGrad", PURE)
class RsqrtGradOp(GradientOp):
    """-y / 2 * x³, where x = rsqrt(z) and y is the gradient."""


@op("tf.SeluGrad", PURE)
class SeluGradOp(GradientOp):
    """x * (y < 0 ? y + scale alpha : scale), where x is the gradient and y = selu."""

    KINDS = FLOAT


@op("tf.SigmoidGrad", PURE)
class SigmoidGradOp(GradientOp):
    """y * x * (1 - x), where x = sigmoid(z) and y is the gradient."""


@op("tf.SoftplusGrad", PURE)
class SoftplusGradOp(GradientOp):
    """x / (1 + exp(-y)), where x is the gradient and y the operand."""

    KINDS = FLOAT


@op("tf.SoftsignGrad", PURE)
class SoftsignGradOp(GradientOp):
    """x / (1 + |y|)², where x is the gradient and y the operand."""

    KINDS = FLOAT


@op("tf.SqrtGrad", PURE)
class SqrtGradOp(GradientOp):
    """y / 2 / x, where x = sqrt(z) and y is the gradient."""


@op("tf.TanhGrad", PURE)
class TanhGradOp(GradientOp):
    """y * (1 - x²), where x = tanh(z) and y is the gradient."""
