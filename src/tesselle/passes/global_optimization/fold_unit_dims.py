"""fold-unit-dims: read operands of linalg.generic without the unit dimensions that a reshape gave or took.

    %b = tensor.expand_shape %bias [[0, 1, 2]] : tensor<64xf32> into tensor<1x1x64xf32>
    linalg.generic ins(%b)   map (d0, d1, d2) -> (0 or d0, 0 or d1, d2)

becomes the same operation on %bias with the map (d0, d1, d2) -> (d2). JAX keeps reduced dimensions as ones and writes
biases as 1x1xC; without this each of them would break a chain of elementwise operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import tensor
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineConst, AffineDim, AffineExpr, AffineMap
from tesselle.ir.core import Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, pattern

Reshape = tensor.ExpandShapeOp | tensor.CollapseShapeOp


def _unit_only(op: Op) -> list[list[int]] | None:
    """For each dimension of the operand, the result dimensions that stand for it (at most one; [] when it is a one).

    None unless operand and result differ by unit dimensions alone.
    """
    if not isinstance(op, Reshape):
        return None
    source, result = tensor.tensor_type(op.operand).shape, op.result_type.shape
    groups = op.reassociation
    pairs: list[tuple[list[int], list[int]]]
    if isinstance(op, tensor.ExpandShapeOp):
        pairs = [([i], list(g)) for i, g in enumerate(groups)]
    else:
        pairs = [(list(g), [i]) for i, g in enumerate(groups)]
    found: list[list[int]] = [[] for _ in source]
    for have, want in pairs:
        a = [i for i in have if source[i] != 1]
        b = [i for i in want if result[i] != 1]
        if len(a) > 1 or len(a) != len(b):
            return None
        if a:
            found[a[0]] = b
    return found


def _with_input(
    op: linalg.GenericOp, index: int, value: Value, read: AffineMap, rw: Rewriter
) -> linalg.GenericOp | None:
    """`op` with another input in place `index`, unless a loop would lose its bound."""
    maps = (*op.indexing_maps[:index], read, *op.indexing_maps[index + 1 :])
    bare = {e.position for m in maps for e in m.results if isinstance(e, AffineDim)}
    if len(bare) != len(op.iterator_types):
        return None
    inputs = (*op.inputs[:index], value, *op.inputs[index + 1 :])
    body = Region()
    body.take_blocks(op.body)
    return rw.insert(linalg.GenericOp(inputs, op.outputs, maps, op.iterator_types, body))


@pattern
def read_without_unit_dims(op: linalg.GenericOp, rw: Rewriter) -> list[Value] | None:
    """generic(reshape(x)) -> generic(x) when the reshape adds or drops ones only"""
    for index, value in enumerate(op.inputs):
        reshape = value.defining_op
        if reshape is None:
            continue
        places = _unit_only(reshape)
        if places is None:
            continue
        old = op.input_maps[index]
        results: list[AffineExpr] = [old.results[p[0]] if p else AffineConst(0) for p in places]
        made = _with_input(op, index, reshape.operands[0], AffineMap(old.dim_count, 0, tuple(results)), rw)
        if made is not None:
            return list(made.results)
    return None


@register_pass("fold-unit-dims", needs=[Fact.LINALG])
@dataclass(frozen=True)
class FoldUnitDims(Pass):
    def run(self, module: Op) -> None:
        apply_patterns(module, [read_without_unit_dims])
