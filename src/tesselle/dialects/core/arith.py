"""arith: scalar, vector and tensor arithmetic.

Integer types may be signed or unsigned (`i32`, `ui32`); the operation says how bits are read (`divsi`, `divui`), never
the type. Integer arithmetic wraps. Source: MLIR, arith dialect.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import COMMUTATIVE, CONSTANT_LIKE, ELEMENTWISE, PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import DType, TensorType, Type, VectorType
from tesselle.support.dtypes import I1


def with_element(type: Type, dtype: DType) -> Type:
    """`type` with another element type, keeping its shape."""
    if isinstance(type, TensorType):
        return TensorType(type.shape, dtype, type.encoding)
    if isinstance(type, VectorType):
        return VectorType(type.shape, dtype)
    return dtype


def element_of(type: Type) -> DType:
    """The element type of a shaped type, or the scalar type itself."""
    if isinstance(type, TensorType | VectorType):
        return type.dtype
    if isinstance(type, DType):
        return type
    raise TypeError(f"{type} has no element type")


class CmpIPredicate(enum.Enum):
    EQ = "eq"
    NE = "ne"
    SLT = "slt"
    SLE = "sle"
    SGT = "sgt"
    SGE = "sge"
    ULT = "ult"
    ULE = "ule"
    UGT = "ugt"
    UGE = "uge"


class CmpFPredicate(enum.Enum):
    """Ordered (`o…`: false with nan) and unordered (`u…`: true with nan) comparisons."""

    OEQ = "oeq"
    OGT = "ogt"
    OGE = "oge"
    OLT = "olt"
    OLE = "ole"
    ONE = "one"
    ORD = "ord"
    UEQ = "ueq"
    UGT = "ugt"
    UGE = "uge"
    ULT = "ult"
    ULE = "ule"
    UNE = "une"
    UNO = "uno"


@op("arith.constant", PURE, CONSTANT_LIKE)
class ConstantOp(Op):
    """result = value. Scalars and index as Python numbers, tensors and vectors as DenseElements."""

    value: DenseElements | int | float | bool | complex = attr_def()
    result_type: Type = result_type_def()


@op_base
class BinaryOp(Op):
    """result[i] = lhs[i] ⊕ rhs[i]; operands and result have one type."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        self.require(
            self.lhs.type == self.rhs.type, "type", f"operands differ in type: {self.lhs.type}, {self.rhs.type}"
        )
        return [self.lhs.type]


