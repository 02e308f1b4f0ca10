"""sink-constants: constants are made in the blocks that use them.

What only the first call does (recording command buffers) then costs later calls nothing, not even its constants.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.vm import ops as vm
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass


@register_pass("sink-constants", needs=[Fact.VM])
@dataclass(frozen=True)
class SinkConstants(Pass):
    """Move or copy each vm.const to in front of its first use in every block that uses it.

    ^bb0: %0 = vm.const.i64 8; vm.cond_br %c, ^bb1, ^bb2  ->  ^bb0: vm.cond_br %c, ^bb1, ^bb2
    ^bb1: use(%0)                                             ^bb1: %0 = vm.const.i64 8; use(%0)
    """

    def run(self, module: Op) -> None:
        for function in list(module.walk()):
            if isinstance(function, vm.FuncOp):
                _sink(function)


def _is_constant(value: Value) -> bool:
    op = value.defining_op
    return isinstance(op, vm.InstructionOp) and op.ROW.name.startswith("const.")


def _sink(function: vm.FuncOp) -> None:
    made: dict[tuple[Block, Value], Value] = {}
    old: dict[Op, None] = {}
    for block in function.body.blocks:
        for op in block:
            for i, value in enumerate(op.operands):
                if not _is_constant(value):
                    continue
                maker = value.defining_op
                assert maker is not None
                copy = made.get((block, value))
                if copy is None:
                    new = maker.clone()
                    block.insert(new, op)
                    copy = made[(block, value)] = new.results[0]
                    old[maker] = None
                op.set_operand(i, copy)
    for maker in old:
        maker.erase()
