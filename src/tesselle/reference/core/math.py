"""math: elementary functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tesselle.dialects.core import math as m
from tesselle.ir.core import Op
from tesselle.reference import numerics as n
from tesselle.reference.registry import Array, semantics

_UNARY: dict[type[Op], Callable[[Array], Array]] = {
    m.AbsFOp: np.abs,
    m.CeilOp: np.ceil,
    m.FloorOp: np.floor,
    m.TruncOp: np.trunc,
    m.RoundOp: n.round_half_away,
    m.RoundEvenOp: np.rint,
    m.SqrtOp: np.sqrt,
    m.RsqrtOp: n.rsqrt,
    m.CbrtOp: np.cbrt,
    m.ExpOp: np.exp,
    m.Exp2Op: np.exp2,
    m.ExpM1Op: np.expm1,
    m.LogOp: np.log,
    m.Log2Op: np.log2,
    m.Log1pOp: np.log1p,
    m.SinOp: np.sin,
    m.CosOp: np.cos,
    m.TanOp: np.tan,
    m.AsinOp: np.arcsin,
    m.AcosOp: np.arccos,
    m.AtanOp: np.arctan,
    m.SinhOp: np.sinh,
    m.CoshOp: np.cosh,
    m.TanhOp: np.tanh,
    m.AsinhOp: np.arcsinh,
    m.AcoshOp: np.arccosh,
    m.AtanhOp: np.arctanh,
    m.ErfOp: n.erf,
    m.ErfcOp: n.erfc,
    m.LogisticOp: n.logistic,
    m.AbsIOp: np.abs,
    m.CtPopOp: n.population_count,
    m.CtLzOp: n.count_leading_zeros,
}

_BINARY: dict[type[Op], Callable[[Array, Array], Array]] = {
    m.Atan2Op: np.arctan2,
    m.PowFOp: np.power,
    m.CopySignOp: np.copysign,
}


_ON_BITS = (m.CtPopOp, m.CtLzOp)
"""They depend on the width of the type, and are never computed in a wider one."""


def _register(cls: type[Op], function: Callable[..., Array]) -> None:
    rounded = function if cls in _ON_BITS else n.widened(function)

    @semantics(cls)
    def apply(op: Op, x: Array, *rest: Array) -> Array:
        return rounded(x, *rest).astype(x.dtype, copy=False)

    del apply


for _cls, _function in (*_UNARY.items(), *_BINARY.items()):
    _register(_cls, _function)


@semantics(m.FmaOp)
def fma(op: m.FmaOp, a: Array, b: Array, c: Array) -> Array:
    wide = np.float64 if a.dtype != np.float64 else np.longdouble
    return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(a.dtype)


@semantics(m.IsFiniteOp)
def isfinite(op: m.IsFiniteOp, x: Array) -> Array:
    return np.isfinite(n.widen(x))
