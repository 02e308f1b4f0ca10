"""Expectations inside programs, which `tesselle check` runs; the names are those of StableHLO's `check` dialect."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from tesselle.ir.attribute_types import TypedScalar
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import attr_def, op, operand_def
from tesselle.ir.types import TensorType, types_compatible
from tesselle.support.dtypes import UI32, UI64

UInt32: TypeAlias = Annotated[int, TypedScalar(UI32)]
UInt64: TypeAlias = Annotated[int, TypedScalar(UI64)]
TOLERANCE = 1e-4
MAX_ULP = 3


class Expectation(Op):
    """An operation that compares its first operand with what was expected and has no result."""

    def require_same_type(self, found: object, expected: object) -> None:
        """C1: what is compared has the same shape and element type."""
        ok = (
            isinstance(found, TensorType)
            and isinstance(expected, TensorType)
            and found.dtype == expected.dtype
            and types_compatible(found, expected)
        )
        self.require(ok, "C1", f"the value has type {found}, what is expected has type {expected}")


class ExpectationOfValue(Expectation):
    """Compares two values."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def check(self) -> None:
        self.require_same_type(self.lhs.type, self.rhs.type)


class ExpectationOfConstant(Expectation):
    """Compares a value with a constant."""

    lhs: Value = operand_def()
    value: DenseElements = attr_def()

    def check(self) -> None:
        self.require_same_type(self.lhs.type, self.value.type)


@op("check.expect_eq")
class ExpectEqOp(ExpectationOfValue):
    """lhs == rhs in every element; nan equals nan, -0 equals 0. Errors: C1 (types). Source: CheckOps.td."""


@op("check.expect_eq_const")
class ExpectEqConstOp(ExpectationOfConstant):
    """lhs == value in every element; nan equals nan, -0 equals 0. Errors: C1 (types). Source: CheckOps.td."""


@op("check.expect_almost_eq")
class ExpectAlmostEqOp(ExpectationOfValue):
    """|lhs - rhs| ≤ tolerance in every element; nan equals nan, infinities themselves.

    Errors: C1 (types). Source: CheckOps.td.
    """

    tolerance: float = attr_def(default=TOLERANCE)


@op("check.expect_almost_eq_const")
class ExpectAlmostEqConstOp(ExpectationOfConstant):
    """|lhs - value| ≤ tolerance in every element; nan equals nan, infinities themselves.

    Errors: C1 (types). Source: CheckOps.td.
    """

    tolerance: float = attr_def(default=TOLERANCE)


@op("check.expect_close")
class ExpectCloseOp(Expectation):
    """The largest distance between `actual` and `expected`, counted in units in the last place, lies within bounds.

    The distance of two floats is the number of floats from one to the other; of numbers and nans or infinities, of
    infinities of different sign: 2^64 - 1. Complex numbers count by their parts.
    Errors: C1 (types). Source: CheckOps.td.
    """

    actual: Value = operand_def()
    expected: Value = operand_def()
    max_ulp_difference: UInt64 = attr_def(default=MAX_ULP)
    min_ulp_difference: UInt64 = attr_def(default=0)

    def check(self) -> None:
        self.require_same_type(self.actual.type, self.expected.type)


@op("check.expect_serialized_eq")
class ExpectSerializedEqOp(Expectation):
    """`expected` equals what `interpreter.probe` wrote under `probe_id` the `iteration`-th time.

    Source: CheckOps.td.
    """

    expected: Value = operand_def()
    probe_id: str = attr_def()
    iteration: UInt32 = attr_def(default=1)


@op("check.eq")
class EqOp(ExpectationOfConstant):
    """The name that check.expect_eq_const had at first, read for old programs. Errors: C1 (types)."""


@op("check.almost_eq")
class AlmostEqOp(ExpectationOfConstant):
    """The name that check.expect_almost_eq_const had at first, read for old programs. Errors: C1 (types)."""

    tolerance: float = attr_def(default=TOLERANCE)
