"""Whether a compiled program's results are right, given the reference interpreter.

Integers and booleans must be equal. How far floats may lie from the reference follows from the program itself, by
stochastic arithmetic: the reference runs several more times, each time with every inexact operation's result moved by a
rounding error or two. What the results do then is what right implementations may do; where an integer, a boolean or the
class of a float changes between the runs, the element hangs on a rounding error and says nothing.

Source of the method: Vignes (1993), "A stochastic arithmetic for reliable scientific computation".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.stablehlo import contraction, convolution, indexing, normalization, reduction, window
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.core import Op
from tesselle.passes.input.create_initializer import first_value
from tesselle.reference import Interpreter
from tesselle.reference.combine import fold_axes, single_fold

from .values import Array
from .variables import variables_of

RUNS = 4
RUNS_TO_BE_SURE = 60
"""More of them before a difference is called one: what changes seldom shows seldom."""

SPREAD_FACTOR = 8.0

CALLS = 3
"""How often a program with variables is called."""

_ROUNDED_ONCE = (s.AddOp, s.SubtractOp, s.MultiplyOp, s.DivideOp, s.SqrtOp)
_TRANSCENDENTAL = (s.TranscendentalOp, s.PowerOp, s.Atan2Op, s.RemainderOp, s.AbsOp, s.SignOp)
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
            if isinstance(op, reduction.ReduceOp) and any(map(is_float, operands)):
                return [self._moved(r, 2.0) for r in self._in_another_order(op, operands)]
            results = [self._moved(r, 2.0) for r in super().run_op(op, operands)]
            if isinstance(op, contraction.DotGeneralOp | convolution.ConvolutionOp):
                return [self._other_zero(r) for r in results]
            return results
        results = super().run_op(op, operands)
        if isinstance(op, (*_TRANSCENDENTAL, *_ROUNDED_ONCE)) and results[0].dtype.kind == "c":
            # The specification does not say what becomes of complex numbers that are not finite, or overflow.
            odd = ~np.isfinite(results[0])
            for x in operands:
                odd |= ~np.isfinite(x)
            results = [np.where(odd, np.array(np.nan, results[0].dtype), results[0])]
        if isinstance(op, s.PowerOp) and results[0].dtype.kind == "c":
            # exp(y * log(x)): what the product loses by rounding is relative to it, not to its exponential.
            size = np.abs(results[0].astype(np.complex128))
            digits = np.abs(np.log(np.where(np.isfinite(size) & (size > 0), size, 1.0)))
            return [self._moved(results[0], 4.0 * (1.0 + digits), whole_too=True)]
        # Products and quotients of complex numbers are several roundings.
        if isinstance(op, _TRANSCENDENTAL) or (isinstance(op, _ROUNDED_ONCE) and results[0].dtype.kind == "c"):
            return [self._moved(r, 4.0, whole_too=True) for r in results]
        if isinstance(op, _ROUNDED_ONCE) and any(is_inexact(x) for x in operands):
            return [self._moved(r, 1.0) for r in results]
        return results

    def _in_another_order(self, op: reduction.ReduceOp, operands: Sequence[Array]) -> list[Array]:
        """A fold of its elements and initial values, shuffled, in several running results that are joined at the end.

        The specification leaves the schedule open, and bodies here are associative and commutative. But for rounding
        the order does not matter; where a partial product leaves the range of its type, it decides between 0, a
        number, infinity and nan.
        """
        half = len(operands) // 2
        inputs, inits = operands[:half], operands[half:]
        if inputs[0].size == 0 or not op.dimensions:
            return super().run_op(op, operands)
        kept = [d for d in range(inputs[0].ndim) if d not in op.dimensions]
        shape = tuple(inputs[0].shape[d] for d in kept)
        flat = [
            np.concatenate([x.transpose([*op.dimensions, *kept]).reshape(-1, *shape), np.broadcast_to(i, (1, *shape))])
            for x, i in zip(inputs, inits, strict=True)
        ]
        count = flat[0].shape[0]
        order = self.rng.permutation(count)
        flat = [x[order] for x in flat]
        cls = single_fold(op.body.block)
        if cls is not None:
            # The reference rounds narrow floats once, at the end.
            return [fold_axes(cls, flat[0][1:], flat[0][0], (0,))]

        def body(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
            results = self.run_elementwise(op.body.block, [*left, *right])
            return [np.broadcast_to(r, x.shape) for r, x in zip(results, left, strict=True)]

        return _folded(body, flat, min(count, int(self.rng.choice((1, 4, 16, count)))))

    def _other_nan(self, x: Array) -> Array:
        """Each nan with a sign of its own, or all with one: a machine makes all of them alike."""
        if not is_float(x) or x.dtype.kind == "c" or not (x != x).any():
            return x
        share_of_negative = self.rng.choice((0.0, 0.5, 1.0))
        sign = np.where(self.rng.random(x.shape) < share_of_negative, -1.0, 1.0).astype(x.dtype)
        return np.asarray(np.where(x != x, np.copysign(x, sign), x)).astype(x.dtype)

    def _other_zero(self, x: Array) -> Array:
        """Each zero with a sign of its own: a sum of products that are -0 is 0 once the initial 0 is added to it.

        How often a schedule has it, the specification leaves open; the sign shows in bits and on branch cuts.
        """
        if x.dtype.kind == "c":
            out = x.copy()
            out.real, out.imag = self._other_zero(x.real), self._other_zero(x.imag)
            return out
        if not is_float(x):
            return x
        return np.asarray(np.where((x == 0) & (self.rng.random(x.shape) < 0.5), -x, x)).astype(x.dtype)

    def _moved(self, x: Array, ulps: float | Array, whole_too: bool = False) -> Array:
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


def _folded(
    body: Callable[[Sequence[Array], Sequence[Array]], list[Array]], flat: Sequence[Array], lanes: int
) -> list[Array]:
    """`flat` folded along its first dimension: every lanes-th element into one running result, those pairwise."""
    running = [x[:lanes].copy() for x in flat]
    for start in range(lanes, flat[0].shape[0], lanes):
        piece = [x[start : start + lanes] for x in flat]
        size = piece[0].shape[0]
        for x, new in zip(running, body([x[:size] for x in running], piece), strict=True):
            x[:size] = new
    while (size := running[0].shape[0]) > 1:
        half = size // 2
        joined = body([x[:half] for x in running], [x[half : 2 * half] for x in running])
        running = [np.concatenate([j, x[2 * half :]]) for j, x in zip(joined, running, strict=True)]
    return [x[0] for x in running]


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
