"""Numeric rules that several operations share: integer division, shifts, saturating conversion, orders of floats.

Narrow floats (bf16, f16, f8…) are computed in f32 and rounded once, as XLA does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tesselle.reference.registry import Array
from tesselle.support.dtypes import DType, Kind, from_numpy
from tesselle.support.float_formats import format_of, reduced_exponents

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGNED = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


def ramp(count: int) -> Array:
    """0, 1, … count - 1."""
    values: Any = np.arange(count)
    return np.asarray(values, np.int64)


def dtype_of(x: Array) -> DType:
    return from_numpy(x.dtype)


def is_float(x: Array) -> bool:
    return dtype_of(x).is_float


def is_narrow(x: Array) -> bool:
    """Of a type that is computed in a wider one: a float of less than 32 bits, an integer of less than 8."""
    d = dtype_of(x)
    return d.compute is not d


def widen(x: Array) -> Array:
    """Values of narrow types in the type that they are computed in (exact); others as they are."""
    d = dtype_of(x)
    return x if d.compute is d else x.astype(d.compute.numpy)


def narrow(x: Array, dtype: np.dtype[Any]) -> Array:
    """Back to `dtype` after a computation on widened values."""
    if x.dtype == dtype:
        return x
    d = from_numpy(dtype)
    if d.is_integer and d.bits < 8:
        return wrap_bits(x, d)
    return _nan_by_format(x, x.astype(dtype), d) if d.is_float else x.astype(dtype)


def wrap_bits(x: Array, to: DType) -> Array:
    """Integers as `to`, keeping its low bits."""
    if to.bits >= 8:
        return x.astype(to.numpy)
    low = x.astype(np.int64) & ((1 << to.bits) - 1)
    if to.is_signed:
        low = np.where(low >> (to.bits - 1), low - (1 << to.bits), low)
    return low.astype(np.int8 if to.is_signed else np.uint8).astype(to.numpy)


def widened(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function` on widened operands, its result rounded to the type of the first one."""

    def apply(*operands: Array) -> Array:
        if not is_narrow(operands[0]):
            return np.asarray(function(*operands))
        return narrow(np.asarray(function(*map(widen, operands))), operands[0].dtype)

    return apply


def as_unsigned(x: Array) -> Array:
    """The bits of x as unsigned integers: of the same width, in bytes where that is less than a byte."""
    d = dtype_of(x)
    if d.bits >= 8 or d.is_bool:
        return np.ascontiguousarray(x).view(_UNSIGNED[x.dtype.itemsize]).reshape(x.shape)
    code = x.astype(np.int8) if d.is_signed else x.astype(np.uint8) if d.is_unsigned else _bytes(x)
    return code.view(np.uint8) & np.uint8((1 << d.bits) - 1)


def as_signed(x: Array) -> Array:
    """The bits of x as signed integers: of the same width, sign-extended to bytes where that is less than a byte."""
    d = dtype_of(x)
    if d.bits >= 8 or d.is_bool:
        return np.ascontiguousarray(x).view(_SIGNED[x.dtype.itemsize]).reshape(x.shape)
    spare = np.uint8(8 - d.bits)
    return (as_unsigned(x) << spare).view(np.int8) >> spare.view(np.int8)


def _bytes(x: Array) -> Array:
    return np.ascontiguousarray(x).view(np.uint8).reshape(x.shape)


def view_as(x: Array, dtype: np.dtype[Any]) -> Array:
    """The bits of `x` as another type of the same width; of integers the low bits, where that is less than a byte."""
    d = from_numpy(dtype)
    if d.bits >= 8 or d.is_bool:
        return np.ascontiguousarray(x).view(dtype).reshape(x.shape)
    return wrap_bits(x, d) if d.is_integer else (as_unsigned(x) & np.uint8((1 << d.bits) - 1)).view(dtype)


