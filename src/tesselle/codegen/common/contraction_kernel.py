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
from tesselle.codegen.common.contraction_epilogue import Epilogue, Memory
from tesselle.codegen.common.contraction_layout import ZERO, Extent, Segments
from tesselle.codegen.common.contraction_micro import (
    Steps,
    create_mask,
    dot_products,
    load_scalar,
    load_vector,
    outer_products,
)
from tesselle.codegen.common.contraction_problem import PackedRhs, Problem
from tesselle.codegen.common.contraction_tiling import RhsMode, Tiling
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.packing import Dest, Source, pack_panels, pack_rows
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.codegen.common.vector_body import zero
from tesselle.dialects.core import arith, memref, scf, vector
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import DType, MemRefType, VectorType

_ROW_PADDING_BYTES = 64
"""Keeps copied rows from falling into the same sets of the L1 cache."""


@dataclass(frozen=True)
class Reduction:
    """One segment of the reduction: its size, and the strides of both operands in memory."""

    size: Extent
    lhs: Extent
    rhs: Extent


@dataclass(frozen=True)
class KBlock:
    """One pass: its steps, where it starts in memory and, as a linear index, in the whole reduction."""

    steps: tuple[Steps, ...]
    lhs: ix.Size
    rhs: ix.Size
    start: ix.Size
    is_first: Value | bool
    is_last: Value | bool


def reductions_of(problem: Problem) -> list[Reduction]:
    """The segments of the reduction, outermost first, at least one; loops that are contiguous in both operands are
    merged.
    """
    root = problem.root
    packed = isinstance(root.rhs, PackedRhs)
    found: list[Reduction] = []
    for d in root.k:
        size, lhs = root.sizes[d], root.lhs.stride(d)
        rhs = ZERO if isinstance(root.rhs, PackedRhs) else root.rhs.stride(d)
        if size.known == 1:
            continue
        if found and found[-1].lhs == size * lhs and (packed or found[-1].rhs == size * rhs):
            found[-1] = Reduction(found[-1].size * size, lhs, rhs)
        else:
            found.append(Reduction(size, lhs, rhs))
    if any(r.size.known == 0 for r in found):
        return [Reduction(ZERO, ZERO, ZERO)]
    return found or [Reduction(Extent(1), Extent(1), Extent(1))]


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


