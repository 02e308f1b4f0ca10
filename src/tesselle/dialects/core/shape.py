"""shape: arithmetic on shapes, as TensorFlow and torch-mlir write it around StableHLO. Source: MLIR, shape dialect.

A shape is a tensor of extents of type index, or `!shape.shape`; a size is an index value, or `!shape.size`. A witness
says that a constraint holds. There are no error shapes: what does not fit fails the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tesselle.ir.attribute_types import TypedScalar
from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import (
    attr_def,
    op,
    op_base,
    operand_def,
    region_def,
    result_type_def,
    result_types_def,
    variadic_def,
)
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import I1, INDEX


@dataclass(frozen=True, slots=True)
class ShapeType(Type):
    """`!shape.shape`: extents, of any number."""

    def __str__(self) -> str:
        return "!shape.shape"


@dataclass(frozen=True, slots=True)
class SizeType(Type):
    """`!shape.size`: a number of elements."""

    def __str__(self) -> str:
        return "!shape.size"


@dataclass(frozen=True, slots=True)
class WitnessType(Type):
    """`!shape.witness`: that a constraint holds."""

    def __str__(self) -> str:
        return "!shape.witness"


SHAPE, SIZE, WITNESS = ShapeType(), SizeType(), WitnessType()


def is_extents(t: Type) -> bool:
    """Whether a type is that of a tensor of extents."""
    return isinstance(t, TensorType) and t.rank == 1 and t.dtype is INDEX


def require_shape(op_: Op, value: Value | Type, what: str) -> None:
    """A shape: `!shape.shape`, or a vector of index values."""
    t = value.type if isinstance(value, Value) else value
    op_.require(t == SHAPE or is_extents(t), "shape", f"{what} must be a shape, found {t}")


def require_size(op_: Op, value: Value | Type, what: str) -> None:
    """A size: `!shape.size`, or index."""
    t = value.type if isinstance(value, Value) else value
    op_.require(t in (SIZE, INDEX), "size", f"{what} must be a size, found {t}")


# ---------------------------------------------------------------------------------------------- making shapes


@op("shape.shape_of", PURE)
class ShapeOfOp(Op):
    """The extents of a tensor. Errors: tensor, shape (result), extents (their number)."""

    operand: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        t = self.operand.type
        self.require(isinstance(t, TensorType), "tensor", f"expected a tensor, found {t}")
        require_shape(self, self.result_type, "the result")
        out = self.result_type
        if isinstance(out, TensorType) and isinstance(t, TensorType) and out.shape[0] is not None:
            self.require(out.shape[0] == t.rank, "extents", f"{t} has {t.rank} extents, the result is {out}")


@op("shape.const_shape", PURE)
class ConstShapeOp(Op):
    """The shape `shape`. Errors: shape (result), extents (their number), negative."""

    shape: tuple[int, ...] = attr_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        require_shape(self, self.result_type, "the result")
        out, count = self.result_type, len(self.shape)
        self.require(all(n >= 0 for n in self.shape), "negative", f"an extent of {list(self.shape)} is negative")
        if isinstance(out, TensorType) and out.shape[0] is not None:
            self.require(out.shape[0] == count, "extents", f"{count} extents, the result is {out}")


@op("shape.const_size", PURE)
class ConstSizeOp(Op):
    """The size `value`."""

    value: Annotated[int, TypedScalar(INDEX)] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [SIZE]


@op("shape.from_extents", PURE)
class FromExtentsOp(Op):
    """The shape of these sizes. Errors: size."""

    extents: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        for v in self.extents:
            require_size(self, v, "an extent")
        return [SHAPE]


@op("shape.from_extent_tensor", PURE)
class FromExtentTensorOp(Op):
    """The shape that a tensor of extents is. Errors: shape."""

    input: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        require_shape(self, self.input, "the operand")
        return [SHAPE]


@op("shape.to_extent_tensor", PURE)
class ToExtentTensorOp(Op):
    """A shape as a tensor of extents, whose number the result's type may say. Errors: shape, extents."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_shape(self, self.input, "the operand")
        self.require(is_extents(self.result_type), "extents", f"the result must hold extents, found {self.result_type}")


