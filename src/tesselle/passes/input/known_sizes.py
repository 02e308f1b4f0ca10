"""What is known of sizes in StableHLO: where a dimension comes from, and the numbers in a vector of sizes.

    %n = get_dimension_size %x, dim = 0          %y = dynamic_reshape %x, (%n, 4)
    %e = exponential %y                          dimension 0 of %e: dimension 0 of %x

Sizes are equal when their extents are. A dimension that a loop carries is that of its initial value, where every
iteration keeps it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tesselle.dialects.chlo.broadcast import BroadcastingOp, BroadcastSelectOp
from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import contraction, dynamic, elementwise, indexing, normalization, reduction, shape
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.stablehlo import convolution as conv
from tesselle.dialects.stablehlo import window as win
from tesselle.ir.builder import Builder
from tesselle.ir.core import ELEMENTWISE, BlockArgument, Op, OpResult, Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import I32

MAX_ELEMENTS = 64
"""Vectors with more elements are no shapes."""


Key: TypeAlias = "int | str | Value | tuple[Key, ...]"


@dataclass(frozen=True)
class Extent:
    """A number that is known by what it is made of.

    `key` is an integer, ("dim", value, axis), ("value", scalar) or (operation, key, key); equal keys are equal numbers.
    `scalar` is a value that holds it, where there is one.
    """

    key: Key
    scalar: Value | None = field(default=None, compare=False)

    @property
    def constant(self) -> int | None:
        return self.key if isinstance(self.key, int) else None


@dataclass(frozen=True)
class _At:
    """Another dimension of the same size."""

    value: Value
    axis: int


_Step = _At | Extent | None

_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "maximum": max,
    "minimum": min,
}
_ARITHMETIC: dict[type[Op], str] = {
    elementwise.AddOp: "add",
    elementwise.SubtractOp: "subtract",
    elementwise.MultiplyOp: "multiply",
    elementwise.DivideOp: "divide",
    elementwise.MaximumOp: "maximum",
    elementwise.MinimumOp: "minimum",
    elementwise.RemainderOp: "remainder",
}
"""Operations on sizes; equal operands give equal results."""
BUILDERS: dict[str, type[Op]] = {name: cls for cls, name in _ARITHMETIC.items()}


@dataclass
class _Layer:
    """What was found under the assumptions that hold so far."""

    dims: dict[tuple[Value, int], Extent] = field(default_factory=dict[tuple[Value, int], Extent])
    scalars: dict[Value, Extent] = field(default_factory=dict[Value, Extent])
    loops: dict[Op, dict[tuple[int, int], Extent]] = field(default_factory=dict[Op, dict[tuple[int, int], Extent]])


class KnownSizes:
    """Answers for the values of one module; what was found is remembered, so values must not change their meaning."""

    def __init__(self) -> None:
        self._layers = [_Layer()]
        self._assumed: dict[tuple[Value, int], Extent] = {}

    def of(self, value: Value, axis: int) -> Extent:
        """The extent of a dimension."""
        path: list[tuple[Value, int]] = []
        while True:
            size = tensor_type(value).shape[axis]
            place = value, axis
            found = Extent(size) if size is not None else self._assumed.get(place)
            if found is None:
                found = next((layer.dims[place] for layer in self._layers if place in layer.dims), None)
            if found is not None:
                break
            path.append(place)
            step = self._step(value, axis)
            if not isinstance(step, _At):
                found = Extent(("dim", value, axis)) if step is None else step
                break
            value, axis = step.value, step.axis
        for place in path:
            self._layers[-1].dims[place] = found
        return found

    def shape(self, value: Value) -> list[Extent]:
        return [self.of(value, d) for d in range(tensor_type(value).rank)]

    def same_shape(self, a: Value, b: Value) -> bool:
        """Whether two values certainly have one shape."""
        return tensor_type(a).rank == tensor_type(b).rank and self.shape(a) == self.shape(b)

    # ------------------------------------------------------------------------------------------ numbers

    def number(self, value: Value) -> Extent:
        """The extent that is a tensor of one integer."""
        known = next((layer.scalars[value] for layer in self._layers if value in layer.scalars), None)
        if known is None:
            known = self._layers[-1].scalars[value] = self._number(value)
        return known

    def _number(self, value: Value) -> Extent:
        t = tensor_type(value)
        constant = constant_elements(value)
        if constant is not None and constant.array.size == 1:
            return Extent(int(constant.array.reshape(-1)[0]))
        op = value.defining_op
        scalar = value if t.rank == 0 else None
        if isinstance(op, shape.GetDimensionSizeOp):
            return self.of(op.operand, op.dimension)
        if isinstance(op, shape.ReshapeOp | elementwise.ConvertOp) and _is_one_integer(op.operand):
            inner = self.number(op.operand)
            return inner if inner.scalar is not None or scalar is None else Extent(inner.key, scalar)
        if isinstance(op, shape.SliceOp):
            elements = self.elements(op.operand)
            if elements is not None:
                return elements[op.start_indices[0]]
        name = _ARITHMETIC.get(type(op)) if op is not None else None
        if op is not None and name is not None:
            a, b = (self.number(v) for v in op.operands)
            return _combine(name, a, b, scalar)
        return Extent(("value", value), scalar)

    def elements(self, vector: Value) -> list[Extent] | None:
        """The numbers in a vector of integers; None where they are not known one by one."""
        t = tensor_type(vector)
        if t.rank != 1 or t.shape[0] is None or t.shape[0] > MAX_ELEMENTS:
            return None
        constant = constant_elements(vector)
        if constant is not None:
            return [Extent(int(n)) for n in constant.array.reshape(-1)]
        op = vector.defining_op
        if isinstance(op, shape.ConcatenateOp):
            parts = [self.elements(v) for v in op.inputs]
            return [e for p in parts if p is not None for e in p] if None not in parts else None
        if isinstance(op, elementwise.ConvertOp) and tensor_type(op.operand).dtype.is_integer:
            return self.elements(op.operand)
        if isinstance(op, shape.SliceOp):
            inner = self.elements(op.operand)
            return None if inner is None else inner[op.start_indices[0] : op.limit_indices[0] : op.strides[0]]
        if isinstance(op, shape.BroadcastInDimOp) and _is_one_integer(op.operand):
            return [self.number(op.operand)] * t.shape[0]
        name = _ARITHMETIC.get(type(op)) if op is not None else None
        if op is not None and name is not None and t.shape[0] != 1:
            lists = [self.elements(v) for v in op.operands]
            if lists[0] is not None and lists[1] is not None:
                return [_combine(name, a, b, None) for a, b in zip(lists[0], lists[1], strict=True)]
        return [self.number(vector)] if t.shape[0] == 1 else None

    # ------------------------------------------------------------------------------------------ one step back

    def _step(self, value: Value, axis: int) -> _Step:
        if isinstance(value, BlockArgument):
            loop = value.block.parent_op
            return self._loop(loop).get((value.index, axis)) if isinstance(loop, cf.WhileOp) else None
        assert isinstance(value, OpResult)
        op = value.op
        if ELEMENTWISE in op.TRAITS:
            return _elementwise(op, tensor_type(value), axis)
        if isinstance(op, BroadcastingOp | BroadcastSelectOp):
            return self._broadcast_step(op, tensor_type(value).rank, axis)
        return self._vector_step(op, axis) or _move(op, value.index, axis) or self._region_step(op, value.index, axis)

    def _vector_step(self, op: Op, axis: int) -> _Step:
        """Operations whose shape is an operand."""
        if isinstance(op, dynamic.DynamicBroadcastInDimOp):
            return self._element(op.output_dimensions, axis)
        if isinstance(op, dynamic.DynamicReshapeOp | dynamic.DynamicIotaOp):
            return self._element(op.output_shape, axis)
        if isinstance(op, dynamic.DynamicPadOp):
            amounts = [self._element(v, axis) for v in op.operands[2:]]
            return _At(op.operand, axis) if all(a is not None and a.key == 0 for a in amounts) else None
        if isinstance(op, dynamic.RealDynamicSliceOp):
            start, limit, stride = (self._element(v, axis) for v in op.operands[1:])
            whole = start is not None and start.key == 0 and stride is not None and stride.key == 1
            if not whole or limit is None:
                return None
            return _At(op.operand, axis) if limit == self.of(op.operand, axis) else limit
        if isinstance(op, indexing.DynamicGatherOp):
            batch = _gather_batch(op, axis)
            if batch is not None:
                return batch
            numbers = op.dimension_numbers
            hidden = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
            windows = [d for d in range(tensor_type(op.operand).rank) if d not in hidden]
            return self._element(op.slice_sizes, windows[sorted(numbers.offset_dims).index(axis)])
        return None

    def _element(self, vector: Value, index: int) -> Extent | None:
        elements = self.elements(vector)
        if elements is None:
            return None
        e = elements[index]
        # A size that only a vector holds must be read from there: it is no extent that can be built again.
        return None if isinstance(e.key, tuple) and e.key[0] == "value" and e.scalar is None else e

    def _broadcast_step(self, op: Op, rank: int, axis: int) -> Extent | None:
        """CHLO's broadcasts: the one size that is not 1."""
        ranks = [tensor_type(v).rank for v in op.operands]
        if op.attributes.get("broadcast_dimensions") is not None and len(set(ranks)) > 1:
            return None
        found = {self.of(v, axis - rank + r) for v, r in zip(op.operands, ranks, strict=True) if axis >= rank - r}
        sizes = [e for e in found if e.key != 1]
        return sizes[0] if len(sizes) == 1 else None

    def _region_step(self, op: Op, index: int, axis: int) -> _Step:
        """Results of branches and loops."""
        if isinstance(op, cf.WhileOp):
            return self._loop(op).get((index, axis))
        if isinstance(op, cf.IfOp | cf.CaseOp):
            found = [self.of(r.block.terminator.operands[index], axis) for r in op.regions]
            return found[0] if all(e == found[0] for e in found) and _is_outside(found[0], op) else None
        return None

    def _loop(self, op: cf.WhileOp) -> dict[tuple[int, int], Extent]:
        """The dimensions of the state, by (index, axis), that every iteration keeps, with their sizes.

        They are the greatest set that holds behind the body when it holds before it.
        """
        for layer in self._layers:
            if op in layer.loops:
                return layer.loops[op]
        kept: dict[tuple[int, int], Extent] = {}
        for i, v in enumerate(op.operands):
            if isinstance(v.type, TensorType) and not v.type.dtype.is_opaque:
                kept |= {(i, d): self.of(v, d) for d, size in enumerate(v.type.shape) if size is None}
        regions = [r.block for r in op.regions if len(r.blocks) == 1]
        returned = op.body.block.last
        if len(regions) < 2 or returned is None or len(returned.operands) != len(op.operands):
            kept = {}
        assumed = self._assumed
        while kept:
            self._layers.append(_Layer())
            self._assumed = dict(assumed)
            for i, v in enumerate(op.operands):
                for d in range(v.type.rank if isinstance(v.type, TensorType) else 0):
                    for block in regions:
                        place = block.args[i], d
                        self._assumed[place] = kept.get((i, d), Extent(("dim", *place)))
            assert returned is not None
            lost = [(i, d) for (i, d), e in kept.items() if self.of(returned.operands[i], d) != e]
            self._layers.pop()
            self._assumed = assumed
            for place in lost:
                del kept[place]
            if not lost:
                break
        self._layers[-1].loops[op] = kept
        return kept


