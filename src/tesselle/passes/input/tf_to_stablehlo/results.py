"""What stands in place of a result: the value that was built, under a type that says all that is known."""

from __future__ import annotations

from tesselle.dialects.core.tensor import CastOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import TensorType, Type, types_compatible
from tesselle.support.diagnostics import VerifyError


def as_declared(op: Op, declared: Type, value: Value) -> Value:
    """The value, under a type that says all that is known: by the program and by what was built."""
    found = value.type
    if found == declared or not isinstance(found, TensorType) or not isinstance(declared, TensorType):
        return value
    if found.dtype.is_opaque:
        return value
    if not types_compatible(found, declared):
        text = f"the result is declared {declared}, its operands give {found}"
        raise VerifyError(text, op.location, f"{op.name}.result")
    sizes = [a if a is not None else b for a, b in zip(found.shape, declared.shape, strict=True)]
    return cast(Builder.before_op(op), value, found.with_shape(sizes))


def cast(b: Builder, value: Value, t: Type) -> Value:
    """The value under another type of the same tensor."""
    if value.type == t or not isinstance(t, TensorType):
        return value
    return b.insert(CastOp(value, t)).result
