"""Inverse trigonometric and hyperbolic functions of complex scalars, and those whose parts would overflow.

complex<f32> is computed in f64 and rounded, complex<f64> by formulas without cancellation: within 8 ULP of each part.
Branch cuts and signs of zeros are those of C's Annex G.

Sources: T. Hull, T. Fairgrieve, P. Tang, Implementing the complex arcsine and arccosine functions using exception
handling (1997). W. Kahan, Branch cuts for complex elementary functions (1987).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tesselle.dialects.chlo import elementwise as c
from tesselle.dialects.core import complex as cx
from tesselle.dialects.core import math as m
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg import complex_elementary as ce
from tesselle.passes.global_optimization.stablehlo_to_linalg.complex_bodies import COMPLEX, in_f64
from tesselle.passes.global_optimization.stablehlo_to_linalg.expressions import Expression
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert, dtype_of
from tesselle.support.dtypes import F64

Parts = tuple[Expression, Expression]

_LARGE = 1e150
"""Above, squares overflow; below 1 / _LARGE they vanish against 1."""


def emit(b: Builder, op: Op, args: list[Value]) -> Value:
    """`op`, one of the functions of this file, on complex scalars."""
    dtype = dtype_of(args[0]).element
    parts = (b.insert(cls(args[0])).result for cls in (cx.ReOp, cx.ImOp))
    x, y = (Expression(b, convert(b, p, F64)) for p in parts)
    result = FUNCTIONS[type(op)](x, y)
    return b.insert(cx.CreateOp(*(convert(b, p.value, dtype) for p in result))).result


def _hypot(x: Expression, y: Expression) -> Expression:
    """sqrt(x*x + y*y) of numbers >= 0, at most about 1e154."""
    return (x * x + y * y).apply(m.SqrtOp)


def _scaled_hypot(x: Expression, y: Expression) -> Expression:
    """sqrt(x*x + y*y) of numbers >= 0 of any size."""
    larger, smaller = x.where(x > y, y), y.where(x > y, x)
    ratio = (smaller / larger).where(larger > 0.0, 0.0)
    return larger * (ratio * ratio + 1.0).apply(m.SqrtOp)


def kernel(x: Expression, y: Expression) -> Parts:
    """w with asin(z) = (atan2(x, re w), copysign(im w, y)) and acos(z) = (atan2(re w, x), -copysign(im w, y))."""
    p, q = abs(x), abs(y)
    large = (p > _LARGE) | (q > _LARGE)
    # Placeholders keep the branch that is not taken free of overflow; they do not matter.
    px, qy = p.number(1.0).where(large, p), q.number(1.0).where(large, q)
    above, below = px + 1.0, px - 1.0
    r, s_ = _scaled_hypot(above, qy), _scaled_hypot(abs(below), qy)
    mean = (r + s_) * 0.5
    inside = px <= 1.0
    first = 1.0 / (r + above)
    # s + (1 - x) inside and s + (x - 1) outside of the unit interval: sums of numbers of one sign.
    second = 1.0 / (s_ + abs(below))
    spread = 0.5 * (mean + px)
    real_inside = (spread * (qy * (qy * first) + s_ + abs(below))).apply(m.SqrtOp)
    real_outside = qy * (spread * (first + second)).apply(m.SqrtOp)
    real = real_inside.where(inside, real_outside)
    # mean - 1 without cancellation; its root with q in front of it inside, where q*q may vanish.
    half_inside = 0.5 * (first + second)
    excess_inside = qy * (qy * half_inside)
    root_inside = qy * (half_inside * (mean + 1.0)).apply(m.SqrtOp)
    excess_outside = 0.5 * (qy * (qy * first) + s_ + abs(below))
    root_outside = (excess_outside * (mean + 1.0)).apply(m.SqrtOp)
    at_one = px.equals(1.0)
    excess = excess_outside.where(at_one, excess_inside).where(inside, excess_outside)
    root = root_outside.where(at_one, root_inside).where(inside, root_outside)
    imaginary = (excess + root).apply(m.Log1pOp)
    big, small = p.where(p > q, q), q.where(p > q, p)
    ratio = (small / big).where(big < math.inf, 0.0)
    huge = big.apply(m.LogOp) + (math.log(2) + 0.5 * (ratio * ratio).apply(m.Log1pOp))
    return q.where(large, real), huge.where(large, imaginary)


def asin(x: Expression, y: Expression) -> Parts:
    real, imaginary = kernel(x, y)
    return x.apply(m.Atan2Op, real), imaginary.with_sign_of(y)


def acos(x: Expression, y: Expression) -> Parts:
    real, imaginary = kernel(x, y)
    return real.apply(m.Atan2Op, x), imaginary.with_sign_of(-y)


def acosh(x: Expression, y: Expression) -> Parts:
    """i acos(z) or -i acos(z), with a real part >= 0."""
    real, imaginary = kernel(x, y)
    return imaginary, real.apply(m.Atan2Op, x).with_sign_of(y)


def asinh(x: Expression, y: Expression) -> Parts:
    """-i asin(iz)."""
    real, imaginary = kernel(y, x)
    return imaginary.with_sign_of(x), y.apply(m.Atan2Op, real)


def atanh(x: Expression, y: Expression) -> Parts:
    """log((1 + z) / (1 - z)) / 2, its parts apart."""
    p, q = abs(x), abs(y)
    large = (p > _LARGE) | (q > _LARGE)
    px, qy = p.number(2.0).where(large, p), q.number(2.0).where(large, q)
    away = 1.0 - px
    distance = away * away + qy * qy
    general = 0.25 * (4.0 * px / distance).apply(m.Log1pOp)
    at_one = 0.5 * (_hypot(qy, qy.number(2.0)).apply(m.LogOp) - qy.apply(m.LogOp))
    real = at_one.where(px.equals(1.0), general)
    angle = 0.5 * (qy + qy).apply(m.Atan2Op, away * (1.0 + px) - qy * qy)
    # Far away atanh(z) is 1/z plus or minus i pi/2; the quotients in turn keep squares out.
    big, small = p.where(p > q, q), q.where(p > q, p)
    ratio = small / big
    far = (p / big) / (big * (1.0 + ratio * ratio))
    far = far.where(big < math.inf, 0.0)
    real, angle = far.where(large, real), (y * 0.0 + math.pi / 2).where(large, angle)
    # An infinite part decides even where the other one is nan.
    infinite = p.equals(math.inf) | q.equals(math.inf)
    angle = y.number(math.pi / 2).where(infinite & y.equals(y), angle)
    return real.with_sign_of(x), angle.with_sign_of(y)


def atan(x: Expression, y: Expression) -> Parts:
    """-i atanh(iz)."""
    real, imaginary = atanh(-y, x)
    return imaginary, -real


def _product(size: Expression, factor: Expression) -> Expression:
    """size * factor, where an infinite size leaves a zero factor zero."""
    zero = size.number(1.0).with_sign_of(size) * factor
    return zero.where(factor.equals(0.0), size * factor)


def sinh(x: Expression, y: Expression) -> Parts:
    return _product(x.apply(m.SinhOp), y.apply(m.CosOp)), _product(x.apply(m.CoshOp), y.apply(m.SinOp))


def cosh(x: Expression, y: Expression) -> Parts:
    return _product(x.apply(m.CoshOp), y.apply(m.CosOp)), _product(x.apply(m.SinhOp), y.apply(m.SinOp))


def tanh(x: Expression, y: Expression) -> Parts:
    """sinh x cosh x / (sinh**2 x + cos**2 y), and sin y cos y over the same; 1 and 4 sin y cos y e**-2x for large x."""
    p = abs(x)
    sine, cosine = y.apply(m.SinOp), y.apply(m.CosOp)
    large = p > 20.0
    px = p.number(1.0).where(large, p)
    size = px.apply(m.SinhOp)
    scale = 1.0 / (size * size + cosine * cosine)
    turn = sine * cosine
    # 1 for large x, but nan where y has no sine: only an infinite x is 1 for every y.
    one = p.number(1.0)
    far = one.where(p.equals(math.inf), one + turn * 0.0)
    real = far.where(large, size * px.apply(m.CoshOp) * scale)
    imaginary = (4.0 * turn * (p * -2.0).apply(m.ExpOp)).where(large, turn * scale)
    # Real numbers stay real.
    imaginary = y.where(y.equals(0.0), imaginary)
    imaginary = y.number(0.0).with_sign_of(turn).where(p.equals(math.inf), imaginary)
    return real.with_sign_of(x), imaginary


def tan(x: Expression, y: Expression) -> Parts:
    """-i tanh(iz)."""
    real, imaginary = tanh(-y, x)
    return imaginary, -real


def atan2(y: Parts, x: Parts) -> Parts:
    """-i log((x + iy) / sqrt(x**2 + y**2)), which is atan(y/x), or pi/2 - atan(x/y), but for multiples of pi.

    The logarithm says which multiple it is. By itself it would be exact to an ULP of 1, not of a small result.
    """
    (p, _), (q, _) = ce.by_size(x), ce.by_size(y)
    steep = q > p
    largest = q.where(steep, p)
    scale = largest.where((largest > 0.0) & (largest < math.inf), 1.0)
    x, y = (x[0] / scale, x[1] / scale), (y[0] / scale, y[1] / scale)
    (a, b), (c, d) = ce.multiply(x, x), ce.multiply(y, y)
    direction = ce.divide((x[0] - y[1], x[1] + y[0]), ce.square_root((a + c, b + d)))
    imaginary, turn = ce.logarithm(direction)
    imaginary = -imaginary
    real, near = atan(*ce.divide(ce.select(steep, x, y), ce.select(steep, y, x)))
    real, near = (math.pi / 2 - real).where(steep, real), (-near).where(steep, near)
    halves = ((turn - real) * (1 / math.pi)).apply(m.RoundEvenOp)
    # The result lies between -pi and pi; the logarithm cannot tell them apart where the angle beyond is small.
    halves = halves.where(real.equals(0.0), abs(halves).with_sign_of(-real))
    real = real.where(halves.equals(0.0), real + halves * math.pi)
    usable = (abs(real) < math.inf) & (abs(near) < math.inf)
    return real.where(usable, turn), near.where(usable, imaginary)


FUNCTIONS: dict[type[Op], Callable[[Expression, Expression], Parts]] = {
    c.AcosOp: acos,
    c.AcoshOp: acosh,
    c.AsinAcosKernelOp: kernel,
    c.AsinOp: asin,
    c.AsinhOp: asinh,
    c.AtanOp: atan,
    c.AtanhOp: atanh,
    c.CoshOp: cosh,
    c.SinhOp: sinh,
    c.TanOp: tan,
    s.TanOp: tan,
    s.TanhOp: tanh,
}
"""The functions of this file, as the parts of their results from the parts of their argument."""

COMPLEX.update(dict.fromkeys((s.TanOp, s.TanhOp), emit))
COMPLEX[s.Atan2Op] = in_f64(atan2)
