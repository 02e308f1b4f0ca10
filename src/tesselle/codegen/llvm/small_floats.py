"""Conversions between f32 or f64 and the floats that are kept as integers: f16, bf16, the 8-, 6- and 4-bit formats.

Rounding is to nearest, ties to even, everywhere; no result is flushed to zero. Sources: IEEE 754 (binary16), the OCP
8-bit and microscaling formats, and ml_dtypes for what overflow gives (infinity, or nan where a format has none, or the
largest value where it has neither).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V, build_function, call_function
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DType

Specials = Literal["ieee", "fn", "fnuz", "finite"]


@dataclass(frozen=True)
class FloatFormat:
    """A binary format: sign, `exponent_bits`, `mantissa_bits`.

    `specials`: "ieee" (the largest exponent is infinity and nan), "fn" (all ones is nan), "fnuz" (the code of -0 is
    nan), "finite".
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: Specials

    @property
    def sign_bit(self) -> int:
        return 1 << (self.exponent_bits + self.mantissa_bits)

    @property
    def magnitude_mask(self) -> int:
        return self.sign_bit - 1

    @property
    def infinity(self) -> int:
        """The first magnitude that is not finite."""
        if self.specials == "ieee":
            return ((1 << self.exponent_bits) - 1) << self.mantissa_bits
        return self.magnitude_mask + (0 if self.specials == "fn" else 1)

    @property
    def storage_bits(self) -> int:
        return 16 if self.sign_bit > 0x80 else 8


FORMATS: dict[str, FloatFormat] = {
    "bf16": FloatFormat(8, 7, 127, "ieee"),
    "f16": FloatFormat(5, 10, 15, "ieee"),
    "f8E5M2": FloatFormat(5, 2, 15, "ieee"),
    "f8E4M3": FloatFormat(4, 3, 7, "ieee"),
    "f8E3M4": FloatFormat(3, 4, 3, "ieee"),
    "f8E4M3FN": FloatFormat(4, 3, 7, "fn"),
    "f8E5M2FNUZ": FloatFormat(5, 2, 16, "fnuz"),
    "f8E4M3FNUZ": FloatFormat(4, 3, 8, "fnuz"),
    "f8E4M3B11FNUZ": FloatFormat(4, 3, 11, "fnuz"),
    "f6E2M3FN": FloatFormat(2, 3, 1, "finite"),
    "f6E3M2FN": FloatFormat(3, 2, 3, "finite"),
    "f4E2M1FN": FloatFormat(2, 1, 1, "finite"),
}


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
    drop = 23 - f.mantissa_bits
    magnitude = bits & 0x7FFFFFFF
    rounded = (magnitude + ((1 << (drop - 1)) - 1) + ((magnitude >> drop) & 1)) >> drop
    normal = rounded - ((127 - f.bias) << f.mantissa_bits)
    # Adding a power of two whose last place is the format's smallest step rounds to a multiple of that step.
    shift = 2.0 ** (1 - f.bias - f.mantissa_bits + 23)
    subnormal = (magnitude.as_float() + shift).bits - b.same(shift, x.type).bits
    is_small = magnitude.as_float() < 2.0 ** (1 - f.bias)
    result = b.select(is_small, subnormal, normal)
    nan, overflow = _special_codes(f)
    result = b.select(result >= f.infinity, overflow, result)
    if f.specials != "finite":
        result = b.select(x.is_nan(), nan, result)
    sign = (bits >> (31 - (f.sign_bit.bit_length() - 1))) & f.sign_bit
    if f.specials == "fnuz":
        # There is no negative zero, and nan has no sign.
        sign = b.select((result & f.magnitude_mask).equals(0), 0, sign)
    elif f.specials == "finite":
        # nan has no code: ml_dtypes writes -0.
        return b.cast("trunc", b.select(x.is_nan(), f.sign_bit, result | sign), code)
    return b.cast("trunc", result | sign, code)


def _special_codes(f: FloatFormat) -> tuple[int, int]:
    """(nan, overflow) as magnitudes (for fnuz: the whole code)."""
    match f.specials:
        case "ieee":
            return f.infinity | (1 << (f.mantissa_bits - 1)), f.infinity
        case "fn":
            return f.magnitude_mask, f.magnitude_mask
        case "fnuz":
            return f.sign_bit, f.sign_bit
        case "finite":
            return 0, f.magnitude_mask


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
