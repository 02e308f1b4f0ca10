"""linalg.scatter: serial over the updates, vectorised over their windows, in place.

Updates may meet in one place, so that their order is kept: a workgroup goes through all of them. Workgroups share
the work by taking different parts of every window, which never meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.grid import Grid
from tesselle.codegen.common.loops import if_then, nest
from tesselle.codegen.common.prepare import buffer_of, local_buffer, normalise
from tesselle.codegen.common.sizes import buffer_sizes
from tesselle.codegen.common.strategy import KernelFunction, Phase, Plan, TargetShape
from tesselle.codegen.common.vectorize import vectorize
from tesselle.dialects.core import arith, memref
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.linalg.ops import GenericOp, ScatterOp, YieldOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.ir.types import DType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import INDEX

WINDOW_PART = 2048
"""Elements of the last window dimension that one workgroup takes."""


@dataclass
class ScatterPlan:
    kernel: KernelFunction
    target: TargetShape
    op: ScatterOp
    columns: ix.Size | None = None
    grid: Grid | None = None

    def phases(self) -> Sequence[Phase]:
        return (
            ("prepare", lambda: normalise(self.kernel)),
            ("tile", self.tile),
            ("vectorize", lambda: vectorize(self.kernel, self.target)),
        )

    def explain(self) -> str:
        return (
            f"updates one after the other, as they may meet; workgroups share out windows, {WINDOW_PART} elements of"
            " their last dimension each"
        )

    def tile(self) -> None:
        """The loop over updates; each window is a generic on memory."""
        op = next(o for o in self.kernel.function.entry if isinstance(o, ScatterOp))
        stores = {s.source: s for s in self.kernel.function.entry if isinstance(s, MaterializeInDestinationOp)}
        b = Builder.before_op(self.kernel.function.entry.terminator)
        outs: list[Value] = []
        for result, initial in zip(op.results, op.outputs, strict=True):
            store = stores.get(result)
            if store is None:
                raise Unsupported("a result of a scatter that is not stored", op.location)
            outs.append(store.dest)
            self._initialise(b, initial, store.dest)
        indices = local_buffer(self.kernel, b, op.indices)
        updates = [local_buffer(self.kernel, b, v) for v in op.updates]
        self._loops(b, op, outs, indices, updates)
        for s in stores.values():
            s.erase()
        assert self.columns is not None
        self.grid = g = Grid(self.kernel)
        g.finish(ix.ceildiv(g.builder, g.size(self.columns), WINDOW_PART))
        eliminate_dead_code(self.kernel.function)
        eliminate_common_subexpressions(self.kernel.function)

    def _initialise(self, b: Builder, initial: Value, dest: Value) -> None:
        """Write the initial elements, when they are not there already."""
        source = initial.defining_op
        buffer = buffer_of(initial)
        if buffer is dest:
            return
        if buffer is not None:
            generics.copy(b, buffer, dest)
        elif isinstance(source, GenericOp) and not source.inputs and len(source.outputs) == 1:
            maps, kinds = source.output_maps, source.iterator_types
            b.insert(generics.make_generic([], [dest], maps, kinds, generics.clone_body(source)))
        else:
            raise Unsupported("a scatter into values computed in the same dispatch", self.op.location)
        # Every workgroup would write all of it: only one may run.
        self.columns = 1

    def _loops(
        self, b: Builder, op: ScatterOp, outs: Sequence[Value], indices: Value, updates: Sequence[Value]
    ) -> None:
        index_sizes = buffer_sizes(self.kernel, b, indices)
        update_sizes = buffer_sizes(self.kernel, b, updates[0])
        out_sizes = buffer_sizes(self.kernel, b, outs[0])
        batch = len(index_sizes) - 1
        windows = list(update_sizes[batch:])
        covered = [d for d in range(len(out_sizes)) if d not in op.inserted_dims]
        part: tuple[ix.Size, ix.Size] | None = None
        if windows and self.columns is None:
            self.columns = windows[-1]
            lower = ix.mul(b, self.kernel.workgroup_ids[0], WINDOW_PART)
            part = (lower, ix.minimum(b, WINDOW_PART, ix.sub(b, windows[-1], lower)))
        elif self.columns is None:
            self.columns = 1

        def _extent(d: int) -> ix.Size:
            return windows[covered.index(d)] if d in covered else 1

        def update(c: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            at = [ix.as_value(c, counters[d]) for d in range(batch)]
            start: list[ix.Size] = [0] * len(out_sizes)
            for j, d in enumerate(op.index_dims):
                start[d] = _index(c, indices, [*at, ix.as_value(c, j)])
            fits: Value | None = None
            for d, size in enumerate(out_sizes):
                if d in op.index_dims and _extent(d) == 1:
                    value = ix.as_value(c, start[d])
                    test = c.insert(arith.CmpIOp(arith.CmpIPredicate.ULT, value, ix.as_value(c, size))).result
                    fits = test if fits is None else c.insert(arith.AndIOp(fits, test)).result

            def write(e: Builder) -> None:
                sizes = list(windows)
                begin: list[ix.Size] = [0] * len(windows)
                if part is not None:
                    begin[-1], sizes[-1] = part
                for w, d in enumerate(covered):
                    if d in op.index_dims and _extent(d) != 1:
                        start[d], begin[w], sizes[w] = _crop(e, start[d], begin[w], sizes[w], windows[w], out_sizes[d])
                views = [_window(e, u, [*at, *begin], sizes, batch) for u in updates]
                places = list(start)
                extents: list[ix.Size] = [1] * len(out_sizes)
                for d, o, s in zip(covered, begin, sizes, strict=True):
                    places[d] = ix.add(e, places[d], o)
                    extents[d] = s
                targets = [memory.subview(e, out, places, extents, keep=covered) for out in outs]
                _apply(e, op, views, targets)

            if fits is None:
                write(c)
            else:
                if_then(c, fits, write)
            return ()

        nest(b, [(d, 0, index_sizes[d]) for d in range(batch)], {}, (), update)

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        assert self.grid is not None
        return self.grid.build(b, push_constants)


def _crop(
    b: Builder, start: ix.Size, begin: ix.Size, size: ix.Size, extent: ix.Size, limit: ix.Size
) -> tuple[ix.Size, ix.Size, ix.Size]:
    """The part of elements [begin, begin + size) of a window at `start` that lies in [0, limit): start, begin, size.

    A window that lies outside altogether is first brought next to the limits, so that nothing overflows.
    """
    start = ix.minimum(b, ix.maximum(b, start, ix.sub(b, 0, extent)), limit)
    first = ix.maximum(b, begin, ix.sub(b, 0, start))
    last = ix.minimum(b, ix.add(b, begin, size), ix.sub(b, limit, start))
    return start, first, ix.maximum(b, ix.sub(b, last, first), 0)


def _index(b: Builder, indices: Value, at: Sequence[Value]) -> Value:
    loaded = b.insert(memref.LoadOp(indices, at)).result
    dtype = memref_type(indices).dtype
    if dtype.is_index:
        return loaded
    cast = arith.IndexCastUIOp if dtype.is_unsigned else arith.IndexCastOp
    return b.insert(cast(loaded, INDEX)).result


def _window(b: Builder, buffer: Value, offsets: Sequence[ix.Size], sizes: Sequence[ix.Size], batch: int) -> Value:
    rank = memref_type(buffer).rank
    return memory.subview(b, buffer, offsets, [*[1] * batch, *sizes], keep=range(batch, rank))


def _apply(b: Builder, op: ScatterOp, updates: Sequence[Value], outs: Sequence[Value]) -> None:
    """outs[i] = body(outs[i], updates[i]) over a window: the body takes old elements first, a generic inputs first."""
    source = op.body.block
    count = len(outs)
    types = [t.dtype for t in (memref_type(v) for v in (*updates, *outs))]
    block = Block(types)
    values: dict[Value, Value] = dict(zip(source.args[:count], block.args[count:], strict=True))
    values.update(zip(source.args[count:], block.args[:count], strict=True))
    c = Builder.at_end(block, op.location)
    for inner in source:
        if inner is not source.last:
            c.insert(inner.clone(values))
    c.insert(YieldOp([values.get(v, v) for v in source.terminator.operands]))
    assert all(isinstance(t, DType) for t in types)
    rank = memref_type(outs[0]).rank
    maps = [AffineMap.identity(rank)] * (2 * count)
    b.insert(generics.make_generic(updates, outs, maps, [generics.PARALLEL] * rank, Region([block])))


@dataclass(frozen=True)
class ScatterStrategy:
    """Takes dispatches with a linalg.scatter."""

    name: str = "scatter"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        found = [op for op in kernel.function.entry if isinstance(op, ScatterOp)]
        return ScatterPlan(kernel, target, found[0]) if len(found) == 1 else None
