"""Arithmetic and elementary functions of complex scalars, on their parts.

Angles and tangents are in `complex_functions`.

complex<f32> is computed in f64 and rounded: no square overflows and every part comes out within 1 ULP. complex<f64> is
computed by formulas that keep clear of overflow and cancellation. Infinities, zeros and branch cuts follow C's Annex G
where it says something else than nan.

Sources: W. Kahan, Branch cuts for complex elementary functions (1987); C11, Annex G; two_sum: Knuth, TAOCP 4.2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tesselle.dialects.core import math as m
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.core import Op
from tesselle.passes.global_optimization.stablehlo_to_linalg.expressions import Condition, Expression

Parts = tuple[Expression, Expression]

_LARGE = 700.0
"""Above, e**x is near the end of the range and is multiplied in as two factors."""


def by_size(x: Parts) -> Parts:
    """(larger, smaller) of |re x| and |im x|; nan in either makes one of them nan."""
    p, q = abs(x[0]), abs(x[1])
    above = p > q
    return p.where(above, q), q.where(above, p)


def _is_infinite(x: Parts) -> Condition:
    return abs(x[0]).equals(math.inf) | abs(x[1]).equals(math.inf)


def _is_zero(x: Parts) -> Condition:
    return x[0].equals(0.0) & x[1].equals(0.0)


def select(condition: Condition, x: Parts, y: Parts) -> Parts:
    return x[0].where(condition, y[0]), x[1].where(condition, y[1])


def _two_sum(x: Expression, y: Expression) -> Parts:
    """(s, e) with s + e == x + y exactly."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _square(x: Expression) -> Parts:
    """(p, e) with p + e == x * x exactly, where the target has a fused multiply-add."""
    product = x * x
    return product, x.apply(m.FmaOp, x, -product)


def _product(size: Expression, factor: Expression) -> Expression:
    """size * factor, where an infinite size leaves a zero factor zero."""
    zero = size.number(1.0).with_sign_of(size) * factor
    return zero.where(factor.equals(0.0), size * factor)


def modulus(x: Parts) -> Expression:
    """The larger part times sqrt(1 + ratio**2)."""
    larger, smaller = by_size(x)
    ratio = (smaller / larger).where(larger > 0.0, smaller)
    size = larger * (ratio * ratio + 1.0).apply(m.SqrtOp)
    return size.number(math.inf).where(_is_infinite(x), size)


def multiply(x: Parts, y: Parts) -> Parts:
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def divide(x: Parts, y: Parts) -> Parts:
    """x / y with y scaled by its larger part. A zero divisor gives infinities, an infinite one zeros."""
    (a, b), (c, d) = x, y
    larger, _ = by_size(y)
    c1, d1 = c / larger, d / larger
    size = c1 * c1 + d1 * d1
    real = (a * c1 + b * d1) / size / larger
    imaginary = (b * c1 - a * d1) / size / larger
    zero = c.number(0.0).with_sign_of(c)
    result = select(_is_zero(y), (a / zero, b / zero), (real, imaginary))
    # Of infinite numbers only the direction counts.
    a1, b1 = _direction(a), _direction(b)
    infinite = _infinity(a1 * c + b1 * d), _infinity(b1 * c - a1 * d)
    result = select(_is_infinite(x) & (larger < math.inf), infinite, result)
    c1, d1 = _direction(c), _direction(d)
    nothing = (a * c1 + b * d1) * 0.0, (b * c1 - a * d1) * 0.0
    return select(_is_infinite(y) & (by_size(x)[0] < math.inf), nothing, result)


def _direction(x: Expression) -> Expression:
    """±1 for infinities, ±0 for other numbers."""
    one = x.number(1.0).where(abs(x).equals(math.inf), 0.0)
    return one.with_sign_of(x)


def _infinity(direction: Expression) -> Expression:
    return direction * math.inf


