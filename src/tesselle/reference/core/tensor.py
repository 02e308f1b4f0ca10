"""tensor: making, slicing and reshaping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tesselle.dialects.core import tensor as t
from tesselle.ir.core import Op
from tesselle.ir.types import Dim, TensorType
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics


def _type(op: Op) -> TensorType:
    result = op.result.type
    assert isinstance(result, TensorType)
    return result


def shape_with(shape: Sequence[Dim], dims: Sequence[Array]) -> tuple[int, ...]:
    """`shape` with its dynamic dimensions taken from `dims`, in order."""
    rest: Iterator[Array] = iter(dims)
    return tuple(int(next(rest)) if d is None else d for d in shape)


@semantics(t.EmptyOp)
def empty(op: t.EmptyOp, *dims: Array) -> Array:
    # Undefined elements must not matter: a conspicuous value would show up in results when they do.
    return np.full(shape_with(_type(op).shape, dims), 77, _type(op).dtype.numpy)


@semantics(t.DimOp)
def dim(op: t.DimOp, x: Array) -> Array:
    return np.array(x.shape[op.axis], np.int64)


@semantics(t.CastOp)
def cast(op: t.CastOp, x: Array) -> Array:
    return x


@semantics(t.ExtractOp)
def extract(op: t.ExtractOp, x: Array, *indices: Array) -> Array:
    return x[tuple(indices)]


@semantics(t.FromElementsOp)
def from_elements(op: t.FromElementsOp, *elements: Array) -> Array:
    return np.array([e[()] for e in elements], _type(op).dtype.numpy).reshape(_type(op).static_shape)


@semantics(t.SplatOp)
def splat(op: t.SplatOp, value: Array, *dims: Array) -> Array:
    return np.broadcast_to(value, shape_with(_type(op).shape, dims))


def _slices(op: t.ExtractSliceOp | t.InsertSliceOp, dynamic: Sequence[Array]) -> tuple[list[int], tuple[slice, ...]]:
    rest: Iterator[Array] = iter(dynamic)

    def merge(static: Sequence[Dim]) -> list[int]:
        return [int(next(rest)) if s is None else s for s in static]

    offsets, sizes, strides = (merge(x) for x in (op.static_offsets, op.static_sizes, op.static_strides))
    return sizes, tuple(
        slice(o, o + (n - 1) * s + 1 if n else o, s) for o, n, s in zip(offsets, sizes, strides, strict=True)
    )


@semantics(t.ExtractSliceOp)
def extract_slice(op: t.ExtractSliceOp, x: Array, *dynamic: Array) -> Array:
    sizes, region = _slices(op, dynamic)
    out = x[region]
    if out.shape != tuple(sizes):
        op.fail("bounds", f"the slice of {sizes} elements leaves the operand of shape {list(x.shape)}")
    result = _type(op)
    if result.rank == out.ndim:
        return out
    return out.reshape(_dropped_shape(sizes, result.shape))


def _dropped_shape(sizes: Sequence[int], shape: Sequence[Dim]) -> list[int]:
    """`sizes` without the unit dimensions that the result type `shape` drops."""
    out: list[int] = []
    for n in sizes:
        if len(out) < len(shape) and shape[len(out)] in (None, n) and (n != 1 or shape[len(out)] == 1):
            out.append(n)
    return out


@semantics(t.InsertSliceOp)
def insert_slice(op: t.InsertSliceOp, source: Array, dest: Array, *dynamic: Array) -> Array:
    sizes, region = _slices(op, dynamic)
    out = dest.copy()
    if out[region].shape != tuple(sizes):
        op.fail("bounds", f"the slice of {sizes} elements leaves the destination of shape {list(dest.shape)}")
    out[region] = source.reshape(sizes)
    return out


@semantics(t.PadOp)
def pad(op: t.PadOp, x: Array, value: Array, *dynamic: Array) -> Array:
    low = shape_with(op.static_low, dynamic[: op.static_low.count(None)])
    high = shape_with(op.static_high, dynamic[op.static_low.count(None) :])
    out = np.full([a + d + b for a, d, b in zip(low, x.shape, high, strict=True)], value, x.dtype)
    out[tuple(slice(a, a + d) for a, d in zip(low, x.shape, strict=True))] = x
    return out


@semantics(t.ConcatOp)
def concat(op: t.ConcatOp, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=op.axis)


@semantics(t.CollapseShapeOp)
def collapse_shape(op: t.CollapseShapeOp, x: Array) -> Array:
    return x.reshape([int(np.prod([x.shape[d] for d in group])) for group in op.reassociation])


@semantics(t.ExpandShapeOp, t.ReshapeOp)
def reshape(op: t.ExpandShapeOp | t.ReshapeOp, x: Array, *dims: Array) -> Array:
    return x.reshape(shape_with(_type(op).shape, dims))


@region_semantics(t.GenerateOp)
def generate(op: t.GenerateOp, runner: RegionRunner, *dims: Array) -> Array:
    shape = shape_with(_type(op).shape, dims)
    grid = np.indices(shape, sparse=True) if shape else ()
    (out,) = runner.run_elementwise(op.body.block, list(grid))
    return np.broadcast_to(out, shape).astype(_type(op).dtype.numpy)
