"""The end of a contraction: initial values, the elementwise stages on vectors of columns, and the stores.

Stages run on accumulators while these are in registers. Where a stage is expensive (gelu, tanh) or a block is cut by
the edge of the result, the accumulators go through a small tile of local memory instead, so that the stage is emitted
once, in a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_layout import ONE, Operand, Segments
from tesselle.codegen.common.contraction_micro import create_mask, load_vector, widened
from tesselle.codegen.common.contraction_problem import Problem, Scalar, Stage
from tesselle.codegen.common.loops import for_loop, if_then
from tesselle.codegen.common.memory import reinterpret
from tesselle.codegen.common.packing import Source, lane_offsets, load_lanes
from tesselle.codegen.common.vector_body import BodyVectorizer, Lane, Linear, as_vector
from tesselle.dialects.core import arith, memref, vector
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType, VectorType
from tesselle.support.dtypes import INDEX

INLINE_WEIGHT = 12
"""Stages of at most this many operations are repeated for each accumulator; heavier ones run in a loop."""


@dataclass
class Access:
    """An operand of the epilogue inside one workgroup: flat memory, offset of the batch, movement along rows and
    columns.
    """

    flat: Value
    dtype: DType
    base: ix.Size
    rows: Segments
    columns: Segments

    @property
    def is_uniform_along_rows(self) -> bool:
        return all(stride.known == 0 for _, stride in self.rows.parts)

    @property
    def is_uniform_along_columns(self) -> bool:
        return all(stride.known == 0 for _, stride in self.columns.parts)


@dataclass
class Memory:
    """Flat views of the bindings of a kernel and offsets of batches, each made once, at the kernel's entry."""

    problem: Problem
    entry: Builder
    batch: ix.Size
    _flat: dict[Value, Value] = field(default_factory=dict[Value, Value])
    _accesses: dict[int, Access] = field(default_factory=dict[int, Access])

    def flat(self, buffer: Value, total: ix.Size) -> Value:
        if buffer not in self._flat:
            self._flat[buffer] = reinterpret(self.entry, buffer, [total])
        return self._flat[buffer]

    def base(self, operand: Operand) -> ix.Size:
        """Offset of the workgroup's batch."""
        root = self.problem.root
        offset = root.along(root.batch, operand).locate(self.entry, self.batch)
        return ix.add(self.entry, offset, operand.offset)

    def access(self, operand: Operand) -> Access:
        found = self._accesses.get(id(operand))
        if found is None:
            root = self.problem.root
            found = Access(
                self.flat_of(operand),
                operand.dtype,
                self.base(operand),
                root.along(root.m, operand),
                root.along(root.n, operand),
            )
            self._accesses[id(operand)] = found
        return found

    def flat_of(self, operand: Operand) -> Value:
        b = self.entry
        sizes = [
            b.insert(memref.DimOp(operand.buffer, d)).result if s is None else s
            for d, s in enumerate(_shape(operand.buffer))
        ]
        return self.flat(operand.buffer, ix.product(b, sizes))


def _shape(buffer: Value) -> Sequence[int | None]:
    return memref.memref_type(buffer).shape


@dataclass
class Place:
    """A vector of columns of the result: `row`, `column`: linear indices; `mask`, `end`: of a vector that may be cut at
    `end`.
    """

    row: ix.Size
    column: ix.Size
    lanes: int
    mask: Value | None = None
    end: ix.Size = 0


Cache = dict[tuple[object, ...], Lane]