def exponential(x: Parts) -> Parts:
    a, b = x
    real, imaginary = _times_exponential(a, b.apply(m.CosOp)), _times_exponential(a, b.apply(m.SinOp))
    nothing = a.equals(-math.inf)
    imaginary = b.where(b.equals(0.0), a.number(0.0).where(nothing, imaginary))
    return a.number(0.0).where(nothing, real), imaginary


def _times_exponential(a: Expression, factor: Expression) -> Expression:
    """e**a * factor, finite where the product is."""
    half = (a * 0.5).apply(m.ExpOp)
    large = _product(half, _product(half, factor))
    return large.where(a > _LARGE, a.apply(m.ExpOp) * factor)


def exponential_minus_one(x: Parts) -> Parts:
    """(e**a - 1) cos b - 2 sin**2 (b/2), e**a sin b."""
    a, b = x
    half = (b * 0.5).apply(m.SinOp)
    real, imaginary = exponential(x)
    near = a.apply(m.ExpM1Op) * b.apply(m.CosOp) - 2.0 * half * half
    is_real = b.equals(0.0)
    return a.apply(m.ExpM1Op).where(is_real, near.where(a <= _LARGE, real)), b.where(is_real, imaginary)


def _log_modulus(x: Parts) -> Expression:
    """log |x|: near 1 by log1p(|x|**2 - 1) / 2, with the rounding errors of the squares added again."""
    larger, smaller = by_size(x)
    p, e = _square(larger)
    q, f = _square(smaller)
    near = 0.5 * (((p - 1.0) + q) + (e + f)).apply(m.Log1pOp)
    ratio = (smaller / larger).where(larger > 0.0, smaller)
    far = larger.apply(m.LogOp) + 0.5 * (ratio * ratio).apply(m.Log1pOp)
    size = near.where((larger > 0.5) & (larger < 2.0), far)
    return size.number(math.inf).where(_is_infinite(x), size)


def logarithm(x: Parts) -> Parts:
    return _log_modulus(x), x[1].apply(m.Atan2Op, x[0])


def log_plus_one(x: Parts) -> Parts:
    """log1p(2a + a**2 + b**2) / 2 near 0, with the rounding errors of the sum added again; log(1 + x) elsewhere."""
    a, b = x
    (p, e), (q, f) = _square(a), _square(b)
    squares, g = _two_sum(p, q)
    total, h = _two_sum(a + a, squares)
    excess = total + (h + g + e + f)
    shifted = a + 1.0, b
    near = 0.5 * excess.apply(m.Log1pOp)
    usable = (excess > -0.5) & (excess < 4.0)
    return near.where(usable, _log_modulus(shifted)), b.apply(m.Atan2Op, shifted[0])


def square_root(x: Parts) -> Parts:
    """t = sqrt((|a| + |x|) / 2): the part that a positive real part has, b / 2t the other one."""
    # Scaled by a power of four, so that |a| + |x| neither overflows nor loses bits.
    larger, _ = by_size(x)
    huge, tiny = larger > 2.0**1000, larger < 2.0**-960
    scale = larger.number(2.0**-4).where(huge, larger.number(2.0**108).where(tiny, 1.0))
    back = larger.number(2.0**2).where(huge, larger.number(2.0**-54).where(tiny, 1.0))
    a, b = x[0] * scale, x[1] * scale
    t = (0.5 * (abs(a) + modulus((a, b)))).apply(m.SqrtOp)
    other = (0.5 * b / t).where(t > 0.0, b)
    # nan > 0 is false, but then b alone would stay.
    other = other.where(t.equals(t), a + b)
    t, other = t * back, other * back
    right = x[0] >= 0.0
    real, imaginary = t.where(right, abs(other)), other.where(right, t.with_sign_of(x[1]))
    endless = abs(x[1]).equals(math.inf)
    return t.number(math.inf).where(endless, real), x[1].where(endless, imaginary)


