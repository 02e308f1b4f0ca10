"""What integers do at the borders: overflow, division by zero, shifts past the width, conversions from floats.

The specification leaves most of this to the implementation (section "Errors"); here it is as XLA does it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.oracle.ambiguous.ways import FLOATS, INF, NAN, NUMPY, SIGNED, UNSIGNED, array, bounds, check, tensor

INTEGERS = (*SIGNED, *UNSIGNED)


def wrap(value: int, dtype: str) -> int:
    """value modulo 2**width, in the range of the type."""
    bits = int(dtype.lstrip("ui"))
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if not dtype.startswith("u") and low >> (bits - 1) else low


def corners(dtype: str) -> list[int]:
    low, high = bounds(dtype)
    values = {low, low + 1, 0, 1, 2, 7, high - 1, high} | (set() if low == 0 else {-1, -2, -7})
    return sorted(values)


def _truncated(x: int, y: int) -> int:
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _divide(x: int, y: int) -> int:
    return -1 if y == 0 else _truncated(x, y)


def _remainder(x: int, y: int) -> int:
    return x if y == 0 else x - _truncated(x, y) * y


def _power(x: int, y: int) -> int:
    if y >= 0:
        return pow(x, y, 1 << 64) if y > 64 else x**y
    return 1 if x == 1 else ((1 if y % 2 == 0 else -1) if x == -1 else 0)


BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": _divide,
    "remainder": _remainder,
    "maximum": max,
    "minimum": min,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_binary(dtype: str, cache: Path) -> None:
    """add, subtract, multiply wrap around; x / 0 is -1 (all bits), x % 0 is x, min / -1 is min, min % -1 is 0.

    Sections add, subtract, multiply, divide ("the algebraic quotient with any fractional part discarded"), remainder
    ("the sign of the result is taken from the dividend").
    """
    pairs = [(x, y) for x in corners(dtype) for y in corners(dtype)]
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)
    body = "\n".join(f"  %r{i} = stablehlo.{name} %a, %b : {tensor(a)}" for i, name in enumerate(BINARY))
    expected = [array([wrap(f(x, y), dtype) for x, y in pairs], dtype) for f in BINARY.values()]
    check([a, b], body, expected, cache)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_power(dtype: str, cache: Path) -> None:
    """power, "integer exponentiation": wraps around; 0**0 is 1; negative exponents give 0, or 1 and -1 of those."""
    low, _ = bounds(dtype)
    exponents = [0, 1, 2, 3, 7, 31] + ([] if low == 0 else [-1, -2, -3])
    pairs = [(x, y) for x in corners(dtype) for y in exponents]
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)
    expected = array([wrap(_power(x, y), dtype) for x, y in pairs], dtype)
    check([a, b], f"  %r0 = stablehlo.power %a, %b : {tensor(a)}", [expected], cache)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(dtype: str, cache: Path) -> None:
    """shift_left, shift_right_*: by the width or more gives 0, or the sign everywhere; negative amounts are large."""
    bits = int(dtype.lstrip("ui"))
    amounts = [0, 1, bits - 1, bits, bits + 1, min(2 * bits, bounds(dtype)[1])]
    amounts += [bounds(dtype)[1]] + ([-1, bounds(dtype)[0]] if dtype in SIGNED else [])
    pairs = [(x, y) for x in corners(dtype) for y in amounts]
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)

    def over(y: int) -> bool:
        return not 0 <= y < bits

    def pattern(x: int) -> int:
        return x & ((1 << bits) - 1)

    def signed(x: int) -> int:
        return wrap(x, f"i{bits}")

    expected = [
        [0 if over(y) else x << y for x, y in pairs],
        [0 if over(y) else pattern(x) >> y for x, y in pairs],
        [signed(x) >> (bits - 1 if over(y) else y) for x, y in pairs],
    ]
    names = ("shift_left", "shift_right_logical", "shift_right_arithmetic")
    body = "\n".join(f"  %r{i} = stablehlo.{n} %a, %b : {tensor(a)}" for i, n in enumerate(names))
    check([a, b], body, [array([wrap(v, dtype) for v in e], dtype) for e in expected], cache)


@pytest.mark.parametrize("dtype", SIGNED)
def test_minimum_has_no_opposite(dtype: str, cache: Path) -> None:
    """negate and abs of the least integer give it back; sign is -1, 0 or 1."""
    x = array(corners(dtype), dtype)
    t = tensor(x)
    body = f"  %r0 = stablehlo.negate %a : {t}\n  %r1 = stablehlo.abs %a : {t}\n  %r2 = stablehlo.sign %a : {t}"
    values = corners(dtype)
    expected = [[wrap(-v, dtype) for v in values], [wrap(abs(v), dtype) for v in values]]
    expected.append([(v > 0) - (v < 0) for v in values])
    check([x], body, [array(e, dtype) for e in expected], cache)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_negating_unsigned(dtype: str, cache: Path) -> None:
    """negate of an unsigned integer is 2**width - x."""
    values = corners(dtype)
    x = array(values, dtype)
    check([x], f"  %r0 = stablehlo.negate %a : {tensor(x)}", [array([wrap(-v, dtype) for v in values], dtype)], cache)


@pytest.mark.parametrize("dtype", ["i2", "i4", "ui2", "ui4", *INTEGERS])
def test_bits(dtype: str, cache: Path) -> None:
    """popcnt, count_leading_zeros, not, over every width; the leading zeros of 0 are the width."""
    bits = int(dtype.lstrip("ui"))
    low, high = bounds(dtype)
    values = list(range(low, high + 1)) if bits <= 4 else corners(dtype)
    x = array(values, dtype)
    t = tensor(x)
    names = ("popcnt", "count_leading_zeros", "not")
    body = "\n".join(f"  %r{i} = stablehlo.{n} %a : {t}" for i, n in enumerate(names))
    patterns = [v & ((1 << bits) - 1) for v in values]
    counts = [[p.bit_count() for p in patterns], [bits - p.bit_length() for p in patterns], [~v for v in values]]
    expected = [array([wrap(c, dtype) for c in row], dtype) for row in counts]
    # XLA's CPU has no code for these on integers of less than a byte.
    check([x], body, expected, cache, xla=bits >= 8)


@pytest.mark.parametrize("to", INTEGERS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_to_integers(dtype: str, to: str, cache: Path) -> None:
    """convert: "the fractional part is truncated"; beyond the range the nearest integer is taken, nan gives 0."""
    values = [NAN, INF, -INF, 0.0, -0.0, 0.9, -0.9, 1.5, -1.5, 100.75, -128.0, 1e30, -1e30, 60000.0, -60000.0]
    x = array([v if dtype != "f16" or abs(v) < 7e4 else (INF if v > 0 else -INF) for v in values], dtype)
    low, high = bounds(to)
    expected: list[int] = []
    for v in x.astype(np.float64):
        expected.append(0 if np.isnan(v) else high if v >= high else low if v <= low else int(v))
    body = f"  %r0 = stablehlo.convert %a : ({tensor(x)}) -> {tensor(array(expected, to))}"
    check([x], body, [array(expected, to)], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_largest_floats_below_the_limits(dtype: str, cache: Path) -> None:
    """convert at the limits of i32, ui32, i64, ui64: the last float that fits, and the first that does not."""
    kind = NUMPY[dtype]
    for to in ("i32", "ui32", "i64", "ui64"):
        low, high = bounds(to)
        limit = kind(float(high + 1))
        x = np.array([np.nextafter(limit, kind(0)), limit, np.nextafter(limit, kind(INF)), kind(float(low))], kind)
        expected = array([min(max(int(v), low), high) for v in x], to)
        check([x], f"  %r0 = stablehlo.convert %a : ({tensor(x)}) -> {tensor(expected)}", [expected], cache)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_to_integers(dtype: str, cache: Path) -> None:
    """convert, integer-to-integer: what does not fit keeps its low bits; to i1, "non-zero values" are true."""
    values = corners(dtype)
    x = array(values, dtype)
    expected = [array([wrap(v, to) for v in values], to) for to in INTEGERS]
    expected.append(np.array([v != 0 for v in values]))
    body = "\n".join(f"  %r{i} = stablehlo.convert %a : ({tensor(x)}) -> {tensor(e)}" for i, e in enumerate(expected))
    check([x], body, expected, cache)


def test_anything_to_boolean(cache: Path) -> None:
    """convert, any-supported-type-to-boolean: -0 is false, nan and small numbers are true.

    Of a complex number "the source imaginary value is ignored".
    """
    x = np.array([0.0, -0.0, NAN, 1e-37, INF], np.float32)
    z = np.array([0, complex(0, 1), 1], np.complex64)
    body = f"""
  %r0 = stablehlo.convert %a : ({tensor(x)}) -> tensor<5xi1>
  %r1 = stablehlo.convert %b : ({tensor(z)}) -> tensor<3xi1>"""
    expected = [np.array([False, False, True, True, True]), np.array([False, False, True])]
    check([x, z], body, expected, cache)


@pytest.mark.parametrize("dtype", ["i8", "ui8", "f16", "bf16"])
def test_iota_overflow(dtype: str, cache: Path) -> None:
    """iota: indices beyond the element type are converted, so that integers wrap around."""
    expected = np.arange(300).astype(np.int64)
    want = expected.astype(np.float64).astype(NUMPY[dtype]) if dtype in FLOATS else expected.astype(NUMPY[dtype])
    check([], f"  %r0 = stablehlo.iota dim = 0 : {tensor(want)}", [want], cache)


def test_booleans(cache: Path) -> None:
    """add and maximum are "logical OR", multiply and minimum "logical AND" of booleans."""
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    names = ("add", "maximum", "or", "multiply", "minimum", "and", "xor")
    body = "\n".join(f"  %r{i} = stablehlo.{n} %a, %b : tensor<4xi1>" for i, n in enumerate(names))
    check([a, b], body, [a | b] * 3 + [a & b] * 3 + [a ^ b], cache)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_clamp(dtype: str, cache: Path) -> None:
    """clamp, "minimum(maximum(operand, min), max)": where min is above max, max is the result."""
    low, high = bounds(dtype)
    x = array(corners(dtype), dtype)
    t, s = tensor(x), tensor(array(0, dtype))
    body = f"""
  %r0 = stablehlo.clamp %a, %c, %b : ({s}, {t}, {s}) -> {t}
  %r1 = stablehlo.clamp %b, %c, %a : ({s}, {t}, {s}) -> {t}"""
    a, b = array(low + 1, dtype), array(high - 1, dtype)
    expected = [array([min(max(v, low + 1), high - 1) for v in corners(dtype)], dtype), np.full_like(x, low + 1)]
    check([a, b, x], body, expected, cache)
