"""Makers of control flow: loops that end, branches, with values from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.ir.core import Region, Value
from tesselle.support.dtypes import I1, I32

from .scope import Scope, type_of

MAX_DEPTH = 2
Grow = Callable[[Scope], None]
"""Adds one operation of any kind to a scope."""


def while_(scope: Scope, grow: Grow) -> None:
    """A counter and one to three carried values; the condition may also look at the values."""
    if scope.depth >= MAX_DEPTH:
        return
    random = scope.random
    carried = [scope.pick() for _ in range(random.randint(1, 3))]
    counter = scope.constant(np.array(0, np.int32), I32)
    types = [type_of(counter), *map(type_of, carried)]
    trips = random.choice((0, 1, 2, 3, 5))
    stop = scope.fresh((), I1) if random.random() < 0.2 else None

    def condition(inner: Scope) -> Sequence[Value]:
        limit = inner.constant(np.array(trips, np.int32), I32)
        more = inner.insert(s.CompareOp(inner.block.args[0], limit, ComparisonDirection.LT)).result
        return [more if stop is None else inner.insert(s.AndOp(more, stop)).result]

    def body(inner: Scope) -> Sequence[Value]:
        for _ in range(random.randint(1, 4)):
            grow(inner)
        one = inner.constant(np.array(1, np.int32), I32)
        after = inner.insert(s.AddOp(inner.block.args[0], one)).result
        return [after, *(inner.like(t.static_shape, t.dtype) for t in types[1:])]

    scope.insert(
        cf.WhileOp([counter, *carried], scope.region(types, condition, False), scope.region(types, body, False))
    )


def branches(scope: Scope, grow: Grow) -> None:
    """if, or case with an index that may be out of bounds."""
    if scope.depth >= MAX_DEPTH:
        return
    random = scope.random
    types = [type_of(scope.pick()) for _ in range(random.randint(1, 2))]

    def branch() -> Region:
        def build(inner: Scope) -> Sequence[Value]:
            for _ in range(random.randint(0, 3)):
                grow(inner)
            return [inner.like(t.static_shape, t.dtype) for t in types]

        return scope.region([], build, isolated=False)

    if random.random() < 0.5:
        pred = scope.like((), I1)
        scope.insert(cf.IfOp(pred, branch(), branch(), types))
    else:
        index = scope.like((), I32)
        scope.insert(cf.CaseOp(index, [branch() for _ in range(random.randint(1, 3))], types))


def barrier(scope: Scope, grow: Grow) -> None:
    del grow
    scope.insert(cf.OptimizationBarrierOp([scope.pick() for _ in range(scope.random.randint(1, 2))]))


MAKERS = {while_: 2, branches: 2, barrier: 1}
