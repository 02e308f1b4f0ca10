"""fold-constants: StableHLO on constants is computed now, by the reference; equal operations become one.

    %v = constant; %e = constant 1e-5           ->   %s = constant
    %s = rsqrt(add(%v, %e))

The batch norm of a trained network so shrinks to one scale and one offset per channel. What would grow is not folded:
broadcasts and iota stay operations (they melt into indexing maps), and so do transposes and slices of large constants,
which maps read in place without a copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.stablehlo import contraction, convolution, elementwise, shape
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import COMMUTATIVE, CONSTANT_LIKE, ELEMENTWISE, PURE, Op, Value, constant_elements
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.ir.types import TensorType
from tesselle.reference import evaluate
from tesselle.reference.registry import SEMANTICS, Array

_MOVES = (shape.TransposeOp, shape.SliceOp, shape.ReverseOp, shape.ConcatenateOp, shape.PadOp)
"""Operations that copy what maps could read in place."""

_NEVER = (shape.IotaOp, contraction.DotOp, contraction.DotGeneralOp, convolution.ConvolutionOp)


@register_pass("fold-constants", needs=[Fact.INPUT])
@dataclass(frozen=True)
class FoldConstants(Pass):
    """Evaluate operations on constants; `max_bytes` bounds a result that is larger than its operands."""

    max_bytes: int = 64 << 20
    max_moved_bytes: int = 64 << 10

    def run(self, module: Op) -> None:
        eliminate_common_subexpressions(module)
        for function in [op for op in module.walk() if isinstance(op, FuncOp)]:
            for op in function.walk():
                if op is not function and op.parent is not None:
                    self._visit(op)
        eliminate_dead_code(module)

    def _visit(self, op: Op) -> None:
        if PURE not in op.TRAITS or CONSTANT_LIKE in op.TRAITS or op.regions or len(op.results) != 1:
            return
        same = _identity(op)
        if same is not None:
            op.replace_with(same)
            return
        t = op.results[0].type
        if not op.operands or isinstance(op, _NEVER) or type(op) not in SEMANTICS:
            return
        if not isinstance(t, TensorType) or not t.is_static:
            return
        elements = [constant_elements(v) for v in op.operands]
        known = [e for e in elements if e is not None]
        if len(known) != len(elements):
            return
        value = self._evaluate(op, known, t)
        if value is not None:
            made = Builder.before_op(op).insert(shape.ConstantOp(value))
            op.replace_with(made.result)

    def _evaluate(self, op: Op, elements: list[DenseElements], t: TensorType) -> DenseElements | None:
        splats = all(e.is_splat and e.array.size for e in elements)
        if splats and t.element_count and (ELEMENTWISE in op.TRAITS or isinstance(op, shape.BroadcastInDimOp)):
            if isinstance(op, shape.BroadcastInDimOp | shape.BroadcastOp):
                return DenseElements.splat(elements[0].splat_value, t)
            scalars: list[Array] = [np.asarray(e.splat_value) for e in elements]
            (result,) = evaluate(op, scalars)
            return DenseElements.splat(result.reshape(()), t) if result.ndim == 0 else None
        if isinstance(op, shape.BroadcastInDimOp | shape.BroadcastOp):
            return None
        size, source = t.size_bytes, sum(e.array.nbytes for e in elements)
        if isinstance(op, shape.ReshapeOp):
            return _as_elements(elements[0].array.reshape(t.static_shape), t)
        if isinstance(op, _MOVES) and size > self.max_moved_bytes:
            return None
        if size > max(self.max_bytes, source):
            return None
        (result,) = evaluate(op, [e.array for e in elements])
        return _as_elements(np.ascontiguousarray(result).reshape(t.static_shape), t)


def _as_elements(array: Array, t: TensorType) -> DenseElements | None:
    return DenseElements(array, t) if array.dtype == t.dtype.numpy else None


_NEUTRAL: dict[type[Op], float] = {
    elementwise.MultiplyOp: 1,
    elementwise.DivideOp: 1,
    elementwise.SubtractOp: 0,
    elementwise.MaximumOp: -math.inf,
    elementwise.MinimumOp: math.inf,
}
"""x op c = x, also for nan, infinities and zeros of both signs."""


def _identity(op: Op) -> Value | None:
    """The operand that an operation without effect gives back."""
    neutral = _NEUTRAL.get(type(op))
    if neutral is not None:
        return _drop_neutral(op, neutral)
    if len(op.operands) != 1 or op.operands[0].type != op.results[0].type:
        return None
    if isinstance(op, shape.ReshapeOp | elementwise.ConvertOp | elementwise.BitcastConvertOp):
        return op.operands[0]
    if isinstance(op, shape.TransposeOp):
        return op.operands[0] if list(op.permutation) == sorted(op.permutation) else None
    if isinstance(op, shape.BroadcastInDimOp):
        static = isinstance(op.results[0].type, TensorType) and op.results[0].type.is_static
        return op.operands[0] if static and list(op.broadcast_dimensions) == sorted(op.broadcast_dimensions) else None
    if isinstance(op, shape.SliceOp):
        static = isinstance(op.results[0].type, TensorType) and op.results[0].type.is_static
        return op.operands[0] if static else None
    return None


def _drop_neutral(op: Op, neutral: float) -> Value | None:
    t = op.results[0].type
    if not isinstance(t, TensorType) or t.dtype.is_bool or t.dtype.is_complex:
        return None
    places = (1, 0) if COMMUTATIVE in op.TRAITS else (1,)
    for i in places:
        splat = _splat(op.operands[i])
        if splat is None or splat != neutral or op.operands[1 - i].type != t:
            continue
        # -0 - -0 is 0.
        if math.copysign(1, splat) == math.copysign(1, neutral):
            return op.operands[1 - i]
    return None


def _splat(value: Value) -> float | None:
    """The number that a constant, or the broadcast of one, repeats."""
    source = value.defining_op
    if isinstance(source, shape.BroadcastInDimOp):
        value = source.operand
    elements = constant_elements(value)
    if elements is None or not elements.is_splat or not elements.array.size:
        return None
    return float(elements.splat_value)