def int_divide(x: Array, y: Array) -> Array:
    """x / y towards zero; x / 0 has all bits set (-1), MIN / -1 = MIN."""
    if x.dtype.kind == "u":
        zero = y == 0
        return np.where(zero, np.array(np.iinfo(x.dtype).max, x.dtype), x // np.where(zero, 1, y).astype(x.dtype))
    zero, minus = y == 0, y == -1
    safe = np.where(zero | minus, 1, y).astype(x.dtype)
    quotient = x // safe
    inexact = quotient * safe != x
    quotient = quotient + (inexact & ((x < 0) != (safe < 0))).astype(x.dtype)
    return np.where(zero, np.array(-1, x.dtype), np.where(minus, np.negative(x), quotient)).astype(x.dtype)


def int_remainder(x: Array, y: Array) -> Array:
    """x - y * (x / y): the sign of x; x % 0 = x, MIN % -1 = 0."""
    zero = y == 0
    if x.dtype.kind == "u":
        return np.where(zero, x, x % np.where(zero, 1, y).astype(x.dtype)).astype(x.dtype)
    return np.where(zero, x, x - int_divide(x, y) * y).astype(x.dtype)


def int_power(x: Array, y: Array) -> Array:
    """x ** y, wrapping; negative exponents give 0, except for bases 1 and -1."""
    negative = (y < 0) if y.dtype.kind == "i" else np.zeros(y.shape, bool)
    result = np.ones(np.broadcast_shapes(x.shape, y.shape), x.dtype)
    base, exponent = x.copy(), np.where(negative, 0, y).astype(np.uint64)
    while exponent.any():
        result = np.where(exponent & np.uint64(1), result * base, result).astype(x.dtype)
        base = (base * base).astype(x.dtype)
        exponent = exponent >> np.uint64(1)
    odd = (as_unsigned(y) & 1).astype(bool)
    inverse = np.where(x == 1, 1, np.where(x.astype(np.int64) == -1, np.where(odd, -1, 1), 0))
    return np.where(negative, inverse.astype(x.dtype), result).astype(x.dtype)


def shift_left(x: Array, y: Array) -> Array:
    amount, pattern = as_unsigned(y), as_unsigned(x)
    over = amount >= dtype_of(x).bits
    shifted = pattern << np.where(over, 0, amount).astype(pattern.dtype)
    return view_as(np.where(over, np.zeros((), pattern.dtype), shifted).astype(pattern.dtype), x.dtype)


def shift_right_logical(x: Array, y: Array) -> Array:
    amount, pattern = as_unsigned(y), as_unsigned(x)
    over = amount >= dtype_of(x).bits
    shifted = pattern >> np.where(over, 0, amount).astype(pattern.dtype)
    return view_as(np.where(over, np.zeros((), pattern.dtype), shifted).astype(pattern.dtype), x.dtype)


def shift_right_arithmetic(x: Array, y: Array) -> Array:
    bits = dtype_of(x).bits
    amount, value = as_unsigned(y), as_signed(x)
    clipped = np.minimum(amount, np.array(bits - 1, amount.dtype)).astype(value.dtype)
    return view_as((value >> clipped).astype(value.dtype), x.dtype)


def count_leading_zeros(x: Array) -> Array:
    bits = dtype_of(x).bits
    pattern = as_unsigned(x)
    result = np.full(x.shape, bits, np.uint8)
    for i in range(bits):
        result = np.where((pattern >> np.array(i, pattern.dtype)) & np.array(1, pattern.dtype), bits - 1 - i, result)
    return wrap_bits(result, dtype_of(x))


def population_count(x: Array) -> Array:
    return wrap_bits(np.bitwise_count(as_unsigned(x)), dtype_of(x))


def float_minimum(x: Array, y: Array) -> Array:
    """nan if either is nan; -0 < +0."""
    both_zero = (x == 0) & (y == 0)
    return np.where(both_zero, -(-x + -y), np.minimum(x, y)).astype(x.dtype)


def float_maximum(x: Array, y: Array) -> Array:
    """nan if either is nan; -0 < +0."""
    both_zero = (x == 0) & (y == 0)
    return np.where(both_zero, x + y, np.maximum(x, y)).astype(x.dtype)


def round_half_away(x: Array) -> Array:
    """To the nearest integer, ties away from zero."""
    whole = np.trunc(x)
    return np.copysign(np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(1, x).astype(x.dtype), whole), x)


def sign(x: Array) -> Array:
    """-1, 0 or 1; floats: -0 and nan stay."""
    if dtype_of(x).is_float:
        return np.where((x == 0) | np.isnan(x), x, np.copysign(np.ones((), x.dtype), x)).astype(x.dtype)
    return np.sign(x).astype(x.dtype)


_erf = np.frompyfunc(math.erf, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)


def _objects(values: Any, like: Array) -> Array:
    """What a Python function made of each element, as an array of the type of `like`."""
    return np.asarray(values, like.dtype)


def erf(x: Array) -> Array:
    return _objects(_erf(x.astype(np.float64)), x)


def erfc(x: Array) -> Array:
    return _objects(_erfc(x.astype(np.float64)), x)


def logistic(x: Array) -> Array:
    """1 / (1 + e**-x), computed in f64."""
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(x.dtype)


def rsqrt(x: Array) -> Array:
    return (1 / np.sqrt(x)).astype(x.dtype)


def total_order(x: Array) -> Array:
    """Integers whose order is IEEE 754's totalOrder of the floats: -nan < -inf < … < -0 < 0 < … < inf < nan.

    A format with a single nan has it last.
    """
    f = format_of(dtype_of(x))
    bits = as_signed(x)
    low = np.array(np.iinfo(bits.dtype).max, bits.dtype)
    if f.specials == "scale":
        return bits ^ ~low
    order = np.where(bits < 0, bits ^ low, bits)
    return np.where(as_unsigned(x) == f.nan, low, order) if f.specials == "fnuz" else order


