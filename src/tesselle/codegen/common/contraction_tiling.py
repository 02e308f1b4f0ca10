"""How a contraction is cut: registers, cache blocks, workgroups; and how its right-hand side is read.

Registers hold `rows` x `vectors` accumulators, beside them one vector of the right-hand side per column of accumulators
and one broadcast element of the left-hand side: 6 x 2 with 16 registers, 14 x 2 with 32, 4 x 2 without fused multiply-
add (the product needs a register of its own). A panel of the right-hand side (`depth` x `vectors` registers wide) stays
in the L1 cache while all rows of the workgroup pass by; the panels of the workgroup stay in the L2 cache.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_layout import Extent, balanced, round_up
from tesselle.codegen.common.contraction_problem import PackedRhs, Problem
from tesselle.codegen.common.strategy import TargetShape
from tesselle.ir.builder import Builder

_UNKNOWN = 512
"""What a dynamic size is taken for."""
_ROW_LIMIT = 192
_PACK_ROW_LIMIT = 1024
"""Where each workgroup makes its own panels, for it makes them once for all of its rows: 2048 x 2048 x 2048 took 1.12
times as long with 192 rows (1024: 1.04, 512: 1.02).
"""
_COLUMN_LIMIT = 128
_PACKED_COLUMN_LIMIT = 512
_PANEL_BYTES = 256 * 1024
"""Panels of a workgroup leave room in the L2 cache for the left-hand side."""
_DEPTH = 512
_WHOLE_DEPTH = 1024
"""A reduction of at most this many steps is one pass."""
_WORKGROUP_FLOPS = 1_500_000
"""Workgroups are not made smaller than this for the sake of parallelism (about 20 microseconds)."""
_WORKGROUPS = 8
_FEW_ROWS = 12
"""With at most so many rows packing takes most of the time: short and wide blocks, so that it reads long pieces of
memory.
"""
_STREAM_ROWS = 4
FEW_PACKED_ROWS = 4
"""Up to so many rows products with packed weights take as long as it takes to read these."""
_STREAM_COLUMNS = 1024
_BYTE_FLOPS = 4
"""Moving a byte from memory takes about as long as so many operations."""


class RhsMode(enum.Enum):
    """How kernels read the right-hand side."""

    PACKED = "panels made at compile time"
    PACK = "panels made in local memory by each workgroup"
    DIRECT = "rows in place: contiguous along columns, all rows of the left-hand side in one register block"
    STREAM = (
        "rows in place, one after the other, for very few rows of the left-hand side; sums are kept in the L1 cache"
    )
    DEPTHWISE = "like DIRECT, but the left-hand side is a vector of columns as well"
    DOT = "columns in place: contiguous along the reduction, vectors run along it"


@dataclass(frozen=True)
class Tiling:
    """`rows`, `vectors`: register block, in rows and vectors of `lanes`; `row_tile`, `column_tile`: of a workgroup,
    multiples of the register block (where the number of rows is known at run time only: the most, see `tile_sizes`);
    `depth`: reduction steps per pass; `pack_lhs`: whether rows are copied to local memory first.
    """

    mode: RhsMode
    rows: int
    vectors: int
    lanes: int
    row_tile: int
    column_tile: int
    depth: int
    pack_lhs: bool
    reason: str = ""
    """Why this mode."""

    @property
    def width(self) -> int:
        """Columns of a register block."""
        return self.vectors * self.lanes


def register_block(target: TargetShape, rows: int | None) -> tuple[int, int]:
    """(rows, vectors) of accumulators for a left-hand side of `rows` rows (None: many)."""
    most = 4 if not target.has_fma and target.register_count <= 16 else 6 if target.register_count <= 16 else 14
    if rows is None or rows == 0:
        return most, 2
    # A step takes about as long as its rows plus a part for the loads of the right-hand side; with fewer than four rows
    # the multipliers wait for their own results.
    best = min(range(1, most + 1), key=lambda r: (math.ceil(rows / r) * (max(r, 4) + 0.6), r))
    return best, 2


def panel_width(target_lanes: int) -> int:
    """Columns of a panel of a packed right-hand side."""
    return 2 * target_lanes


def choose_tiling(problem: Problem, target: TargetShape) -> Tiling:
    """The cut of `problem` for a processor."""
    root = problem.root
    lanes = target.lanes(root.accumulator)
    rows, columns = root.size(root.m), root.size(root.n)
    if isinstance(root.rhs, PackedRhs):
        lanes = min(lanes, root.rhs.panel)
    mr, vectors = register_block(target, rows.known)
    mode, reason = _mode(problem, mr, lanes)
    accumulators = 2 * mr if mr > 4 else target.register_count - 4
    if mode in (RhsMode.DOT, RhsMode.STREAM):
        mr = rows.known or 1
        vectors = 1
    elif mode is RhsMode.PACKED and rows.known is not None and 0 < rows.known <= FEW_PACKED_ROWS:
        # Memory is the limit, and panels are read best a few at a time, each from one end to the other.
        mr = rows.known
        vectors = 4 if columns.known is None else max(2, min(4, round_up(math.ceil(columns.known / lanes), 2)))
    elif mode is RhsMode.DIRECT and rows.known is not None and rows.known <= 4:
        # Few rows: memory is the limit, so that more columns at once keep more of it in flight.
        mr = max(1, rows.known)
        vectors = max(2, accumulators // mr // 2 * 2)
        needed = math.ceil(columns.known / lanes) if columns.known else vectors
        vectors = max(2, min(vectors, round_up(max(1, needed), 2)))
    elif mode is RhsMode.DEPTHWISE:
        mr = min(mr, 5)
    if isinstance(root.rhs, PackedRhs):
        # Blocks of registers are made of whole panels, or panels of whole blocks.
        per_panel = root.rhs.panel // lanes
        vectors = vectors // per_panel * per_panel or (vectors if per_panel % vectors == 0 else 1)
    kc = _depth(problem, mode)
    row_tile, column_tile = _workgroup(problem, mode, mr, vectors * lanes, kc)
    lhs = root.along(root.k, root.lhs)
    pack = mode in (RhsMode.PACK, RhsMode.PACKED) and lhs.inner_stride.known != 1 and bool(lhs.parts)
    pack = pack and columns.estimate(_UNKNOWN) > 2 * vectors * lanes
    return Tiling(mode, mr, vectors, lanes, row_tile, column_tile, kc, pack, reason)


def _depth(problem: Problem, mode: RhsMode) -> int:
    """Steps of one pass: equal parts of the reduction, each small enough for the L1 cache."""
    depth = problem.root.size(problem.root.k).known
    if mode not in (RhsMode.PACK, RhsMode.PACKED):
        return max(1, depth) if depth is not None else 1 << 30
    rows = problem.root.size(problem.root.m).known
    if mode is RhsMode.PACK and rows is not None and rows <= _FEW_ROWS:
        return max(1, balanced(depth or _UNKNOWN, _DEPTH // 4))
    if depth is None:
        return _DEPTH
    return max(1, depth) if depth <= _WHOLE_DEPTH else round_up(balanced(depth, _DEPTH), 8)


def _mode(problem: Problem, mr: int, lanes: int) -> tuple[RhsMode, str]:
    """How the right-hand side is read, and why so."""
    root = problem.root
    if isinstance(root.rhs, PackedRhs):
        return RhsMode.PACKED, "the right-hand side is a constant"
    if root.is_depthwise:
        return RhsMode.DEPTHWISE, "every group has one channel"
    rows = root.size(root.m).known
    columns = root.along(root.n, root.rhs)
    along_k = root.along(root.k, root.rhs)
    if rows is not None and rows <= 2 * mr:
        contiguous = columns.inner_stride.known == 1 and columns.keeps_together(lanes)
        if contiguous:
            columns_known = root.size(root.n).known
            few = rows <= _STREAM_ROWS and root.rhs.dtype is root.accumulator
            wide = columns_known is None or columns_known > 16 * lanes
            if few and wide and len(columns.parts) == 1:
                return RhsMode.STREAM, f"{rows} rows on the left are too few to use a panel again"
            if rows <= mr:
                return RhsMode.DIRECT, f"{rows} rows on the left fit into one block of registers"
        lhs = root.along(root.k, root.lhs)
        straight = len(along_k.parts) == 1 == len(lhs.parts) and lhs.inner_stride.known == 1
        if rows <= 4 and straight and along_k.inner_stride.known == 1 and root.rhs.dtype is root.accumulator:
            return RhsMode.DOT, f"{rows} rows on the left, and both operands are contiguous along the reduction"
        return RhsMode.PACK, "the right-hand side is not contiguous as a block of registers reads it"
    return RhsMode.PACK, f"{rows or 'any number of'} rows on the left use a panel again and again"


def _workgroup(problem: Problem, mode: RhsMode, mr: int, width: int, kc: int) -> tuple[int, int]:
    """Rows and columns of a workgroup: large enough to reuse what it loads, small enough for the caches and for all
    cores.
    """
    root = problem.root
    rows, columns, depth, batch = (_estimate(root.size(d)) for d in (root.m, root.n, root.k, root.batch))
    # Between passes the sums of the whole workgroup are kept, which takes room in the L2 cache.
    limit = _PACKED_COLUMN_LIMIT if mode is RhsMode.PACKED and kc >= depth else _COLUMN_LIMIT
    row_limit = _ROW_LIMIT
    if mode is RhsMode.PACK:
        row_limit = _PACK_ROW_LIMIT
        most = _PANEL_BYTES // (kc * root.accumulator.size_bytes)
        limit = most if rows <= _FEW_ROWS else min(limit, most)
    elif mode is not RhsMode.PACKED:
        limit = _STREAM_COLUMNS if mode is RhsMode.STREAM else columns
    if mode is RhsMode.DEPTHWISE:
        row_limit = max(row_limit, _WORKGROUP_FLOPS // (2 * depth * columns))
    row_tile = round_up(balanced(rows, max(mr, row_limit // mr * mr)), mr)
    column_tile = round_up(balanced(columns, max(width, limit // width * width)), width)
    size = root.accumulator.size_bytes
    work = max(2 * rows * columns * depth, _BYTE_FLOPS * size * (rows + columns) * depth) * batch

    def count() -> int:
        return math.ceil(rows / row_tile) * math.ceil(columns / column_tile) * batch

    if mode is RhsMode.PACKED and root.size(root.m).known is None:
        return row_tile, column_tile  # see tile_sizes
    # Splitting columns repeats no work; splitting rows packs the right-hand side once more.
    if mode is RhsMode.STREAM:
        # Whole pages of each row: shorter pieces would cost more in missed translations than a second core brings.
        return row_tile, min(column_tile, _STREAM_COLUMNS)
    while count() < _WORKGROUPS and work > 2 * count() * _WORKGROUP_FLOPS:
        if column_tile > 2 * width or (column_tile > width and row_tile <= mr):
            column_tile = round_up(math.ceil(column_tile / 2), width)
        elif row_tile > mr:
            row_tile = round_up(math.ceil(row_tile / 2), mr)
        else:
            break
    return row_tile, column_tile


def _estimate(extent: Extent) -> int:
    return max(1, extent.estimate(_UNKNOWN))


def tile_sizes(
    b: Builder, problem: Problem, tiling: Tiling, sizes: Callable[[Extent], ix.Size]
) -> tuple[ix.Size, ix.Size]:
    """(rows, columns) of a workgroup, from the sizes of this call; `sizes` evaluates an extent where `b` builds.

    An unknown number of rows is cut into equal parts; on packed weights also into so many, and into so many parts of
    the columns, that there is work for several cores (see `_workgroup`). The kernel and its grid compute the same.
    """
    root = problem.root
    if root.size(root.m).known is not None or tiling.mode is RhsMode.DEPTHWISE:
        return tiling.row_tile, tiling.column_tile
    rows = sizes(root.size(root.m))
    parts = ix.maximum(b, ix.ceildiv(b, rows, tiling.row_tile), 1)
    column_tile: ix.Size = tiling.column_tile
    columns, depth = root.size(root.n).known, root.size(root.k).known
    if tiling.mode is RhsMode.PACKED and columns and depth:
        batch = sizes(root.size(root.batch))
        moved = _BYTE_FLOPS * root.accumulator.size_bytes * depth
        steps = ix.mul(b, rows, 2 * columns * depth)
        steps = ix.maximum(b, steps, ix.mul(b, ix.add(b, rows, columns), moved))
        wanted = ix.floordiv(b, ix.mul(b, steps, batch), 2 * _WORKGROUP_FLOPS)
        wanted = ix.minimum(b, wanted, _WORKGROUPS)
        wanted = ix.maximum(b, ix.ceildiv(b, wanted, ix.maximum(b, batch, 1)), 1)
        panels = math.ceil(columns / tiling.width)
        least = math.ceil(columns / tiling.column_tile)
        across = ix.maximum(b, ix.minimum(b, ix.ceildiv(b, wanted, parts), max(least, panels // 2)), least)
        column_tile = ix.mul(b, ix.ceildiv(b, panels, across), tiling.width)
        most = ix.maximum(b, ix.floordiv(b, rows, 2 * tiling.rows), 1)
        parts = ix.maximum(b, parts, ix.minimum(b, ix.ceildiv(b, wanted, across), most))
    row_tile = ix.mul(b, ix.ceildiv(b, ix.ceildiv(b, rows, parts), tiling.rows), tiling.rows)
    return ix.maximum(b, row_tile, tiling.rows), column_tile
