"""cf: checks, as torch-mlir writes them. Branches between blocks are scf here."""

from __future__ import annotations

from tesselle.ir.core import Op, Value
from tesselle.ir.declare import attr_def, op, operand_def
from tesselle.support.dtypes import I1


@op("cf.assert")
class AssertOp(Op):
    """The program fails with `msg` unless `arg` holds. Errors: arg. Source: MLIR, cf dialect."""

    arg: Value = operand_def()
    msg: str = attr_def()

    def check(self) -> None:
        self.require(self.arg.type == I1, "arg", f"expected i1, found {self.arg.type}")