def _combine(name: str, a: Extent, b: Extent, scalar: Value | None) -> Extent:
    x, y = a.constant, b.constant
    if x is not None and y is not None and name in _FOLD:
        return Extent(_FOLD[name](x, y))
    neutral = 0 if name in ("add", "subtract") else 1 if name in ("multiply", "divide") else None
    if y is not None and y == neutral:
        return a
    if x is not None and x == neutral and name in ("add", "multiply"):
        return b
    if a == b and name in ("maximum", "minimum"):
        return a
    return Extent((name, a.key, b.key), scalar)


def _is_one_integer(value: Value) -> bool:
    t = tensor_type(value)
    return t.is_static and t.element_count == 1 and t.dtype.is_integer


def _elementwise(op: Op, t: TensorType, axis: int) -> _Step:
    """The operand that knows the size, or the first one of the result's rank."""
    same = [v for v in op.operands if isinstance(v.type, TensorType) and v.type.rank == t.rank]
    if not same:
        return None
    return _At(next((v for v in same if tensor_type(v).shape[axis] is not None), same[0]), axis)


def _gather_batch(op: indexing.GatherOp | indexing.DynamicGatherOp, axis: int) -> _At | None:
    """The dimension of the indices that a dimension of the result walks."""
    numbers = op.dimension_numbers
    if axis in numbers.offset_dims:
        return None
    batch = axis - sum(d < axis for d in numbers.offset_dims)
    walked = [d for d in range(tensor_type(op.start_indices).rank) if d != numbers.index_vector_dim]
    return _At(op.start_indices, walked[batch])


