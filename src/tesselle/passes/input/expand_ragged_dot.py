"""chlo.ragged_dot as a loop over the groups, each one product of which the group's part is kept."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.structured import RaggedDotOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo.attributes import DotDimensionNumbers, Precision
from tesselle.dialects.stablehlo.contraction import DotGeneralOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_expressions import Tensor, counted_loop, iota, splat
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32, I64


def expand_ragged_dot(op: RaggedDotOp, rw: Rewriter) -> Value:
    """By the kind of the ragged dimension of lhs:

    batching: dot_general(lhs, rhs).
    free: for g: result = start <= row < end ? dot_general(lhs, rhs[g]) : result; rows of no group are 0.
    contracting: for g: result[g] = dot_general(group's lhs, or 0, group's rhs, or 0).
    """
    n = op.ragged_dot_dimension_numbers
    types = [tensor_type(v) for v in op.operands]
    if not all(t.is_static for t in (*types, op.result_type)):
        raise Unsupported("ragged_dot of dynamic shapes is not supported", op.location, f"{op.name}.dynamic")
    (ragged,) = n.lhs_ragged_dimensions
    if ragged in n.lhs_batching_dimensions:
        return _dot(rw, op, op.lhs, op.rhs, op.result_type, None)
    prefix = n.prefix()
    lhs_shape = types[0].static_shape
    sizes = Tensor(rw, op.group_sizes).convert(I64)
    groups = sizes.type.static_shape[-1]
    outer = [lhs_shape[d] for d in prefix]
    if sizes.type.rank == 1 and prefix:
        sizes = sizes.broadcast([*outer, groups], [len(prefix)])
    result = splat(rw, 0, op.result_type)
    start = splat(rw, 0, TensorType(tuple(outer), I64))
    contracting = ragged in n.lhs_contracting_dimensions

    def step(b: Builder, g: Tensor, state: list[Tensor]) -> list[Value]:
        low, result = state
        high = low + Tensor(b, sizes.value).at(g, len(prefix))

        def inside(shape: Sequence[int], axis: int, dims: Sequence[int]) -> Tensor:
            """Whether an element of a tensor of `shape` belongs to the group; `dims`: where the prefix stands."""
            place = iota(b, shape, axis, I64)
            return (low.broadcast(shape, dims) <= place) & (place < high.broadcast(shape, dims))

        if contracting:
            dims = dict(zip(n.lhs_contracting_dimensions, n.rhs_contracting_dimensions, strict=True))
            dims |= dict(zip(n.lhs_batching_dimensions, n.rhs_batching_dimensions, strict=True))
            left, right = Tensor(b, op.lhs), Tensor(b, op.rhs)
            left = left.where(inside(lhs_shape, ragged, prefix), 0)
            right = right.where(inside(types[1].static_shape, dims[ragged], [dims[d] for d in prefix]), 0)
            part_type = TensorType(op.result_type.shape[1:], op.result_type.dtype)
            part = Tensor(b, _dot(b, op, left.value, right.value, part_type, None))
            return [high.value, result.with_slice(part, g, 0).value]
        (group,) = n.rhs_group_dimensions
        rhs = Tensor(b, op.rhs).at(g, group)
        whole = Tensor(b, _dot(b, op, op.lhs, rhs.value, op.result_type, group))
        batch = n.lhs_batching_dimensions
        kept = [*batch, *(d for d in range(len(lhs_shape)) if d not in (*batch, *n.lhs_contracting_dimensions))]
        mask = inside(op.result_type.static_shape, kept.index(ragged), [kept.index(d) for d in prefix])
        return [high.value, whole.where(mask, result).value]

    count = splat(rw, groups, TensorType((), I32))
    return counted_loop(rw, count, [start.value, result.value], step)[1]


def _dot(b: Builder, op: RaggedDotOp, lhs: Value, rhs: Value, t: TensorType, removed: int | None) -> Value:
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