@op("shape.broadcast", PURE)
class BroadcastOp(Op):
    """The shape that all shapes broadcast to: extents of 1 repeat, ranks are filled up in front. Errors: shape."""

    shapes: Sequence[Value] = variadic_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        for v in self.shapes:
            require_shape(self, v, "an operand")
        require_shape(self, self.result_type, "the result")


@op("shape.concat", PURE)
class ConcatOp(Op):
    """The extents of one shape, then of the other. Errors: shape."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        for v in self.operands:
            require_shape(self, v, "an operand")
        require_shape(self, self.result_type, "the result")


@op("shape.split_at", PURE)
class SplitAtOp(Op):
    """The extents in front of `index`, and the others; a negative index counts from the end. Errors: shape, size."""

    operand: Value = operand_def()
    index: Value = operand_def()
    result_types_: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_shape(self, self.operand, "the operand")
        require_size(self, self.index, "the index")
        self.require(len(self.results) == 2, "results", f"expected 2 results, found {len(self.results)}")
        for r in self.results:
            require_shape(self, r, "a result")


@op("shape.any", PURE)
class AnyOp(Op):
    """Any of several shapes that are the same. Errors: shape, operands (none)."""

    inputs: Sequence[Value] = variadic_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        self.require(bool(self.inputs), "operands", "expected an operand")
        for v in self.inputs:
            require_shape(self, v, "an operand")
        require_shape(self, self.result_type, "the result")


# ---------------------------------------------------------------------------------------------- sizes


@op("shape.get_extent", PURE)
class GetExtentOp(Op):
    """Extent number `dim`. Errors: shape, size."""

    shape: Value = operand_def()
    dim: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        require_shape(self, self.shape, "the operand")
        require_size(self, self.dim, "the dimension")
        require_size(self, self.result_type, "the result")


@op("shape.dim", PURE)
class DimOp(Op):
    """The size of dimension `index` of a tensor. Errors: tensor, size."""

    value: Value = operand_def()
    index: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        t = self.value.type
        self.require(isinstance(t, TensorType), "tensor", f"expected a tensor, found {t}")
        require_size(self, self.index, "the dimension")
        require_size(self, self.result_type, "the result")


@op("shape.rank", PURE)
class RankOp(Op):
    """The number of extents. Errors: shape, size."""

    shape: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        require_shape(self, self.shape, "the operand")
        require_size(self, self.result_type, "the result")


@op("shape.num_elements", PURE)
class NumElementsOp(Op):
    """The product of the extents. Errors: shape, size."""

    shape: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        require_shape(self, self.shape, "the operand")
        require_size(self, self.result_type, "the result")


@op_base
class SizeArithmeticOp(Op):
    """lhs ⊕ rhs on sizes. Errors: size."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        for v in self.operands:
            require_size(self, v, "an operand")
        require_size(self, self.result_type, "the result")


@op("shape.add", PURE)
class AddOp(SizeArithmeticOp):
    """lhs + rhs."""


@op("shape.mul", PURE)
class MulOp(SizeArithmeticOp):
    """lhs * rhs."""


@op("shape.div", PURE)
class DivOp(SizeArithmeticOp):
    """lhs / rhs, rounded down."""


@op("shape.max", PURE)
class MaxOp(SizeArithmeticOp):
    """The larger of two sizes."""


@op("shape.min", PURE)
class MinOp(SizeArithmeticOp):
    """The smaller of two sizes."""


@op("shape.index_to_size", PURE)
class IndexToSizeOp(Op):
    """An index as a size. Errors: size."""

    arg: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        require_size(self, self.arg, "the operand")
        return [SIZE]


