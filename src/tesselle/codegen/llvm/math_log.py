"""Logarithms, their inverses-hyperbolic relatives, and pow.

Method: x = 2^e m with sqrt(1/2) <= m < sqrt(2). In f32, log(m) = f - f^2/2 + f^3 P(f) with f = m - 1; in f64 it is 2
atanh(s) with s = f / (2 + f), a series in s^2. e * ln2_high is exact. P and the series are minimax polynomials
(coefficients.py).
"""

from __future__ import annotations

from collections.abc import Callable

from tesselle.codegen.llvm import coefficients as c
from tesselle.codegen.llvm.emitter import Emitter, V
from tesselle.codegen.llvm.math_exp import LOG2_E, exp, scaled_exp

_LN2_F32 = (0.693359375, -2.12194440e-4)
_LN2_F64 = (0.6931471803691238, 1.9082149292705877e-10)
# ln2 as a sum of two doubles, the first with 42 bits so that its product with an exponent is exact, for pow.
_LN2_LONG = (0.6931471805598903, 5.497923018708371e-14)
LN2 = 0.6931471805599453
_INFINITY = float("inf")


def _decompose(b: Emitter, x: V) -> tuple[V, V]:
    """(e, m) for positive finite x: x = 2^e m, sqrt(1/2) <= m < sqrt(2); e as a float."""
    if x.type.bits == 32:
        is_small = x < 2.0**-126
        bits = b.select(is_small, x * 2.0**23, x).bits
        offset = bits - 0x3F3504F3
        e = b.cast("sitofp", offset.ashr(23), x.type)
        m = ((offset & 0x7FFFFF) + 0x3F3504F3).as_float()
        return e - b.select(is_small, b.same(23.0, x.type), 0.0), m
    is_small = x < 2.0**-1022
    bits = b.select(is_small, x * 2.0**54, x).bits
    root = 0x3FE6A09E667F3BCD
    offset = bits - root
    # The exponent, made positive, as the low bits of a float 2^52 + e: no conversion of 64-bit integers is needed.
    biased = ((offset + (1024 << 52)) >> 52) | 0x4330000000000000
    e = biased.as_float() - (2.0**52 + 1024.0)
    m = ((offset & 0xFFFFFFFFFFFFF) + root).as_float()
    return e - b.select(is_small, b.same(54.0, x.type), 0.0), m


def _finish(b: Emitter, x: V, value: V) -> V:
    """`value` for positive finite x, and what log gives elsewhere."""
    special = b.select(x.equals(0.0), -_INFINITY, b.select(x < 0.0, float("nan"), x))
    return b.select((x > 0.0) & (x < _INFINITY), value, special)


def _log_fraction(b: Emitter, f: V) -> tuple[V, V]:
    """(high, low) with log(1 + f) = high + low, |low| < |high|, for sqrt(1/2) <= 1 + f < sqrt(2)."""
    if f.type.bits == 32:
        square = f * f
        return f, b.fma(square, -0.5, square * f * b.estrin(f, c.LOG_F32))
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    series = z * b.estrin(z, c.LOG_F64)
    # 2s = f - s f, and s f = half_square - s half_square: what is subtracted from f stays small.
    return f, b.fma(s, half_square + series, -half_square)


def _log_positive(b: Emitter, x: V, correction: V | None = None) -> V:
    """log(x) + correction for positive finite x."""
    high_part, low_part = _LN2_F32 if x.type.bits == 32 else _LN2_F64
    e, m = _decompose(b, x)
    high, low = _log_fraction(b, m - 1.0)
    tail = b.fma(e, low_part, low if correction is None else low + correction)
    return b.fma(e, high_part, high + tail)


def log(b: Emitter, x: V) -> V:
    return _finish(b, x, _log_positive(b, x))


