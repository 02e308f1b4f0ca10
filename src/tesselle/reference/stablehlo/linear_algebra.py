"""FFT, factorisations, random bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tesselle.dialects.stablehlo import linear_algebra as s
from tesselle.dialects.stablehlo.attributes import FftType, Transpose
from tesselle.reference.numerics import narrow, widen
from tesselle.reference.registry import Array, element_dtype, semantics


@semantics(s.FftOp)
def fft(op: s.FftOp, x: Array) -> Array:
    axes = tuple(range(x.ndim - len(op.fft_length), x.ndim))
    function: Any = {
        FftType.FFT: np.fft.fftn,
        FftType.IFFT: np.fft.ifftn,
        FftType.RFFT: np.fft.rfftn,
        FftType.IRFFT: np.fft.irfftn,
    }[op.fft_type]
    return function(x, op.fft_length, axes).astype(element_dtype(op.result.type).numpy)


@semantics(s.CholeskyOp)
def cholesky(op: s.CholeskyOp, a: Array) -> Array:
    given, a = a.dtype, widen(a)
    source = a if op.lower else np.swapaxes(a, -1, -2).conj()
    low = np.tril(source)
    full = low + np.swapaxes(np.tril(source, -1), -1, -2).conj()
    out = np.zeros_like(a)
    for place in np.ndindex(*a.shape[:-2]):
        try:
            out[place] = np.linalg.cholesky(full[place])
        except np.linalg.LinAlgError:  # not positive definite: XLA gives nan
            out[place] = np.nan
    return narrow(out if op.lower else np.swapaxes(out, -1, -2).conj(), given)


@semantics(s.TriangularSolveOp)
def triangular_solve(op: s.TriangularSolveOp, a: Array, b: Array) -> Array:
    given, a, b = a.dtype, widen(a), widen(b)
    matrix = np.tril(a) if op.lower else np.triu(a)
    if op.unit_diagonal:
        matrix = np.where(np.eye(a.shape[-1], dtype=np.bool_), np.ones_like(a), matrix)
    if op.transpose_a is not Transpose.NO_TRANSPOSE:
        matrix = np.swapaxes(matrix, -1, -2)
    if op.transpose_a is Transpose.ADJOINT:
        matrix = matrix.conj()
    if not op.left_side:
        matrix, b = np.swapaxes(matrix, -1, -2), np.swapaxes(b, -1, -2)
    x = np.zeros_like(b)
    # Each of the two transposes turns a lower triangle into an upper one.
    forwards = op.lower ^ (op.transpose_a is not Transpose.NO_TRANSPOSE) ^ (not op.left_side)
    size = a.shape[-1]
    for i in range(size) if forwards else reversed(range(size)):
        row = b[..., i, :] - np.einsum("...k,...km->...m", matrix[..., i, :], x)
        x[..., i, :] = row / matrix[..., i, i, None]
    return narrow(x if op.left_side else np.swapaxes(x, -1, -2), given)
