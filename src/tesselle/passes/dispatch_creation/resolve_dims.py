"""resolve-dims: every tensor.dim becomes arithmetic on the dimensions of function arguments."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import tensor
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions
from tesselle.passes.dispatch_creation.shapes import Shapes, is_from_outside
from tesselle.passes.index_arithmetic import IndexBuilder


@register_pass("resolve-dims", needs=[Fact.LINALG])
@dataclass(frozen=True)
class ResolveDims(Pass):
    """Replace tensor.dim of computed tensors, so that no shape question keeps a tensor alive.

    tensor.dim %generic, 0  ->  tensor.dim %argument, 1   (or a constant, or arithmetic)
    """

    def run(self, module: Op) -> None:
        shapes = Shapes()
        for op in list(module.walk()):
            if not isinstance(op, tensor.DimOp) or op.parent is None or is_from_outside(op.operand):
                continue
            size = shapes.of(op.operand)[op.axis]
            op.replace_with(IndexBuilder(Builder.before_op(op)).value(size))
        eliminate_common_subexpressions(module)
