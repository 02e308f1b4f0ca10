"""bufferization: the border between tensors and memory while a dispatch is lowered."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import tensor_type
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import op, operand_def
from tesselle.ir.types import TensorType, Type, shapes_compatible


@op("bufferization.to_tensor", PURE)
class ToTensorOp(Op):
    """The elements behind `buffer` as a tensor; nothing may write them while the tensor is in use."""

    buffer: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = memref_type(self.buffer)
        return [TensorType(t.shape, t.dtype)]


@op("bufferization.materialize_in_destination")
class MaterializeInDestinationOp(Op):
    """Write every element of `source` to `dest`. Errors: type (shapes or element types differ)."""

    source: Value = operand_def()
    dest: Value = operand_def()

    def check(self) -> None:
        source, dest = tensor_type(self.source), memref_type(self.dest)
        same = source.dtype == dest.dtype and shapes_compatible(source.shape, dest.shape)
        self.require(same, "type", f"{source} does not fit {dest}")
