"""expand-quantized: programs on quantized tensors become programs on the stored integers and on floats.

tensor<4x!quant.uniform<i8:f32, s:z>>          -> tensor<4xi8>     also as argument and result of functions
uniform_dequantize(q)                          -> convert(convert<i32>(q) - z) * s
uniform_quantize(x)                            -> convert<i8>(round_nearest_even(clamp(min, x / s + z, max)))
add(q, r), and all that computes               -> quantize(add(dequantize(q), dequantize(r)))
dot_general(x, r), a float and a quantized one -> dot_general(x, dequantize(r))
transpose(q), and all that moves elements      -> the same on the stored integers
reduce(q) with a body on quantized scalars     -> reduce with the expanded body

Public functions keep in the attribute `tesselle.quantization` of arguments and results how those are quantized.
Source: StableHLO spec, "Quantization computations": the steps are exactly those of `dequantize` and `quantize`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tesselle.dialects.chlo.elementwise import ConstantLikeOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.ml_program import GlobalOp
from tesselle.dialects.stablehlo.collective import CollectiveBroadcastOp, CollectivePermuteOp
from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp
from tesselle.dialects.stablehlo.elementwise import (
    AddOp,
    ClampOp,
    ConvertOp,
    DivideOp,
    MultiplyOp,
    RoundNearestEvenOp,
    SubtractOp,
)
from tesselle.dialects.stablehlo.quantization import (
    UniformDequantizeOp,
    UniformQuantizeOp,
    computed_types,
    computes_in_floats,
)
from tesselle.dialects.stablehlo.quantized_rules import quantized_element
from tesselle.dialects.stablehlo.shape import (
    BroadcastInDimOp,
    ConcatenateOp,
    ConstantOp,
    GetDimensionSizeOp,
    ReshapeOp,
)
from tesselle.ir.attributes import Attribute, DenseElements, FloatAttr, IntegerAttr
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import FunctionType, FutureType, TensorType, TupleType, Type
from tesselle.support.dtypes import I32, I64, DType

QUANTIZATION = "tesselle.quantization"
"""Attribute of arguments and results of functions: the text of their quantized element type."""


@register_pass("expand-quantized")
@dataclass(frozen=True)
class ExpandQuantized(Pass):
    """Store integers, compute in floats. Errors: Unsupported for a select_and_scatter that widens its type."""

    def run(self, module: Op) -> None:
        ops = list(module.walk())
        if not any(_mentions_quantized(op) for op in ops):
            return
        quantized: dict[Value, QuantizedType] = {}
        for op in ops:
            for value in (*op.results, *(a for region in op.regions for b in region.blocks for a in b.args)):
                element = quantized_element(value.type)
                if element is not None:
                    quantized[value] = element
        # Types of regions' arguments are read before any changes.
        promotions = {op: found for op in ops if (found := computed_types(op))}
        for op in ops:
            _store_attributes(op)
            for value in (*op.results, *(a for region in op.regions for b in region.blocks for a in b.args)):
                value.type = _stored(value.type)
        for op in ops:
            if any(v in quantized for v in (*op.operands, *op.results)):
                _expand(op, quantized, promotions.get(op, {}))


def _mentions_quantized(op: Op) -> bool:
    """Whether a result, an argument of a region, or an attribute of the operation has a quantized type."""
    if isinstance(op, FuncOp):
        return _stored(op.function_type) != op.function_type
    if isinstance(op, GlobalOp):
        return _stored(op.type) != op.type
    values = (*op.results, *(a for region in op.regions for b in region.blocks for a in b.args))
    return any(_stored(v.type) is not v.type for v in values)


def _stored(t: Type) -> Type:
    """The type of what is stored; `t` itself where nothing in it is quantized."""
    if isinstance(t, TensorType):
        element = quantized_element(t)
        return t if element is None else t.with_dtype(element.storage)
    if isinstance(t, TupleType | FutureType):
        types = tuple(map(_stored, t.types))
        return t if all(a is b for a, b in zip(types, t.types, strict=True)) else type(t)(types)
    if isinstance(t, FunctionType):
        return FunctionType(tuple(map(_stored, t.inputs)), tuple(map(_stored, t.results)))
    return t


def _store_attributes(op: Op) -> None:
    """Types in attributes: of functions, globals and constants."""
    if isinstance(op, FuncOp):
        t = op.function_type
        new = _stored(t)
        if new != t:
            assert isinstance(new, FunctionType)
            op.arg_attrs = _with_quantization(op.arg_attrs, t.inputs)
            op.res_attrs = _with_quantization(op.res_attrs, t.results)
            op.function_type = new
    elif isinstance(op, GlobalOp):
        op.type = _stored(op.type)
        if isinstance(op.value, DenseElements):
            op.value = _stored_elements(op.value)
    elif isinstance(op, ConstantOp):
        op.value = _stored_elements(op.value)


def _stored_elements(elements: DenseElements) -> DenseElements:
    t = _stored(elements.type)
    assert isinstance(t, TensorType)
    return elements if t is elements.type else DenseElements(elements.array, t)


def _with_quantization(
    attributes: Sequence[Mapping[str, Attribute]] | None, types: Sequence[Type]
) -> tuple[Mapping[str, Attribute], ...] | None:
    """The dictionaries of arguments or results, which learn how those of quantized type are quantized."""
    nothing: Mapping[str, Attribute] = {}
    found = [dict(d) for d in attributes or [nothing] * len(types)]
    for d, t in zip(found, types, strict=True):
        element = quantized_element(t)
        if element is not None:
            d[QUANTIZATION] = str(element)
    return tuple(found) if any(found) else None


def _expand(op: Op, quantized: dict[Value, QuantizedType], promotions: Mapping[int, QuantizedType]) -> None:
    """Surround `op`, whose quantized operands and results have stored types by now, by what it asks for.

    Values that take the place of results are added to `quantized`.
    """
    before = _Arithmetic(Builder.before_op(op))
    if isinstance(op, UniformQuantizeOp | UniformDequantizeOp):
        source, target = quantized.get(op.operand), quantized.get(op.result)
        value = op.operand if source is None else before.dequantize(op.operand, source)
        if target is not None:
            value = before.quantize(value, target)
            quantized[value] = target
        op.replace_with(value)
    elif computes_in_floats(op):
        floats = {v: before.dequantize(v, quantized[v]) for v in dict.fromkeys(op.operands) if v in quantized}
        op.set_operands([floats.get(v, v) for v in op.operands])
        _quantize_results(op, quantized)
    elif isinstance(op, CollectiveBroadcastOp | CollectivePermuteOp):
        _around_zero_point(op, quantized)
    else:
        for i, target in promotions.items():
            source = quantized.get(op.operands[i])
            if source is not None and source is not target:
                op.set_operand(i, before.quantize(before.dequantize(op.operands[i], source), target))


def _quantize_results(op: Op, quantized: dict[Value, QuantizedType]) -> None:
    after = _Arithmetic(Builder.after_op(op))
    after.b.location = op.location
    for result in op.results:
        target = quantized.get(result)
        if target is None:
            continue
        users = list(result.uses)
        assert isinstance(result.type, TensorType)
        result.type = result.type.with_dtype(target.expressed)
        stored = after.quantize(result, target)
        quantized[stored] = target
        for user, index in users:
            user.set_operand(index, stored)


def _around_zero_point(op: CollectiveBroadcastOp | CollectivePermuteOp, quantized: dict[Value, QuantizedType]) -> None:
    """What no process sends is quantize(0), stored as the zero point and not as 0: send differences, which may wrap."""
    t = quantized[op.operand]
    if not any(t.zero_points):
        return
    before, after = _Arithmetic(Builder.before_op(op)), _Arithmetic(Builder.after_op(op))
    after.b.location = op.location
    zero = t.zero_points[0]
    operand = op.operand
    op.set_operand(0, before.b.insert(SubtractOp(operand, before.full(zero, operand))).result)
    users = list(op.result.uses)
    moved = after.b.insert(AddOp(op.result, after.full(zero, op.result))).result
    quantized[moved] = t
    for user, index in users:
        user.set_operand(index, moved)


class _Arithmetic:
    """The steps of `quantize` and `dequantize`, built one by one."""

    def __init__(self, b: Builder) -> None:
        self.b = b

    def dequantize(self, x: Value, t: QuantizedType) -> Value:
        """(x - zero_point) * scale; the difference in an integer that holds it."""
        if any(t.zero_points):
            x = self.convert(x, I32 if t.storage.bits <= 16 else I64)
            x = self.b.insert(SubtractOp(x, self.parameters(t, t.zero_points, x))).result
        x = self.convert(x, t.expressed)
        return self.b.insert(MultiplyOp(x, self.parameters(t, t.scales, x))).result

    def quantize(self, x: Value, t: QuantizedType) -> Value:
        """round_nearest_even(clamp(storage_min, x / scale + zero_point, storage_max)) as stored."""
        x = self.b.insert(DivideOp(x, self.parameters(t, t.scales, x))).result
        if any(t.zero_points):
            x = self.b.insert(AddOp(x, self.parameters(t, t.zero_points, x))).result
        low, high = (self.scalar(v, t.expressed) for v in (t.storage_min, t.storage_max))
        x = self.b.insert(ClampOp(low, x, high)).result
        x = self.b.insert(RoundNearestEvenOp(x)).result
        return self.convert(x, t.storage)

    def convert(self, x: Value, dtype: DType) -> Value:
        t = x.type
        assert isinstance(t, TensorType)
        return self.b.insert(ConvertOp(x, t.with_dtype(dtype))).result

    def scalar(self, value: float, dtype: DType) -> Value:
        return self.b.insert(ConstantOp(DenseElements.splat(value, TensorType((), dtype)))).result

    def full(self, value: float, like: Value) -> Value:
        """`value` in every element of a tensor like `like`."""
        t = like.type
        assert isinstance(t, TensorType)
        if t.is_static:
            return self.b.insert(ConstantOp(DenseElements.splat(value, TensorType(t.shape, t.dtype)))).result
        if t.dtype.is_float:
            return self.b.insert(ConstantLikeOp(like, FloatAttr(value, t.dtype))).result
        return self.b.insert(ConstantLikeOp(like, IntegerAttr(int(value), t.dtype))).result

    def parameters(self, q: QuantizedType, values: Sequence[float], like: Value) -> Value:
        """Scales or zero points, one for every element of `like`."""
        if q.axis is None:
            return self.full(values[0], like)
        t = like.type
        assert isinstance(t, TensorType)
        array: np.ndarray[Any, Any] = np.array(values, t.dtype.numpy)
        vector = self.b.insert(ConstantOp(DenseElements(array, TensorType(array.shape, t.dtype)))).result
        if t.is_static:
            return self.b.insert(BroadcastInDimOp(vector, (q.axis,), TensorType(t.shape, t.dtype))).result
        return self.b.insert(DynamicBroadcastInDimOp(vector, self.shape_of(like, t), (q.axis,), t)).result

    def shape_of(self, x: Value, t: TensorType) -> Value:
        one = TensorType((1,), I32)
        sizes = [self.b.insert(GetDimensionSizeOp(x, d)).result for d in range(t.rank)]
        return self.b.insert(ConcatenateOp([self.b.insert(ReshapeOp(s, one)).result for s in sizes], 0)).result
