"""From vm IR to a VmModule, whose encoding is the artifact's host.vm."""

from __future__ import annotations

from collections.abc import Iterable

from tesselle.artifact.vm_isa import OperandKind, RegisterType
from tesselle.artifact.vm_module import (
    Binding,
    Operand,
    Result,
    VmFunction,
    VmGlobal,
    VmInstruction,
    VmLabel,
    VmModule,
)
from tesselle.codegen.vm.registers import Allocation, allocate, branch_arguments, has_cycle, parallel_moves
from tesselle.dialects.core import builtin
from tesselle.dialects.vm import ops as vm
from tesselle.dialects.vm.types import REGISTER_TYPES
from tesselle.ir.core import Block, Op, Value


def emit_module(module: builtin.ModuleOp) -> VmModule:
    """The host program of a module in vm form."""
    functions: list[VmFunction] = []
    variables: list[VmGlobal] = []
    for op in module.body:
        if isinstance(op, vm.FuncOp):
            functions.append(_FunctionEmitter(op).run())
        elif isinstance(op, vm.GlobalOp):
            variables.append(VmGlobal(op.sym_name, REGISTER_TYPES[op.type]))
    return VmModule(tuple(functions), tuple(variables))


class _FunctionEmitter:
    def __init__(self, function: vm.FuncOp) -> None:
        self.function = function
        self.allocation: Allocation = allocate(function.body)
        self.types = list(self.allocation.types)
        self.code: list[VmInstruction | VmLabel] = []
        self.labels = {block: f"bb{i}" for i, block in enumerate(function.body.blocks)}
        self.scratch: dict[RegisterType, int] = {}
        self.edges: list[tuple[str, Block, tuple[Value, ...]]] = []

    def run(self) -> VmFunction:
        blocks = self.function.body.blocks
        targets = {s for block in blocks for s in block.terminator.successors}
        for block in blocks:
            if block in targets:
                self.code.append(VmLabel(self.labels[block]))
            for op in block:
                self._operation(op)
        for label, target, arguments in self.edges:
            self.code.append(VmLabel(label))
            self._moves(target, arguments)
            self._emit("br", (self.labels[target],))
        return VmFunction(
            self.function.sym_name,
            len(blocks[0].args),
            tuple(self.types),
            tuple(REGISTER_TYPES[t] for t in self.function.result_types_),
            tuple(self.code),
            self.function.is_exported,
        )

    def _emit(self, name: str, operands: Iterable[Operand] = (), results: Iterable[Result] = ()) -> None:
        self.code.append(VmInstruction(name, tuple(operands), tuple(results)))

    def _register(self, value: Value) -> int:
        return self.allocation.registers[value]

    def _list(self, values: Iterable[Value]) -> tuple[int, ...]:
        return tuple(self._register(v) for v in values)

    def _moves(self, target: Block, arguments: tuple[Value, ...]) -> None:
        """Give a block its arguments."""
        by_type: dict[RegisterType, list[tuple[int, int]]] = {}
        for arg, value in zip(target.args, arguments, strict=True):
            moves = by_type.setdefault(REGISTER_TYPES[arg.type], [])
            moves.append((self._register(arg), self._register(value)))
        for t, moves in by_type.items():
            scratch = self._scratch(t) if has_cycle(moves) else None
            for to, source in parallel_moves(moves, scratch):
                self._emit(f"mov.{t.spelling}", (source,), (to,))

    def _scratch(self, t: RegisterType) -> int:
        if t not in self.scratch:
            self.types.append(t)
            self.scratch[t] = len(self.types) - 1
        return self.scratch[t]

    def _operation(self, op: Op) -> None:
        match op:
            case vm.BranchOp():
                self._moves(op.target, op.operands)
                self._emit("br", (self.labels[op.target],))
            case vm.CondBranchOp():
                names = [self._edge(op, i) for i in range(2)]
                self._emit("cond_br", (self._register(op.condition), *names))
            case vm.CallOp():
                self._emit("call", (op.callee, self._list(op.arguments)), (self._list(op.results),))
            case vm.ReturnOp():
                self._emit("return", (self._list(op.values),))
            case vm.InstructionOp():
                self._instruction(op)
            case _:
                raise TypeError(f"{op.name} is no operation of vm")

    def _edge(self, op: vm.CondBranchOp, index: int) -> str:
        """The label of a successor, or of the moves in front of it."""
        target = op.successors[index]
        arguments = branch_arguments(op, index)
        if not arguments:
            return self.labels[target]
        label = f"edge{len(self.edges)}"
        self.edges.append((label, target, arguments))
        return label

    def _instruction(self, op: vm.InstructionOp) -> None:
        operands: list[Operand] = []
        for p in op.ROW.operands:
            if p.kind.is_register:
                operands.append(self._register(getattr(op, f"{p.name}_")))
            elif p.kind.is_register_list:
                operands.append(self._list(getattr(op, f"{p.name}_")))
            elif p.kind is OperandKind.BINDINGS:
                fields = [getattr(op, name) for name in ("slots", "offsets", "lengths", "access")]
                rows = zip(*fields, strict=True)
                operands.append(
                    tuple(Binding(slot, self._register(o), self._register(n), access) for slot, o, n, access in rows)
                )
            else:
                operands.append(op.attributes[p.name])  # type: ignore[arg-type]  # the table says its kind
        self._emit(op.ROW.name, operands, [self._register(r) for r in op.results])
