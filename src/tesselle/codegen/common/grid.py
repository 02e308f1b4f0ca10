"""The grid of a dispatch: built while a kernel is lowered, from sizes that the kernel knows, and run by the host."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.flow.ops import ReturnOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Value
from tesselle.support.diagnostics import CompilerError
from tesselle.support.dtypes import INDEX


class Grid:
    """Workgroup counts on a block of their own, so that clean-ups of the kernel do not reach them.

    Sizes that the kernel computes from push constants of type index are computed again from the block's arguments.
    """

    def __init__(self, kernel: KernelFunction) -> None:
        pushed = kernel.index_push_constants
        self.block = Block([INDEX] * len(pushed))
        self.builder = Builder.at_end(self.block, kernel.function.location)
        self._own: dict[Value, Value] = dict(zip(pushed, self.block.args, strict=True))

    def size(self, value: ix.Size) -> ix.Size:
        """`value` of the kernel as a value of the grid. Errors: CompilerError when it depends on more than push
        constants.
        """
        if isinstance(value, int):
            return value
        if value not in self._own:
            op = value.defining_op
            if op is None or op.dialect != "arith":
                raise CompilerError(f"a grid depends on {op.name if op else 'a value that is no index push constant'}")
            for operand in op.operands:
                self.size(operand)
            index = next(i for i, r in enumerate(op.results) if r is value)
            self._own[value] = self.builder.insert(op.clone(self._own)).results[index]
        return self._own[value]

    def finish(self, x: ix.Size, y: ix.Size = 1, z: ix.Size = 1) -> None:
        """Say what the grid is; sizes are values of the grid."""
        self.builder.insert(ReturnOp([ix.as_value(self.builder, v) for v in (x, y, z)]))

    def build(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        """Copy the computation to `b`."""
        mapping: dict[Value, Value] = dict(zip(self.block.args, push_constants, strict=True))
        for op in self.block:
            if op is not self.block.last:
                b.insert(op.clone(mapping))
        x, y, z = (mapping[v] for v in self.block.terminator.operands)
        return x, y, z
