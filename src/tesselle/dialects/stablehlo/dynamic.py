"""Operations whose shapes or positions are given by tensors at run time."""

from __future__ import annotations

from tesselle.dialects.stablehlo.base import (
    NUMBER,
    QUANTIZED,
    merge_shapes,
    require_dims,
    require_in_range,
    require_size,
    require_unique,
    same_dtype,
    tensor_type,
)
from tesselle.dialects.stablehlo.quantized_rules import check_broadcast_dtype, check_reshaped
from tesselle.ir.core import PURE, Op, Value, constant_elements
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def
from tesselle.ir.types import Dim, TensorType
from tesselle.support.dtypes import Kind

INDICES = frozenset({Kind.SIGNED, Kind.UNSIGNED, Kind.INDEX})


def index_vector(op_: Op, value: Value, label: str, size: Dim, what: str) -> TensorType:
    """The type of a one-dimensional tensor of integers or indices with `size` elements."""
    t = tensor_type(op_, value, label, INDICES)
    op_.require(t.rank == 1, label, f"{what} must have rank 1, found {t}")
    require_dims(op_, t.shape[0], size, label, f"the size of {what} and the rank")
    return t


@op("stablehlo.dynamic_broadcast_in_dim", PURE)
class DynamicBroadcastInDimOp(Op):
    """broadcast_in_dim to the shape `output_dimensions`.

    Errors: C1 (element type), C2-C4 (dimensions), C5 (sizes), C6 (quantized axis), C7 (output_dimensions),
    C8-C10 (known dimensions).
    Source: spec, dynamic_broadcast_in_dim.
    """

    operand: Value = operand_def()
    output_dimensions: Value = operand_def()
    broadcast_dimensions: tuple[int, ...] = attr_def()
    result_type: TensorType = result_type_def()
    known_expanding_dimensions: tuple[int, ...] | None = attr_def(default=None)
    known_nonexpanding_dimensions: tuple[int, ...] | None = attr_def(default=None)

    def check(self) -> None:
        a = tensor_type(self, self.operand, per_axis=True)
        b = tensor_type(self, self.result_type, "result", per_axis=True)
        check_broadcast_dtype(self, a, b, (), axes=False)
        dims = self.broadcast_dimensions
        require_size(self, dims, a.rank, "C2", "broadcast_dimensions")
        require_in_range(self, dims, b.rank, "C3", "broadcast_dimensions")
        require_unique(self, dims, "C4", "broadcast_dimensions")
        for j, i in enumerate(dims):
            if a.shape[j] != 1:
                require_dims(self, a.shape[j], b.shape[i], "C5", f"dimension {j} of the operand and {i} of the result")
        check_broadcast_dtype(self, a, b, dims, axes=True)
        index_vector(self, self.output_dimensions, "C7", b.rank, "output_dimensions")
        expanding = self.known_expanding_dimensions or ()
        nonexpanding = self.known_nonexpanding_dimensions or ()
        require_unique(self, (*expanding, *nonexpanding), "C8", "known dimensions")
        require_in_range(self, expanding, a.rank, "C9", "known_expanding_dimensions")
        require_in_range(self, nonexpanding, a.rank, "C10", "known_nonexpanding_dimensions")


@op("stablehlo.dynamic_iota", PURE)
class DynamicIotaOp(Op):
    """iota of the shape `output_shape`. Errors: C1 (iota_dimension), C2 (output_shape)."""

    output_shape: Value = operand_def()
    iota_dimension: int = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = tensor_type(self, self.result_type, "result", NUMBER | QUANTIZED)
        require_in_range(self, (self.iota_dimension,), t.rank, "C1", "iota_dimension")
        index_vector(self, self.output_shape, "C2", t.rank, "output_shape")


@op("stablehlo.dynamic_reshape", PURE)
class DynamicReshapeOp(Op):
    """The elements of the operand in the shape `output_shape`.

    Errors: C1 (element type), C2 (number of elements), C3 (quantized axis), C4 (output_shape). Source: spec.
    """

    operand: Value = operand_def()
    output_shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, per_axis=True)
        b = tensor_type(self, self.result_type, "result", per_axis=True)
        check_reshaped(self, a, b)
        if a.is_static and b.is_static:
            self.require(a.element_count == b.element_count, "C2", f"{a} and {b} differ in their number of elements")
        index_vector(self, self.output_shape, "C4", b.rank, "output_shape")


@op("stablehlo.dynamic_pad", PURE)
class DynamicPadOp(Op):
    """pad with amounts that are known at run time. Errors: I2, C1 (element types), C2 (sizes), C4 (rank).

    C3 (negative interior_padding) is looked at where that is a constant. Source: spec, dynamic_pad.
    """

    operand: Value = operand_def()
    padding_value: Value = operand_def()
    edge_padding_low: Value = operand_def()
    edge_padding_high: Value = operand_def()
    interior_padding: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, v = tensor_type(self, self.operand), tensor_type(self, self.padding_value, "I2")
        out = tensor_type(self, self.result_type, "result")
        self.require(v.rank == 0, "I2", f"padding_value must have rank 0, found {v}")
        same_dtype(self, (t, v, out), "C1", "operand, padding_value and result")
        index_vector(self, self.edge_padding_low, "C2", t.rank, "edge_padding_low")
        index_vector(self, self.edge_padding_high, "C2", t.rank, "edge_padding_high")
        index_vector(self, self.interior_padding, "C2", t.rank, "interior_padding")
        interior = constant_elements(self.interior_padding)
        if interior is not None:
            amounts = [int(n) for n in interior.array.ravel()]
            self.require(min(amounts, default=0) >= 0, "C3", f"interior_padding {amounts} must not be negative")
        self.require(out.rank == t.rank, "C4", f"the result must have rank {t.rank}, found {out}")


@op("stablehlo.real_dynamic_slice", PURE)
class RealDynamicSliceOp(Op):
    """slice with bounds and strides that are known at run time. Errors: C1 (element type), C2 (sizes), C5 (rank)."""

    operand: Value = operand_def()
    start_indices: Value = operand_def()
    limit_indices: Value = operand_def()
    strides: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, out = tensor_type(self, self.operand), tensor_type(self, self.result_type, "result")
        same_dtype(self, (t, out), "C1", "operand and result")
        index_vector(self, self.start_indices, "C2", t.rank, "start_indices")
        index_vector(self, self.limit_indices, "C2", t.rank, "limit_indices")
        index_vector(self, self.strides, "C2", t.rank, "strides")
        self.require(out.rank == t.rank, "C5", f"the result must have rank {t.rank}, found {out}")
        merge_shapes(self, ((None,) * t.rank, out.shape), "C5", "operand and result")
