"""chlo.ragged_dot as a loop over the groups, each one product of which the group's part is kept."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.structured import RaggedDotOp
from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, DotDimensionNumbers, Precision
from tesselle.dialects.stablehlo.contraction import DotGeneralOp
from tesselle.ir.core import Value
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.support.dtypes import I64


def expand_ragged_dot(op: RaggedDotOp, rw: Rewriter) -> Value:
    """By the kind of the ragged dimension of lhs:

    batching: dot_general(lhs, rhs).
    free: for g: result = start <= row < end ? dot_general(lhs, rhs[g]) : result; rows of no group are 0.
    contracting: for g: result[g] = dot_general(group's lhs, or 0, group's rhs, or 0).
    """
    n = op.ragged_dot_dimension_numbers
    b = StablehloBuilder.of(rw)
    (ragged,) = n.lhs_ragged_dimensions
    if ragged in n.lhs_batching_dimensions:
        return _dot(b, op, op.lhs, op.rhs, op.result_type, None)
    prefix = n.prefix()
    lhs_sizes = b.sizes(op.lhs)
    sizes = b.convert(op.group_sizes, I64)
    groups = b.sizes(sizes)[-1]
    if tensor_type(sizes).rank == 1 and prefix:
        outer = [*(lhs_sizes[d] for d in prefix), groups]
        sizes = b.broadcast_to(sizes, outer, [len(prefix)])
    contracting = ragged in n.lhs_contracting_dimensions
    start = b.broadcast_to(b.full(0, (), I64), [lhs_sizes[d] for d in prefix], [])
    result = _zeros(b, op, groups, contracting=contracting)

    def step(s: StablehloBuilder, g: Value, state: list[Value]) -> list[Value]:
        low, result = state
        high = s.add(low, s.slice_at(sizes, len(prefix), g))

        def inside(like: Value, axis: int, dims: Sequence[int]) -> Value:
            """Whether an element of a tensor like `like` belongs to the group; `dims`: where the prefix stands."""
            place = s.iota_like(like, axis, I64)
            ends = (s.broadcast_like(v, place, dims) for v in (low, high))
            first, behind = ends
            return s.op(
                e.AndOp,
                s.compare(first, ComparisonDirection.LE, place),
                s.compare(place, ComparisonDirection.LT, behind),
            )

        if contracting:
            dims = dict(zip(n.lhs_contracting_dimensions, n.rhs_contracting_dimensions, strict=True))
            dims |= dict(zip(n.lhs_batching_dimensions, n.rhs_batching_dimensions, strict=True))
            left = s.select(inside(op.lhs, ragged, prefix), op.lhs, s.full_like(op.lhs, 0))
            here = inside(op.rhs, dims[ragged], [dims[d] for d in prefix])
            right = s.select(here, op.rhs, s.full_like(op.rhs, 0))
            part = _dot(s, op, left, right, op.result_type.with_shape(op.result_type.shape[1:]), None)
            return [high, s.with_slice(result, 0, g, part)]
        (group,) = n.rhs_group_dimensions
        whole = _dot(s, op, op.lhs, s.slice_at(op.rhs, group, g), op.result_type, group)
        batch = n.lhs_batching_dimensions
        rank = tensor_type(op.lhs).rank
        kept = [*batch, *(d for d in range(rank) if d not in (*batch, *n.lhs_contracting_dimensions))]
        mask = inside(whole, kept.index(ragged), [kept.index(d) for d in prefix])
        return [high, s.select(mask, whole, result)]

    found = b.loop(groups, [start, result], step)[1]
    return found if found.type == op.result_type else b.insert(CastOp(found, op.result_type)).result


def _zeros(b: StablehloBuilder, op: RaggedDotOp, groups: int | Value, *, contracting: bool) -> Value:
    """What no group has written: zeros in the result's shape."""
    t, n = op.result_type, op.ragged_dot_dimension_numbers
    if t.is_static:
        return b.full(0, t.static_shape, t.dtype)
    lhs, rhs = b.sizes(op.lhs), b.sizes(op.rhs)
    sizes = [lhs[d] for d in n.lhs_batching_dimensions]
    sizes += [x for d, x in enumerate(lhs) if d not in (*n.lhs_batching_dimensions, *n.lhs_contracting_dimensions)]
    gone = (*n.rhs_batching_dimensions, *n.rhs_contracting_dimensions, *n.rhs_group_dimensions)
    sizes += [x for d, x in enumerate(rhs) if d not in gone]
    zeros = b.broadcast_to(b.full(0, (), t.dtype), [groups, *sizes] if contracting else sizes, [])
    return zeros if zeros.type == t else b.insert(CastOp(zeros, t)).result


def _dot(b: StablehloBuilder, op: RaggedDotOp, lhs: Value, rhs: Value, t: TensorType, removed: int | None) -> Value:
    """dot_general with the numbers of `op`; `removed`: the dimension that rhs has lost."""
    n = op.ragged_dot_dimension_numbers

    def moved(dims: Sequence[int]) -> tuple[int, ...]:
        return tuple(d - (removed is not None and d > removed) for d in dims)

    numbers = DotDimensionNumbers(
        n.lhs_batching_dimensions,
        moved(n.rhs_batching_dimensions),
        n.lhs_contracting_dimensions,
        moved(n.rhs_contracting_dimensions),
    )
    config = op.precision_config
    precision = tuple(Precision(p.value) for p in config) if config is not None else None
    return b.insert(DotGeneralOp(lhs, rhs, numbers, t, precision)).result
