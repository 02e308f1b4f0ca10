"""CHLO on whole tensors: broadcasting operations, constant, top_k, ragged_dot, scan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from tesselle.dialects.chlo import broadcast as b
from tesselle.dialects.chlo import elementwise as c
from tesselle.dialects.chlo.attributes import ComparisonType
from tesselle.dialects.chlo.structured import ConstantOp, RaggedDotOp, ScanOp, TopKOp
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.ir.core import Op
from tesselle.reference import numerics as n
from tesselle.reference.registry import SEMANTICS, Array, RegionRunner, element_dtype, region_semantics, semantics
from tesselle.reference.stablehlo.contraction import einsum
from tesselle.reference.stablehlo.elementwise import COMPARE
from tesselle.reference.stablehlo.shape import broadcast_in_dim

BROADCASTING: dict[type[Op], type[Op]] = {
    b.BroadcastAddOp: s.AddOp,
    b.BroadcastAndOp: s.AndOp,
    b.BroadcastAtan2Op: s.Atan2Op,
    b.BroadcastComplexOp: s.ComplexOp,
    b.BroadcastDivideOp: s.DivideOp,
    b.BroadcastMaximumOp: s.MaximumOp,
    b.BroadcastMinimumOp: s.MinimumOp,
    b.BroadcastMultiplyOp: s.MultiplyOp,
    b.BroadcastNextAfterOp: c.NextAfterOp,
    b.BroadcastOrOp: s.OrOp,
    b.BroadcastPolygammaOp: c.PolygammaOp,
    b.BroadcastPowerOp: s.PowerOp,
    b.BroadcastRemainderOp: s.RemainderOp,
    b.BroadcastShiftLeftOp: s.ShiftLeftOp,
    b.BroadcastShiftRightArithmeticOp: s.ShiftRightArithmeticOp,
    b.BroadcastShiftRightLogicalOp: s.ShiftRightLogicalOp,
    b.BroadcastSubtractOp: s.SubtractOp,
    b.BroadcastXorOp: s.XorOp,
    b.BroadcastZetaOp: c.ZetaOp,
}
"""A broadcasting operation -> the elementwise one that it stands for."""


def broadcast_operands(x: Array, y: Array, dims: Sequence[int] | None) -> tuple[Array, Array]:
    """Both at their common shape; `dims` places the operand of lower rank in the other one."""
    if dims is not None and x.ndim != y.ndim:
        small, large = (x, y) if x.ndim < y.ndim else (y, x)
        place = [small.shape[dims.index(d)] if d in dims else 1 for d in range(large.ndim)]
        placed = broadcast_in_dim(small, place, dims)
        x, y = (placed, y) if x.ndim < y.ndim else (x, placed)
    shape = np.broadcast_shapes(x.shape, y.shape)
    return np.broadcast_to(x, shape), np.broadcast_to(y, shape)


@semantics(*BROADCASTING)
def broadcasting(op: b.BroadcastBinaryOp, x: Array, y: Array) -> Array:
    x, y = broadcast_operands(x, y, op.broadcast_dimensions)
    result = SEMANTICS[BROADCASTING[type(op)]](op, x, y)
    return np.asarray(result)


@semantics(b.BroadcastCompareOp)
def broadcast_compare(op: b.BroadcastCompareOp, x: Array, y: Array) -> Array:
    x, y = broadcast_operands(x, y, op.broadcast_dimensions)
    if op.compare_type is ComparisonType.TOTALORDER:
        x, y = n.total_order(x), n.total_order(y)
    compare = COMPARE[ComparisonDirection(op.comparison_direction.value)]
    return np.asarray(compare(n.widen(x), n.widen(y)), np.bool_)


@semantics(b.BroadcastSelectOp)
def broadcast_select(op: b.BroadcastSelectOp, condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


@semantics(ConstantOp)
def constant(op: ConstantOp) -> Array:
    return op.value.array


@semantics(TopKOp)
def top_k(op: TopKOp, x: Array) -> list[Array]:
    key = n.total_order(x) if n.dtype_of(x).is_float else x
    # Stable and descending: sort the reversed lane ascending, and reverse the order again.
    order = x.shape[-1] - 1 - np.argsort(key[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    order = order[..., : op.k]
    return [np.take_along_axis(x, order, axis=-1), order.astype(np.int32)]


@region_semantics(ScanOp)
def scan(op: ScanOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    count = len(op.inputs)
    inputs, carries = operands[:count], list(operands[count:])
    steps = inputs[0].shape[op.dimension] if inputs else op.scan_dim_size or 0
    outputs = len(op.results) - len(carries)
    kept: list[list[Array]] = [[] for _ in range(outputs)]
    order = range(steps)
    for i in reversed(order) if op.is_reverse else order:
        values = runner.run_region(op.body, [*(np.take(x, i, op.dimension) for x in inputs), *carries])
        for rows, v in zip(kept, values[:outputs], strict=True):
            rows.append(v)
        carries = values[outputs:]
    stacked: list[Array] = []
    if not steps:
        # The sizes of what no step has made are those of what a step would make.
        slices = [np.zeros(np.delete(x.shape, op.dimension), x.dtype) for x in inputs]
        made = runner.run_region(op.body, [*slices, *carries])[:outputs]
        return [*(np.zeros(np.insert(v.shape, op.dimension, 0), v.dtype) for v in made), *carries]
    for rows in kept:
        stacked.append(np.stack(rows[::-1] if op.is_reverse else rows, op.dimension))
    return [*stacked, *carries]


@semantics(RaggedDotOp)
def ragged_dot(op: RaggedDotOp, lhs: Array, rhs: Array, group_sizes: Array) -> Array:
    """One product for every group of every ragged row, on slices; see `RaggedDotDimensionNumbers.prefix`."""
    d = op.ragged_dot_dimension_numbers
    dtype = element_dtype(op.result.type)
    left = list(range(lhs.ndim))
    right = [lhs.ndim + k for k in range(rhs.ndim)]
    for i, j in zip(
        (*d.lhs_batching_dimensions, *d.lhs_contracting_dimensions),
        (*d.rhs_batching_dimensions, *d.rhs_contracting_dimensions),
        strict=True,
    ):
        right[j] = left[i]
    (ragged,) = d.lhs_ragged_dimensions
    group = d.rhs_group_dimensions[0] if d.rhs_group_dimensions else None
    batch = [left[i] for i in d.lhs_batching_dimensions]
    free = [i for i in left if i not in batch and i not in d.lhs_contracting_dimensions]
    out = [*batch, *free, *(k for j, k in enumerate(right) if k >= lhs.ndim and j != group)]
    if ragged in d.lhs_batching_dimensions:
        return einsum([left, right, out], (lhs, rhs), dtype)
    contracting = ragged in d.lhs_contracting_dimensions
    prefix = d.prefix()
    sizes = np.broadcast_to(group_sizes, [*(lhs.shape[i] for i in prefix), group_sizes.shape[-1]])
    shape = [lhs.shape[k] if k < lhs.ndim else rhs.shape[k - lhs.ndim] for k in out]
    result = np.zeros([sizes.shape[-1], *shape] if contracting else shape, dtype.numpy)
    # Of rows in a prefix dimension one at a time, so that every product has one group only.
    for place in product(*(range(lhs.shape[i]) for i in prefix)):
        ends = np.cumsum(sizes[place])
        for g, (end, size) in enumerate(zip(ends, sizes[place], strict=True)):
            fixed = {left[i]: slice(k, k + 1) for i, k in zip(prefix, place, strict=True)}
            fixed[left[ragged]] = slice(int(end - size), int(end))
            a = lhs[tuple(fixed.get(k, slice(None)) for k in left)]
            part = rhs if group is None else np.take(rhs, [g], group)
            c_ = part[tuple(slice(None) if j == group else fixed.get(k, slice(None)) for j, k in enumerate(right))]
            value = einsum([left, right, out], (a, c_), dtype)
            where = tuple(fixed.get(k, slice(None)) if not contracting or k != ragged else slice(None) for k in out)
            if contracting:
                result[(g, *where)] += value
            else:
                result[where] = value
    return result
