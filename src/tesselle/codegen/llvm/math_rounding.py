"""Rounding to integers, square roots, fmod: instructions where the target has them, else exact sequences."""

from __future__ import annotations

from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V, build_function, call_function
from tesselle.codegen.llvm.target import CpuTarget


def _fraction_bits(x: V) -> int:
    return 23 if x.type.bits == 32 else 52


def roundeven(b: Emitter, x: V) -> V:
    """Nearest integer, ties to even."""
    if b.target.has_native_rounding:
        return b.intrinsic("roundeven", x)
    # Adding 2^(fraction bits) pushes the fraction out; larger numbers are integers already.
    shift = 2.0 ** _fraction_bits(x)
    a = b.abs(x)
    return b.select(a < shift, b.copysign((a + shift) - shift, x), x)


def floor(b: Emitter, x: V) -> V:
    if b.target.has_native_rounding:
        return b.intrinsic("floor", x)
    r = roundeven(b, x)
    return b.copysign(b.select(r > x, r - 1.0, r), x)


def ceil(b: Emitter, x: V) -> V:
    if b.target.has_native_rounding:
        return b.intrinsic("ceil", x)
    r = roundeven(b, x)
    return b.copysign(b.select(r < x, r + 1.0, r), x)


def trunc(b: Emitter, x: V) -> V:
    if b.target.has_native_rounding:
        return b.intrinsic("trunc", x)
    a = b.abs(x)
    r = roundeven(b, a)
    return b.copysign(b.select(r > a, r - 1.0, r), x)


def round_away(b: Emitter, x: V) -> V:
    """Nearest integer, ties away from zero: truncate x plus the largest number below one half."""
    below_half = 0.5 - 2.0**-25 if x.type.bits == 32 else 0.5 - 2.0**-54
    return trunc(b, x + b.copysign(below_half, x))


def sqrt(b: Emitter, x: V) -> V:
    return b.sqrt(x)


def rsqrt(b: Emitter, x: V) -> V:
    return 1.0 / b.sqrt(x)


def cbrt(b: Emitter, x: V) -> V:
    """Exponent divided by three for a start, Halley's iteration, and a last step from a rounded value in f64."""
    if x.type.bits == 32:
        return b.narrow(_cbrt_in_range(b, b.widen(x), last_step=False))
    a = b.abs(x)
    is_tiny = a < 2.0**-1000
    is_huge = a > 2.0**1000
    scaled = a * b.select(is_tiny, b.same(2.0**120, x.type), b.select(is_huge, b.same(2.0**-120, x.type), 1.0))
    root = _cbrt_in_range(b, scaled, last_step=True)
    back = b.select(is_tiny, b.same(2.0**-40, x.type), b.select(is_huge, b.same(2.0**40, x.type), 1.0))
    return b.copysign(root * back, x)


def _cbrt_in_range(b: Emitter, x: V, last_step: bool) -> V:
    """The cube root of a normal f64 whose triple does not overflow; zero, infinity and nan are themselves."""
    a = b.abs(x)
    high = a.bits >> 32
    # floor(high / 3) by multiplication; the constant moves the exponent's bias and balances the error to 3 %.
    third = (high * 0x55555556) >> 32
    t = ((third + 0x2A9F7893) << 32).as_float()
    for _ in range(2):
        cube = t * t * t
        t = t * ((cube + (a + a)) / ((cube + cube) + a))
    if last_step:
        # t*t is exact, so the residual is accurate; the step itself converges cubically.
        t = ((t.bits + 0x80000000) & -0x40000000).as_float()
        square = t * t
        quotient = a / square
        t = b.fma(t, (quotient - t) / ((t + t) + quotient), t)
    value = b.copysign(t, x)
    ordinary = (a > 0.0) & (a < float("inf"))
    return b.select(ordinary, value, x + x)


def fmod_function(lanes: Lanes, target: CpuTarget) -> FunctionText:
    """C's fmod."""
    slow = _long_division(lanes, target)

    def body(b: Emitter, x: V, y: V) -> V:
        return call_function(b, slow, x.type, x, y)

    return build_function(f"@tsl.fmod.{lanes.suffix}", [lanes, lanes], target, body)


def _long_division(lanes: Lanes, target: CpuTarget) -> FunctionText:
    """One lane after the other."""
    scalar = Lanes("f", lanes.bits, 0)
    one = _scalar_fmod(scalar, target)
    if not lanes.count:
        return one

    def body(b: Emitter, x: V, y: V) -> V:
        result = "poison"
        for i in range(lanes.count):
            xi = b.op(f"extractelement {x.type} {x.name}, i64 {i}", scalar)
            yi = b.op(f"extractelement {y.type} {y.name}, i64 {i}", scalar)
            r = call_function(b, one, scalar, xi, yi)
            result = b.op(f"insertelement {lanes} {result}, {scalar} {r.name}, i64 {i}", lanes).name
        return V(b, result, lanes)

    return build_function(f"@tsl.fmod.lanes.{lanes.suffix}", [lanes, lanes], target, body, inline=False)


