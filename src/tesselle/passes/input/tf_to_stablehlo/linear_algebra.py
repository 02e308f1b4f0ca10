"""Linear algebra and Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import linear_algebra as la
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, FftType, Transpose
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.tf import linear_algebra as tf
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import Dim
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import C64, C128, F32, F64, I32, DType


@lowering(tf.CholeskyOp)
def cholesky(op: tf.CholeskyOp, b: TfBuilder) -> Value:
    """The factor; above its diagonal zeros"""
    factor = b.insert(la.CholeskyOp(op.input, True)).result
    sizes = b.sizes(factor)
    rank = len(sizes)
    rows, columns = b.iota(sizes[-2:], 0, I32), b.iota(sizes[-2:], 1, I32)
    below = b.broadcast_to(b.compare(rows, ComparisonDirection.GE, columns), sizes, (rank - 2, rank - 1))
    return b.select(below, factor, b.zeros(sizes, b.dtype(factor)))


@lowering(tf.MatrixTriangularSolveOp)
def triangular_solve(op: tf.MatrixTriangularSolveOp, b: TfBuilder) -> Value:
    matrix, rhs = op.matrix, op.rhs
    if b.known.shape(matrix)[:-2] != b.known.shape(rhs)[:-2]:
        batch = b.common_sizes([b.zeros(b.sizes(v)[:-2], I32) for v in (matrix, rhs)])
        matrix, rhs = (b.broadcast_to(v, [*batch, *b.sizes(v)[-2:]]) for v in (matrix, rhs))
    turn = Transpose.ADJOINT if op.adjoint else Transpose.NO_TRANSPOSE
    return b.insert(la.TriangularSolveOp(matrix, rhs, True, op.lower, False, turn)).result


# ---------------------------------------------------------------------------------------------- elimination


class _Elimination:
    """Gauss's and Jordan's elimination with the largest pivots, of batches of [matrix, right side].

    `rows`: [batch, n, n + m], where the matrix has become the identity; `pivots` and `sign` make the determinant.
    """

    def __init__(self, b: TfBuilder, matrix: Value, right: Value | None) -> None:
        sizes = b.sizes(matrix)
        self.batch = sizes[:-2]
        self.n = sizes[-1]
        self.count = b.product(self.batch)
        wide = b.reshape_to(matrix, [self.count, self.n, self.n])
        if right is not None:
            columns = b.size_at(right, b.rank(right) - 1)
            wide = b.concatenate([wide, b.reshape_to(right, [self.count, self.n, columns])], 2)
        self.b = b
        dtype = b.dtype(wide)
        ones = b.full_of(1, [self.count], dtype)
        pivots = b.full_of(1, [self.count, self.n], dtype)
        inits = [b.index(0), wide, pivots, ones]
        types = [v.type for v in inits]
        cond, body = Block(types), Block(types)
        with b.at(cond):
            more = b.compare(cond.args[0], ComparisonDirection.LT, b.value_of(self.n))
            b.insert(ReturnOp((more,)))
        with b.at(body):
            results = self._step(*(body.args[i] for i in range(4)))
            b.insert(ReturnOp([b.cast(v, tensor_type(t)) for v, t in zip(results, inits, strict=True)]))
        loop = b.insert(WhileOp(tuple(inits), Region([cond]), Region([body])))
        self.rows, self.pivots, self.sign = loop.results[1:]

    def _column(self, rows: Value, k: Value) -> Value:
        """Column k, as [batch, n]."""
        b = self.b
        part = b.part_of_axis(rows, 2, k, b.plus(k, 1))
        return b.reshape_to(part, [self.count, self.n])

    def _spread(self, vector: Value, like: Value, *dims: int) -> Tensor:
        return self.b.tensor(self.b.broadcast_to(vector, self.b.sizes(like), dims))

    def _step(self, k: Value, rows: Value, pivots: Value, sign: Value) -> list[Value]:
        b = self.b
        index = b.iota([self.count, self.n], 1, I32)
        at_k = b.compare(index, ComparisonDirection.EQ, b.broadcast_to(k, [self.count, self.n], ()))
        column = self._column(rows, k)
        size = b.tensor(b.op(e.AbsOp, column))
        done = b.tensor(index) < b.tensor(b.broadcast_to(k, [self.count, self.n], ()))
        size = size.number(-1).where(done, size)
        largest = b.reduce(size.value, e.MaximumOp, -1, [1])
        is_largest = size.equals(b.tensor(b.broadcast_to(largest, [self.count, self.n], (0,))))
        places = b.tensor(index).where(is_largest, 2**31 - 1)
        # A column with nan has no largest element: row k stays where it is.
        found = b.tensor(b.reduce(places.value, e.MinimumOp, 2**31 - 1, [1]))
        here = b.tensor(b.broadcast_to(k, [self.count], ()))
        found = found.where(found < b.tensor(b.broadcast_to(b.value_of(self.n), [self.count], ())), here)
        at_pivot = b.compare(index, ComparisonDirection.EQ, b.broadcast_to(found.value, [self.count, self.n], (0,)))
        mine = self._row(rows, at_pivot)
        other = self._row(rows, at_k)
        swapped = self._spread(other, rows, 0, 2).where(self._spread(at_pivot, rows, 0, 1), b.tensor(rows))
        pivot = b.reduce(b.select(at_pivot, column, b.zeros(b.sizes(column), b.dtype(column))), e.AddOp, 0, [1])
        normal = b.tensor(mine) / b.tensor(b.broadcast_to(pivot, b.sizes(mine), (0,)))
        factors = self._column(swapped.value, k)
        cleared = swapped - self._spread(factors, rows, 0, 1) * self._spread(normal.value, rows, 0, 2)
        result = self._spread(normal.value, rows, 0, 2).where(self._spread(at_k, rows, 0, 1), cleared)
        turned = b.tensor(sign)
        sign_after = turned.where(found.equals(here), -turned)
        wide_pivot = b.broadcast_to(pivot, [self.count, self.n], (0,))
        return [b.add(k, b.index(1)), result.value, b.select(at_k, wide_pivot, pivots), sign_after.value]

    def _row(self, rows: Value, mask: Value) -> Value:
        """The row where the mask holds, as [batch, n + m]."""
        b = self.b
        kept = b.tensor(rows).where(self._spread(mask, rows, 0, 1), 0)
        return b.reduce(kept.value, e.AddOp, 0, [1])

    def solution(self) -> Value:
        b = self.b
        columns = b.size_at(self.rows, 2)
        found = b.part_of_axis(self.rows, 2, self.n, columns)
        return b.reshape_to(found, [*self.batch, self.n, b.minus(columns, self.n)])


def _adjoint(b: TfBuilder, matrix: Value) -> Value:
    return b.conjugate(b.swap_last(matrix))


@lowering(tf.MatrixSolveOp)
def matrix_solve(op: tf.MatrixSolveOp, b: TfBuilder) -> Value:
    return _Elimination(b, _adjoint(b, op.matrix) if op.adjoint else op.matrix, op.rhs).solution()


@lowering(tf.MatrixInverseOp)
def matrix_inverse(op: tf.MatrixInverseOp, b: TfBuilder) -> Value:
    matrix = _adjoint(b, op.input) if op.adjoint else op.input
    sizes = b.sizes(matrix)
    rows, columns = b.iota(sizes[-2:], 0, I32), b.iota(sizes[-2:], 1, I32)
    rank = len(sizes)
    diagonal = b.broadcast_to(b.compare(rows, ComparisonDirection.EQ, columns), sizes, (rank - 2, rank - 1))
    return _Elimination(b, matrix, b.convert(diagonal, b.dtype(matrix))).solution()


@lowering(tf.MatrixDeterminantOp)
def determinant(op: tf.MatrixDeterminantOp, b: TfBuilder) -> Value:
    found = _Elimination(b, op.input, None)
    return b.reshape_to(b.multiply(b.reduce(found.pivots, e.MultiplyOp, 1, [1]), found.sign), found.batch)


@lowering(tf.LogMatrixDeterminantOp)
def log_determinant(op: tf.LogMatrixDeterminantOp, b: TfBuilder) -> list[Value]:
    found = _Elimination(b, op.input, None)
    dtype = b.dtype(op.input)
    signs = b.multiply(b.reduce(b.op(e.SignOp, found.pivots), e.MultiplyOp, 1, [1]), found.sign)
    logs = b.convert(b.sum(b.op(e.LogOp, b.op(e.AbsOp, found.pivots)), [1]), dtype)
    return [b.reshape_to(signs, found.batch), b.reshape_to(logs, found.batch)]


# ---------------------------------------------------------------------------------------------- Fourier

_COMPLEX: dict[type[Op], FftType] = {
    tf.FFTOp: FftType.FFT,
    tf.FFT2DOp: FftType.FFT,
    tf.FFT3DOp: FftType.FFT,
    tf.IFFTOp: FftType.IFFT,
    tf.IFFT2DOp: FftType.IFFT,
    tf.IFFT3DOp: FftType.IFFT,
}


@lowering(*_COMPLEX)
def transform(op: tf.TransformOp, b: TfBuilder) -> Value:
    return b.insert(la.FftOp(op.input, _COMPLEX[type(op)], _lengths(b, b.dims(op.input)[-op.DIMS :]))).result


def _lengths(b: TfBuilder, sizes: Sequence[Dim]) -> tuple[int, ...]:
    found = tuple(n for n in sizes if n is not None)
    if len(found) < len(sizes):
        b.unsupported("length", "the lengths of the transform must be known when the program is compiled")
    return found


@lowering(tf.RFFTOp, tf.RFFT2DOp, tf.RFFT3DOp)
def real_transform(op: tf.RealTransformOp, b: TfBuilder) -> Value:
    lengths = tuple(b.integers(op.fft_length, "fft_length", "the lengths of the transform"))
    x = _fitted(b, op.input, lengths)
    wide = F64 if op.result_type.dtype is C128 else F32
    found = b.insert(la.FftOp(b.convert(x, wide), FftType.RFFT, lengths)).result
    return b.convert(found, op.result_type.dtype)


@lowering(tf.IRFFTOp, tf.IRFFT2DOp, tf.IRFFT3DOp)
def inverse_real_transform(op: tf.RealTransformOp, b: TfBuilder) -> Value:
    lengths = tuple(b.integers(op.fft_length, "fft_length", "the lengths of the transform"))
    x = _fitted(b, op.input, (*lengths[:-1], lengths[-1] // 2 + 1))
    wide: DType = C128 if op.result_type.dtype is F64 else C64
    found = b.insert(la.FftOp(b.convert(x, wide), FftType.IRFFT, lengths)).result
    return b.convert(found, op.result_type.dtype)


def _fitted(b: TfBuilder, x: Value, lengths: tuple[int, ...]) -> Value:
    """The last dimensions cut, or padded with zeros, to the given sizes."""
    rank = b.rank(x)
    for d, n in enumerate(lengths, rank - len(lengths)):
        size = b.size_at(x, d)
        if size == n:
            continue
        kept = b.least(size, n)
        x = b.part_of_axis(x, d, 0, kept)
        low: list[Size] = [0] * rank
        high: list[Size] = [b.minus(n, kept) if k == d else 0 for k in range(rank)]
        x = b.padded(x, 0, low, high)
        x = b.cast(x, tensor_type(x).with_shape([n if k == d else m for k, m in enumerate(b.dims(x))]))
    return x
