"""What the workgroups of every contraction kernel begin with: their rows and columns, operands, and the grid.

    rows [row0, row1), columns [column0, column1) of one batch

The reduction is a list of segments, which kernels walk in loops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_epilogue import Epilogue, Memory
from tesselle.codegen.common.contraction_layout import ZERO, Extent, Segments
from tesselle.codegen.common.contraction_problem import PackedRhs, Problem
from tesselle.codegen.common.contraction_tiling import Tiling, tile_sizes
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import memref
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType, MemRefType


@dataclass(frozen=True)
class Reduction:
    """One segment of the reduction: its size, and the strides of both operands in memory."""

    size: Extent
    lhs: Extent
    rhs: Extent


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


class Workgroup:
    """The part of the result that one workgroup computes, and where its operands lie; made at the kernel's entry."""

    def __init__(self, kernel: KernelFunction, problem: Problem, tiling: Tiling, entry: Builder) -> None:
        self.problem, self.tiling, self.entry = problem, tiling, entry
        root = problem.root
        wx, wy, wz = kernel.workgroup_ids
        self.rows = root.size(root.m).value(entry)
        self.columns = root.size(root.n).value(entry)
        self.memory = Memory(problem, entry, wz if root.size(root.batch).known != 1 else 0)
        self.epilogue = Epilogue(problem, self.memory)
        row_tile, column_tile = tile_sizes(entry, problem, tiling, lambda extent: extent.value(entry))
        self.row0, self.row1 = self._range(wy, self.rows, row_tile)
        self.column0, self.column1 = self._range(wx, self.columns, column_tile)
        self.lhs = self.memory.flat_of(root.lhs)
        self.lhs_base = self.memory.base(root.lhs)
        self.lhs_rows = root.along(root.m, root.lhs)
        rhs = root.rhs.operand if isinstance(root.rhs, PackedRhs) else root.rhs
        self.rhs = self.memory.flat_of(rhs)
        self.rhs_base = self.memory.base(rhs)
        self.rhs_columns = Segments(()) if isinstance(root.rhs, PackedRhs) else root.along(root.n, rhs)
        self.reductions = reductions_of(problem)

    def _range(self, id: Value, size: ix.Size, tile: ix.Size) -> tuple[ix.Size, ix.Size]:
        known, step = ix.known(size), ix.known(tile)
        if known is not None and step is not None and known <= step:
            return 0, known
        start = ix.mul(self.entry, id, tile)
        end = ix.add(self.entry, start, tile)
        if known is not None and step is not None and known % step == 0:
            return start, end
        return start, ix.minimum(self.entry, end, size)

    def local(self, elements: int, dtype: DType | None = None) -> Value:
        """Local memory of the workgroup."""
        type = MemRefType((elements,), dtype or self.problem.root.accumulator)
        return self.entry.insert(memref.AllocaOp(type)).result

    def column_offset(self, b: Builder, column: ix.Size) -> ix.Size:
        """Where a column of the right-hand side begins."""
        return ix.add(b, self.rhs_base, self.rhs_columns.locate(b, column))


def grid(
    b: Builder, problem: Problem, tiling: Tiling, sizes: Callable[[Extent], ix.Size]
) -> tuple[Value, Value, Value]:
    """Workgroups along columns, rows and batches; `sizes` evaluates an extent where the grid is computed."""
    root = problem.root
    row_tile, column_tile = tile_sizes(b, problem, tiling, sizes)
    return (
        ix.as_value(b, ix.ceildiv(b, sizes(root.size(root.n)), column_tile)),
        ix.as_value(b, ix.ceildiv(b, sizes(root.size(root.m)), row_tile)),
        ix.as_value(b, sizes(root.size(root.batch))),
    )
