"""Small integer tensors that the host knows: constants, loop counters, dimensions, and arithmetic on them.

Such a tensor is made by tensor.from_elements (or is a small constant); operations on it become arithmetic on scalars,
so that offsets of slices and sizes of dynamic shapes need no readback from a device.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp, YieldOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, scalar_constant
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import as_index, emit_scalar
from tesselle.passes.vm.scalar_arithmetic import is_host_arithmetic
from tesselle.support.dtypes import INDEX

SIZE = "tesselle.size"
"""Attribute of operations, while a function is lowered: the host wants what they give (see `sizes`)."""

LIMIT = 16
"""Tensors with more elements than this are device tensors."""

_VIEWS = (tensor.CollapseShapeOp, tensor.ExpandShapeOp, tensor.ReshapeOp, tensor.CastOp)


def is_host_type(type: object) -> bool:
    """Whether a tensor of this type may live on the host: few integers or booleans."""
    return (
        isinstance(type, TensorType)
        and type.is_static
        and type.element_count <= LIMIT
        and (type.dtype.is_integer or type.dtype.is_bool or type.dtype.is_index)
    )


def is_host_value(value: Value) -> bool:
    """Whether the elements are known on the host without reading a device tensor; a constant counts."""
    while value.defining_op is not None and isinstance(value.defining_op, _VIEWS):
        value = value.defining_op.operands[0]
    if isinstance(value.defining_op, tensor.FromElementsOp):
        return True
    elements = constant_elements(value)
    return elements is not None and elements.array.size <= LIMIT


def host_elements(b: Builder, value: Value) -> list[Value] | None:
    """The elements as scalars in row-major order, when the host knows them."""
    while value.defining_op is not None and isinstance(value.defining_op, _VIEWS):
        value = value.defining_op.operands[0]
    source = value.defining_op
    if isinstance(source, tensor.FromElementsOp):
        return list(source.elements)
    elements = constant_elements(value)
    if elements is None or elements.array.size > LIMIT:
        return None
    dtype = tensor_type(value).dtype
    return [scalar_constant(b, x, dtype) for x in elements.array.reshape(-1)]


def from_elements(b: Builder, elements: Sequence[Value], type: TensorType) -> Value:
    return b.insert(tensor.FromElementsOp(tuple(elements), type)).result


def lower_on_host(op: Op, b: Lowering) -> Value | None:
    """An elementwise operation whose operands the host knows, as scalar arithmetic; None when it is not one."""
    t = op.results[0].type
    if not op.operands or not all(map(is_host_value, op.operands)):
        return None
    if SIZE not in op.attributes and not all(is_host_type(v.type) for v in (*op.operands, *op.results)):
        return None
    assert isinstance(t, TensorType)
    lists = [host_elements(b, v) or [] for v in op.operands]
    count = t.element_count
    columns = [x * count if len(x) == 1 and count != 1 else x for x in lists]
    return from_elements(b, [emit_scalar(b, op, list(row)) for row in zip(*columns, strict=True)], t)


def places_of(value: Value) -> Iterator[tuple[int, ...]]:
    """The places of the elements of a tensor of static shape, in row-major order."""
    return itertools.product(*(range(n) for n in tensor_type(value).static_shape))


def index_elements(b: Lowering, value: Value) -> list[Value]:
    """The elements of a small integer tensor as index values, read from the device where the host lacks them."""
    known = host_elements(b, value)
    if known is None:
        known = [b.insert(tensor.ExtractOp(value, tuple(map(b.index, place)))).result for place in places_of(value)]
    return [v if v.type is INDEX else as_index(b, v) for v in known]


def pull_to_host(b: Lowering, value: Value, depth: int = 16) -> Value:
    """A tensor of rank 0 that loop nests compute from tensors of rank 0, as host arithmetic on their elements.

    What remains to be read from the device are the inputs of the computation (often arguments of the function).
    """
    source = value.defining_op
    if depth == 0 or is_host_value(value) or not is_host_type(value.type) or tensor_type(value).rank:
        return value
    if isinstance(source, GenericOp) and len(source.results) == 1 and not source.iterator_types:
        # What a body starts from is an operand too: the initial value of a reduction over no dimensions.
        operands = (*source.inputs, *source.outputs)
        if any(isinstance(v.type, TensorType) and not is_host_type(v.type) for v in operands):
            return value
        body = source.body.block
        if not all(is_host_arithmetic(o) for o in body if not isinstance(o, YieldOp)):
            return value
        mapping: dict[Value, Value] = {}
        for arg, v in zip(body.args, operands, strict=True):
            if not arg.uses:
                continue
            mapping[arg] = b.scalar(pull_to_host(b, v, depth - 1)) if isinstance(v.type, TensorType) else v
        for inner in body:
            if isinstance(inner, YieldOp):
                return from_elements(b, [mapping.get(inner.operands[0], inner.operands[0])], tensor_type(value))
            b.insert(inner.clone(mapping))
    return value
