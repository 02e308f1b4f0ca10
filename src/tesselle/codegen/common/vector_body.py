"""The body of a linalg.generic on vectors.

A *lane value* stands for what one scalar of the body is on all lanes: a scalar (the same on every lane), a vector, or
`Linear` (base + lane number). Scalars stay scalars as long as they can, and may be computed outside of the vector loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.memory import strides_of
from tesselle.dialects.core import arith, memref, vector
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.linalg.ops import IndexOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import ELEMENTWISE, Block, Op, Value
from tesselle.ir.types import DType, VectorType
from tesselle.support.dtypes import I1, INDEX


@dataclass(frozen=True)
class Linear:
    """Lane j holds base + j; `base` is an integer or index scalar."""

    base: Value


Lane = Value | Linear

_LINEAR_CASTS = (arith.IndexCastOp, arith.IndexCastUIOp, arith.TruncIOp)


def is_uniform(lane: Lane) -> bool:
    """The same scalar on every lane."""
    return isinstance(lane, Value) and not isinstance(lane.type, VectorType)


def zero(b: Builder, type: DType | VectorType) -> Value:
    """The constant 0 (false) of a scalar or vector type."""
    dtype = type.dtype if isinstance(type, VectorType) else type
    value: int | float | bool = False if dtype.is_bool else 0.0 if dtype.is_float or dtype.is_complex else 0
    return b.insert(arith.ConstantOp(value, type)).result


def as_vector(b: Builder, lane: Lane, lanes: int) -> Value:
    """The lane value as a vector of `lanes` elements."""
    if isinstance(lane, Linear):
        dtype = lane.base.type
        assert isinstance(dtype, DType)
        type = VectorType((lanes,), dtype)
        steps = np.arange(lanes).astype(dtype.numpy)
        start = b.insert(vector.BroadcastOp(lane.base, type)).result
        step = b.insert(arith.ConstantOp(DenseElements(steps, type), type)).result
        return b.insert(arith.AddIOp(start, step)).result
    if isinstance(lane.type, VectorType):
        return lane
    assert isinstance(lane.type, DType)
    type = VectorType((lanes,), lane.type)
    op = lane.defining_op
    if isinstance(op, arith.ConstantOp) and not isinstance(op.value, DenseElements):
        return b.insert(arith.ConstantOp(op.value, type)).result
    return b.insert(vector.BroadcastOp(lane, type)).result


def as_scalar(lane: Lane) -> Value:
    """The value of the only lane, when the body is evaluated on scalars."""
    return lane.base if isinstance(lane, Linear) else lane


def can_vectorize(block: Block) -> bool:
    """Whether every operation of the body works on vectors."""
    return all(
        ELEMENTWISE in op.TRAITS or isinstance(op, IndexOp | arith.ConstantOp | memref.LoadOp)
        for op in block
        if op is not block.last
    )


@dataclass
class BodyVectorizer:
    """Evaluates operations of a body on `lanes` lanes, or on scalars when that is None.

    `b`: where vector operations go; `uniform`: where scalar ones go (it must dominate `b`). `index_of`: the lane
    value of a loop counter. `mask`: set lanes are the only ones whose memory may be touched.
    """

    b: Builder
    uniform: Builder
    index_of: Callable[[int], Lane]
    lanes: int | None
    mask: Value | None = None

    def block(self, block: Block, args: Sequence[Lane], known: dict[Value, Lane] | None = None) -> list[Lane]:
        """The values that the block yields for `args`. `known`: values that are evaluated already; it learns the
        others.
        """
        values: dict[Value, Lane] = {} if known is None else known
        values.update(zip(block.args, args, strict=True))
        for op in block:
            if op is block.last:
                break
            if any(r not in values for r in op.results):
                values[op.result] = self.evaluate(op, values)
        return [values.get(v, v) for v in block.terminator.operands]

    def evaluate(self, op: Op, values: dict[Value, Lane]) -> Lane:
        """One operation, whose operands are in `values` or come from outside of the body."""
        if isinstance(op, IndexOp):
            return self.index_of(op.dim)
        operands: list[Lane] = [values.get(v, v) for v in op.operands]
        if all(is_uniform(v) for v in operands):
            # Memory is read where the loops around it are known to run.
            b = self.uniform
            return b.insert(op.clone(dict(zip(op.operands, map(as_scalar, operands), strict=True)))).result
        if self.lanes is None:
            return self.b.insert(op.clone(dict(zip(op.operands, map(as_scalar, operands), strict=True)))).result
        if isinstance(op, memref.LoadOp):
            return self.gather(operands[0], operands[1:])
        linear = self._linear(op, operands)
        if linear is not None:
            return linear
        if isinstance(op, arith.SelectOp) and is_uniform(operands[0]):
            yes, no = (as_vector(self.b, v, self.lanes) for v in operands[1:])
            return self.b.insert(arith.SelectOp(as_scalar(operands[0]), yes, no)).result
        vectors = [as_vector(self.b, v, self.lanes) for v in operands]
        types = [VectorType((self.lanes,), t) for t in op.result_types if isinstance(t, DType)]
        return self.b.insert(type(op).build(vectors, types, op.attributes)).result

    def _linear(self, op: Op, operands: Sequence[Lane]) -> Lane | None:
        """The cases in which base + lane number stays that."""
        if isinstance(op, _LINEAR_CASTS):
            x = operands[0]
            # Widening an index is exact; other extensions could see the sum wrap.
            if isinstance(x, Linear):
                return Linear(self.uniform.insert(type(op)(x.base, op.result.type)).result)
        if isinstance(op, arith.AddIOp):
            x, y = operands
            if isinstance(x, Linear) and isinstance(y, Value) and is_uniform(y):
                return Linear(self.uniform.insert(arith.AddIOp(x.base, y)).result)
            if isinstance(y, Linear) and isinstance(x, Value) and is_uniform(x):
                return Linear(self.uniform.insert(arith.AddIOp(x, y.base)).result)
        if isinstance(op, arith.SubIOp):
            x, y = operands
            if isinstance(x, Linear) and isinstance(y, Value) and is_uniform(y):
                return Linear(self.uniform.insert(arith.SubIOp(x.base, y)).result)
        return None

    def all_lanes(self) -> Value:
        """The mask under which memory may be touched."""
        assert self.lanes is not None
        if self.mask is not None:
            return self.mask
        return self.b.insert(arith.ConstantOp(True, VectorType((self.lanes,), I1))).result

    def gather(self, buffer: Lane, indices: Sequence[Lane]) -> Value:
        """Lane j = buffer[indices on lane j]: one vector load when the lanes are contiguous."""
        assert self.lanes is not None and isinstance(buffer, Value)
        b, t = self.b, memref_type(buffer)
        type = VectorType((self.lanes,), t.dtype)
        strides = strides_of(self.uniform, buffer)
        *leading, last = indices
        if isinstance(last, Linear) and strides[-1] == 1 and all(map(is_uniform, leading)):
            return self.load(buffer, [*map(as_scalar, leading), last.base])
        if t.dtype.is_complex or t.dtype.is_bool or t.dtype.bits < 8:
            return self._load_lanes(buffer, indices, type)
        offsets = self.linear_offsets(indices, strides)
        return b.insert(vector.GatherOp(buffer, offsets, self.all_lanes(), zero(b, type))).result

    def linear_offsets(self, indices: Sequence[Lane], strides: Sequence[ix.Size]) -> Value:
        """sum(indices * strides) on every lane, as a vector of index."""
        assert self.lanes is not None
        scalar: ix.Size = 0
        total: Value | None = None
        for i, s in zip(indices, strides, strict=True):
            if isinstance(i, Value) and is_uniform(i):
                scalar = ix.add(self.uniform, scalar, ix.mul(self.uniform, i, s))
                continue
            term = as_vector(self.b, i, self.lanes)
            if ix.known(s) != 1:
                factor = as_vector(self.b, ix.as_value(self.uniform, s), self.lanes)
                term = self.b.insert(arith.MulIOp(term, factor)).result
            total = term if total is None else self.b.insert(arith.AddIOp(total, term)).result
        start = as_vector(self.b, ix.as_value(self.uniform, scalar), self.lanes)
        if total is None:
            return start
        return total if scalar == 0 else self.b.insert(arith.AddIOp(total, start)).result

    def _load_lanes(self, buffer: Value, indices: Sequence[Lane], type: VectorType) -> Value:
        """Element by element, for types that have no gather. Lanes that are not set read what lies at index 0."""
        assert self.lanes is not None
        vectors = [v if is_uniform(v) else as_vector(self.b, v, self.lanes) for v in indices]
        if self.mask is not None:
            start = zero(self.b, VectorType((self.lanes,), INDEX))
            vectors = [
                v
                if is_uniform(v)
                else self.b.insert(arith.SelectOp(self.mask, as_vector(self.b, v, self.lanes), start)).result
                for v in vectors
            ]
        result = zero(self.b, type)
        for lane in range(self.lanes):
            at: list[Value] = []
            for v in vectors:
                assert isinstance(v, Value)
                at.append(v if is_uniform(v) else self.b.insert(vector.ExtractOp(v, (lane,))).result)
            element = self.b.insert(memref.LoadOp(buffer, at)).result
            result = self.b.insert(vector.InsertOp(element, result, (lane,))).result
        return result

    def load(self, buffer: Value, indices: Sequence[Value]) -> Value:
        """`lanes` contiguous elements, those of unset lanes being 0."""
        assert self.lanes is not None
        type = VectorType((self.lanes,), memref_type(buffer).dtype)
        if self.mask is None:
            return self.b.insert(vector.LoadOp(buffer, indices, type)).result
        return self.b.insert(vector.MaskedLoadOp(buffer, indices, self.mask, zero(self.b, type))).result

    def store(self, value: Value, buffer: Value, indices: Sequence[Value]) -> None:
        """Write `lanes` contiguous elements."""
        if self.mask is None:
            self.b.insert(vector.StoreOp(value, buffer, indices))
        else:
            self.b.insert(vector.MaskedStoreOp(buffer, indices, self.mask, value))


def vectorize_body(
    b: Builder,
    block: Block,
    args: Sequence[Lane],
    index_value_of_dim: Callable[[int], Lane],
    lanes: int,
    mask: Value | None = None,
) -> list[Value]:
    """The values that a linalg.generic body yields, as vectors of `lanes` elements.

    `args`: for each block argument a vector, or a scalar that is the same on all lanes. `index_value_of_dim`: a loop
    counter, as a scalar, a vector of index, or Linear. `mask`: the lanes whose memory the body may touch (all when
    None).
    """
    vectorizer = BodyVectorizer(b, b, index_value_of_dim, lanes, mask)
    return [as_vector(b, v, lanes) for v in vectorizer.block(block, args)]


def index_vector(b: Builder, base: Value, lanes: int) -> Value:
    """base, base + 1, … as a vector of index."""
    assert base.type == INDEX
    return as_vector(b, Linear(base), lanes)
