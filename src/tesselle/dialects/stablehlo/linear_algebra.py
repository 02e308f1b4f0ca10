"""fft, cholesky, triangular_solve, and random numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import FftType, RngAlgorithm, RngDistribution, Transpose
from tesselle.dialects.stablehlo.base import (
    FLOAT_OR_COMPLEX,
    INTEGER_OR_FLOAT,
    QUANTIZED,
    REAL,
    merge_shapes,
    require_dims,
    same_dtype,
    tensor_type,
)
from tesselle.dialects.stablehlo.dynamic import INDICES
from tesselle.dialects.stablehlo.quantized_rules import QuantizableOp, same_baseline
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def
from tesselle.ir.types import Dim, TensorType, Type, types_compatible
from tesselle.support.dtypes import C64, C128, F32, F64, UI32, UI64


@op("stablehlo.fft", PURE)
class FftOp(Op):
    """The discrete Fourier transform over the last one to three dimensions.

    Errors: C1, C3 (size of fft_length), C2 (element type), C4 (fft_length against the shape). Source: spec, fft.
    """

    operand: Value = operand_def()
    fft_type: FftType = attr_def()
    fft_length: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t, lengths, kind = tensor_type(self, self.operand, "I1", FLOAT_OR_COMPLEX), self.fft_length, self.fft_type
        self.require(1 <= len(lengths) <= 3, "C3", f"fft_length must have 1 to 3 elements, found {len(lengths)}")
        self.require(len(lengths) <= t.rank, "C1", f"{t} has fewer dimensions than fft_length {list(lengths)}")
        real = kind is FftType.RFFT
        self.require(
            t.dtype in ((F32, F64) if real else (C64, C128)), "C2", f"{kind.value} does not take elements of {t.dtype}"
        )
        outer, last = t.shape[: -len(lengths)], t.shape[-1]
        if kind in (FftType.FFT, FftType.IFFT):
            return (t,)
        half = lengths[-1] // 2 + 1
        if real:
            merge_shapes(
                self, (t.shape[-len(lengths) :], lengths), "C4", "the operand's last dimensions and fft_length"
            )
            return (TensorType((*t.shape[:-1], 0 if last == 0 else half), C64 if t.dtype is F32 else C128),)
        merge_shapes(self, (t.shape[-len(lengths) : -1], lengths[:-1]), "C4", "the operand's dimensions and fft_length")
        require_dims(self, last, half, "C5", "the operand's last dimension and fft_length[-1] / 2 + 1")
        return (TensorType((*outer, *lengths), t.dtype.element),)


@op("stablehlo.cholesky", PURE)
class CholeskyOp(QuantizableOp):
    """The triangular L with L L^H = a (or U^H U = a), for every matrix of a batch. Errors: C2 (rank), C3."""

    a: Value = operand_def()
    lower: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.a, "I1", FLOAT_OR_COMPLEX | QUANTIZED)
        self.require(t.rank >= 2, "C2", f"expected matrices, found {t}")
        require_dims(self, t.shape[-2], t.shape[-1], "C3", "the last two dimensions")
        return (t,)


@op("stablehlo.triangular_solve", PURE)
class TriangularSolveOp(QuantizableOp):
    """x with op(a) x = b (left_side) or x op(a) = b, for triangular a.

    Errors: C1 (element types), C2 (ranks), C3 (shapes). Source: spec, triangular_solve.
    """

    a: Value = operand_def()
    b: Value = operand_def()
    left_side: bool = attr_def()
    lower: bool = attr_def()
    unit_diagonal: bool = attr_def()
    transpose_a: Transpose = attr_def()

    def infer(self) -> Sequence[Type]:
        kinds = FLOAT_OR_COMPLEX | QUANTIZED
        a, b = tensor_type(self, self.a, "I1", kinds), tensor_type(self, self.b, "I2", kinds)
        same_baseline(self, (a, b), "C1", "a and b")
        self.require(a.rank == b.rank >= 2, "C2", f"expected matrices of the same rank, found {a} and {b}")
        merge_shapes(self, (a.shape[:-2], b.shape[:-2]), "C3", "batches of a and b")
        require_dims(self, a.shape[-2], a.shape[-1], "C3", "the last two dimensions of a")
        side = b.shape[-2 if self.left_side else -1]
        require_dims(self, a.shape[-1], side, "C3", "the size of a and the dimension of b that it multiplies")
        return (b,)


@op("stablehlo.rng")
class RngOp(Op):
    """Random numbers, uniform in [a, b) or normal with mean a and deviation b. Errors: C1, C2 (element type), C3."""

    a: Value = operand_def()
    b: Value = operand_def()
    shape: Value = operand_def()
    rng_distribution: RngDistribution = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a, b = (tensor_type(self, v, label, REAL) for v, label in zip(self.operands, ("I1", "I2"), strict=False))
        out, shape = tensor_type(self, self.result_type, "result"), tensor_type(self, self.shape, "I3", INDICES)
        self.require(a.rank == b.rank == 0, "I1", f"a and b must have rank 0, found {a} and {b}")
        same_dtype(self, (a, b, out), "C1", "a, b and result")
        if self.rng_distribution is RngDistribution.NORMAL:
            self.require(a.dtype.is_float, "C2", f"normal numbers are floats, not {a.dtype}")
        self.require(shape.rank == 1, "I3", f"shape must have rank 1, found {shape}")
        require_dims(self, shape.shape[0], out.rank, "C3", "the size of shape and the rank of the result")


_STATE_SIZES: dict[RngAlgorithm, tuple[int, ...]] = {
    RngAlgorithm.THREE_FRY: (2,),
    RngAlgorithm.PHILOX: (2, 3),
    RngAlgorithm.DEFAULT: (2, 3),
}


@op("stablehlo.rng_bit_generator", PURE)
class RngBitGeneratorOp(Op):
    """Random bits from a state, and the next state.

    Errors: C1 (types of the states), C2 (size of the state). Source: spec, rng_bit_generator.
    """

    initial_state: Value = operand_def()
    rng_algorithm: RngAlgorithm = attr_def()
    output_state_type: TensorType = result_type_def()
    output_type: TensorType = result_type_def()

    def check(self) -> None:
        s, next_state = tensor_type(self, self.initial_state), tensor_type(self, self.results[0], "result")
        self.require(types_compatible(s, next_state), "C1", f"the state {s} becomes {next_state}")
        tensor_type(self, self.results[1], "result", INTEGER_OR_FLOAT)
        self.require(s.rank == 1, "C2", f"the state must have rank 1, found {s}")
        # XLA keeps the state in ui64 words; JAX hands over the same bytes as ui32.
        words: Dim = s.shape[0]
        if words is not None and s.dtype is UI32:
            words //= 2
        if s.dtype in (UI32, UI64) and words is not None and words not in _STATE_SIZES[self.rng_algorithm]:
            sizes = " or ".join(map(str, _STATE_SIZES[self.rng_algorithm]))
            self.fail("C2", f"the state of {self.rng_algorithm.value} has {sizes} words of 64 bits, found {s}")
