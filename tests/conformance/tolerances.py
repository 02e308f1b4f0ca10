"""How far a result may lie from XLA's: one table, with a reason for everything that is not the default.

An element e of XLA's result and f of ours agree where |f - e| <= relative·|e| + absolute + scaled·max|e|, with the
largest finite magnitude of the result in the last term. Integers and booleans are equal; nan equals nan.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    relative: float
    """Units: the element's own magnitude."""
    absolute: float
    scaled: float = 0.0
    """Units: the largest magnitude in the result. For sums, whose error goes with the terms and not with the sum."""


DEFAULT: dict[str, Tolerance] = {
    # About 16 units in the last place, and 2 of the short types, which are computed wider and rounded.
    "float64": Tolerance(4e-15, 1e-15),
    "float32": Tolerance(2e-6, 1e-7),
    "float16": Tolerance(2e-3, 1e-5),
    "bfloat16": Tolerance(1.6e-2, 1e-5),
    "complex128": Tolerance(4e-15, 1e-15),
    "complex64": Tolerance(2e-6, 1e-7),
}

GROUPS: dict[tuple[str, str], Tolerance] = {
    # exp(y·log x): the rounding of log x is multiplied by |y·log x|. XLA is off by 2.3e-6 and Tesselle by 1.9e-6 of the
    # value that mpmath gives.
    ("pow", "complex64"): Tolerance(6e-6, 1e-7),
    ("pow", "complex128"): Tolerance(2e-14, 1e-15),
    # XLA's log1p of f64, of which its atanh is made, is off by up to 1.6e-14 (72 units in the last place); Tesselle's
    # by less than one unit.
    ("log1p", "float64"): Tolerance(3e-14, 1e-15),
    ("atanh", "float64"): Tolerance(3e-14, 1e-15),
    # XLA's gamma functions of f32 are off by 1e-6 beside their zeros; Tesselle's by 6e-8 of the value, everywhere.
    ("lgamma", "float32"): Tolerance(2e-6, 2e-6),
    # In f64 both are off by up to 3e-15 beside the zeros between the poles.
    ("lgamma", "float64"): Tolerance(4e-15, 6e-15),
    ("digamma", "float32"): Tolerance(2e-6, 1e-6),
    # Series of up to 2000 terms on top of lgamma: XLA is off by up to 1.8e-5, Tesselle by 6.4e-6.
    ("igamma", "float32"): Tolerance(3e-5, 1e-7),
    # 1 - igamma where a and x are below 1: at a = 0.02, x = 0.53 both are off by 1.3e-4.
    ("igammac", "float32"): Tolerance(1.5e-4, 1e-7),
}
"""(group, element type) -> the tolerance where it is not the default."""

SUMS = frozenset(
    "conv_general_dilated cumlogsumexp cumprod cumsum custom_linear_solve dot_general fft reduce reduce_sum "
    "reduce_window_add scatter_add select_and_scatter_add tridiagonal_solve triangular_solve".split()
)
"""Groups whose results are sums: another order of the terms gives another rounding of each partial sum."""

SUM_SCALED = {
    "float64": 1e-15,
    "float32": 1e-6,
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "complex128": 1e-15,
    "complex64": 1e-6,
}


GRADIENT_SLACK = 8.0
"""A derivative is made of several operations, some of which cancel (1 - tanh², 1/sqrt(x² - 1) beside 1)."""


def tolerance(group: str, dtype: str, *, is_gradient: bool = False) -> Tolerance:
    """The tolerance of results of `dtype` in the cases of `group`; a key of `DEFAULT` is required."""
    base = GROUPS.get((group, dtype), DEFAULT[dtype])
    if is_gradient:
        k = GRADIENT_SLACK
        return Tolerance(k * base.relative, k * base.absolute, SUM_SCALED[dtype])
    if group in SUMS:
        return Tolerance(base.relative, base.absolute, SUM_SCALED[dtype])
    return base
