"""Elementwise operations that broadcast their operands to one shape, by NumPy's rule or by given dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tesselle.dialects.chlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.stablehlo.base import (
    ANY,
    BOOL_OR_INTEGER,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    NUMBER,
    same_dtype,
    tensor_type,
)
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.support.dtypes import C64, C128, F32, F64, I1, DType, Kind


def broadcast_dim(op_: Op, a: Dim, b: Dim) -> Dim:
    """The size of a dimension that holds both: 1 gives way; a dynamic one to any size above 1."""
    if a == b:
        return a
    if a == 1 or b == 1:
        return b if a == 1 else a
    if a is None or b is None:
        return b if a is None else a
    op_.fail("C2", f"sizes {a} and {b} do not broadcast")
    raise AssertionError


def broadcast_shape(op_: Op, a: Sequence[Dim], b: Sequence[Dim]) -> tuple[Dim, ...]:
    """NumPy's rule: shapes are aligned at their last dimension."""
    rank = max(len(a), len(b))
    wide_a, wide_b = (1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b)
    return tuple(broadcast_dim(op_, x, y) for x, y in zip(wide_a, wide_b, strict=True))


@op_base
class BroadcastingOp(Op):
    """result = f(lhs, rhs) of operands broadcast to one shape.

    `broadcast_dimensions`: to which dimensions of the operand of higher rank those of the other correspond; the last
    ones when absent. Errors: I1 (element type), C1 (element types differ), C2 (shapes), C3 (broadcast_dimensions).
    """

    KINDS: ClassVar[frozenset[Kind]] = ANY

    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def result_dtype(self, dtype: DType) -> DType:
        return dtype

    def infer(self) -> Sequence[Type]:
        a, b = tensor_type(self, self.lhs, "I1", self.KINDS), tensor_type(self, self.rhs, "I2", self.KINDS)
        dtype = self.result_dtype(same_dtype(self, (a, b), "C1", "lhs and rhs"))
        given = self.attributes.get("broadcast_dimensions")
        dims = [d for d in given if isinstance(d, int)] if isinstance(given, tuple) else None
        if dims is None or a.rank == b.rank:
            return (TensorType(broadcast_shape(self, a.shape, b.shape), dtype),)
        small, large = (a, b) if a.rank < b.rank else (b, a)
        if len(dims) != small.rank or dims != sorted(set(dims)) or any(not 0 <= d < large.rank for d in dims):
            self.fail("C3", f"broadcast_dimensions {dims} do not place {small} in {large}")
        shape = list(large.shape)
        for d, size in zip(dims, small.shape, strict=True):
            shape[d] = broadcast_dim(self, shape[d], size)
        return (TensorType(tuple(shape), dtype),)


@op_base
class BroadcastBinaryOp(BroadcastingOp):
    """A broadcasting operation without further attributes."""

    broadcast_dimensions: tuple[int, ...] | None = attr_def(default=None)


@op("chlo.broadcast_add", PURE)
class BroadcastAddOp(BroadcastBinaryOp):
    """`add` of operands broadcast to one shape."""

    KINDS = ANY


@op("chlo.broadcast_and", PURE)
class BroadcastAndOp(BroadcastBinaryOp):
    """`and` of operands broadcast to one shape."""

    KINDS = BOOL_OR_INTEGER


@op("chlo.broadcast_atan2", PURE)
class BroadcastAtan2Op(BroadcastBinaryOp):
    """`atan2` of operands broadcast to one shape."""

    KINDS = FLOAT_OR_COMPLEX


@op("chlo.broadcast_divide", PURE)
class BroadcastDivideOp(BroadcastBinaryOp):
    """`divide` of operands broadcast to one shape."""

    KINDS = NUMBER


@op("chlo.broadcast_maximum", PURE)
class BroadcastMaximumOp(BroadcastBinaryOp):
    """`maximum` of operands broadcast to one shape."""

    KINDS = ANY


@op("chlo.broadcast_minimum", PURE)
class BroadcastMinimumOp(BroadcastBinaryOp):
    """`minimum` of operands broadcast to one shape."""

    KINDS = ANY


