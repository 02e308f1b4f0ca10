"""Matrix products of every layout."""

from __future__ import annotations

from typing import Any

import numpy as np

from tesselle.dialects.stablehlo import contraction as s
from tesselle.reference.numerics import narrow, widen
from tesselle.reference.registry import Array, semantics
from tesselle.reference.stablehlo.shape import result_type
from tesselle.support.dtypes import DType


def sum_of_products(equation: str | list[Any], *operands: Array) -> Array:
    """einsum, of complex numbers by their parts: BLAS makes nan of infinities by its own ways of multiplying them."""
    if len(operands) == 2 and operands[0].dtype.kind == "c":
        x, y = operands
        real = sum_of_products(equation, x.real, y.real) - sum_of_products(equation, x.imag, y.imag)
        result = np.empty(real.shape, x.dtype)
        result.real = real
        result.imag = sum_of_products(equation, x.real, y.imag) + sum_of_products(equation, x.imag, y.real)
        return result
    if isinstance(equation, str):
        return np.asarray(np.einsum(equation, *operands, optimize=True))
    *subscripts, last = equation
    interleaved: list[Any] = [part for pair in zip(operands, subscripts, strict=True) for part in pair]
    return np.asarray(np.einsum(*interleaved, last, optimize=True))


def einsum(equation: str | list[Any], operands: tuple[Array, ...], out: DType) -> Array:
    """einsum with products and sums in `out`'s type (f32 for narrower floats), rounded at the end."""
    accumulator = np.dtype(np.int64) if out.is_bool else out.compute.numpy
    result = sum_of_products(equation, *(widen(x).astype(accumulator) for x in operands))
    return (result != 0) if out.is_bool else narrow(result, out.numpy)


@semantics(s.DotGeneralOp)
def dot_general(op: s.DotGeneralOp, lhs: Array, rhs: Array) -> Array:
    d = op.dot_dimension_numbers
    left = list(range(lhs.ndim))
    right = list(range(lhs.ndim, lhs.ndim + rhs.ndim))
    for i, j in zip(
        (*d.lhs_batching_dimensions, *d.lhs_contracting_dimensions),
        (*d.rhs_batching_dimensions, *d.rhs_contracting_dimensions),
        strict=True,
    ):
        right[j] = left[i]
    batch = [left[i] for i in d.lhs_batching_dimensions]
    summed = {left[i] for i in d.lhs_contracting_dimensions}
    out = [*batch, *(x for x in left if x not in batch and x not in summed)]
    out += [x for x in right if x not in batch and x not in summed]
    return einsum([left, right, out], (lhs, rhs), result_type(op).dtype)


@semantics(s.DotOp)
def dot(op: s.DotOp, lhs: Array, rhs: Array) -> Array:
    left = list(range(lhs.ndim))
    right = [lhs.ndim - 1, *range(lhs.ndim, lhs.ndim + rhs.ndim - 1)]
    return einsum([left, right, [*left[:-1], *right[1:]]], (lhs, rhs), result_type(op).dtype)


@semantics(s.EinsumOp, s.UnaryEinsumOp)
def einsum_op(op: s.EinsumOp | s.UnaryEinsumOp, *operands: Array) -> Array:
    return einsum(op.einsum_config, operands, result_type(op).dtype)
