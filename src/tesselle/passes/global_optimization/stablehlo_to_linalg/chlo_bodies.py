"""Elementwise CHLO on scalars: functions of the math dialect, and approximations built from them.

What has no fast form in its own type is computed in f64 and rounded: f32 and narrower floats come out rounded nearly
always correctly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tesselle.dialects.chlo import elementwise as c
from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as cx
from tesselle.dialects.core import math as m
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg import complex_functions, gamma_functions
from tesselle.passes.global_optimization.stablehlo_to_linalg import special_coefficients as k
from tesselle.passes.global_optimization.stablehlo_to_linalg.complex_bodies import COMPLEX
from tesselle.passes.global_optimization.stablehlo_to_linalg.expressions import (
    Expression,
    chebyshev,
    polynomial,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import (
    SCALARS,
    Emitter,
    convert,
    dtype_of,
    in_f32,
    scalar,
    widen,
)
from tesselle.support.dtypes import DTYPES, F32, F64, I64, UI64, DType
from tesselle.support.float_formats import format_of


def _function(cls: Any) -> Emitter:
    """A function of the math dialect, or of complex numbers."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        if dtype_of(args[0]).is_complex:
            return complex_functions.emit(b, op, args)
        return b.insert(cls(args[0])).result

    return in_f32(emit)


