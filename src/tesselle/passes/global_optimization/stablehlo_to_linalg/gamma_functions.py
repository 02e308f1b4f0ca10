"""The gamma function's relatives on scalars: lgamma, digamma, zeta, polygamma. All are computed in f64.

Arguments are brought to [1, 2], where polynomials that are divided by the functions' zeros keep the relative error
small close to those; from 10 on the asymptotic series hold; below 0 the reflection formulas.

Sources: NIST Digital Library of Mathematical Functions, 5.4-5.11 and 25.11; the sum of zeta is Euler and Maclaurin's.
"""

from __future__ import annotations

import math
from fractions import Fraction

from tesselle.dialects.core import math as m
from tesselle.passes.global_optimization.stablehlo_to_linalg import special_coefficients as k
from tesselle.passes.global_optimization.stablehlo_to_linalg.expressions import Condition, Expression, polynomial

BERNOULLI = tuple(
    Fraction(*x)
    for x in (
        (1, 6),
        (-1, 30),
        (1, 42),
        (-1, 30),
        (5, 66),
        (-691, 2730),
        (7, 6),
        (-3617, 510),
        (43867, 798),
        (-174611, 330),
        (854513, 138),
        (-236364091, 2730),
    )
)
"""B_2, B_4, …, B_24."""

_ASYMPTOTIC = 10
_STEPS = 8


def lgamma(x: Expression) -> Expression:
    """log|gamma(x)|, within 6 ULP for x > 0; for x < 0 within 1e-15 of max(1, |result|). Infinite at the poles."""
    negative = x < 0.0
    y = (1.0 - x).where(negative, x)
    small, large = y < 1.0, y >= float(_ASYMPTOTIC)
    z, product = y, y.number(1.0)
    for _ in range(_STEPS):
        above = z >= 2.0
        z = (z - 1.0).where(above, z)
        product = (product * z).where(above, product)
    # For y < 1: lgamma(y) = lgamma(y + 1) - log(y), whose zeros at y = 1 and y = 0 are written with y itself.
    first, second = y.where(small, z - 1.0), (y - 1.0).where(small, z - 2.0)
    near = first * second * polynomial(first + second, k.LGAMMA)
    log = y.where(large | small, product).apply(m.LogOp)
    inverse = 1.0 / y
    square = inverse * inverse
    terms = [float(b / (2 * i * (2 * i - 1))) for i, b in enumerate(BERNOULLI[:8], 1)]
    tail = polynomial(square, terms) * inverse
    far = (y - 0.5) * (log - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5 + tail)
    positive = far.where(large, near + (-log).where(small, log))
    fraction = (-x) - (-x).apply(m.FloorOp)
    turned = (1.0 - fraction).where(fraction > 0.5, fraction)
    reflected = (math.pi / (turned * math.pi).apply(m.SinOp)).apply(m.LogOp) - positive
    result = reflected.where(negative, positive)
    infinite = abs(x).equals(math.inf)
    return abs(x).where(infinite, result)


def digamma(x: Expression) -> Expression:
    """The logarithmic derivative of gamma, within 4 ULP for x > 0; for x < 0 within 4 ULP of the larger term of the
    reflection. nan at 0, the negative integers and -inf."""
    negative = x < 0.0
    y = (1.0 - x).where(negative, x)
    small, large = y < 1.0, y >= float(_ASYMPTOTIC)
    z, total = y, y.number(0.0)
    for _ in range(_STEPS):
        above = z >= 2.0
        z = (z - 1.0).where(above, z)
        total = (total + 1.0 / z).where(above, total)
    high, low = k.DIGAMMA_ROOT
    # For y < 1: digamma(y) = digamma(y + 1) - 1 / y.
    distance = (y - (high - 1.0)).where(small, z - high) - low
    place = (y + y - 1.0).where(small, z + z - 3.0)
    near = distance * polynomial(place, k.DIGAMMA) + (-1.0 / y).where(small, total)
    inverse = 1.0 / y
    square = inverse * inverse
    terms = [float(b / (2 * i)) for i, b in enumerate(BERNOULLI[:8], 1)]
    far = y.apply(m.LogOp) - (0.5 * inverse + square * polynomial(square, terms))
    positive = far.where(large, near)
    whole = x.apply(m.FloorOp)
    angle = (x - (x + 0.5).apply(m.FloorOp)) * math.pi
    reflected = positive - math.pi * angle.apply(m.CosOp) / angle.apply(m.SinOp)
    result = reflected.where(negative, positive)
    pole = (x <= 0.0) & x.equals(whole)
    return x.number(math.nan).where(pole, result)


