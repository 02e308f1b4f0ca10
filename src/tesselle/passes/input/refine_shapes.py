"""refine-shapes: operations whose shape operands are constants become static ones, and their users learn the shapes.

%n = get_dimension_size %x, dim = 0 : tensor<4x?xf32>    ->   %n = constant 4
%0 = dynamic_reshape %x, dense<[2, 3]> -> tensor<?x?xf32>     %0 = reshape %x : tensor<2x3xf32>
%1 = exponential %0 : tensor<?x?xf32>                         %1 = exponential %0 : tensor<2x3xf32>
return %1 : tensor<?x?xf32>                                   %2 = tensor.cast %1; return %2

Small integers are computed on the way, as sizes often are sums and products of sizes. What states its types itself
(functions, loops, branches) keeps them, behind a cast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tesselle.dialects.core import shape as core_shape
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.tensor import CastOp, DimOp, tensor_type
from tesselle.dialects.stablehlo import contraction, dynamic, elementwise, reduction, shape, window
from tesselle.dialects.stablehlo import convolution as conv
from tesselle.dialects.stablehlo import indexing as ix
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import CONSTANT_LIKE, PURE, Block, Op, Value, constant_elements
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.types import Dim, TensorType
from tesselle.reference import evaluate
from tesselle.reference.registry import SEMANTICS

_LIMIT = 64
"""Integers of constants with more elements than this are no sizes."""


def _numbers(value: Value) -> tuple[int, ...] | None:
    """The elements of a constant; None when the value is none."""
    elements = constant_elements(value)
    return None if elements is None else tuple(int(x) for x in elements.array.reshape(-1))


def _known(*values: Value) -> list[tuple[int, ...]] | None:
    found = [_numbers(v) for v in values]
    return [f for f in found if f is not None] if None not in found else None


def _reshape(op: dynamic.DynamicReshapeOp) -> Op | None:
    sizes = _numbers(op.output_shape)
    return None if sizes is None else shape.ReshapeOp(op.operand, TensorType(sizes, op.result_type.dtype))


def _iota(op: dynamic.DynamicIotaOp) -> Op | None:
    sizes = _numbers(op.output_shape)
    return None if sizes is None else shape.IotaOp(op.iota_dimension, TensorType(sizes, op.result_type.dtype))


def _broadcast(op: dynamic.DynamicBroadcastInDimOp) -> Op | None:
    sizes, t = _numbers(op.output_dimensions), tensor_type(op.operand)
    # Whether a dynamic dimension repeats is known at run time.
    if sizes is None or not t.is_static:
        return None
    return shape.BroadcastInDimOp(op.operand, op.broadcast_dimensions, TensorType(sizes, t.dtype))


def _pad(op: dynamic.DynamicPadOp) -> Op | None:
    amounts = _known(op.edge_padding_low, op.edge_padding_high, op.interior_padding)
    return None if amounts is None else shape.PadOp(op.operand, op.padding_value, *amounts)


def _slice(op: dynamic.RealDynamicSliceOp) -> Op | None:
    bounds = _known(op.start_indices, op.limit_indices, op.strides)
    return None if bounds is None else shape.SliceOp(op.operand, *bounds)


def _gather(op: ix.DynamicGatherOp) -> Op | None:
    sizes = _numbers(op.slice_sizes)
    if sizes is None:
        return None
    return ix.GatherOp(op.operand, op.start_indices, op.dimension_numbers, sizes, op.indices_are_sorted)


_STATIC: dict[type[Op], Callable[[Any], Op | None]] = {
    dynamic.DynamicBroadcastInDimOp: _broadcast,
    dynamic.DynamicIotaOp: _iota,
    dynamic.DynamicPadOp: _pad,
    dynamic.DynamicReshapeOp: _reshape,
    dynamic.RealDynamicSliceOp: _slice,
    ix.DynamicGatherOp: _gather,
}
"""Operations with shape operands -> the static one, where the operands are constants."""

_WITH_SCALAR_REGIONS = (reduction.ReduceOp, reduction.SortOp, window.ReduceWindowOp)
_TAKES_ANY_SHAPE = (
    *_STATIC,
    shape.GetDimensionSizeOp,
    CastOp,
    DimOp,
    core_shape.DimOp,
    core_shape.ShapeOfOp,
    elementwise.ConvertOp,
    contraction.DotGeneralOp,
    contraction.DotOp,
    conv.ConvolutionOp,
    conv.DynamicConvOp,
)
"""Operations that state their results' types and hold for operands of which more is known."""


