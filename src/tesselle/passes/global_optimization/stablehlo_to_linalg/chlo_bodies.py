"""Elementwise CHLO on scalars: functions of the math dialect, and approximations built from them.

Sources: inverse error function: M. Giles, Approximating the erfinv function (2012). Gamma functions: C. Lanczos (1964)
with g = 7 and nine terms, as XLA's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tesselle.dialects.chlo import elementwise as c
from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as cx
from tesselle.dialects.core import math as m
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import (
    SCALARS,
    Emitter,
    dtype_of,
    in_f32,
    scalar,
    widen,
)
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F64, DType


class Expression:
    """A float scalar with Python's operators, to write formulas as formulas."""

    def __init__(self, b: Builder, value: Value) -> None:
        self.b, self.value = b, value

    def _of(self, cls: Any, *args: Value) -> Expression:
        return Expression(self.b, self.b.insert(cls(*args)).result)

    def _other(self, other: Expression | float) -> Value:
        return other.value if isinstance(other, Expression) else scalar_constant(self.b, other, dtype_of(self.value))

    def __add__(self, other: Expression | float) -> Expression:
        return self._of(a.AddFOp, self.value, self._other(other))

    def __radd__(self, other: float) -> Expression:
        return self._of(a.AddFOp, self._other(other), self.value)

    def __sub__(self, other: Expression | float) -> Expression:
        return self._of(a.SubFOp, self.value, self._other(other))

    def __rsub__(self, other: float) -> Expression:
        return self._of(a.SubFOp, self._other(other), self.value)

    def __mul__(self, other: Expression | float) -> Expression:
        return self._of(a.MulFOp, self.value, self._other(other))

    def __rmul__(self, other: float) -> Expression:
        return self._of(a.MulFOp, self._other(other), self.value)

    def __truediv__(self, other: Expression | float) -> Expression:
        return self._of(a.DivFOp, self.value, self._other(other))

    def __rtruediv__(self, other: float) -> Expression:
        return self._of(a.DivFOp, self._other(other), self.value)

    def __neg__(self) -> Expression:
        return self._of(a.NegFOp, self.value)

    def apply(self, cls: Any) -> Expression:
        """A function of the math dialect."""
        return self._of(cls, self.value)

    def compare(self, predicate: a.CmpFPredicate, other: Expression | float) -> Value:
        return self.b.insert(a.CmpFOp(predicate, self.value, self._other(other))).result

    def where(self, condition: Value, other: Expression | float) -> Expression:
        """self where the condition holds, else other."""
        return self._of(a.SelectOp, condition, self.value, self._other(other))


def _function(cls: Any) -> Emitter:
    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        if dtype_of(args[0]).is_complex:
            raise Unsupported(f"{op.name} of complex numbers is not supported", op.location, op.name)
        return b.insert(cls(args[0])).result

    return in_f32(emit)


def _formula(function: Callable[[Expression], Expression]) -> Emitter:
    return in_f32(lambda b, op, args: function(Expression(b, args[0])).value)


def polynomial(x: Expression, coefficients: Sequence[float]) -> Expression:
    """Horner's scheme, highest power first."""
    result: Expression | None = None
    for k in coefficients:
        result = x * 0.0 + k if result is None else result * x + k
    assert result is not None
    return result


_NEAR = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_FAR = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)


def erf_inv(x: Expression) -> Expression:
    """The y with erf(y) = x; infinite at -1 and 1. f64 refines the f32 polynomial by two steps of Newton's method."""
    w = -((-(x * x)).apply(m.Log1pOp))
    near, far = polynomial(w - 2.5, _NEAR), polynomial(w.apply(m.SqrtOp) - 3.0, _FAR)
    y = near.where(w.compare(a.CmpFPredicate.OLT, 5.0), far) * x
    if dtype_of(x.value) == F64:
        for _ in range(2):
            slope = (-(y * y)).apply(m.ExpOp) * (2 / math.sqrt(math.pi))
            # Close to 1 the difference erf(y) - x has no digits left, that of the complements has.
            above = x.compare(a.CmpFPredicate.OGT, 0.5)
            y = y - ((1.0 - x) - y.apply(m.ErfcOp)).where(above, y.apply(m.ErfOp) - x) / slope
    edge = x.apply(m.AbsFOp).compare(a.CmpFPredicate.OEQ, 1.0)
    return (x * math.inf).where(edge, y)


_LANCZOS = 7
_BASE = 0.99999999999980993227684700473478
_TERMS = (
    676.520368121885098567009190444019,
    -1259.13921672240287047156078755283,
    771.3234287776530788486528258894,
    -176.61502916214059906584551354,
    12.507343278686904814458936853,
    -0.13857109526572011689554707,
    9.984369578019570859563e-6,
    1.50563273514931155834e-7,
)


