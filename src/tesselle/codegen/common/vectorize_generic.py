"""One linalg.generic on memrefs becomes a loop nest on vectors.

Four schemes, chosen by where the vector dimension `v` lies:

- parallel: no reduction; the innermost loop runs along v, the contiguous dimension of the output.
- along: v is a reduction dimension; vector accumulators (several, to hide latency), combined at the end in a fixed
order.
- columns: v is parallel and the reduction is long; rows are streamed, the outputs in cache are the accumulators.
- window: v is parallel and the reduction is short; accumulators stay in registers.

Tails are masked where the target has masks for all element types of the nest, else they are scalar loops of less
than one vector's length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.accesses import Access, Along, Counters
from tesselle.codegen.common.combiners import Combiner, Monoid, extract_lane, match_combiners, match_monoid
from tesselle.codegen.common.generics import PARALLEL
from tesselle.codegen.common.loops import for_loop, if_positive, nest
from tesselle.codegen.common.memory import sizes_of
from tesselle.codegen.common.strategy import TargetShape
from tesselle.codegen.common.transposed import MAX_LANES, emit_transposed, transposed_dim
from tesselle.codegen.common.vector_body import (
    BodyVectorizer,
    Lane,
    Linear,
    as_scalar,
    as_vector,
    can_vectorize,
)
from tesselle.codegen.common.vector_choice import choose_dim, lane_count, tail_pieces
from tesselle.dialects.core import arith, memref, vector
from tesselle.dialects.linalg.ops import GenericOp, IndexOp, IteratorType, loop_ranges
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.types import DType, MemRefType, VectorType
from tesselle.support.dtypes import I1

LONG_REDUCTION = 64
"""From this many steps on a reduction over rows streams them."""
COLUMN_STRIP_BYTES = 8 * 1024
"""How much of each output stays in the L1 cache while rows are streamed over it."""
ROWS_AT_ONCE = 4


Step = Callable[[Builder, ix.Size, list[Value], int, int | None, Value | None], Sequence[Value]]
"""(builder, counter, iteration values, vectors, lanes, mask) -> next iteration values; see `LoopNest.sweep`."""


@dataclass
class LoopNest:
    """A generic on memrefs, ready to be emitted: sizes, accesses, the vector dimension and its lanes."""

    op: GenericOp
    target: TargetShape
    sizes: list[ix.Size]
    inputs: list[Access | Value]
    outputs: list[Access]
    dim: int
    lanes: int | None
    masked_tail: bool

    # ------------------------------------------------------------------------------------------ what the body needs

    @property
    def block(self) -> Block:
        return self.op.body.block

    @property
    def accumulators(self) -> Sequence[Value]:
        return self.block.args[len(self.inputs) :]

    @property
    def extent(self) -> ix.Size:
        """The size of the vector loop; one when there is none."""
        return self.sizes[self.dim] if self.dim >= 0 else 1

    def reads_output(self, k: int) -> bool:
        return bool(self.accumulators[k].uses)

    def dims(self, kind: IteratorType) -> list[int]:
        return [d for d, t in enumerate(self.op.iterator_types) if t is kind and d != self.dim]

    def ranges(self, dims: Sequence[int]) -> list[tuple[int, ix.Size, ix.Size]]:
        return [(d, 0, self.sizes[d]) for d in dims]

    # ------------------------------------------------------------------------------------------ evaluation

    def hoisted(self, b: Builder, counters: Counters) -> dict[Value, Lane]:
        """Everything in the body that does not change along v, computed at `b` (without v's counter)."""
        known: dict[Value, Lane] = {}
        for arg, access in zip(self.block.args, self.inputs, strict=False):
            if isinstance(access, Value):
                known[arg] = access
            elif arg.uses and access.along(self.dim) is Along.UNIFORM:
                known[arg] = access.load_scalar(b, counters)
        for op in self.block:
            if op is self.block.last:
                break
            if isinstance(op, IndexOp):
                if op.dim != self.dim:
                    known[op.result] = ix.as_value(b, counters[op.dim])
            elif all(v in known or not self._is_inside(v) for v in op.operands):
                mapping = {v: as_scalar(known[v]) for v in op.operands if v in known}
                known[op.result] = b.insert(op.clone(mapping)).result
        return known

    def _varying(self) -> list[Op]:
        """The operations of the body that each vector needs: not what `hoisted` computes once for all of them."""
        uniform: set[Value] = {
            arg
            for arg, access in zip(self.block.args, self.inputs, strict=False)
            if isinstance(access, Value) or access.along(self.dim) is Along.UNIFORM
        }
        found: list[Op] = []
        for op in self.block:
            same = (
                op.dim != self.dim
                if isinstance(op, IndexOp)
                else all(v in uniform or not self._is_inside(v) for v in op.operands)
            )
            if same and op is not self.block.last:
                uniform.update(op.results)
            else:
                found.append(op)
        return found

    def _is_inside(self, value: Value) -> bool:
        return self.op.body.is_ancestor_of(value.parent_region)

    def vectorizer(
        self,
        b: Builder,
        counters: Counters,
        lanes: int | None,
        mask: Value | None = None,
        uniform: Builder | None = None,
    ) -> BodyVectorizer:
        def index_of(d: int) -> Lane:
            value = ix.as_value(b, counters[d])
            return Linear(value) if d == self.dim and lanes is not None else value

        return BodyVectorizer(b, uniform or b, index_of, lanes, mask)

    def arguments(self, v: BodyVectorizer, counters: Counters, known: dict[Value, Lane]) -> list[Lane]:
        """Lane values of the inputs; those that the body does not use are left as any scalar."""
        lanes: list[Lane] = []
        for arg, access in zip(self.block.args, self.inputs, strict=False):
            if arg in known:
                lanes.append(known[arg])
            elif isinstance(access, Value):
                lanes.append(access)
            else:
                lanes.append(access.load(v, self.dim, counters) if arg.uses else arg)
        return lanes

    def body(
        self, v: BodyVectorizer, args: Sequence[Lane], accs: Sequence[Lane], known: dict[Value, Lane]
    ) -> list[Lane]:
        return v.block(self.block, [*args, *accs], dict(known))

    # ------------------------------------------------------------------------------------------ along v

    def unroll(self, limit: int = 4) -> int:
        """Vectors per iteration: more for short bodies, and never more than v has."""
        varying = self._varying()
        count = len(varying)
        heavy = any(op.dialect == "math" for op in varying)
        wish = 1 if heavy or count > 24 else 2 if count > 10 else limit
        size = ix.known(self.extent)
        if size is not None and self.lanes is not None:
            wish = max(1, min(wish, size // self.lanes))
        return wish

    def sweep(
        self,
        b: Builder,
        lower: ix.Size,
        upper: ix.Size,
        unroll: int,
        inits: Sequence[Value],
        step: Step,
        narrow: bool = True,
    ) -> list[Value]:
        """Run along v: `step(b, counter, values, vectors, lanes, mask)` for whole groups, single vectors, and the tail.

        The tail is masked (`mask` is set), or cut into vectors of fewer lanes where `step` takes them (`narrow`), or
        scalar (`lanes` is None).
        """
        lanes = self.lanes
        if lanes is None:
            return for_loop(b, lower, upper, 1, inits, lambda c, i, x: step(c, i, x, 1, None, None))
        size = ix.sub(b, upper, lower)
        values = list(inits)
        start = lower
        for vectors in (unroll, 1) if unroll > 1 else (1,):
            width = vectors * lanes
            whole = ix.round_down(b, size, width)
            end = ix.add(b, lower, whole)
            values = for_loop(b, start, end, width, values, lambda c, i, x, n=vectors: step(c, i, x, n, lanes, None))
            start = end
        rest = ix.known(ix.sub(b, upper, start))
        if rest == 0:
            return values
        pieces = tail_pieces(rest, lanes, self.masked_tail) if narrow else None
        for width, count in pieces or ():
            span = ix.sub(b, upper, start)
            whole = ix.round_down(b, span, width) if count is None else count * width
            end = ix.add(b, start, whole)
            values = for_loop(b, start, end, width, values, lambda c, i, x, n=width: step(c, i, x, 1, n, None))
            start = end
        if not self.masked_tail or pieces is not None:
            return for_loop(b, start, upper, 1, values, lambda c, i, x: step(c, i, x, 1, None, None))

        def tail(c: Builder, i: Value, x: list[Value]) -> Sequence[Value]:
            count = ix.as_value(c, ix.sub(c, upper, i))
            mask = c.insert(vector.CreateMaskOp(count, VectorType((lanes,), I1))).result
            return step(c, i, x, 1, lanes, mask)

        return for_loop(b, start, upper, lanes, values, tail)

    # ------------------------------------------------------------------------------------------ schemes

    def emit_parallel(self, b: Builder) -> None:
        """for others: for v: outs = body(ins)."""

        def row(c: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            self.emit_row(c, counters, 0, self.extent)
            return ()

        nest(b, self.ranges(self.dims(IteratorType.PARALLEL)), {}, (), row)

    def emit_row(self, b: Builder, counters: Counters, lower: ix.Size, upper: ix.Size) -> None:
        """outs = body(ins) for v in [lower, upper), without reductions."""

        def run(c: Builder) -> None:
            known = self.hoisted(c, counters)

            def step(
                d: Builder, i: ix.Size, _: list[Value], vectors: int, lanes: int | None, mask: Value | None
            ) -> Sequence[Value]:
                places = [{**counters, self.dim: ix.add(d, i, n * (lanes or 1))} for n in range(vectors)]
                vs = [self.vectorizer(d, at, lanes, mask) for at in places]
                args = [self.arguments(v, at, known) for v, at in zip(vs, places, strict=True)]
                accs = [self.load_outputs(v, at) for v, at in zip(vs, places, strict=True)]
                results = [self.body(v, a, o, known) for v, a, o in zip(vs, args, accs, strict=True)]
                for v, at, values in zip(vs, places, results, strict=True):
                    self.store_outputs(v, at, values)
                return ()

            self.sweep(c, lower, upper, self.unroll(2), (), step)

        if_positive(b, ix.sub(b, upper, lower), run)

    def load_outputs(self, v: BodyVectorizer, counters: Counters) -> list[Lane]:
        return [
            a.load(v, self.dim, counters) if self.reads_output(k) else self.accumulators[k]
            for k, a in enumerate(self.outputs)
        ]

    def store_outputs(self, v: BodyVectorizer, counters: Counters, values: Sequence[Lane]) -> None:
        for access, value in zip(self.outputs, values, strict=True):
            access.store(v, self.dim, counters, value)

    def emit_columns(self, b: Builder) -> None:
        """for others: for strips of v: for rows: outs[strip] = body(row[strip], outs[strip])."""
        lanes = self.lanes or 1
        widest = max(a.dtype.size_bytes for a in self.outputs)
        strip = max(lanes, COLUMN_STRIP_BYTES // widest)
        *outer, row = self.dims(IteratorType.REDUCTION)
        size = self.extent

        def rows(b: Builder, counters: Counters, first: ix.Size, count: int, lower: ix.Size, upper: ix.Size) -> None:
            places = [{**counters, row: ix.add(b, first, n)} for n in range(count)]
            known = [self.hoisted(b, at) for at in places]

            def step(
                d: Builder, i: ix.Size, _: list[Value], vectors: int, lanes: int | None, mask: Value | None
            ) -> Sequence[Value]:
                at = {**counters, self.dim: ix.add(d, i, 0)}
                v = self.vectorizer(d, {**at, row: first}, lanes, mask)
                accs = self.load_outputs(v, at)
                args = [self.arguments(v, {**p, self.dim: at[self.dim]}, k) for p, k in zip(places, known, strict=True)]
                for p, a, k in zip(places, args, known, strict=True):
                    here = self.vectorizer(d, {**p, self.dim: at[self.dim]}, lanes, mask)
                    accs = self.body(here, a, accs, k)
                self.store_outputs(v, at, accs)
                return ()

            self.sweep(b, lower, upper, 1, (), step)

        def over_strip(b: Builder, counters: Counters, lower: ix.Size, upper: ix.Size) -> None:
            def inner(c: Builder, at: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
                n = self.sizes[row]
                whole = ix.round_down(c, n, ROWS_AT_ONCE)

                def group(d: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                    rows(d, at, i, ROWS_AT_ONCE, lower, upper)
                    return ()

                def single(d: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                    rows(d, at, i, 1, lower, upper)
                    return ()

                for_loop(c, 0, whole, ROWS_AT_ONCE, (), group)
                for_loop(c, whole, n, 1, (), single)
                return ()

            nest(b, self.ranges(outer), dict(counters), (), inner)

        def position(b: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            def at_strip(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                over_strip(c, counters, i, ix.minimum(c, ix.add(c, i, strip), size))
                return ()

            for_loop(b, 0, size, strip, (), at_strip)
            return ()

        nest(b, self.ranges(self.dims(IteratorType.PARALLEL)), {}, (), position)

    def emit_window(self, b: Builder) -> None:
        """for others: for v: accs = outs; for the reduction: accs = body(ins, accs); outs = accs."""
        reductions = self.ranges(self.dims(IteratorType.REDUCTION))

        def position(b: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            def step(
                d: Builder, i: ix.Size, _: list[Value], vectors: int, lanes: int | None, mask: Value | None
            ) -> Sequence[Value]:
                places = [{**counters, self.dim: ix.add(d, i, n * (lanes or 1))} for n in range(vectors)]
                inits: list[Value] = []
                for at in places:
                    v = self.vectorizer(d, at, lanes, mask)
                    loaded = [a.load(v, self.dim, at) for a in self.outputs]
                    inits.extend(as_scalar(x) if lanes is None else as_vector(d, x, lanes) for x in loaded)

                def inner(e: Builder, c: dict[int, ix.Size], accs: list[Value]) -> Sequence[Value]:
                    known = self.hoisted(e, c)
                    results: list[Value] = []
                    per = len(self.outputs)
                    for n, at in enumerate(places):
                        here = {**c, self.dim: at[self.dim]}
                        v = self.vectorizer(e, here, lanes, mask)
                        out = self.body(v, self.arguments(v, here, known), accs[n * per : (n + 1) * per], known)
                        results.extend(as_scalar(x) if lanes is None else as_vector(e, x, lanes) for x in out)
                    return results

                accs = nest(d, reductions, dict(counters), inits, inner)
                per = len(self.outputs)
                for n, at in enumerate(places):
                    v = self.vectorizer(d, at, lanes, mask)
                    self.store_outputs(v, at, accs[n * per : (n + 1) * per])
                return ()

            self.sweep(b, 0, self.extent, self.unroll(), (), step)
            return ()

        nest(b, self.ranges(self.dims(IteratorType.PARALLEL)), {}, (), position)

    def emit_along(self, b: Builder, combiners: Sequence[Combiner]) -> None:
        """for others: accs = neutral; for the reduction, innermost v: accs[lane] = combine; outs = combine(outs,
        accs).
        """
        outer = self.ranges(self.dims(IteratorType.REDUCTION))
        unroll = self.unroll()
        count = len(combiners)

        def position(b: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            assert self.lanes is not None
            inits = [c.start(b, self.lanes) for _ in range(unroll) for c in combiners]
            scalars = [] if self.masked_tail else [c.start(b, None) for c in combiners]

            def row(c: Builder, at: dict[int, ix.Size], accs: list[Value]) -> Sequence[Value]:
                known = self.hoisted(c, at)

                def step(
                    d: Builder, i: ix.Size, x: list[Value], vectors: int, lanes: int | None, mask: Value | None
                ) -> Sequence[Value]:
                    out = list(x)
                    places = [{**at, self.dim: ix.add(d, i, n * (lanes or 1))} for n in range(vectors)]
                    vs = [self.vectorizer(d, p, lanes, mask) for p in places]
                    args = [self.arguments(v, p, known) for v, p in zip(vs, places, strict=True)]
                    for n, (v, a) in enumerate(zip(vs, args, strict=True)):
                        first = unroll * count if lanes is None else n * count
                        self._accumulate(v, a, known, combiners, out, first)
                    return out

                return self.sweep(c, 0, self.extent, unroll, accs, step, narrow=False)

            accs = nest(b, outer, counters, [*inits, *scalars], row)
            v = self.vectorizer(b, counters, None)
            for k, (c, access) in enumerate(zip(combiners, self.outputs, strict=True)):
                parts = [accs[n * count + k] for n in range(unroll)]
                while len(parts) > 1:
                    pairs = [c.merge(b, x, y) for x, y in zip(parts[::2], parts[1::2], strict=False)]
                    parts = pairs + parts[len(pairs) * 2 :]
                total = c.across_lanes(b, parts[0])
                if scalars:
                    total = c.merge(b, total, accs[unroll * count + k])
                initial = access.load_scalar(b, counters)
                access.store(v, self.dim, counters, c.merge(b, initial, total))
            return ()

        nest(b, self.ranges(self.dims(IteratorType.PARALLEL)), {}, (), position)

    def _accumulate(
        self,
        v: BodyVectorizer,
        args: Sequence[Lane],
        known: dict[Value, Lane],
        combiners: Sequence[Combiner],
        accs: list[Value],
        first: int,
    ) -> None:
        """accs[first + k] = combine(accs[first + k], terms of output k)."""
        values = dict(known)
        values.update(zip(self.block.args, args, strict=False))
        roots = {c.op for c in combiners}
        for op in self.block:
            if op is self.block.last:
                break
            if op not in roots and any(r not in values for r in op.results):
                values[op.result] = v.evaluate(op, values)
        for k, c in enumerate(combiners):
            terms: list[Value] = []
            for position, operand in enumerate(c.op.operands):
                if position == c.position:
                    continue
                lane = values.get(operand, operand)
                terms.append(as_scalar(lane) if v.lanes is None else as_vector(v.b, lane, v.lanes))
            acc = accs[first + k]
            combined = c.apply(v.b, acc, terms)
            if v.mask is not None:
                combined = v.b.insert(arith.SelectOp(v.mask, combined, acc)).result
            accs[first + k] = combined

    def emit_monoid(self, b: Builder, monoid: Monoid) -> None:
        """Like `along` for a body taken as a whole: one accumulator tuple per lane, the lanes combined in order at
        the end.

        Every lane starts from the initial value, which is neutral.
        """
        outer = self.ranges(self.dims(IteratorType.REDUCTION))

        def position(b: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
            assert self.lanes is not None
            lanes = self.lanes
            start = [a.load_scalar(b, counters) for a in self.outputs]
            inits = [as_vector(b, s, lanes) for s in start]
            scalars = [] if self.masked_tail else start
            count = len(inits)

            def row(c: Builder, at: dict[int, ix.Size], accs: list[Value]) -> Sequence[Value]:
                known = self.hoisted(c, at)

                def step(
                    d: Builder, i: ix.Size, x: list[Value], vectors: int, lanes: int | None, mask: Value | None
                ) -> Sequence[Value]:
                    here = {**at, self.dim: i}
                    v = self.vectorizer(d, here, lanes, mask)
                    group = slice(count, 2 * count) if lanes is None else slice(0, count)
                    old = x[group]
                    new = self.body(v, self.arguments(v, here, known), old, known)
                    if lanes is None:
                        new = [as_scalar(n) for n in new]
                    else:
                        new = [as_vector(d, n, lanes) for n in new]
                    if mask is not None:
                        new = [d.insert(arith.SelectOp(mask, n, o)).result for n, o in zip(new, old, strict=True)]
                    out = list(x)
                    out[group] = new
                    return out

                return self.sweep(c, 0, self.extent, 1, accs, step, narrow=False)

            accs = nest(b, outer, counters, [*inits, *scalars], row)
            v = self.vectorizer(b, counters, None)
            total: list[Lane] = [extract_lane(b, a, 0) for a in accs[:count]]
            for lane in range(1, lanes):
                total = monoid.merge(v, total, [extract_lane(b, a, lane) for a in accs[:count]])
            if scalars:
                total = monoid.merge(v, total, accs[count:])
            self.store_outputs(v, counters, total)
            return ()

        nest(b, self.ranges(self.dims(IteratorType.PARALLEL)), {}, (), position)


# ---------------------------------------------------------------------------------------------- choices


def make_nest(
    b: Builder, op: GenericOp, target: TargetShape, dim: int | None = None, lanes: int | None = None
) -> LoopNest:
    """Analyse `op`; `dim` overrides the choice of the vector dimension."""
    sizes: list[ix.Size] = []
    for operand, axis in loop_ranges(op):
        sizes.append(sizes_of(b, op.operands[operand])[axis])
    inputs: list[Access | Value] = []
    for v, m in zip(op.inputs, op.input_maps, strict=True):
        inputs.append(Access.of(b, v, m) if isinstance(v.type, MemRefType) else v)
    outputs = [Access.of(b, v, m) for v, m in zip(op.outputs, op.output_maps, strict=True)]
    chosen = choose_dim(op, sizes, inputs, outputs) if dim is None else dim
    count = lane_count(op, target) if lanes is None else lanes
    extent = ix.known(sizes[chosen]) if chosen >= 0 else None
    if extent is not None and 1 < extent < count:
        # Short rows: no more lanes than elements, so that nothing is masked; a reduction masks the last of few.
        shorter = 1 << (extent.bit_length() - 1)
        count = shorter if op.iterator_types[chosen] is PARALLEL or shorter == extent else shorter * 2
    if chosen < 0 or not can_vectorize(op.body.block) or count == 1:
        return LoopNest(op, target, sizes, inputs, outputs, chosen, None, False)
    used = [a for a, arg in zip(inputs, op.body.block.args, strict=False) if isinstance(a, Access) and arg.uses]
    moving = [a for a in (*used, *outputs) if a.along(chosen) is not Along.UNIFORM]
    gathers = [inner for inner in op.body.block if isinstance(inner, memref.LoadOp)]
    masked = all(target.has_masks(a.dtype) and not a.needs_lanes(chosen) for a in moving)
    masked = masked and all(a.along(chosen) in (Along.CONTIGUOUS, Along.UNIFORM) for a in outputs)
    masked = masked and all(target.has_masks(g.result.type) for g in gathers if isinstance(g.result.type, DType))
    return LoopNest(op, target, sizes, inputs, outputs, chosen, count, masked)


def lower_generic(op: GenericOp, target: TargetShape) -> None:
    """Replace a generic on memrefs by loops."""
    b = Builder.before_op(op)
    n = make_nest(b, op, target)
    if n.lanes is not None and n.lanes > MAX_LANES and transposed_dim(n) is not None:
        n = make_nest(b, op, target, lanes=MAX_LANES)
    _emit(b, n, target)
    op.erase()


def _emit(b: Builder, n: LoopNest, target: TargetShape) -> None:
    op = n.op
    reductions = [d for d in op.reduction_dims if ix.known(n.sizes[d]) != 1]
    if not op.reduction_dims:
        u = transposed_dim(n)
        if u is None:
            n.emit_parallel(b)
        else:
            emit_transposed(n, b, u)
    elif n.dim >= 0 and op.iterator_types[n.dim] is IteratorType.REDUCTION and n.lanes is not None:
        combiners = match_combiners(op.body.block, len(n.outputs))
        monoid = None if combiners is not None else match_monoid(op.body.block, len(n.outputs))
        if combiners is not None:
            n.emit_along(b, combiners)
        elif monoid is not None:
            n.emit_monoid(b, monoid)
        else:
            _emit_other_dim(b, n, target)
    elif n.dim >= 0 and op.iterator_types[n.dim] is IteratorType.REDUCTION:
        # Scalars: the vector loop must be a parallel one for the schemes below.
        n.dim = -1
        n.emit_window(b)
    elif _is_long(n, reductions):
        n.emit_columns(b)
    else:
        n.emit_window(b)


def _is_long(n: LoopNest, reductions: Sequence[int]) -> bool:
    """Whether rows are better streamed than strips kept in registers."""
    if not reductions or n.lanes is None:
        return False
    total = 1
    for d in reductions:
        size = ix.known(n.sizes[d])
        total = LONG_REDUCTION if size is None else total * size
    width = ix.known(n.sizes[n.dim])
    short_rows = width is not None and width <= 4 * n.lanes
    return total >= LONG_REDUCTION and not short_rows


def _emit_other_dim(b: Builder, n: LoopNest, target: TargetShape) -> None:
    """A body that is no known reduction: vectorise over a parallel dimension, or not at all."""
    parallel = [d for d in n.op.parallel_dims if ix.known(n.sizes[d]) != 1]
    block_ops: list[Op] = list(n.op.body.block)
    if parallel and can_vectorize(n.op.body.block) and block_ops:
        make_nest(b, n.op, target, dim=parallel[-1]).emit_window(b)
    else:
        scalar = make_nest(b, n.op, target)
        scalar.dim, scalar.lanes = -1, None
        scalar.emit_window(b)
