"""check-shapes: dimensions that must agree, and are known only at run time, are compared before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import arith
from tesselle.dialects.flow import ops as flow
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.passes.dispatch_creation.shapes import Shapes, same_size
from tesselle.passes.dispatch_creation.size_facts import equal_sizes
from tesselle.passes.index_arithmetic import IndexBuilder


@register_pass("check-shapes", needs=[Fact.LINALG])
@dataclass(frozen=True)
class CheckShapes(Pass):
    """Assert that operands of one loop nest have the sizes that its loops need, where types do not say it.

    %0 = linalg.generic ins(%a : tensor<?xf32>, %b : tensor<?xf32>)
    ->  flow.assert %dim_a == %dim_b, "dimension 0 of operand 1 …";  %0 = linalg.generic …
    """

    def run(self, module: Op) -> None:
        shapes = Shapes()
        asserted: set[tuple[Value | int, Value | int]] = set()
        for op in list(module.walk()):
            for i, axis, size, expected in equal_sizes(op, shapes):
                static = isinstance(size, int) and isinstance(expected, int)
                if static or same_size(size, expected) or (size, expected) in asserted:
                    continue  # static types that differ are slices; the verifier has seen them
                asserted.add((size, expected))
                b = Builder.before_op(op)
                index = IndexBuilder(b)
                equal = arith.CmpIOp(arith.CmpIPredicate.EQ, index.value(size), index.value(expected))
                message = (
                    f"{op.location}: operand {i} has another size in dimension {axis} than what it is combined with"
                )
                b.insert(flow.AssertOp(b.insert(equal).result, message))
