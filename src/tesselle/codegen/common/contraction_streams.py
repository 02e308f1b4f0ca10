"""Contractions with very few rows, which read the right-hand side in place and only once.

- dots: the reduction is contiguous in both operands; vectors run along it.
- stream: columns are contiguous; rows of the right-hand side pass by, sums are kept in the L1 cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_micro import create_mask, dot_products, load_scalar, load_vector
from tesselle.codegen.common.contraction_workgroup import Reduction, Workgroup
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.vector_body import zero
from tesselle.dialects.core import memref, vector
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import VectorType


def emit_dots(w: Workgroup, b: Builder) -> None:
    """Vectors run along the reduction; `lanes` columns make a block."""
    t = w.tiling
    (r,) = w.reductions
    tile = w.local(t.rows * t.lanes)
    together = max(1, min(t.lanes, 8 // t.rows))
    rows = [ix.add(b, w.lhs_base, w.lhs_rows.locate(b, i)) for i in range(t.rows)]
    last = ix.sub(b, w.columns, 1)
    dtype = w.problem.root.accumulator

    def block(c: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
        def group(d: Builder, g: Value, _: list[Value]) -> Sequence[Value]:
            columns = [
                w.column_offset(d, ix.minimum(d, ix.add(d, ix.add(d, column, g), j), last)) for j in range(together)
            ]
            dots = dot_products(d, (w.lhs, rows), (w.rhs, columns), r.size.value(d), t.lanes, dtype)
            for n, value in enumerate(dots):
                i, j = divmod(n, together)
                at = ix.add(d, g, i * t.lanes + j)
                d.insert(memref.StoreOp(value, tile, [ix.as_value(d, at)]))
            return ()

        for_loop(c, 0, t.lanes, together, (), group)
        w.epilogue.finish_rolled(c, (tile, t.lanes), 0, t.rows, column, 1, t.lanes, w.columns)
        return ()

    for_loop(b, w.column0, w.column1, t.lanes, (), block)


def emit_stream(w: Workgroup, b: Builder) -> None:
    """Rows of the right-hand side one after the other, several at a time; sums in local memory."""
    t = w.tiling
    dtype = w.problem.root.accumulator
    width = t.column_tile
    sums = w.local(t.rows * width)
    count = ix.sub(b, w.column1, w.column0)
    vectors = ix.ceildiv(b, count, t.lanes)
    nothing = zero(b, VectorType((t.lanes,), dtype))

    def clear(c: Builder, n: Value, _: list[Value]) -> Sequence[Value]:
        for i in range(t.rows):
            c.insert(vector.StoreOp(nothing, sums, [ix.as_value(c, ix.add(c, n, i * width))]))
        return ()

    for_loop(b, 0, ix.mul(b, vectors, t.lanes), t.lanes, (), clear)
    rows = [ix.add(b, w.lhs_base, w.lhs_rows.locate(b, i)) for i in range(t.rows)]
    start = ix.add(b, w.rhs_base, w.rhs_columns.locate(b, w.column0))
    whole = ix.round_down(b, count, t.lanes)
    together = min(4, max(1, 8 // t.rows))
    *outer, inner = w.reductions

    def walk(c: Builder, rest: Sequence[Reduction], at_lhs: ix.Size, at_rhs: ix.Size) -> None:
        if rest:
            r, *deeper = rest

            def iteration(d: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                next_lhs = ix.add(d, at_lhs, ix.mul(d, i, r.lhs.value(d)))
                walk(d, deeper, next_lhs, ix.add(d, at_rhs, ix.mul(d, i, r.rhs.value(d))))
                return ()

            for_loop(c, 0, r.size.value(c), 1, (), iteration)
            return
        size = inner.size.value(c)
        grouped = ix.round_down(c, size, together)
        for lower, upper, steps in ((0, grouped, together), (grouped, size, 1)):

            def some(d: Builder, k: Value, _: list[Value], steps: int = steps) -> Sequence[Value]:
                _stream_steps(w, d, sums, rows, (at_lhs, ix.add(d, start, at_rhs)), k, steps, whole, count)
                return ()

            for_loop(c, lower, upper, steps, (), some)

    walk(b, outer, 0, 0)
    w.epilogue.finish_rolled(b, (sums, width), 0, t.rows, w.column0, vectors, t.lanes, w.columns)


def _stream_steps(
    w: Workgroup,
    b: Builder,
    sums: Value,
    rows: Sequence[ix.Size],
    at: tuple[ix.Size, ix.Size],
    k: Value,
    steps: int,
    whole: ix.Size,
    count: ix.Size,
) -> None:
    """sums[i, n] += lhs[i, k + s] * rhs[k + s, n] for s < steps and all columns."""
    t, inner = w.tiling, w.reductions[-1]
    dtype = w.problem.root.accumulator
    type = VectorType((t.lanes,), dtype)
    factors: list[list[Value]] = []
    places: list[ix.Size] = []
    for s in range(steps):
        step = ix.add(b, k, s)
        along = ix.add(b, at[0], ix.mul(b, step, inner.lhs.value(b)))
        scalars = [load_scalar(b, w.lhs, ix.add(b, r, along), dtype) for r in rows]
        factors.append([b.insert(vector.BroadcastOp(x, type)).result for x in scalars])
        places.append(ix.add(b, at[1], ix.mul(b, step, inner.rhs.value(b))))

    def column(c: Builder, n: ix.Size, mask: Value | None) -> None:
        loaded = [load_vector(c, w.rhs, ix.add(c, p, n), t.lanes, dtype, mask) for p in places]
        for i in range(len(rows)):
            place = ix.add(c, n, i * t.column_tile)
            value = load_vector(c, sums, place, t.lanes, dtype)
            for v, f in zip(loaded, factors, strict=True):
                value = c.insert(vector.FmaOp(f[i], v, value)).result
            c.insert(vector.StoreOp(value, sums, [ix.as_value(c, place)]))

    def full(c: Builder, n: Value, _: list[Value]) -> Sequence[Value]:
        column(c, n, None)
        return ()

    for_loop(b, 0, whole, t.lanes, (), full)
    rest = ix.sub(b, count, whole)
    if ix.known(rest) != 0:
        column(b, whole, create_mask(b, rest, t.lanes))
