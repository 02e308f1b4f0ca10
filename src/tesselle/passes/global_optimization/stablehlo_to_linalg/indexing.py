"""Reading at positions given by tensors: slices with host offsets, gathers as loop nests that read anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import IndexOp
from tesselle.dialects.stablehlo import indexing as s
from tesselle.dialects.stablehlo.attributes import GatherDimensionNumbers
from tesselle.ir.affine import AffineConst, AffineExpr, AffineMap, dim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, Size, lowering
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import as_index
from tesselle.support.dtypes import INDEX


def clamped_offsets(b: Lowering, starts: Sequence[Value], operand: Value, sizes: Sequence[Size]) -> list[Size]:
    """The starts as index values, moved so that a slice of `sizes` lies inside the operand; 0 where it fills it."""
    offsets: list[Size] = []
    for d, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        whole = b.dim(operand, d)
        if isinstance(whole, int) and whole == size:
            offsets.append(0)
            continue
        (index,) = index_elements(b, _as_scalar_tensor(b, start))
        if isinstance(whole, int) and isinstance(size, int):
            last = b.index(whole - size)
        else:
            b.require_at_least(whole, size, f"dimension {d} of the operand")
            last = b.insert(a.SubIOp(b.index_of(whole), b.index_of(size))).result
        above = b.insert(a.MaxSIOp(index, b.index(0))).result
        offsets.append(b.insert(a.MinSIOp(above, last)).result)
    return offsets


def _as_scalar_tensor(b: Lowering, start: Value) -> Value:
    """A tensor of rank 0 as host scalars where arithmetic on the host can make it."""
    from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import pull_to_host

    return pull_to_host(b, start)


@lowering(s.DynamicSliceOp)
def dynamic_slice(op: s.DynamicSliceOp, b: Lowering) -> Value:
    sizes: list[Size] = list(op.slice_sizes)
    offsets = clamped_offsets(b, op.start_indices, op.operand, sizes)
    return b.insert(tensor.ExtractSliceOp.of(op.operand, offsets, sizes)).result


@lowering(s.DynamicUpdateSliceOp)
def dynamic_update_slice(op: s.DynamicUpdateSliceOp, b: Lowering) -> Value:
    sizes = b.dims(op.update)
    offsets = clamped_offsets(b, op.start_indices, op.operand, sizes)
    return b.insert(tensor.InsertSliceOp.of(op.update, op.operand, offsets, sizes)).result


def build_gather(
    b: Lowering, operand: Value, indices: Value, n: GatherDimensionNumbers, sizes: Sequence[Size]
) -> Value:
    """A loop nest over the result that reads the operand at clamped places."""
    t, index_type = tensor_type(operand), tensor_type(indices)
    hidden = (*n.collapsed_slice_dims, *n.operand_batching_dims)
    window_dims = [d for d in range(t.rank) if d not in hidden]
    index_axes = [k for k in range(index_type.rank) if k != n.index_vector_dim]
    rank = len(index_axes) + len(window_dims)
    batch_axes = [d for d in range(rank) if d not in n.offset_dims]
    shape: list[Size] = [0] * rank
    for axis, k in zip(batch_axes, index_axes, strict=True):
        shape[axis] = b.dim(indices, k)
    for axis, d in zip(n.offset_dims, window_dims, strict=True):
        shape[axis] = sizes[d]
    inputs: list[Value] = []
    maps: list[AffineMap] = []
    for j in range(len(n.start_index_map)):
        exprs: list[AffineExpr] = [
            dim(batch_axes[index_axes.index(k)]) if k in index_axes else AffineConst(j) for k in range(index_type.rank)
        ]
        inputs.append(indices)
        maps.append(AffineMap(rank, 0, tuple(exprs)))
    count = len(inputs)
    limits: list[Size] = []
    for d in n.start_index_map:
        whole, size = b.dim(operand, d), sizes[d]
        if isinstance(whole, int) and isinstance(size, int):
            limits.append(whole - size)
        else:
            b.require_at_least(whole, _if_any(b, shape, batch_axes, size), f"dimension {d} of the operand of gather")
            inputs.append(b.insert(a.SubIOp(b.index_of(whole), b.index_of(size))).result)
            maps.append(AffineMap(rank, 0, ()))
            limits.append(inputs[-1])

    def body(m: Builder, args: list[Value]) -> Value:
        dynamic = iter(args[count:])
        place: list[Value | None] = [None] * t.rank
        for j, d in enumerate(n.start_index_map):
            limit = limits[j]
            last = m.insert(a.ConstantOp(limit, INDEX)).result if isinstance(limit, int) else next(dynamic)
            start = as_index(m, args[j])
            above = m.insert(a.MaxSIOp(start, m.insert(a.ConstantOp(0, INDEX)).result)).result
            place[d] = m.insert(a.MinSIOp(above, last)).result
        for d, k in zip(n.operand_batching_dims, n.start_indices_batching_dims, strict=True):
            place[d] = m.insert(IndexOp(batch_axes[index_axes.index(k)])).result
        for axis, d in zip(n.offset_dims, window_dims, strict=True):
            if shape[axis] == 1:
                continue
            i, start = m.insert(IndexOp(axis)).result, place[d]
            place[d] = i if start is None else m.insert(a.AddIOp(start, i)).result
        where = [p if p is not None else m.insert(a.ConstantOp(0, INDEX)).result for p in place]
        return m.insert(tensor.ExtractOp(operand, tuple(where))).result

    return b.elementwise(inputs, maps, shape, t.dtype, body)


def _if_any(b: Lowering, shape: Sequence[Size], axes: Sequence[int], size: Size) -> Size:
    """`size`, or 0 where no slice is taken at all: nothing is read from an operand that may be empty then."""
    sizes = [shape[d] for d in axes]
    if 0 in sizes:
        return 0
    for n in sizes:
        if not isinstance(n, int):
            empty = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, n, b.index(0))).result
            size = b.insert(a.SelectOp(empty, b.index(0), b.index_of(size))).result
    return size


@lowering(s.GatherOp)
def gather(op: s.GatherOp, b: Lowering) -> Value:
    result = build_gather(b, op.operand, op.start_indices, op.dimension_numbers, list(op.slice_sizes))
    return b.cast(result, tensor_type(op.results[0]))


@lowering(s.DynamicGatherOp)
def dynamic_gather(op: s.DynamicGatherOp, b: Lowering) -> Value:
    sizes: list[Size] = list(index_elements(b, op.slice_sizes))
    result = build_gather(b, op.operand, op.start_indices, op.dimension_numbers, sizes)
    return b.cast(result, op.result_type)


@lowering(s.TorchIndexSelectOp)
def torch_index_select(op: s.TorchIndexSelectOp, b: Lowering) -> Value:
    t, i = tensor_type(op.operand), tensor_type(op.index)
    axis = op.dim % t.rank
    batch = op.batch_dims % i.rank if op.batch_dims < 0 else op.batch_dims
    kept = [d for d in range(t.rank) if d != axis]
    rank = len(kept) + i.rank - batch
    before = axis
    numbers = GatherDimensionNumbers(
        offset_dims=(*range(batch, before), *range(before + i.rank - batch, rank)),
        collapsed_slice_dims=(axis,),
        operand_batching_dims=tuple(range(batch)),
        start_indices_batching_dims=tuple(range(batch)),
        start_index_map=(axis,),
        index_vector_dim=i.rank,
    )
    sizes = [1 if d == axis or d < batch else b.dim(op.operand, d) for d in range(t.rank)]
    return b.cast(build_gather(b, op.operand, op.index, numbers, sizes), op.result_type)
