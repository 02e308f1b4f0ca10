"""How a loop nest reads and writes its operands: strides along each loop, and the loads and stores that follow."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.memory import sizes_of, strides_of, subview
from tesselle.codegen.common.vector_body import BodyVectorizer, Lane, Linear, as_scalar, as_vector, is_uniform, zero
from tesselle.dialects.core import arith, memref, vector
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.affine import AffineBinary, AffineConst, AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType, VectorType

Counters = Mapping[int, ix.Size]
"""Loop dimension -> its counter."""


class Along(enum.Enum):
    """How an operand moves when one loop counter advances by one."""

    UNIFORM = "the same element"
    CONTIGUOUS = "the next element in memory"
    REVERSED = "the previous element in memory"
    STRIDED = "a constant number of elements further"
    IRREGULAR = "an offset that is no linear function of the counter"


def evaluate(b: Builder, e: AffineExpr, counters: Counters) -> ix.Size:
    """The value of an expression of loop counters (divisors are positive, dividends not negative)."""
    if isinstance(e, AffineDim):
        return counters[e.position]
    if isinstance(e, AffineConst):
        return e.value
    assert isinstance(e, AffineBinary), f"{e} has a symbol"
    x, y = evaluate(b, e.lhs, counters), evaluate(b, e.rhs, counters)
    if e.kind == "+":
        return ix.add(b, x, y)
    if e.kind == "*":
        return ix.mul(b, x, y)
    return ix.floordiv(b, x, y) if e.kind == "floordiv" else ix.remainder(b, x, y)


@dataclass(frozen=True)
class Access:
    """An operand in memory and how loop counters become its indices: shifts + map(counters).

    Unit dimensions are left out, and views that run backwards are seen through, so that strides are positive.
    """

    buffer: Value
    map: AffineMap
    strides: tuple[ix.Size, ...]
    shifts: tuple[ix.Size, ...]

    @staticmethod
    def of(b: Builder, buffer: Value, map: AffineMap) -> Access:
        shifts: list[ix.Size] = [0] * len(map.results)
        op = buffer.defining_op
        if isinstance(op, memref.SubViewOp) and any(s is not None and s < 0 for s in op.static_strides):
            steps = [ix.known(s) for s in op.mixed_strides]
            assert None not in steps and op.result_type.rank == len(steps), "a view runs backwards by unknown steps"
            map = AffineMap(map.dim_count, 0, tuple(e * s for e, s in zip(map.results, steps, strict=True) if s))
            buffer, shifts = op.memref, list(op.mixed_offsets)
        sizes = sizes_of(b, buffer)
        keep = [d for d, s in enumerate(sizes) if ix.known(s) != 1]
        if len(keep) != len(sizes):
            buffer = subview(b, buffer, [0] * len(sizes), sizes, keep=keep)
            map = AffineMap(map.dim_count, 0, tuple(map.results[d] for d in keep))
        return Access(buffer, map, tuple(strides_of(b, buffer)), tuple(shifts[d] for d in keep))

    @property
    def dtype(self) -> DType:
        return memref_type(self.buffer).dtype

    def coefficients(self, dim: int) -> list[int] | None:
        """How far each index moves with the counter of `dim`; None when an index is no linear function of it."""
        found: list[int] = []
        for e in self.map.results:
            if dim not in e.used_dims():
                found.append(0)
                continue
            linear = e.linear_coefficients(self.map.dim_count)
            if linear is None:
                return None
            found.append(linear[0][dim])
        return found

    def along(self, dim: int) -> Along:
        c = self.coefficients(dim)
        if c is None:
            return Along.IRREGULAR
        if not any(c):
            return Along.UNIFORM
        if not any(c[:-1]) and ix.known(self.strides[-1]) == 1 and abs(c[-1]) == 1:
            return Along.CONTIGUOUS if c[-1] == 1 else Along.REVERSED
        return Along.STRIDED

    def indices(self, b: Builder, counters: Counters) -> list[Value]:
        pairs = zip(self.map.results, self.shifts, strict=True)
        return [ix.as_value(b, ix.add(b, evaluate(b, e, counters), s)) for e, s in pairs]

    def load_scalar(self, b: Builder, counters: Counters) -> Value:
        return b.insert(memref.LoadOp(self.buffer, self.indices(b, counters))).result

    def store_scalar(self, b: Builder, counters: Counters, value: Value) -> None:
        b.insert(memref.StoreOp(value, self.buffer, self.indices(b, counters)))

    def needs_lanes(self, dim: int) -> bool:
        """Whether vectors along `dim` are put together element by element, which no mask can guard."""
        t = self.dtype
        return self.along(dim) in (Along.STRIDED, Along.IRREGULAR) and (t.is_complex or t.is_bool or t.bits < 8)

    def load(self, v: BodyVectorizer, dim: int, counters: Counters) -> Lane:
        """The elements at counter, counter + 1, … of loop `dim`."""
        if v.lanes is None:
            return self.load_scalar(v.b, counters)
        how = self.along(dim)
        if how is Along.UNIFORM:
            return self.load_scalar(v.uniform, counters)
        if how is Along.CONTIGUOUS:
            return v.load(self.buffer, self.indices(v.b, counters))
        if how is Along.REVERSED and v.mask is None:
            last = {**counters, dim: ix.add(v.b, counters[dim], v.lanes - 1)}
            loaded = v.load(self.buffer, self.indices(v.b, last))
            return v.b.insert(vector.ShuffleOp(loaded, loaded, tuple(range(v.lanes))[::-1])).result
        return self._gather(v, dim, counters, how)

    def _gather(self, v: BodyVectorizer, dim: int, counters: Counters, how: Along) -> Value:
        assert v.lanes is not None
        if how is not Along.IRREGULAR and v.mask is None:
            # Scalar loads at constant distances cost no more than a gather, and need no vector of offsets.
            result = zero(v.b, VectorType((v.lanes,), self.dtype))
            for lane in range(v.lanes):
                element = self.load_scalar(v.b, {**counters, dim: ix.add(v.b, counters[dim], lane)})
                result = v.b.insert(vector.InsertOp(element, result, (lane,))).result
            return result
        if how is Along.IRREGULAR:
            lanes: Lane = Linear(ix.as_value(v.b, counters[dim]))
            at = [self._lane_index(v, e, dim, lanes, counters) for e in self.map.results]
            return v.gather(self.buffer, [self._shifted(v, i, s) for i, s in zip(at, self.shifts, strict=True)])
        coefficients = self.coefficients(dim)
        assert coefficients is not None
        step: ix.Size = 0
        for c, s in zip(coefficients, self.strides, strict=True):
            step = ix.add(v.uniform, step, ix.mul(v.uniform, s, c))
        start: ix.Size = 0
        for i, s in zip(self.indices(v.b, counters), self.strides, strict=True):
            start = ix.add(v.b, start, ix.mul(v.b, i, s))
        steps = as_vector(v.b, Linear(ix.as_value(v.b, 0)), v.lanes)
        factor = as_vector(v.b, ix.as_value(v.uniform, step), v.lanes)
        offsets = v.b.insert(arith.MulIOp(steps, factor)).result
        offsets = v.b.insert(arith.AddIOp(offsets, as_vector(v.b, ix.as_value(v.b, start), v.lanes))).result
        type = VectorType((v.lanes,), self.dtype)
        return v.b.insert(vector.GatherOp(self.buffer, offsets, v.all_lanes(), zero(v.b, type))).result

    @staticmethod
    def _shifted(v: BodyVectorizer, index: Lane, shift: ix.Size) -> Lane:
        if shift == 0:
            return index
        s = ix.as_value(v.uniform, shift)
        if isinstance(index, Linear):
            return Linear(v.b.insert(arith.AddIOp(index.base, s)).result)
        if is_uniform(index):
            return v.b.insert(arith.AddIOp(index, s)).result
        assert v.lanes is not None
        return v.b.insert(arith.AddIOp(index, as_vector(v.uniform, s, v.lanes))).result

    def _lane_index(self, v: BodyVectorizer, e: AffineExpr, dim: int, lanes: Lane, counters: Counters) -> Lane:
        """An index expression on every lane."""
        if dim not in e.used_dims():
            return ix.as_value(v.b, evaluate(v.b, e, counters))
        if isinstance(e, AffineDim):
            return lanes
        assert isinstance(e, AffineBinary) and v.lanes is not None
        x = self._lane_index(v, e.lhs, dim, lanes, counters)
        y = self._lane_index(v, e.rhs, dim, lanes, counters)
        if e.kind == "+" and isinstance(x, Linear) and is_uniform(y):
            return Linear(v.b.insert(arith.AddIOp(x.base, as_scalar(y))).result)
        classes = {"+": arith.AddIOp, "*": arith.MulIOp, "floordiv": arith.DivUIOp, "mod": arith.RemUIOp}
        return v.b.insert(classes[e.kind](as_vector(v.b, x, v.lanes), as_vector(v.b, y, v.lanes))).result

    def store(self, v: BodyVectorizer, dim: int, counters: Counters, value: Lane) -> None:
        """Write the elements at counter, counter + 1, … of loop `dim`."""
        if v.lanes is None:
            self.store_scalar(v.b, counters, as_scalar(value))
            return
        how = self.along(dim)
        vectors = as_vector(v.b, value, v.lanes)
        if how is Along.CONTIGUOUS:
            v.store(vectors, self.buffer, self.indices(v.b, counters))
            return
        assert v.mask is None, "strided stores have no mask"
        for lane in range(v.lanes):
            at = {**counters, dim: ix.add(v.b, counters[dim], lane)}
            self.store_scalar(v.b, at, v.b.insert(vector.ExtractOp(vectors, (lane,))).result)
