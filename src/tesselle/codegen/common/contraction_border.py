"""The border of a padded result: the kernel that computes the middle fills it, each workgroup a share of its rows.

    linalg.packed_conv -> tensor<1x56x56x96xf32>, tensor.pad around it -> tensor<1x58x58x96xf32>

The sums go straight into the middle of the padded tensor, which is stored nowhere else. A row is what lies inside of
the last padded dimension: all of it is border where an outer index is, otherwise its two ends are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_layout import Extent, product_of
from tesselle.codegen.common.contraction_problem import Border
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.memory import reinterpret
from tesselle.codegen.common.vector_body import as_vector
from tesselle.dialects.core import arith, memref, scf, vector
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value


@dataclass(frozen=True)
class Share:
    """One of the workgroups of a grid."""

    ids: tuple[Value, Value, Value]
    counts: tuple[Value, Value, Value]


def fill_border(b: Builder, border: Border, share: Share, lanes: int) -> None:
    """Fill rows i, i + n, i + 2n, … of the border by workgroup i of n; `lanes`: elements of a vector register."""
    sizes = [s.value(b) for s in border.sizes]
    padded = [d for d in range(len(sizes)) if ix.known(sizes[d]) != border.inner[d].known]
    if not padded:
        return
    last = padded[-1]
    step = product_of(border.sizes[last + 1 :])
    length, start = (step * border.sizes[last]).known, (step * Extent(border.low[last])).known
    middle = (step * border.inner[last]).known
    assert length is not None and start is not None and middle is not None, "padded dimensions are known"
    flat = reinterpret(b, border.buffer, [ix.product(b, sizes)])
    fill = _Fill(flat, border.value, lanes)
    (x, y, z), (nx, ny, nz) = share.ids, share.counts
    number = ix.add(b, ix.mul(b, ix.add(b, ix.mul(b, z, ny), y), nx), x)
    count = ix.product(b, [nx, ny, nz])
    rows = ix.product(b, sizes[:last])
    mine = ix.floordiv(b, ix.sub(b, ix.add(b, rows, ix.sub(b, count, 1)), number), count)

    def one(c: Builder, turn: Value, _: list[Value]) -> Sequence[Value]:
        row = ix.add(c, number, ix.mul(c, turn, count))
        at = ix.mul(c, row, length)
        inside = _is_inside(c, border, sizes[:last], row)
        if inside is None:
            fill.ends(c, at, start, middle, length)
            return ()
        then, otherwise = Block(), Block()
        c.insert(scf.IfOp(inside, [], Region([then]), Region([otherwise])))
        d = Builder.at_end(then, c.location)
        fill.ends(d, at, start, middle, length)
        d.insert(scf.YieldOp([]))
        d = Builder.at_end(otherwise, c.location)
        fill.run(d, at, 0, length)
        d.insert(scf.YieldOp([]))
        return ()

    for_loop(b, 0, mine, 1, (), one)


def _is_inside(b: Builder, border: Border, sizes: Sequence[ix.Size], row: ix.Size) -> Value | None:
    """Whether the outer indices of a row are those of the middle; None where they always are."""
    inside: Value | None = None
    rest = row
    for d in reversed(range(len(sizes))):
        digit = ix.remainder(b, rest, sizes[d]) if d else rest
        rest = ix.floordiv(b, rest, sizes[d]) if d else 0
        inner = border.inner[d].known
        if inner is None or inner == ix.known(sizes[d]):
            continue
        # One unsigned comparison covers both ends.
        moved = ix.as_value(b, ix.sub(b, digit, border.low[d]))
        test = b.insert(arith.CmpIOp(arith.CmpIPredicate.ULT, moved, ix.as_value(b, inner))).result
        inside = test if inside is None else b.insert(arith.AndIOp(inside, test)).result
    return inside


@dataclass(frozen=True)
class _Fill:
    """Stores of one value to flat memory."""

    flat: Value
    value: Value
    lanes: int

    def ends(self, b: Builder, at: ix.Size, start: int, middle: int, length: int) -> None:
        """What lies in front of and behind the middle of a row."""
        self.run(b, at, 0, start)
        self.run(b, at, start + middle, length)

    def run(self, b: Builder, at: ix.Size, first: int, end: int) -> None:
        """Elements `first` to `end` behind `at`."""
        count = end - first
        if count < self.lanes:
            for i in range(first, end):
                b.insert(memref.StoreOp(self.value, self.flat, [ix.as_value(b, ix.add(b, at, i))]))
            return
        splat = as_vector(b, self.value, self.lanes)

        def store(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            c.insert(vector.StoreOp(splat, self.flat, [ix.as_value(c, ix.add(c, at, i))]))
            return ()

        for_loop(b, first, end - count % self.lanes, self.lanes, (), store)
        if count % self.lanes:  # the last vector overlaps the one before
            store(b, ix.as_value(b, end - self.lanes), [])