def lgamma(x: Expression) -> Expression:
    """log|gamma(x)| by Lanczos' sum, reflected for x < 1/2."""
    small = x.compare(a.CmpFPredicate.OLT, 0.5)
    z = (-x).where(small, x - 1.0)
    total = z * 0.0 + _BASE
    for i, k in enumerate(_TERMS):
        total = total + k / (z + (i + 1.0))
    t = z + (_LANCZOS + 0.5)
    log_t = (z / (_LANCZOS + 0.5)).apply(m.Log1pOp) + math.log(_LANCZOS + 0.5)
    log_y = (z + 0.5 - t / log_t) * log_t + math.log(math.sqrt(2 * math.pi)) + total.apply(m.LogOp)
    size = x.apply(m.AbsFOp)
    fraction = size - size.apply(m.FloorOp)
    reduced = (1.0 - fraction).where(fraction.compare(a.CmpFPredicate.OGT, 0.5), fraction)
    sine = (reduced * math.pi).apply(m.SinOp).apply(m.LogOp)
    finite = x.b.insert(m.IsFiniteOp(sine.value)).result
    reflected = (math.log(math.pi) - sine - log_y).where(finite, -sine)
    result = reflected.where(small, log_y)
    infinite = size.compare(a.CmpFPredicate.OEQ, math.inf)
    return size.where(infinite, result)


def digamma(x: Expression) -> Expression:
    """The logarithmic derivative of gamma; nan at 0 and the negative integers."""
    small = x.compare(a.CmpFPredicate.OLT, 0.5)
    z = (-x).where(small, x - 1.0)
    numerator, denominator = z * 0.0, z * 0.0 + _BASE
    for i, k in enumerate(_TERMS):
        place = z + (i + 1.0)
        numerator = numerator - k / (place * place)
        denominator = denominator + k / place
    t = z + (_LANCZOS + 0.5)
    log_t = (z / (_LANCZOS + 0.5)).apply(m.Log1pOp) + math.log(_LANCZOS + 0.5)
    y = log_t + numerator / denominator - _LANCZOS / t
    moved = x + (x + 0.5).apply(m.FloorOp).apply(m.AbsFOp)
    angle = moved * math.pi
    reflected = y - math.pi * angle.apply(m.CosOp) / angle.apply(m.SinOp)
    result = reflected.where(small, y)
    b = x.b
    pole = b.insert(
        a.AndIOp(x.compare(a.CmpFPredicate.OLE, 0.0), x.compare(a.CmpFPredicate.OEQ, x.apply(m.FloorOp)))
    ).result
    return (x * math.nan).where(pole, result)


SCALARS.update(
    {
        c.AcosOp: _function(m.AcosOp),
        c.AcoshOp: _function(m.AcoshOp),
        c.AsinOp: _function(m.AsinOp),
        c.AsinhOp: _function(m.AsinhOp),
        c.AtanOp: _function(m.AtanOp),
        c.AtanhOp: _function(m.AtanhOp),
        c.CoshOp: _function(m.CoshOp),
        c.DigammaOp: _formula(digamma),
        c.ErfOp: _function(m.ErfOp),
        c.ErfcOp: _function(m.ErfcOp),
        c.ErfInvOp: _formula(erf_inv),
        c.LgammaOp: _formula(lgamma),
        c.SinhOp: _function(m.SinhOp),
        c.TanOp: _function(m.TanOp),
    }
)


@scalar(c.SquareOp)
def square(b: Builder, op: Op, args: list[Value]) -> Value:
    from tesselle.dialects.stablehlo import elementwise as s

    return SCALARS[s.MultiplyOp](b, op, [args[0], args[0]])


@scalar(c.ConjOp)
def conj(b: Builder, op: Op, args: list[Value]) -> Value:
    if not dtype_of(args[0]).is_complex:
        return args[0]
    re, im = b.insert(cx.ReOp(args[0])).result, b.insert(cx.ImOp(args[0])).result
    return b.insert(cx.CreateOp(re, b.insert(a.NegFOp(im)).result)).result


@scalar(c.IsInfOp, c.IsPosInfOp, c.IsNegInfOp)
def is_infinite(b: Builder, op: Op, args: list[Value]) -> Value:
    x = Expression(b, widen(b, args[0]))
    if isinstance(op, c.IsInfOp):
        return x.apply(m.AbsFOp).compare(a.CmpFPredicate.OEQ, math.inf)
    return x.compare(a.CmpFPredicate.OEQ, math.inf if isinstance(op, c.IsPosInfOp) else -math.inf)


@scalar(c.ConstantLikeOp)
def constant_like(b: Builder, op: Op, args: list[Value]) -> Value:
    from tesselle.ir.attributes import FloatAttr, IntegerAttr

    assert isinstance(op, c.ConstantLikeOp)
    value = op.value
    number = value.value if isinstance(value, FloatAttr | IntegerAttr) else value
    dtype = dtype_of(args[0])
    assert isinstance(dtype, DType)
    return scalar_constant(b, number, dtype)