def reciprocal_square_root(x: Parts) -> Parts:
    """1 / w for w = sqrt x, with w scaled by its larger part."""
    root = square_root(x)
    larger, _ = by_size(root)
    u, v = root[0] / larger, root[1] / larger
    size = u * u + v * v
    zero = size.number(0.0)
    inverse = u / size / larger, -v / size / larger
    result = select(_is_infinite(x), (zero.with_sign_of(root[0]), zero.with_sign_of(-root[1])), inverse)
    return select(_is_zero(x), (size.number(math.inf), size.number(math.nan)), result)


def cube_root(x: Parts) -> Parts:
    """The principal one: the root of the modulus at a third of the angle."""
    larger, smaller = by_size(x)
    ratio = (smaller / larger).where(larger > 0.0, smaller)
    ratio = ratio.number(0.0).where(larger.equals(math.inf), ratio)
    size = larger.apply(m.CbrtOp) * (ratio * ratio + 1.0).apply(m.SqrtOp).apply(m.CbrtOp)
    angle = x[1].apply(m.Atan2Op, x[0]) / 3.0
    return size * angle.apply(m.CosOp), size * angle.apply(m.SinOp)


def power(x: Parts, y: Parts) -> Parts:
    """e**(y log x). x**0 = 1; 0**y = 0 where re y > 0."""
    size, angle = logarithm(x)
    c, d = y
    exponent = _product(size, c) - d * angle, c * angle + _product(size, d)
    result = exponential(exponent)
    nothing, one = (c.number(0.0), c.number(0.0)), (c.number(1.0), c.number(0.0))
    result = select(_is_zero(x) & (c > 0.0), nothing, result)
    return select(_is_zero(y), one, result)


def _times_cosh(b: Expression, factor: Expression) -> Expression:
    large = _times_exponential(abs(b), 0.5 * factor)
    return large.where(abs(b) > _LARGE, b.apply(m.CoshOp) * factor)


def _times_sinh(b: Expression, factor: Expression) -> Expression:
    large = _times_exponential(abs(b), 0.5 * factor * b.number(1.0).with_sign_of(b))
    return large.where(abs(b) > _LARGE, _product(b.apply(m.SinhOp), factor))


def sine(x: Parts) -> Parts:
    a, b = x
    return _times_cosh(b, a.apply(m.SinOp)), _times_sinh(b, a.apply(m.CosOp))


def cosine(x: Parts) -> Parts:
    a, b = x
    return _times_cosh(b, a.apply(m.CosOp)), -_times_sinh(b, a.apply(m.SinOp))


def logistic(x: Parts) -> Parts:
    """1 / (1 + e**-x), or e**x / (1 + e**x): with the power that is not above 1."""
    a, b = x
    right = a >= 0.0
    real, imaginary = exponential((-abs(a), (-b).where(right, b)))
    one = real + 1.0
    size = one * one + imaginary * imaginary
    top = one.where(right, real * one + imaginary * imaginary)
    return top / size, (-imaginary).where(right, imaginary) / size


def sign(x: Parts) -> Parts:
    """x / |x|; 0 for 0."""
    larger, _ = by_size(x)
    scaled = x[0] / larger, x[1] / larger
    size = (scaled[0] * scaled[0] + scaled[1] * scaled[1]).apply(m.SqrtOp)
    return select(_is_zero(x), x, (scaled[0] / size, scaled[1] / size))


UNARY: dict[type[Op], Callable[[Parts], Parts]] = {
    s.CbrtOp: cube_root,
    s.CosineOp: cosine,
    s.ExponentialOp: exponential,
    s.ExponentialMinusOneOp: exponential_minus_one,
    s.LogOp: logarithm,
    s.LogPlusOneOp: log_plus_one,
    s.LogisticOp: logistic,
    s.RsqrtOp: reciprocal_square_root,
    s.SignOp: sign,
    s.SineOp: sine,
    s.SqrtOp: square_root,
}
BINARY: dict[type[Op], Callable[[Parts, Parts], Parts]] = {
    s.DivideOp: divide,
    s.PowerOp: power,
}
"""The parts of the result from the parts of the operands, all of type f64."""
