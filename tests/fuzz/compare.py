"""Whether a compiled program's results are right, given the reference interpreter.

Integers and booleans must be equal. How far floats may lie from the reference follows from the program itself, by
stochastic arithmetic: the reference runs several more times, each time with every inexact operation's result moved by a
rounding error or two. What the results do then is what right implementations may do; where an integer, a boolean or the
class of a float changes between the runs, the element hangs on a rounding error and says nothing.

Source of the method: Vignes (1993), "A stochastic arithmetic for reliable scientific computation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.stablehlo import contraction, convolution, indexing, normalization, reduction, window
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.core import Op
from tesselle.reference import Interpreter

from .values import Array

RUNS = 4
RUNS_TO_BE_SURE = 60
"""More of them before a difference is called one: what changes seldom shows seldom."""

SPREAD_FACTOR = 8.0

_ROUNDED_ONCE = (s.AddOp, s.SubtractOp, s.MultiplyOp, s.DivideOp, s.SqrtOp)
_TRANSCENDENTAL = (s.TranscendentalOp, s.PowerOp, s.Atan2Op, s.RemainderOp, s.AbsOp)
_SUMS = (
    contraction.DotGeneralOp,
    convolution.ConvolutionOp,
    reduction.ReduceOp,
    window.ReduceWindowOp,
    window.SelectAndScatterOp,
    indexing.ScatterOp,
    normalization.BatchNormInferenceOp,
    normalization.BatchNormTrainingOp,
    normalization.BatchNormGradOp,
)


_MAKES_NAN = (*_SUMS, s.UnaryOp, s.BinaryOp, s.ConvertOp, s.ReducePrecisionOp, s.RealOp, s.ImagOp)


class PerturbedInterpreter(Interpreter):
    """The reference with rounding errors of its own, from `rng`."""

    def __init__(self, module: ModuleOp, rng: np.random.Generator) -> None:
        super().__init__(module)
        self.rng = rng

    def run_op(self, op: Op, operands: Sequence[Array]) -> list[Array]:
        results = self._perturbed(op, operands)
        if isinstance(op, _MAKES_NAN):
            # Which nan it is, the specification leaves open; its sign shows in its bits and in the total order.
            return [self._other_nan(r) for r in results]
        return results

    def _perturbed(self, op: Op, operands: Sequence[Array]) -> list[Array]:
        if isinstance(op, _SUMS):
            # Errors of the terms, not of the sum: where terms cancel, all digits of the sum are errors.
            # A body on integers has none, and zeros, integers and infinities of any sum stay what they are.
            if any(is_inexact(x) for x in operands):
                operands = [x if not_summed(op, i) else self._moved(x, 2.0) for i, x in enumerate(operands)]
            return [self._moved(r, 2.0) for r in super().run_op(op, operands)]
        results = super().run_op(op, operands)
        if isinstance(op, (*_TRANSCENDENTAL, *_ROUNDED_ONCE)) and results[0].dtype.kind == "c":
            # The specification does not say what becomes of complex numbers that are not finite, or overflow.
            odd = ~np.isfinite(results[0])
            for x in operands:
                odd |= ~np.isfinite(x)
            results = [np.where(odd, np.array(np.nan, results[0].dtype), results[0])]
        # Products and quotients of complex numbers are several roundings.
        if isinstance(op, _TRANSCENDENTAL) or (isinstance(op, _ROUNDED_ONCE) and results[0].dtype.kind == "c"):
            return [self._moved(r, 4.0, whole_too=True) for r in results]
        if isinstance(op, _ROUNDED_ONCE) and any(is_inexact(x) for x in operands):
            return [self._moved(r, 1.0) for r in results]
        return results

    def _other_nan(self, x: Array) -> Array:
        if not is_float(x) or x.dtype.kind == "c" or not (x != x).any():
            return x
        flipped = (x != x) & (self.rng.random(x.shape) < 0.5)
        return np.asarray(np.where(flipped, -x, x)).astype(x.dtype)

    def _moved(self, x: Array, ulps: float, whole_too: bool = False) -> Array:
        """x with relative errors of up to `ulps` units; integers of moderate size stay unless `whole_too`."""
        if not is_float(x):
            return x
        eps = epsilon(x.dtype)
        wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
        moved = wide * (1 + eps * ulps * self.rng.uniform(-1, 1, x.shape))
        if x.dtype.kind == "c":
            moved = moved + 1j * (np.abs(wide) * eps * ulps * self.rng.uniform(-1, 1, x.shape))
        stays = ~np.isfinite(wide) if whole_too else _stays(wide, eps)
        return np.asarray(np.where(stays, wide, moved)).astype(x.dtype)


def not_summed(op: Op, index: int) -> bool:
    """The operand says where, not what."""
    return isinstance(op, indexing.ScatterOp) and index == len(op.operands) // 2


def is_float(x: Array) -> bool:
    return x.dtype.kind in "fc" or x.dtype.name == "bfloat16"


def epsilon(dtype: np.dtype[np.generic]) -> float:
    """Distance from 1 to the next number of the type."""
    names = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "complex64": 2.0**-23}
    return names.get(dtype.name, 2.0**-52)


def tiniest(dtype: np.dtype[np.generic]) -> float:
    """The least positive number of the type."""
    names = {"bfloat16": 2.0**-133, "float16": 2.0**-24, "float32": 2.0**-149, "complex64": 2.0**-149}
    return names.get(dtype.name, 2.0**-1074)


def _stays(x: Array, eps: float) -> Array:
    """Small integers: sums and products of them are exact in any order, so no error is to be expected."""
    with np.errstate(all="ignore"):
        parts = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
        exact = np.ones(x.shape, bool)
        for p in parts:
            exact &= ~np.isfinite(p) | ((p == np.trunc(p)) & (np.abs(p) < 0.01 / eps))
        return exact


def is_inexact(x: Array) -> bool:
    """A float array with elements that sums and products round."""
    if not is_float(x):
        return False
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    return not bool(_stays(wide, epsilon(x.dtype)).all())


@dataclass
class Expectation:
    """What the reference says, and what its perturbed runs say."""

    module: ModuleOp
    arguments: Sequence[Array]
    seed: int = 0

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            self.expected = Interpreter(self.module).call("main", list(self.arguments))
        self._rng = np.random.default_rng(self.seed)
        self.runs: list[list[Array]] = []

    def perturb(self, count: int) -> None:
        """Have `count` perturbed runs in all."""
        while len(self.runs) < count:
            with np.errstate(all="ignore"):
                self.runs.append(PerturbedInterpreter(self.module, self._rng).call("main", list(self.arguments)))

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
    """Equal, or both nan."""
    with np.errstate(all="ignore"):
        return np.asarray((f == e) | ((f != f) & (e != e)))


def acceptable(f: Array, e: Array, runs: Sequence[Array]) -> Array:
    """Elementwise: equal, or as far from the reference as its own perturbed runs, or hanging on a rounding error."""
    same = identical(f, e)
    if not is_float(e):
        unsure = np.zeros(e.shape, bool)
        for r in runs:
            unsure |= r != e
        return same | unsure
    with np.errstate(all="ignore"):
        wide = np.complex128 if e.dtype.kind == "c" else np.float64
        x, y = f.astype(wide), e.astype(wide)
        finite = np.isfinite(y)
        unsure = np.zeros(e.shape, bool)
        spread = np.zeros(e.shape)
        for r in runs:
            z = r.astype(wide)
            unsure |= ~identical(z, y) & ~(np.isfinite(z) & finite)
            spread = np.fmax(spread, np.where(np.isfinite(z) & finite, np.abs(z - y), 0.0))
        limit = (
            SPREAD_FACTOR * spread + epsilon(e.dtype) * np.abs(y) * (spread > 0) + 4 * tiniest(e.dtype) * (spread > 0)
        )
        close = finite & np.isfinite(x) & (np.abs(x - y) <= limit)
        # A complex number of which one part is not finite: its finite part need not be compared any closer.
        if e.dtype.kind == "c":
            close |= ~finite & ~np.isfinite(x)
        return same | unsure | close
