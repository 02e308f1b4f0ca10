"""Which scalars the host computes, and which live on the device.

A scalar that comes, through arithmetic, from an element of a device tensor (tensor.extract) is a device scalar: where a
dispatch uses it, its computation goes inside, and the tensor becomes a binding; nothing is read back.
"""

from __future__ import annotations

from tesselle.dialects.core import tensor
from tesselle.ir.core import ELEMENTWISE, PURE, Op, Value
from tesselle.ir.rewrite import is_constant
from tesselle.ir.types import ShapedType


def is_scalar(value: Value) -> bool:
    """Whether the value is a number, not a tensor."""
    return not isinstance(value.type, ShapedType)


def is_scalar_arithmetic(op: Op) -> bool:
    """arith or math on scalars."""
    return PURE in op.TRAITS and ELEMENTWISE in op.TRAITS and all(map(is_scalar, (*op.operands, *op.results)))


def is_host_scalar(value: Value) -> bool:
    """Whether the host knows the scalar without waiting for the device."""
    seen: set[Value] = set()
    work = [value]
    while work:
        v = work.pop()
        if v in seen:
            continue
        seen.add(v)
        op = v.defining_op
        if op is None or is_constant(v):
            continue
        if isinstance(op, tensor.ExtractOp):
            return False
        if is_scalar_arithmetic(op):
            work.extend(op.operands)
    return True
