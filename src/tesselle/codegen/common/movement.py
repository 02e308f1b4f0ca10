"""tensor.pad and tensor.concat: rows of the result put together from segments, without a test per element.

The result is seen as rows: dimensions up to the one that is padded last, or concatenated, are the row's number, the
rest lies in it. A row is a sequence of segments, each a copy of part of a source row or the padding value.
Workgroups take ranges of rows and columns; what a segment shares with the range is one vector copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.grid import Grid
from tesselle.codegen.common.loops import for_loop, if_then
from tesselle.codegen.common.prepare import local_buffer, normalise
from tesselle.codegen.common.sizes import buffer_sizes
from tesselle.codegen.common.strategy import KernelFunction, Phase, Plan, TargetShape
from tesselle.codegen.common.vectorize import vectorize
from tesselle.dialects.core import arith, scf, tensor
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.support.diagnostics import Unsupported

WORKGROUP_BYTES = 64 * 1024


@dataclass(frozen=True)
class Segment:
    """Columns [start, start + length) of a row: a copy of the source row, or the padding value."""

    start: ix.Size
    length: ix.Size
    source: Value | None


@dataclass(frozen=True)
class Rows:
    """The result as [rows, columns] in `dest`. `outer`: sizes whose product is the number of rows.

    `low`, `inner`: for each of them, padding in front and size of the source (no padding: 0 and the size itself).
    """

    dest: Value
    outer: Sequence[ix.Size]
    low: Sequence[ix.Size]
    inner: Sequence[ix.Size]
    columns: ix.Size
    segments: Sequence[Segment]
    value: Value | None


@dataclass
class MovementPlan:
    kernel: KernelFunction
    target: TargetShape
    rows: Rows | None = None
    row_count: ix.Size = 1
    tile: tuple[int, int] = (1, 1)
    grid: Grid | None = None

    def phases(self) -> Sequence[Phase]:
        return (
            ("prepare", self.prepare),
            ("tile", self.tile_rows),
            ("vectorize", lambda: vectorize(self.kernel, self.target)),
        )

    def explain(self) -> str:
        rows, columns = self.tile
        return f"rows copied in pieces, each from its own operand; workgroups of {rows} rows by {columns} columns"

    def prepare(self) -> None:
        """Find the rows and segments; choose how many rows and columns a workgroup takes."""
        normalise(self.kernel)
        store = next(op for op in self.kernel.function.entry if isinstance(op, MaterializeInDestinationOp))
        op = store.source.defining_op
        b = Builder.before_op(store)
        if isinstance(op, tensor.PadOp):
            self.rows = _pad_rows(self.kernel, b, op, store.dest)
        elif isinstance(op, tensor.ConcatOp):
            self.rows = _concat_rows(self.kernel, b, op, store.dest)
        else:
            raise Unsupported("padding or concatenation with other operations in one dispatch", store.location)
        self.row_count = ix.product(b, list(self.rows.outer))
        item = memref_type(store.dest).dtype.size_bytes
        columns = ix.known(self.rows.columns)
        width = max(1, min(columns if columns is not None else WORKGROUP_BYTES, WORKGROUP_BYTES // item))
        if columns is not None and columns > width:
            width = -(-columns // -(-columns // width))
        self.tile = (max(1, WORKGROUP_BYTES // (width * item)) if columns is not None else 1, width)
        store.erase()
        self.grid = g = Grid(self.kernel)
        x = ix.ceildiv(g.builder, g.size(self.rows.columns), self.tile[1])
        g.finish(x, ix.ceildiv(g.builder, g.size(self.row_count), self.tile[0]))

    def tile_rows(self) -> None:
        """Loops over the workgroup's rows; each segment is a copy or a fill on memory."""
        rows = self.rows
        assert rows is not None
        b = Builder.before_op(self.kernel.function.entry.terminator)
        x, y, _ = self.kernel.workgroup_ids
        many, wide = self.tile
        first = ix.mul(b, y, many)
        last = ix.minimum(b, ix.add(b, first, many), self.row_count)
        left = ix.mul(b, x, wide)
        right = ix.minimum(b, ix.add(b, left, wide), rows.columns)
        dest = memory.reinterpret(b, rows.dest, [self.row_count, rows.columns])

        def body(c: Builder, row: Value, _: list[Value]) -> Sequence[Value]:
            inside, source_row = _source_row(c, rows, row)
            if inside is None:
                self._segments(c, rows, dest, row, source_row, left, right)
                return ()
            then, otherwise = Block(), Block()
            c.insert(scf.IfOp(inside, [], Region([then]), Region([otherwise])))
            d = Builder.at_end(then)
            self._segments(d, rows, dest, row, source_row, left, right)
            d.insert(scf.YieldOp([]))
            d = Builder.at_end(otherwise)
            self._fill(d, rows, dest, row, left, right)
            d.insert(scf.YieldOp([]))
            return ()

        for_loop(b, first, last, 1, (), body)
        eliminate_common_subexpressions(self.kernel.function)
        eliminate_dead_code(self.kernel.function)

    def _fill(self, b: Builder, rows: Rows, dest: Value, row: Value, lower: ix.Size, upper: ix.Size) -> None:
        assert rows.value is not None
        view = memory.subview(b, dest, [row, lower], [1, ix.sub(b, upper, lower)], keep=[1])
        generics.fill(b, rows.value, view)

    def _segments(
        self, b: Builder, rows: Rows, dest: Value, row: Value, source_row: ix.Size, left: ix.Size, right: ix.Size
    ) -> None:
        for s in rows.segments:
            if ix.known(s.length) == 0:
                continue
            lower = ix.maximum(b, s.start, left)
            upper = ix.minimum(b, ix.add(b, s.start, s.length), right)

            def part(c: Builder, s: Segment = s, lower: ix.Size = lower, upper: ix.Size = upper) -> None:
                if s.source is None:
                    self._fill(c, rows, dest, row, lower, upper)
                    return
                size = ix.sub(c, upper, lower)
                to = memory.subview(c, dest, [row, lower], [1, size], keep=[1])
                begin = ix.sub(c, lower, s.start)
                generics.copy(c, memory.subview(c, s.source, [source_row, begin], [1, size], keep=[1]), to)

            low, high = ix.as_value(b, lower), ix.as_value(b, upper)
            if_then(b, b.insert(arith.CmpIOp(arith.CmpIPredicate.SLT, low, high)).result, part)

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        assert self.grid is not None
        return self.grid.build(b, push_constants)


