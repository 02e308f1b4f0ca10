"""What a program expects of its own values: the host functions of the custom calls `@check.…`.

By themselves they raise ExecutionError where a value is not what was expected. A `Recorder` takes their place for
`tesselle check`: it notes every one of them, so that all can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tesselle.support.custom_calls import Array, CustomCall, HostFunction
from tesselle.support.diagnostics import ExecutionError
from tesselle.support.probes import PROBE, Probes

PLACE, FUNCTION = "check.place", "check.function"
"""Entries of a call's configuration: where the expectation stands, and in which function."""

FAR = (1 << 64) - 1
"""The distance of floats that no number of steps connects."""


@dataclass(frozen=True)
class Difference:
    """The element that is farthest from what was expected. `ulp`: how far in units in the last place, for floats."""

    index: tuple[int, ...]
    found: str
    expected: str
    count: int
    size: int
    ulp: int | None

    def __str__(self) -> str:
        where = f" at {list(self.index)}" if self.index else ""
        ulp = "" if self.ulp is None else " (no float lies between)" if self.ulp == FAR else f", {self.ulp} ULP apart"
        others = f"; {self.count} of {self.size} elements differ" if self.size > 1 else ""
        return f"expected {self.expected}, found {self.found}{where}{ulp}{others}"


@dataclass(frozen=True)
class Outcome:
    """One expectation that was looked at; `problem` is empty where it holds."""

    kind: str
    place: str
    function: str
    problem: str


@dataclass
class Recorder:
    """Host functions that note what they are asked instead of raising where an expectation does not hold.

    `probes`: where `interpreter.probe` writes, for `check.expect_serialized_eq`.
    """

    probes: Probes = field(default_factory=Probes)
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def functions(self) -> dict[str, HostFunction]:
        """Target -> host function, for `tesselle.load` and the reference interpreter."""
        return {**dict.fromkeys(TARGETS, self._note), PROBE: self.probes.write}

    def _note(self, call: CustomCall, *operands: Array) -> None:
        problem = _problem(call, operands, self.probes.folder)
        where = call.attributes
        kind = call.target.removeprefix("check.")
        self.outcomes.append(Outcome(kind, str(where.get(PLACE, "")), str(where.get(FUNCTION, "")), problem))


def host_function(target: str) -> HostFunction | None:
    """The function that raises ExecutionError where the expectation `target` does not hold."""
    return _raise if target in TARGETS else None


def _raise(call: CustomCall, *operands: Array) -> None:
    problem = _problem(call, operands, None)
    if problem:
        place = call.attributes.get(PLACE)
        raise ExecutionError(f"{place}: {call.target}: {problem}" if place else f"{call.target}: {problem}")


# ---------------------------------------------------------------------------------------------- comparing


def _problem(call: CustomCall, operands: tuple[Array, ...], probes: Path | None) -> str:
    """Why the expectation does not hold, or nothing."""
    if call.target == SERIALIZED:
        if len(operands) != 1:
            return f"expected 1 operand, found {len(operands)}"
        saved = _saved(call, probes, operands[0].dtype)
        if isinstance(saved, str):
            return saved
        operands = (operands[0], saved)
    if len(operands) != 2:
        return f"expected 2 operands, found {len(operands)}"
    found, expected = operands
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"expected {expected.dtype}{list(expected.shape)}, found {found.dtype}{list(found.shape)}"
    return TARGETS[call.target](call, found, expected)


def _saved(call: CustomCall, probes: Path | None, dtype: np.dtype[Any]) -> Array | str:
    """The array that a probe wrote, or why there is none. NumPy's format knows ml_dtypes' types by their size alone."""
    name = f"{call.attributes.get('probe_id', '')}_{call.attributes.get('iteration', 1)}.npy"
    if probes is None:
        return f"there is no folder of probes to look for {name} in"
    if Path(name).name != name:
        return f"{name} is no name of a file"
    path = probes / name
    if not path.is_file():
        return f"there is no file {path}"
    try:
        saved = np.load(path, allow_pickle=False)
        return saved.view(dtype) if saved.dtype.kind == "V" and saved.dtype.itemsize == dtype.itemsize else saved
    except (OSError, ValueError) as error:
        return f"{path}: {error}"


def _equal(call: CustomCall, found: Array, expected: Array) -> str:
    """found == expected; nan equals nan."""
    return _describe(found, expected, ~_same(found, expected))


