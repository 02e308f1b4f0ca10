"""Ranks of results of which TensorFlow's shape inference knows nothing, from operands whose ranks are known by now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.tf import indexing, reduction, shape, slicing
from tesselle.dialects.tf.base import BinaryOp
from tesselle.dialects.tf.binary import SelectV2Op
from tesselle.dialects.tf.contraction import BatchMatMulBase
from tesselle.ir.core import Op, Value, constant_elements
from tesselle.ir.types import TensorType, UnrankedTensorType


def _rank(value: Value) -> int:
    return tensor_type(value).rank


def _length(value: Value) -> int | None:
    """The number of elements of a vector."""
    return tensor_type(value).shape[0]


def _highest(op: Op) -> int:
    return max(_rank(v) for v in op.operands)


def _reduced(op: reduction.ReductionOp) -> int | None:
    if op.keep_dims or isinstance(op.reduction_indices.defining_op, shape.BroadcastGradientArgsOp):
        return _rank(op.input)
    axes = constant_elements(op.reduction_indices)
    return None if axes is None else _rank(op.input) - axes.array.size


def _squeezed(op: shape.SqueezeOp) -> int:
    t = tensor_type(op.input)
    return t.rank - (len(op.squeeze_dims) or t.shape.count(1))


def _strided(op: slicing.StridedSliceOp) -> int | None:
    count = _length(op.begin)
    if count is None:
        return None
    masks = [op.new_axis_mask & ~op.ellipsis_mask, op.shrink_axis_mask & ~op.new_axis_mask & ~op.ellipsis_mask]
    added, dropped = (bin(m & ((1 << count) - 1)).count("1") for m in masks)
    return _rank(op.input) + added - dropped


_RULES: dict[type[Op], Callable[[Any], int | None]] = {
    shape.BroadcastToOp: lambda op: _length(op.shape),
    shape.EmptyOp: lambda op: _length(op.shape),
    shape.ExpandDimsOp: lambda op: _rank(op.input) + 1,
    shape.FillOp: lambda op: _length(op.dims),
    shape.OneHotOp: lambda op: _rank(op.indices) + 1,
    shape.PackOp: lambda op: _rank(op.values[0]) + 1,
    shape.UnpackOp: lambda op: _rank(op.value) - 1,
    shape.ReshapeOp: lambda op: _length(op.shape),
    shape.SqueezeOp: _squeezed,
    slicing.StridedSliceOp: _strided,
    slicing.StridedSliceGradOp: lambda op: _length(op.shape),
    indexing.GatherV2Op: lambda op: _rank(op.params) + _rank(op.indices) - 1 - op.batch_dims % (_rank(op.indices) + 1),
    indexing.GatherOp: lambda op: _rank(op.params) + _rank(op.indices) - 1,
    indexing.ScatterNdOp: lambda op: _length(op.shape),
    SelectV2Op: _highest,
}


def result_rank(op: Op) -> int | None:
    """The rank of the results; None where it does not follow. Operations without a rule keep that of an operand."""
    for cls in (reduction.ReductionOp, BinaryOp, BatchMatMulBase):
        if isinstance(op, cls):
            return _reduced(op) if isinstance(op, reduction.ReductionOp) else _highest(op)
    rule = _RULES.get(type(op))
    if rule is not None:
        return rule(op)
    if isinstance(op, shape.SplitOp):
        return _rank(op.value)
    return _rank(op.operands[0]) if op.operands else None


def give_ranks(op: Op) -> bool:
    """Put tensors of open dimensions in place of results without a rank; whether all have one then."""
    for r in op.results:
        if isinstance(r.type, UnrankedTensorType):
            rank = result_rank(op)
            if rank is None or rank < 0:
                return False
            r.type = TensorType((None,) * rank, r.type.dtype)
    return True
