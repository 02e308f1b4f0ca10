"""Linear algebra and Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    COMPLEX,
    FLOAT,
    FLOAT_OR_COMPLEX,
    numbers,
    require_rank,
    require_rank_in,
    same_dtype,
    vector,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import TensorType, Type, dims_compatible


def _square(op_: Op, value: Value, label: str) -> TensorType:
    t = numbers(op_, value, label, FLOAT_OR_COMPLEX)
    require_rank_in(op_, t, 2, None, label)
    op_.require(dims_compatible(t.shape[-1], t.shape[-2]), label, f"{t} does not hold square matrices")
    return t


@op("tf.Cholesky", PURE)
class CholeskyOp(Op):
    """The lower triangular factor of positive definite matrices. Errors: input."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return (_square(self, self.input, "input"),)


@op("tf.MatrixInverse", PURE)
class MatrixInverseOp(Op):
    """The inverse, of the conjugate transpose where that is asked for. Errors: input."""

    input: Value = operand_def()
    adjoint: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        return (_square(self, self.input, "input"),)


@op("tf.MatrixDeterminant", PURE)
class MatrixDeterminantOp(Op):
    """The determinant. Errors: input."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = _square(self, self.input, "input")
        return (t.with_shape(t.shape[:-2]),)


@op("tf.LogMatrixDeterminant", PURE)
class LogMatrixDeterminantOp(Op):
    """The sign of the determinant, and the logarithm of its absolute value. Errors: input."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = _square(self, self.input, "input")
        return (t.with_shape(t.shape[:-2]), t.with_shape(t.shape[:-2]))


@op_base
class SolveBase(Op):
    """x with matrix x = rhs. Errors: matrix, rhs."""

    matrix: Value = operand_def()
    rhs: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = _square(self, self.matrix, "matrix")
        r = numbers(self, self.rhs, "rhs", FLOAT_OR_COMPLEX)
        require_rank_in(self, r, 2, None, "rhs")
        same_dtype(self, (t, r), "rhs", "the matrix and the right side")
        self.require(dims_compatible(t.shape[-1], r.shape[-2]), "rhs", f"{r} does not fit matrices {t}")


@op("tf.MatrixSolve", PURE)
class MatrixSolveOp(SolveBase):
    """The solution of linear equations, by elimination with pivots."""

    adjoint: bool = attr_def(default=False)


@op("tf.MatrixTriangularSolve", PURE)
class MatrixTriangularSolveOp(SolveBase):
    """The solution of linear equations of triangular matrices."""

    lower: bool = attr_def(default=True)
    adjoint: bool = attr_def(default=False)


# ---------------------------------------------------------------------------------------------- Fourier


@op_base
class TransformOp(Op):
    """A Fourier transform of complex numbers along the last DIMS dimensions. Errors: input."""

    DIMS = 1

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input", COMPLEX)
        require_rank_in(self, t, self.DIMS, None, "input")
        return (t,)


@op("tf.FFT", PURE)
class FFTOp(TransformOp):
    """The transform along the last dimension."""


@op("tf.FFT2D", PURE)
class FFT2DOp(TransformOp):
    """The transform along the last two dimensions."""

    DIMS = 2


@op("tf.FFT3D", PURE)
class FFT3DOp(TransformOp):
    """The transform along the last three dimensions."""

    DIMS = 3


@op("tf.IFFT", PURE)
class IFFTOp(TransformOp):
    """The inverse transform along the last dimension."""


@op("tf.IFFT2D", PURE)
class IFFT2DOp(TransformOp):
    """The inverse transform along the last two dimensions."""

    DIMS = 2


@op("tf.IFFT3D", PURE)
class IFFT3DOp(TransformOp):
    """The inverse transform along the last three dimensions."""

    DIMS = 3


@op_base
class RealTransformOp(Op):
    """A Fourier transform between real and complex numbers, of dimensions that are cut or padded to fft_length.

    Errors: input, fft_length, result.
    """

    DIMS = 1

    input: Value = operand_def()
    fft_length: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        kinds = COMPLEX if type(self).NAME.startswith("tf.I") else FLOAT
        t = numbers(self, self.input, "input", kinds)
        require_rank_in(self, t, self.DIMS, None, "input")
        vector(self, self.fft_length, "fft_length", self.DIMS)
        require_rank(self, self.result_type, t.rank, "result")


@op("tf.RFFT", PURE)
class RFFTOp(RealTransformOp):
    """The first half of the transform of real numbers."""


@op("tf.RFFT2D", PURE)
class RFFT2DOp(RealTransformOp):
    """The first half of the transform of real numbers along two dimensions."""

    DIMS = 2


@op("tf.RFFT3D", PURE)
class RFFT3DOp(RealTransformOp):
    """The first half of the transform of real numbers along three dimensions."""

    DIMS = 3


@op("tf.IRFFT", PURE)
class IRFFTOp(RealTransformOp):
    """Real numbers of the first half of their transform."""


@op("tf.IRFFT2D", PURE)
class IRFFT2DOp(RealTransformOp):
    """Real numbers of the first half of their transform along two dimensions."""

    DIMS = 2


@op("tf.IRFFT3D", PURE)
class IRFFT3DOp(RealTransformOp):
    """Real numbers of the first half of their transform along three dimensions."""

    DIMS = 3
