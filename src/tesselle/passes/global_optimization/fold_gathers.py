"""fold-gathers: elements that a loop nest reads at the place of its own counters become operands.

    linalg.generic ins(%size : index) outs(%empty : tensor<?x4xf32>) {
      %i = linalg.index 0
      %r = arith.cmpi eq, %size, 1                    linalg.generic ins(%x) map (d0, d1) -> (d0)
      %k = arith.select %r, 0, %i            ->         outs(%empty : tensor<?x4xf32>) {
      %e = tensor.extract %x[%k]                        linalg.yield %x_element }
      linalg.yield %e }

Whether a dynamic dimension repeats is decided when the program runs: place 0 where its size is 1. Where the size is
that of the loop the counter itself is the place (a loop of one step stays at 0), and nothing is read irregularly; then
producers and consumers can be fused.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineConst, AffineExpr, AffineMap, dim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import Size, constant_index


@register_pass("fold-gathers", needs=[Fact.LINALG])
@dataclass(frozen=True)
class FoldGathers(Pass):
    """Turn reads at loop counters into operands, where the tensor is as large as the loops."""

    def run(self, module: Op) -> None:
        shapes = Shapes()
        for op in list(module.walk()):
            if isinstance(op, linalg.GenericOp) and op.parent is not None and not op.reduction_dims:
                _fold(op, shapes)
        eliminate_dead_code(module)


def _fold(op: linalg.GenericOp, shapes: Shapes) -> None:
    reads: list[tuple[tensor.ExtractOp, AffineMap]] = []
    extents: dict[int, Size] | None = None
    for inner in op.body.block:
        if isinstance(inner, tensor.ExtractOp) and not op.body.is_ancestor_of(inner.operand.parent_region):
            extents = _extents(op, shapes) if extents is None else extents
            m = _read_map(op, inner, extents, shapes)
            if m is not None:
                reads.append((inner, m))
    if reads:
        _replace(op, reads)


def _extents(op: linalg.GenericOp, shapes: Shapes) -> dict[int, Size]:
    """The size of each parallel loop, from the outputs."""
    found: dict[int, Size] = {}
    for value, m in zip(op.outputs, op.output_maps, strict=True):
        for d, size in zip(m.projected_dims() or (), shapes.of(value), strict=False):
            found.setdefault(d, size)
    return found


def _read_map(
    op: linalg.GenericOp, read: tensor.ExtractOp, extents: dict[int, Size], shapes: Shapes
) -> AffineMap | None:
    """The places as a map of the counters; None when one of them is something else."""
    sizes = shapes.of(read.operand)
    results: list[AffineExpr] = []
    for place, size in zip(read.indices, sizes, strict=True):
        known = constant_index(place)
        if known is not None:
            if known or size != 1:
                return None
            results.append(AffineConst(0))
            continue
        d = _counter(op, place, extents, shapes)
        if d is None or d not in extents or not shapes.same(size, extents[d]):
            return None
        results.append(dim(d))
    return AffineMap(len(op.iterator_types), 0, tuple(results))


def _counter(op: linalg.GenericOp, place: Value, extents: dict[int, Size], shapes: Shapes) -> int | None:
    """The loop whose counter `place` always is."""
    maker = place.defining_op
    if isinstance(maker, linalg.IndexOp):
        return maker.dim
    if not isinstance(maker, arith.SelectOp) or constant_index(maker.true_value) != 0:
        return None
    counter, repeats = maker.false_value.defining_op, maker.condition.defining_op
    if not isinstance(counter, linalg.IndexOp) or not isinstance(repeats, arith.CmpIOp):
        return None
    if repeats.predicate is not arith.CmpIPredicate.EQ or constant_index(repeats.rhs) != 1:
        return None
    size = _outside(op, repeats.lhs)
    extent = extents.get(counter.dim)
    return counter.dim if size is not None and extent is not None and shapes.same(size, extent) else None


def _outside(op: linalg.GenericOp, value: Value) -> Value | None:
    """The scalar outside of the body that a value in it is."""
    block = op.body.block
    if value in block.args:
        index = block.args.index(value)
        return op.inputs[index] if index < len(op.inputs) else None
    return None if op.body.is_ancestor_of(value.parent_region) else value


def _replace(op: linalg.GenericOp, reads: list[tuple[tensor.ExtractOp, AffineMap]]) -> None:
    """The operation with the tensors that it read as further inputs, without scalars that it needs no more."""
    block = op.body.block
    inputs, maps = list(op.inputs), list(op.input_maps)
    for read, m in reads:
        new = block.add_arg(tensor_type(read.operand).dtype)
        # Outputs come last.
        block.args.remove(new)
        block.args.insert(len(inputs), new)
        inputs.append(read.operand)
        maps.append(m)
        read.replace_with(new)
    for i, a in enumerate(block.args):
        a.index = i
    eliminate_dead_code(op)
    for i in reversed(range(len(inputs))):
        if not isinstance(inputs[i].type, TensorType) and not block.args[i].uses:
            block.erase_arg(i)
            del inputs[i], maps[i]
    body = Region()
    body.take_blocks(op.body)
    made = linalg.GenericOp(inputs, op.outputs, (*maps, *op.output_maps), op.iterator_types, body)
    Builder.before_op(op).insert(made)
    op.replace_with(made.results)
