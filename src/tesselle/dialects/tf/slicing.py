"""Operations that take parts of tensors, turn them round, or move blocks between dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    ANY,
    INTEGER,
    axis_of,
    numbers,
    require_rank,
    require_rank_in,
    require_size_of,
    same_dtype,
    vector,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import TensorType, Type, dims_compatible
from tesselle.support.dtypes import Kind


@op("tf.Slice", PURE)
class SliceOp(Op):
    """input[begin : begin + size]; the size -1 goes to the end. Errors: input, begin, size, result."""

    input: Value = operand_def()
    begin: Value = operand_def()
    size: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        vector(self, self.begin, "begin", t.rank)
        vector(self, self.size, "size", t.rank)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        require_rank(self, self.result_type, t.rank, "result")


@op_base
class StridedOp(Op):
    """The masks of Python's slices: bit i is about entry i of begin, end and strides."""

    begin_mask: int = attr_def()
    end_mask: int = attr_def()
    ellipsis_mask: int = attr_def()
    new_axis_mask: int = attr_def()
    shrink_axis_mask: int = attr_def()

    def check_bounds(self, begin: Value, end: Value, strides: Value) -> None:
        """begin, end and strides have as many elements, and there is one ellipsis at most."""
        size = vector(self, begin, "begin").shape[0]
        vector(self, end, "end", size)
        vector(self, strides, "strides", size)
        masks = (self.begin_mask, self.end_mask, self.ellipsis_mask, self.new_axis_mask, self.shrink_axis_mask)
        self.require(min(masks) >= 0, "masks", f"masks must not be negative, found {masks}")
        single = self.ellipsis_mask & (self.ellipsis_mask - 1) == 0
        self.require(single, "ellipsis_mask", f"more than one ellipsis in mask {self.ellipsis_mask:#b}")


@op("tf.StridedSlice", PURE)
class StridedSliceOp(StridedOp):
    """input[begin:end:strides] with Python's rules, as the masks say. Errors: begin, end, strides, masks, result."""

    input: Value = operand_def()
    begin: Value = operand_def()
    end: Value = operand_def()
    strides: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        self.check_bounds(self.begin, self.end, self.strides)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")


@op("tf.StridedSliceGrad", PURE)
class StridedSliceGradOp(StridedOp):
    """Zeros of `shape` with `dy` where a strided slice takes its elements. Errors: shape, begin, end, strides, dy."""

    shape: Value = operand_def()
    begin: Value = operand_def()
    end: Value = operand_def()
    strides: Value = operand_def()
    dy: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.shape, "shape", self.result_type.rank)
        self.check_bounds(self.begin, self.end, self.strides)
        same_dtype(self, (numbers(self, self.dy, "dy"), self.result_type), "dy", "dy and the result")


@op("tf.TensorStridedSliceUpdate", PURE)
class TensorStridedSliceUpdateOp(StridedOp):
    """The operand with `value` where a strided slice takes its elements. Errors: begin, end, strides, value."""

    input: Value = operand_def()
    begin: Value = operand_def()
    end: Value = operand_def()
    strides: Value = operand_def()
    value: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        self.check_bounds(self.begin, self.end, self.strides)
        same_dtype(self, (t, numbers(self, self.value, "value")), "value", "the operand and the value")


@op("tf.ReverseV2", PURE)
class ReverseV2Op(Op):
    """The operand turned round along the dimensions `axis`. Errors: tensor, axis."""

    tensor: Value = operand_def()
    axis: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.tensor, "tensor")
        vector(self, self.axis, "axis")
        return (t,)


@op("tf.ReverseSequence", PURE)
class ReverseSequenceOp(Op):
    """The first `seq_lengths[b]` elements along seq_dim turned round, for every index b of batch_dim.

    Errors: input, seq_lengths, seq_dim, batch_dim.
    """

    input: Value = operand_def()
    seq_lengths: Value = operand_def()
    seq_dim: int = attr_def()
    batch_dim: int = attr_def(default=0)

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        batch = axis_of(self, self.batch_dim, t.rank, "batch_dim")
        axis = axis_of(self, self.seq_dim, t.rank, "seq_dim")
        self.require(axis != batch, "seq_dim", "seq_dim and batch_dim must differ")
        vector(self, self.seq_lengths, "seq_lengths", t.shape[batch])
        return (t,)


