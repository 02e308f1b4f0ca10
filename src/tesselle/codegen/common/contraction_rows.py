"""The rows of a workgroup in blocks of registers, when their number is known at run time only.

    31 rows, registers for 14:   14 | 14 | 3   ->   14 | 9 | 8

A register kernel that repeats the last row where rows run out takes as long as one that is full: a batch of 7 would
cost as much as one of 14. So there is a kernel for every number of rows that may be left. One to three rows leave the
multipliers waiting for their own sums; they share what they and the block before them have to do with that block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_layout import Extent
from tesselle.codegen.common.loops import for_loop
from tesselle.dialects.core import arith, scf
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value

IDLE_ROWS = 4
"""Rows with fewer than these take as long as these: products follow one another more slowly than they could."""

EmitBlock = Callable[[Builder, ix.Size, int, bool], None]
"""(builder, first row, rows of the block, whether all of them exist)."""


@dataclass(frozen=True)
class RowBlocks:
    """The rows [row0, row1): [row0, whole) in blocks of `rows`; then, if `sizes`, `tails` blocks, the first of `first`
    rows, the second (there may be none) of the rest.

    `sizes`: the numbers of rows that register kernels are made for; a smaller block repeats rows. `is_exact`: nothing
    is ever cut.
    """

    rows: int
    row0: ix.Size
    row1: ix.Size
    whole: ix.Size
    is_exact: bool
    sizes: tuple[int, ...] = ()
    tails: ix.Size = 0
    first: ix.Size = 0

    def emit(self, b: Builder, block: EmitBlock) -> None:
        """Calls `block` inside of loops over the blocks; once for every kind of block."""

        def whole(c: Builder, row: Value, _: list[Value]) -> Sequence[Value]:
            block(c, row, self.rows, self.is_exact)
            return ()

        for_loop(b, self.row0, self.whole, self.rows, (), whole)

        def tail(c: Builder, n: Value, _: list[Value]) -> Sequence[Value]:
            row = ix.add(c, self.whole, ix.mul(c, n, self.first))
            count = ix.minimum(c, self.first, ix.sub(c, self.row1, row))
            _switch(c, count, self.sizes, lambda d, size: block(d, row, size, size > IDLE_ROWS))
            return ()

        if self.sizes:
            for_loop(b, 0, self.tails, 1, (), tail)


def row_blocks(b: Builder, rows: int, row0: ix.Size, row1: ix.Size, total: Extent) -> RowBlocks:
    """How the rows [row0, row1) of `total` are cut into blocks of `rows`; row0 is a multiple of `rows`."""
    if total.is_multiple_of(rows):
        return RowBlocks(rows, row0, row1, row1, True)
    sizes = tail_sizes(rows, total.coefficient)
    if total.known is not None or not sizes:
        return RowBlocks(rows, row0, row1, row1, False)
    count = ix.sub(b, row1, row0)
    left = ix.remainder(b, count, rows)
    one, zero = ix.as_value(b, 1), ix.as_value(b, 0)

    def number(predicate: arith.CmpIPredicate, x: ix.Size, y: ix.Size) -> Value:
        """1 if the comparison holds, else 0."""
        holds = b.insert(arith.CmpIOp(predicate, ix.as_value(b, x), ix.as_value(b, y))).result
        return b.insert(arith.SelectOp(holds, one, zero)).result

    tails: ix.Size = number(arith.CmpIPredicate.SGT, left, 0)
    first = left
    if _may_idle(rows, total.coefficient):
        few = number(arith.CmpIPredicate.SLT, left, IDLE_ROWS)
        behind = number(arith.CmpIPredicate.SGT, count, rows)
        joined = ix.mul(b, tails, ix.mul(b, few, behind))
        tails = ix.add(b, tails, joined)
        left = ix.add(b, left, ix.mul(b, joined, rows))
        # Half of two blocks, all of one.
        first = ix.floordiv(b, ix.add(b, left, joined), ix.add(b, joined, 1))
    return RowBlocks(rows, row0, row1, ix.sub(b, row1, left), True, sizes, tails, first)


def tail_sizes(rows: int, granule: int) -> tuple[int, ...]:
    """The numbers of rows for which a workgroup needs a kernel besides `rows`, when its rows are a multiple of
    `granule`; none where they would bring nothing.
    """
    if rows <= IDLE_ROWS:
        return ()
    step = math.gcd(granule, rows)
    found: set[int] = set()
    for left in range(step, rows, step):
        if left >= IDLE_ROWS:
            found.add(left)
        else:
            whole = rows + left
            found |= {IDLE_ROWS, max(IDLE_ROWS, -(-whole // 2)), max(IDLE_ROWS, whole // 2)}
    return tuple(sorted(found))


def _may_idle(rows: int, granule: int) -> bool:
    return math.gcd(granule, rows) < IDLE_ROWS


def _switch(b: Builder, value: ix.Size, sizes: Sequence[int], build: Callable[[Builder, int], None]) -> None:
    """build(the smallest of `sizes` that is at least `value`), by comparisons that halve the choice."""
    if len(sizes) == 1:
        build(b, sizes[0])
        return
    middle = len(sizes) // 2
    low, high = sizes[:middle], sizes[middle:]
    regions: list[Region] = []
    for part in (low, high):
        block = Block()
        inner = Builder.at_end(block, b.location)
        _switch(inner, value, part, build)
        inner.insert(scf.YieldOp([]))
        regions.append(Region([block]))
    fits = arith.CmpIOp(arith.CmpIPredicate.SLE, ix.as_value(b, value), ix.as_value(b, low[-1]))
    b.insert(scf.IfOp(b.insert(fits).result, [], *regions))