def _move(op: Op, index: int, axis: int) -> _At | None:
    """Operations that keep a dimension or give it another place."""
    if isinstance(op, CastOp | shape.ReverseOp | shape.SetDimensionSizeOp | indexing.DynamicUpdateSliceOp):
        return _At(op.operands[0], axis)
    if isinstance(op, normalization.BatchNormInferenceOp | win.SelectAndScatterOp) and index == 0:
        return _At(op.operands[0], axis)
    if isinstance(op, reduction.SortOp | indexing.ScatterOp | cf.OptimizationBarrierOp):
        return _At(op.operands[index], axis)
    if isinstance(op, shape.TransposeOp):
        return _At(op.operand, op.permutation[axis])
    if isinstance(op, reduction.ReduceOp):
        kept = [d for d in range(tensor_type(op.inputs[0]).rank) if d not in op.dimensions]
        return _At(op.inputs[index], kept[axis])
    if isinstance(op, shape.ConcatenateOp) and axis != op.dimension:
        return _At(op.inputs[0], axis)
    if isinstance(op, shape.PadOp):
        none = not (op.edge_padding_low[axis] or op.edge_padding_high[axis] or op.interior_padding[axis])
        return _At(op.operand, axis) if none else None
    if isinstance(op, indexing.GatherOp):
        return _gather_batch(op, axis)
    if isinstance(op, contraction.DotGeneralOp):
        return _dot(op, axis)
    if isinstance(op, conv.ConvolutionOp) and axis == op.dimension_numbers.output_batch_dimension:
        return _At(op.lhs, op.dimension_numbers.input_batch_dimension) if op.batch_group_count == 1 else None
    if isinstance(op, win.ReduceWindowOp):
        trivial = op.window_dimensions[axis] == op.strides_or_ones[axis] == op.base_dilations_or_ones[axis] == 1
        return _At(op.inputs[index], axis) if trivial and op.padding_or_zeros[axis] == (0, 0) else None
    return None


