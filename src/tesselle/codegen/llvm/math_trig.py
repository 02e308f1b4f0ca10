"""Trigonometric functions and their inverses, computed in f64 for both formats.

sin, cos, tan: x = n pi/2 + r, |r| <= pi/4. Up to 2^20 the multiple of pi/2 is subtracted in three parts of 33 bits,
whose products with n are exact (Cody, Waite). Beyond, where a lane needs it, an out-of-line path multiplies the
fraction of x with the right 192 bits of 2/pi in integers (Payne, Hanek, "Radian reduction for trigonometric functions",
1983).
"""

from __future__ import annotations

from collections.abc import Callable

from tesselle.codegen.llvm import coefficients as c
from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V
from tesselle.codegen.llvm.target import CpuTarget

_LARGE = 2.0**19
_TWO_OVER_PI = 0.6366197723675814
# pi/2 in parts of 33 bits; the last takes the rest.
_PIO2 = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
_PIO2_HIGH, _PIO2_LOW = 1.5707963267948966, 6.123233995736766e-17
_PI_HIGH, _PI_LOW = 3.141592653589793, 1.2246467991473532e-16
_PIO4_HIGH, _PIO4_LOW = 0.7853981633974483, 3.061616997868383e-17

# 2/pi = 0.A2F9836E… in binary: 64 zero bits, then 1280 bits, highest first.
_TWO_OVER_PI_WORDS = (
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41,
    0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
    0xF0CFBC209AF4361D,
)  # fmt: skip


def _reduction_function(lanes: Lanes, target: CpuTarget) -> FunctionText:
    """(x) -> {r_high, r_low, quadrant} for |x| >= 2^19, lane by lane; zeros elsewhere."""
    scalar = _scalar_reduction()
    if not lanes.count:
        return scalar
    n = lanes.count
    vector, integers = f"<{n} x double>", f"<{n} x i64>"
    result = f"{{ {vector}, {vector}, {integers} }}"
    symbol = f"@tsl.reduce_large.v{n}"
    lines = [f"define internal {result} {symbol}({vector} %x) #2 {{", "entry:"]
    names = ["poison"] * 3
    for i in range(n):
        lines.append(f"  %x{i} = extractelement {vector} %x, i64 {i}")
        lines.append(f"  %r{i} = call {scalar.result} {scalar.symbol}(double %x{i})")
        for part, (whole, element) in enumerate(((vector, "double"), (vector, "double"), (integers, "i64"))):
            lines.append(f"  %e{i}.{part} = extractvalue {scalar.result} %r{i}, {part}")
            lines.append(f"  %v{i}.{part} = insertelement {whole} {names[part]}, {element} %e{i}.{part}, i64 {i}")
            names[part] = f"%v{i}.{part}"
    lines.append(f"  %a = insertvalue {result} poison, {vector} {names[0]}, 0")
    lines.append(f"  %b = insertvalue {result} %a, {vector} {names[1]}, 1")
    lines.append(f"  %c = insertvalue {result} %b, {integers} {names[2]}, 2")
    lines.extend((f"  ret {result} %c", "}", ""))
    return FunctionText(symbol, result, (vector,), "\n".join(lines), frozenset(), (scalar,))


