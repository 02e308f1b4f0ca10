"""Reading and writing at positions given by tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.stablehlo import indexing as s
from tesselle.dialects.stablehlo.attributes import GatherDimensionNumbers
from tesselle.reference.numerics import ramp
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics
from tesselle.reference.stablehlo.dynamic import ints


def clamped_start(starts: Sequence[Array], shape: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Slices of `sizes` elements at `starts`, moved so that they lie inside `shape`."""
    begin = [min(max(int(i), 0), d - n) for i, d, n in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(b, b + n) for b, n in zip(begin, sizes, strict=True))


def as_places(x: Array) -> Array:
    """Integers as i64; what is beyond the greatest one becomes that, and not a negative one."""
    return np.minimum(x, np.array(np.iinfo(np.int64).max, x.dtype) if x.dtype == np.uint64 else x).astype(np.int64)


@semantics(s.DynamicSliceOp)
def dynamic_slice(op: s.DynamicSliceOp, x: Array, *starts: Array) -> Array:
    return x[clamped_start(starts, x.shape, op.slice_sizes)]


@semantics(s.DynamicUpdateSliceOp)
def dynamic_update_slice(op: s.DynamicUpdateSliceOp, x: Array, update: Array, *starts: Array) -> Array:
    out = x.copy()
    out[clamped_start(starts, x.shape, update.shape)] = update
    return out


def gather_elements(x: Array, indices: Array, n: GatherDimensionNumbers, sizes: Sequence[int]) -> Array:
    """Slices of `x` at `indices`, clamped."""
    vector = indices if n.index_vector_dim < indices.ndim else indices[..., None]
    vector = as_places(np.moveaxis(vector, n.index_vector_dim, -1))
    batch_shape = vector.shape[:-1]
    hidden = (*n.collapsed_slice_dims, *n.operand_batching_dims)
    window_dims = [d for d in range(x.ndim) if d not in hidden]
    rank = len(batch_shape) + len(window_dims)
    batch_axes = [d for d in range(rank) if d not in n.offset_dims]

    def spread(values: Array, axes: Sequence[int]) -> Array:
        """Values over `axes` of the result, for broadcasting."""
        shape = [1] * rank
        for size, axis in zip(values.shape, axes, strict=True):
            shape[axis] = size
        return values.reshape(shape)

    place: list[Array] = [np.zeros([1] * rank, np.int64) for _ in range(x.ndim)]
    for j, d in enumerate(n.start_index_map):
        limit = x.shape[d] - sizes[d]
        place[d] = spread(np.clip(vector[..., j], 0, max(limit, 0)), batch_axes)
    for d, k in zip(n.operand_batching_dims, n.start_indices_batching_dims, strict=True):
        axis = k - (k > n.index_vector_dim)
        place[d] = spread(ramp(batch_shape[axis]), [batch_axes[axis]])
    for d, axis in zip(window_dims, n.offset_dims, strict=True):
        place[d] = place[d] + spread(ramp(sizes[d]), [axis])
    shape = [0] * rank
    for axis, size in zip(batch_axes, batch_shape, strict=True):
        shape[axis] = size
    for d, axis in zip(window_dims, n.offset_dims, strict=True):
        shape[axis] = sizes[d]
    if 0 in shape:
        return np.zeros(shape, x.dtype)
    return np.broadcast_to(x[tuple(place)], shape) if x.ndim else np.broadcast_to(x, shape)


@semantics(s.GatherOp)
def gather(op: s.GatherOp, x: Array, indices: Array) -> Array:
    return gather_elements(x, indices, op.dimension_numbers, op.slice_sizes)


@semantics(s.DynamicGatherOp)
def dynamic_gather(op: s.DynamicGatherOp, x: Array, indices: Array, sizes: Array) -> Array:
    return gather_elements(x, indices, op.dimension_numbers, ints(sizes))


@region_semantics(s.ScatterOp)
def scatter(op: s.ScatterOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    count = len(operands) // 2
    results = [x.copy() for x in operands[:count]]
    indices, updates = operands[count], operands[count + 1 :]
    n = op.scatter_dimension_numbers
    vector = indices if n.index_vector_dim < indices.ndim else indices[..., None]
    vector = as_places(np.moveaxis(vector, n.index_vector_dim, -1))
    shape, rank = results[0].shape, updates[0].ndim
    scatter_axes = [d for d in range(rank) if d not in n.update_window_dims]
    window_dims = [d for d in range(len(shape)) if d not in (*n.inserted_window_dims, *n.input_batching_dims)]
    moved = [u.transpose([*scatter_axes, *n.update_window_dims]) for u in updates]
    window = moved[0].shape[len(scatter_axes) :]
    for place in np.ndindex(*vector.shape[:-1]):
        start, size = [0] * len(shape), [1] * len(shape)
        for j, d in enumerate(n.scatter_dims_to_operand_dims):
            start[d] = int(vector[place][j])
        for d, k in zip(n.input_batching_dims, n.scatter_indices_batching_dims, strict=True):
            start[d] = place[k - (k > n.index_vector_dim)]
        for d, w in zip(window_dims, window, strict=True):
            size[d] = w
        region = tuple(slice(max(b, 0), max(b + w, 0)) for b, w in zip(start, size, strict=True))
        # What lies outside is skipped, element by element.
        inside = tuple(slice(max(-b, 0), max(limit - b, 0)) for b, limit in zip(start, shape, strict=True))
        pieces = [m[place].reshape(size)[inside] for m in moved]
        combined = runner.run_elementwise(op.update_computation.block, [*(r[region] for r in results), *pieces])
        for r, c in zip(results, combined, strict=True):
            r[region] = c
    return results


@semantics(s.TorchIndexSelectOp)
def torch_index_select(op: s.TorchIndexSelectOp, x: Array, index: Array) -> Array:
    dim, batch = op.dim % x.ndim, op.batch_dims % max(index.ndim, 1) if op.batch_dims < 0 else op.batch_dims
    clipped = np.clip(index, 0, x.shape[dim] - 1)
    if batch == 0:
        return np.take(x, clipped, axis=dim)
    out = [np.take(x[place], clipped[place], axis=dim - batch) for place in np.ndindex(*x.shape[:batch])]
    return np.stack(out).reshape(*x.shape[:batch], *out[0].shape)
