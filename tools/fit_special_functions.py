"""Fit the polynomials of the gamma, error and Bessel functions: `python tools/fit_special_functions.py > OUT`.

OUT is src/tesselle/passes/global_optimization/stablehlo_to_linalg/special_coefficients.py. Every function is smooth on
its interval, so interpolation at Chebyshev's nodes is within a small factor of the best polynomial; the degree is the
least whose error, measured with 40 digits, is below 2**-55 of the largest value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp

mp.mp.dps = 40
Function = Callable[[Any], Any]

ROOT = mp.findroot(mp.digamma, 1.46)


def chebyshev(f: Function, low: float, high: float, count: int) -> list[Any]:
    """Coefficients of Chebyshev's polynomials of t in [-1, 1] for f on [low, high]."""
    nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]
    values = [f((mp.mpf(high) - low) / 2 * t + (mp.mpf(high) + low) / 2) for t in nodes]
    out = []
    for j in range(count):
        s = sum(v * mp.cos(mp.pi * j * (k + mp.mpf(1) / 2) / count) for k, v in enumerate(values))
        out.append(s * 2 / count)
    out[0] /= 2
    return out


def monomials(c: list[Any]) -> list[Any]:
    """The same polynomial in powers of t, lowest first."""
    rows: list[list[Any]] = [[mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]]
    while len(rows) < len(c):
        twice = [mp.mpf(0), *(2 * x for x in rows[-1])]
        for i, x in enumerate(rows[-2]):
            twice[i] -= x
        rows.append(twice)
    out = [mp.mpf(0)] * len(c)
    for k, row in zip(c, rows, strict=False):
        for i, x in enumerate(row):
            out[i] += k * x
    return out


def fit(f: Function, low: float, high: float) -> list[Any]:
    """Chebyshev coefficients up to the first degree whose truncation error is below 2**-55 of the largest value."""
    c = chebyshev(f, low, high, 60)
    size = max(abs(f(mp.mpf(low) + (mp.mpf(high) - low) * k / 16)) for k in range(17))
    while len(c) > 2 and sum(abs(x) for x in c[-2:]) < size * mp.mpf(2) ** -57:
        c.pop()
    return c


def erf_inv(x: Any) -> Any:
    return mp.erfinv(x)


def by_w(w: Any) -> Any:
    """erf_inv(x) / x as a function of w = -log(1 - x*x)."""
    if w == 0:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    if w < 12:
        return mp.erfinv(x) / x
    # Close to 1: solve for the complement, which has digits left.
    rest = mp.exp(-w) / (1 + x)
    start = mp.sqrt(w - mp.log(mp.pi * w) / 2)
    return mp.findroot(lambda y: mp.log(mp.erfc(y)) - mp.log(rest), start) / x


def lgamma_core(x: Any) -> Any:
    """lgamma(x) / ((x - 1) * (x - 2))."""
    if abs(x - 1) < mp.mpf(10) ** -25:
        return mp.euler
    if abs(x - 2) < mp.mpf(10) ** -25:
        return 1 - mp.euler
    with mp.workdps(70):
        return mp.loggamma(x) / ((x - 1) * (x - 2))


def digamma_core(x: Any) -> Any:
    with mp.workdps(70):
        return mp.digamma(x) / (x - mp.findroot(mp.digamma, 1.46))


def i1e(x: Any) -> Any:
    return mp.exp(-x) * mp.besseli(1, x)


TABLES: tuple[tuple[str, Function, float, float, bool, str], ...] = (
    ("LGAMMA", lgamma_core, 1, 2, True, "lgamma(x) / ((x - 1)(x - 2)), t = 2x - 3"),
    ("DIGAMMA", digamma_core, 1, 2, True, "digamma(x) / (x - root), t = 2x - 3"),
    ("ERF_INV_CENTRE", by_w, 0, 6.25, True, "erf_inv(x) / x, w = -log(1 - x*x) <= 6.25, t = w / 3.125 - 1"),
    ("ERF_INV_MIDDLE", lambda s: by_w(s * s), 2.5, 4, True, "erf_inv(x) / x, s = sqrt(w), t = (s - 3.25) / 0.75"),
    ("ERF_INV_TAIL", lambda s: by_w(s * s), 4, 6.25, True, "erf_inv(x) / x, s = sqrt(w), t = (s - 5.125) / 1.125"),
    ("BESSEL_NEAR", lambda x: i1e(x) / x if x else mp.mpf(1) / 2, 0, 8, False, "Chebyshev: i1e(x) / x, t = x / 4 - 1"),
    (
        "BESSEL_FAR",
        lambda v: mp.sqrt(8 / v) * i1e(8 / v) if v else 1 / mp.sqrt(2 * mp.pi),
        0,
        1,
        False,
        "Chebyshev: sqrt(x) * i1e(x), t = 16 / x - 1",
    ),
)


def main() -> None:
    print('"""Coefficients of special functions, lowest degree first. Made by tools/fit_special_functions.py."""\n')
    high = float(ROOT)
    print(f"DIGAMMA_ROOT = ({high!r}, {float(ROOT - high)!r})")
    print('"""The positive root of digamma, as the sum of two numbers."""\n')
    for name, f, low, top, as_powers, text in TABLES:
        c = fit(f, low, top)
        values = monomials(c) if as_powers else c
        print(f"{name} = (")
        for v in values:
            print(f"    {float(v)!r},")
        print(f')\n"""{text}."""\n')


if __name__ == "__main__":
    main()
