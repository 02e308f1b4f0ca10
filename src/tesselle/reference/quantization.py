"""Quantized tensors: arrays of what is stored, and what operations do with them.

    dequantize(q) = (q - zero_point) * scale
    quantize(x)   = round_nearest_even(clamp(storage_min, x / scale + zero_point, storage_max))

Every step is one operation of the expressed type, rounded to it. The difference of stored integer and zero point is
taken without wrapping around, as the section "Types" has it. Source: StableHLO spec, "Quantization computations".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tesselle.dialects.stablehlo.quantization import (
    UniformDequantizeOp,
    UniformQuantizeOp,
    computed_types,
    computes_in_floats,
)
from tesselle.dialects.stablehlo.quantized_rules import quantized_element
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import TensorType
from tesselle.reference import numerics as n
from tesselle.reference.registry import Array, semantics

RunOp = Callable[[Op, Sequence[Array]], "list[Array]"]


def is_quantized(op: Op) -> bool:
    """Whether an operand or a result is a quantized tensor."""
    return any(quantized_element(v.type) is not None for v in (*op.operands, *op.results))


def dequantize(x: Array, t: QuantizedType) -> Array:
    """The floats that stored integers stand for."""
    zero_points = _along_axis(np.array(t.zero_points, np.int64), t, x.ndim)
    difference = n.convert(n.widen(x).astype(np.int64) - zero_points, t.expressed)
    return n.widened(np.multiply)(difference, _scales(t, x.ndim)).astype(t.expressed.numpy, copy=False)


def quantize(x: Array, t: QuantizedType) -> Array:
    """The stored integers that stand for floats best."""
    zero_points = n.convert(_along_axis(np.array(t.zero_points, np.int64), t, x.ndim), t.expressed)
    low, high = (n.convert(np.array(v, np.int64), t.expressed) for v in (t.storage_min, t.storage_max))
    scaled = n.widened(np.divide)(x, _scales(t, x.ndim))
    moved = n.widened(np.add)(scaled, zero_points)
    clamped = n.widened(_clamp)(moved, low, high)
    return n.convert(n.widened(np.rint)(clamped), t.storage)


def _clamp(x: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


def _scales(t: QuantizedType, rank: int) -> Array:
    return _along_axis(np.array(t.scales, np.float64).astype(t.expressed.numpy), t, rank)


def _along_axis(values: Array, t: QuantizedType, rank: int) -> Array:
    """One value, or one for every index of the quantized axis, ready for broadcasting."""
    if t.axis is None:
        return values.reshape(())
    return values.reshape([-1 if d == t.axis else 1 for d in range(rank)])


def requantize(x: Array, source: QuantizedType, target: QuantizedType) -> Array:
    return x if source is target else quantize(dequantize(x, source), target)


def run_quantized(op: Op, operands: Sequence[Array], run: RunOp) -> list[Array]:
    """The results of an operation on quantized tensors; `run` computes on plain ones, and on what is stored."""
    if computes_in_floats(op):
        results = run(_on_floats(op), [_floats(x, v) for x, v in zip(operands, op.operands, strict=True)])
        return [_store(np.asarray(x), v) for x, v in zip(results, op.results, strict=True)]
    return run(op, _promoted(op, operands))


@semantics(UniformQuantizeOp, UniformDequantizeOp)
def uniform_quantize(op: UniformQuantizeOp | UniformDequantizeOp, x: Array) -> Array:
    return _store(_floats(x, op.operand), op.result)


def _floats(x: Array, value: Value) -> Array:
    q = quantized_element(value.type)
    return x if q is None else dequantize(x, q)


def _store(x: Array, value: Value) -> Array:
    q = quantized_element(value.type)
    return x if q is None else quantize(x, q)


def _on_floats(op: Op) -> Op:
    """The same operation on tensors of the expressed types."""
    args = Block([_expressed(v) for v in op.operands]).args
    plain = op.clone()
    plain.set_operands(args)
    for result in plain.results:
        result.type = _expressed(result)
    return plain


def _expressed(value: Value) -> TensorType:
    t, q = value.type, quantized_element(value.type)
    assert isinstance(t, TensorType)
    return t if q is None else t.with_dtype(q.expressed)


def _promoted(op: Op, operands: Sequence[Array]) -> Sequence[Array]:
    """Operands of operations whose region computes in a wider quantized type, in that type (to_destination_type)."""
    promoted = list(operands)
    for i, target in computed_types(op).items():
        source = quantized_element(op.operands[i].type)
        if source is not None:
            promoted[i] = requantize(operands[i], source, target)
    return promoted
