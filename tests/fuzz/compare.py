"""Whether a compiled program's results are right, given the reference interpreter.

Integers and booleans must be equal. How far floats may lie from the reference follows from the program itself, by
stochastic arithmetic: the reference runs several more times, each time with every inexact operation's result moved by a
rounding error or two. What the results do then is what right implementations may do; where an integer, a boolean or the
class of a float changes between the runs, the element hangs on a rounding error and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.passes.input.create_initializer import first_value
from tesselle.reference import Interpreter

from .perturb import PerturbedInterpreter, epsilon, is_float, largest_of, tiniest
from .values import Array
from .variables import variables_of

RUNS = 4
RUNS_TO_BE_SURE = 60
"""More of them before a difference is called one: what changes seldom shows seldom."""

SPREAD_FACTOR = 8.0

CALLS = 3
"""How often a program with variables is called."""


@dataclass
class Expectation:
    """What the reference says, and what its perturbed runs say."""

    module: ModuleOp
    arguments: Sequence[Array]
    seed: int = 0

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            self.expected = self._run(Interpreter(self.module))
        self._rng = np.random.default_rng(self.seed)
        self.runs: list[list[Array]] = []

    def _run(self, interpreter: Interpreter) -> list[Array]:
        """The results; where there are variables, those of `CALLS` calls, and what the variables hold in the end."""
        variables = variables_of(self.module)
        results: list[Array] = []
        for _ in range(CALLS if variables else 1):
            results += interpreter.call("main", list(self.arguments))
        for name, variable in variables.items():
            value = interpreter.variables.get(name)
            results.append(first_value(variable).array if value is None else value)
        return results

    def perturb(self, count: int) -> None:
        """Have `count` perturbed runs in all."""
        while len(self.runs) < count:
            with np.errstate(all="ignore"):
                self.runs.append(self._run(PerturbedInterpreter(self.module, self._rng)))

    def difference(self, found: Sequence[Array]) -> str | None:
        """What is wrong with `found`, None when nothing is."""
        if len(found) != len(self.expected):
            return f"{len(found)} results instead of {len(self.expected)}"
        for i, (f, e) in enumerate(zip(found, self.expected, strict=True)):
            if f.dtype != e.dtype or f.shape != e.shape:
                return f"result {i} is {f.dtype}{list(f.shape)} instead of {e.dtype}{list(e.shape)}"
        if all(identical(f, e).all() for f, e in zip(found, self.expected, strict=True)):
            return None
        for count in (RUNS, RUNS_TO_BE_SURE):
            self.perturb(count)
            wrong = self._wrong(found)
            if wrong is None:
                return None
        return wrong

    def _wrong(self, found: Sequence[Array]) -> str | None:
        for i, (f, e) in enumerate(zip(found, self.expected, strict=True)):
            bad = ~acceptable(f, e, [r[i] for r in self.runs])
            if bad.any():
                at = tuple(int(n) for n in np.argwhere(bad)[0]) if e.shape else ()
                seen = [r[i][at].item() for r in self.runs[:3]]
                return (
                    f"result {i} at {list(at)}: {f[at].item()!r} instead of {e[at].item()!r} (perturbed: {seen});"
                    f" {int(bad.sum())} of {bad.size} elements differ"
                )
        return None


def identical(f: Array, e: Array) -> Array:
    """Equal, zeros in their signs too, or both nan; of complex numbers, both parts."""
    if e.dtype.kind == "c":
        return identical(f.real, e.real) & identical(f.imag, e.imag)
    with np.errstate(all="ignore"):
        same = np.asarray((f == e) | ((f != f) & (e != e)))
        return same & ((f != 0) | (np.signbit(f) == np.signbit(e))) if is_float(e) else same


def acceptable(f: Array, e: Array, runs: Sequence[Array]) -> Array:
    """Elementwise: equal, or what the perturbed runs, which rounding alone tells apart, show to be possible."""
    if e.dtype.kind == "c":
        # The error of a part is in proportion to the whole number.
        spread = np.fmax(_spread(e.real, [r.real for r in runs]), _spread(e.imag, [r.imag for r in runs]))
        return _within(f.real, e.real, [r.real for r in runs], spread) & _within(
            f.imag, e.imag, [r.imag for r in runs], spread
        )
    if is_float(e):
        return _within(f, e, runs, _spread(e, runs))
    seen = [x.astype(np.longdouble) for x in (e, *runs)]
    low, high = np.minimum.reduce(seen), np.maximum.reduce(seen)
    room = SPREAD_FACTOR * (high - low)
    return identical(f, e) | ((low - room <= f) & (f <= high + room))


def _spread(e: Array, runs: Sequence[Array]) -> Array:
    """The largest distance between a run and the reference, where both are finite."""
    with np.errstate(all="ignore"):
        distances = [np.abs(r.astype(np.float64) - e.astype(np.float64)) for r in runs]
        return np.fmax.reduce([np.where(np.isfinite(d), d, 0.0) for d in distances])


def _within(f: Array, e: Array, runs: Sequence[Array], spread: Array) -> Array:
    """A number between those that were seen, or as far beyond as they lie apart; an infinity or nan that was seen.

    Where an infinity was seen, a number may be as large as there are.
    """
    x, *seen = (a.astype(np.float64) for a in (f, e, *runs))
    with np.errstate(all="ignore"):
        largest = np.float64(largest_of(e.dtype))
        low, high = (
            reduce([np.clip(z, -largest, largest) for z in seen]) for reduce in (np.fmin.reduce, np.fmax.reduce)
        )
        finite = [np.where(np.isfinite(z), z, np.nan) for z in seen]
        apart = np.fmax(spread, np.fmax.reduce(finite) - np.fmin.reduce(finite))
        apart = np.where(np.isnan(apart), 0.0, apart)
        size = np.fmax(np.abs(low), np.abs(high))
        room = SPREAD_FACTOR * apart + (epsilon(e.dtype) * size + 4 * tiniest(e.dtype)) * (apart > 0)
        near = np.isfinite(x) & (low - room <= x) & (x <= high + room) & (apart > 0)
        near &= ~((x == 0) & (low == 0) & (high == 0))
    # Zeros with their signs, infinities and nan: what was seen.
    return near | np.logical_or.reduce([identical(x, z) for z in seen])