def convert(x: Array, to: DType) -> Array:
    """x as `to`: floats to integers truncate and saturate, nan gives 0; complex to real: its part; to i1: x != 0."""
    source = dtype_of(x)
    if x.dtype == to.numpy:
        return x
    if source.is_complex and not to.is_complex:
        return convert(np.ascontiguousarray(x.real).reshape(x.shape), to)
    if to.is_bool:
        return widen(x) != 0
    if to.is_complex:
        return (widen(x) if not source.is_complex else x).astype(to.numpy)
    if source.is_float and to.kind in (Kind.SIGNED, Kind.UNSIGNED, Kind.INDEX):
        return float_to_int(x, to)
    if source.is_float or to.is_float:
        wide = widen(x)
        if to.bits >= 32:
            return wide.astype(to.numpy)
        if wide.dtype == np.float32:
            return _nan_by_format(wide, wide.astype(to.numpy), to)
        exact = wide if source.is_float else _round_to_odd(wide)
        return _nan_by_format(exact, _round_once(exact, to), to)
    return wrap_bits(widen(x), to)


def _nan_by_format(x: Array, rounded: Array, to: DType) -> Array:
    """`rounded` with nan of x as the code that the format has for it (ml_dtypes keeps a sign where there is no nan)."""
    f = format_of(to)
    if f.specials != "finite":
        return rounded
    return np.where(np.isnan(x), view_as(np.full(x.shape, f.nan, np.uint8), to.numpy), rounded)


def _round_to_odd(x: Array) -> Array:
    """Integers as f64; those that need more bits get an odd last bit, so that rounding once more is exact."""
    near = x.astype(np.float64)
    if x.dtype.itemsize < 8:
        return near
    low = np.array(0x7FF, x.dtype)
    far = np.abs(near) >= 2.0**53
    odd = (x & ~low) | ((x & low) != 0).astype(x.dtype) << np.array(11, x.dtype)
    return np.where(far, odd.astype(np.float64), near)


def _round_once(x: Array, to: DType) -> Array:
    """f64 to a narrow float with a single rounding (through f32 rounded to odd)."""
    near = x.astype(np.float32)
    error = x - near.astype(np.float64)
    bits = as_signed(near)
    towards = np.where((error > 0) == (x > 0), 1, -1).astype(np.int32)
    truncated = np.where(error == 0, bits, np.where(towards > 0, bits, bits - 1))
    odd = np.where((error == 0) | ~np.isfinite(near), bits, truncated | 1).astype(np.int32)
    return view_as(odd, np.dtype(np.float32)).astype(to.numpy)


def float_to_int(x: Array, to: DType) -> Array:
    """Towards zero; saturates; nan gives 0."""
    wide = widen(x).astype(np.float64)
    signed = to.is_signed or to.is_index
    low = -(1 << (to.bits - 1)) if signed else 0
    high = (1 << (to.bits - (1 if signed else 0))) - 1
    whole = np.trunc(np.where(np.isnan(wide), 0, wide))
    above, below = whole >= float(high), whole <= float(low)
    kind = np.int64 if signed else np.uint64
    inside = np.where(above | below, 0, whole).astype(kind)
    result = np.where(above, np.array(high, kind), np.where(below, np.array(low, kind), inside))
    return narrow(result.astype(np.int8 if signed else np.uint8), to.numpy) if to.bits < 8 else result.astype(to.numpy)


def reduce_precision(x: Array, exponent_bits: int, mantissa_bits: int) -> Array:
    """x rounded to a float with these many bits, to nearest even; overflow to infinity, subnormals flush to zero.

    A format without infinities overflows to what it has in their place.
    """
    f = format_of(dtype_of(x))
    code = as_unsigned(x)
    everything = (1 << f.storage_bits) - 1

    def number(value: int) -> Array:
        return np.array(value, code.dtype)

    bits = code & number(f.magnitude_mask)
    if mantissa_bits < f.mantissa_bits:
        drop = f.mantissa_bits - mantissa_bits
        last = (bits >> number(drop)) & number(1)
        bits = (bits + (last + number((1 << (drop - 1)) - 1))) & number(everything & ~((1 << drop) - 1))
    if exponent_bits < f.exponent_bits:
        field = bits & number(everything & ~((1 << f.mantissa_bits) - 1))
        largest, smallest = reduced_exponents(f, exponent_bits)
        bits = np.where(field > number(largest), number(f.infinity), bits)
        bits = np.where(field <= number(smallest), number(f.zero), bits)
    bits = np.where(bits >= number(f.infinity), number(f.overflow), bits)
    signed = bits | (code & number(f.sign_bit))
    if f.specials == "fnuz":
        signed = np.where(bits == 0, number(0), signed)
    return np.where(np.isnan(widen(x)), x, view_as(np.asarray(signed, code.dtype), x.dtype))
