"""reduce and sort."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.stablehlo import reduction as s
from tesselle.reference.combine import fold_axes, single_fold, stable_sort, tree_fold
from tesselle.reference.registry import Array, RegionRunner, region_semantics


@region_semantics(s.ReduceOp)
def reduce(op: s.ReduceOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    count = len(operands) // 2
    inputs, inits = operands[:count], operands[count:]
    block = op.body.block
    cls = single_fold(block)
    if cls is not None:
        return [fold_axes(cls, inputs[0], inits[0], op.dimensions)]
    return tree_fold(block, runner, inputs, inits, op.dimensions)


@region_semantics(s.SortOp)
def sort(op: s.SortOp, runner: RegionRunner, *inputs: Array) -> list[Array]:
    def before(left: list[Array], right: list[Array]) -> Array:
        pairs = [x for pair in zip(left, right, strict=True) for x in pair]
        (result,) = runner.run_elementwise(op.comparator.block, pairs)
        return np.broadcast_to(result, left[0].shape)

    return stable_sort(before, inputs, op.dimension % inputs[0].ndim)
