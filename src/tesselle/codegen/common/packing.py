"""Copies of operands of a contraction into local memory, in the order in which its register kernel reads them.

Right-hand side: panels of `width` columns, [panel][k][width]; left-hand side: rows with the reduction contiguous,
[row][k]. Operands whose reduction is contiguous where the copy has columns contiguous (or the other way round) are
transposed in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_layout import Segments
from tesselle.codegen.common.contraction_micro import Steps, create_mask, load_scalar, load_vector
from tesselle.codegen.common.loops import for_loop, if_then
from tesselle.codegen.common.vector_body import Linear, as_vector, zero
from tesselle.dialects.core import arith, memref, vector
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType, VectorType
from tesselle.support.dtypes import INDEX


@dataclass(frozen=True)
class Source:
    """What is copied: flat memory, where the block of the reduction starts in it, and how lanes (columns or rows) lie
    in it.
    """

    flat: Value
    base: ix.Size
    lanes: Segments


@dataclass(frozen=True)
class Dest:
    """Local memory of `dtype`."""

    flat: Value
    dtype: DType


def transpose(b: Builder, rows: Sequence[Value], lanes: int) -> list[Value]:
    """The columns of a square block of `lanes` rows: lanes * log2(lanes) shuffles, each within what one instruction can
    do.

    Step h swaps the off-diagonal blocks of size h of every block of size 2h.
    """
    rows = list(rows)
    h = lanes // 2
    while h:
        low = tuple(i if not i & h else i - h + lanes for i in range(lanes))
        high = tuple(i + h if not i & h else i + lanes for i in range(lanes))
        for r in range(lanes):
            if not r & h:
                x, y = rows[r], rows[r + h]
                rows[r] = b.insert(vector.ShuffleOp(x, y, low)).result
                rows[r + h] = b.insert(vector.ShuffleOp(x, y, high)).result
        h //= 2
    return rows


Visit = Callable[[Builder, ix.Size, ix.Size], None]
"""(builder, offset in the source, linear index in the block) for one step, or the first of several steps."""


def walk(b: Builder, steps: Sequence[Steps], source: Callable[[Steps], ix.Size], step: int, visit: Visit) -> None:
    """Visit the reduction steps of a block in order; of the innermost loop only every `step`-th."""

    def nest(b: Builder, rest: Sequence[Steps], offset: ix.Size, linear: ix.Size) -> None:
        if not rest:
            visit(b, offset, linear)
            return
        s, *inner = rest
        length: ix.Size = 1
        for i in inner:
            length = ix.mul(b, length, ix.sub(b, i.upper, i.lower))

        def iteration(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            at = ix.add(c, offset, ix.mul(c, i, source(s)))
            nest(c, inner, at, ix.add(c, linear, ix.mul(c, ix.sub(c, i, s.lower), length)))
            return ()

        for_loop(b, s.lower, s.upper, 1 if inner else step, (), iteration)

    nest(b, steps, 0, 0)


def load_lanes(
    b: Builder, source: Source, first: ix.Size, at: ix.Size, lanes: int, dtype: DType, mask: Value | None
) -> Value:
    """Lanes `first`, `first` + 1, … of one reduction step (`at`: its offset); unset lanes are 0."""
    inner = source.lanes.inner_stride
    if source.lanes.keeps_together(lanes) and inner.known == 1:
        start = ix.add(b, ix.add(b, source.base, at), source.lanes.locate(b, first))
        return load_vector(b, source.flat, start, lanes, dtype, mask)
    offsets = lane_offsets(b, source.lanes, first, lanes)
    start = as_vector(b, ix.as_value(b, ix.add(b, source.base, at)), lanes)
    linear = b.insert(arith.AddIOp(offsets, start)).result
    type = VectorType((lanes,), memref_type(source.flat).dtype)
    every = mask if mask is not None else create_mask(b, lanes, lanes)
    gathered = b.insert(vector.GatherOp(source.flat, linear, every, zero(b, type))).result
    if type.dtype is dtype:
        return gathered
    return b.insert(arith.ExtFOp(gathered, VectorType((lanes,), dtype))).result


def lane_offsets(b: Builder, segments: Segments, first: ix.Size, lanes: int) -> Value:
    """Offsets of the elements of linear indices `first`, `first` + 1, …, as a vector of index."""
    type = VectorType((lanes,), INDEX)
    linear = as_vector(b, Linear(ix.as_value(b, first)), lanes)
    total = zero(b, type)
    for position, (size, stride) in reversed(list(enumerate(segments.parts))):
        digit = linear
        if position:
            length = as_vector(b, ix.as_value(b, size.value(b)), lanes)
            digit = b.insert(arith.RemUIOp(linear, length)).result
            linear = b.insert(arith.DivUIOp(linear, length)).result
        factor = as_vector(b, ix.as_value(b, stride.value(b)), lanes)
        total = b.insert(arith.AddIOp(total, b.insert(arith.MulIOp(digit, factor)).result)).result
    return total


def pack_panels(
    b: Builder,
    source: Source,
    dest: Dest,
    steps: Sequence[Steps],
    first: ix.Size,
    end: ix.Size,
    vectors: int,
    lanes: int,
    panel_size: int,
) -> None:
    """Copy columns `first` <= n < `end` of a block into panels of `vectors` * `lanes`; columns behind `end` become 0.

    `panel_size`: elements from one panel to the next, at least `lanes` reduction steps more than the block has.
    """
    width = vectors * lanes
    count = ix.sub(b, end, first)
    along_k = ix.known(steps[-1].rhs) if steps else None
    inner = source.lanes.inner_stride
    narrow = memref_type(dest.flat).dtype is memref_type(source.flat).dtype
    if along_k == 1 and inner.known != 1 and source.lanes.parts and narrow:
        _pack_transposed(b, source, dest, steps, first, end, vectors, lanes, panel_size)
        return
    whole = ix.floordiv(b, count, width)

    def copy(c: Builder, panel: ix.Size, offset: ix.Size, linear: ix.Size, partial: bool) -> None:
        for v in range(vectors):
            column = ix.add(c, ix.add(c, first, ix.mul(c, panel, width)), v * lanes)
            mask = create_mask(c, ix.sub(c, end, column), lanes) if partial else None
            value = load_lanes(c, source, column, offset, lanes, dest.dtype, mask)
            at = ix.add(c, ix.mul(c, panel, panel_size), ix.add(c, ix.mul(c, linear, width), v * lanes))
            c.insert(vector.StoreOp(value, dest.flat, [ix.as_value(c, at)]))

    def visit(c: Builder, offset: ix.Size, linear: ix.Size) -> None:
        def panel(d: Builder, p: Value, _: list[Value]) -> Sequence[Value]:
            copy(d, p, offset, linear, partial=False)
            return ()

        for_loop(c, 0, whole, 1, (), panel)

    walk(b, steps, lambda s: s.rhs, 1, visit)
    if ix.known(ix.remainder(b, count, width)) == 0:
        return
    ragged = ix.sub(b, count, ix.mul(b, whole, width))

    def last(c: Builder) -> None:
        walk(c, steps, lambda s: s.rhs, 1, lambda d, offset, linear: copy(d, whole, offset, linear, partial=True))

    zero_index = ix.as_value(b, 0)
    if_then(b, b.insert(arith.CmpIOp(arith.CmpIPredicate.SGT, ix.as_value(b, ragged), zero_index)).result, last)


def _pack_transposed(
    b: Builder,
    source: Source,
    dest: Dest,
    steps: Sequence[Steps],
    first: ix.Size,
    end: ix.Size,
    vectors: int,
    lanes: int,
    panel_size: int,
) -> None:
    """Blocks of `lanes` columns x `lanes` reduction steps, read along the reduction; columns behind the end repeat the
    last.
    """
    width = vectors * lanes
    group_count = ix.ceildiv(b, ix.sub(b, end, first), lanes)
    last = ix.sub(b, end, 1)
    inner = steps[-1]
    length = ix.sub(b, inner.upper, inner.lower)

    def group(c: Builder, g: Value, _: list[Value]) -> Sequence[Value]:
        start = ix.add(c, first, ix.mul(c, g, lanes))
        columns = [source.lanes.locate(c, ix.minimum(c, ix.add(c, start, i), last)) for i in range(lanes)]
        columns = [ix.add(c, source.base, at) for at in columns]
        panel = ix.add(
            c,
            ix.mul(c, ix.floordiv(c, g, vectors), panel_size),
            ix.mul(c, ix.remainder(c, g, vectors), lanes),
        )

        def block(d: Builder, offset: ix.Size, linear: ix.Size, mask: Value | None) -> None:
            rows = [load_vector(d, source.flat, ix.add(d, at, offset), lanes, dest.dtype, mask) for at in columns]
            for i, column in enumerate(transpose(d, rows, lanes)):
                at = ix.add(d, panel, ix.mul(d, ix.add(d, linear, i), width))
                d.insert(vector.StoreOp(column, dest.flat, [ix.as_value(d, at)]))

        def row(d: Builder, offset: ix.Size, linear: ix.Size) -> None:
            whole = ix.round_down(d, length, lanes)

            def whole_block(e: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                block(e, ix.add(e, offset, ix.add(e, inner.lower, i)), ix.add(e, linear, i), None)
                return ()

            for_loop(d, 0, whole, lanes, (), whole_block)
            rest = ix.sub(d, length, whole)
            if ix.known(rest) == 0:
                return
            mask = create_mask(d, rest, lanes)
            block(d, ix.add(d, offset, ix.add(d, inner.lower, whole)), ix.add(d, linear, whole), mask)

        outer = steps[:-1]
        if not outer:
            row(c, 0, 0)
            return ()

        def scaled(d: Builder, offset: ix.Size, linear: ix.Size) -> None:
            row(d, offset, ix.mul(d, linear, length))

        walk(c, outer, lambda s: s.rhs, 1, scaled)
        return ()

    for_loop(b, 0, group_count, 1, (), group)


def pack_rows(
    b: Builder,
    source: Source,
    dest: Dest,
    steps: Sequence[Steps],
    first: ix.Size,
    end: ix.Size,
    lanes: int,
    row_size: int,
) -> None:
    """Copy rows `first` <= m < `end` of a block to [row][k], `row_size` elements from one row to the next.

    Rows that are contiguous to each other are read `lanes` at a time and transposed; others are copied element by
    element. The copy may write up to `lanes` - 1 rows and steps behind the block.
    """
    contiguous = source.lanes.inner_stride.known == 1 and len(source.lanes.parts) == 1
    if contiguous and len(steps) == 1 and memref_type(source.flat).dtype is dest.dtype:
        _pack_rows_transposed(b, source, dest, steps[0], first, end, lanes, row_size)
        return

    def row(c: Builder, m: Value, _: list[Value]) -> Sequence[Value]:
        start = ix.add(c, source.base, source.lanes.locate(c, ix.add(c, first, m)))
        to = ix.mul(c, m, row_size)

        def copy(d: Builder, offset: ix.Size, linear: ix.Size) -> None:
            value = load_scalar(d, source.flat, ix.add(d, start, offset), dest.dtype)
            d.insert(memref.StoreOp(value, dest.flat, [ix.as_value(d, ix.add(d, to, linear))]))

        walk(c, steps, lambda s: s.lhs, 1, copy)
        return ()

    for_loop(b, 0, ix.sub(b, end, first), 1, (), row)


def _pack_rows_transposed(
    b: Builder,
    source: Source,
    dest: Dest,
    inner: Steps,
    first: ix.Size,
    end: ix.Size,
    lanes: int,
    row_size: int,
) -> None:
    """Blocks of `lanes` steps x `lanes` rows, read along the rows; steps behind the end repeat the last."""
    length = ix.sub(b, inner.upper, inner.lower)
    final = ix.sub(b, inner.upper, 1)
    count = ix.sub(b, end, first)
    whole = ix.round_down(b, count, lanes)
    rest = ix.sub(b, count, whole)

    # All rows of a few steps before the next steps, so that whole lines of memory are used while they are near.
    def block(c: Builder, k: Value, _: list[Value]) -> Sequence[Value]:
        steps = [ix.minimum(c, ix.add(c, ix.add(c, inner.lower, k), i), final) for i in range(lanes)]
        starts = [ix.add(c, source.base, ix.mul(c, step, inner.lhs)) for step in steps]

        def rows(d: Builder, m: ix.Size, mask: Value | None) -> None:
            at = source.lanes.locate(d, ix.add(d, first, m))
            vectors = [load_vector(d, source.flat, ix.add(d, s, at), lanes, dest.dtype, mask) for s in starts]
            for i, value in enumerate(transpose(d, vectors, lanes)):
                to = ix.add(d, ix.mul(d, ix.add(d, m, i), row_size), k)
                d.insert(vector.StoreOp(value, dest.flat, [ix.as_value(d, to)]))

        def full(d: Builder, m: Value, _: list[Value]) -> Sequence[Value]:
            rows(d, m, None)
            return ()

        for_loop(c, 0, whole, lanes, (), full)
        if ix.known(rest) != 0:
            some = arith.CmpIOp(arith.CmpIPredicate.SGT, ix.as_value(c, rest), ix.as_value(c, 0))
            if_then(c, c.insert(some).result, lambda d: rows(d, whole, create_mask(d, rest, lanes)))
        return ()

    for_loop(b, 0, length, lanes, (), block)
