"""Operations for the reference interpreter alone: grids of processes, printing, probing (InterpreterOps.td)."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import tensor_type
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_types_def, variadic_def
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, Type


@op("interpreter.run_parallel")
class RunParallelOp(Op):
    """Runs programs[replica][partition] as processes of one grid, at the same time.

    `inputs` are those of process (0, 0), then of (0, 1), …; the results likewise. `infeed` names functions without
    arguments: what the first gives is what the first infeed of the grid reads, and so on.
    Errors: C1 (programs are a grid), C2 (a program or infeed is no function), C3 (inputs), C4 (results).
    """

    inputs: Sequence[Value] = variadic_def()
    programs: tuple[tuple[SymbolRef, ...], ...] = attr_def()
    types: Sequence[Type] = result_types_def()
    infeed: tuple[SymbolRef, ...] = attr_def(default=())

    def check(self) -> None:
        columns = {len(row) for row in self.programs}
        self.require(len(columns) == 1 and 0 not in columns, "C1", "programs must be a grid: as many in every row")
        if self.parent_op is None:
            return
        functions = [self._function(name) for row in self.programs for name in row]
        for name in self.infeed:
            t = self._function(name)
            self.require(not t.inputs, "C2", f"{name} fills the infeed, and must not take arguments")
        self._same("C3", "inputs", [t for f in functions for t in f.inputs], [v.type for v in self.operands])
        self._same("C4", "results", [t for f in functions for t in f.results], list(self.result_types))

    def _function(self, name: SymbolRef) -> FunctionType:
        target = lookup(self, name)
        t = target.attributes.get("function_type") if target is not None else None
        if not isinstance(t, FunctionType):
            self.fail("C2", f"there is no function {name}")
        assert isinstance(t, FunctionType)
        return t

    def _same(self, label: str, what: str, expected: list[Type], found: list[Type]) -> None:
        texts = (", ".join(map(str, expected)), ", ".join(map(str, found)))
        self.require(expected == found, label, f"the {what} of the programs are ({texts[0]}), found ({texts[1]})")


@op("interpreter.print")
class PrintOp(Op):
    """operand, which is written to standard output. Errors: I1 (no tensor)."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, per_axis=True),)


@op("interpreter.probe")
class ProbeOp(Op):
    """operand, which is written to `PROBE_DIR/<probe_id>_<iteration>.npy`, counted from 1. Errors: I1 (no tensor)."""

    operand: Value = operand_def()
    probe_id: str = attr_def()

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, per_axis=True),)
