"""Elementwise operations of CHLO that StableHLO does not have."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.complex import ComplexAttr
from tesselle.dialects.stablehlo.base import FLOAT, FLOAT_OR_COMPLEX, INTEGER, NUMBER, tensor_type
from tesselle.dialects.stablehlo.elementwise import BinaryOp, UnaryOp
from tesselle.ir.attributes import Attribute, FloatAttr, IntegerAttr
from tesselle.ir.core import ELEMENTWISE, PURE
from tesselle.ir.declare import attr_def, op
from tesselle.ir.types import Type
from tesselle.support.dtypes import F64, I1, I64, DType


@op("chlo.acos", PURE, ELEMENTWISE)
class AcosOp(UnaryOp):
    """The angle in [0, pi] whose cosine is x."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.acosh", PURE, ELEMENTWISE)
class AcoshOp(UnaryOp):
    """The inverse hyperbolic cosine."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo._asin_acos_kernel", PURE, ELEMENTWISE)
class AsinAcosKernelOp(UnaryOp):
    """What asin and acos of complex numbers share (see Hull, Fairgrieve, Tang, 1997)."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.asin", PURE, ELEMENTWISE)
class AsinOp(UnaryOp):
    """The angle in [-pi/2, pi/2] whose sine is x."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.asinh", PURE, ELEMENTWISE)
class AsinhOp(UnaryOp):
    """The inverse hyperbolic sine."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.atan", PURE, ELEMENTWISE)
class AtanOp(UnaryOp):
    """The angle in [-pi/2, pi/2] whose tangent is x."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.atanh", PURE, ELEMENTWISE)
class AtanhOp(UnaryOp):
    """The inverse hyperbolic tangent."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.bessel_i1e", PURE, ELEMENTWISE)
class BesselI1eOp(UnaryOp):
    """e ** -|x| times the modified Bessel function of the first kind, order 1."""

    KINDS = FLOAT


@op("chlo.conj", PURE, ELEMENTWISE)
class ConjOp(UnaryOp):
    """The complex conjugate."""

    KINDS = NUMBER


@op("chlo.cosh", PURE, ELEMENTWISE)
class CoshOp(UnaryOp):
    """The hyperbolic cosine."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.digamma", PURE, ELEMENTWISE)
class DigammaOp(UnaryOp):
    """The derivative of lgamma."""

    KINDS = FLOAT


@op("chlo.erf", PURE, ELEMENTWISE)
class ErfOp(UnaryOp):
    """The error function: 2 / sqrt(pi) times the integral of e ** -t^2 over [0, x]."""

    KINDS = FLOAT


@op("chlo.erf_inv", PURE, ELEMENTWISE)
class ErfInvOp(UnaryOp):
    """The inverse of erf."""

    KINDS = FLOAT


@op("chlo.erfc", PURE, ELEMENTWISE)
class ErfcOp(UnaryOp):
    """1 - erf(x), exact for large x."""

    KINDS = FLOAT


@op("chlo.lgamma", PURE, ELEMENTWISE)
class LgammaOp(UnaryOp):
    """log |gamma(x)|."""

    KINDS = FLOAT


@op("chlo.sinh", PURE, ELEMENTWISE)
class SinhOp(UnaryOp):
    """The hyperbolic sine."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.square", PURE, ELEMENTWISE)
class SquareOp(UnaryOp):
    """x * x."""

    KINDS = NUMBER


@op("chlo.tan", PURE, ELEMENTWISE)
class TanOp(UnaryOp):
    """tan(x), x in radians."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.is_inf", PURE, ELEMENTWISE)
class IsInfOp(UnaryOp):
    """True where x is an infinity."""

    KINDS = FLOAT

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, "I1", self.KINDS).with_dtype(I1),)


@op("chlo.is_neg_inf", PURE, ELEMENTWISE)
class IsNegInfOp(UnaryOp):
    """True where x is minus infinity."""

    KINDS = FLOAT

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, "I1", self.KINDS).with_dtype(I1),)


@op("chlo.is_pos_inf", PURE, ELEMENTWISE)
class IsPosInfOp(UnaryOp):
    """True where x is plus infinity."""

    KINDS = FLOAT

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, "I1", self.KINDS).with_dtype(I1),)


@op("chlo.mulhi", PURE, ELEMENTWISE)
class MulhiOp(BinaryOp):
    """The high half of the exact product of two integers."""

    KINDS = INTEGER


@op("chlo.next_after", PURE, ELEMENTWISE)
class NextAfterOp(BinaryOp):
    """The float next to lhs in the direction of rhs."""

    KINDS = FLOAT


@op("chlo.polygamma", PURE, ELEMENTWISE)
class PolygammaOp(BinaryOp):
    """The derivative of order lhs of digamma, at rhs."""

    KINDS = FLOAT


@op("chlo.zeta", PURE, ELEMENTWISE)
class ZetaOp(BinaryOp):
    """Hurwitz' zeta: the sum of (k + rhs) ** -lhs over k >= 0."""

    KINDS = FLOAT


@op("chlo.constant_like", PURE, ELEMENTWISE)
class ConstantLikeOp(UnaryOp):
    """`value` in every element of a tensor of the operand's shape. Errors: C1 (value is no number)."""

    value: Attribute = attr_def()

    def infer(self) -> Sequence[Type]:
        dtype = number_type(self.value)
        self.require(dtype is not None, "C1", f"value must be a number, found {self.value}")
        assert dtype is not None
        return (tensor_type(self, self.operand).with_dtype(dtype),)

    @property
    def number(self) -> bool | int | float | complex:
        """The value without its type."""
        value = self.value
        assert isinstance(value, FloatAttr | IntegerAttr | ComplexAttr | bool | int | float)
        return value.value if isinstance(value, FloatAttr | IntegerAttr | ComplexAttr) else value


def number_type(value: Attribute) -> DType | None:
    """The type of a number that an attribute holds; None when it is none. Numbers without a type are i1, i64 or f64."""
    match value:
        case FloatAttr() | IntegerAttr() | ComplexAttr():
            return value.type if isinstance(value.type, DType) else None
        case bool():
            return I1
        case int():
            return I64
        case float():
            return F64
        case _:
            return None