def _scalar_reduction() -> FunctionText:
    """Payne and Hanek's reduction of one f64.

    x = m 2^k with an integer m of 53 bits. P, 192 bits of 2/pi starting at weight 2^(1-k), leaves out only multiples of
    4 pi/2 and what lies 2^-137 below. W = m P mod 2^192 has the quadrant in its top two bits and below them the
    fraction, which is read as a signed number (nearest multiple of pi/2), normalised, and multiplied by pi/2 in 64
    bits.
    """
    table = ", ".join(f"i64 {w - (1 << 64) if w >> 63 else w}" for w in _TWO_OVER_PI_WORDS)
    count = len(_TWO_OVER_PI_WORDS)
    definition = f"""@tsl.two_over_pi = internal unnamed_addr constant [{count} x i64] [{table}], align 64

define internal {{ double, double, i64 }} @tsl.reduce_large.f64(double %x) #2 {{
entry:
  %bits = bitcast double %x to i64
  %field = lshr i64 %bits, 52
  %exponent = and i64 %field, 2047
  ; from 2^19 on, infinity and nan excluded; other lanes of a vector need no result
  %above = sub i64 %exponent, 1042
  %special = icmp uge i64 %above, 1005
  br i1 %special, label %none, label %work
none:
  ret {{ double, double, i64 }} zeroinitializer
work:
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  ; the table starts with 64 zeros: bit position of weight 2^(1-k), k = exponent - 1075
  %position = sub i64 %exponent, {1075 + 2 - 64}
  %word = lshr i64 %position, 6
  %shift = and i64 %position, 63
  %p0 = getelementptr inbounds i64, ptr @tsl.two_over_pi, i64 %word
  %p1 = getelementptr inbounds i64, ptr %p0, i64 1
  %p2 = getelementptr inbounds i64, ptr %p0, i64 2
  %p3 = getelementptr inbounds i64, ptr %p0, i64 3
  %w0 = load i64, ptr %p0, align 8
  %w1 = load i64, ptr %p1, align 8
  %w2 = load i64, ptr %p2, align 8
  %w3 = load i64, ptr %p3, align 8
  %a = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %shift)
  %b = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %shift)
  %c = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %shift)
  %m128 = zext i64 %m to i128
  %b128 = zext i64 %b to i128
  %c128 = zext i64 %c to i128
  %low = mul i128 %m128, %c128
  %middle = mul i128 %m128, %b128
  %high = mul i64 %m, %a
  %low192 = zext i128 %low to i192
  %middle192 = zext i128 %middle to i192
  %high192 = zext i64 %high to i192
  %middleup = shl i192 %middle192, 64
  %highup = shl i192 %high192, 128
  %sum = add i192 %low192, %middleup
  %product = add i192 %sum, %highup
  %top = lshr i192 %product, 190
  %quadrant0 = trunc i192 %top to i64
  %signed = shl i192 %product, 2
  %negative = icmp slt i192 %signed, 0
  %carry = zext i1 %negative to i64
  %quadrant1 = add i64 %quadrant0, %carry
  %flipped = sub i192 0, %signed
  %magnitude = select i1 %negative, i192 %flipped, i192 %signed
  %m2 = lshr i192 %magnitude, 128
  %m1 = lshr i192 %magnitude, 64
  %h = trunc i192 %m2 to i64
  %i = trunc i192 %m1 to i64
  %j = trunc i192 %magnitude to i64
  ; the distance to a multiple of pi/2 is at least 2^-62, so that at most 61 leading bits are zero
  %zeros = call i64 @llvm.ctlz.i64(i64 %h, i1 false)
  %hn = call i64 @llvm.fshl.i64(i64 %h, i64 %i, i64 %zeros)
  %allzero = icmp eq i64 %h, 0
  %normal = select i1 %allzero, i64 %i, i64 %hn
  %n128 = zext i64 %normal to i128
  %scaled = mul i128 %n128, {0xC90FDAA22168C235}
  %scaledtop = lshr i128 %scaled, 64
  %r = trunc i128 %scaledtop to i64
  ; r * 2^(1 - 64 - zeros): 53 bits for the high part, 11 for the low one
  %rh = and i64 %r, -2048
  %rl = and i64 %r, 2047
  %fh = uitofp i64 %rh to double
  %fl = sitofp i64 %rl to double
  %power = sub i64 {1023 + 1 - 64}, %zeros
  %factorbits = shl i64 %power, 52
  %factor = bitcast i64 %factorbits to double
  %sh = fmul double %fh, %factor
  %sl = fmul double %fl, %factor
  %xnegative = icmp slt i64 %bits, 0
  %flip = xor i1 %negative, %xnegative
  %nh = fneg double %sh
  %nl = fneg double %sl
  %rhigh = select i1 %flip, double %nh, double %sh
  %rlow = select i1 %flip, double %nl, double %sl
  %qn = sub i64 0, %quadrant1
  %q = select i1 %xnegative, i64 %qn, i64 %quadrant1
  %out0 = insertvalue {{ double, double, i64 }} poison, double %rhigh, 0
  %out1 = insertvalue {{ double, double, i64 }} %out0, double %rlow, 1
  %out2 = insertvalue {{ double, double, i64 }} %out1, i64 %q, 2
  ret {{ double, double, i64 }} %out2
}}
"""
    declarations = frozenset(("declare i64 @llvm.fshl.i64(i64, i64, i64)", "declare i64 @llvm.ctlz.i64(i64, i1)"))
    return FunctionText("@tsl.reduce_large.f64", "{ double, double, i64 }", ("double",), definition, declarations)