def _scalar_fmod(type: Lanes, target: CpuTarget) -> FunctionText:
    """Exact remainder by long division of the fractions as integers.

    A round takes as many bits of the quotient as the word has room for (8 in f32, 11 in f64).
    """
    bits, fraction = type.bits, 23 if type.bits == 32 else 52
    integer = f"i{bits}"
    inf = ((1 << (bits - 1 - fraction)) - 1) << fraction
    hidden = 1 << fraction
    f = str(type)
    suffix = type.suffix
    symbol = f"@tsl.fmod.scalar.{suffix}"
    definition = f"""define internal {f} {symbol}({f} %x, {f} %y) #2 {{
entry:
  %bx = bitcast {f} %x to {integer}
  %by = bitcast {f} %y to {integer}
  %ax = and {integer} %bx, {(1 << (bits - 1)) - 1}
  %ay = and {integer} %by, {(1 << (bits - 1)) - 1}
  %sign = and {integer} %bx, {-(1 << (bits - 1))}
  %xbad = icmp uge {integer} %ax, {inf}
  %ynan = icmp ugt {integer} %ay, {inf}
  %yzero = icmp eq {integer} %ay, 0
  %bad1 = or i1 %xbad, %ynan
  %bad = or i1 %bad1, %yzero
  br i1 %bad, label %invalid, label %small
invalid:
  %product = fmul {f} %x, %y
  %nan = fdiv {f} %product, %product
  ret {f} %nan
small:
  %less = icmp ult {integer} %ax, %ay
  br i1 %less, label %unchanged, label %normalise
unchanged:
  ret {f} %x
normalise:
  %ex0 = lshr {integer} %ax, {fraction}
  %ey0 = lshr {integer} %ay, {fraction}
  %xsub = icmp eq {integer} %ex0, 0
  %ysub = icmp eq {integer} %ey0, 0
  %fx = and {integer} %ax, {hidden - 1}
  %fy = and {integer} %ay, {hidden - 1}
  %nx = or {integer} %fx, {hidden}
  %ny = or {integer} %fy, {hidden}
  %mx = select i1 %xsub, {integer} %fx, {integer} %nx
  %my = select i1 %ysub, {integer} %fy, {integer} %ny
  %ex = select i1 %xsub, {integer} 1, {integer} %ex0
  %ey = select i1 %ysub, {integer} 1, {integer} %ey0
  %first = urem {integer} %mx, %my
  br label %loop
loop:
  %e = phi {integer} [ %ex, %normalise ], [ %enext, %step ]
  %m = phi {integer} [ %first, %normalise ], [ %mnext, %step ]
  %more = icmp ugt {integer} %e, %ey
  br i1 %more, label %step, label %done
step:
  %gap = sub {integer} %e, %ey
  %jump = call {integer} @llvm.umin.{integer}({integer} %gap, {integer} {bits - fraction - 1})
  %doubled = shl {integer} %m, %jump
  %mnext = urem {integer} %doubled, %my
  %enext = sub {integer} %e, %jump
  br label %loop
done:
  %zero = icmp eq {integer} %m, 0
  br i1 %zero, label %exact, label %pack
exact:
  %signed0 = bitcast {integer} %sign to {f}
  ret {f} %signed0
pack:
  %lz = call {integer} @llvm.ctlz.{integer}({integer} %m, i1 true)
  %up = sub {integer} %lz, {bits - 1 - fraction}
  %room = sub {integer} %ey, 1
  %shift = call {integer} @llvm.umin.{integer}({integer} %up, {integer} %room)
  %mant = shl {integer} %m, %shift
  %er = sub {integer} %ey, %shift
  %isnormal = icmp uge {integer} %mant, {hidden}
  %stripped = and {integer} %mant, {hidden - 1}
  %placed = shl {integer} %er, {fraction}
  %packed = or {integer} %placed, %stripped
  %magnitude = select i1 %isnormal, {integer} %packed, {integer} %mant
  %result = or {integer} %magnitude, %sign
  %value = bitcast {integer} %result to {f}
  ret {f} %value
}}
"""
    declarations = frozenset(
        (
            f"declare {integer} @llvm.umin.{integer}({integer}, {integer})",
            f"declare {integer} @llvm.ctlz.{integer}({integer}, i1)",
        )
    )
    return FunctionText(symbol, f, (f, f), definition, declarations)
