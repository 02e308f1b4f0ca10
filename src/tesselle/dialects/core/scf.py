"""scf: structured control flow."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.ir.core import TERMINATOR, Op, Region, Value
from tesselle.ir.declare import op, operand_def, region_def, result_types_def, variadic_def
from tesselle.ir.types import Type
from tesselle.support.dtypes import I1, INDEX


@op("scf.for")
class ForOp(Op):
    """for (i = lower; i < upper; i += step) iter_args = body(i, iter_args); results are the last iter_args.

    Body arguments: i : index, then the iteration values. Terminator: scf.yield.
    """

    lower: Value = operand_def()
    upper: Value = operand_def()
    step: Value = operand_def()
    init_args: Sequence[Value] = variadic_def()
    body: Region = region_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.init_args]

    def check(self) -> None:
        for v in (self.lower, self.upper, self.step):
            self.require(v.type == INDEX, "bounds", f"bounds and step are of type index, found {v.type}")
        want = (INDEX, *(v.type for v in self.init_args))
        have = tuple(a.type for a in self.body.block.args)
        self.require(want == have, "body", f"body takes {have}, expected {want}")


@op("scf.if")
class IfOp(Op):
    """results = condition ? then() : else(); the else region may be empty when there are no results."""

    condition: Value = operand_def()
    result_types_: Sequence[Type] = result_types_def()
    then_region: Region = region_def()
    else_region: Region = region_def(default=None)

    def check(self) -> None:
        self.require(self.condition.type == I1, "condition", f"condition is i1, found {self.condition.type}")
        self.require(not (self.results and self.else_region.is_empty), "else", "results need an else region")


@op("scf.while")
class WhileOp(Op):
    """args = init; loop: (c, forwarded) = before(args); if !c: results = forwarded; args = after(forwarded).

    `before` ends in scf.condition, `after` in scf.yield.
    """

    init_args: Sequence[Value] = variadic_def()
    result_types_: Sequence[Type] = result_types_def()
    before: Region = region_def()
    after: Region = region_def()


@op("scf.condition", TERMINATOR)
class ConditionOp(Op):
    condition: Value = operand_def()
    args: Sequence[Value] = variadic_def()


@op("scf.yield", TERMINATOR)
class YieldOp(Op):
    values: Sequence[Value] = variadic_def()