def log2(b: Emitter, x: V) -> V:
    """e + log(m) / ln2, with the leading product split so that only its tail is rounded."""
    if x.type.bits == 32:
        return b.narrow(_log2_f64(b, b.widen(x)))
    return _log2_f64(b, x)


def _log2_f64(b: Emitter, x: V) -> V:
    e, m = _decompose(b, x)
    high, low = _log_fraction(b, m - 1.0)
    log_high = (high.bits & -(1 << 32)).as_float()
    log_low = (high - log_high) + low
    # 1/ln2 = first + second, the first with 21 bits.
    first, second = 1.4426946640014648, 3.768874985636099e-07
    product = log_high * first
    total, rest = b.two_sum(e, product)
    return _finish(b, x, total + (rest + b.fma(log_low, LOG2_E, log_high * second)))


def log1p(b: Emitter, x: V) -> V:
    """log(u) + (x - (u - 1)) / u with u = 1 + x rounded: the second term is what rounding lost."""
    u = x + 1.0
    lost = b.select(x < 1.0, x - (u - 1.0), 1.0 - (u - x)) / u
    value = _log_positive(b, u, lost)
    ordinary = b.select(u.equals(1.0), x, value)
    special = b.select(u.equals(0.0), -_INFINITY, b.select(u < 0.0, float("nan"), x))
    tiny = 2.0**-26 if x.type.bits == 32 else 2.0**-55
    result = b.select((u > 0.0) & (u < _INFINITY), ordinary, special)
    return b.select(b.abs(x) < tiny, x, result)


def asinh(b: Emitter, x: V) -> V:
    """log1p(a + a^2 / (1 + sqrt(a^2 + 1))), a = |x|; log(a) + ln2 when a^2 does not matter to 1."""
    return _in_f64(b, x, _asinh)


def _asinh(b: Emitter, x: V) -> V:
    a = b.abs(x)
    is_large = a > 2.0**28
    near = b.at_most(a, 2.0**28)
    square = near * near
    small = log1p(b, near + square / (b.sqrt(square + 1.0) + 1.0))
    return b.copysign(b.select(is_large, log(b, a) + LN2, small), x)


def acosh(b: Emitter, x: V) -> V:
    """log1p(t + sqrt(2t + t^2)), t = x - 1; log(x) + ln2 for large x; nan below 1."""
    return _in_f64(b, x, _acosh)


def _acosh(b: Emitter, x: V) -> V:
    is_large = x > 2.0**28
    t = b.at_most(x, 2.0**28) - 1.0
    small = log1p(b, t + b.sqrt(b.fma(t, t, t + t)))
    return b.select(x < 1.0, float("nan"), b.select(is_large, log(b, x) + LN2, small))


def atanh(b: Emitter, x: V) -> V:
    """log1p(2a / (1 - a)) / 2, a = |x|; nan beyond 1."""
    return _in_f64(b, x, _atanh)


def _atanh(b: Emitter, x: V) -> V:
    a = b.abs(x)
    value = log1p(b, (a + a) / (1.0 - a)) * 0.5
    return b.select(a < 2.0**-28, x, b.copysign(b.select(a > 1.0, float("nan"), value), x))


def _in_f64(b: Emitter, x: V, body: Callable[[Emitter, V], V]) -> V:
    if x.type.bits == 64:
        return body(b, x)
    return b.narrow(body(b, b.widen(x)))


# ---------------------------------------------------------------------------------------------- pow


