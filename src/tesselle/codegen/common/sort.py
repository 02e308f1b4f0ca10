"""linalg.sort: a stable merge sort of each line along the axis.

A line is copied to local memory, runs of a few elements are sorted by insertion, and runs are merged, from one
buffer to the other and back, until one is left. The merge's inner loop has no unpredictable branch: a comparison
selects the element and advances one of two positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.grid import Grid
from tesselle.codegen.common.loops import for_loop, if_then
from tesselle.codegen.common.prepare import local_buffer, normalise
from tesselle.codegen.common.sizes import buffer_sizes
from tesselle.codegen.common.sort_keys import Comparator, take_apart
from tesselle.codegen.common.strategy import KernelFunction, Phase, Plan, TargetShape
from tesselle.codegen.common.vectorize import vectorize
from tesselle.dialects.core import arith, memref, scf
from tesselle.dialects.core.arith import CmpIPredicate
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.linalg.ops import SortOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.ir.types import MemRefType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I1, INDEX

RUN = 8
"""Elements that are sorted by insertion."""
CHUNK_BYTES = 24 * 1024 * 1024
"""Longer lines, or those of unknown length, are sorted in chunks, each merged with what is sorted already."""
WORKGROUP_COMPARISONS = 4096


@dataclass
class SortPlan:
    kernel: KernelFunction
    target: TargetShape
    grid: Grid | None = None

    def phases(self) -> Sequence[Phase]:
        return (
            ("prepare", lambda: normalise(self.kernel)),
            ("tile", self.tile),
            ("vectorize", lambda: vectorize(self.kernel, self.target)),
        )

    def explain(self) -> str:
        return f"stable merges of runs of {RUN} that insertion has sorted, in local memory; workgroups share out lines"

    def tile(self) -> None:
        """A loop over the workgroup's lines, each sorted through local memory."""
        op = next(o for o in self.kernel.function.entry if isinstance(o, SortOp))
        stores = {s.source: s.dest for s in self.kernel.function.entry if isinstance(s, MaterializeInDestinationOp)}
        b = Builder.before_op(self.kernel.function.entry.terminator)
        inputs = [local_buffer(self.kernel, b, v) for v in op.inputs]
        sizes = buffer_sizes(self.kernel, b, inputs[0])
        count = sizes[op.axis]
        known = ix.known(count)
        comparator = take_apart(op)
        elements = [memref_type(v).dtype for v in inputs]
        most = CHUNK_BYTES // sum(t.size_bytes for t in (*elements, *comparator.key_types))
        capacity = max(1, most if known is None else min(known, most))
        results = [stores.get(r) for r in op.results]
        if None in results and known != capacity:
            raise Unsupported("a long sort of which not all results are used", op.location, "codegen.linalg.sort")
        outer, inner = ix.product(b, sizes[: op.axis]), ix.product(b, sizes[op.axis + 1 :])
        lines = ix.mul(b, outer, inner)
        per_workgroup = max(1, WORKGROUP_COMPARISONS // (capacity * capacity.bit_length()))
        shape = [outer, count, inner]
        whole_inputs = [memory.reinterpret(b, v, shape) for v in inputs]
        whole_outputs = [memory.reinterpret(b, d, shape) if d is not None else None for d in results]
        top = Builder(self.kernel.function.entry, self.kernel.function.entry.first, op.location)
        types = [MemRefType((capacity,), t) for t in (*elements, *comparator.key_types)]
        front = [top.insert(memref.AllocaOp(t)).result for t in types]
        back = [top.insert(memref.AllocaOp(t)).result for t in types]
        first = ix.mul(b, self.kernel.workgroup_ids[0], per_workgroup)
        last = ix.minimum(b, ix.add(b, first, per_workgroup), lines)

        def line(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            at = [ix.floordiv(c, i, inner), 0, ix.remainder(c, i, inner)]

            def view(buffer: Value) -> Value:
                return memory.subview(c, buffer, at, [1, count, 1], keep=[1])

            sources = [view(v) for v in whole_inputs]
            dests = [view(v) if v is not None else None for v in whole_outputs]

            def chunk(d: Builder, start: Value, _: list[Value]) -> Sequence[Value]:
                size = ix.minimum(d, capacity, ix.sub(d, count, start))
                sorter = _Sorter(comparator, size, front, back)
                parts = [memory.subview(d, source, [start], [size]) for source in sources]
                places = [memory.subview(d, buffer, [0], [size]) for buffer in front]
                for part, place in zip(parts, places, strict=False):
                    generics.copy(d, part, place)
                if comparator.keys:
                    comparator.emit_keys(d, parts, places[len(parts) :])
                sorter.emit(d)
                if known == capacity:
                    for buffer, dest in zip(front, dests, strict=False):
                        if dest is not None:
                            generics.copy(d, memory.subview(d, buffer, [0], [size]), dest)
                else:
                    sorter.merge_into(d, [v for v in dests if v is not None], start)
                return ()

            for_loop(c, 0, count, capacity, (), chunk)
            return ()

        for_loop(b, first, last, 1, (), line)
        for s in [s for s in self.kernel.function.entry if isinstance(s, MaterializeInDestinationOp)]:
            s.erase()
        self.grid = g = Grid(self.kernel)
        g.finish(ix.ceildiv(g.builder, g.size(lines), per_workgroup))
        eliminate_dead_code(self.kernel.function)
        eliminate_common_subexpressions(self.kernel.function)

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        assert self.grid is not None
        return self.grid.build(b, push_constants)


def _compare(b: Builder, predicate: CmpIPredicate, x: Value, y: Value) -> Value:
    return b.insert(arith.CmpIOp(predicate, x, y)).result


@dataclass(frozen=True)
class _Sorter:
    """Sorts the first `count` elements of `front` in place, `back` being as much memory again.

    Both hold, for each operand, its elements, and then the keys.
    """

    comparator: Comparator
    count: ix.Size
    front: Sequence[Value]
    back: Sequence[Value]

    def emit(self, b: Builder) -> None:
        self._insertion(b)
        k = ix.known(self.count)
        if k is not None and k <= RUN:
            return
        count = ix.as_value(b, self.count)

        def there_and_back(c: Builder, width: Value) -> Value:
            double = ix.as_value(c, ix.mul(c, width, 2))
            self._merge_all(c, self.front, self.back, width, double)
            quadruple = ix.as_value(c, ix.mul(c, width, 4))
            self._merge_all(c, self.back, self.front, double, quadruple)
            return quadruple

        _while(b, ix.as_value(b, RUN), lambda c, w: _compare(c, CmpIPredicate.SLT, w, count), there_and_back)

    def merge_into(self, b: Builder, dest: Sequence[Value], start: Value) -> None:
        """Merge what was sorted with the first `start` elements of `dest`, which are sorted, from the last on."""
        one, zero = ix.as_value(b, 1), ix.as_value(b, 0)
        before, after = Block([INDEX, INDEX]), Block([INDEX, INDEX])
        loop = b.insert(
            scf.WhileOp([start, ix.as_value(b, self.count)], [INDEX, INDEX], Region([before]), Region([after]))
        )
        c = Builder.at_end(before, b.location)
        i, j = before.args
        both = (_compare(c, CmpIPredicate.SGT, v, zero) for v in (i, j))
        c.insert(scf.ConditionOp(c.insert(arith.AndIOp(*both)).result, [i, j]))
        d = Builder.at_end(after, b.location)
        i, j = after.args
        above, below = d.insert(arith.SubIOp(i, one)).result, d.insert(arith.SubIOp(j, one)).result
        # The elements of `dest` have no keys at hand.
        left, right = self.load(d, dest, above), self.load(d, self.front[: len(dest)], below)
        take_left = self.comparator.emit(d, right, left)
        chosen = [d.insert(arith.SelectOp(take_left, x, r)).result for x, r in zip(left, right, strict=True)]
        self.store(d, chosen, dest, ix.as_value(d, ix.sub(d, ix.add(d, i, j), 1)))
        following = [
            d.insert(arith.SelectOp(take_left, above, i)).result,
            d.insert(arith.SelectOp(take_left, j, below)).result,
        ]
        d.insert(scf.YieldOp(following))
        _, rest = loop.results
        for buffer, to in zip(self.front, dest, strict=False):
            generics.copy(b, memory.subview(b, buffer, [0], [rest]), memory.subview(b, to, [0], [rest]))

    @staticmethod
    def load(b: Builder, buffers: Sequence[Value], at: Value) -> list[Value]:
        return [b.insert(memref.LoadOp(m, [at])).result for m in buffers]

    @staticmethod
    def store(b: Builder, values: Sequence[Value], buffers: Sequence[Value], at: Value) -> None:
        for v, m in zip(values, buffers, strict=True):
            b.insert(memref.StoreOp(v, m, [at]))

    def _insertion(self, b: Builder) -> None:
        """Sort each run: elements move up until the new one fits."""
        zero, one = ix.as_value(b, 0), ix.as_value(b, 1)

        def run(c: Builder, start: Value, _: list[Value]) -> Sequence[Value]:
            end = ix.minimum(c, ix.add(c, start, RUN), self.count)

            def place(d: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                new = self.load(d, self.front, i)

                def condition(e: Builder, j: Value) -> Value:
                    more = _compare(e, CmpIPredicate.SGT, j, start)
                    before = e.insert(arith.SelectOp(more, e.insert(arith.SubIOp(j, one)).result, zero)).result
                    first = self.comparator.emit(e, new, self.load(e, self.front, before))
                    return e.insert(arith.AndIOp(more, first)).result

                def shift(e: Builder, j: Value) -> Value:
                    before = e.insert(arith.SubIOp(j, one)).result
                    self.store(e, self.load(e, self.front, before), self.front, j)
                    return before

                at = _while(d, i, condition, shift)
                self.store(d, new, self.front, at)
                return ()

            for_loop(c, ix.add(c, start, 1), end, 1, (), place)
            return ()

        for_loop(b, 0, self.count, RUN, (), run)

    def _merge_all(
        self, b: Builder, source: Sequence[Value], dest: Sequence[Value], width: Value, double: Value
    ) -> None:
        """Merge neighbouring runs of `width` elements from `source` to `dest`."""

        def pair(c: Builder, start: Value) -> None:
            middle = ix.as_value(c, ix.minimum(c, ix.add(c, start, width), self.count))
            end = ix.as_value(c, ix.minimum(c, ix.add(c, start, double), self.count))
            self._merge(c, source, dest, start, middle, end)

        count = ix.as_value(b, self.count)
        block = Block([INDEX])
        b.insert(scf.ForOp(ix.as_value(b, 0), count, double, [], Region([block])))
        inner = Builder.at_end(block, b.location)
        pair(inner, block.args[0])
        inner.insert(scf.YieldOp([]))

    def _merge(
        self, b: Builder, source: Sequence[Value], dest: Sequence[Value], start: Value, middle: Value, end: Value
    ) -> None:
        """Two neighbouring runs into one; of equal elements the left one goes first."""
        one = ix.as_value(b, 1)
        before, after = Block([INDEX, INDEX]), Block([INDEX, INDEX])
        loop = b.insert(scf.WhileOp([start, middle], [INDEX, INDEX], Region([before]), Region([after])))
        c = Builder.at_end(before, b.location)
        i, j = before.args
        both = c.insert(
            arith.AndIOp(_compare(c, CmpIPredicate.SLT, i, middle), _compare(c, CmpIPredicate.SLT, j, end))
        ).result
        c.insert(scf.ConditionOp(both, [i, j]))
        d = Builder.at_end(after, b.location)
        i, j = after.args
        left, right = self.load(d, source, i), self.load(d, source, j)
        take_right = self.comparator.emit(d, right, left)
        chosen = [d.insert(arith.SelectOp(take_right, r, x)).result for x, r in zip(left, right, strict=True)]
        # Taken so far from both runs: i - start + j - middle.
        at = ix.as_value(d, ix.sub(d, ix.add(d, i, j), middle))
        self.store(d, chosen, dest, at)
        step = d.insert(arith.IndexCastUIOp(take_right, INDEX)).result
        stay = d.insert(arith.SubIOp(one, step)).result
        d.insert(scf.YieldOp([d.insert(arith.AddIOp(i, stay)).result, d.insert(arith.AddIOp(j, step)).result]))
        i, j = loop.results
        # One of the two has a rest.
        at = ix.as_value(b, ix.sub(b, ix.add(b, i, j), middle))
        self._copy_rest(b, source, dest, i, middle, at)
        self._copy_rest(b, source, dest, j, end, at)

    def _copy_rest(
        self, b: Builder, source: Sequence[Value], dest: Sequence[Value], first: Value, last: Value, to: Value
    ) -> None:
        def copy(c: Builder) -> None:
            size = ix.sub(c, last, first)
            for s, d in zip(source, dest, strict=True):
                generics.copy(c, memory.subview(c, s, [first], [size]), memory.subview(c, d, [to], [size]))

        if_then(b, _compare(b, CmpIPredicate.SLT, first, last), copy)


def _while(
    b: Builder, start: Value, condition: Callable[[Builder, Value], Value], step: Callable[[Builder, Value], Value]
) -> Value:
    """while (condition(i)) i = step(i); returns the last i."""
    before, after = Block([INDEX]), Block([INDEX])
    loop = b.insert(scf.WhileOp([start], [INDEX], Region([before]), Region([after])))
    c = Builder.at_end(before, b.location)
    test = condition(c, before.args[0])
    assert test.type == I1
    c.insert(scf.ConditionOp(test, [before.args[0]]))
    d = Builder.at_end(after, b.location)
    d.insert(scf.YieldOp([step(d, after.args[0])]))
    return loop.results[0]


@dataclass(frozen=True)
class SortStrategy:
    """Takes dispatches with a linalg.sort."""

    name: str = "sort"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        found = [op for op in kernel.function.entry if isinstance(op, SortOp)]
        return SortPlan(kernel, target) if len(found) == 1 else None