def _reduce(b: Emitter, x: V) -> tuple[V, V, V]:
    """(r, r_low, n): x = n pi/2 + r + r_low, |r| <= pi/4 about; only n mod 4 matters."""
    nearest, n = b.nearest(b.at_least(b.at_most(x, _LARGE), -_LARGE) * _TWO_OVER_PI)
    first = x - nearest * _PIO2[0]
    second = nearest * _PIO2[1]
    high = first - second
    low = (first - high) - second
    third = nearest * _PIO2[2]
    r = high + (low - third)
    r_low = (high - r) + (low - third)
    is_large = b.abs(x) >= _LARGE
    return _patch_large(b, x, is_large, r, r_low, n)


def _patch_large(b: Emitter, x: V, is_large: V, r: V, r_low: V, n: V) -> tuple[V, V, V]:
    """Replace the lanes of large |x| by the slow path's, when there are any."""
    function = _reduction_function(x.type, b.target)
    b.callees[function.symbol] = function
    lanes = x.type.count
    any_large = is_large.name
    if lanes:
        packed = b.cast("bitcast", is_large, Lanes("i", lanes, 0))
        any_large = packed.differs(0).name
    label = b.fresh()[1:]
    before, slow, after = f"before{label}", f"slow{label}", f"after{label}"
    b.lines.append(f"  br label %{before}")
    b.lines.append(f"{before}:")
    b.lines.append(
        f'  br i1 {any_large}, label %{slow}, label %{after}, !prof !{{!"branch_weights", i32 1, i32 10000}}'
    )
    b.lines.append(f"{slow}:")
    called = b.fresh()
    b.lines.append(f"  {called} = call {function.result} {function.symbol}({x.type} {x.name})")
    patched: list[V] = []
    for i, usual in enumerate((r, r_low, n)):
        part = b.op(f"extractvalue {function.result} {called}, {i}", usual.type)
        patched.append(b.select(is_large, part, usual))
    b.lines.append(f"  br label %{after}")
    b.lines.append(f"{after}:")
    merged = [
        b.op(f"phi {usual.type} [ {usual.name}, %{before} ], [ {new.name}, %{slow} ]", usual.type)
        for usual, new in zip((r, r_low, n), patched, strict=True)
    ]
    return merged[0], merged[1], merged[2]


def _sin_kernel(b: Emitter, r: V, low: V, short: bool) -> V:
    z = r * r
    if short:
        return b.fma(r * z, b.polynomial(z, c.SIN_SHORT), r)
    # sin(r + low) = r + r^3 S(z) + low (1 - z/2)
    cube = r * z
    return r + b.fma(cube, b.estrin(z, c.SIN_F64), b.fma(z * -0.5, low, low))


def _cos_kernel(b: Emitter, r: V, low: V, short: bool) -> V:
    z = r * r
    if short:
        return b.fma(z * z, b.polynomial(z, c.COS_SHORT), b.fma(z, -0.5, 1.0))
    # cos(r + low) = 1 - z/2 + z^2 C(z) - r low; the rounding error of 1 - z/2 is added back.
    half = z * 0.5
    w = 1.0 - half
    return w + (((1.0 - w) - half) + b.fma(z * z, b.estrin(z, c.COS_F64), -(r * low)))


def _sin_cos(b: Emitter, x: V, short: bool) -> tuple[V, V, V]:
    """(sin r, cos r, n)."""
    r, low, n = _reduce(b, x)
    return _sin_kernel(b, r, low, short), _cos_kernel(b, r, low, short), n


def _from_f64(body: Callable[[Emitter, V, bool], V]) -> Callable[[Emitter, V], V]:
    def function(b: Emitter, x: V) -> V:
        if x.type.bits == 64:
            return body(b, x, False)
        return b.narrow(body(b, b.widen(x), True))

    return function


def _signed(value: V, flip: V) -> V:
    """`value` with its sign changed where bit 63 of `flip` is set."""
    return (value.bits ^ flip).as_float()


def _not_a_number_at_infinity(b: Emitter, x: V, value: V) -> V:
    return b.select(b.abs(x) < float("inf"), value, float("nan"))


def _sin(b: Emitter, x: V, short: bool) -> V:
    s, co, n = _sin_cos(b, x, short)
    value = _signed(b.select((n & 1).equals(0), s, co), (n & 2) << 62)
    # Keeps the sign of zero, and subnormals exactly.
    tiny = b.select(b.abs(x) < 2.0**-27, x, value)
    return _not_a_number_at_infinity(b, x, tiny)


def _cos(b: Emitter, x: V, short: bool) -> V:
    s, co, n = _sin_cos(b, x, short)
    value = _signed(b.select((n & 1).equals(0), co, s), ((n + 1) & 2) << 62)
    return _not_a_number_at_infinity(b, x, value)