@op_base
class UnaryOp(Op):
    """result[i] = f(operand[i]); operand and result have one type."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.operand.type]


@op_base
class CastOp(Op):
    """result[i] = convert(operand[i]); shapes are equal, the element type changes."""

    operand: Value = operand_def()
    result_type: Type = result_type_def()

    def check(self) -> None:
        want = with_element(self.operand.type, element_of(self.result_type))
        self.require(self.result_type == want, "type", f"result must have type {want}, found {self.result_type}")


@op("arith.addi", PURE, ELEMENTWISE, COMMUTATIVE)
class AddIOp(BinaryOp):
    """lhs + rhs, wrapping."""


@op("arith.subi", PURE, ELEMENTWISE)
class SubIOp(BinaryOp):
    """lhs - rhs, wrapping."""


@op("arith.muli", PURE, ELEMENTWISE, COMMUTATIVE)
class MulIOp(BinaryOp):
    """lhs * rhs, wrapping."""


@op("arith.divsi", PURE, ELEMENTWISE)
class DivSIOp(BinaryOp):
    """Signed division towards zero. x / 0 = -1 and MIN / -1 = MIN (XLA's results); never traps."""


@op("arith.divui", PURE, ELEMENTWISE)
class DivUIOp(BinaryOp):
    """Unsigned division. x / 0 = all ones; never traps."""


@op("arith.remsi", PURE, ELEMENTWISE)
class RemSIOp(BinaryOp):
    """Signed remainder with the sign of lhs. x % 0 = x, MIN % -1 = 0; never traps."""


@op("arith.remui", PURE, ELEMENTWISE)
class RemUIOp(BinaryOp):
    """Unsigned remainder. x % 0 = x; never traps."""


@op("arith.floordivsi", PURE, ELEMENTWISE)
class FloorDivSIOp(BinaryOp):
    """Signed division towards minus infinity (index arithmetic)."""


@op("arith.ceildivsi", PURE, ELEMENTWISE)
class CeilDivSIOp(BinaryOp):
    """Signed division towards plus infinity (index arithmetic)."""


@op("arith.andi", PURE, ELEMENTWISE, COMMUTATIVE)
class AndIOp(BinaryOp):
    """Bitwise and."""


@op("arith.ori", PURE, ELEMENTWISE, COMMUTATIVE)
class OrIOp(BinaryOp):
    """Bitwise or."""


@op("arith.xori", PURE, ELEMENTWISE, COMMUTATIVE)
class XOrIOp(BinaryOp):
    """Bitwise exclusive or."""


@op("arith.shli", PURE, ELEMENTWISE)
class ShLIOp(BinaryOp):
    """lhs << rhs; 0 when rhs (unsigned) reaches the width."""


@op("arith.shrsi", PURE, ELEMENTWISE)
class ShRSIOp(BinaryOp):
    """Arithmetic shift right; all sign bits when rhs (unsigned) reaches the width."""


@op("arith.shrui", PURE, ELEMENTWISE)
class ShRUIOp(BinaryOp):
    """Logical shift right; 0 when rhs (unsigned) reaches the width."""


@op("arith.minsi", PURE, ELEMENTWISE, COMMUTATIVE)
class MinSIOp(BinaryOp):
    """Signed minimum."""


@op("arith.minui", PURE, ELEMENTWISE, COMMUTATIVE)
class MinUIOp(BinaryOp):
    """Unsigned minimum."""


@op("arith.maxsi", PURE, ELEMENTWISE, COMMUTATIVE)
class MaxSIOp(BinaryOp):
    """Signed maximum."""


@op("arith.maxui", PURE, ELEMENTWISE, COMMUTATIVE)
class MaxUIOp(BinaryOp):
    """Unsigned maximum."""


@op("arith.addf", PURE, ELEMENTWISE, COMMUTATIVE)
class AddFOp(BinaryOp):
    """lhs + rhs."""


@op("arith.subf", PURE, ELEMENTWISE)
class SubFOp(BinaryOp):
    """lhs - rhs."""


@op("arith.mulf", PURE, ELEMENTWISE, COMMUTATIVE)
class MulFOp(BinaryOp):
    """lhs * rhs."""


@op("arith.divf", PURE, ELEMENTWISE)
class DivFOp(BinaryOp):
    """lhs / rhs."""


@op("arith.remf", PURE, ELEMENTWISE)
class RemFOp(BinaryOp):
    """C's fmod: remainder with the sign of lhs."""


@op("arith.minimumf", PURE, ELEMENTWISE, COMMUTATIVE)
class MinimumFOp(BinaryOp):
    """Minimum; nan if either is nan, -0 < +0."""


@op("arith.maximumf", PURE, ELEMENTWISE, COMMUTATIVE)
class MaximumFOp(BinaryOp):
    """Maximum; nan if either is nan, -0 < +0."""


@op("arith.minnumf", PURE, ELEMENTWISE, COMMUTATIVE)
class MinNumFOp(BinaryOp):
    """Minimum; the other one if one is nan."""


@op("arith.maxnumf", PURE, ELEMENTWISE, COMMUTATIVE)
class MaxNumFOp(BinaryOp):
    """Maximum; the other one if one is nan."""


@op("arith.negf", PURE, ELEMENTWISE)
class NegFOp(UnaryOp):
    """-operand (flips the sign bit, also of nan)."""


@op("arith.cmpi", PURE, ELEMENTWISE)
class CmpIOp(Op):
    """result[i] = lhs[i] ⋈ rhs[i] : i1."""

    predicate: CmpIPredicate = attr_def()
    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        self.require(self.lhs.type == self.rhs.type, "type", f"{self.lhs.type} differs from {self.rhs.type}")
        return [with_element(self.lhs.type, I1)]


@op("arith.cmpf", PURE, ELEMENTWISE)
class CmpFOp(Op):
    """result[i] = lhs[i] ⋈ rhs[i] : i1."""

    predicate: CmpFPredicate = attr_def()
    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        self.require(self.lhs.type == self.rhs.type, "type", f"{self.lhs.type} differs from {self.rhs.type}")
        return [with_element(self.lhs.type, I1)]


@op("arith.select", PURE, ELEMENTWISE)
class SelectOp(Op):
    """result[i] = condition[i] ? true_value[i] : false_value[i]; a scalar condition selects whole values."""

    condition: Value = operand_def()
    true_value: Value = operand_def()
    false_value: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        a, b, c = self.true_value.type, self.false_value.type, self.condition.type
        self.require(a == b, "type", f"{a} differs from {b}")
        self.require(c == I1 or c == with_element(a, I1), "condition", f"condition cannot have type {c}")
        return [a]


@op("arith.extsi", PURE, ELEMENTWISE)
class ExtSIOp(CastOp):
    """Sign-extend to a wider integer."""


@op("arith.extui", PURE, ELEMENTWISE)
class ExtUIOp(CastOp):
    """Zero-extend to a wider integer (i1: 0 or 1)."""


@op("arith.trunci", PURE, ELEMENTWISE)
class TruncIOp(CastOp):
    """Keep the low bits."""


@op("arith.extf", PURE, ELEMENTWISE)
class ExtFOp(CastOp):
    """To a wider float, exact."""


@op("arith.truncf", PURE, ELEMENTWISE)
class TruncFOp(CastOp):
    """To a narrower float, to nearest, ties to even."""


@op("arith.sitofp", PURE, ELEMENTWISE)
class SIToFPOp(CastOp):
    """Signed integer to float, to nearest."""


@op("arith.uitofp", PURE, ELEMENTWISE)
class UIToFPOp(CastOp):
    """Unsigned integer (or i1) to float, to nearest."""


@op("arith.fptosi", PURE, ELEMENTWISE)
class FPToSIOp(CastOp):
    """Float to signed integer towards zero; saturates, nan gives 0 (XLA's results)."""


@op("arith.fptoui", PURE, ELEMENTWISE)
class FPToUIOp(CastOp):
    """Float to unsigned integer towards zero; saturates, nan gives 0 (XLA's results)."""


@op("arith.bitcast", PURE, ELEMENTWISE)
class BitcastOp(CastOp):
    """The same bits read as another type of the same width; also between `iN` and `uiN`.

    Floats of less than 8 bits are read as bytes, too: bits above their code are 0. Errors: type, width.
    """

    def check(self) -> None:
        super().check()
        source, target = element_of(self.operand.type), element_of(self.result_type)
        fits = source.bits == target.bits or source.size_bytes == target.size_bytes == 1
        self.require(fits, "width", f"{source} has {source.bits} bits, {target} has {target.bits}")


@op("arith.index_cast", PURE, ELEMENTWISE)
class IndexCastOp(CastOp):
    """Between index and a signed integer: sign-extend or truncate."""


@op("arith.index_castui", PURE, ELEMENTWISE)
class IndexCastUIOp(CastOp):
    """Between index and an unsigned integer: zero-extend or truncate."""
