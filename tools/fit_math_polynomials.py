"""Fit the polynomials of codegen/llvm/vector_math and print codegen/llvm/coefficients.py.

    python tools/fit_math_polynomials.py > src/tesselle/codegen/llvm/coefficients.py

Needs mpmath. Each fit is a weighted minimax polynomial by Remez's exchange algorithm in 60 digits; then coefficients
are rounded to the format one after the other, highest degree last, and the rest refitted each time (the low degrees
carry the weight).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpmath import mp, mpf

mp.dps = 60
Real = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Fit:
    """`function` on [low, high] by a polynomial of `degree`; the error that counts is |p - function| * weight."""

    name: str
    about: str
    bits: int
    function: Real
    weight: Real
    low: mpf
    high: mpf
    degree: int


def round_to(value: mpf, bits: int) -> mpf:
    return mpf(float(np.float32(float(value)))) if bits == 32 else mpf(float(value))


def remez(f: Real, w: Real, low: mpf, high: mpf, powers: list[int]) -> tuple[list[mpf], mpf]:
    """Coefficients of the weighted minimax polynomial with the given powers, and its largest weighted error."""
    n = len(powers) + 1
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * mpf(i) / (24 * n)) for i in range(24 * n + 1)]
    samples = [(x, f(x), w(x)) for x in grid]
    coefficients: list[mpf] = []
    level = mpf(0)
    for _ in range(12):
        matrix = mp.matrix(n, n)
        right = mp.matrix(n, 1)
        for i, x in enumerate(nodes):
            for j, p in enumerate(powers):
                matrix[i, j] = x**p
            matrix[i, n - 1] = (-1) ** i / w(x)
            right[i] = f(x)
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[j] for j in range(n - 1)]
        level = abs(solution[n - 1])

        def error(x: mpf, fx: mpf, wx: mpf, c: list[mpf] = coefficients) -> mpf:
            return (sum(a * x**p for a, p in zip(c, powers, strict=True)) - fx) * wx

        errors = [error(*s) for s in samples]
        peaks: list[int] = []
        for i, e in enumerate(errors):
            left = errors[i - 1] if i else mpf(0)
            right_ = errors[i + 1] if i + 1 < len(errors) else mpf(0)
            if (abs(e) >= abs(left) and abs(e) >= abs(right_)) or ((e > 0) != (left > 0) and abs(e) >= abs(right_)):
                if peaks and (errors[peaks[-1]] > 0) == (e > 0):
                    if abs(e) > abs(errors[peaks[-1]]):
                        peaks[-1] = i
                else:
                    peaks.append(i)
        while len(peaks) > n:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        if len(peaks) < n:
            break
        nodes = [grid[i] for i in peaks]
        largest = max(abs(errors[i]) for i in peaks)
        if largest < level * mpf("1.02"):
            break
    return coefficients, level


def rounded_fit(fit: Fit) -> tuple[list[mpf], mpf]:
    """Round low degrees first and let the higher ones make up for it."""
    fixed: list[mpf] = []
    level = mpf(0)
    for k in range(fit.degree + 1):

        def rest(x: mpf, done: tuple[mpf, ...] = tuple(fixed)) -> mpf:
            return fit.function(x) - sum(c * x**i for i, c in enumerate(done))

        coefficients, level = remez(rest, fit.weight, fit.low, fit.high, list(range(k, fit.degree + 1)))
        fixed.append(round_to(coefficients[0], fit.bits))
        # Past the first few the rounding is far below the format's resolution of the result.
        if k >= 3 or fit.degree > 15:
            fixed.extend(round_to(c, fit.bits) for c in coefficients[1:])
            break
    return fixed, level


def series(f: Real, low_terms: Callable[[mpf], mpf], power: int) -> Real:
    """(f(x) - low_terms(x)) / x^power, evaluated away from zero."""

    def quotient(x: mpf) -> mpf:
        if abs(x) < mpf(10) ** -30:
            x = mpf(10) ** -30
        with mp.workdps(260):
            return (f(x) - low_terms(x)) / x**power

    return quotient


LN2 = mp.log(2)
R = LN2 / 2 * mpf("1.0005")
SQRT_HALF = mp.sqrt(mpf(1) / 2)
PIO4 = mp.pi / 4 * mpf("1.0005")


def in_square(f: Real) -> Real:
    """f as a function of z = x*x."""
    return lambda z: f(mp.sqrt(z))


def erfcx_scaled(t: mpf) -> mpf:
    """(1 + 2x) exp(x²) erfc(x) for x = K (1 + t) / (1 - t)."""
    x = ERFC_K * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


ERFC_K = mpf("3.75")


def erfcx_f32(t: mpf) -> mpf:
    """(x + K) exp(x²) erfc(x) for x = K (1 + t) / (1 - t)."""
    x = ERFC_K_F32 * (1 + t) / (1 - t)
    return (x + ERFC_K_F32) * mp.exp(x * x) * mp.erfc(x)


ERFC_K_F32 = mpf("2.5")


def t_of(x: str, k: mpf = ERFC_K) -> mpf:
    return (mpf(x) - k) / (mpf(x) + k)


def fits() -> list[Fit]:
    exp_rest = series(mp.exp, lambda x: 1 + x, 2)
    log_rest = series(lambda f: mp.log(1 + f), lambda f: f - f * f / 2, 3)
    atanh_rest = in_square(series(lambda s: mp.log((1 + s) / (1 - s)), lambda s: 2 * s, 3))
    atanh_rest2 = in_square(series(lambda s: mp.log((1 + s) / (1 - s)), lambda s: 2 * s + 2 * s**3 / 3, 5))
    sin_rest = in_square(series(mp.sin, lambda x: x, 3))
    cos_rest = in_square(series(mp.cos, lambda x: 1 - x * x / 2, 4))
    atan_rest = in_square(series(mp.atan, lambda x: x, 3))
    erf_rest = in_square(series(mp.erf, lambda x: x, 1))
    one: Real = lambda x: mpf(1)  # noqa: E731
    s2 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.001")
    t2 = mp.tan(mp.pi / 8) ** 2 * mpf("1.001")
    tiny = mpf(10) ** -12
    return [
        Fit("EXP_F32", "(exp(r) - 1 - r) / r^2, |r| <= ln(2)/2", 32, exp_rest, one, -R, R, 4),
        Fit("EXP_F64", "(exp(r) - 1 - r) / r^2, |r| <= ln(2)/2", 64, exp_rest, one, -R, R, 10),
        Fit("LOG_F32", "(log(1+f) - f + f^2/2) / f^3, sqrt(1/2) <= 1+f <= sqrt(2)", 32, log_rest,
            lambda f: f * f, SQRT_HALF - 1, mp.sqrt(2) - 1, 8),
        Fit("LOG_F64", "(log((1+s)/(1-s)) - 2s) / s^3 in z = s^2, |s| <= (sqrt(2)-1)/(sqrt(2)+1)", 64, atanh_rest,
            one, tiny, s2, 6),
        Fit("LOG_TAIL_F64", "(log((1+s)/(1-s)) - 2s - 2/3 s^3) / s^5 in z = s^2", 64, atanh_rest2, one, tiny, s2, 7),
        Fit("SIN_F64", "(sin(r) - r) / r^3 in z = r^2, |r| <= pi/4", 64, sin_rest, one, tiny, PIO4**2, 5),
        Fit("COS_F64", "(cos(r) - 1 + r^2/2) / r^4 in z = r^2, |r| <= pi/4", 64, cos_rest, one, tiny, PIO4**2, 5),
        Fit("SIN_SHORT", "as SIN_F64, for results in f32", 64, sin_rest, one, tiny, PIO4**2, 3),
        Fit("COS_SHORT", "as COS_F64, for results in f32", 64, cos_rest, one, tiny, PIO4**2, 3),
        Fit("ATAN_F64", "(atan(t) - t) / t^3 in z = t^2, |t| <= tan(pi/8)", 64, atan_rest, one, tiny, t2, 10),
        Fit("ATAN_SHORT", "as ATAN_F64, for results in f32", 64, atan_rest, one, tiny, t2, 5),
        Fit("ERF_F32", "(erf(x) - x) / x in z = x^2, |x| <= 0.93", 32, erf_rest, one, tiny, mpf("0.93") ** 2, 6),
        Fit("ERF_F64", "(erf(x) - x) / x in z = x^2, |x| <= 0.85", 64, erf_rest, one, tiny, mpf("0.85") ** 2, 11),
        Fit("ERFC_LOG_F32", "(log(erfc(x)) + x) / x, 0.92 <= x <= 4", 32, lambda x: (mp.log(mp.erfc(x)) + x) / x,
            lambda x: x * mp.erfc(x) / mp.erf(x), mpf("0.92"), mpf("4"), 6),
        Fit("ERFC_NEAR_F32", "(erf(x) - x) / x in z = x^2, |x| <= 0.48, for 1 - erf(x)", 32, erf_rest, mp.sqrt,
            tiny, mpf("0.48") ** 2, 4),
        Fit("ERFC_F32", "(x+2.5) exp(x^2) erfc(x) in t = (x-2.5)/(x+2.5), 0.47 <= x <= 10.1", 32, erfcx_f32,
            lambda t: 1 / erfcx_f32(t), t_of("0.47", ERFC_K_F32), t_of("10.1", ERFC_K_F32), 8),
        Fit("ERFC_F64", "(1+2x) exp(x^2) erfc(x) in t = (x-3.75)/(x+3.75), 0.45 <= x <= 28", 64, erfcx_scaled, one,
            t_of("0.45"), t_of("28"), 23),
    ]  # fmt: skip


def main() -> None:
    print('"""Coefficients of minimax polynomials, lowest degree first. Made by tools/fit_math_polynomials.py."""')
    for fit in fits():
        coefficients, level = rounded_fit(fit)
        print(f"{fit.name}: weighted error {mp.nstr(level, 3)}", file=sys.stderr)
        print(f"\n{fit.name} = (")
        for c in coefficients:
            print(f"    {float(c)!r},")
        print(f")\n# {fit.about}; weighted error {mp.nstr(level, 2)}")


if __name__ == "__main__":
    main()