class ContractionKernel:
    """Emits the body of one kernel; see the module's text."""

    def __init__(self, kernel: KernelFunction, problem: Problem, tiling: Tiling, entry: Builder) -> None:
        self.problem, self.tiling, self.entry = problem, tiling, entry
        root = problem.root
        wx, wy, wz = kernel.workgroup_ids
        self.rows = root.size(root.m).value(entry)
        self.columns = root.size(root.n).value(entry)
        self.memory = Memory(problem, entry, wz if root.size(root.batch).known != 1 else 0)
        self.epilogue = Epilogue(problem, self.memory)
        self.row0, self.row1 = self._range(wy, self.rows, tiling.row_tile)
        self.column0, self.column1 = self._range(wx, self.columns, tiling.column_tile)
        self.lhs = self.memory.flat_of(root.lhs)
        self.lhs_base = self.memory.base(root.lhs)
        self.lhs_rows = root.along(root.m, root.lhs)
        rhs = root.rhs.operand if isinstance(root.rhs, PackedRhs) else root.rhs
        self.rhs = self.memory.flat_of(rhs)
        self.rhs_base = self.memory.base(rhs)
        self.rhs_columns = Segments(()) if isinstance(root.rhs, PackedRhs) else root.along(root.n, rhs)
        self.reductions = reductions_of(problem)

    def _range(self, id: Value, size: ix.Size, tile: int) -> tuple[ix.Size, ix.Size]:
        known = ix.known(size)
        if known is not None and known <= tile:
            return 0, known
        start = ix.mul(self.entry, id, tile)
        if known is not None and known % tile == 0:
            return start, ix.add(self.entry, start, tile)
        return start, ix.minimum(self.entry, ix.add(self.entry, start, tile), size)

    def local(self, elements: int, dtype: DType | None = None) -> Value:
        type = MemRefType((elements,), dtype or self.problem.root.accumulator)
        return self.entry.insert(memref.AllocaOp(type)).result

    # ------------------------------------------------------------------------------------------ the reduction in blocks

    def emit(self, b: Builder) -> None:
        if self.tiling.mode is RhsMode.DOT:
            self._emit_dots(b)
            return
        if self.tiling.mode is RhsMode.STREAM:
            self._emit_stream(b)
            return
        t = self.tiling
        self.inner_count = self._inner_segments()
        self.block_count = self._block_count()
        accumulators = t.rows * t.width
        if self.block_count != 1:
            self.saved = self.local(t.row_tile // t.rows * (t.column_tile // t.width) * accumulators)
        self.tile = self.local(accumulators)
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
            def pixels(c: Builder, row: Value, _: list[Value]) -> Sequence[Value]:
                def channels(d: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
                    self._tile(d, block, row, column)
                    return ()

                for_loop(c, self.column0, self.column1, t.width, (), channels)
                return ()

            for_loop(b, self.row0, self.row1, t.rows, (), pixels)
            return

        def panel(c: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
            def rows(d: Builder, row: Value, _: list[Value]) -> Sequence[Value]:
                self._tile(d, block, row, column)
                return ()

            for_loop(c, self.row0, self.row1, t.rows, (), rows)
            return ()

        for_loop(b, self.column0, self.column1, t.width, (), panel)

    def _tile(self, b: Builder, block: KBlock, row: ix.Size, column: ix.Size) -> None:
        """One block of registers."""
        t = self.tiling
        type = VectorType((t.lanes,), self.problem.root.accumulator)
        count = t.rows * t.vectors
        start: list[Value] = []
        place: ix.Size = 0
        if self.block_count == 1:
            start = [zero(b, type)] * count
        else:
            down = ix.floordiv(b, ix.sub(b, row, self.row0), t.rows)
            across = ix.floordiv(b, ix.sub(b, column, self.column0), t.width)
            position = ix.add(b, ix.mul(b, across, t.row_tile // t.rows), down)
            place = ix.mul(b, position, t.rows * t.width)

            def saved(c: Builder) -> list[Value]:
                return [
                    load_vector(c, self.saved, ix.add(c, place, n * t.lanes), t.lanes, type.dtype) for n in range(count)
                ]

            start = choose(b, block.is_first, lambda c: [zero(c, type)] * count, saved)
        sums = self._multiply(b, block, row, column, start)

        def last(c: Builder) -> Sequence[Value]:
            self._finish(c, sums, row, column)
            return ()

        def save(c: Builder) -> Sequence[Value]:
            for n, v in enumerate(sums):
                c.insert(vector.StoreOp(v, self.saved, [ix.as_value(c, ix.add(c, place, n * t.lanes))]))
            return ()

        choose(b, block.is_last if self.block_count != 1 else True, last, save)

    def _row_offsets(self, b: Builder, block: KBlock, row: ix.Size) -> list[ix.Size]:
        t = self.tiling
        if t.pack_lhs:
            local = ix.sub(b, row, self.row0)
            return [ix.mul(b, ix.add(b, local, i), self.row_size) for i in range(t.rows)]
        exact = (ix.known(self.rows) or 0) % t.rows == 0 and ix.known(self.rows) is not None
        last = ix.sub(b, self.rows, 1)
        rows = [ix.add(b, row, i) for i in range(t.rows)]
        if not exact:
            rows = [r if i == 0 else ix.minimum(b, r, last) for i, r in enumerate(rows)]
        base = ix.add(b, self.lhs_base, block.lhs)
        return [ix.add(b, base, self.lhs_rows.locate(b, r)) for r in rows]

    def _multiply(self, b: Builder, block: KBlock, row: ix.Size, column: ix.Size, start: list[Value]) -> list[Value]:
        t = self.tiling
        lhs_memory = self.packed_rows if t.pack_lhs else self.lhs
        lhs = (lhs_memory, self._row_offsets(b, block, row))
        lhs_steps = self._strides_of_copy(b, block, 1) if t.pack_lhs else [s.lhs for s in block.steps]
        if t.mode in (RhsMode.DIRECT, RhsMode.DEPTHWISE):
            lhs_columns = None
            if t.mode is RhsMode.DEPTHWISE:
                along = self.problem.root.along(self.problem.root.n, self.problem.root.lhs)
                lhs_columns = [along.locate(b, ix.add(b, column, j * t.lanes)) for j in range(t.vectors)]
            columns = [self._column_offset(b, ix.add(b, column, j * t.lanes)) for j in range(t.vectors)]
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
        rows = lhs[1]
        if t.pack_lhs:
            rows = [ix.add(b, r, self._rebased(b, block, lhs_steps, 0)) for r in rows]
        steps = [Steps(s.lower, s.upper, x, y) for s, x, y in zip(block.steps, lhs_steps, rhs_steps, strict=True)]
        return outer_products(b, start, (lhs_memory, rows), (memory, columns), steps)

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

    def _column_offset(self, b: Builder, column: ix.Size) -> ix.Size:
        return ix.add(b, self.rhs_base, self.rhs_columns.locate(b, column))

    def _whole_columns(self, b: Builder, column: ix.Size) -> Value | bool:
        """Whether a block of registers that starts at `column` lies inside of the result."""
        width, known = self.tiling.width, ix.known(self.columns)
        if known is not None and known % width == 0:
            return True
        return compare(b, arith.CmpIPredicate.SLE, ix.add(b, column, width), self.columns)

    def _whole_rows(self, b: Builder, row: ix.Size) -> Value | bool:
        known = ix.known(self.rows)
        if known is not None and known % self.tiling.rows == 0:
            return True
        return compare(b, arith.CmpIPredicate.SLE, ix.add(b, row, self.tiling.rows), self.rows)

    def _finish(self, b: Builder, sums: Sequence[Value], row: ix.Size, column: ix.Size) -> None:
        t = self.tiling
        inside = flag_and(b, self._whole_columns(b, column), self._whole_rows(b, row))

        def rolled(c: Builder, cut: bool) -> Sequence[Value]:
            for n, v in enumerate(sums):
                c.insert(vector.StoreOp(v, self.tile, [ix.as_value(c, n * t.lanes)]))
            rows = ix.minimum(c, ix.sub(c, self.rows, row), t.rows) if cut else t.rows
            end = self.columns if cut else None
            self.epilogue.finish_rolled(c, (self.tile, t.width), row, rows, column, t.vectors, t.lanes, end)
            return ()

        def whole(c: Builder) -> Sequence[Value]:
            if not self.epilogue.is_light:
                return rolled(c, cut=False)
            self.epilogue.finish_inline(c, sums, row, column, t.vectors)
            return ()

        choose(b, inside, whole, lambda c: rolled(c, cut=True))

    # ------------------------------------------------------------------------------------------ dot products

    def _emit_dots(self, b: Builder) -> None:
        """Few rows, reduction contiguous in both operands: vectors run along the reduction, `lanes` columns make a
        block.
        """
        t = self.tiling
        (r,) = self.reductions
        self.tile = self.local(t.rows * t.lanes)
        together = max(1, min(t.lanes, 8 // t.rows))
        rows = [ix.add(b, self.lhs_base, self.lhs_rows.locate(b, i)) for i in range(t.rows)]
        last = ix.sub(b, self.columns, 1)
        dtype = self.problem.root.accumulator

        def block(c: Builder, column: Value, _: list[Value]) -> Sequence[Value]:
            def group(d: Builder, g: Value, _: list[Value]) -> Sequence[Value]:
                columns = [
                    self._column_offset(d, ix.minimum(d, ix.add(d, ix.add(d, column, g), j), last))
                    for j in range(together)
                ]
                dots = dot_products(d, (self.lhs, rows), (self.rhs, columns), r.size.value(d), t.lanes, dtype)
                for n, value in enumerate(dots):
                    i, j = divmod(n, together)
                    at = ix.add(d, g, i * t.lanes + j)
                    d.insert(memref.StoreOp(value, self.tile, [ix.as_value(d, at)]))
                return ()

            for_loop(c, 0, t.lanes, together, (), group)
            self.epilogue.finish_rolled(c, (self.tile, t.lanes), 0, t.rows, column, 1, t.lanes, self.columns)
            return ()

        for_loop(b, self.column0, self.column1, t.lanes, (), block)

    # ------------------------------------------------------------------------------------------ streams

    def _emit_stream(self, b: Builder) -> None:
        """Very few rows, columns contiguous: the right-hand side is read row by row, sums are kept in local memory."""
        t = self.tiling
        dtype = self.problem.root.accumulator
        width = t.column_tile
        sums = self.local(t.rows * width)
        count = ix.sub(b, self.column1, self.column0)
        vectors = ix.ceildiv(b, count, t.lanes)
        nothing = zero(b, VectorType((t.lanes,), dtype))

        def clear(c: Builder, n: Value, _: list[Value]) -> Sequence[Value]:
            for i in range(t.rows):
                c.insert(vector.StoreOp(nothing, sums, [ix.as_value(c, ix.add(c, n, i * width))]))
            return ()

        for_loop(b, 0, ix.mul(b, vectors, t.lanes), t.lanes, (), clear)
        rows = [ix.add(b, self.lhs_base, self.lhs_rows.locate(b, i)) for i in range(t.rows)]
        start = ix.add(b, self.rhs_base, self.rhs_columns.locate(b, self.column0))
        whole = ix.mul(b, ix.floordiv(b, count, t.lanes), t.lanes)
        together = min(4, max(1, 8 // t.rows))
        *outer, inner = self.reductions

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
            grouped = ix.mul(c, ix.floordiv(c, size, together), together)
            for lower, upper, steps in ((0, grouped, together), (grouped, size, 1)):

                def some(d: Builder, k: Value, _: list[Value], steps: int = steps) -> Sequence[Value]:
                    self._stream_steps(d, sums, rows, (at_lhs, ix.add(d, start, at_rhs)), k, steps, whole, count)
                    return ()

                for_loop(c, lower, upper, steps, (), some)

        walk(b, outer, 0, 0)
        self.epilogue.finish_rolled(b, (sums, width), 0, t.rows, self.column0, vectors, t.lanes, self.columns)

    def _stream_steps(
        self,
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
        t, inner = self.tiling, self.reductions[-1]
        dtype = self.problem.root.accumulator
        type = VectorType((t.lanes,), dtype)
        factors: list[list[Value]] = []
        places: list[ix.Size] = []
        for s in range(steps):
            step = ix.add(b, k, s)
            along = ix.add(b, at[0], ix.mul(b, step, inner.lhs.value(b)))
            scalars = [load_scalar(b, self.lhs, ix.add(b, r, along), dtype) for r in rows]
            factors.append([b.insert(vector.BroadcastOp(x, type)).result for x in scalars])
            places.append(ix.add(b, at[1], ix.mul(b, step, inner.rhs.value(b))))

        def column(c: Builder, n: ix.Size, mask: Value | None) -> None:
            loaded = [load_vector(c, self.rhs, ix.add(c, p, n), t.lanes, dtype, mask) for p in places]
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


def grid(
    b: Builder, problem: Problem, tiling: Tiling, sizes: Callable[[Extent], ix.Size]
) -> tuple[Value, Value, Value]:
    """Workgroups along columns, rows and batches; `sizes` evaluates an extent where the grid is computed."""
    root = problem.root
    return (
        ix.as_value(b, ix.ceildiv(b, sizes(root.size(root.n)), tiling.column_tile)),
        ix.as_value(b, ix.ceildiv(b, sizes(root.size(root.m)), tiling.row_tile)),
        ix.as_value(b, sizes(root.size(root.batch))),
    )
