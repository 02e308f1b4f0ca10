"""exp and its relatives: exp2, expm1, logistic, tanh, sinh, cosh.

Method: x = n ln2 + r with |r| <= ln2 / 2, exp(x) = 2^n (1 + r + r^2 P(r)), P minimax (coefficients.py). ln2 is split so
that n * ln2_high is exact (Cody, Waite, "Software Manual for the Elementary Functions", 1980).
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.codegen.llvm import coefficients as c
from tesselle.codegen.llvm.emitter import Emitter, V

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class _Format:
    """Constants of exp in f32 or f64. Below `underflow` exp is zero, above `overflow` infinite; below `minus_one` expm1
    is -1."""

    ln2_high: float
    ln2_low: float
    underflow: float
    overflow: float
    minus_one: float
    expm1_tiny: float
    polynomial: tuple[float, ...]


_F32 = _Format(0.693359375, -2.12194440e-4, -104.5, 89.0, -18.5, 2.0**-25, c.EXP_F32)
_F64 = _Format(0.6931471803691238, 1.9082149292705877e-10, -746.0, 710.0, -38.5, 2.0**-54, c.EXP_F64)


def _format(x: V) -> _Format:
    return _F32 if x.type.bits == 32 else _F64


def _reduce(b: Emitter, x: V) -> tuple[V, V]:
    """(q, n) with exp(x) = 2^n (1 + q), for x in the range where exp is neither zero nor infinite."""
    f = _format(x)
    nearest, n = b.nearest(x * LOG2_E)
    r = b.fma(nearest, -f.ln2_low, b.fma(nearest, -f.ln2_high, x))
    return b.fma(r * r, b.estrin(r, f.polynomial), r), n


def exp(b: Emitter, x: V) -> V:
    f = _format(x)
    q, n = _reduce(b, b.at_least(b.at_most(x, f.overflow), f.underflow))
    return b.scale(q + 1.0, n)


def exp2(b: Emitter, x: V) -> V:
    """2^x = exp((x - n) ln2) 2^n; x - n is exact."""
    f = _format(x)
    bound = 128.0 if x.type.bits == 32 else 1024.0
    clamped = b.at_least(b.at_most(x, bound), -1.2 * bound)
    nearest, n = b.nearest(clamped)
    r = (clamped - nearest) * 0.6931471805599453
    return b.scale(b.fma(r * r, b.estrin(r, f.polynomial), r) + 1.0, n)


def _expm1_in_range(b: Emitter, x: V) -> V:
    """2^n q + (2^n - 1), halved while it is computed so that n = 128 (1024) does not overflow."""
    q, n = _reduce(b, x)
    half = b.power_of_two(n - 1)
    return b.fma(half, q, half - 0.5) * 2.0


def expm1(b: Emitter, x: V) -> V:
    f = _format(x)
    value = _expm1_in_range(b, b.at_least(b.at_most(x, f.overflow), f.minus_one))
    # For tiny x the sum above would lose the sign of zero and the last bits of subnormals.
    return b.select(b.abs(x) < f.expm1_tiny, x, value)


def logistic(b: Emitter, x: V) -> V:
    """1 / (1 + e^-x), as e^x / (1 + e^x) for negative x: no overflow, and tiny results keep their bits."""
    e = exp(b, -b.abs(x))
    return b.select(x < 0.0, e, 1.0) / (e + 1.0)


def tanh(b: Emitter, x: V) -> V:
    """-m / (m + 2) with m = expm1(-2|x|), and the sign of x."""
    f = _format(x)
    m = _expm1_in_range(b, b.at_least(b.abs(x) * -2.0, f.minus_one))
    value = b.copysign(m / (m + 2.0), x)
    return b.select(b.abs(x) < f.expm1_tiny, x, value)


def sinh(b: Emitter, x: V) -> V:
    """(m + m / (m + 1)) / 2 with m = expm1(|x|); near overflow e^(|x|/2) squared in two steps."""
    f = _format(x)
    a = b.abs(x)
    m = _expm1_in_range(b, b.at_most(a, f.overflow - 2.0))
    ordinary = (m + m / (m + 1.0)) * 0.5
    value = b.select(a > f.overflow - 2.0, _half_exp(b, a), ordinary)
    return b.select(a < f.expm1_tiny, x, b.copysign(value, x))


def cosh(b: Emitter, x: V) -> V:
    """(e + 1/e) / 2 with e = exp(|x|)."""
    f = _format(x)
    a = b.abs(x)
    e = exp(b, b.at_most(a, f.overflow - 2.0))
    ordinary = b.fma(e, 0.5, 0.5 / e)
    return b.select(a > f.overflow - 2.0, _half_exp(b, a), ordinary)


def _half_exp(b: Emitter, a: V) -> V:
    """exp(a) / 2 for a > 0 up to where that overflows."""
    f = _format(a)
    q, n = _reduce(b, b.at_most(a, f.overflow + 1.0))
    return b.scale(q + 1.0, n - 1)


def exp_of_normal(b: Emitter, x: V) -> V:
    """exp(x) for x so small that both exp(x) and exp(-x) are normal numbers."""
    q, n = _reduce(b, x)
    return (q + 1.0) * b.power_of_two(n)


def exp_of_sum(b: Emitter, x: V, low: V) -> tuple[V, V]:
    """(p, n) with exp(x + low) = 2^n p, for |low| far below |x|, where exp is neither zero nor infinite."""
    q, n = _reduce(b, x)
    p = q + 1.0
    return p + b.fma(p, low, q - (p - 1.0)), n


def scaled_exp(b: Emitter, x: V, low: V) -> V:
    """exp(x + low) for |low| far below |x|, -760 < x < 720, in f64."""
    p, n = exp_of_sum(b, x, low)
    return b.scale(p, n)
