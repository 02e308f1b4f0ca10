"""vm: one operation for each instruction of the virtual machine, made from its table, so that there is no second one.

`vm.add.i64` is the instruction `add.i64`: register operands are operands, immediates are attributes under their names
in the table, lists of registers are variadic operands. A list of bindings becomes variadic `offsets` and `lengths` and
the attributes `slots` and `access`. Branches, calls and functions are declared by hand: they hold block arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tesselle.artifact import vm_isa
from tesselle.artifact.vm_isa import Instruction, OperandKind, RegisterType
from tesselle.dialects.vm.types import VM_TYPES
from tesselle.ir.core import ISOLATED, PURE, TERMINATOR, Block, Op, Region, Trait, Value
from tesselle.ir.declare import (
    attr_def,
    op,
    operand_def,
    region_def,
    result_types_def,
    successor_def,
    variadic_def,
)
from tesselle.ir.types import DType, TensorType, Type


@op("vm.func", ISOLATED)
class FuncOp(Op):
    """A function of the host program: a control-flow graph."""

    sym_name: str = attr_def()
    argument_types: tuple[Type, ...] = attr_def()
    result_types_: tuple[Type, ...] = attr_def(name="function_results")
    body: Region = region_def()
    is_exported: bool = attr_def(default=True)


@op("vm.global")
class GlobalOp(Op):
    """A variable of each session. `tensor`: what the buffer view is, where the variable is the program's own."""

    sym_name: str = attr_def()
    type: Type = attr_def()
    tensor: TensorType | None = attr_def(default=None)


@op("vm.br", TERMINATOR)
class BranchOp(Op):
    """Jump; `arguments` become those of the block."""

    arguments: Sequence[Value] = variadic_def()
    target: Block = successor_def()


@op("vm.cond_br", TERMINATOR)
class CondBranchOp(Op):
    """Jump by condition != 0."""

    condition: Value = operand_def()
    then_arguments: Sequence[Value] = variadic_def()
    else_arguments: Sequence[Value] = variadic_def()
    then_target: Block = successor_def()
    else_target: Block = successor_def()


@op("vm.call")
class CallOp(Op):
    """Call a function of the module."""

    arguments: Sequence[Value] = variadic_def()
    callee: str = attr_def()
    result_types_: Sequence[Type] = result_types_def()


@op("vm.return", TERMINATOR)
class ReturnOp(Op):
    """Return to the caller."""

    values: Sequence[Value] = variadic_def()


_IMMEDIATES: dict[OperandKind, type] = {
    OperandKind.IMM_I32: int,
    OperandKind.IMM_I64: int,
    OperandKind.IMM_F32: float,
    OperandKind.IMM_F64: float,
    OperandKind.DTYPE: DType,
    OperandKind.STRING: str,
    OperandKind.FUNCTION: str,
    OperandKind.GLOBAL: str,
}
"""The Python type of each kind of immediate."""

_BY_HAND = frozenset(("br", "cond_br", "call", "return"))
_PURE_PREFIXES = ("const.", "mov.", "select.", "cmp.", "ext", "trunc.", "convert_", "bitcast.")
_ARITHMETIC = frozenset(
    "add sub mul div div_s div_u rem rem_s rem_u and or xor shl shr_s shr_u min_s max_s min_u max_u min max pow neg abs"
    " floor ceil sqrt".split()
)


def is_pure(row: Instruction) -> bool:
    """Whether the instruction only computes its results."""
    return row.name.startswith(_PURE_PREFIXES) or row.name.rsplit(".", 1)[0] in _ARITHMETIC


class InstructionOp(Op):
    """Base of the operations made from the table; `ROW` is the instruction."""

    __slots__ = ()
    ROW: Instruction


def _declare(row: Instruction) -> type[InstructionOp]:
    types_of_attributes: dict[str, Any] = {}
    fields: dict[str, Any] = {"__doc__": row.description, "__slots__": (), "ROW": row}
    fields["__annotations__"] = types_of_attributes
    for p in row.operands:
        if p.kind.is_register:
            fields[f"{p.name}_"] = operand_def()
        elif p.kind.is_register_list:
            fields[f"{p.name}_"] = variadic_def()
        elif p.kind is OperandKind.BINDINGS:
            fields["offsets"], fields["lengths"] = variadic_def(), variadic_def()
            fields["slots"], fields["access"] = attr_def(), attr_def()
            types_of_attributes.update(slots=tuple[int, ...], access=tuple[int, ...])
        else:
            fields[f"{p.name}_"] = attr_def(name=p.name)
            types_of_attributes[f"{p.name}_"] = _IMMEDIATES[p.kind]
    types = [VM_TYPES[RegisterType(r.kind.value)] for r in row.results]

    def infer(self: Op) -> Sequence[Type]:
        return types

    if types:
        fields["infer"] = infer
    traits: list[Trait] = [PURE] if is_pure(row) else []
    if row.is_terminator:
        traits.append(TERMINATOR)
    name = "".join(part.capitalize() for part in row.name.replace(".", "_").split("_")) + "Op"
    cls: type[InstructionOp] = type(name, (InstructionOp,), fields)
    return op(f"vm.{row.name}", *traits)(cls)


INSTRUCTION_OPS: dict[str, type[InstructionOp]] = {
    row.name: _declare(row) for row in vm_isa.INSTRUCTIONS if row.name not in _BY_HAND
}
"""The operation of each instruction, by the instruction's name."""


def instruction(name: str, *fields: Any) -> InstructionOp:
    """The operation for instruction `name`; fields as in the table, a list of bindings as four."""
    return INSTRUCTION_OPS[name](*fields)