@dataclass
class Epilogue:
    """Emits the stages and stores of `problem`."""

    problem: Problem
    memory: Memory

    @property
    def is_light(self) -> bool:
        return self.problem.stage_weight <= INLINE_WEIGHT

    def finish(self, b: Builder, accumulator: Value, place: Place, cache: Cache, key: tuple[int, int]) -> None:
        """Turn one vector of sums into results. `cache` keeps what vectors of the same row or column (`key`) share."""
        problem, root = self.problem, self.problem.root
        if problem.init is not None:
            start = self._read(b, problem.init, place, cache, key, root.dtype)
            wide = widened(b, as_vector(b, start, place.lanes), root.accumulator)
            accumulator = b.insert(arith.AddFOp(accumulator, wide)).result
        if root.dtype is not root.accumulator:
            accumulator = b.insert(arith.TruncFOp(accumulator, VectorType((place.lanes,), root.dtype))).result
        values: dict[Value, Lane] = {root.op.result: accumulator}
        for stage in problem.stages:
            self._stage(b, stage, place, values, cache, key)
        for result in problem.results:
            self._store(b, as_vector(b, values[result.value], place.lanes), self.memory.access(result.target), place)

    def _stage(
        self, b: Builder, stage: Stage, place: Place, values: dict[Value, Lane], cache: Cache, key: tuple[int, int]
    ) -> None:
        args: list[Lane] = []
        block = stage.op.body.block
        for source, arg in zip(stage.inputs, block.args, strict=True):
            dtype = arg.type
            assert isinstance(dtype, DType)
            if source is None:
                # The argument has no uses, so that any value will do.
                args.append(ix.as_value(b, 0))
            elif isinstance(source, Value):
                args.append(values[source])
            else:
                args.append(self._read(b, source, place, cache, key, dtype))
        body = BodyVectorizer(b, b, lambda d: self._index(b, stage.loops[d], place), place.lanes, place.mask)
        values.update(zip(stage.op.results, body.block(block, args), strict=True))

    def _index(self, b: Builder, loop: int, place: Place) -> Lane:
        """The counter of a loop of the root, on every lane."""
        root = self.problem.root
        for loops, linear in ((root.m, place.row), (root.batch, self.memory.batch)):
            if loop in loops:
                return ix.as_value(b, root.along(loops, _counter_of(loop, self.memory)).locate(b, linear))
        segments = root.along(root.n, _counter_of(loop, self.memory))
        if len(segments.parts) == 1:
            return Linear(ix.as_value(b, place.column))
        return lane_offsets(b, segments, place.column, place.lanes)

    def _read(
        self, b: Builder, source: Operand | Scalar, place: Place, cache: Cache, key: tuple[int, int], dtype: DType
    ) -> Lane:
        if isinstance(source, Scalar):
            if isinstance(source.value, Value):
                return source.value
            return b.insert(arith.ConstantOp(source.value, dtype)).result
        access = self.memory.access(source)
        row = -1 if access.is_uniform_along_rows else key[0]
        column = -1 if access.is_uniform_along_columns else key[1]
        cached = cache.get((id(source), row, column))
        if cached is None:
            cached = self._load(b, access, place)
            cache[(id(source), row, column)] = cached
        return cached

    def _load(self, b: Builder, access: Access, place: Place) -> Lane:
        at = ix.add(b, access.base, access.rows.locate(b, place.row))
        if access.is_uniform_along_columns:
            return b.insert(memref.LoadOp(access.flat, [ix.as_value(b, at)])).result
        source = Source(access.flat, at, access.columns)
        return load_lanes(b, source, place.column, 0, place.lanes, access.dtype, place.mask)

    def _store(self, b: Builder, value: Value, access: Access, place: Place) -> None:
        at = ix.add(b, access.base, access.rows.locate(b, place.row))
        if access.columns.inner_stride.known == 1 and access.columns.keeps_together(place.lanes):
            index = [ix.as_value(b, ix.add(b, at, access.columns.locate(b, place.column)))]
            if place.mask is None:
                b.insert(vector.StoreOp(value, access.flat, index))
            else:
                b.insert(vector.MaskedStoreOp(access.flat, index, place.mask, value))
            return
        for lane in range(place.lanes if access.columns.parts else 1):
            column = ix.add(b, place.column, lane)

            def store(c: Builder, lane: int = lane, column: ix.Size = column) -> None:
                element = c.insert(vector.ExtractOp(value, (lane,))).result
                index = ix.as_value(c, ix.add(c, at, access.columns.locate(c, column)))
                c.insert(memref.StoreOp(element, access.flat, [index]))

            if place.mask is None:
                store(b)
            else:
                inside = arith.CmpIOp(arith.CmpIPredicate.SLT, ix.as_value(b, column), ix.as_value(b, place.end))
                if_then(b, b.insert(inside).result, store)

    # ------------------------------------------------------------------------------------------ blocks

    def finish_inline(
        self, b: Builder, accumulators: Sequence[Value], row: ix.Size, column: ix.Size, vectors: int
    ) -> None:
        """A whole block, from registers."""
        cache: Cache = {}
        for n, accumulator in enumerate(accumulators):
            i, j = divmod(n, vectors)
            lanes = _lanes(accumulator)
            place = Place(ix.add(b, row, i), ix.add(b, column, j * lanes), lanes)
            self.finish(b, accumulator, place, cache, (i, j))

    def finish_rolled(
        self,
        b: Builder,
        tile: tuple[Value, int],
        row: ix.Size,
        rows: ix.Size,
        column: ix.Size,
        vectors: ix.Size,
        lanes: int,
        end: ix.Size | None,
    ) -> None:
        """`rows` x `vectors` of a block in local memory (`tile`: the memory, and elements from one row to the next).

        Columns are cut at `end` unless that is None.
        """
        memory, width = tile
        dtype = self.problem.root.accumulator

        def one_row(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            def one_vector(d: Builder, j: Value, _: list[Value]) -> Sequence[Value]:
                offset = ix.mul(d, j, lanes)
                at = ix.add(d, ix.mul(d, i, width), offset)
                place = Place(ix.add(d, row, i), ix.add(d, column, offset), lanes)
                if end is not None:
                    place.mask, place.end = create_mask(d, ix.sub(d, end, place.column), lanes), end
                self.finish(d, load_vector(d, memory, at, lanes, dtype), place, {}, (0, 0))
                return ()

            for_loop(c, 0, vectors, 1, (), one_vector)
            return ()

        for_loop(b, 0, rows, 1, (), one_row)


def _lanes(value: Value) -> int:
    assert isinstance(value.type, VectorType)
    return value.type.static_shape[0]


def _counter_of(loop: int, memory: Memory) -> Operand:
    """An imaginary operand that holds the counter of a loop at each of its places."""
    return Operand(next(iter(memory.problem.results)).target.buffer, INDEX, {loop: ONE})
