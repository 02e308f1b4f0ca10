"""cholesky and triangular_solve of matrices of open sizes: the methods of `expand-linear-algebra`, column by column and
row by row, in loops whose lengths are read off the operands.

Matrices are [batch, n, n]; of open dimensions the batch is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, GatherDimensionNumbers, Transpose
from tesselle.dialects.stablehlo.indexing import DynamicGatherOp
from tesselle.dialects.stablehlo.linear_algebra import CholeskyOp, TriangularSolveOp
from tesselle.ir.core import Value
from tesselle.ir.types import Dim
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.support.dtypes import F32, I32, DType


def computed_in(dtype: DType) -> DType:
    """f16 and bf16 are computed in f32."""
    return dtype if dtype.is_complex or dtype.bits >= 32 else F32


def cholesky(b: StablehloBuilder, op: CholeskyOp) -> Value:
    """l with l l^H = a, or its adjoint; nan where a is not positive definite."""
    t = tensor_type(op.a)
    a = b.convert(_as_batch(b, op.a), computed_in(t.dtype))
    if not op.lower:
        a = _adjoint(b, a)
    low = _nan_where_failed(b, _columns(b, a))
    if not op.lower:
        low = _adjoint(b, low)
    return _as_given(b, b.convert(low, t.dtype), op.a)


def triangular_solve(b: StablehloBuilder, op: TriangularSolveOp) -> Value:
    """x with op(a) x = b, or x op(a) = b; only the triangle of a that the operation names is read."""
    t = tensor_type(op.b)
    dtype = computed_in(t.dtype)
    a, right = (b.convert(_as_batch(b, v), dtype) for v in (op.a, op.b))
    rows, columns = b.iota_like(a, 1, I32), b.iota_like(a, 2, I32)
    direction = ComparisonDirection.GE if op.lower else ComparisonDirection.LE
    if op.unit_diagonal:
        direction = ComparisonDirection.GT if op.lower else ComparisonDirection.LT
    a = b.select(b.compare(rows, direction, columns), a, b.full_like(a, 0))
    if op.unit_diagonal:
        a = b.select(b.compare(rows, ComparisonDirection.EQ, columns), b.full_like(a, 1), a)
    lower = op.lower
    if op.transpose_a is Transpose.ADJOINT:
        a = b.conjugate(a)
    if (op.transpose_a is Transpose.NO_TRANSPOSE) is not op.left_side:
        a, lower = b.swap_last(a), not lower
    if not op.left_side:
        right = b.swap_last(right)
    if not lower:
        a, right = b.reverse(a, 1, 2), b.reverse(right, 1)
    x = _rows(b, a, right)
    if not lower:
        x = b.reverse(x, 1)
    if not op.left_side:
        x = b.swap_last(x)
    return _as_given(b, b.convert(x, t.dtype), op.b)


# ---------------------------------------------------------------------------------------------- the two loops


def _columns(b: StablehloBuilder, a: Value) -> Value:
    """v = a[:, j] - l l[j, :]^H; l[j:, j] = v[j:] / sqrt(v[j])."""
    dtype = tensor_type(a).dtype

    def column(s: StablehloBuilder, j: Value, state: list[Value]) -> list[Value]:
        (low,) = state
        zero = s.index(0)
        done = s.dot(low, s.conjugate(_at(s, low, 1, j)), ((2,), (2,)), batch=1)
        v = s.subtract(_at(s, a, 2, j), done)
        pivot = _real(s, _at(s, v, 1, j))
        root = s.broadcast_like(s.convert(s.op(e.SqrtOp, pivot), dtype), v, (0, 1, 2))
        row, here = s.iota_like(v, 1, I32), s.broadcast_like(j, v, ())
        new = s.select(s.compare(row, ComparisonDirection.GT, here), s.op(e.DivideOp, v, root), s.full_like(v, 0))
        new = s.select(s.compare(row, ComparisonDirection.EQ, here), root, new)
        return [s.dynamic_update(low, new, (zero, zero, j))]

    return b.loop(_size(b, a, 1), [b.full_like(a, 0)], column)[0]


def _rows(b: StablehloBuilder, low: Value, right: Value) -> Value:
    """x[i] = (right[i] - low[i, :] x) / low[i, i]; rows of x that are not known yet are zero."""

    def row(s: StablehloBuilder, i: Value, state: list[Value]) -> list[Value]:
        (x,) = state
        zero = s.index(0)
        factors = _at(s, low, 1, i)
        rest = s.subtract(_at(s, right, 1, i), s.dot(factors, x, ((2,), (1,)), 1))
        pivot = s.broadcast_like(_at(s, factors, 2, i), rest, (0, 1, 2))
        return [s.dynamic_update(x, s.op(e.DivideOp, rest, pivot), (zero, i, zero))]

    return b.loop(_size(b, right, 1), [b.full_like(right, 0)], row)[0]


def _nan_where_failed(b: StablehloBuilder, low: Value) -> Value:
    """All of a matrix is nan when an element of its diagonal is no positive number."""
    real = _real(b, low)
    good = b.compare(real, ComparisonDirection.GT, b.full_like(real, 0))
    off = b.compare(b.iota_like(low, 1, I32), ComparisonDirection.NE, b.iota_like(low, 2, I32))
    bad = b.convert(b.op(e.NotOp, b.op(e.OrOp, good, off)), F32)
    total = b.dot(bad, b.full_like(bad, 1), ((1, 2), (1, 2)), 1)
    fine = b.compare(total, ComparisonDirection.EQ, b.full_like(total, 0))
    return b.select(b.broadcast_like(fine, low, (0,)), low, b.full_like(low, np.nan))


# ---------------------------------------------------------------------------------------------- steps


def _real(b: StablehloBuilder, x: Value) -> Value:
    return b.op(e.RealOp, x) if tensor_type(x).dtype.is_complex else x


def _adjoint(b: StablehloBuilder, x: Value) -> Value:
    return b.conjugate(b.swap_last(x))


def _size(b: StablehloBuilder, x: Value, axis: int) -> int | Value:
    return b.sizes(x)[axis]


def _at(b: StablehloBuilder, x: Value, axis: int, index: Value) -> Value:
    """The slice at one place of an axis, which stays, of size 1."""
    t = tensor_type(x)
    sizes: list[int | Value] = [1 if d == axis else n for d, n in enumerate(b.sizes(x))]
    shape: Sequence[Dim] = [1 if d == axis else n for d, n in enumerate(t.shape)]
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(range(t.rank)),
        collapsed_slice_dims=(),
        operand_batching_dims=(),
        start_indices_batching_dims=(),
        start_index_map=(axis,),
        index_vector_dim=0,
    )
    start = b.reshape(index, (1,))
    return b.insert(DynamicGatherOp(x, start, b.vector(sizes), numbers, t.with_shape(shape))).result


def _as_batch(b: StablehloBuilder, x: Value) -> Value:
    """[…, n, m] as [batch, n, m]."""
    sizes = b.sizes(x)
    if len(sizes) == 3:
        return x
    batch: int | Value = 1
    for n in sizes[:-2]:
        if isinstance(batch, int) and isinstance(n, int):
            batch *= n
        else:
            batch = b.multiply(*(b.index(v) if isinstance(v, int) else v for v in (batch, n)))
    return b.reshape_to(x, [batch, *sizes[-2:]])


def _as_given(b: StablehloBuilder, x: Value, like: Value) -> Value:
    """The result in the shape, and of the type, of an operand."""
    t = tensor_type(like)
    if t.rank != 3:
        x = b.reshape_to(x, b.sizes(like))
    return x if x.type == t else b.insert(CastOp(x, t)).result
