"""check-shapes: dimensions that must agree, and are known only at run time, are compared before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineDim, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.shapes import Shapes, same_size
from tesselle.passes.index_arithmetic import IndexBuilder, Size


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
            if isinstance(op, linalg.GenericOp | linalg.ContractOp):
                _check(op, shapes, asserted)
            elif isinstance(op, tensor.CastOp):
                _check_cast(op, shapes)


def _check_cast(op: tensor.CastOp, shapes: Shapes) -> None:
    """A type that says more than that of the operand is a promise."""
    for axis, (size, wanted) in enumerate(zip(shapes.of(op.operand), op.result_type.shape, strict=True)):
        if wanted is not None and not isinstance(size, int):
            b = Builder.before_op(op)
            equal = arith.CmpIOp(arith.CmpIPredicate.EQ, size, IndexBuilder(b).value(wanted))
            message = f"{op.location}: dimension {axis} must be {wanted}"
            b.insert(flow.AssertOp(b.insert(equal).result, message))


def _reads(op: linalg.GenericOp | linalg.ContractOp) -> Iterator[tuple[int, Value, AffineMap]]:
    """Operands with their maps, outputs first: they say how large the loops are."""
    maps = op.indexing_maps
    outputs = len(op.results)
    first = len(maps) - outputs
    for i in (*range(first, len(maps)), *range(first)):
        if isinstance(op.operands[i].type, TensorType):
            yield i, op.operands[i], maps[i]


def _check(
    op: linalg.GenericOp | linalg.ContractOp, shapes: Shapes, asserted: set[tuple[Value | int, Value | int]]
) -> None:
    if all(tensor_type(v).is_static for _, v, _ in _reads(op)):
        return
    sizes: dict[int, Size] = {}
    for i, value, m in _reads(op):
        for axis, (e, size) in enumerate(zip(m.results, shapes.of(value), strict=True)):
            if not isinstance(e, AffineDim):
                continue
            expected = sizes.setdefault(e.position, size)
            static = isinstance(size, int) and isinstance(expected, int)
            if static or same_size(size, expected) or (size, expected) in asserted:
                continue  # static types that differ are slices; the verifier has seen them
            asserted.add((size, expected))
            b = Builder.before_op(op)
            index = IndexBuilder(b)
            equal = arith.CmpIOp(arith.CmpIPredicate.EQ, index.value(size), index.value(expected))
            message = f"{op.location}: operand {i} has another size in dimension {axis} than what it is combined with"
            b.insert(flow.AssertOp(b.insert(equal).result, message))