@op("tf.Roll", PURE)
class RollOp(Op):
    """The operand moved by `shift` along the dimensions `axis`, round the end. Errors: input, shift, axis."""

    input: Value = operand_def()
    shift: Value = operand_def()
    axis: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        shift, axis = numbers(self, self.shift, "shift", INTEGER), numbers(self, self.axis, "axis", INTEGER)
        require_rank_in(self, shift, 0, 1, "shift")
        same = shift.rank == axis.rank and all(map(dims_compatible, shift.shape, axis.shape))
        self.require(same, "axis", f"shift {shift} and axis {axis} must have one shape")
        return (t,)


# ---------------------------------------------------------------------------------------------- blocks


@op_base
class BlockOp(Op):
    """Blocks of pixels become channels, or the other way."""

    input: Value = operand_def()
    block_size: int = attr_def()
    result_type: TensorType = result_type_def()
    data_format: str = attr_def(default="NHWC")

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        require_rank(self, t, 5 if self.data_format == "NCHW_VECT_C" else 4, "input")
        require_rank(self, self.result_type, t.rank, "result")
        self.require(self.block_size >= 2, "block_size", f"block_size {self.block_size} must be 2 at least")


@op("tf.SpaceToDepth", PURE)
class SpaceToDepthOp(BlockOp):
    """Blocks of block_size x block_size pixels become channels. Errors: input, block_size, result."""


@op("tf.DepthToSpace", PURE)
class DepthToSpaceOp(BlockOp):
    """Channels become blocks of block_size x block_size pixels. Errors: input, block_size, result."""


def _check_batches(op_: Op, input_: Value, block_shape: Value, sizes: Value, label: str) -> None:
    t = numbers(op_, input_, "input")
    count = vector(op_, block_shape, "block_shape").shape[0]
    p = numbers(op_, sizes, label, INTEGER)
    fits = p.rank == 2 and dims_compatible(p.shape[0], count) and dims_compatible(p.shape[1], 2)
    op_.require(fits, label, f"{p} does not hold two sizes for every entry of block_shape")
    op_.require(count is None or count < t.rank, "block_shape", f"{count} block sizes are too many for {t}")


@op("tf.SpaceToBatchND", PURE)
class SpaceToBatchNDOp(Op):
    """Pixels of one place in their blocks become batches of their own. Errors: input, block_shape, paddings."""

    input: Value = operand_def()
    block_shape: Value = operand_def()
    paddings: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_batches(self, self.input, self.block_shape, self.paddings, "paddings")


@op("tf.BatchToSpaceND", PURE)
class BatchToSpaceNDOp(Op):
    """Batches become pixels of one place in their blocks. Errors: input, block_shape, crops."""

    input: Value = operand_def()
    block_shape: Value = operand_def()
    crops: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_batches(self, self.input, self.block_shape, self.crops, "crops")


# ---------------------------------------------------------------------------------------------- matrices


@op("tf.MatrixBandPart", PURE)
class MatrixBandPartOp(Op):
    """The operand where -num_lower <= column - row <= num_upper, else 0; negative numbers are no bounds.

    Errors: input, num_lower, num_upper.
    """

    input: Value = operand_def()
    num_lower: Value = operand_def()
    num_upper: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        require_rank_in(self, t, 2, None, "input")
        for label, v in (("num_lower", self.num_lower), ("num_upper", self.num_upper)):
            require_rank(self, numbers(self, v, label, INTEGER), 0, label)
        return (t,)


@op("tf.Diag", PURE)
class DiagOp(Op):
    """A tensor of twice the rank with the operand on its diagonal. Errors: diagonal."""

    diagonal: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.diagonal, "diagonal")
        return (t.with_shape((*t.shape, *t.shape)),)


