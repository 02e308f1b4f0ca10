"""Register kernels: rows x vectors of accumulators that stay in registers while the reduction runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.vector_body import zero
from tesselle.dialects.core import arith, memref, vector
from tesselle.dialects.core.memref import memref_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType, VectorType
from tesselle.support.dtypes import I1

_UNROLLED_STEPS = 9
"""Windows of at most this many places are unrolled in elementwise products."""


@dataclass(frozen=True)
class Steps:
    """One loop of a reduction: counter from `lower` to `upper`, and how far each operand moves with it."""

    lower: ix.Size
    upper: ix.Size
    lhs: ix.Size
    rhs: ix.Size


def widened(b: Builder, value: Value, dtype: DType) -> Value:
    """A scalar or vector as `dtype`, which holds all values of its type."""
    type = value.type
    element = type.dtype if isinstance(type, VectorType) else type
    if element is dtype:
        return value
    wide = VectorType(type.shape, dtype) if isinstance(type, VectorType) else dtype
    return b.insert(arith.ExtFOp(value, wide)).result


def load_scalar(b: Builder, flat: Value, at: ix.Size, dtype: DType) -> Value:
    return widened(b, b.insert(memref.LoadOp(flat, [ix.as_value(b, at)])).result, dtype)


def load_vector(b: Builder, flat: Value, at: ix.Size, lanes: int, dtype: DType, mask: Value | None = None) -> Value:
    """`lanes` contiguous elements as `dtype`; those of unset lanes are 0."""
    type = VectorType((lanes,), memref_type(flat).dtype)
    index = [ix.as_value(b, at)]
    if mask is None:
        loaded = b.insert(vector.LoadOp(flat, index, type)).result
    else:
        loaded = b.insert(vector.MaskedLoadOp(flat, index, mask, zero(b, type))).result
    return widened(b, loaded, dtype)


def outer_products(
    b: Builder,
    accumulators: Sequence[Value],
    lhs: tuple[Value, Sequence[ix.Size]],
    rhs: tuple[Value, Sequence[ix.Size]],
    steps: Sequence[Steps],
    masks: Sequence[Value] | None = None,
    lhs_columns: Sequence[ix.Size] | None = None,
    prefetch: int = 0,
) -> list[Value]:
    """accumulators[i * columns + j] += sum over steps of broadcast(lhs row i) * (rhs vector j).

    `lhs`: flat memory and the offset of each row; `rhs`: flat memory and the offset of each vector. `masks`: for each
    vector the lanes whose memory may be read. Steps are nested, outermost first. With `lhs_columns` the left factor is
    no broadcast element but the vector at that distance from its row, one distance for each column. `prefetch`: how many
    elements in front of what is loaded the right-hand side is asked for (0: not at all).
    """
    type = accumulators[0].type
    assert isinstance(type, VectorType)
    (lanes,), dtype = type.static_shape, type.dtype
    left, rows = lhs
    right, columns = rhs

    def body(b: Builder, accs: Sequence[Value], along_lhs: ix.Size, along_rhs: ix.Size) -> list[Value]:
        vectors = [
            load_vector(b, right, ix.add(b, c, along_rhs), lanes, dtype, masks[j] if masks else None)
            for j, c in enumerate(columns)
        ]
        for c in columns if prefetch else ():
            ahead = ix.add(b, ix.add(b, c, along_rhs), prefetch)
            b.insert(memref.PrefetchOp(right, [ix.as_value(b, ahead)]))
        result: list[Value] = []
        for i, r in enumerate(rows):
            if lhs_columns is not None:
                start = ix.add(b, r, along_lhs)
                for j, (c, v) in enumerate(zip(lhs_columns, vectors, strict=True)):
                    factor = load_vector(b, left, ix.add(b, start, c), lanes, dtype, masks[j] if masks else None)
                    result.append(b.insert(vector.FmaOp(factor, v, accs[i * len(vectors) + j])).result)
                continue
            element = load_scalar(b, left, ix.add(b, r, along_lhs), dtype)
            spread = b.insert(vector.BroadcastOp(element, type)).result
            for j, v in enumerate(vectors):
                result.append(b.insert(vector.FmaOp(spread, v, accs[i * len(vectors) + j])).result)
        return result

    def nest(
        b: Builder, rest: Sequence[Steps], accs: Sequence[Value], along_lhs: ix.Size, along_rhs: ix.Size
    ) -> list[Value]:
        if not rest:
            return body(b, accs, along_lhs, along_rhs)
        s, *inner = rest
        if unrolled:
            lower, upper = ix.known(s.lower), ix.known(s.upper)
            assert lower is not None
            assert upper is not None
            values = list(accs)
            for i in range(lower, upper):
                values = nest(
                    b,
                    inner,
                    values,
                    ix.add(b, along_lhs, ix.mul(b, i, s.lhs)),
                    ix.add(b, along_rhs, ix.mul(b, i, s.rhs)),
                )
            return values

        def iteration(c: Builder, i: Value, values: list[Value]) -> Sequence[Value]:
            at_lhs = ix.add(c, along_lhs, ix.mul(c, i, s.lhs))
            at_rhs = ix.add(c, along_rhs, ix.mul(c, i, s.rhs))
            return nest(c, inner, values, at_lhs, at_rhs)

        return for_loop(b, s.lower, s.upper, 1, accs, iteration)

    # A small window is one straight piece of code.
    trips = math.prod(ix.known(ix.sub(b, s.upper, s.lower)) or _UNROLLED_STEPS + 1 for s in steps)
    unrolled = lhs_columns is not None and trips <= _UNROLLED_STEPS and all(s.lower == 0 for s in steps)
    return nest(b, steps, accumulators, 0, 0)


def dot_products(
    b: Builder,
    lhs: tuple[Value, Sequence[ix.Size]],
    rhs: tuple[Value, Sequence[ix.Size]],
    length: ix.Size,
    lanes: int,
    dtype: DType,
) -> list[Value]:
    """sum over k of lhs[row i + k] * rhs[column j + k] for each i and j, as scalars; both are contiguous along k."""
    type = VectorType((lanes,), dtype)
    left, rows = lhs
    right, columns = rhs

    def body(b: Builder, k: ix.Size, accs: Sequence[Value], mask: Value | None) -> list[Value]:
        xs = [load_vector(b, left, ix.add(b, r, k), lanes, dtype, mask) for r in rows]
        ys = [load_vector(b, right, ix.add(b, c, k), lanes, dtype, mask) for c in columns]
        pairs = [(x, y) for x in xs for y in ys]
        return [b.insert(vector.FmaOp(x, y, a)).result for (x, y), a in zip(pairs, accs, strict=True)]

    accs = [zero(b, type)] * (len(rows) * len(columns))
    whole = ix.round_down(b, length, lanes)
    accs = for_loop(b, 0, whole, lanes, accs, lambda c, k, v: body(c, k, v, None))
    rest = ix.sub(b, length, whole)
    if ix.known(rest) != 0:
        mask = create_mask(b, rest, lanes)
        accs = body(b, whole, accs, mask)
    return [b.insert(vector.ReductionOp(vector.CombiningKind.ADD, a, None)).result for a in accs]


def create_mask(b: Builder, count: ix.Size, lanes: int) -> Value:
    """The lanes below `count`."""
    return b.insert(vector.CreateMaskOp(ix.as_value(b, count), VectorType((lanes,), I1))).result
