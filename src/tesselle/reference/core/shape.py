"""shape, and the check of cf: extents are vectors of int64, sizes int64, a witness is true."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core import shape as s
from tesselle.dialects.core.cf import AssertOp
from tesselle.ir.core import Op
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics
from tesselle.support.diagnostics import ExecutionError


def _extents(values: Sequence[int]) -> Array:
    return np.array(values, np.int64).reshape(len(values))


def _size(value: int) -> Array:
    return np.array(value, np.int64)


@semantics(s.ShapeOfOp)
def shape_of(op: s.ShapeOfOp, x: Array) -> Array:
    return _extents(x.shape)


@semantics(s.ConstShapeOp)
def const_shape(op: s.ConstShapeOp) -> Array:
    return _extents(op.shape)


@semantics(s.ConstSizeOp)
def const_size(op: s.ConstSizeOp) -> Array:
    return _size(op.value)


@semantics(s.FromExtentsOp)
def from_extents(op: s.FromExtentsOp, *extents: Array) -> Array:
    return _extents([int(n) for n in extents])


@semantics(s.FromExtentTensorOp, s.ToExtentTensorOp, s.IndexToSizeOp, s.SizeToIndexOp)
def same(op: Op, x: Array) -> Array:
    return x


@semantics(s.AnyOp)
def any_of(op: s.AnyOp, *shapes: Array) -> Array:
    return shapes[0]


def broadcast_shapes(shapes: Sequence[Sequence[int]]) -> list[int] | None:
    """The shape that all broadcast to, None when there is none. An extent of 1 repeats, also no times."""
    rank = max(map(len, shapes))
    rows = [[1] * (rank - len(x)) + [int(n) for n in x] for x in shapes]
    out: list[int] = []
    for column in zip(*rows, strict=True):
        sizes = {n for n in column if n != 1}
        if len(sizes) > 1:
            return None
        out.append(sizes.pop() if sizes else 1)
    return out


@semantics(s.BroadcastOp)
def broadcast(op: s.BroadcastOp, *shapes: Array) -> Array:
    found = broadcast_shapes([x.tolist() for x in shapes])
    if found is None:
        raise ExecutionError(_do_not_fit(shapes), op.location, op.name)
    return _extents(found)


def _do_not_fit(shapes: Sequence[Array]) -> str:
    return f"the shapes {', '.join(str(x.tolist()) for x in shapes)} do not broadcast to one"


@semantics(s.ConcatOp)
def concat(op: s.ConcatOp, a: Array, b: Array) -> Array:
    return np.concatenate([a, b])


@semantics(s.SplitAtOp)
def split_at(op: s.SplitAtOp, shape: Array, index: Array) -> tuple[Array, Array]:
    place = int(index)
    place = place + len(shape) if place < 0 else place
    if not 0 <= place <= len(shape):
        raise ExecutionError(f"there is no extent number {int(index)} in {shape.tolist()}", op.location, op.name)
    return shape[:place], shape[place:]


@semantics(s.GetExtentOp)
def get_extent(op: s.GetExtentOp, shape: Array, dim: Array) -> Array:
    if not 0 <= int(dim) < len(shape):
        raise ExecutionError(f"there is no extent number {int(dim)} in {shape.tolist()}", op.location, op.name)
    return shape[int(dim)]


@semantics(s.DimOp)
def dim(op: s.DimOp, x: Array, index: Array) -> Array:
    if not 0 <= int(index) < x.ndim:
        raise ExecutionError(f"there is no dimension {int(index)} in {list(x.shape)}", op.location, op.name)
    return _size(x.shape[int(index)])


@semantics(s.RankOp)
def rank(op: s.RankOp, shape: Array) -> Array:
    return _size(len(shape))


@semantics(s.NumElementsOp)
def num_elements(op: s.NumElementsOp, shape: Array) -> Array:
    return _size(math.prod(shape.tolist()))


@semantics(s.AddOp)
def add(op: s.AddOp, a: Array, b: Array) -> Array:
    return a + b


@semantics(s.MulOp)
def mul(op: s.MulOp, a: Array, b: Array) -> Array:
    return a * b


@semantics(s.DivOp)
def div(op: s.DivOp, a: Array, b: Array) -> Array:
    return a // b if b else np.zeros_like(a)


@semantics(s.MaxOp)
def maximum(op: s.MaxOp, a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@semantics(s.MinOp)
def minimum(op: s.MinOp, a: Array, b: Array) -> Array:
    return np.minimum(a, b)


@region_semantics(s.ReduceOp)
def reduce(op: s.ReduceOp, runner: RegionRunner, shape: Array, *init: Array) -> list[Array]:
    state = list(init)
    for i, extent in enumerate(shape):
        state = runner.run_region(op.body, [_size(i), extent, *state])
    return state


def _are_equal(shapes: Sequence[Array]) -> bool:
    return all(np.array_equal(shapes[0], x) for x in shapes[1:])


@semantics(s.ShapeEqOp)
def shape_eq(op: s.ShapeEqOp, *shapes: Array) -> Array:
    return np.array(_are_equal(shapes))


@semantics(s.IsBroadcastableOp)
def is_broadcastable(op: s.IsBroadcastableOp, *shapes: Array) -> Array:
    return np.array(broadcast_shapes([x.tolist() for x in shapes]) is not None)


def _witness(op: Op, holds: bool, message: str) -> Array:
    if not holds:
        raise ExecutionError(message, op.location, op.name)
    return np.array(True)


@semantics(s.CstrEqOp)
def cstr_eq(op: s.CstrEqOp, *shapes: Array) -> Array:
    text = f"the shapes {', '.join(str(x.tolist()) for x in shapes)} are not the same"
    return _witness(op, _are_equal(shapes), text)


@semantics(s.CstrBroadcastableOp)
def cstr_broadcastable(op: s.CstrBroadcastableOp, *shapes: Array) -> Array:
    return _witness(op, broadcast_shapes([x.tolist() for x in shapes]) is not None, _do_not_fit(shapes))


@semantics(s.CstrRequireOp)
def cstr_require(op: s.CstrRequireOp, pred: Array) -> Array:
    return _witness(op, bool(pred), op.msg)


@semantics(AssertOp)
def cf_assert(op: AssertOp, arg: Array) -> list[Array]:
    _witness(op, bool(arg), op.msg)
    return []


@semantics(s.ConstWitnessOp)
def const_witness(op: s.ConstWitnessOp) -> Array:
    return _witness(op, op.passing, "a constraint that never holds")


@semantics(s.AssumingAllOp)
def assuming_all(op: s.AssumingAllOp, *witnesses: Array) -> Array:
    return np.array(True)


@region_semantics(s.AssumingOp)
def assuming(op: s.AssumingOp, runner: RegionRunner, witness: Array) -> list[Array]:
    return runner.run_region(op.body, [])
