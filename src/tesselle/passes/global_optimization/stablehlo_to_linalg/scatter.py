"""scatter: indices and updates brought into the order of linalg.scatter."""

from __future__ import annotations

from tesselle.dialects.core.tensor import ConcatOp, tensor_type
from tesselle.dialects.linalg.ops import ScatterOp, YieldOp
from tesselle.dialects.stablehlo import indexing as s
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, lowering
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import emit_block
from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import build_iota, build_transpose


@lowering(s.ScatterOp)
def scatter(op: s.ScatterOp, b: Lowering) -> list[Value]:
    n = op.scatter_dimension_numbers
    indices = op.scatter_indices
    rank = tensor_type(indices).rank
    if n.index_vector_dim == rank:
        indices = b.reshape(indices, [*b.dims(indices), 1])
    else:
        order = [*(k for k in range(rank) if k != n.index_vector_dim), n.index_vector_dim]
        indices = build_transpose(b, indices, order)
    index_dims = list(n.scatter_dims_to_operand_dims)
    if n.input_batching_dims:
        dtype = tensor_type(indices).dtype
        shape = [*b.dims(indices)[:-1], 1]
        columns = [indices]
        for k in n.scatter_indices_batching_dims:
            columns.append(build_iota(b, shape, k - (k > n.index_vector_dim), dtype))
        indices = b.insert(ConcatOp(tuple(columns), len(shape) - 1)).result
        index_dims += n.input_batching_dims
    updates: list[Value] = []
    wanted = b.dims(indices)[:-1]
    for u in op.updates:
        batch = [d for d in range(tensor_type(u).rank) if d not in n.update_window_dims]
        for k, (d, size) in enumerate(zip(batch, wanted, strict=True)):
            b.require_equal(b.dim(u, d), size, f"dimension {d} of the updates of scatter, for dimension {k} of indices")
        axes = range(tensor_type(u).rank)
        order = [*(d for d in axes if d not in n.update_window_dims), *n.update_window_dims]
        updates.append(build_transpose(b, u, order))
    types = [tensor_type(v).dtype for v in op.inputs]
    block = Block([*types, *types])
    inner = Builder(block, None, op.location)
    inner.insert(YieldOp(tuple(emit_block(inner, op.update_computation.block, block.args))))
    inserted = tuple(sorted((*n.inserted_window_dims, *n.input_batching_dims)))
    lowered = ScatterOp(
        tuple(updates), indices, tuple(op.inputs), tuple(index_dims), inserted, Region([block]), op.unique_indices
    )
    return list(b.insert(lowered).results)