@op("shape.size_to_index", PURE)
class SizeToIndexOp(Op):
    """A size as an index. Errors: size."""

    arg: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        require_size(self, self.arg, "the operand")
        return [INDEX]


@op("shape.reduce", PURE)
class ReduceOp(Op):
    """Folds the extents: body(number, extent, carried…) gives the carried values. Errors: shape, body."""

    shape: Value = operand_def()
    init: Sequence[Value] = variadic_def()
    body: Region = region_def()
    result_types_: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_shape(self, self.shape, "the operand")
        found = [a.type for a in self.body.block.args]
        carried = [v.type for v in self.init]
        self.require(found[2:] == carried == list(self.result_types), "body", f"carries {found[2:]}, not {carried}")
        self.require(len(found) >= 2 and found[0] == INDEX, "body", "takes a number and an extent first")


@op("shape.yield", TERMINATOR)
class YieldOp(Op):
    """Ends the body of shape.reduce."""

    values: Sequence[Value] = variadic_def()


# ---------------------------------------------------------------------------------------------- constraints


@op_base
class ShapesOp(Op):
    """Asks something about two shapes or more. Errors: shape, operands (fewer than two)."""

    shapes: Sequence[Value] = variadic_def()

    def _check_shapes(self) -> None:
        self.require(len(self.shapes) >= 2, "operands", f"expected 2 shapes or more, found {len(self.shapes)}")
        for v in self.shapes:
            require_shape(self, v, "an operand")


@op("shape.shape_eq", PURE)
class ShapeEqOp(ShapesOp):
    """Whether all shapes are the same."""

    def infer(self) -> Sequence[Type]:
        self._check_shapes()
        return [I1]


@op("shape.is_broadcastable", PURE)
class IsBroadcastableOp(ShapesOp):
    """Whether the shapes broadcast to one."""

    def infer(self) -> Sequence[Type]:
        self._check_shapes()
        return [I1]


@op("shape.cstr_eq")
class CstrEqOp(ShapesOp):
    """The program fails unless all shapes are the same."""

    def infer(self) -> Sequence[Type]:
        self._check_shapes()
        return [WITNESS]


@op("shape.cstr_broadcastable")
class CstrBroadcastableOp(ShapesOp):
    """The program fails unless the shapes broadcast to one."""

    def infer(self) -> Sequence[Type]:
        self._check_shapes()
        return [WITNESS]


@op("shape.cstr_require")
class CstrRequireOp(Op):
    """The program fails with `msg` unless `pred` holds. Errors: pred."""

    pred: Value = operand_def()
    msg: str = attr_def()

    def infer(self) -> Sequence[Type]:
        self.require(self.pred.type == I1, "pred", f"expected i1, found {self.pred.type}")
        return [WITNESS]


@op("shape.const_witness")
class ConstWitnessOp(Op):
    """A witness that `passing` says: false fails the program."""

    passing: bool = attr_def()

    def infer(self) -> Sequence[Type]:
        return [WITNESS]


@op("shape.assuming_all", PURE)
class AssumingAllOp(Op):
    """That all constraints hold. Errors: witness."""

    inputs: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        for v in self.inputs:
            self.require(v.type == WITNESS, "witness", f"expected a witness, found {v.type}")
        return [WITNESS]


@op("shape.assuming")
class AssumingOp(Op):
    """What the body gives, which takes for granted what `witness` says. Errors: witness, body."""

    witness: Value = operand_def()
    result_types_: Sequence[Type] = result_types_def()
    body: Region = region_def()

    def check(self) -> None:
        self.require(self.witness.type == WITNESS, "witness", f"expected a witness, found {self.witness.type}")
        last = self.body.block.last
        given = [v.type for v in last.operands] if isinstance(last, AssumingYieldOp) else None
        self.require(given == list(self.result_types), "body", "must end in shape.assuming_yield of the results")


@op("shape.assuming_yield", TERMINATOR)
class AssumingYieldOp(Op):
    """Ends the body of shape.assuming."""

    values: Sequence[Value] = variadic_def()
