"""Loops: scf.for from callbacks, with trips that are known to be none or one left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.dialects.core import arith, scf
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.support.dtypes import INDEX

Body = Callable[[Builder, Value, list[Value]], Sequence[Value]]
"""(builder inside of the loop, counter, iteration values) -> next iteration values."""


def for_loop(b: Builder, lower: ix.Size, upper: ix.Size, step: int, inits: Sequence[Value], body: Body) -> list[Value]:
    """for (i = lower; i < upper; i += step) values = body(i, values); returns the last values."""
    lo, hi = ix.known(lower), ix.known(upper)
    if lo is not None and hi is not None:
        if hi <= lo:
            return list(inits)
        if hi - lo <= step:
            return list(body(b, ix.as_value(b, lower), list(inits)))
    block = Block([INDEX, *(v.type for v in inits)])
    first, last, by = (ix.as_value(b, v) for v in (lower, upper, step))
    loop = b.insert(scf.ForOp(first, last, by, inits, Region([block])))
    inner = Builder.at_end(block, b.location)
    results = body(inner, block.args[0], list(block.args[1:]))
    inner.insert(scf.YieldOp(results))
    return list(loop.results)


def nest(
    b: Builder,
    ranges: Sequence[tuple[int, ix.Size, ix.Size]],
    counters: dict[int, ix.Size],
    inits: Sequence[Value],
    body: Callable[[Builder, dict[int, ix.Size], list[Value]], Sequence[Value]],
) -> list[Value]:
    """Nested loops of step 1 over (dimension, lower, upper), outermost first; `counters` maps dimensions to
    counters.
    """
    if not ranges:
        return list(body(b, counters, list(inits)))
    (dim, lower, upper), *rest = ranges
    return for_loop(b, lower, upper, 1, inits, lambda c, i, v: nest(c, rest, {**counters, dim: i}, v, body))


def if_then(b: Builder, condition: Value, then: Callable[[Builder], None]) -> None:
    """if (condition) then()."""
    block = Block()
    b.insert(scf.IfOp(condition, [], Region([block])))
    inner = Builder.at_end(block, b.location)
    then(inner)
    inner.insert(scf.YieldOp([]))


def if_positive(b: Builder, count: ix.Size, then: Callable[[Builder], None]) -> None:
    """if (count > 0) then(), decided here when the count is known."""
    k = ix.known(count)
    if k is not None:
        if k > 0:
            then(b)
        return
    zero = ix.as_value(b, 0)
    positive = b.insert(arith.CmpIOp(arith.CmpIPredicate.SGT, ix.as_value(b, count), zero)).result
    if_then(b, positive, then)
