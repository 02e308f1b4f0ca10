"""The reference with rounding errors of its own: what right implementations may compute.

Source of the method: Vignes (1993), "A stochastic arithmetic for reliable scientific computation".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.stablehlo import contraction, convolution, indexing, normalization, reduction, window
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.core import Op
from tesselle.reference import Interpreter

from . import schedules
from .values import Array

_ROUNDED_ONCE = (s.AddOp, s.SubtractOp, s.MultiplyOp, s.DivideOp, s.SqrtOp)
_TRANSCENDENTAL = (s.TranscendentalOp, s.PowerOp, s.Atan2Op)
_SIMPLE_UNLESS_COMPLEX = (s.AbsOp, s.SignOp)
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
            return [self._moved(r, 2.0) for r in self._in_another_order(op, operands)]
        results = super().run_op(op, operands)
        if not results:
            return results
        is_complex = results[0].dtype.kind == "c"
        if isinstance(op, _TRANSCENDENTAL) or (isinstance(op, _SIMPLE_UNLESS_COMPLEX) and any_complex(operands)):
            if is_complex:
                results = [self._other_odd(results[0], op, operands)]
            if is_complex and isinstance(op, s.Atan2Op):
                results = [self._other_side(results[0])]
            return [self._moved(results[0], 4.0 * _magnified(op, results[0]), True, _on_axes(operands))]
        # Products and quotients of complex numbers are several roundings.
        if isinstance(op, _ROUNDED_ONCE) and is_complex:
            return [self._moved(results[0], 4.0, True, _on_axes(operands))]
        if isinstance(op, _ROUNDED_ONCE) and any(is_inexact(x) for x in operands):
            return [self._moved(results[0], 1.0)]
        return results

    def _in_another_order(self, op: Op, operands: Sequence[Array]) -> list[Array]:
        """A sum of floats as another schedule has it, where there is more than one."""
        if any(map(is_float, operands)) and all(x.size for x in operands):
            if isinstance(op, reduction.ReduceOp) and op.dimensions:
                return schedules.reduce(op, operands, self.rng, self.run_elementwise)
            if isinstance(op, contraction.DotGeneralOp | convolution.ConvolutionOp):
                return [schedules.sum_products(op, *operands, self.rng)]
            if isinstance(op, normalization.BatchNormTrainingOp | normalization.BatchNormGradOp):
                return schedules.batch_norm(op, operands, self.rng, lambda x: Interpreter.run_op(self, op, x))
        return super().run_op(op, operands)

    def _other_nan(self, x: Array) -> Array:
        """Each nan with a sign of its own, or all with one: a machine makes all of them alike."""
        if not is_float(x) or x.dtype.kind == "c" or not (x != x).any():
            return x
        share_of_negative = self.rng.choice((0.0, 0.5, 1.0))
        sign = np.where(self.rng.random(x.shape) < share_of_negative, -1.0, 1.0).astype(x.dtype)
        return np.asarray(np.where(x != x, np.copysign(x, sign), x)).astype(x.dtype)

    def _other_odd(self, x: Array, op: Op, operands: Sequence[Array]) -> Array:
        """Complex functions of infinities and nan, where C's Annex G leaves something open (and StableHLO everything).

        A nan may be one in one part or in both; zeros may have either sign; where an infinite power points to hangs on
        the rounding of an angle.
        """
        odd = np.isnan(x)
        infinite = np.isinf(x) & ~odd & isinstance(op, s.PowerOp)
        unsigned = reduce(np.logical_or, [~np.isfinite(y) for y in operands])
        which = self.rng.integers(3, size=x.shape)
        parts: list[Array] = []
        for i, part in enumerate((x.real, x.imag)):
            part = np.where(odd & ((which == i) | (which == 2)), np.nan, part)
            part = np.where(infinite, self.rng.choice((np.inf, -np.inf, np.nan), x.shape), part)
            parts.append(np.where((part == 0) & unsigned & (self.rng.random(x.shape) < 0.5), -part, part))
        return joined(*parts, x.dtype)

    def _other_side(self, x: Array) -> Array:
        """A complex atan2 is -i log((x + iy) / sqrt(x² + y²)), where a rounding says on which side of the cut it is."""
        near = np.abs(np.abs(x.real.astype(np.float64)) - np.pi) <= 8 * np.pi * epsilon(x.dtype)
        return joined(np.where(near & (self.rng.random(x.shape) < 0.5), -x.real, x.real), x.imag, x.dtype)

    def _moved(self, x: Array, ulps: float | Array, whole_too: bool = False, zeros_stay: bool | Array = False) -> Array:
        """x with relative errors of up to `ulps` units; integers of moderate size stay unless `whole_too`.

        Both parts of a complex number have errors in proportion to the whole, but for zeros where those stay.
        """
        if not is_float(x):
            return x
        eps = epsilon(x.dtype)
        if x.dtype.kind == "c":
            size = np.abs(x.astype(np.complex128))
            stays = np.zeros(x.shape, bool) if whole_too else _stays(x.real, eps) & _stays(x.imag, eps)
            parts: list[Array] = []
            for part in (x.real, x.imag):
                reach = np.where(np.isfinite(size), size, np.abs(part.astype(np.float64)))
                moved = part + reach * eps * ulps * self.rng.uniform(-1, 1, x.shape)
                parts.append(np.where(stays | ~np.isfinite(part) | ((part == 0) & zeros_stay), part, moved))
            return joined(*parts, x.dtype)
        wide = x.astype(np.float64)
        moved = wide * (1 + eps * ulps * self.rng.uniform(-1, 1, x.shape))
        stays = ~np.isfinite(wide) if whole_too else _stays(wide, eps)
        return np.asarray(np.where(stays, wide, moved)).astype(x.dtype)


def _on_axes(operands: Sequence[Array]) -> bool | Array:
    """Where all operands are real or imaginary: then a part that is 0 is no difference of rounded numbers."""
    if not any_complex(operands):
        return True
    return reduce(np.logical_and, [(x.real == 0) | (x.imag == 0) for x in operands])


def _magnified(op: Op, result: Array) -> float | Array:
    """A complex power is exp(y * log(x)): what the product loses is relative to it, not to its exponential."""
    if not isinstance(op, s.PowerOp) or result.dtype.kind != "c":
        return 1.0
    size = np.abs(result.astype(np.complex128))
    return 1.0 + np.abs(np.log(np.where(np.isfinite(size) & (size > 0), size, 1.0)))


def joined(real: Array, imag: Array, dtype: np.dtype[np.generic]) -> Array:
    out = np.empty(real.shape, dtype)
    out.real, out.imag = real, imag
    return out


def any_complex(arrays: Sequence[Array]) -> bool:
    return any(x.dtype.kind == "c" for x in arrays)


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


def largest_of(dtype: np.dtype[np.generic]) -> float:
    """The largest finite number of the type."""
    names = {"bfloat16": (2 - 2.0**-7) * 2.0**127, "float16": 65504.0, "float32": (2 - 2.0**-23) * 2.0**127}
    return names.get(dtype.name, np.finfo(np.float64).max)


def _stays(x: Array, eps: float) -> Array:
    """Small integers: sums and products of them are exact in any order, so no error is to be expected."""
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        return ~np.isfinite(wide) | ((wide == np.trunc(wide)) & (np.abs(wide) < 0.01 / eps))


def is_inexact(x: Array) -> bool:
    """A float array with elements that sums and products round."""
    if not is_float(x):
        return False
    parts = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
    return not all(bool(_stays(p, epsilon(x.dtype)).all()) for p in parts)
