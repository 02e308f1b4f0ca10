"""Loops, branches and calls, by the names of functions or with regions; and what is there for people to see."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import numbers
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import (
    attr_def,
    op,
    op_base,
    operand_def,
    region_def,
    regions_def,
    result_types_def,
    variadic_def,
)
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, TensorType, Type, types_compatible
from tesselle.support.dtypes import I32


def _function(op_: Op, ref: SymbolRef, label: str, inputs: int, results: int | None) -> None:
    """`ref` names a function with so many arguments and results."""
    if op_.parent_op is None:
        return
    target = lookup(op_, ref)
    t = target.attributes.get("function_type") if target is not None else None
    if not isinstance(t, FunctionType):
        op_.fail(label, f"there is no function {ref}")
    assert isinstance(t, FunctionType)
    op_.require(len(t.inputs) == inputs, label, f"{ref} takes {len(t.inputs)} arguments, found {inputs}")
    if results is not None:
        op_.require(len(t.results) == results, label, f"{ref} has {len(t.results)} results, expected {results}")


@op_base
class WhileBase(Op):
    """while cond(state): state = body(state). Errors: results (types), cond, body (functions)."""

    input: Sequence[Value] = variadic_def()
    cond: SymbolRef = attr_def()
    body: SymbolRef = attr_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        check_state(self)
        count = len(self.operands)
        _function(self, self.cond, "cond", count, 1)
        _function(self, self.body, "body", count, count)


def check_state(op_: Op) -> None:
    """A loop gives as many values as it takes, of types that may be the same."""
    fits = len(op_.operands) == len(op_.results)
    fits = fits and all(types_compatible(v.type, r.type) for v, r in zip(op_.operands, op_.results, strict=True))
    op_.require(fits, "results", "the results must have the operands' types")


@op("tf.While")
class WhileOp(WhileBase):
    """A loop of functions that may read and write variables."""


@op("tf.StatelessWhile")
class StatelessWhileOp(WhileBase):
    """A loop of functions without effects."""


@op("tf.WhileRegion")
class WhileRegionOp(Op):
    """A loop of regions. Errors: results (types)."""

    input: Sequence[Value] = variadic_def()
    cond: Region = region_def()
    body: Region = region_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        check_state(self)


@op_base
class IfBase(Op):
    """cond ? then_branch(…) : else_branch(…). Errors: then_branch, else_branch (functions)."""

    cond: Value = operand_def()
    input: Sequence[Value] = variadic_def()
    then_branch: SymbolRef = attr_def()
    else_branch: SymbolRef = attr_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        for label, ref in (("then_branch", self.then_branch), ("else_branch", self.else_branch)):
            _function(self, ref, label, len(self.input), len(self.results))


@op("tf.If")
class IfOp(IfBase):
    """A branch of functions that may read and write variables."""


@op("tf.StatelessIf")
class StatelessIfOp(IfBase):
    """A branch of functions without effects."""


@op("tf.IfRegion")
class IfRegionOp(Op):
    """cond ? then_branch() : else_branch(), of regions."""

    cond: Value = operand_def()
    then_branch: Region = region_def()
    else_branch: Region = region_def()
    types: Sequence[Type] = result_types_def()


@op_base
class CaseBase(Op):
    """branches[branch_index](…), the last one where the index lies outside. Errors: branch_index, branches."""

    branch_index: Value = operand_def()
    input: Sequence[Value] = variadic_def()
    branches: tuple[SymbolRef, ...] = attr_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        t = numbers(self, self.branch_index, "branch_index")
        self.require(t == TensorType((), I32), "branch_index", f"expected tensor<i32>, found {t}")
        self.require(len(self.branches) > 0, "branches", "expected a branch")
        for ref in self.branches:
            _function(self, ref, "branches", len(self.input), len(self.results))


@op("tf.Case")
class CaseOp(CaseBase):
    """A choice of functions that may read and write variables."""


@op("tf.StatelessCase")
class StatelessCaseOp(CaseBase):
    """A choice of functions without effects."""


@op("tf.CaseRegion")
class CaseRegionOp(Op):
    """branches[branch_index](), of regions. Errors: branch_index, branches."""

    branch_index: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    branches: Sequence[Region] = regions_def()

    def check(self) -> None:
        t = numbers(self, self.branch_index, "branch_index")
        self.require(t == TensorType((), I32), "branch_index", f"expected tensor<i32>, found {t}")
        self.require(len(self.regions) > 0, "branches", "expected a branch")


@op("tf.Yield", PURE, TERMINATOR)
class YieldOp(Op):
    """Ends a region with its values."""

    values: Sequence[Value] = variadic_def()


@op_base
class CallBase(Op):
    """f(…). Errors: f (function)."""

    args: Sequence[Value] = variadic_def()
    f: SymbolRef = attr_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        _function(self, self.f, "f", len(self.operands), len(self.results))


@op("tf.PartitionedCall")
class PartitionedCallOp(CallBase):
    """A call of a function without effects."""


@op("tf.StatefulPartitionedCall")
class StatefulPartitionedCallOp(CallBase):
    """A call of a function that may read and write variables."""


@op("tf.LegacyCall")
class LegacyCallOp(CallBase):
    """A call of a function."""


# ---------------------------------------------------------------------------------------------- for people


@op("tf.NoOp")
class NoOpOp(Op):
    """Nothing."""


@op("tf.Assert")
class AssertOp(Op):
    """TensorFlow stops with the data where the condition does not hold; compiled programs go on."""

    condition: Value = operand_def()
    data: Sequence[Value] = variadic_def()


@op("tf.StringFormat", PURE)
class StringFormatOp(Op):
    """A text with the operands in it. It has a lowering where it is printed only."""

    inputs: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()


@op("tf.PrintV2")
class PrintV2Op(Op):
    """TensorFlow prints the text; compiled programs do not."""

    input: Value = operand_def()


@op("tf.Print")
class PrintOp(Op):
    """The operand; TensorFlow prints the data, compiled programs do not."""

    input: Value = operand_def()
    data: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()