def _tan(b: Emitter, x: V, short: bool) -> V:
    s, co, n = _sin_cos(b, x, short)
    even = (n & 1).equals(0)
    quotient = b.select(even, s, co) / b.select(even, co, s)
    value = _signed(quotient, (n & 1) << 63)
    tiny = b.select(b.abs(x) < 2.0**-27, x, value)
    return _not_a_number_at_infinity(b, x, tiny)


sin = _from_f64(_sin)
cos = _from_f64(_cos)
tan = _from_f64(_tan)


# ---------------------------------------------------------------------------------------------- inverses


def _atan_kernel(b: Emitter, t: V, short: bool) -> V:
    """atan(t) - t for |t| <= tan(pi/8)."""
    z = t * t
    return t * z * b.estrin(z, c.ATAN_SHORT if short else c.ATAN_F64)


def _angle(b: Emitter, y: V, x: V, short: bool) -> V:
    """atan(y / x) in [0, pi] for y >= 0: the angle of (x, y). (0, 0) gives 0 or pi, as C does."""
    ax = b.abs(x)
    swap = y > ax
    small, large = b.select(swap, ax, y), b.select(swap, y, ax)
    # Infinities and zeros are replaced by points with the same angle.
    is_infinite = large.equals(float("inf"))
    in_the_limit = b.select(small.equals(float("inf")), b.same(1.0, y.type), 0.0)
    small = b.select(is_infinite, in_the_limit, small)
    large = b.select(is_infinite | large.equals(0.0), 1.0, large)
    # Scaling keeps the sum below from overflowing and quotients of subnormals accurate.
    is_huge, is_tiny = large > 2.0**1000, large < 2.0**-900
    factor = b.select(is_huge, b.same(2.0**-60, y.type), b.select(is_tiny, b.same(2.0**120, y.type), 1.0))
    if not short:
        small, large = small * factor, large * factor
    steep = small > large * 0.41421356237309503
    numerator = b.select(steep, small - large, small)
    denominator = b.select(steep, small + large, large)
    t = numerator / denominator
    rest = _atan_kernel(b, t, short)
    if not short:
        # What rounding t lost, to first order.
        product, error = b.two_product(t, denominator)
        rest = rest + ((numerator - product) - error) / denominator
    zero = b.same(0.0, y.type)
    rest = rest + b.select(steep, b.same(_PIO4_LOW, y.type), zero)
    base = b.select(steep, b.same(_PIO4_HIGH, y.type), zero)
    # swap: pi/2 - angle; negative x: pi - angle.
    t, rest, base = (b.select(swap, -v, v) for v in (t, rest, base))
    base = base + b.select(swap, b.same(_PIO2_HIGH, y.type), zero)
    rest = rest + b.select(swap, b.same(_PIO2_LOW, y.type), zero)
    left = x.bits < 0
    t, rest, base = (b.select(left, -v, v) for v in (t, rest, base))
    base = base + b.select(left, b.same(_PI_HIGH, y.type), zero)
    rest = rest + b.select(left, b.same(_PI_LOW, y.type), zero)
    total, error = b.two_sum(base, t)
    return total + (error + rest)


def atan2(b: Emitter, y: V, x: V) -> V:
    if y.type.bits == 32:
        return b.narrow(_atan2(b, b.widen(y), b.widen(x), True))
    return _atan2(b, y, x, False)


def _atan2(b: Emitter, y: V, x: V, short: bool) -> V:
    value = b.copysign(_angle(b, b.abs(y), x, short), y)
    return b.select(y.is_nan() | x.is_nan(), float("nan"), value)


def _atan(b: Emitter, x: V, short: bool) -> V:
    value = b.copysign(_angle(b, b.abs(x), b.same(1.0, x.type), short), x)
    return b.select(b.abs(x) < 2.0**-27, x, b.select(x.is_nan(), x, value))


def _asin(b: Emitter, x: V, short: bool) -> V:
    """atan2(x, sqrt((1 - x)(1 + x))); both factors are exact or rounded once."""
    value = b.copysign(_angle(b, b.abs(x), b.sqrt((1.0 - x) * (x + 1.0)), short), x)
    return b.select(b.abs(x) < 2.0**-27, x, b.select(b.abs(x) <= 1.0, value, float("nan")))


def _acos(b: Emitter, x: V, short: bool) -> V:
    """atan2(sqrt((1 - x)(1 + x)), x)."""
    value = _angle(b, b.sqrt((1.0 - x) * (x + 1.0)), x, short)
    return b.select(b.abs(x) <= 1.0, value, float("nan"))


atan = _from_f64(_atan)
asin = _from_f64(_asin)
acos = _from_f64(_acos)