def _in_f64(function: Callable[..., Expression]) -> Emitter:
    """A formula in f64, its result rounded to the operands' type."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        result = function(*(Expression(b, convert(b, x, F64)) for x in args))
        return convert(b, result.value, dtype_of(args[0]))

    return emit


_NEAR = (
    1.50140941,
    0.246640727,
    -0.00417768164,
    -0.00125372503,
    0.00021858087,
    -4.39150654e-06,
    -3.5233877e-06,
    3.43273939e-07,
    2.81022636e-08,
)
_FAR = (
    2.83297682,
    1.00167406,
    0.00943887047,
    -0.0076224613,
    0.00573950773,
    -0.00367342844,
    0.00134934322,
    0.000100950558,
    -0.000200214257,
)


def erf_inv(x: Expression) -> Expression:
    """The y with erf(y) = x, infinite at -1 and 1: within 6 ULP in f32, within 4 ULP in f64.

    A polynomial of w = -log(1 - x**2), times x. Source of the idea and of f32's coefficients: M. Giles, Approximating
    the erfinv function (2012).
    """
    w = -((1.0 - x) * (1.0 + x)).apply(m.LogOp)
    root = w.apply(m.SqrtOp)
    if x.dtype == F32:
        y = polynomial(w - 2.5, _NEAR).where(w < 5.0, polynomial(root - 3.0, _FAR))
    else:
        tail = polynomial((root - 5.125) * (1 / 1.125), k.ERF_INV_TAIL)
        middle = polynomial((root - 3.25) * (1 / 0.75), k.ERF_INV_MIDDLE)
        centre = polynomial(w * (1 / 3.125) - 1.0, k.ERF_INV_CENTRE)
        y = centre.where(w < 6.25, middle.where(root < 4.0, tail))
    return (x * math.inf).where(abs(x).equals(1.0), y * x)


def bessel_i1e(x: Expression) -> Expression:
    """exp(-|x|) times the modified Bessel function of the first kind and order 1, within 6 ULP in f64."""
    size = abs(x)
    near = size * chebyshev(size * 0.25 - 1.0, k.BESSEL_NEAR)
    # The square root of size alone, as a quotient of roots would square an infinity.
    far = chebyshev(16.0 / size - 1.0, k.BESSEL_FAR) / size.apply(m.SqrtOp)
    return near.where(size <= 8.0, far).with_sign_of(x)


SCALARS.update(
    {
        c.AcosOp: _function(m.AcosOp),
        c.AcoshOp: _function(m.AcoshOp),
        c.AsinOp: _function(m.AsinOp),
        c.AsinhOp: _function(m.AsinhOp),
        c.AtanOp: _function(m.AtanOp),
        c.AtanhOp: _function(m.AtanhOp),
        c.BesselI1eOp: _in_f64(bessel_i1e),
        c.CoshOp: _function(m.CoshOp),
        c.DigammaOp: _in_f64(gamma_functions.digamma),
        c.ErfOp: _function(m.ErfOp),
        c.ErfcOp: _function(m.ErfcOp),
        c.ErfInvOp: in_f32(lambda b, op, args: erf_inv(Expression(b, args[0])).value),
        c.LgammaOp: _in_f64(gamma_functions.lgamma),
        c.PolygammaOp: _in_f64(gamma_functions.polygamma),
        c.SinhOp: _function(m.SinhOp),
        c.TanOp: _function(m.TanOp),
        c.ZetaOp: _in_f64(gamma_functions.zeta),
    }
)


@scalar(c.AsinAcosKernelOp)
def asin_acos_kernel(b: Builder, op: Op, args: list[Value]) -> Value:
    if dtype_of(args[0]).is_complex:
        return complex_functions.emit(b, op, args)

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        x = Expression(b, args[0])
        return ((1.0 - x) * (1.0 + x)).apply(m.SqrtOp).value

    return in_f32(emit)(b, op, args)


@scalar(c.SquareOp)
def square(b: Builder, op: Op, args: list[Value]) -> Value:
    table = COMPLEX if dtype_of(args[0]).is_complex else SCALARS
    return table[s.MultiplyOp](b, op, [args[0], args[0]])


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
        return abs(x).equals(math.inf).value
    return x.equals(math.inf if isinstance(op, c.IsPosInfOp) else -math.inf).value


@scalar(c.ConstantLikeOp)
def constant_like(b: Builder, op: Op, args: list[Value]) -> Value:
    assert isinstance(op, c.ConstantLikeOp)
    return scalar_constant(b, op.number, dtype_of(op.results[0]))


def _new(b: Builder, cls: Any, *args: Value | DType) -> Value:
    return b.insert(cls(*args)).result


@scalar(c.MulhiOp)
def mulhi(b: Builder, op: Op, args: list[Value]) -> Value:
    """The high half of the exact product: in twice the width, or in four partial products of 32 bits."""
    x, y = args
    dtype = dtype_of(x)
    if dtype.bits < 64:
        wide = UI64 if dtype.is_unsigned else I64
        product = _new(b, a.MulIOp, convert(b, x, wide), convert(b, y, wide))
        return convert(b, _new(b, a.ShRUIOp, product, scalar_constant(b, dtype.bits, wide)), dtype)
    half, mask = scalar_constant(b, 32, dtype), scalar_constant(b, (1 << 32) - 1, dtype)
    high: Any = a.ShRUIOp if dtype.is_unsigned else a.ShRSIOp
    x0, y0 = _new(b, a.AndIOp, x, mask), _new(b, a.AndIOp, y, mask)
    x1, y1 = _new(b, high, x, half), _new(b, high, y, half)
    low = _new(b, a.ShRUIOp, _new(b, a.MulIOp, x0, y0), half)
    first = _new(b, a.AddIOp, _new(b, a.MulIOp, x1, y0), low)
    second = _new(b, a.AddIOp, _new(b, a.MulIOp, x0, y1), _new(b, a.AndIOp, first, mask))
    carries = _new(b, a.AddIOp, _new(b, high, first, half), _new(b, high, second, half))
    return _new(b, a.AddIOp, _new(b, a.MulIOp, x1, y1), carries)


@scalar(c.NextAfterOp)
def next_after(b: Builder, op: Op, args: list[Value]) -> Value:
    """The neighbour of x towards y: one more or less in the bits, as floats of one sign are ordered like integers.

    x = y gives y, and nan gives nan. Zero goes to the smallest number of y's sign.
    """
    x, y = args
    dtype = dtype_of(x)
    form = format_of(dtype)
    integer = DTYPES[f"i{form.storage_bits}"]
    wide_x, wide_y = Expression(b, widen(b, x)), Expression(b, widen(b, y))

    def number(value: int) -> Value:
        return scalar_constant(b, value - (1 << integer.bits) if value >> (integer.bits - 1) == 1 else value, integer)

    def cast(value: Value, to: DType) -> Value:
        return b.insert(a.BitcastOp(value, to)).result

    bits, sign = cast(x, integer), number(form.sign_bit)
    away = (wide_x < wide_y).value, (wide_x > 0.0).value
    grows = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, *away)).result
    step = _new(b, a.SelectOp, grows, number(1), number(-1))
    moved = _new(b, a.AddIOp, bits, step)
    if form.specials == "fnuz":
        # There is no negative zero.
        is_zero = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, moved, sign)).result
        moved = _new(b, a.SelectOp, is_zero, number(0), moved)
    smallest = _new(b, a.OrIOp, _new(b, a.AndIOp, cast(y, integer), sign), number(1))
    result = cast(_new(b, a.SelectOp, wide_x.equals(0.0).value, smallest, moved), dtype)
    result = _new(b, a.SelectOp, wide_x.equals(wide_y).value, y, result)
    ordered = wide_x.compare(a.CmpFPredicate.ORD, wide_y).value
    # A sum of the two is nan when one of them is.
    nan = convert(b, (wide_x + wide_y).value, dtype)
    return _new(b, a.SelectOp, ordered, result, nan)
