"""Bodies of reduce, reduce_window, scatter and sort: associative and commutative ones, whatever the order of folding.

Where the order of an implementation would show (a body that is not associative), two right implementations may differ,
and there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.core import Op, Region, Value
from tesselle.support.dtypes import I1, I32, DType

from .scope import Scope, scalar
from .values import INTEGERS

NUMBERS = (s.AddOp, s.AddOp, s.MaximumOp, s.MinimumOp, s.MultiplyOp)
BITS = (s.AndOp, s.OrOp, s.XorOp)


@dataclass(frozen=True)
class Combiner:
    """A body, and the element types of what it folds. `from_zero`: an implementation may use the initial values several
    times, with another result unless they are 0 (the specification's `reduce` inserts any number of them)."""

    dtypes: list[DType]
    region: Region
    from_zero: bool = False

    def initial_values(self, scope: Scope) -> list[Value]:
        if self.from_zero:
            return [scope.constant(np.zeros((), t.numpy), t) for t in self.dtypes]
        return [scope.like((), t) for t in self.dtypes]


def combiner(scope: Scope, dtype: DType) -> Combiner:
    """A random body that folds `dtype`, and perhaps others beside it."""
    kinds: list[Callable[[Scope, DType], Combiner]] = [_single] * 6
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


def _single(scope: Scope, dtype: DType) -> Combiner:
    cls = scope.random.choice(operations(dtype))
    swap = scope.random.random() < 0.3

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        return inner.insert(cls(b[0], a[0]) if swap else cls(a[0], b[0])).results

    return Combiner([dtype], _region(scope, [dtype], build))


def _polynomial(scope: Scope, dtype: DType) -> Combiner:
    """a + b + a*b: one less than the product of the successors."""

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        product = inner.insert(s.MultiplyOp(a[0], b[0])).result
        total = inner.insert(s.AddOp(a[0], b[0])).result
        return inner.insert(s.AddOp(total, product)).results

    return Combiner([dtype], _region(scope, [dtype], build), from_zero=True)


def _by_select(scope: Scope, dtype: DType) -> Combiner:
    """The smaller, or the greater, by a total order."""
    direction = scope.random.choice((ComparisonDirection.LT, ComparisonDirection.GT))
    kind = ComparisonType.TOTALORDER if dtype.is_float else None

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        before = inner.insert(s.CompareOp(a[0], b[0], direction, kind)).result
        return inner.insert(s.SelectOp(before, a[0], b[0])).results

    return Combiner([dtype], _region(scope, [dtype], build))


def _pair(scope: Scope, dtype: DType) -> Combiner:
    """Two folds side by side."""
    other = scope.random.choice((I32, dtype))
    first, second = (scope.random.choice(operations(t)) for t in (dtype, other))

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        return [inner.insert(first(a[0], b[0])).result, inner.insert(second(a[1], b[1])).result]

    return Combiner([dtype, other], _region(scope, [dtype, other], build))


def _arg_max(scope: Scope, dtype: DType) -> Combiner:
    """(value, payload) of the greatest; of equal values the least payload."""

    def build(inner: Scope, a: Sequence[Value], b: Sequence[Value]) -> Sequence[Value]:
        greater = inner.insert(s.CompareOp(a[0], b[0], ComparisonDirection.GT)).result
        equal = inner.insert(s.CompareOp(a[0], b[0], ComparisonDirection.EQ)).result
        least = inner.insert(s.CompareOp(a[1], b[1], ComparisonDirection.LT)).result
        first = inner.insert(s.AndOp(equal, least)).result
        keep = inner.insert(s.OrOp(greater, first)).result
        return [inner.insert(s.SelectOp(keep, x, y)).result for x, y in zip(a, b, strict=True)]

    return Combiner([dtype, I32], _region(scope, [dtype, I32], build))
