"""CHLO: functions that StableHLO does not have."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tesselle.dialects.chlo import elementwise as c
from tesselle.dialects.chlo.structured import TopKOp
from tesselle.ir.attributes import FloatAttr, IntegerAttr
from tesselle.ir.core import Op
from tesselle.reference import numerics as n
from tesselle.reference.registry import Array, element_dtype, semantics

_lgamma = np.frompyfunc(lambda x: math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x), 1, 1)


def lgamma(x: Array) -> Array:
    """log|gamma(x)|; infinite at 0, the negative integers and the infinities."""
    wide = x.astype(np.float64)
    finite = np.isfinite(wide)
    out: Array = np.asarray(_lgamma(np.where(finite, wide, 1)), np.float64)
    return np.where(finite, out, np.abs(wide)).astype(x.dtype)


def _digamma(x: float) -> float:
    """By recurrence to x > 10 and the asymptotic series; reflected below 0."""
    if not math.isfinite(x):
        return x if x > 0 else math.nan
    if x <= 0:
        return math.nan if x == math.floor(x) else _digamma(1 - x) - math.pi / math.tan(math.pi * x)
    total = 0.0
    while x < 10:
        total -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return total + math.log(x) - 0.5 / x - series


def _erf_inv(x: float) -> float:
    """Newton's method on erf, started at a rational approximation (Winitzki)."""
    if math.isnan(x) or abs(x) > 1:
        return math.nan
    if abs(x) == 1:
        return math.copysign(math.inf, x)
    if x == 0:
        return x
    log = math.log1p(-x * x)
    first = 2 / (math.pi * 0.147) + log / 2
    y = math.copysign(math.sqrt(math.sqrt(first * first - log / 0.147) - first), x)
    for _ in range(4):
        error = math.erf(y) - x if abs(x) < 0.5 else math.copysign(1, x) * ((1 - abs(x)) - math.erfc(abs(y)))
        y -= error / (2 / math.sqrt(math.pi) * math.exp(-y * y))
    return y


def _vectorized(function: Callable[[float], float]) -> Callable[[Array], Array]:
    each = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(each(x.astype(np.float64)), x.dtype)


_UNARY: dict[type[Op], Callable[[Array], Array]] = {
    c.AcosOp: np.arccos,
    c.AcoshOp: np.arccosh,
    c.AsinOp: np.arcsin,
    c.AsinhOp: np.arcsinh,
    c.AtanOp: np.arctan,
    c.AtanhOp: np.arctanh,
    c.ConjOp: np.conj,
    c.CoshOp: np.cosh,
    c.DigammaOp: _vectorized(_digamma),
    c.ErfOp: n.erf,
    c.ErfcOp: n.erfc,
    c.ErfInvOp: _vectorized(_erf_inv),
    c.LgammaOp: lgamma,
    c.SinhOp: np.sinh,
    c.SquareOp: lambda x: x * x,
    c.TanOp: np.tan,
}


def _register(cls: type[Op], function: Callable[[Array], Array]) -> None:
    rounded = n.widened(function)

    @semantics(cls)
    def apply(op: Op, x: Array) -> Array:
        return rounded(x).astype(x.dtype, copy=False)

    del apply


for _cls, _function in _UNARY.items():
    _register(_cls, _function)


@semantics(c.IsInfOp)
def is_inf(op: c.IsInfOp, x: Array) -> Array:
    return np.isinf(n.widen(x))


@semantics(c.IsPosInfOp)
def is_pos_inf(op: c.IsPosInfOp, x: Array) -> Array:
    return np.isposinf(n.widen(x))


@semantics(c.IsNegInfOp)
def is_neg_inf(op: c.IsNegInfOp, x: Array) -> Array:
    return np.isneginf(n.widen(x))


@semantics(c.ConstantLikeOp)
def constant_like(op: c.ConstantLikeOp, x: Array) -> Array:
    value = op.value
    number = value.value if isinstance(value, FloatAttr | IntegerAttr) else value
    return np.full(x.shape, number, element_dtype(op.result.type).numpy)


@semantics(TopKOp)
def top_k(op: TopKOp, x: Array) -> list[Array]:
    key = n.total_order(x) if n.dtype_of(x).is_float else x
    # Stable and descending: sort the reversed lane ascending, and reverse the order again.
    order = x.shape[-1] - 1 - np.argsort(key[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    order = order[..., : op.k]
    return [np.take_along_axis(x, order, axis=-1), order.astype(np.int32)]
