"""CHLO: functions that StableHLO does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tesselle.dialects.chlo import elementwise as c
from tesselle.ir.core import Op
from tesselle.reference import numerics as n
from tesselle.reference import special_functions as special
from tesselle.reference.registry import Array, element_dtype, semantics

_UNARY: dict[type[Op], Callable[[Array], Array]] = {
    c.AcosOp: np.arccos,
    c.AcoshOp: np.arccosh,
    c.AsinOp: np.arcsin,
    c.AsinhOp: np.arcsinh,
    c.AtanOp: np.arctan,
    c.AtanhOp: np.arctanh,
    c.BesselI1eOp: special.vectorized(special.bessel_i1e),
    c.ConjOp: np.conj,
    c.CoshOp: np.cosh,
    c.DigammaOp: special.vectorized(special.digamma),
    c.ErfOp: n.erf,
    c.ErfcOp: n.erfc,
    c.ErfInvOp: special.vectorized(special.erf_inv),
    c.LgammaOp: special.vectorized(special.lgamma),
    c.SinhOp: np.sinh,
    c.SquareOp: lambda x: x * x,
    c.TanOp: np.tan,
}


def _register(cls: type[Op], function: Callable[..., Array]) -> None:
    rounded = n.widened(function)

    @semantics(cls)
    def apply(op: Op, *operands: Array) -> Array:
        return rounded(*operands).astype(operands[0].dtype, copy=False)

    del apply


for _cls, _function in _UNARY.items():
    _register(_cls, _function)
_register(c.PolygammaOp, special.vectorized(special.polygamma))
_register(c.ZetaOp, special.vectorized(special.zeta))


@semantics(c.AsinAcosKernelOp)
def asin_acos_kernel(op: c.AsinAcosKernelOp, x: Array) -> Array:
    """sqrt(1 - x**2); for complex x = p + iq, with the half sum a of the distances to -1 and 1:

    sqrt(a**2 - p**2) + i acosh(a) (Hull, Fairgrieve, Tang, 1997), in extended precision.
    """
    if not n.dtype_of(x).is_complex:
        wide = x.astype(np.longdouble)
        return np.sqrt((1 - wide) * (1 + wide)).astype(x.dtype)
    p, q = np.abs(x.real.astype(np.longdouble)), np.abs(x.imag.astype(np.longdouble))
    mean = (np.hypot(p + 1, q) + np.hypot(p - 1, q)) / 2
    # a - p = q**2 (1 / (r + p + 1) + 1 / (s + p - 1)) / 2, where p > 1; with s + 1 - p where p <= 1.
    r, s = np.hypot(p + 1, q), np.hypot(p - 1, q)
    first = q * q / (r + p + 1)
    inside = first + s + (1 - p)
    outside = first + np.divide(q * q, s + (p - 1), out=np.zeros_like(q), where=s + (p - 1) > 0)
    real = np.sqrt(np.where(p <= 1, inside, outside) / 2 * (mean + p))
    below = first + np.where(p < 1, q * q / np.where(p < 1, s + (1 - p), 1), s + (p - 1))
    imaginary = np.log1p(below / 2 + np.sqrt(below / 2 * (mean + 1)))
    return (real.astype(np.float64) + 1j * imaginary.astype(np.float64)).astype(x.dtype)


@semantics(c.MulhiOp)
def mulhi(op: c.MulhiOp, x: Array, y: Array) -> Array:
    dtype = n.dtype_of(x)
    product: Any = x.astype(object) * y.astype(object)
    shifted = product >> dtype.bits
    wide = np.asarray(shifted, np.int64 if dtype.is_signed else np.uint64)
    return n.wrap_bits(wide, dtype)


@semantics(c.NextAfterOp)
def next_after(op: c.NextAfterOp, x: Array, y: Array) -> Array:
    # NumPy gives x for equal zeros of other sign in f16, y in all other types, as C does.
    return np.where(x == y, y, np.nextafter(x, y)).astype(x.dtype)


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
    return np.full(x.shape, op.number, element_dtype(op.result.type).numpy)
