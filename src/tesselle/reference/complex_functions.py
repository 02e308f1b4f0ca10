"""Elementary functions of complex arrays, computed in a wider type and rounded once.

complex<f32> in complex<f64>, complex<f64> in the C library's long double. Zeros, infinities and branch cuts are those
of C's Annex G.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tesselle.reference.registry import Array

_WIDER: dict[Any, Any] = {np.dtype(np.complex64): np.complex128, np.dtype(np.complex128): np.clongdouble}


def in_wider(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function` on operands of the next wider complex type, its result (complex or real) rounded back."""

    def apply(*operands: Array) -> Array:
        dtype = operands[0].dtype
        with np.errstate(all="ignore"):
            result = np.asarray(function(*(x.astype(_WIDER[dtype]) for x in operands)))
            return result.astype(dtype if result.dtype.kind == "c" else np.empty(0, dtype).real.dtype)

    return apply


def _join(real: Array, imaginary: Array) -> Array:
    out = np.empty(real.shape, np.result_type(real, np.complex64))
    out.real, out.imag = real, imaginary
    return out


def cbrt(x: Array) -> Array:
    """The principal root."""
    size, angle = np.cbrt(np.abs(x)), np.angle(x) / 3
    return _join(size * np.cos(angle), size * np.sin(angle))


def expm1(x: Array) -> Array:
    """(e**a - 1) cos b - 2 sin**2 (b/2) + i e**a sin b."""
    a, b = x.real, x.imag
    half: Array = np.sin(b / 2)
    whole: Array = np.exp(x)
    near = np.expm1(a) * np.cos(b) - 2 * half * half
    is_real = b == 0
    real = np.where(is_real, np.expm1(a), np.where(a < 100, near, whole.real))
    return _join(real, np.where(is_real, b, whole.imag))


def log1p(x: Array) -> Array:
    """log1p(2a + a**2 + b**2) / 2 + i atan2(b, 1 + a), or log(1 + x) away from 0."""
    a, b = x.real, x.imag
    excess = a * (2 + a) + b * b
    far: Array = np.log(_join(1 + a, b))
    near = 0.5 * np.log1p(np.maximum(excess, -0.5))
    return _join(np.where((excess > -0.5) & (excess < 4), near, far.real), far.imag)


def logistic(x: Array) -> Array:
    """1 / (1 + e**-x), by the power that is not above 1."""
    right = x.real >= 0
    power: Array = np.exp(np.where(right, -x, x))
    # On the imaginary axis both are the same; infinite imaginary parts count for nothing where the power is 0.
    p, q = power.real, power.imag
    one = 1 + p
    size = one * one + q * q
    return _join(np.where(right, one, p * one + q * q) / size, np.where(right, -q, q) / size)


def rsqrt(x: Array) -> Array:
    """1 / sqrt x."""
    size: Array = np.abs(x)
    root: Array = np.sqrt(x)
    endless = np.isinf(size)
    zero = np.zeros((), size.dtype)
    real = np.where(endless, np.copysign(zero, root.real), root.real / size)
    imaginary = np.where(endless, np.copysign(zero, -root.imag), -root.imag / size)
    return _join(np.where(size == 0, np.inf, real), np.where(size == 0, np.nan, imaginary))


def sign(x: Array) -> Array:
    size = np.abs(x)
    return _join(np.where(x == 0, x.real, x.real / size), np.where(x == 0, x.imag, x.imag / size))


def multiply(x: Array, y: Array) -> Array:
    """By the parts, each product rounded: NumPy's may be fused with the sum, or not, by the place in the array."""
    return _join(x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real)


def power(x: Array, y: Array) -> Array:
    """e**(y log x), where a part of y that is 0 counts for nothing; x**0 = 1, 0**y = 0 where re y > 0."""
    log: Array = np.log(x)

    def product(size: Array, factor: Array) -> Array:
        return np.where(factor == 0, np.copysign(1, size) * factor, size * factor)

    c, d = y.real, y.imag
    result = np.exp(_join(product(log.real, c) - d * log.imag, c * log.imag + product(log.real, d)))
    result = np.where((x == 0) & (c > 0), 0, result)
    return np.where(y == 0, 1, result)


def divide(x: Array, y: Array) -> Array:
    """x / y, by squares of the parts, for which the wider type has room.

    A zero divisor gives infinities, an infinite one zeros.
    """
    a, b, c, d = x.real, x.imag, y.real, y.imag
    zero = np.copysign(np.zeros((), c.dtype), c)
    size = c * c + d * d
    quotient = _join((a * c + b * d) / size, (b * c - a * d) / size)
    result = np.where(y == 0, _join(a / zero, b / zero), quotient)
    inf_x, inf_y = np.isinf(a) | np.isinf(b), np.isinf(c) | np.isinf(d)

    def direction(z: Array) -> Array:
        return np.copysign(np.isinf(z).astype(z.dtype), z)

    a1, b1, c1, d1 = map(direction, (a, b, c, d))
    endless = _join(np.inf * (a1 * c + b1 * d), np.inf * (b1 * c - a1 * d))
    result = np.where(inf_x & np.isfinite(y), endless, result)
    return np.where(inf_y & np.isfinite(x), _join(0 * (a * c1 + b * d1), 0 * (b * c1 - a * d1)), result)


def atan2(y: Array, x: Array) -> Array:
    """-i log((x + iy) / sqrt(x**2 + y**2)), as atan(y/x) or pi/2 - atan(x/y) plus a multiple of pi where that is exact.

    The logarithm of a direction is exact to an epsilon of 1 only, however small the result is.
    """
    direction: Array = divide(_join(x.real - y.imag, x.imag + y.real), np.sqrt(x * x + y * y))
    log: Array = np.log(direction)
    result = _join(log.imag, -log.real)
    steep = np.abs(y) > np.abs(x)
    turn: Array = np.arctan(divide(np.where(steep, x, y), np.where(steep, y, x)))
    pi = np.arctan2(np.zeros((), result.real.dtype), -np.ones((), result.real.dtype))
    angle = np.where(steep, pi / 2 - turn.real, turn.real)
    halves = np.rint((result.real - angle) / pi)
    # The result lies between -pi and pi; the logarithm cannot tell them apart where the angle beyond is small.
    halves = np.where(angle == 0, halves, np.copysign(halves, -angle))
    near = _join(np.where(halves == 0, angle, angle + halves * pi), np.where(steep, -turn.imag, turn.imag))
    return np.where(np.isfinite(near), near, result)