def _source_row(b: Builder, rows: Rows, row: Value) -> tuple[Value | None, ix.Size]:
    """(whether the row is not all padding, None when it never is; the number of the source's row)."""
    inside: Value | None = None
    number: ix.Size = 0
    rest: ix.Size = row
    coordinates: list[ix.Size] = []
    for size in reversed(rows.outer[1:]):
        coordinates.insert(0, ix.remainder(b, rest, size))
        rest = ix.floordiv(b, rest, size)
    if rows.outer:
        coordinates.insert(0, rest)
    for at, size, low, inner in zip(coordinates, rows.outer, rows.low, rows.inner, strict=True):
        moved = ix.sub(b, at, low)
        number = ix.add(b, ix.mul(b, number, inner), moved)
        if ix.known(low) == 0 and (inner is size or ix.known(inner) == ix.known(size) is not None):
            continue
        # One unsigned comparison covers both ends.
        operands = ix.as_value(b, moved), ix.as_value(b, inner)
        test = b.insert(arith.CmpIOp(arith.CmpIPredicate.ULT, *operands)).result
        inside = test if inside is None else b.insert(arith.AndIOp(inside, test)).result
    return inside, number


def _as_rows(b: Builder, buffer: Value, sizes: Sequence[ix.Size], outer: int) -> Value:
    """The buffer as [rows, columns], `outer` of its dimensions being the row."""
    return memory.reinterpret(b, buffer, [ix.product(b, sizes[:outer]), ix.product(b, sizes[outer:])])


def _pad_rows(kernel: KernelFunction, b: Builder, op: tensor.PadOp, dest: Value) -> Rows:
    source = local_buffer(kernel, b, op.operand)
    sizes = buffer_sizes(kernel, b, source)
    low, high = op.mixed_low, op.mixed_high
    padded = [d for d in range(len(sizes)) if ix.known(low[d]) != 0 or ix.known(high[d]) != 0]
    split = padded[-1] if padded else 0
    total = [ix.add(b, ix.add(b, s, lo), hi) for s, lo, hi in zip(sizes, low, high, strict=True)]
    if not sizes:
        sizes, total, low, high = [1], [1], [0], [0]
    below = ix.product(b, sizes[split + 1 :])
    front, middle = ix.mul(b, low[split], below), ix.mul(b, sizes[split], below)
    back = ix.mul(b, high[split], below)
    segments = [
        Segment(0, front, None),
        Segment(front, middle, _as_rows(b, source, sizes, split)),
        Segment(ix.add(b, front, middle), back, None),
    ]
    columns = ix.add(b, ix.add(b, front, middle), back)
    return Rows(dest, total[:split], low[:split], sizes[:split], columns, segments, op.value)


def _concat_rows(kernel: KernelFunction, b: Builder, op: tensor.ConcatOp, dest: Value) -> Rows:
    segments: list[Segment] = []
    start: ix.Size = 0
    outer: list[ix.Size] = []
    for v in op.inputs:
        source = local_buffer(kernel, b, v)
        sizes = buffer_sizes(kernel, b, source)
        length = ix.product(b, sizes[op.axis :])
        segments.append(Segment(start, length, _as_rows(b, source, sizes, op.axis)))
        start = ix.add(b, start, length)
        outer = outer or list(sizes[: op.axis])
    return Rows(dest, outer, [0] * len(outer), outer, start, segments, None)


@dataclass(frozen=True)
class MovementStrategy:
    """Takes dispatches with one tensor.pad or tensor.concat of bindings."""

    name: str = "movement"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        moves = [op for op in kernel.function.entry if isinstance(op, tensor.PadOp | tensor.ConcatOp)]
        stores = [op for op in kernel.function.entry if isinstance(op, MaterializeInDestinationOp)]
        if len(moves) != 1 or len(stores) != 1 or stores[0].source is not moves[0].result:
            return None
        return MovementPlan(kernel, target)
