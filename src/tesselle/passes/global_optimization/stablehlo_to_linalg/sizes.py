"""Which small tensors of integers are sizes: what they are computed from is read from the device once, the rest is host
arithmetic.

    %n = reduce(%mask)            tensor<i32>     on the device: one number is read back
    %m = %n + 1; %k = %m * 2                      arithmetic of the host: %m and %k are sizes
    %v = concatenate %m, %k       tensor<2xi32>
    %y = dynamic_reshape %x, %v
"""

from __future__ import annotations

from collections.abc import Iterator

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.tensor import ExtractOp, tensor_type
from tesselle.dialects.stablehlo import convolution as conv
from tesselle.dialects.stablehlo import dynamic as d
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import indexing as ix
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_calls import SHAPE_ASSERTION, shape_operands
from tesselle.ir.attributes import UNIT
from tesselle.ir.core import Op, Value
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import (
    LIMIT,
    SIZE,
    from_elements,
    is_host_type,
    is_host_value,
    places_of,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import SCALARS
from tesselle.support.dtypes import F32, F64

_ON_DEVICE = (e.CountLeadingZerosOp, e.PopcntOp)
_MOVING = (s.ConcatenateOp, s.ReshapeOp, s.SliceOp, s.BroadcastInDimOp)
_ON_FLOATS = (
    e.AbsOp,
    e.AddOp,
    e.CeilOp,
    e.CompareOp,
    e.ConvertOp,
    e.DivideOp,
    e.FloorOp,
    e.MaximumOp,
    e.MinimumOp,
    e.MultiplyOp,
    e.NegateOp,
    e.SelectOp,
    e.SqrtOp,
    e.SubtractOp,
)
"""What the host computes on floats too: TensorFlow finds the length of a range so."""


def mark_sizes(function: FuncOp) -> None:
    """Say of every operation that computes sizes that it does; `give_operands_to_host` acts on it."""
    work = [v for op in function.walk() for v in _sizes(op)]
    while work:
        op = work.pop().defining_op
        if op is None or SIZE in op.attributes or not _is_host_arithmetic(op):
            continue
        op.attributes[SIZE] = UNIT
        work.extend(op.operands)


def _sizes(op: Op) -> Iterator[Value]:
    """The operands that the host must know."""
    match op:
        case d.DynamicBroadcastInDimOp():
            yield op.output_dimensions
        case d.DynamicIotaOp() | d.DynamicReshapeOp():
            yield op.output_shape
        case d.DynamicPadOp():
            yield from (op.edge_padding_low, op.edge_padding_high, op.interior_padding)
        case d.RealDynamicSliceOp():
            yield from (op.start_indices, op.limit_indices, op.strides)
        case ix.DynamicGatherOp():
            yield op.slice_sizes
        case conv.DynamicConvOp():
            yield op.padding
        case s.SetDimensionSizeOp():
            yield op.size
        case CustomCallOp() if op.call_target_name == SHAPE_ASSERTION:
            yield from op.inputs
        case CustomCallOp():
            yield from (op.inputs[i] for i in shape_operands(op))
        case _:
            pass


def _is_host_arithmetic(op: Op) -> bool:
    values = (*op.operands, *op.results)
    if len(op.results) != 1:
        return False
    if all(is_host_type(v.type) for v in values):
        return (type(op) in SCALARS and not isinstance(op, _ON_DEVICE)) or isinstance(op, _MOVING)
    return isinstance(op, _ON_FLOATS) and all(is_host_type(v.type) or _is_few_floats(v) for v in values)


def _is_few_floats(value: Value) -> bool:
    t = value.type
    return isinstance(t, TensorType) and t.dtype in (F32, F64) and t.is_static and t.element_count <= LIMIT


def give_operands_to_host(op: Op) -> None:
    """Read what a marked operation computes with, where the host does not know it."""
    for i, v in enumerate(op.operands):
        if not is_host_value(v):
            b = Lowering(op)
            elements = [b.insert(ExtractOp(v, tuple(map(b.index, place)))).result for place in places_of(v)]
            op.set_operand(i, from_elements(b, elements, tensor_type(v)))
