"""StableHLO that makes tensors or moves elements by static rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import shape as s
from tesselle.ir.core import Op
from tesselle.ir.types import TensorType
from tesselle.reference.registry import Array, semantics
from tesselle.support.diagnostics import ExecutionError
from tesselle.support.dtypes import DType


def result_type(op: Op) -> TensorType:
    """The tensor type of an operation's only result."""
    t = op.result.type
    assert isinstance(t, TensorType)
    return t


def iota(shape: Sequence[int], axis: int, dtype: DType) -> Array:
    """result[i] = i[axis], as a view."""
    ramp = np.arange(shape[axis]).astype(dtype.numpy)
    return np.broadcast_to(ramp.reshape([-1 if d == axis else 1 for d in range(len(shape))]), tuple(shape))


def broadcast_in_dim(x: Array, shape: Sequence[int], dims: Sequence[int]) -> Array:
    """result[i] = x[i[dims]], as a view."""
    order = sorted(range(x.ndim), key=lambda k: dims[k])
    sizes = [1] * len(shape)
    for k in range(x.ndim):
        sizes[dims[k]] = x.shape[k]
    return np.broadcast_to(x.transpose(order).reshape(sizes), tuple(shape))


def pad(x: Array, value: Array, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Array:
    """x with `value` around and between its elements; negative edges cut."""
    shape = [a + b + size + max(size - 1, 0) * i for a, b, i, size in zip(low, high, interior, x.shape, strict=True)]
    out = np.full([max(d, 0) for d in shape], value, x.dtype)
    source: list[slice] = []
    target: list[slice] = []
    for size, result, start, inner in zip(x.shape, shape, low, interior, strict=True):
        step = inner + 1
        first = max(0, -(start // step)) if start < 0 else 0
        last = min(size, -(-(result - start) // step))
        source.append(slice(first, max(last, first)))
        begin = start + first * step
        target.append(
            slice(begin, begin + max(0, (last - first - 1) * step + 1), step) if last > first else slice(0, 0)
        )
    out[tuple(target)] = x[tuple(source)]
    return out


@semantics(s.ConstantOp)
def constant(op: s.ConstantOp) -> Array:
    return op.value.array


@semantics(s.IotaOp)
def iota_op(op: s.IotaOp) -> Array:
    t = result_type(op)
    return iota(t.static_shape, op.iota_dimension, t.dtype)


@semantics(s.ReshapeOp)
def reshape(op: s.ReshapeOp, x: Array) -> Array:
    return x.reshape(_known_shape(result_type(op), x.size))


def _known_shape(t: TensorType, size: int) -> tuple[int, ...]:
    """The shape of `t` for `size` elements; at most one dimension may be dynamic."""
    return tuple(-1 if d is None and size else d or 0 for d in t.shape)


@semantics(s.TransposeOp)
def transpose(op: s.TransposeOp, x: Array) -> Array:
    return np.transpose(x, op.permutation)


@semantics(s.BroadcastInDimOp)
def broadcast_in_dim_op(op: s.BroadcastInDimOp, x: Array) -> Array:
    t = result_type(op)
    shape = list(t.shape)
    for k, d in enumerate(op.broadcast_dimensions):
        shape[d] = x.shape[k] if shape[d] is None else shape[d]
    return broadcast_in_dim(x, TensorType(tuple(shape), t.dtype).static_shape, op.broadcast_dimensions)


@semantics(s.BroadcastOp)
def broadcast(op: s.BroadcastOp, x: Array) -> Array:
    return np.broadcast_to(x, (*op.broadcast_sizes, *x.shape))


@semantics(s.ConcatenateOp)
def concatenate(op: s.ConcatenateOp, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=op.dimension)


@semantics(s.ReverseOp)
def reverse(op: s.ReverseOp, x: Array) -> Array:
    return np.flip(x, op.dimensions)


@semantics(s.SliceOp)
def slice_op(op: s.SliceOp, x: Array) -> Array:
    return x[tuple(map(slice, op.start_indices, op.limit_indices, op.strides))]


@semantics(s.PadOp)
def pad_op(op: s.PadOp, x: Array, value: Array) -> Array:
    return pad(x, value, op.edge_padding_low, op.edge_padding_high, op.interior_padding)


@semantics(s.GetDimensionSizeOp)
def get_dimension_size(op: s.GetDimensionSizeOp, x: Array) -> Array:
    return np.array(x.shape[op.dimension], np.int32)


@semantics(s.SetDimensionSizeOp)
def set_dimension_size(op: s.SetDimensionSizeOp, x: Array, size: Array) -> Array:
    """Cut off, or filled up with zeros within the bound of the dimension."""
    d, n = op.dimension, int(size)
    t = tensor_type(op.operand)
    most = t.largest_shape[d] if t.largest_shape[d] is not None else x.shape[d]
    assert most is not None
    if not 0 <= n <= most:
        raise ExecutionError(f"dimension {d} is set to {n}, but must be from 0 to {most}", op.location, op.name)
    cut = x[(*(slice(None),) * d, slice(0, n))]
    missing = [(0, n - cut.shape[d] if axis == d else 0) for axis in range(x.ndim)]
    return np.pad(cut, missing) if n > cut.shape[d] else cut