@op("chlo.broadcast_multiply", PURE)
class BroadcastMultiplyOp(BroadcastBinaryOp):
    """`multiply` of operands broadcast to one shape."""

    KINDS = ANY


@op("chlo.broadcast_next_after", PURE)
class BroadcastNextAfterOp(BroadcastBinaryOp):
    """`next_after` of operands broadcast to one shape."""

    KINDS = FLOAT


@op("chlo.broadcast_or", PURE)
class BroadcastOrOp(BroadcastBinaryOp):
    """`or` of operands broadcast to one shape."""

    KINDS = BOOL_OR_INTEGER


@op("chlo.broadcast_polygamma", PURE)
class BroadcastPolygammaOp(BroadcastBinaryOp):
    """`polygamma` of operands broadcast to one shape."""

    KINDS = FLOAT


@op("chlo.broadcast_power", PURE)
class BroadcastPowerOp(BroadcastBinaryOp):
    """`power` of operands broadcast to one shape."""

    KINDS = NUMBER


@op("chlo.broadcast_remainder", PURE)
class BroadcastRemainderOp(BroadcastBinaryOp):
    """`remainder` of operands broadcast to one shape."""

    KINDS = NUMBER


@op("chlo.broadcast_shift_left", PURE)
class BroadcastShiftLeftOp(BroadcastBinaryOp):
    """`shift_left` of operands broadcast to one shape."""

    KINDS = INTEGER


@op("chlo.broadcast_shift_right_arithmetic", PURE)
class BroadcastShiftRightArithmeticOp(BroadcastBinaryOp):
    """`shift_right_arithmetic` of operands broadcast to one shape."""

    KINDS = INTEGER


@op("chlo.broadcast_shift_right_logical", PURE)
class BroadcastShiftRightLogicalOp(BroadcastBinaryOp):
    """`shift_right_logical` of operands broadcast to one shape."""

    KINDS = INTEGER


@op("chlo.broadcast_subtract", PURE)
class BroadcastSubtractOp(BroadcastBinaryOp):
    """`subtract` of operands broadcast to one shape."""

    KINDS = NUMBER


@op("chlo.broadcast_xor", PURE)
class BroadcastXorOp(BroadcastBinaryOp):
    """`xor` of operands broadcast to one shape."""

    KINDS = BOOL_OR_INTEGER


@op("chlo.broadcast_zeta", PURE)
class BroadcastZetaOp(BroadcastBinaryOp):
    """`zeta` of operands broadcast to one shape."""

    KINDS = FLOAT


@op("chlo.broadcast_compare", PURE)
class BroadcastCompareOp(BroadcastingOp):
    """`compare` of operands broadcast to one shape."""

    comparison_direction: ComparisonDirection = attr_def()
    broadcast_dimensions: tuple[int, ...] | None = attr_def(default=None)
    compare_type: ComparisonType | None = attr_def(default=None)

    def result_dtype(self, dtype: DType) -> DType:
        return I1


@op("chlo.broadcast_complex", PURE)
class BroadcastComplexOp(BroadcastBinaryOp):
    """`complex` of operands broadcast to one shape."""

    KINDS = FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        self.require(dtype in (F32, F64), "I1", f"expected f32 or f64, found {dtype}")
        return C64 if dtype is F32 else C128


@op("chlo.broadcast_select", PURE)
class BroadcastSelectOp(Op):
    """`select` of operands broadcast to one shape. Errors: I1 (pred), C1 (element types), C2 (shapes)."""

    pred: Value = operand_def()
    on_true: Value = operand_def()
    on_false: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        p = tensor_type(self, self.pred)
        self.require(p.dtype is I1, "I1", f"pred must be i1, found {p.dtype}")
        a, b = tensor_type(self, self.on_true, "I2"), tensor_type(self, self.on_false, "I3")
        dtype = same_dtype(self, (a, b), "C1", "on_true and on_false")
        shape = broadcast_shape(self, a.shape, b.shape)
        return (TensorType(broadcast_shape(self, p.shape, shape), dtype),)