@register_pass("refine-shapes")
@dataclass(frozen=True)
class RefineShapes(Pass):
    """Make shapes static where constants say what they are. Errors: VerifyError where they do not fit."""

    def run(self, module: Op) -> None:
        if any(type(op) in _STATIC for op in module.walk()):
            for function in [op for op in module.walk() if isinstance(op, FuncOp)]:
                refiner = _Refiner()
                for block in function.body.blocks:
                    refiner.block(block)


@dataclass
class _Refiner:
    """`declared`: values of which more is known than what their users were written for, with that type."""

    declared: dict[Value, TensorType] = field(default_factory=dict[Value, TensorType])
    casts: dict[Value, Value] = field(default_factory=dict[Value, Value])

    def block(self, block: Block) -> None:
        for op in block.ops:
            self._visit(op)

    def _visit(self, op: Op) -> None:
        folded = _fold(op)
        if folded is not None:
            Builder.before_op(op).insert(folded)
            op.replace_with(folded.results)
            return
        static = _STATIC.get(type(op))
        if static is not None:
            new = static(op)
            if new is not None:
                self._replace(op, Builder.before_op(op).insert(new))
                return
        if isinstance(op, elementwise.ConvertOp):
            t = tensor_type(op.operand)
            self._learn(op.results[0], TensorType(t.shape, op.result_type.dtype))
        elif _infers(op):
            inferred = op.infer() or ()
            for result, t in zip(op.results, inferred, strict=True):
                if isinstance(t, TensorType):
                    self._learn(result, t)
        elif not isinstance(op, _TAKES_ANY_SHAPE):
            self._cast_operands(op)
        if not isinstance(op, _WITH_SCALAR_REGIONS):
            for region in op.regions:
                for block in region.blocks:
                    self.block(block)

    def _replace(self, op: Op, new: Op) -> None:
        old, value = op.results[0], new.results[0]
        declared = tensor_type(old)
        op.replace_with(value)
        if value.type != declared:
            self.declared[value] = declared

    def _learn(self, result: Value, t: TensorType) -> None:
        """Give a result the type in which more dimensions are known."""
        old = tensor_type(result)
        sizes: tuple[Dim, ...] = tuple(a if a is not None else b for a, b in zip(old.shape, t.shape, strict=True))
        if sizes != old.shape:
            self.declared[result] = old
            result.type = TensorType(sizes, old.dtype)

    def _cast_operands(self, op: Op) -> None:
        for i, v in enumerate(op.operands):
            declared = self.declared.get(v)
            if declared is None:
                continue
            source = v.defining_op
            assert source is not None
            if v not in self.casts:
                self.casts[v] = Builder.after_op(source).insert(CastOp(v, declared)).result
            op.set_operand(i, self.casts[v])


def _infers(op: Op) -> bool:
    """Whether the types of results follow from those of operands alone."""
    return type(op).infer is not Op.infer and (not op.regions or isinstance(op, _WITH_SCALAR_REGIONS))


def _fold(op: Op) -> Op | None:
    """A constant in place of arithmetic on sizes."""
    if isinstance(op, shape.GetDimensionSizeOp):
        size = tensor_type(op.operand).shape[op.dimension]
        return None if size is None else _constant(np.array(size, np.int32), tensor_type(op.result))
    if PURE not in op.TRAITS or CONSTANT_LIKE in op.TRAITS or op.regions or len(op.results) != 1 or not op.operands:
        return None
    t = op.results[0].type
    if not isinstance(t, TensorType) or not (t.dtype.is_integer or t.dtype.is_bool) or type(op) not in SEMANTICS:
        return None
    if not t.is_static or t.element_count > _LIMIT:
        return None
    elements = [constant_elements(v) for v in op.operands]
    known = [e.array for e in elements if e is not None]
    if len(known) < len(elements) or any(a.size > _LIMIT for a in known):
        return None
    return _constant(evaluate(op, known)[0], t)


def _constant(value: Any, t: TensorType) -> Op:
    return shape.ConstantOp(DenseElements(np.ascontiguousarray(value).reshape(t.static_shape), t))