def _dot(op: contraction.DotGeneralOp, axis: int) -> _At:
    n = op.dot_dimension_numbers
    batch = len(n.lhs_batching_dimensions)
    if axis < batch:
        return _At(op.lhs, n.lhs_batching_dimensions[axis])
    left = [
        d
        for d in range(tensor_type(op.lhs).rank)
        if d not in (*n.lhs_batching_dimensions, *n.lhs_contracting_dimensions)
    ]
    if axis - batch < len(left):
        return _At(op.lhs, left[axis - batch])
    right = [
        d
        for d in range(tensor_type(op.rhs).rank)
        if d not in (*n.rhs_batching_dimensions, *n.rhs_contracting_dimensions)
    ]
    return _At(op.rhs, right[axis - batch - len(left)])


# ---------------------------------------------------------------------------------------------- building extents


def roots(extent: Extent) -> list[Value]:
    """The values that an extent is made of."""
    found: list[Value] = []
    pending: list[Key] = [extent.key]
    while pending:
        key = pending.pop()
        if isinstance(key, Value):
            found.append(key)
        elif isinstance(key, tuple):
            pending.extend(key)
    return found


def _is_outside(extent: Extent, op: Op) -> bool:
    """Whether an extent is made of values that are defined outside of `op`."""
    return not any(r.is_ancestor_of(v.parent_region) for v in roots(extent) for r in op.regions)


def build(b: Builder, extent: Extent) -> int | Value:
    """The extent as a number, or as a tensor<i32> that is built from the values that it is made of."""
    return _build(b, extent.key)


def _build(b: Builder, key: Key) -> int | Value:
    if isinstance(key, int):
        return key
    assert isinstance(key, tuple)
    if key[0] == "dim":
        value, axis = key[1], key[2]
        assert isinstance(value, Value) and isinstance(axis, int)
        return b.insert(shape.GetDimensionSizeOp(value, axis)).result
    if key[0] == "value":
        value = key[1]
        assert isinstance(value, Value)
        return as_size(b, value)
    operands = [_as_value(b, _build(b, p)) for p in key[1:]]
    return b.insert(BUILDERS[str(key[0])](*operands)).result


def _as_value(b: Builder, size: int | Value) -> Value:
    from tesselle.passes.input.stablehlo_expressions import splat

    return size if isinstance(size, Value) else splat(b, size, TensorType((), I32)).value


def as_size(b: Builder, value: Value) -> Value:
    """A tensor of one integer as tensor<i32>."""
    t = tensor_type(value)
    if t.rank:
        value = b.insert(shape.ReshapeOp(value, TensorType((), t.dtype))).result
    if t.dtype is not I32:
        value = b.insert(elementwise.ConvertOp(value, TensorType((), I32))).result
    return value
