"""Conversions between f32 or f64 and the floats that are kept as integers: f16, bf16, the 8-, 6- and 4-bit formats.

Rounding is to nearest, ties to even, everywhere; no result is flushed to zero. Sources: IEEE 754 (binary16), the OCP
8-bit and microscaling formats, and ml_dtypes for what overflow gives (infinity, or nan where a format has none, or the
largest value where it has neither).
"""

from __future__ import annotations

from functools import cache

from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V, build_function, call_function
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DType
from tesselle.support.float_formats import FORMATS, FloatFormat


def _format_of(dtype: DType) -> FloatFormat:
    found = FORMATS.get(dtype.name)
    if found is None:
        raise Unsupported(f"the LLVM back end does not compute with elements of type {dtype}")
    return found


@cache
def widen_function(name: str, lanes: int, target: CpuTarget) -> FunctionText:
    """(`lanes` codes of the format) -> f32, exact. `lanes` 0 is a scalar."""
    f = FORMATS[name]
    code = Lanes("i", f.storage_bits, lanes)

    def body(b: Emitter, x: V) -> V:
        return _widen(b, name, f, x)

    return build_function(f"@tsl.widen.{name}.{lanes}", [code], target, body)


def _widen(b: Emitter, name: str, f: FloatFormat, x: V) -> V:
    i32 = x.type.of("i", 32)
    if name == "bf16":
        return (b.cast("zext", x, i32) << 16).as_float()
    if name == "f16" and b.target.has_native_f16_conversion:
        return b.cast("fpext", b.cast("bitcast", x, x.type.of("f", 16)), x.type.of("f", 32))
    code = b.cast("zext", x, i32)
    if f.specials == "scale":
        # The smallest power of two is a subnormal f32.
        bits = b.select(code.equals(0), 1 << 22, code << 23)
        return b.select(code.equals(f.nan), 0x7FC00000, bits).as_float()
    magnitude = code & f.magnitude_mask
    # Read as an f32 the code is too small by a power of two, subnormal codes included.
    value = (magnitude << (23 - f.mantissa_bits)).as_float() * 2.0 ** (127 - f.bias)
    bits = value.bits
    if f.specials == "ieee":
        bits = b.select(magnitude >= f.infinity, bits | 0x7F800000, bits)
    elif f.specials == "fn":
        bits = b.select(magnitude.equals(f.magnitude_mask), 0x7FC00000, bits)
    sign = (code & f.sign_bit) << (31 - (f.sign_bit.bit_length() - 1))
    if f.specials == "fnuz":
        return b.select(code.equals(f.sign_bit), 0x7FC00000, bits | sign).as_float()
    return (bits | sign).as_float()


@cache
def narrow_function(name: str, lanes: int, target: CpuTarget) -> FunctionText:
    """f32 -> (`lanes` codes of the format)."""
    f = FORMATS[name]

    def body(b: Emitter, x: V) -> V:
        return _narrow(b, name, f, x)

    return build_function(f"@tsl.narrow.{name}.{lanes}", [Lanes("f", 32, lanes)], target, body)


def _narrow(b: Emitter, name: str, f: FloatFormat, x: V) -> V:
    code = x.type.of("i", f.storage_bits)
    if name == "f16" and b.target.has_native_f16_conversion:
        # The fence keeps LLVM from converting an f64 that was narrowed to x straight to f16, which is a library call.
        fenced = b.intrinsic("arithmetic.fence", x)
        return b.cast("bitcast", b.cast("fptrunc", fenced, x.type.of("f", 16)), code)
    bits = x.bits
    if name == "bf16":
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        quiet = (bits >> 16) | 0x40
        return b.cast("trunc", b.select(x.is_nan(), quiet, rounded), code)
    if f.specials == "scale":
        return b.cast("trunc", _narrow_to_scale(b, x), code)
    drop = 23 - f.mantissa_bits
    magnitude = bits & 0x7FFFFFFF
    rounded = (magnitude + ((1 << (drop - 1)) - 1) + ((magnitude >> drop) & 1)) >> drop
    normal = rounded - ((127 - f.bias) << f.mantissa_bits)
    # Adding a power of two whose last place is the format's smallest step rounds to a multiple of that step.
    shift = 2.0 ** (1 - f.bias - f.mantissa_bits + 23)
    subnormal = (magnitude.as_float() + shift).bits - b.same(shift, x.type).bits
    is_small = magnitude.as_float() < 2.0 ** (1 - f.bias)
    result = b.select(is_small, subnormal, normal)
    result = b.select(result >= f.infinity, f.overflow, result)
    if f.specials != "finite":
        result = b.select(x.is_nan(), f.nan, result)
    sign = (bits >> (31 - (f.sign_bit.bit_length() - 1))) & f.sign_bit
    if f.specials == "fnuz":
        # There is no negative zero, and nan has no sign.
        sign = b.select((result & f.magnitude_mask).equals(0), 0, sign)
    elif f.specials == "finite":
        # nan has no code: ml_dtypes writes -0.
        return b.cast("trunc", b.select(x.is_nan(), f.sign_bit, result | sign), code)
    return b.cast("trunc", result | sign, code)


def _narrow_to_scale(b: Emitter, x: V) -> V:
    """The nearest power of two, as ml_dtypes and XLA round: a tie goes up, because the only digit of a significand is
    the odd 1; what lies between 2**-127 and 2**-126 (subnormal in f32) goes up, too. Zero, negative numbers and what is
    too large are nan."""
    bits = x.bits
    tie = b.cast("zext", bits >= 0x800000, bits.type)
    rounded = (bits + 0x3FFFFF + tie) >> 23
    is_number = (x > 0.0) & (x < float("inf"))
    return b.select(is_number, rounded, 0xFF)


@cache
def narrow_f64_function(name: str, lanes: int, target: CpuTarget) -> FunctionText:
    """f64 -> (`lanes` codes of the format), rounded once.

    By way of f32 rounded to odd: with at least two more bits than the format has, the second rounding is then exact.
    Source: Boldo, Melquiond, "Emulation of a FMA and correctly rounded sums" (2008).
    """
    narrow = narrow_function(name, lanes, target)

    def body(b: Emitter, x: V) -> V:
        near = b.narrow(x)
        back = b.widen(near)
        too_far = b.abs(back) > b.abs(x)
        towards_zero = b.select(too_far, near.bits - 1, near.bits)
        odd = b.select(back.differs(x), towards_zero | 1, near.bits)
        kept = b.select(x.is_nan(), near.bits, odd)
        return call_function(b, narrow, x.type.of("i", FORMATS[name].storage_bits), kept.as_float())

    return build_function(f"@tsl.narrow64.{name}.{lanes}", [Lanes("f", 64, lanes)], target, body)


def check_format(dtype: DType) -> None:
    """Unsupported unless values of `dtype` can be converted."""
    _format_of(dtype)