def _almost_equal(call: CustomCall, found: Array, expected: Array) -> str:
    """|found - expected| <= tolerance, parts of complex numbers each."""
    tolerance = float(call.attributes.get("tolerance", 1e-4))
    a, b = _parts(found), _parts(expected)
    with np.errstate(all="ignore"):
        near = np.abs(a.astype(np.float64) - b.astype(np.float64)) <= tolerance
    bad = ~(near | _same(a, b))
    return _describe(found, expected, np.asarray(bad.any(axis=-1)) if bad.ndim > found.ndim else bad)


def _close(call: CustomCall, found: Array, expected: Array) -> str:
    """min_ulp_difference <= the largest distance in units in the last place <= max_ulp_difference."""
    limit = int(call.attributes.get("max_ulp_difference", 3))
    least = int(call.attributes.get("min_ulp_difference", 0))
    distances = ulp_distances(found, expected)
    largest = int(distances.max(initial=0))
    if largest > limit:
        return _describe(found, expected, distances > np.uint64(limit)) + f" (at most {limit} ULP may lie between)"
    if largest < least:
        return f"expected a distance of at least {least} ULP, found {largest}"
    return ""


EQUAL, ALMOST, CLOSE, SERIALIZED = (
    "check.expect_eq",
    "check.expect_almost_eq",
    "check.expect_close",
    "check.expect_serialized_eq",
)

TARGETS: dict[str, Callable[[CustomCall, Array, Array], str]] = {
    EQUAL: _equal,
    "check.eq": _equal,
    ALMOST: _almost_equal,
    "check.almost_eq": _almost_equal,
    CLOSE: _close,
    SERIALIZED: _equal,
}
"""Custom calls that state expectations, by target, with how they compare."""


def _parts(x: Array) -> Array:
    """Complex numbers as pairs of floats in a last dimension."""
    if x.dtype.kind != "c":
        return x
    return np.stack([x.real, x.imag], axis=-1)


def _is_float(x: Array) -> bool:
    # NumPy's own floats are of kind f, those of ml_dtypes of kind f or V, as are its integers.
    return x.dtype.kind == "f" or (x.dtype.kind == "V" and "float" in x.dtype.name)


def _same(a: Array, b: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where elements are equal, nan being equal to nan."""
    with np.errstate(all="ignore"):
        same = np.asarray(a == b)
        if a.dtype.kind == "c" or _is_float(a):
            same = same | (np.asarray(np.isnan(a)) & np.asarray(np.isnan(b)))
    return np.asarray(same, dtype=np.bool_)


def ulp_distances(a: Array, b: Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """How many steps from one float to the next lead from `a` to `b`; parts of complex numbers count by the farther.

    Equal values and two nans are 0 apart; a nan or an infinity and anything else 2^64 - 1. Integers: |a - b|.
    """
    if a.dtype.kind == "c":
        return ulp_distances(_parts(a), _parts(b)).max(axis=-1, initial=0)
    if not _is_float(a):
        x, y = a.astype(object), b.astype(object)
        return np.asarray(np.abs(x - y), dtype=np.uint64)
    finite = np.isfinite(a) & np.isfinite(b)
    x, y = _ordered(a), _ordered(b)
    steps = np.where(x > y, x - y, y - x)
    return np.where(_same(a, b), np.uint64(0), np.where(finite, steps, np.uint64(FAR)))


def _ordered(x: Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Floats as integers in the same order, neighbours being 1 apart, both zeros the same."""
    width = 8 * x.dtype.itemsize
    bits = np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").astype(np.uint64).reshape(x.shape)
    sign = np.uint64(1 << (width - 1))
    magnitude = bits & (sign - np.uint64(1))
    return np.where((bits & sign) != 0, sign - magnitude, sign + magnitude)


def _describe(found: Array, expected: Array, bad: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """The worst of the elements that `bad` marks, or nothing when there are none."""
    count = int(np.count_nonzero(bad))
    if not count:
        return ""
    at = int(np.argmax(bad))
    ulp: int | None = None
    if found.dtype.kind == "c" or _is_float(found):
        distances = np.where(bad, ulp_distances(found, expected), np.uint64(0)).reshape(-1)
        at = int(np.argmax(distances)) if distances.max() > 0 else at
        ulp = int(distances[at])
    index = tuple(int(i) for i in np.unravel_index(at, found.shape))
    return str(Difference(index, str(found[index]), str(expected[index]), count, found.size, ulp))
