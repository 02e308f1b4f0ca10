"""The kernel of a contraction: one workgroup computes a tile of rows x columns of the result for one batch.

    for each block of the reduction (at most `depth` steps):
        copy the tile's part of the right-hand side into panels, of the left-hand side into rows (if the tiling says so)
        for each panel of columns, for each block of rows:
            accumulators = first block ? 0 : saved sums
            for each step: accumulators += broadcast(lhs) * rhs   (the register kernel)
            last block ? epilogue and store : save the sums

Between blocks of the reduction sums are kept in local memory, never in the result, which may share memory with an
operand of the epilogue. Rows behind the last repeat the last one in the register kernel, and are not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_micro import Steps, create_mask, load_vector, outer_products
from tesselle.codegen.common.contraction_problem import PackedRhs
from tesselle.codegen.common.contraction_rows import row_blocks
from tesselle.codegen.common.contraction_streams import emit_dots, emit_stream
from tesselle.codegen.common.contraction_tiling import FEW_PACKED_ROWS, RhsMode
from tesselle.codegen.common.contraction_workgroup import Reduction, Workgroup
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.packing import Dest, Source, pack_panels, pack_rows
from tesselle.codegen.common.vector_body import zero
from tesselle.dialects.core import arith, scf, vector
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import VectorType

_ROW_PADDING_BYTES = 64
"""Keeps copied rows from falling into the same sets of the L1 cache."""
_PREFETCH_BYTES, _PREFETCH_BYTES_OF_FEW_ROWS = 8192, 2048
"""How far ahead packed weights are asked for. Each is used once per call, and comes from behind the L2 cache: what the
processor can look ahead by itself covers that distance the less, the more rows share a weight. With few rows it reads
a few panels from end to end, and keeps up by itself but for the ends.
"""


@dataclass(frozen=True)
class KBlock:
    """One pass: its steps, where it starts in memory and, as a linear index, in the whole reduction."""

    steps: tuple[Steps, ...]
    lhs: ix.Size
    rhs: ix.Size
    start: ix.Size
    is_first: Value | bool
    is_last: Value | bool


@dataclass(frozen=True)
class Rows:
    """The rows of a block of registers. Where they are not all there the last that is stands in for the others."""

    first: ix.Size
    count: int
    are_all_there: bool


def flag_and(b: Builder, x: Value | bool, y: Value | bool) -> Value | bool:
    if isinstance(x, bool):
        return y if x else False
    if isinstance(y, bool):
        return x if y else False
    return b.insert(arith.AndIOp(x, y)).result


def compare(b: Builder, predicate: arith.CmpIPredicate, x: ix.Size, y: ix.Size) -> Value | bool:
    """x < y and so on, decided here when both are known."""
    kx, ky = ix.known(x), ix.known(y)
    if kx is not None and ky is not None:
        return {
            arith.CmpIPredicate.EQ: kx == ky,
            arith.CmpIPredicate.SLE: kx <= ky,
            arith.CmpIPredicate.SGE: kx >= ky,
        }[predicate]
    return b.insert(arith.CmpIOp(predicate, ix.as_value(b, x), ix.as_value(b, y))).result


def choose(
    b: Builder,
    condition: Value | bool,
    then: Callable[[Builder], Sequence[Value]],
    otherwise: Callable[[Builder], Sequence[Value]],
) -> list[Value]:
    """condition ? then() : otherwise(); only the one that is needed when the condition is known."""
    if isinstance(condition, bool):
        return list(then(b) if condition else otherwise(b))
    blocks = (Block(), Block())
    for block, build in zip(blocks, (then, otherwise), strict=True):
        inner = Builder.at_end(block, b.location)
        inner.insert(scf.YieldOp(build(inner)))
    types = [v.type for v in blocks[0].terminator.operands]
    return list(b.insert(scf.IfOp(condition, types, Region([blocks[0]]), Region([blocks[1]]))).results)


class ContractionKernel(Workgroup):
    """Emits the body of one kernel; see the module's text."""

    # ------------------------------------------------------------------------------------------ the reduction in blocks

    def emit(self, b: Builder) -> None:
        if self.tiling.mode is RhsMode.DOT:
            emit_dots(self, b)
            return
        if self.tiling.mode is RhsMode.STREAM:
            emit_stream(self, b)
            return
        t = self.tiling
        root = self.problem.root
        self.row_blocks = row_blocks(self.entry, t.rows, self.row0, self.row1, root.size(root.m))
        self.inner_count = self._inner_segments()
        self.block_count = self._block_count()
        if self.block_count != 1:
            self.saved = self.local(t.row_tile * t.column_tile)
        self.tile = self.local(t.rows * t.width)
        if t.mode is RhsMode.PACK:
            self.panel_size = (self.block_depth + t.lanes) * t.width
            self.panels = self.local(t.column_tile // t.width * self.panel_size)
        if t.pack_lhs:
            self.row_size = self.block_depth + t.lanes + _ROW_PADDING_BYTES // self.problem.root.accumulator.size_bytes
            self.packed_rows = self.local((t.row_tile + t.lanes) * self.row_size)
        outer = self.reductions[: len(self.reductions) - self.inner_count]
        self._blocks(b, outer, KBlock((), 0, 0, 0, True, True), True)

    def _inner_segments(self) -> int:
        """How many segments the register kernel walks; the others are walked outside, block by block."""
        depth = 1
        for count, r in enumerate(reversed(self.reductions)):
            size = r.size.known
            if size is None or depth * size > max(self.tiling.depth, 1):
                return max(1, count)
            depth *= size
        return len(self.reductions)

    def _block_count(self) -> int | None:
        """Passes over the reduction; None when that is not known."""
        count = 1
        for r in self.reductions[: len(self.reductions) - self.inner_count]:
            if r.size.known is None:
                return None
            count *= r.size.known
        if self.inner_count > 1:
            return count
        size = self.reductions[-1].size.known
        return None if size is None else count * max(1, -(-size // self.tiling.depth))

    @property
    def block_depth(self) -> int:
        """The largest number of steps of a pass."""
        sizes = [r.size.known for r in self.reductions[-self.inner_count :]]
        total = 1
        for s in sizes:
            if s is None:
                return self.tiling.depth
            total *= s
        return min(total, self.tiling.depth) if self.inner_count == 1 else total

    def _blocks(self, b: Builder, outer: Sequence[Reduction], at: KBlock, nonempty: Value | bool) -> None:
        """Loops over the blocks. A reduction without steps still makes one pass, which writes the result."""
        if outer:
            r, *rest = outer
            size = r.size.value(b)
            # An empty loop runs once as well, with inner loops that are empty.
            trips = ix.maximum(b, size, 1)

            def iteration(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                moved = KBlock(
                    (),
                    ix.add(c, at.lhs, ix.mul(c, i, r.lhs.value(c))),
                    ix.add(c, at.rhs, ix.mul(c, i, r.rhs.value(c))),
                    ix.add(c, ix.mul(c, at.start, size), i),
                    flag_and(c, at.is_first, compare(c, arith.CmpIPredicate.EQ, i, 0)),
                    flag_and(c, at.is_last, compare(c, arith.CmpIPredicate.EQ, i, ix.sub(c, trips, 1))),
                )
                self._blocks(c, rest, moved, flag_and(c, nonempty, compare(c, arith.CmpIPredicate.SGE, size, 1)))
                return ()

            for_loop(b, 0, trips, 1, (), iteration)
            return
        inner = self.reductions[-self.inner_count :]
        strides = [(r.lhs.value(b), r.rhs.value(b)) for r in inner]
        sizes = [r.size.value(b) for r in inner]
        start = ix.mul(b, at.start, ix.product(b, sizes))
        if self.inner_count > 1:
            steps = tuple(Steps(0, size, *stride) for size, stride in zip(sizes, strides, strict=True))
            self._block(b, replace(at, steps=steps, start=start))
            return
        (size,) = sizes
        if not isinstance(nonempty, bool):
            nothing = ix.as_value(b, 0)
            size = b.insert(arith.SelectOp(nonempty, ix.as_value(b, size), nothing)).result
        depth, known = self.tiling.depth, ix.known(size)

        def split(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            end = ix.add(c, i, depth)
            first = flag_and(c, at.is_first, compare(c, arith.CmpIPredicate.EQ, i, 0))
            last = flag_and(c, at.is_last, compare(c, arith.CmpIPredicate.SGE, end, size))
            if known is None or known % depth or not known:
                end = ix.minimum(c, end, size)
            step = Steps(i, end, *strides[0])
            self._block(c, KBlock((step,), at.lhs, at.rhs, ix.add(c, start, i), first, last))
            return ()

        for_loop(b, 0, ix.maximum(b, size, 1), depth, (), split)

    # ------------------------------------------------------------------------------------------ one block

    def _block(self, b: Builder, block: KBlock) -> None:
        t = self.tiling
        if t.mode is RhsMode.PACK:
            source = Source(self.rhs, ix.add(b, self.rhs_base, block.rhs), self.rhs_columns)
            dest = Dest(self.panels, self.problem.root.accumulator)
            pack_panels(b, source, dest, block.steps, self.column0, self.column1, t.vectors, t.lanes, self.panel_size)
        if t.pack_lhs:
            source = Source(self.lhs, ix.add(b, self.lhs_base, block.lhs), self.lhs_rows)
            dest = Dest(self.packed_rows, self.problem.root.accumulator)
            pack_rows(b, source, dest, block.steps, self.row0, self.row1, t.lanes, self.row_size)

        if t.mode is RhsMode.DEPTHWISE:
            # The right-hand side is small: whole pixels of the left-hand side one after the other.
            is_exact = self.problem.root.size(self.problem.root.m).is_multiple_of(t.rows)

            def pixels(c: Builder, row: Value, _: list[Value]) -> Sequence[Value]:
                def channels(d: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
                    self._tile(d, block, Rows(row, t.rows, is_exact), column)
                    return ()

                for_loop(c, self.column0, self.column1, t.width, (), channels)
                return ()

            for_loop(b, self.row0, self.row1, t.rows, (), pixels)
            return

        def panel(c: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
            self.row_blocks.emit(c, lambda d, row, rows, exact: self._tile(d, block, Rows(row, rows, exact), column))
            return ()

        for_loop(b, self.column0, self.column1, t.width, (), panel)

    def _tile(self, b: Builder, block: KBlock, rows: Rows, column: ix.Size) -> None:
        """One block of registers."""
        t = self.tiling
        type = VectorType((t.lanes,), self.problem.root.accumulator)
        count = rows.count * t.vectors
        start: list[Value] = []
        place: ix.Size = 0
        if self.block_count == 1:
            start = [zero(b, type)] * count
        else:
            down = ix.mul(b, ix.sub(b, rows.first, self.row0), t.width)
            place = ix.add(b, ix.mul(b, ix.sub(b, column, self.column0), t.row_tile), down)

            def saved(c: Builder) -> list[Value]:
                return [
                    load_vector(c, self.saved, ix.add(c, place, n * t.lanes), t.lanes, type.dtype) for n in range(count)
                ]

            start = choose(b, block.is_first, lambda c: [zero(c, type)] * count, saved)
        sums = self._multiply(b, block, rows, column, start)

        def last(c: Builder) -> Sequence[Value]:
            self._finish(c, sums, rows, column)
            return ()

        def save(c: Builder) -> Sequence[Value]:
            for n, v in enumerate(sums):
                c.insert(vector.StoreOp(v, self.saved, [ix.as_value(c, ix.add(c, place, n * t.lanes))]))
            return ()

        choose(b, block.is_last if self.block_count != 1 else True, last, save)

    def _row_offsets(self, b: Builder, block: KBlock, rows: Rows) -> list[ix.Size]:
        if self.tiling.pack_lhs:
            local = ix.sub(b, rows.first, self.row0)
            return [ix.mul(b, ix.add(b, local, i), self.row_size) for i in range(rows.count)]
        places = [ix.add(b, rows.first, i) for i in range(rows.count)]
        if not rows.are_all_there:
            last = ix.sub(b, self.rows, 1)
            places = [r if i == 0 else ix.minimum(b, r, last) for i, r in enumerate(places)]
        base = ix.add(b, self.lhs_base, block.lhs)
        return [ix.add(b, base, self.lhs_rows.locate(b, r)) for r in places]

    def _multiply(self, b: Builder, block: KBlock, rows: Rows, column: ix.Size, start: list[Value]) -> list[Value]:
        t = self.tiling
        lhs_memory = self.packed_rows if t.pack_lhs else self.lhs
        lhs = (lhs_memory, self._row_offsets(b, block, rows))
        lhs_steps = self._strides_of_copy(b, block, 1) if t.pack_lhs else [s.lhs for s in block.steps]
        if t.mode in (RhsMode.DIRECT, RhsMode.DEPTHWISE):
            lhs_columns = None
            if t.mode is RhsMode.DEPTHWISE:
                along = self.problem.root.along(self.problem.root.n, self.problem.root.lhs)
                lhs_columns = [along.locate(b, ix.add(b, column, j * t.lanes)) for j in range(t.vectors)]
            columns = [self.column_offset(b, ix.add(b, column, j * t.lanes)) for j in range(t.vectors)]
            columns = [ix.add(b, c, block.rhs) for c in columns]
            steps = [Steps(s.lower, s.upper, left, s.rhs) for s, left in zip(block.steps, lhs_steps, strict=True)]

            def masked(c: Builder) -> list[Value]:
                masks = [
                    create_mask(c, ix.sub(c, self.column1, ix.add(c, column, j * t.lanes)), t.lanes)
                    for j in range(t.vectors)
                ]
                return outer_products(c, start, lhs, (self.rhs, columns), steps, masks, lhs_columns)

            return choose(
                b,
                self._whole_columns(b, column),
                lambda c: outer_products(c, start, lhs, (self.rhs, columns), steps, None, lhs_columns),
                masked,
            )
        rhs_steps = self._strides_of_copy(b, block, self.panel_width)
        if t.mode is RhsMode.PACK:
            panel = ix.mul(b, ix.floordiv(b, ix.sub(b, column, self.column0), t.width), self.panel_size)
            columns = [ix.add(b, panel, j * t.lanes) for j in range(t.vectors)]
            memory = self.panels
            origin: ix.Size = 0
        else:
            columns, memory = self._packed_columns(b, column), self.rhs
            origin = ix.mul(b, block.start, self.panel_width)
        # Copies start at the block's first step; counters are those of the whole reduction.
        columns = [ix.add(b, c, self._rebased(b, block, rhs_steps, origin)) for c in columns]
        places = lhs[1]
        if t.pack_lhs:
            places = [ix.add(b, r, self._rebased(b, block, lhs_steps, 0)) for r in places]
        steps = [Steps(s.lower, s.upper, x, y) for s, x, y in zip(block.steps, lhs_steps, rhs_steps, strict=True)]
        far = _PREFETCH_BYTES_OF_FEW_ROWS if t.rows <= FEW_PACKED_ROWS else _PREFETCH_BYTES
        ahead = far // memref_type(memory).dtype.size_bytes if t.mode is RhsMode.PACKED else 0
        return outer_products(b, start, (lhs_memory, places), (memory, columns), steps, prefetch=ahead)

    @property
    def panel_width(self) -> int:
        rhs = self.problem.root.rhs
        return rhs.panel if isinstance(rhs, PackedRhs) else self.tiling.width

    def _packed_columns(self, b: Builder, column: ix.Size) -> list[ix.Size]:
        """Offsets of the vectors of a block in panels that were packed at compile time."""
        rhs = self.problem.root.rhs
        assert isinstance(rhs, PackedRhs)
        t = self.tiling
        depth = ix.product(b, [r.size.value(b) for r in self.reductions])
        size = ix.mul(b, depth, rhs.panel)
        first = ix.floordiv(b, column, rhs.panel)
        last = ix.sub(b, ix.ceildiv(b, self.columns, rhs.panel), 1)
        inside = 0 if t.width % rhs.panel == 0 else ix.remainder(b, column, rhs.panel)
        found: list[ix.Size] = []
        for j in range(t.vectors):
            skipped, within = divmod(j * t.lanes, rhs.panel)
            panel = ix.minimum(b, ix.add(b, first, skipped), last) if skipped else first
            start = ix.add(b, self.rhs_base, ix.mul(b, panel, size))
            found.append(ix.add(b, start, ix.add(b, inside, within)))
        return found

    def _strides_of_copy(self, b: Builder, block: KBlock, unit: int) -> list[ix.Size]:
        """Strides of the steps of a block in a copy where consecutive steps are `unit` elements apart."""
        strides: list[ix.Size] = []
        stride: ix.Size = unit
        for s in reversed(block.steps):
            strides.append(stride)
            stride = ix.mul(b, stride, ix.sub(b, s.upper, s.lower))
        return strides[::-1]

    def _rebased(self, b: Builder, block: KBlock, strides: Sequence[ix.Size], origin: ix.Size) -> ix.Size:
        """What to add to offsets so that the first step of the block is at `origin`."""
        total = origin
        for s, stride in zip(block.steps, strides, strict=True):
            total = ix.sub(b, total, ix.mul(b, s.lower, stride))
        return total

    def _whole_columns(self, b: Builder, column: ix.Size) -> Value | bool:
        """Whether a block of registers that starts at `column` lies inside of the result."""
        if self.problem.root.size(self.problem.root.n).is_multiple_of(self.tiling.width):
            return True
        return compare(b, arith.CmpIPredicate.SLE, ix.add(b, column, self.tiling.width), self.columns)

    def _whole_rows(self, b: Builder, rows: Rows) -> Value | bool:
        if rows.are_all_there:
            return True
        return compare(b, arith.CmpIPredicate.SLE, ix.add(b, rows.first, rows.count), self.rows)

    def _finish(self, b: Builder, sums: Sequence[Value], rows: Rows, column: ix.Size) -> None:
        t, row = self.tiling, rows.first
        inside = flag_and(b, self._whole_columns(b, column), self._whole_rows(b, rows))

        def rolled(c: Builder, cut: bool) -> Sequence[Value]:
            for n, v in enumerate(sums):
                c.insert(vector.StoreOp(v, self.tile, [ix.as_value(c, n * t.lanes)]))
            is_cut = cut and not rows.are_all_there
            count = ix.minimum(c, ix.sub(c, self.rows, row), rows.count) if is_cut else rows.count
            end = self.columns if cut else None
            self.epilogue.finish_rolled(c, (self.tile, t.width), row, count, column, t.vectors, t.lanes, end)
            return ()

        def whole(c: Builder) -> Sequence[Value]:
            if not self.epilogue.is_light:
                return rolled(c, cut=False)
            self.epilogue.finish_inline(c, sums, row, column, t.vectors)
            return ()

        choose(b, inside, whole, lambda c: rolled(c, cut=True))
