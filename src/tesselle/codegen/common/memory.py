"""Views of memory during code generation: sizes, strides, windows."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.dialects.core import memref
from tesselle.dialects.core.memref import memref_type, row_major_strides
from tesselle.dialects.core.tensor import split_mixed
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import Dim, MemRefType


def sizes_of(b: Builder, buffer: Value) -> list[ix.Size]:
    """The sizes of a memref, as numbers where they are known."""
    t = memref_type(buffer)
    op = buffer.defining_op
    if isinstance(op, memref.SubViewOp) and op.result_type.rank == len(op.static_sizes):
        return [s if s is not None else v for s, v in zip(t.shape, op.mixed_sizes, strict=True)]
    if isinstance(op, memref.ReinterpretCastOp):
        return list(op.mixed_sizes)
    return [s if s is not None else b.insert(memref.DimOp(buffer, d)).result for d, s in enumerate(t.shape)]


def strides_of(b: Builder, buffer: Value) -> list[ix.Size]:
    """The strides of a memref in elements, as numbers where they are known; computed from where it comes otherwise."""
    t = memref_type(buffer)
    static = t.strides if t.strides is not None else row_major_strides(t.shape)
    if None not in static:
        return [s for s in static if s is not None]
    op = buffer.defining_op
    if isinstance(op, memref.SubViewOp):
        base = strides_of(b, op.memref)
        full = [ix.mul(b, s, step) for s, step in zip(base, op.mixed_strides, strict=True)]
        return [full[d] for d in kept_dims(op.static_sizes, op.result_type)]
    if isinstance(op, memref.ReinterpretCastOp):
        return list(op.mixed_strides)
    sizes = sizes_of(b, buffer)
    return dense_strides(b, sizes)


def dense_strides(b: Builder, sizes: Sequence[ix.Size]) -> list[ix.Size]:
    """Row-major strides."""
    strides: list[ix.Size] = []
    step: ix.Size = 1
    for i, size in enumerate(reversed(sizes)):
        strides.append(step)
        if i + 1 < len(sizes):
            step = ix.mul(b, step, size)
    return strides[::-1]


def root_of(buffer: Value) -> Value:
    """The binding or allocation that a view looks at."""
    op = buffer.defining_op
    while isinstance(op, memref.SubViewOp | memref.ReinterpretCastOp):
        buffer = op.operands[0]
        op = buffer.defining_op
    return buffer


def kept_dims(sizes: Sequence[Dim], result: MemRefType) -> list[int]:
    """The dimensions that a rank-reducing subview keeps: those dropped have size one."""
    kept: list[int] = []
    for d, size in enumerate(sizes):
        wanted = result.rank - len(kept)
        if len(sizes) - d == wanted or (wanted and (size != 1 or result.shape[len(kept)] == 1)):
            kept.append(d)
    return kept


def subview(
    b: Builder,
    buffer: Value,
    offsets: Sequence[ix.Size],
    sizes: Sequence[ix.Size],
    strides: Sequence[ix.Size] | None = None,
    keep: Sequence[int] | None = None,
) -> Value:
    """The window buffer[offsets + i * strides]. `keep`: the dimensions of the result (others have size one)."""
    offsets, sizes = [_folded(v) for v in offsets], [_folded(v) for v in sizes]
    steps = [_folded(v) for v in strides] if strides is not None else [1] * len(offsets)
    t = memref_type(buffer)
    whole = list(sizes) == list(t.shape) and all(o == 0 for o in offsets) and all(s == 1 for s in steps)
    if whole and (keep is None or len(keep) == t.rank):
        return buffer
    op = memref.SubViewOp.of(buffer, offsets, sizes, steps)
    if keep is not None and len(keep) != t.rank:
        full = op.result_type
        assert full.strides is not None
        reduced = MemRefType(
            tuple(full.shape[d] for d in keep), full.dtype, tuple(full.strides[d] for d in keep), full.offset
        )
        (so, do), (sz, dz), (ss, ds) = split_mixed(offsets), split_mixed(sizes), split_mixed(steps)
        op.drop_all_references()
        op = memref.SubViewOp(buffer, do, dz, ds, so, sz, ss, reduced)
    return b.insert(op).result


def _folded(value: ix.Size) -> ix.Size:
    k = ix.known(value)
    return value if k is None else k


def reinterpret(b: Builder, buffer: Value, sizes: Sequence[ix.Size]) -> Value:
    """A dense buffer that starts at its base under another shape with as many elements."""
    sizes = [_folded(s) for s in sizes]
    t = memref_type(buffer)
    assert t.offset == 0, "only whole buffers can be seen under another shape"
    strides = dense_strides(b, sizes)
    shape, dynamic_sizes = split_mixed(sizes)
    layout, dynamic_strides = split_mixed([_folded(s) for s in strides])
    dense = row_major_strides(shape)
    result = MemRefType(shape, t.dtype, None if layout == dense else layout)
    return b.insert(
        memref.ReinterpretCastOp(buffer, [], dynamic_sizes, dynamic_strides, (0,), shape, layout, result)
    ).result
