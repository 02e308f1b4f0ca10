"""Bounds of dimensions: what the bounds of operands say about results."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.ir.core import ELEMENTWISE, Op
from tesselle.ir.types import TensorType, Type
from tesselle.support.diagnostics import VerifyError


def verify_bounds(op: Op) -> None:
    """No result is larger than its operands' bounds allow. Errors: type."""
    if not any(isinstance(v.type, TensorType) and v.type.encoding is not None for v in op.operands):
        return
    for largest, have in zip(infer_largest(op) or (), op.results, strict=False):
        if not isinstance(largest, TensorType) or not isinstance(have.type, TensorType):
            continue
        for axis, (size, most) in enumerate(zip(have.type.shape, largest.shape, strict=False)):
            if size is not None and most is not None and size > most:
                op.fail("type", f"dimension {axis} of result {have.index} is at most {most}, found {have.type}")


def infer_largest(op: Op) -> Sequence[Type] | None:
    """Result types for operands that are as large as their bounds allow; None when there is nothing to infer.

    The result of an elementwise operation is as large as the smallest of its operands.
    """
    types = [v.type for v in op.operands]
    shaped = [t for t in types if isinstance(t, TensorType)]
    least: tuple[int | None, ...] | None = None
    if ELEMENTWISE in op.TRAITS and len({t.rank for t in shaped}) == 1:
        columns = zip(*(t.largest_shape for t in shaped), strict=True)
        least = tuple(min((n for n in column if n is not None), default=None) for column in columns)
    try:
        for v, t in zip(op.operands, types, strict=True):
            if isinstance(t, TensorType):
                v.type = TensorType(t.largest_shape if least is None else least, t.dtype)
        return op.infer()
    except VerifyError:
        return None
    finally:
        for v, t in zip(op.operands, types, strict=True):
            v.type = t
