"""erf and erfc.

Near zero erf(x) = x + x P(x^2). In f32 beyond, erf(x) = 1 - exp(-x + x Q(x)) with log(erfc(x)) fitted. For erfc, and in
f64, a single polynomial in t = (x - k) / (x + k) gives exp(x^2) erfc(x) times 1 + 2x (f64, k = 3.75) or x + k (f32,
k = 2.5, which takes one division) for all x > 0.47 (Shepherd, Laframboise, "Chebyshev approximation of
(1+2x) exp(x^2) erfc x in 0 <= x < inf", 1981); x^2 is carried in two parts.
"""

from __future__ import annotations

from tesselle.codegen.llvm import coefficients as c
from tesselle.codegen.llvm.emitter import Emitter, V
from tesselle.codegen.llvm.math_exp import exp_of_normal, exp_of_sum, scaled_exp

_K = 3.75
_K_F32 = 2.5


def erf(b: Emitter, x: V) -> V:
    return _erf_f32(b, x) if x.type.bits == 32 else _erf_f64(b, x)


def _erf_f32(b: Emitter, x: V) -> V:
    a = b.abs(x)
    near = b.fma(x, b.polynomial(x * x, c.ERF_F32), x)
    t = b.at_most(a, 4.0)
    log_erfc = b.fma(t, b.polynomial(t, c.ERFC_LOG_F32), -t)
    far = b.copysign(1.0 - exp_of_normal(b, log_erfc), x)
    return b.select(a > 0.925, far, near)


def _erf_f64(b: Emitter, x: V) -> V:
    a = b.abs(x)
    near = b.fma(x, b.polynomial(x * x, c.ERF_F64), x)
    far = b.copysign(1.0 - _erfc_positive(b, b.at_least(b.at_most(a, 6.0), 0.5)), x)
    return b.select(a > 0.84, far, near)


def erfc(b: Emitter, x: V) -> V:
    return _erfc_f32(b, x) if x.type.bits == 32 else _erfc_f64(b, x)


def _erfc_f32(b: Emitter, x: V) -> V:
    """1 - erf(x) near zero, the polynomial for positive x, 2 - erfc(-x) for negative."""
    near = 1.0 - b.fma(x, b.polynomial(x * x, c.ERFC_NEAR_F32), x)
    a = b.at_most(b.abs(x), 10.1)
    # The result depends on 1 / (a + k) more than once: inverse + rest is nearly twice as precise.
    total = a + _K_F32
    inverse = 1.0 / total
    rest = inverse * b.fma(inverse, (total - _K_F32) - a, b.residual(inverse, total, 1.0))
    t = b.fma(rest, -2.0 * _K_F32, b.fma(inverse, -2.0 * _K_F32, 1.0))
    fitted = b.polynomial(t, c.ERFC_F32)
    scaled = b.fma(fitted, inverse, fitted * rest)
    square, low = b.two_product(a, a)
    p, n = exp_of_sum(b, -square, -low)
    # 2^-147 <= 2^n <= 1 in two factors: what is subnormal is rounded once.
    positive = scaled * p * b.power_of_two(n + 64) * 2.0**-64
    far = b.select(x < 0.0, 2.0 - positive, positive)
    return b.select(b.abs(x) > 0.47, far, near)


def _erfc_f64(b: Emitter, x: V) -> V:
    a = b.abs(x)
    near = 1.0 - b.fma(x, b.polynomial(x * x, c.ERF_F64), x)
    # For 1/4 < x < 1/2 the subtraction from one would lose a bit: 1/2 - (x - 1/2 + x P).
    p = x * b.polynomial(x * x, c.ERF_F64)
    closer = 0.5 - ((x - 0.5) + p)
    near = b.select(x > 0.25, closer, near)
    positive = _erfc_positive(b, b.at_least(b.at_most(a, 28.0), 0.46))
    far = b.select(x < 0.0, 2.0 - positive, positive)
    value = b.select(a < 0.47, near, far)
    return b.select(x.is_nan(), x, value)


def _erfc_positive(b: Emitter, x: V) -> V:
    """erfc(x) for 0.46 <= x <= 28, in f64."""
    t = (x - _K) / (x + _K)
    p = b.estrin(t, c.ERFC_F64)
    square, low = b.two_product(x, x)
    scale = scaled_exp(b, -square, -low)
    return scale * p / b.fma(x, 2.0, 1.0)
