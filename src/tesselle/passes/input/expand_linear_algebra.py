"""expand-linear-algebra: cholesky and triangular_solve become loops over blocks; their work is in dot_general.

    cholesky(a):             for each block k:  p = a[:, k] - l l[k, :]^H
                                                d = cholesky(p[k]), column by column
                                                l[:, k] = p d^-H, where rows are not above the block
    triangular_solve(a, b):  for each block k:  x[k] = d[k] (b[k] - a[k, :] x),   d[k] = a[k, k]^-1, found before

Blocks are of 32; a matrix that is no multiple of it is padded by the identity. Every other form of a triangular
system (right side, upper, transposed) is a lower one on the left of transposed or reversed matrices. Only the
triangle that the operation names is read. f16 and bf16 are computed in f32.

Sources: Golub and Van Loan, "Matrix Computations", 4th ed., 4.2 and 3.1; XLA's CholeskyExpander, whose results where a
matrix is not positive definite are nan throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, Transpose
from tesselle.dialects.stablehlo.linear_algebra import CholeskyOp, TriangularSolveOp
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter, pattern
from tesselle.passes.input import open_linear_algebra
from tesselle.passes.input.open_linear_algebra import computed_in
from tesselle.passes.input.stablehlo_builder import StablehloBuilder, expand
from tesselle.support.dtypes import F32, I1

BLOCK = 32
"""Columns that are eliminated one by one before a product updates the rest."""


@register_pass("expand-linear-algebra")
@dataclass(frozen=True)
class ExpandLinearAlgebra(Pass):
    """Replace every cholesky and triangular_solve; those of open sizes go row by row (`open_linear_algebra`)."""

    def run(self, module: Op) -> None:
        for op in [op for op in module.walk() if isinstance(op, CholeskyOp | TriangularSolveOp)]:
            expand(op, cholesky_by_blocks if isinstance(op, CholeskyOp) else solve_by_blocks)


@pattern
def cholesky_by_blocks(op: CholeskyOp, rw: Rewriter) -> Value:
    """cholesky(a) -> while over blocks of columns"""
    b = StablehloBuilder.of(rw)
    return _cholesky(b, op) if tensor_type(op.a).is_static else open_linear_algebra.cholesky(b, op)


@pattern
def solve_by_blocks(op: TriangularSolveOp, rw: Rewriter) -> Value:
    """triangular_solve(a, b) -> while over blocks of rows"""
    b = StablehloBuilder.of(rw)
    if all(tensor_type(v).is_static for v in op.operands):
        return _triangular_solve(b, op)
    return open_linear_algebra.triangular_solve(b, op)


def _adjoint(b: StablehloBuilder, x: Value) -> Value:
    return b.conjugate(b.swap_last(x))


def _triangle(b: StablehloBuilder, x: Value, *, lower: bool, diagonal: bool = True) -> Value:
    """x where it stands in a triangle, else 0: nothing outside is looked at, be it nan."""
    shape = b.shape(x)
    inside = np.tri(shape[-2], shape[-1], 0 if diagonal else -1, dtype=bool)
    mask = b.broadcast(b.constant(inside if lower else inside.T), shape, (1, 2))
    return b.select(mask, x, b.full(0, shape, tensor_type(x).dtype))


def _pad_with_identity(b: StablehloBuilder, x: Value, size: int) -> Value:
    """[batch, n, n] as [batch, size, size], with ones on the new part of the diagonal."""
    batch, n, _ = b.shape(x)
    if size == n:
        return x
    ones = np.zeros((size, size), tensor_type(x).dtype.numpy)
    np.fill_diagonal(ones[n:, n:], 1)
    padded = b.pad(b.pad(x, 1, size - n), 2, size - n)
    return b.add(padded, b.broadcast(b.constant(ones), (batch, size, size), (1, 2)))


# ---------------------------------------------------------------------------------------------- cholesky


def _cholesky(b: StablehloBuilder, op: CholeskyOp) -> Value:
    t = tensor_type(op.a)
    shape = t.static_shape
    if not t.element_count:
        return op.a
    batch, n = math.prod(shape[:-2]), shape[-1]
    a = b.convert(b.reshape(op.a, (batch, n, n)), computed_in(t.dtype))
    if not op.lower:
        a = _adjoint(b, a)
    size = n if n <= BLOCK else -(-n // BLOCK) * BLOCK
    a = _pad_with_identity(b, a, size)
    low = _unblocked_cholesky(b, a) if size <= BLOCK else _blocked_cholesky(b, a)
    low = b.slice(b.slice(low, 1, 0, n), 2, 0, n)
    low = _nan_where_failed(b, low)
    if not op.lower:
        low = _adjoint(b, low)
    return b.reshape(b.convert(low, t.dtype), shape)


def _real(b: StablehloBuilder, x: Value) -> Value:
    return b.op(e.RealOp, x) if tensor_type(x).dtype.is_complex else x


def _unblocked_cholesky(b: StablehloBuilder, a: Value) -> Value:
    """Column by column: v = a[:, j] - l l[j, :]^H, l[j:, j] = v[j:] / sqrt(v[j])."""
    batch, n, _ = b.shape(a)
    dtype = tensor_type(a).dtype
    rows = b.constant(np.broadcast_to(np.arange(n, dtype=np.int32)[None, :, None], (1, n, 1)))

    def column(s: StablehloBuilder, j: Value, state: list[Value]) -> list[Value]:
        (low,) = state
        zero = s.index(0)
        row = s.conjugate(s.dynamic_slice(low, (zero, j, zero), (batch, 1, n)))
        done = s.dot(low, row, ((2,), (2,)), batch=1)
        v = s.subtract(s.dynamic_slice(a, (zero, zero, j), (batch, n, 1)), done)
        pivot = _real(s, s.dynamic_slice(v, (zero, j, zero), (batch, 1, 1)))
        root = s.convert(s.op(e.SqrtOp, pivot), dtype)
        quotient = s.op(e.DivideOp, v, s.broadcast(root, (batch, n, 1), (0, 1, 2)))
        here = s.broadcast(s.broadcast(j, (1, n, 1), ()), (1, n, 1), (0, 1, 2))
        below = s.broadcast(s.compare(rows, ComparisonDirection.GT, here), (batch, n, 1), (0, 1, 2))
        at = s.broadcast(s.compare(rows, ComparisonDirection.EQ, here), (batch, n, 1), (0, 1, 2))
        new = s.select(below, quotient, s.full(0, (batch, n, 1), dtype))
        new = s.select(at, s.broadcast(root, (batch, n, 1), (0, 1, 2)), new)
        return [s.dynamic_update(low, new, (zero, zero, j))]

    return b.loop(n, [b.full(0, (batch, n, n), dtype)], column)[0]


def _blocked_cholesky(b: StablehloBuilder, a: Value) -> Value:
    batch, n, _ = b.shape(a)
    dtype = tensor_type(a).dtype
    rows = b.constant(np.broadcast_to(np.arange(n, dtype=np.int32)[None, :, None], (1, n, 1)))

    def block(s: StablehloBuilder, k: Value, state: list[Value]) -> list[Value]:
        (low,) = state
        zero, first = s.index(0), s.multiply(k, s.index(BLOCK))
        done = s.dot(low, s.conjugate(s.dynamic_slice(low, (zero, first, zero), (batch, BLOCK, n))), ((2,), (2,)), 1)
        panel = s.subtract(s.dynamic_slice(a, (zero, zero, first), (batch, n, BLOCK)), done)
        corner = _unblocked_cholesky(s, s.dynamic_slice(panel, (zero, first, zero), (batch, BLOCK, BLOCK)))
        inverse = _inverse_of_lower(s, corner)
        solved = s.dot(panel, s.conjugate(inverse), ((2,), (2,)), 1)
        limit = s.broadcast(s.add(first, s.index(BLOCK)), (1, n, 1), ())
        below = s.broadcast(s.compare(rows, ComparisonDirection.GE, limit), (batch, n, BLOCK), (0, 1, 2))
        new = s.select(below, solved, s.full(0, (batch, n, BLOCK), dtype))
        new = s.dynamic_update(new, corner, (zero, first, zero))
        return [s.dynamic_update(low, new, (zero, zero, first))]

    return b.loop(n // BLOCK, [b.full(0, (batch, n, n), dtype)], block)[0]


def _nan_where_failed(b: StablehloBuilder, low: Value) -> Value:
    """All of a matrix is nan when an element of its diagonal is no positive number."""
    batch, n, _ = b.shape(low)
    dtype = tensor_type(low).dtype
    # A failed pivot is nan or 0, and neither is above 0; what is no diagonal is passed over.
    real = _real(b, low)
    good = b.compare(real, ComparisonDirection.GT, b.full(0, (batch, n, n), tensor_type(real).dtype))
    off = b.broadcast(b.constant(~np.eye(n, dtype=np.bool_)), (batch, n, n), (1, 2))
    counted = b.convert(b.op(e.OrOp, good, off), F32)
    # n*n ones sum up to n*n exactly: sizes for which that is no longer true do not fit any memory.
    bad = b.subtract(b.full(1, (batch, n, n), F32), counted)
    total = b.dot(bad, b.full(1, (batch, n, n), F32), ((1, 2), (1, 2)), 1)
    fine = b.compare(total, ComparisonDirection.EQ, b.full(0, (batch,), F32))
    assert tensor_type(fine).dtype is I1
    return b.select(b.broadcast(fine, (batch, n, n), (0,)), low, b.full(np.nan, (batch, n, n), dtype))


# ---------------------------------------------------------------------------------------------- triangular systems


def _inverse_of_lower(b: StablehloBuilder, low: Value) -> Value:
    """Inverses of [batch, n, n] lower triangles, row by row: y[i] = (e[i] - l[i, :] y) / l[i, i]."""
    batch, n, _ = b.shape(low)
    identity = b.broadcast(b.constant(np.eye(n, dtype=tensor_type(low).dtype.numpy)), (batch, n, n), (1, 2))
    return _substitute(b, low, identity)


def _substitute(b: StablehloBuilder, low: Value, right: Value) -> Value:
    """x with low x = right, row by row. Rows of x that are not known yet are zero, so that a whole row may be used."""
    batch, n, m = b.shape(right)
    dtype = tensor_type(right).dtype

    def row(s: StablehloBuilder, i: Value, state: list[Value]) -> list[Value]:
        (x,) = state
        zero = s.index(0)
        factors = s.dynamic_slice(low, (zero, i, zero), (batch, 1, n))
        rest = s.subtract(s.dynamic_slice(right, (zero, i, zero), (batch, 1, m)), s.dot(factors, x, ((2,), (1,)), 1))
        pivot = s.dynamic_slice(low, (zero, i, i), (batch, 1, 1))
        found = s.op(e.DivideOp, rest, s.broadcast(pivot, (batch, 1, m), (0, 1, 2)))
        return [s.dynamic_update(x, found, (zero, i, zero))]

    return b.loop(n, [b.full(0, (batch, n, m), dtype)], row)[0]


def _triangular_solve(b: StablehloBuilder, op: TriangularSolveOp) -> Value:
    t = tensor_type(op.b)
    if not t.element_count:
        return op.b
    shape = t.static_shape
    batch, n = math.prod(shape[:-2]), b.shape(op.a)[-1]
    dtype = computed_in(t.dtype)
    a = b.convert(b.reshape(op.a, (batch, n, n)), dtype)
    right = b.convert(b.reshape(op.b, (batch, *shape[-2:])), dtype)
    a = _triangle(b, a, lower=op.lower, diagonal=not op.unit_diagonal)
    if op.unit_diagonal:
        a = b.add(a, b.broadcast(b.constant(np.eye(n, dtype=dtype.numpy)), (batch, n, n), (1, 2)))
    lower = op.lower
    if op.transpose_a is Transpose.ADJOINT:
        a = b.conjugate(a)
    if (op.transpose_a is Transpose.NO_TRANSPOSE) is not op.left_side:
        a, lower = b.swap_last(a), not lower
    if not op.left_side:
        right = b.swap_last(right)
    if not lower:
        a, right = b.reverse(a, 1, 2), b.reverse(right, 1)
    x = _substitute(b, a, right) if n <= BLOCK else _solve_in_blocks(b, a, right)
    if not lower:
        x = b.reverse(x, 1)
    if not op.left_side:
        x = b.swap_last(x)
    return b.reshape(b.convert(x, t.dtype), shape)


def _solve_in_blocks(b: StablehloBuilder, low: Value, right: Value) -> Value:
    batch, n, m = b.shape(right)
    size = -(-n // BLOCK) * BLOCK
    count = size // BLOCK
    low, right = _pad_with_identity(b, low, size), b.pad(right, 1, size - n)
    dtype = tensor_type(right).dtype
    corners = b.concatenate(
        [b.slice(b.slice(low, 1, k * BLOCK, (k + 1) * BLOCK), 2, k * BLOCK, (k + 1) * BLOCK) for k in range(count)],
        0,
    )
    inverses = b.reshape(_inverse_of_lower(b, corners), (count, batch, BLOCK, BLOCK))

    def block(s: StablehloBuilder, k: Value, state: list[Value]) -> list[Value]:
        (x,) = state
        zero, first = s.index(0), s.multiply(k, s.index(BLOCK))
        factors = s.dynamic_slice(low, (zero, first, zero), (batch, BLOCK, size))
        wanted = s.dynamic_slice(right, (zero, first, zero), (batch, BLOCK, m))
        rest = s.subtract(wanted, s.dot(factors, x, ((2,), (1,)), 1))
        inverse = s.dynamic_slice(inverses, (k, zero, zero, zero), (1, batch, BLOCK, BLOCK))
        found = s.dot(s.reshape(inverse, (batch, BLOCK, BLOCK)), rest, ((2,), (1,)), 1)
        return [s.dynamic_update(x, found, (zero, first, zero))]

    x = b.loop(count, [b.full(0, (batch, size, m), dtype)], block)[0]
    return b.slice(x, 1, 0, n)
