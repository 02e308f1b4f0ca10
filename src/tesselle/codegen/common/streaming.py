"""Kernels over more memory than the caches hold: stores that bypass them, and prefetching of the next rows.

An ordinary store reads the line that it writes to first. Where that line will be gone from the caches before anyone
reads it, a part of the traffic is for nothing: of y = f(x) a third. Stores past the caches want reads beside them,
which they do not hinder; so they are for

- loops that read what they write from, and no other loops: elementwise, broadcasts, transpositions;
- rows that are read several times (softmax, normalizations), if one of the later loops asks for the next row:

      max(x[i]);   e = exp(x[i] - max), prefetch x[i + 1];   sum(e);   y[i] = e / sum, past the caches

  Without the prefetch the processor would wait for memory at the beginning of each row, and with every row's stores
  again: softmax of 4096 x 4096 took 6.2 ms as it was, 6.9 ms with the stores alone, 5.1 ms with the prefetch alone,
  4.8 ms with both (AMD EPYC with AVX-512, one thread).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.memory import root_of, sizes_of
from tesselle.dialects.core import memref, vector
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, Value
from tesselle.ir.types import MemRefType

LARGE_BYTES = 32 << 20
"""More than the last level of cache that a few cores have of a common server."""
TILE_BYTES = 128 << 10
"""Of rows that lie well in the L2 cache, with those behind them."""

_LOADS = (memref.LoadOp, vector.LoadOp, vector.MaskedLoadOp, vector.GatherOp, memref.CopyOp)


def is_large(root: Value) -> bool:
    """Whether `root` is a binding that the caches do not hold."""
    t = root.type
    return isinstance(root, BlockArgument) and isinstance(t, MemRefType) and _bytes(t) >= LARGE_BYTES


def _bytes(t: MemRefType) -> int:
    """Of all elements; 0 where that is not known."""
    return math.prod(t.static_shape) * t.dtype.size_bytes if t.is_static else 0


def stream(function: FuncOp) -> str:
    """Let stores of whole vectors to large results bypass the caches, and prefetch rows that are read several times.

    What was done, in words that go on after what else is said of the kernel.
    """
    loads = [op for op in function.walk() if isinstance(op, _LOADS)]
    stores = [op for op in function.walk() if isinstance(op, vector.StoreOp)]
    prefetched = _prefetch_next_rows([op for op in loads if isinstance(op, vector.LoadOp)], stores)
    read = {root_of(op.operands[0]) for op in loads}
    large = [op for op in stores if is_large(root_of(op.memref)) and root_of(op.memref) not in read]
    loops = {op.parent for op in large}
    bypass = bool(large) and (prefetched or all(op.parent in loops for op in loads if isinstance(op, vector.LoadOp)))
    for op in large if bypass else ():
        op.nontemporal = True
    return "; the next rows are prefetched" * prefetched + "; results are stored past the caches" * bypass


def _prefetch_next_rows(loads: Sequence[vector.LoadOp], stores: Sequence[vector.StoreOp]) -> bool:
    """In the first loops that store what they make of a row, prefetch the rows behind those that loops before them have
    read; whether there are any.
    """
    storing = {op.parent for op in stores}
    views: dict[Value, Block | None] = {}
    sources: dict[Value, Value] = {}
    for op in loads:
        for view, block in views.items():
            source = sources.get(view, op.memref)
            fits = memref_type(op.memref).shape == memref_type(view).shape and source is op.memref
            if fits and op.parent in storing and op.parent is not block and _is_visible(view, op):
                sources[view] = source
                b = Builder.after_op(op)
                first, *rest = op.indices
                ahead = ix.as_value(b, ix.add(b, first, sizes_of(b, view)[0]))
                b.insert(memref.PrefetchOp(view, [ahead, *rest]))
        if op.memref not in views and is_large(root_of(op.memref)) and _is_of_whole_rows(op.memref):
            views[op.memref] = op.parent
    return bool(sources)


def _is_visible(value: Value, op: Op) -> bool:
    """Whether `value`, which stands before `op`, stands in a block around it."""
    home = value.defining_op.parent if value.defining_op is not None else None
    at: Op | None = op
    while at is not None and at.parent is not home:
        at = at.parent_op
    return at is not None


def _is_of_whole_rows(view: Value) -> bool:
    """Whether `view` is of few rows, and those behind them begin where it ends."""
    t, whole = memref_type(view), memref_type(root_of(view))
    source = view.defining_op
    if source is None or not 1 <= t.rank <= 2 or whole.rank < 2:
        return False
    row = whole.static_shape[-1]
    rows = ix.upper_bound(sizes_of(Builder.after_op(source), view)[0]) if t.rank == 2 else 1
    dense = t.shape[-1] == row and (t.strides is None or t.strides == (row, 1)[-t.rank :])
    return dense and rows is not None and rows * row * t.dtype.size_bytes <= TILE_BYTES