_TERMS = 10


def _zeta_positive(s: Expression, q: Expression) -> Expression:
    """The sum of (q + i) ** -s over i >= 0, for q > 0 and s > 1: ten terms, then Euler and Maclaurin."""
    minus = -s
    total = q.apply(m.PowFOp, minus)
    place = q
    for _ in range(_TERMS - 1):
        place = place + 1.0
        total = total + place.apply(m.PowFOp, minus)
    place = place + 1.0
    # The power 1 - s is that of the tail's first term, and vanishes later than the power -s.
    lifted = place.apply(m.PowFOp, 1.0 - s)
    square = 1.0 / (place * place)
    # Horner's scheme from behind: every term is the one before times (s + 2i - 1)(s + 2i) / place**2.
    series = s.number(float(BERNOULLI[-1] / math.factorial(24)))
    for i in range(len(BERNOULLI) - 1, 0, -1):
        factor = (s + float(2 * i - 1)) * (s + float(2 * i)) * square
        series = series * factor + float(BERNOULLI[i - 1] / math.factorial(2 * i))
    tail = lifted / (s - 1.0) + lifted / place * (0.5 + series * s / place)
    # What has underflowed would be multiplied by an overflowed series.
    return total.where(lifted.equals(0.0), total + tail)


def _parity(s: Expression) -> tuple[Condition, Condition]:
    """Whether s is an integer, and whether it is an even one."""
    half = s * 0.5
    return s.equals(s.apply(m.FloorOp)), half.equals(half.apply(m.FloorOp))


def zeta(s: Expression, q: Expression) -> Expression:
    """Hurwitz' zeta, the sum of (q + i) ** -s over i >= 0, within 10 ULP for q > 0.

    For q < 0 and an integer s the terms of negative base are the difference of two zetas of positive q:
    zeta(s, q) = zeta(s, r) + (-1)**s (zeta(s, 1 - r) - zeta(s, 1 - q)), r = q - floor(q).
    nan for s < 1, and for a negative base and a fractional s; inf for s = 1. At q = 0, -1, … inf for even s, nan for
    odd s, as XLA has it.
    """
    negative = q < 0.0
    r = q - q.apply(m.FloorOp)
    first = _zeta_positive(s, r.where(negative, q))
    below = _zeta_positive(s, 1.0 - r) - _zeta_positive(s, 1.0 - q)
    whole, even = _parity(s)
    result = (first + below.where(even, -below)).where(negative, first)
    nan = s.number(math.nan)
    result = nan.where(negative & ~whole, result)
    pole = (q <= 0.0) & q.equals(q.apply(m.FloorOp))
    result = s.number(math.inf).where(even, nan).where(pole, result)
    result = s.number(math.inf).where(s.equals(1.0), result)
    return result.where(s >= 1.0, nan)


def _factorial(n: Expression) -> Expression:
    """gamma(n + 1) for whole n >= 0: a table up to 9, from there Stirling's formula, its power split so that it does
    not overflow before the result does."""
    y = n + 1.0
    inverse = 1.0 / y
    square = inverse * inverse
    terms = [float(b / (2 * i * (2 * i - 1))) for i, b in enumerate(BERNOULLI[:8], 1)]
    correction = (polynomial(square, terms) * inverse).apply(m.ExpOp)
    half = y.apply(m.PowFOp, y * 0.5 - 0.25)
    result = half * (-y).apply(m.ExpOp) * half * (math.sqrt(2 * math.pi) * correction)
    for i in range(_ASYMPTOTIC):
        result = n.number(float(math.factorial(i))).where(n.equals(float(i)), result)
    return result


def polygamma(n: Expression, x: Expression) -> Expression:
    """The derivative of order n of digamma: (-1)**(n + 1) n! zeta(n + 1, x); nan unless n is a whole number >= 0."""
    size = _factorial(n) * zeta(n + 1.0, x)
    whole, even = _parity(n)
    result = (-size).where(even, size)
    result = digamma(x).where(n.equals(0.0), result)
    return result.where(whole & (n >= 0.0), math.nan)
