"""Elementwise loops that read an operand across its rows: square blocks are transposed in registers.

The output is contiguous along v, such an operand along another parallel loop u. A block of L x L elements is loaded
as L vectors along u and turned into L vectors along v by log2(L) rounds of interleaving; the body then runs on rows
of the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.accesses import Access, Along, Counters
from tesselle.codegen.common.loops import for_loop, nest
from tesselle.codegen.common.vector_body import Lane
from tesselle.dialects.core import vector
from tesselle.dialects.core.vector import vector_type
from tesselle.dialects.linalg.ops import IteratorType
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value

if TYPE_CHECKING:
    from tesselle.codegen.common.vectorize_generic import LoopNest

LINE_BYTES = 64
MAX_LANES = 16
MAX_OPS = 400
"""The most operations that the bodies of one block may come to."""


def transposed_dim(n: LoopNest) -> int | None:
    """The loop u along which operands that are strided along v are contiguous; None when there is none to gain from."""
    if n.lanes is None or n.lanes & (n.lanes - 1) or n.lanes < 2:
        return None
    found: set[int] = set()
    for arg, a in zip(n.block.args, n.inputs, strict=False):
        if not isinstance(a, Access) or not arg.uses or a.along(n.dim) is not Along.STRIDED:
            continue
        along = [d for d in n.dims(IteratorType.PARALLEL) if a.along(d) is Along.CONTIGUOUS]
        if len(along) != 1:
            return None
        found.add(along[0])
    if len(found) != 1 or any(a.along(n.dim) is not Along.CONTIGUOUS for a in n.outputs):
        return None
    (u,) = found
    for d in (u, n.dim):
        size = ix.known(n.sizes[d])
        if size is not None and size < n.lanes:
            return None
    ops = sum(1 for _ in n.block)
    return u if ops * n.lanes <= MAX_OPS else None


def transpose_block(b: Builder, rows: Sequence[Value]) -> list[Value]:
    """result[j][k] = rows[k][j] for as many vectors as each has lanes (a power of two)."""
    count = len(rows)
    half = count // 2
    low = tuple(i // 2 + (count if i % 2 else 0) for i in range(count))
    high = tuple(lane + half for lane in low)
    current = list(rows)
    assert all(vector_type(r).static_shape == (count,) for r in current)
    for _ in range(count.bit_length() - 1):
        following: list[Value] = []
        for i in range(half):
            x, y = current[i], current[i + half]
            following.append(b.insert(vector.ShuffleOp(x, y, low)).result)
            following.append(b.insert(vector.ShuffleOp(x, y, high)).result)
        current = following
    return current


def emit_transposed(n: LoopNest, b: Builder, u: int) -> None:
    """for others: for blocks of u and v: outs[block] = body(ins[block]); the rest row by row."""
    assert n.lanes is not None
    lanes = n.lanes
    widest = max(a.dtype.size_bytes for a in n.inputs if isinstance(a, Access))
    # A whole cache line of the operand at once, when there is one.
    size_u = ix.known(n.sizes[u])
    group = max(1, LINE_BYTES // (widest * lanes))
    ops = sum(1 for _ in n.block)
    while group > 1 and (ops * lanes * group > MAX_OPS or (size_u is not None and size_u % (lanes * group) != 0)):
        group //= 2
    deep = lanes * group

    def position(b: Builder, counters: dict[int, ix.Size], _: list[Value]) -> Sequence[Value]:
        whole_u = ix.round_down(b, n.sizes[u], deep)
        whole_v = ix.round_down(b, n.extent, lanes)

        def strip(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            def block(d: Builder, j: Value, _: list[Value]) -> Sequence[Value]:
                for g in range(group):
                    _block(n, d, {**counters, u: ix.add(d, i, g * lanes), n.dim: j}, u)
                return ()

            for_loop(c, 0, whole_v, lanes, (), block)
            if ix.known(whole_v) != ix.known(n.extent) or ix.known(whole_v) is None:

                def edge(d: Builder, k: Value, _: list[Value]) -> Sequence[Value]:
                    n.emit_row(d, {**counters, u: k}, whole_v, n.extent)
                    return ()

                for_loop(c, i, ix.add(c, i, deep), 1, (), edge)
            return ()

        for_loop(b, 0, whole_u, deep, (), strip)

        def row(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
            n.emit_row(c, {**counters, u: i}, 0, n.extent)
            return ()

        for_loop(b, whole_u, n.sizes[u], 1, (), row)
        return ()

    others = [d for d in n.dims(IteratorType.PARALLEL) if d != u]
    nest(b, n.ranges(others), {}, (), position)


def _block(n: LoopNest, b: Builder, at: Counters, u: int) -> None:
    """One block of lanes x lanes at the counters `at`."""
    assert n.lanes is not None
    turned: dict[int, list[Value]] = {}
    for k, (arg, a) in enumerate(zip(n.block.args, n.inputs, strict=False)):
        if isinstance(a, Access) and arg.uses and a.along(n.dim) is Along.STRIDED:
            rows: list[Value] = []
            for lane in range(n.lanes):
                here = {**at, n.dim: ix.add(b, at[n.dim], lane)}
                loaded = a.load(n.vectorizer(b, here, n.lanes), u, here)
                assert isinstance(loaded, Value)
                rows.append(loaded)
            turned[k] = transpose_block(b, rows)
    for lane in range(n.lanes):
        here = {**at, u: ix.add(b, at[u], lane)}
        known: dict[Value, Lane] = {n.block.args[k]: rows[lane] for k, rows in turned.items()}
        known.update(n.hoisted(b, here))
        v = n.vectorizer(b, here, n.lanes)
        args = n.arguments(v, here, known)
        n.store_outputs(v, here, n.body(v, args, n.load_outputs(v, here), known))