@op("tf.DiagPart", PURE)
class DiagPartOp(Op):
    """The diagonal of a tensor of even rank. Errors: input."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        half = t.rank // 2
        fits = t.rank % 2 == 0 and all(map(dims_compatible, t.shape[:half], t.shape[half:]))
        self.require(fits, "input", f"{t} has no diagonal")
        return (t.with_shape(t.shape[:half]),)


DIAGONALS = frozenset({Kind.SIGNED})


def _check_k(op_: Op, k: Value) -> None:
    t = numbers(op_, k, "k", DIAGONALS)
    fits = t.rank == 0 or (t.rank == 1 and t.shape[0] in (None, 1, 2))
    op_.require(fits, "k", f"expected one or two numbers of diagonals, found {t}")


@op("tf.MatrixDiag", PURE)
class MatrixDiagOp(Op):
    """Matrices with the operand on their diagonals. Errors: diagonal."""

    diagonal: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.diagonal, "diagonal")
        require_rank_in(self, t, 1, None, "diagonal")
        return (t.with_shape((*t.shape, t.shape[-1])),)


@op("tf.MatrixDiagPart", PURE)
class MatrixDiagPartOp(Op):
    """The diagonals of matrices. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        require_rank_in(self, t, 2, None, "input")
        require_rank(self, self.result_type, t.rank - 1, "result")


@op("tf.MatrixSetDiag", PURE)
class MatrixSetDiagOp(Op):
    """Matrices with other diagonals. Errors: input, diagonal."""

    input: Value = operand_def()
    diagonal: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        require_rank_in(self, t, 2, None, "input")
        require_rank(self, numbers(self, self.diagonal, "diagonal"), t.rank - 1, "diagonal")
        return (t,)


@op("tf.MatrixDiagV3", PURE)
class MatrixDiagV3Op(Op):
    """Matrices with the operand on their diagonals k[0] … k[1], and padding_value elsewhere.

    Errors: diagonal, k, num_rows, num_cols, padding_value, align, result.
    """

    diagonal: Value = operand_def()
    k: Value = operand_def()
    num_rows: Value = operand_def()
    num_cols: Value = operand_def()
    padding_value: Value = operand_def()
    result_type: TensorType = result_type_def()
    align: str = attr_def(default="RIGHT_LEFT")

    def check(self) -> None:
        t = numbers(self, self.diagonal, "diagonal")
        require_rank_in(self, t, 1, None, "diagonal")
        _check_k(self, self.k)
        for label, v in (("num_rows", self.num_rows), ("num_cols", self.num_cols)):
            require_rank(self, numbers(self, v, label, INTEGER), 0, label)
        require_rank(self, numbers(self, self.padding_value, "padding_value", ANY), 0, "padding_value")
        check_align(self, self.align)
        require_rank_in(self, self.result_type, t.rank, t.rank + 1, "result")


@op("tf.MatrixDiagPartV3", PURE)
class MatrixDiagPartV3Op(Op):
    """The diagonals k[0] … k[1] of matrices, the highest first, filled up with padding_value.

    Errors: input, k, padding_value, align, result.
    """

    input: Value = operand_def()
    k: Value = operand_def()
    padding_value: Value = operand_def()
    result_type: TensorType = result_type_def()
    align: str = attr_def(default="RIGHT_LEFT")

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        require_rank_in(self, t, 2, None, "input")
        _check_k(self, self.k)
        require_rank(self, numbers(self, self.padding_value, "padding_value", ANY), 0, "padding_value")
        check_align(self, self.align)
        require_rank_in(self, self.result_type, t.rank - 1, t.rank, "result")


@op("tf.MatrixSetDiagV3", PURE)
class MatrixSetDiagV3Op(Op):
    """Matrices with other diagonals k[0] … k[1]. Errors: input, diagonal, k, align."""

    input: Value = operand_def()
    diagonal: Value = operand_def()
    k: Value = operand_def()
    align: str = attr_def(default="RIGHT_LEFT")

    def infer(self) -> Sequence[Type]:
        t = numbers(self, self.input, "input")
        require_rank_in(self, t, 2, None, "input")
        d = numbers(self, self.diagonal, "diagonal")
        require_rank_in(self, d, t.rank - 1, t.rank, "diagonal")
        require_size_of(self, d.shape[0] if t.rank > 2 else None, t.shape[0], "diagonal", "the batch of diagonals")
        _check_k(self, self.k)
        check_align(self, self.align)
        return (t,)


def check_align(op_: Op, align: str) -> None:
    known = ("LEFT_LEFT", "LEFT_RIGHT", "RIGHT_LEFT", "RIGHT_RIGHT")
    op_.require(align in known, "align", f"expected one of {', '.join(known)}, found {align}")