def pow(b: Emitter, x: V, y: V) -> V:
    """|x|^y = exp(y log|x|), the product with enough bits beyond the format's, then the sign and the special cases of
    IEEE 754."""
    magnitude = _pow_magnitude_f32(b, b.abs(x), y) if x.type.bits == 32 else _pow_magnitude_f64(b, b.abs(x), y)
    fraction_bits = 23 if x.type.bits == 32 else 52
    a, ay = b.abs(x), b.abs(y)
    limit = 2.0 ** (fraction_bits + 1)
    is_integer, is_odd = _integer_kind(b, y)
    is_integer = is_integer | (ay >= limit)
    is_odd = is_odd & (ay < limit)
    negative = x.bits < 0
    signed = b.select(negative & is_odd, -magnitude, magnitude)
    value = b.select((x < 0.0) & is_integer.not_() & (a < _INFINITY), float("nan"), signed)
    # Zero and infinity as the base: zero or infinity, by the exponent's sign.
    grows = (y > 0.0) ^ a.equals(0.0)
    edge = b.select(grows, b.same(_INFINITY, x.type), 0.0)
    edge = b.select(negative & is_odd, -edge, edge)
    value = b.select(a.equals(0.0) | a.equals(_INFINITY), edge, value)
    # An infinite exponent: by whether |x| is above one.
    shrinks = (a > 1.0) ^ (y > 0.0)
    at_infinity = b.select(a.equals(1.0), 1.0, b.select(shrinks, b.same(0.0, x.type), _INFINITY))
    value = b.select(ay.equals(_INFINITY), at_infinity, value)
    value = b.select(x.is_nan() | y.is_nan(), float("nan"), value)
    return b.select(y.equals(0.0) | x.equals(1.0), 1.0, value)


def _integer_kind(b: Emitter, y: V) -> tuple[V, V]:
    """(y is an integer, y is odd) for |y| < 2^(fraction bits + 1), by the bits below one."""
    shift = 2.0 ** (23 if y.type.bits == 32 else 52)
    a = b.abs(y)
    is_whole = a >= shift
    # Halving first keeps the parity visible one place higher.
    rounded = b.select(is_whole, a, (a + shift) - shift)
    half = b.abs(y) * 0.5
    rounded_half = b.select(half >= shift, half, (half + shift) - shift)
    return rounded.equals(a), rounded.equals(a) & rounded_half.differs(half)


def _pow_magnitude_f32(b: Emitter, x: V, y: V) -> V:
    """In f64 the plain product is accurate to 2^-44 relative to the result, far below half a unit of f32."""
    product = b.widen(y) * _log_positive(b, b.widen(x))
    return b.narrow(exp(b, b.at_least(b.at_most(product, 200.0), -200.0)))


def _pow_magnitude_f64(b: Emitter, x: V, y: V) -> V:
    """log in two doubles (relative error about 2^-65), multiplied exactly, exp of the sum."""
    e, m = _decompose(b, x)
    f = m - 1.0
    den, den_low = b.two_sum(f, b.same(2.0, f.type))
    s = f / den
    product, error = b.two_product(s, den)
    s_low = (((f - product) - error) - s * den_low) / den
    # (2/3) s^3 with its error, then the rest of the series.
    square, square_low = b.two_product(s, s)
    square_low = square_low + s * s_low * 2.0
    cube, cube_low = b.two_product(square, s)
    cube_low = cube_low + square * s_low + square_low * s
    third, third_low = b.two_product(cube, b.same(0.6666666666666666, s.type))
    third_low = third_low + b.fma(cube_low, 0.6666666666666666, cube * 3.700743415417188e-17)
    tail = cube * square * b.estrin(square, c.LOG_TAIL_F64)
    high, low = b.fast_two_sum(s * 2.0, third)
    low = low + (s_low * 2.0 + (third_low + tail))
    total, rest = b.two_sum(e * _LN2_LONG[0], high)
    log_high, log_low = b.fast_two_sum(total, rest + (low + e * _LN2_LONG[1]))
    # Beyond 2^66 any base but one overflows or underflows; the bound keeps the products below finite.
    exponent = b.at_least(b.at_most(y, 2.0**66), -(2.0**66))
    p, p_low = b.two_product(exponent, log_high)
    p_low = b.fma(exponent, log_low, p_low)
    clamped = b.at_least(b.at_most(p, 720.0), -760.0)
    return scaled_exp(b, clamped, b.select(p.equals(clamped), p_low, 0.0))
