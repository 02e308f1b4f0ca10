"""Bodies of reduce, reduce_window, scatter and sort: associative and commutative ones, whatever the order of folding.

Where the order of an implementation would show (a body that is not associative), two right implementations may differ,
and there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.core import Op, Region, Value
from tesselle.support.dtypes import I1, I32, DType

from .scope import Scope, scalar
from .values import INTEGERS

NUMBERS = (s.AddOp, s.AddOp, s.MaximumOp, s.MinimumOp, s.MultiplyOp)
BITS = (s.AndOp, s.OrOp, s.XorOp)


def combiner(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    """A random body and the element types of what it folds, the first of which is `dtype`."""
    kinds: list[Callable[[Scope, DType], tuple[list[DType], Region]]] = [_single] * 6
    if dtype in INTEGERS:
        kinds.append(_polynomial)
    if not dtype.is_complex:
        kinds += [_by_select, _pair]
    if not dtype.is_complex and dtype is not I1 and not dtype.is_float:
        kinds.append(_arg_max)
    return scope.random.choice(kinds)(scope, dtype)


def _region(scope: Scope, dtypes: Sequence[DType], build: Callable[..., Sequence[Value]]) -> Region:
    """`build(scope, a, b)` with the tuples of both sides gives the results."""
    types = [scalar(t) for t in (*dtypes, *dtypes)]

    def body(inner: Scope) -> Sequence[Value]:
        values = inner.block.args
        return build(inner, values[: len(dtypes)], values[len(dtypes) :])

    return scope.region(types, body)


def operations(dtype: DType) -> tuple[type[Op], ...]:
    if dtype is I1:
        return BITS
    if dtype.is_complex:
        return (s.AddOp, s.MultiplyOp)
    return (*NUMBERS, *BITS) if dtype in INTEGERS else NUMBERS


def _single(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    cls = scope.random.choice(operations(dtype))
    swap = scope.random.random() < 0.3

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        return inner.insert(cls(b[0], a[0]) if swap else cls(a[0], b[0])).results

    return [dtype], _region(scope, [dtype], build)


def _polynomial(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    """a + b + a*b: one less than the product of the successors."""

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        product = inner.insert(s.MultiplyOp(a[0], b[0])).result
        total = inner.insert(s.AddOp(a[0], b[0])).result
        return inner.insert(s.AddOp(total, product)).results

    return [dtype], _region(scope, [dtype], build)


def _by_select(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    """The smaller, or the greater, by a total order."""
    direction = scope.random.choice((ComparisonDirection.LT, ComparisonDirection.GT))
    kind = ComparisonType.TOTALORDER if dtype.is_float else None

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        before = inner.insert(s.CompareOp(a[0], b[0], direction, kind)).result
        return inner.insert(s.SelectOp(before, a[0], b[0])).results

    return [dtype], _region(scope, [dtype], build)


def _pair(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    """Two folds side by side."""
    other = scope.random.choice((I32, dtype))
    first, second = (scope.random.choice(operations(t)) for t in (dtype, other))

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        return [inner.insert(first(a[0], b[0])).result, inner.insert(second(a[1], b[1])).result]

    return [dtype, other], _region(scope, [dtype, other], build)


def _arg_max(scope: Scope, dtype: DType) -> tuple[list[DType], Region]:
    """(value, payload) of the greatest; of equal values the least payload."""

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        greater = inner.insert(s.CompareOp(a[0], b[0], ComparisonDirection.GT)).result
        equal = inner.insert(s.CompareOp(a[0], b[0], ComparisonDirection.EQ)).result
        least = inner.insert(s.CompareOp(a[1], b[1], ComparisonDirection.LT)).result
        first = inner.insert(s.AndOp(equal, least)).result
        keep = inner.insert(s.OrOp(greater, first)).result
        return [inner.insert(s.SelectOp(keep, x, y)).result for x, y in zip(a, b, strict=True)]

    return [dtype, I32], _region(scope, [dtype, I32], build)
