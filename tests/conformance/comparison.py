"""When results agree, and the one line that says where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .tolerances import DEFAULT, Tolerance, tolerance

Array = np.ndarray[Any, Any]


def difference(found: Sequence[Any], expected: Sequence[Any], group: str, *, is_gradient: bool = False) -> str | None:
    """None where all results agree; else a line about the first that does not."""
    if len(found) != len(expected):
        return f"{len(found)} results instead of {len(expected)}"
    for i, (f, e) in enumerate(zip(found, expected, strict=True)):
        line = _difference(np.asarray(f), np.asarray(e), group, is_gradient)
        if line is not None:
            return f"result {i}: {line}"
    return None


def _difference(found: Array, expected: Array, group: str, is_gradient: bool) -> str | None:
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype.name}{list(found.shape)} instead of {expected.dtype.name}{list(expected.shape)}"
    if expected.dtype.name not in DEFAULT:
        wrong = found != expected
        error = wrong.astype(np.float64)
    else:
        wrong, error = _far(found, expected, tolerance(group, expected.dtype.name, is_gradient=is_gradient))
    if not wrong.any():
        return None
    at = np.unravel_index(int(np.argmax(np.where(wrong, error, -1))), wrong.shape)
    place = f"[{', '.join(str(int(k)) for k in at)}]"
    return (
        f"{expected.dtype.name}{list(expected.shape)}: {int(wrong.sum())} of {wrong.size} differ, "
        f"worst at {place}: {found[at]!s} instead of {expected[at]!s}"
    )


def _far(found: Array, expected: Array, limits: Tolerance) -> tuple[Array, Array]:
    """Where the floats are too far apart, and by how many tolerances."""
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    f, e = found.astype(wide), expected.astype(wide)
    if wide is np.complex128:
        # Parts are compared by themselves only where one is not finite: an infinity is a matter of both parts.
        finite = np.isfinite(f) & np.isfinite(e)
        same = _same(f.real, e.real) & _same(f.imag, e.imag)
    else:
        finite = np.isfinite(f) & np.isfinite(e)
        same = _same(f, e)
    magnitudes = np.abs(np.where(np.isfinite(e), e, 0))
    largest = magnitudes.max(initial=0.0)
    allowed = limits.relative * magnitudes + limits.absolute + limits.scaled * largest
    distance = np.abs(np.where(finite, f, 0) - np.where(finite, e, 0))
    error = np.where(finite, distance / allowed, np.where(same, 0.0, np.inf))
    return ~same & (error > 1), error


def _same(f: Array, e: Array) -> Array:
    return (f == e) | (np.isnan(f) & np.isnan(e))
