"""Special functions of one f64 number, from their definitions: sums, recurrences and series, term by term."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tesselle.reference.registry import Array


def vectorized(function: Callable[..., float]) -> Callable[..., Array]:
    """`function` of every element, in f64, rounded to the type of the first operand."""

    def apply(*operands: Array) -> Array:
        each = np.frompyfunc(function, len(operands), 1)
        wide = [x.astype(np.float64) for x in operands]
        return np.asarray(each(*wide), np.float64).astype(operands[0].dtype)

    return apply


def lgamma(x: float) -> float:
    """log|gamma(x)|; infinite at 0, the negative integers and the infinities."""
    if not math.isfinite(x):
        return abs(x)
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def digamma(x: float) -> float:
    """By recurrence to x > 20 and the asymptotic series; reflected below 0."""
    if not math.isfinite(x):
        return x if x > 0 else math.nan
    if x <= 0:
        if x == math.floor(x):
            return math.nan
        rest = math.fmod(x, 1.0)
        return digamma(1 - x) - math.pi / math.tan(math.pi * rest)
    steps: list[float] = []
    while x < 20:
        steps.append(-1 / x)
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return math.fsum([*steps, math.log(x), -0.5 / x, -series])


def erf_inv(x: float) -> float:
    """Newton's method on erf, started at a rational approximation (Winitzki)."""
    if math.isnan(x) or abs(x) > 1:
        return math.nan
    if abs(x) == 1:
        return math.copysign(math.inf, x)
    if abs(x) < 1e-9:
        return x * (math.sqrt(math.pi) / 2)
    log = math.log1p(-x * x)
    first = 2 / (math.pi * 0.147) + log / 2
    y = math.copysign(math.sqrt(math.sqrt(first * first - log / 0.147) - first), x)
    for _ in range(4):
        error = math.erf(y) - x if abs(x) < 0.5 else math.copysign(1, x) * ((1 - abs(x)) - math.erfc(abs(y)))
        y -= error / (2 / math.sqrt(math.pi) * math.exp(-y * y))
    return y


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except (OverflowError, ZeroDivisionError):
        return math.inf


_EULER_MACLAURIN = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)
"""B_2i / (2i)!."""


def zeta(s: float, q: float) -> float:
    """Hurwitz' zeta: the terms up to a base of 40 + s / 2, one by one, and the rest by Euler and Maclaurin's formula.

    nan for s < 1, inf for s = 1; at q = 0, -1, … inf for even s and nan for others; elsewhere below 0 nan for a
    fractional s.
    """
    if math.isnan(s) or math.isnan(q) or s < 1:
        return math.nan
    if s == 1:
        return math.inf
    whole = s == math.floor(s)
    if q <= 0 and q == math.floor(q):
        return math.inf if whole and math.fmod(s, 2) == 0 else math.nan
    if q < 0 and not whole:
        return math.nan
    if math.isinf(q) or math.isinf(s):
        return _power(q, -s)
    terms: list[float] = []
    base, first = q, 0.0
    while base < 40 + s / 2:
        term = _power(base, -s)
        if math.isinf(term):
            return term
        first = max(first, abs(term))
        if base > 1 and term < first * 1e-20:
            return math.fsum(terms)
        terms.append(term)
        base += 1
    last = _power(base, -s)
    terms += [_power(base, 1 - s) / (s - 1), last / 2]
    factor = s * last / base
    for i, k in enumerate(_EULER_MACLAURIN):
        terms.append(k * factor)
        factor *= (s + 2 * i + 1) * (s + 2 * i + 2) / (base * base)
    return math.fsum(terms)


def polygamma(n: float, x: float) -> float:
    """The derivative of order n of digamma; nan unless n is a whole number >= 0."""
    if math.isnan(n) or n < 0 or n != math.floor(n) or math.isinf(n):
        return math.nan
    if n == 0:
        return digamma(x)
    value = zeta(n + 1, x)
    factorial = math.factorial(int(n)) if n <= 170 else math.inf
    size = factorial * value
    return size if math.fmod(n, 2) else -size


def bessel_i1e(x: float) -> float:
    """e ** -|x| I_1(x): the power series up to 20, beyond it the asymptotic one."""
    if math.isnan(x):
        return x
    size = abs(x)
    if math.isinf(size):
        return math.copysign(0.0, x)
    if size <= 20:
        half = size / 2
        terms = [half]
        for k in range(1, 80):
            terms.append(terms[-1] * half * half / (k * (k + 1)))
        return math.copysign(math.fsum(terms) * math.exp(-size), x)
    terms, k = [1.0], 1
    while k < 30 and abs(terms[-1]) > 1e-18:
        terms.append(-terms[-1] * (4 - (2 * k - 1) ** 2) / (k * 8 * size))
        k += 1
    return math.copysign(math.fsum(terms) / math.sqrt(2 * math.pi * size), x)
