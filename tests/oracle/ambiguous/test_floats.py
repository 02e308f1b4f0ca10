"""What floats do at the borders: nan, signed zeros, halves, infinities.

Sections are those of the StableHLO specification (https://openxla.org/stablehlo/spec).
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from tests.oracle.ambiguous.ways import FLOATS, INF, NAN, NUMPY, array, check, tensor


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_in_extremes(dtype: str, cache: Path) -> None:
    """maximum, minimum: "maximum from IEEE-754", which hands nan on, and orders -0 before 0; so does clamp."""
    pairs = list(itertools.product((NAN, 0.0, -0.0, 1.0, -INF, INF), repeat=2))
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)

    def pick(x: float, y: float, larger: bool) -> float:
        if math.isnan(x) or math.isnan(y):
            return NAN
        order = sorted((x, y), key=lambda v: (v, math.copysign(1, v)))
        return order[1] if larger else order[0]

    expected = [array([pick(x, y, larger) for x, y in pairs], dtype) for larger in (True, False)]
    t = tensor(a)
    body = f"  %r0 = stablehlo.maximum %a, %b : {t}\n  %r1 = stablehlo.minimum %a, %b : {t}"
    check([a, b], body, expected, cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_in_clamp(dtype: str, cache: Path) -> None:
    """clamp is "minimum(maximum(operand, min), max)": nan in any of the three is the result; max wins over min."""
    rows = [(0.0, NAN, 1.0), (NAN, 0.5, 1.0), (0.0, 0.5, NAN), (2.0, 0.5, 1.0), (0.0, -INF, 1.0), (0.0, INF, 1.0)]
    low, x, high = (array([r[k] for r in rows], dtype) for k in range(3))
    t = tensor(x)
    body = f"  %r0 = stablehlo.clamp %a, %b, %c : ({t}, {t}, {t}) -> {t}"
    check([low, x, high], body, [array([NAN, NAN, NAN, 1.0, 0.0, 1.0], dtype)], cache)


DIRECTIONS = ("EQ", "NE", "LT", "LE", "GT", "GE")


@pytest.mark.parametrize("dtype", FLOATS)
def test_compare_as_floats(dtype: str, cache: Path) -> None:
    """compare, FLOAT: "compareQuietEqual" and its kin: nan is unequal to everything, -0 equals 0."""
    pairs = list(itertools.product((NAN, -0.0, 0.0, 1.0, INF), repeat=2))
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)
    functions = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
    expected = [f(a.astype(np.float64), b.astype(np.float64)) for f in functions]
    t, p = tensor(a), tensor(expected[0])
    body = "\n".join(
        f"  %r{i} = stablehlo.compare {d}, %a, %b, FLOAT : ({t}, {t}) -> {p}" for i, d in enumerate(DIRECTIONS)
    )
    check([a, b], body, expected, cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_compare_in_total_order(dtype: str, cache: Path) -> None:
    """compare, "totalOrder from IEEE-754": -nan < -inf < -1 < -0 < 0 < 1 < inf < nan, and each is equal to itself."""
    size = np.dtype(NUMPY[dtype]).itemsize
    nan = array([NAN], dtype).view(f"u{size}")[0] & ~np.array(1 << (8 * size - 1), f"u{size}")
    negative = (nan | np.array(1 << (8 * size - 1), f"u{size}")).reshape(1).view(NUMPY[dtype])
    ordered = np.concatenate(
        [negative, array([-INF, -1.0, -0.0, 0.0, 1.0, INF], dtype), nan.reshape(1).view(NUMPY[dtype])]
    )
    i, j = (k.reshape(-1) for k in np.meshgrid(range(8), range(8)))
    a, b = ordered[i], ordered[j]
    expected = [np.equal(i, j), i != j, i < j, i <= j, i > j, i >= j]
    t, p = tensor(a), tensor(expected[0])
    body = "\n".join(
        f"  %r{k} = stablehlo.compare {d}, %a, %b, TOTALORDER : ({t}, {t}) -> {p}" for k, d in enumerate(DIRECTIONS)
    )
    check([a, b], body, expected, cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sign_and_abs(dtype: str, cache: Path) -> None:
    """sign: nan stays nan, -0 stays -0; abs and negate change the sign bit only."""
    x = array([NAN, -0.0, 0.0, -INF, INF, -3.0, 2.0], dtype)
    t = tensor(x)
    body = f"  %r0 = stablehlo.sign %a : {t}\n  %r1 = stablehlo.abs %a : {t}\n  %r2 = stablehlo.negate %a : {t}"
    expected = [[NAN, -0.0, 0.0, -1, 1, -1, 1], [NAN, 0.0, 0.0, INF, INF, 3, 2], [NAN, 0.0, -0.0, INF, -INF, 3, -2]]
    check([x], body, [array(e, dtype) for e in expected], cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_division(dtype: str, cache: Path) -> None:
    """divide and remainder, "division from IEEE-754": x / 0 is an infinity with the product of the signs, 0 / 0 nan.

    The remainder has the sign of the dividend, also where it is 0.
    """
    pairs = [(1, 0.0), (1, -0.0), (-1, 0.0), (0.0, 0.0), (INF, INF), (0.0, -3), (INF, 2), (5, INF), (-5, INF), (-6, 3)]
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)
    quotients = [INF, -INF, -INF, NAN, NAN, -0.0, INF, 0.0, -0.0, -2]
    remainders = [NAN, NAN, NAN, NAN, NAN, 0.0, NAN, 5, -5, -0.0]
    t = tensor(a)
    body = f"  %r0 = stablehlo.divide %a, %b : {t}\n  %r1 = stablehlo.remainder %a, %b : {t}"
    check([a, b], body, [array(quotients, dtype), array(remainders, dtype)], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_atan2(dtype: str, cache: Path) -> None:
    """atan2, "atan2 from IEEE-754": the signs of zeros choose the quadrant."""
    pairs = list(itertools.product((0.0, -0.0, INF, -INF, NAN), repeat=2))
    a, b = array([p[0] for p in pairs], dtype), array([p[1] for p in pairs], dtype)
    expected = np.array([math.atan2(y, x) for y, x in pairs]).astype(NUMPY[dtype])
    t = tensor(a)
    check([a, b], f"  %r0 = stablehlo.atan2 %a, %b : {t}", [expected], cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_halves(dtype: str, cache: Path) -> None:
    """round_nearest_even, round_nearest_afz: roundToIntegralTiesToEven and TiesToAway; the sign of zeros stays."""
    x = array([-2.5, -1.5, -0.5, -0.25, -0.0, 0.0, 0.25, 0.5, 1.5, 2.5, INF, -INF, NAN], dtype)
    t = tensor(x)
    body = (
        f"  %r0 = stablehlo.round_nearest_even %a : {t}\n  %r1 = stablehlo.round_nearest_afz %a : {t}\n"
        f"  %r2 = stablehlo.ceil %a : {t}\n  %r3 = stablehlo.floor %a : {t}"
    )
    expected = [
        [-2, -2, -0.0, -0.0, -0.0, 0.0, 0.0, 0.0, 2, 2, INF, -INF, NAN],
        [-3, -2, -1, -0.0, -0.0, 0.0, 0.0, 1, 2, 3, INF, -INF, NAN],
        [-2, -1, -0.0, -0.0, -0.0, 0.0, 1, 1, 2, 3, INF, -INF, NAN],
        [-3, -2, -1, -1, -0.0, 0.0, 0.0, 0.0, 1, 2, INF, -INF, NAN],
    ]
    check([x], body, [array(e, dtype) for e in expected], cache)


def test_largest_below_half(cache: Path) -> None:
    """round_nearest_afz(0.49999997) is 0: adding a half before truncating would give 1."""
    x = np.array([np.nextafter(np.float32(0.5), np.float32(0)), 8388609.0, -8388609.0], np.float32)
    expected = np.array([0, 8388609.0, -8388609.0], np.float32)
    check([x], "  %r0 = stablehlo.round_nearest_afz %a : tensor<3xf32>", [expected], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_poles(dtype: str, cache: Path) -> None:
    """log, sqrt, rsqrt, log_plus_one, cbrt of negative numbers, zeros and infinities, by IEEE-754."""
    x = array([-1.0, -0.0, 0.0, INF, -INF, NAN], dtype)
    t = tensor(x)
    expected = {
        "log": [NAN, -INF, -INF, INF, NAN, NAN],
        "sqrt": [NAN, -0.0, 0.0, INF, NAN, NAN],
        "rsqrt": [NAN, -INF, INF, 0.0, NAN, NAN],
        "log_plus_one": [-INF, -0.0, 0.0, INF, NAN, NAN],
        "cbrt": [-1.0, -0.0, 0.0, INF, -INF, NAN],
        "exponential_minus_one": [math.expm1(-1), -0.0, 0.0, INF, -1.0, NAN],
        "tanh": [math.tanh(-1), -0.0, 0.0, 1.0, -1.0, NAN],
    }
    x = x[1:]
    t = tensor(x)
    body = "\n".join(f"  %r{i} = stablehlo.{name} %a : {t}" for i, name in enumerate(expected))
    check([x], body, [array(v[1:], dtype) for v in expected.values()], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_negative_operands(dtype: str, cache: Path) -> None:
    """log, sqrt, rsqrt below zero are nan, log_plus_one at -1 is -inf (Errors: "produce default results")."""
    x = array([-1.0, -2.5, -1e-30], dtype)
    t = tensor(x)
    body = "\n".join(f"  %r{i} = stablehlo.{n} %a : {t}" for i, n in enumerate(("log", "sqrt", "rsqrt")))
    nans = array([NAN, NAN, NAN], dtype)
    check([x], body, [nans, nans, nans], cache)
    y = array([-1.0, -2.5], dtype)
    check([y], f"  %r0 = stablehlo.log_plus_one %a : {tensor(y)}", [array([-INF, NAN], dtype)], cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_is_finite(dtype: str, cache: Path) -> None:
    """is_finite: false for infinities and nan, true for the largest number and the smallest subnormal."""
    import ml_dtypes

    info = ml_dtypes.finfo(NUMPY[dtype])
    x = array([INF, -INF, NAN, float(info.max), float(info.smallest_subnormal), -0.0], dtype)
    body = f"  %r0 = stablehlo.is_finite %a : ({tensor(x)}) -> tensor<6xi1>"
    check([x], body, [np.array([False, False, False, True, True, True])], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_power(dtype: str, cache: Path) -> None:
    """power, "pow from IEEE-754": x**0 is 1 and 1**y is 1, also with nan; roots of negative numbers are nan."""
    pairs = [
        (0.0, 0.0, 1.0),
        (NAN, 0.0, 1.0),
        (1.0, NAN, 1.0),
        (NAN, 1.0, NAN),
        (2.0, NAN, NAN),
        (-8.0, 0.5, NAN),
        (-2.0, 3.0, -8.0),
        (-2.0, 2.0, 4.0),
        (-2.0, -1.0, -0.5),
        (0.0, -1.0, INF),
        (-0.0, -1.0, -INF),
        (-0.0, -2.0, INF),
        (-0.0, 3.0, -0.0),
        (-0.0, 2.0, 0.0),
        (INF, -1.0, 0.0),
        (-INF, 3.0, -INF),
        (-INF, 2.0, INF),
        (-INF, -3.0, -0.0),
        (-1.0, INF, 1.0),
        (-1.0, -INF, 1.0),
        (0.5, INF, 0.0),
        (2.0, INF, INF),
        (0.5, -INF, INF),
        (2.0, -INF, 0.0),
    ]
    a, b, c = (array([p[k] for p in pairs], dtype) for k in range(3))
    check([a, b], f"  %r0 = stablehlo.power %a, %b : {tensor(a)}", [c], cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_of_zeros(dtype: str, cache: Path) -> None:
    """add, subtract, multiply, "addition from IEEE-754": -0 + -0 is -0, 0 - 0 is 0, 0 * -1 is -0, inf - inf is nan."""
    a, b = array([-0.0, -0.0, 0.0, INF, 0.0], dtype), array([-0.0, 0.0, 0.0, INF, INF], dtype)
    t = tensor(a)
    body = "\n".join(f"  %r{i} = stablehlo.{n} %a, %b : {t}" for i, n in enumerate(("add", "subtract", "multiply")))
    expected = [[-0.0, 0.0, 0.0, INF, INF], [0.0, -0.0, 0.0, NAN, -INF], [0.0, -0.0, 0.0, INF, NAN]]
    check([a, b], body, [array(e, dtype) for e in expected], cache)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_reduce_precision_overflow(dtype: str, cache: Path) -> None:
    """reduce_precision: what does not fit the exponent becomes an infinity or zero of its sign; nan stays nan."""
    x = array([65519.0, 65520.0, -65520.0, 1e-30, -1e-30, NAN, INF, -0.0], dtype)
    expected = array([65504.0, INF, -INF, 0.0, -0.0, NAN, INF, -0.0], dtype)
    check([x], f"  %r0 = stablehlo.reduce_precision %a, format = e5m10 : {tensor(x)}", [expected], cache)


@pytest.mark.parametrize("dtype", ["complex<f32>", "complex<f64>"])
def test_complex(dtype: str, cache: Path) -> None:
    """abs, compare of complex numbers: a modulus is finite where its square is not; EQ and NE look at both parts."""
    part = np.float32 if dtype == "complex<f32>" else np.float64
    large = 1e37 if part is np.float32 else 1e300
    x = np.array([complex(3 * large, 4 * large), complex(INF, 1), complex(0, -0.0), complex(-3, 4)]).astype(
        NUMPY[dtype]
    )
    y = x.copy()
    y[3] = complex(-3, 5)
    t, p = tensor(x), "tensor<4xi1>"
    real = f"tensor<4x{'f32' if part is np.float32 else 'f64'}>"
    body = f"""
  %r0 = stablehlo.abs %a : ({t}) -> {real}
  %r1 = stablehlo.compare EQ, %a, %b, FLOAT : ({t}, {t}) -> {p}
  %r2 = stablehlo.compare NE, %a, %b, FLOAT : ({t}, {t}) -> {p}"""
    modulus = np.hypot(x.real, x.imag).astype(part)
    modulus[3] = 5
    expected = [modulus, np.array([True, True, True, False]), np.array([False, False, False, True])]
    check([x, y], body, expected, cache)


@pytest.mark.parametrize("dtype", ["complex<f32>", "complex<f64>"])
def test_complex_division(dtype: str, cache: Path) -> None:
    """divide of complex numbers: large divisors do not overflow on the way; a divisor of 0 divides each part."""
    large = 1e30 if dtype == "complex<f32>" else 1e300
    x = np.array([complex(large, large), complex(0, 0), complex(6, 8), complex(2, 0), 1, 0]).astype(NUMPY[dtype])
    y = np.array([complex(large, large), complex(1, 0), complex(3, 4), complex(0, 2), 0, 0]).astype(NUMPY[dtype])
    expected = np.array([1, 0, 2, complex(0, -1), complex(INF, NAN), complex(NAN, NAN)]).astype(NUMPY[dtype])
    check([x, y], f"  %r0 = stablehlo.divide %a, %b : {tensor(x)}", [expected], cache)
