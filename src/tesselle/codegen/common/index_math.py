"""Arithmetic on sizes and offsets that are partly known: Python integers fold, the rest becomes arith on index."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.dialects.core import arith
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.support.dtypes import INDEX

Size = int | Value
"""A number of type index: known, or a value."""


def known(value: Size) -> int | None:
    """The number when it is known: an integer, or the result of arith.constant."""
    if isinstance(value, int):
        return value
    op = value.defining_op
    if isinstance(op, arith.ConstantOp) and isinstance(op.value, int):
        return op.value
    return None


def as_value(b: Builder, value: Size) -> Value:
    """`value` as an SSA value of type index."""
    return b.insert(arith.ConstantOp(value, INDEX)).result if isinstance(value, int) else value


def _binary(b: Builder, cls: type[arith.BinaryOp], x: Size, y: Size) -> Value:
    return b.insert(cls(as_value(b, x), as_value(b, y))).result


def add(b: Builder, x: Size, y: Size) -> Size:
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return kx + ky
    if kx == 0:
        return y
    return x if ky == 0 else _binary(b, arith.AddIOp, x, y)


def sub(b: Builder, x: Size, y: Size) -> Size:
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return kx - ky
    if x is y:
        return 0
    return x if ky == 0 else _binary(b, arith.SubIOp, x, y)


def mul(b: Builder, x: Size, y: Size) -> Size:
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return kx * ky
    if kx == 0 or ky == 0:
        return 0
    if kx == 1:
        return y
    return x if ky == 1 else _binary(b, arith.MulIOp, x, y)


def product(b: Builder, values: Sequence[Size]) -> Size:
    result: Size = 1
    for v in values:
        result = mul(b, result, v)
    return result


def minimum(b: Builder, x: Size, y: Size) -> Size:
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return min(kx, ky)
    return x if x is y else _binary(b, arith.MinSIOp, x, y)


def maximum(b: Builder, x: Size, y: Size) -> Size:
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return max(kx, ky)
    return x if x is y else _binary(b, arith.MaxSIOp, x, y)


def ceildiv(b: Builder, x: Size, y: Size) -> Size:
    """x divided by y > 0 and rounded up, for x >= 0."""
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return -(-kx // ky)
    return x if ky == 1 else _binary(b, arith.DivUIOp, add(b, x, sub(b, y, 1)), y)


def floordiv(b: Builder, x: Size, y: Size) -> Size:
    """x divided by y > 0 and rounded down, for x >= 0."""
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return kx // ky
    return x if ky == 1 else _binary(b, arith.DivUIOp, x, y)


def remainder(b: Builder, x: Size, y: Size) -> Size:
    """x modulo y > 0, for x >= 0."""
    kx, ky = known(x), known(y)
    if kx is not None and ky is not None:
        return kx % ky
    return 0 if ky == 1 else _binary(b, arith.RemUIOp, x, y)


def multiple(value: Size) -> int:
    """A number that divides `value`, as far as its defining operations tell: 1 when they tell nothing."""
    k = known(value)
    if k is not None:
        return abs(k)
    assert not isinstance(value, int)
    op = value.defining_op
    if isinstance(op, arith.MulIOp):
        return multiple(op.lhs) * multiple(op.rhs)
    if isinstance(op, arith.AddIOp | arith.SubIOp | arith.MinSIOp | arith.MaxSIOp):
        return math.gcd(multiple(op.lhs), multiple(op.rhs))
    return 1


def round_down(b: Builder, x: Size, y: int) -> Size:
    """The largest multiple of y > 0 that is no larger than x >= 0."""
    return x if multiple(x) % y == 0 else mul(b, floordiv(b, x, y), y)


def upper_bound(value: Size) -> int | None:
    """A number that `value` never exceeds, as far as its defining operations tell; None when they do not."""
    k = known(value)
    if k is not None:
        return k
    assert not isinstance(value, int)
    op = value.defining_op
    if isinstance(op, arith.MinSIOp):
        bounds = [x for x in (upper_bound(op.lhs), upper_bound(op.rhs)) if x is not None]
        return min(bounds) if bounds else None
    return None
