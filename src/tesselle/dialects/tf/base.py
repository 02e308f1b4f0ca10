"""What the declarations of TensorFlow's operations share: elementwise bases, and checks of operands.

Operations are those of TensorFlow's MLIR dialect `tf`, one for each kernel of its operation registry. Operands and
attributes have the registry's names. Attributes that only say where and how TensorFlow runs an operation (`device`,
`T`, `parallel_iterations`) are kept and not read. Source: TensorFlow, `tensorflow/core/api_def/base_api`, and
`tensorflow/core/ops` for shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tesselle.dialects.chlo.broadcast import broadcast_shape
from tesselle.dialects.stablehlo.base import (
    ANY,
    BOOL_OR_INTEGER,
    COMPLEX,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    INTEGER_OR_FLOAT,
    NUMBER,
    PLAIN,
    REAL,
    SIGNED_FLOAT_OR_COMPLEX,
    same_dtype,
    shape_text,
    tensor_type,
)
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import op_base, operand_def, result_type_def
from tesselle.ir.types import Dim, TensorType, Type, dims_compatible
from tesselle.support.dtypes import I1, DType, Kind

__all__ = [
    "ANY",
    "BOOL",
    "BOOL_OR_INTEGER",
    "COMPLEX",
    "FLOAT",
    "FLOAT_OR_COMPLEX",
    "INTEGER",
    "INTEGER_OR_FLOAT",
    "NUMBER",
    "PLAIN",
    "REAL",
    "SIGNED_FLOAT_OR_COMPLEX",
    "BinaryOp",
    "ComparisonOp",
    "GradientOp",
    "SameTypeOp",
    "UnaryOp",
    "axis_of",
    "numbers",
    "require_rank",
    "require_rank_in",
    "require_size_of",
    "same_dtype",
    "shape_text",
    "tensor_type",
    "vector",
]

BOOL = frozenset({Kind.BOOL})


@op_base
class SameTypeOp(Op):
    """The operand, of any type, handles among them."""

    input: Value = operand_def()
    result_type: Type = result_type_def()


@op_base
class UnaryOp(Op):
    """result[i] = f(x[i]). Errors: x (element type)."""

    KINDS: ClassVar[frozenset[Kind]] = FLOAT_OR_COMPLEX

    x: Value = operand_def()

    def result_dtype(self, dtype: DType) -> DType:
        return dtype

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.x, "x", self.KINDS)
        return (TensorType(t.shape, self.result_dtype(t.dtype)),)


@op_base
class BinaryOp(Op):
    """result = f(x, y), of operands broadcast to one shape by NumPy's rule.

    Errors: x, y (element type), C2 (shapes).
    """

    KINDS: ClassVar[frozenset[Kind]] = NUMBER

    x: Value = operand_def()
    y: Value = operand_def()

    def result_dtype(self, dtype: DType) -> DType:
        return dtype

    def infer(self) -> Sequence[Type]:
        a, b = tensor_type(self, self.x, "x", self.KINDS), tensor_type(self, self.y, "y", self.KINDS)
        dtype = self.result_dtype(same_dtype(self, (a, b), "y", "x and y"))
        return (TensorType(broadcast_shape(self, a.shape, b.shape), dtype),)


@op_base
class ComparisonOp(BinaryOp):
    """result = x <relation> y, as booleans, of operands broadcast to one shape. Errors: x, y (element type), C2."""

    KINDS = INTEGER_OR_FLOAT

    def result_dtype(self, dtype: DType) -> DType:
        return I1


@op_base
class GradientOp(Op):
    """The gradient of an elementwise function, of two operands of one type.

    Errors: x, y (element types, shapes).
    """

    KINDS: ClassVar[frozenset[Kind]] = FLOAT_OR_COMPLEX

    x: Value = operand_def()
    y: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        a, b = tensor_type(self, self.x, "x", self.KINDS), tensor_type(self, self.y, "y", self.KINDS)
        same_dtype(self, (a, b), "y", "the operands")
        if a.rank != b.rank or not all(map(dims_compatible, a.shape, b.shape)):
            self.fail("y", f"the operands must have one shape, found {a} and {b}")
        shape = tuple(m if n is None else n for n, m in zip(a.shape, b.shape, strict=True))
        return (TensorType(shape, a.dtype),)


# ---------------------------------------------------------------------------------------------- checks


def numbers(op_: Op, value: Value, label: str, kinds: frozenset[Kind] = ANY) -> TensorType:
    """The type of `value`, a tensor of numbers of one of `kinds`; fails rule `label` when it is another."""
    return tensor_type(op_, value, label, kinds)


def require_rank(op_: Op, t: TensorType, rank: int, label: str) -> None:
    op_.require(t.rank == rank, label, f"expected a tensor of rank {rank}, found {t}")


def require_rank_in(op_: Op, t: TensorType, low: int, high: int | None, label: str) -> None:
    """low <= rank <= high."""
    if t.rank < low or (high is not None and t.rank > high):
        wanted = f"at least {low}" if high is None else f"from {low} to {high}"
        op_.fail(label, f"expected a tensor of rank {wanted}, found {t}")


def vector(op_: Op, value: Value, label: str, size: Dim = None, kinds: frozenset[Kind] = INTEGER) -> TensorType:
    """The type of a tensor of rank 1 with `size` elements (any number when None)."""
    t = tensor_type(op_, value, label, kinds)
    require_rank(op_, t, 1, label)
    require_size_of(op_, t.shape[0], size, label, f"the elements of {t}")
    return t


def require_size_of(op_: Op, found: Dim, size: Dim, label: str, what: str) -> None:
    op_.require(dims_compatible(found, size), label, f"{what}: expected {size}, found {found}")


def axis_of(op_: Op, axis: int, rank: int, label: str) -> int:
    """A dimension, counted from the end where it is negative."""
    op_.require(-rank <= axis < rank, label, f"axis {axis} lies outside of rank {rank}")
    return axis % rank if rank else 0
