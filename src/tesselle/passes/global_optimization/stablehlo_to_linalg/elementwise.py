"""Elementwise StableHLO: parallel loop nests with identity maps, or host arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as cx
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.affine import AffineConst, AffineMap, dim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg import chlo_bodies
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import lower_on_host
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    PARALLEL,
    Lowering,
    lowering,
    scalar_constant,
    splat_scalar,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import (
    SCALARS,
    dtype_of,
    emit_block,
    emit_scalar,
)
from tesselle.support.dtypes import DTYPES, F32, F64, I8, I32, I64, INDEX, DType


def lower_elementwise(
    op: Op, b: Lowering, operands: Sequence[Value], emit: Callable[[Builder, list[Value]], Value]
) -> Value:
    """A loop nest over the operands' common shape; operands of rank 0 hold for all, splats become constants."""
    out_type = tensor_type(op.results[0])
    rank = out_type.rank
    inputs: list[Value] = []
    maps: list[AffineMap] = []
    sources: list[int | Any] = []
    for v in operands:
        splat = splat_scalar(v)
        if splat is not None:
            sources.append((splat, dtype_of(v)))
            continue
        if v in inputs:
            sources.append(inputs.index(v))
            continue
        sources.append(len(inputs))
        inputs.append(v)
        maps.append(AffineMap.identity(rank) if tensor_type(v).rank else AffineMap(rank, 0, ()))
    shaped = [v for v in operands if tensor_type(v).rank == rank]
    shape = b.shape_like(shaped) if rank else []
    shape = [known if known is not None else size for known, size in zip(out_type.shape, shape, strict=True)]

    def body(inner: Builder, args: list[Value]) -> Value:
        values = [args[x] if isinstance(x, int) else scalar_constant(inner, *x) for x in sources]
        return emit(inner, values)

    result = b.elementwise(inputs, maps, shape, out_type.dtype, body)
    return b.cast(result, out_type)


@lowering(*SCALARS)
def elementwise(op: Op, b: Lowering) -> Value:
    if isinstance(op, s.BitcastConvertOp) and dtype_of(op.operand).bits != dtype_of(op.results[0]).bits:
        return _bitcast_between_widths(op, b)
    on_host = lower_on_host(op, b)
    if on_host is not None:
        return on_host
    return lower_elementwise(op, b, op.operands, lambda inner, args: emit_scalar(inner, op, args))


@lowering(s.MapOp)
def map_elements(op: s.MapOp, b: Lowering) -> Value:
    return lower_elementwise(op, b, op.inputs, lambda inner, args: emit_block(inner, op.computation.block, args)[0])


def _bitcast_between_widths(op: s.BitcastConvertOp, b: Lowering) -> Value:
    """To narrower elements: one per position of the new last dimension; to wider ones: the last dimension joined.

    The first of several narrow elements has the lowest bits; a complex number has its real part there.
    """
    source, target = tensor_type(op.operand), tensor_type(op.results[0])
    if source.dtype.is_complex:
        return _bitcast_complex(op, b)
    wide, narrow = max(source.dtype.bits, target.dtype.bits), min(source.dtype.bits, target.dtype.bits)
    # Floats of 6 bits lie in bytes, and no integer is as wide as they are.
    wide_int, narrow_int = (DTYPES.get(f"i{bits}", I8) for bits in (wide, narrow))
    if source.dtype.bits == wide:
        rank = target.rank
        shape = [*b.dims(op.operand), wide // narrow]

        def split(inner: Builder, args: list[Value]) -> Value:
            from tesselle.dialects.linalg.ops import IndexOp

            bits = inner.insert(a.BitcastOp(args[0], wide_int)).result if source.dtype != wide_int else args[0]
            position = inner.insert(a.IndexCastOp(inner.insert(IndexOp(rank - 1)).result, wide_int)).result
            amount = inner.insert(a.MulIOp(position, scalar_constant(inner, narrow, wide_int))).result
            part = inner.insert(a.TruncIOp(inner.insert(a.ShRUIOp(bits, amount)).result, narrow_int)).result
            return inner.insert(a.BitcastOp(part, target.dtype)).result if target.dtype != narrow_int else part

        return b.elementwise([op.operand], [AffineMap.select(rank, range(rank - 1))], shape, target.dtype, split)
    loops = source.rank
    zero = b.constant(0, wide_int)
    shape = b.dims(op.operand)[:-1]

    def join(inner: Builder, args: list[Value]) -> list[Value]:
        from tesselle.dialects.linalg.ops import IndexOp

        part = inner.insert(a.BitcastOp(args[0], narrow_int)).result if source.dtype != narrow_int else args[0]
        position = inner.insert(a.IndexCastOp(inner.insert(IndexOp(loops - 1)).result, wide_int)).result
        amount = inner.insert(a.MulIOp(position, scalar_constant(inner, narrow, wide_int))).result
        shifted = inner.insert(a.ShLIOp(inner.insert(a.ExtUIOp(part, wide_int)).result, amount)).result
        return [inner.insert(a.OrIOp(shifted, args[1])).result]

    from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import REDUCTION

    (joined,) = b.generic(
        [op.operand],
        [AffineMap.identity(loops)],
        [b.fill(zero, shape)],
        [AffineMap.select(loops, range(loops - 1))],
        [*[PARALLEL] * (loops - 1), REDUCTION],
        join,
    )
    if target.dtype == wide_int:
        return joined
    rank = loops - 1
    return b.elementwise(
        [joined],
        [AffineMap.identity(rank)],
        shape,
        target.dtype,
        lambda inner, args: inner.insert(a.BitcastOp(args[0], target.dtype)).result,
    )


def _bitcast_complex(op: s.BitcastConvertOp, b: Lowering) -> Value:
    """complex<f64> [..] <-> complex<f32> [.., 2]: the halves of each part are the parts of one narrower number."""
    from tesselle.dialects.linalg.ops import IndexOp

    source, target = tensor_type(op.operand), tensor_type(op.results[0])

    def bits(inner: Builder, value: Value, cls: type[cx.ReOp | cx.ImOp], integer: DType) -> Value:
        return inner.insert(a.BitcastOp(inner.insert(cls(value)).result, integer)).result

    def split(inner: Builder, args: list[Value]) -> Value:
        position = inner.insert(IndexOp(target.rank - 1)).result
        zero = scalar_constant(inner, 0, INDEX)
        first = inner.insert(a.CmpIOp(a.CmpIPredicate.EQ, position, zero)).result
        parts = bits(inner, args[0], cx.ReOp, I64), bits(inner, args[0], cx.ImOp, I64)
        part = inner.insert(a.SelectOp(first, *parts)).result
        high = inner.insert(a.ShRUIOp(part, scalar_constant(inner, 32, I64))).result
        halves = (inner.insert(a.TruncIOp(v, I32)).result for v in (part, high))
        return inner.insert(cx.CreateOp(*(inner.insert(a.BitcastOp(h, F32)).result for h in halves))).result

    if source.dtype.bits > target.dtype.bits:
        shape = [*b.dims(op.operand), 2]
        maps = [AffineMap.select(target.rank, range(source.rank))]
        return b.elementwise([op.operand], maps, shape, target.dtype, split)

    def join(inner: Builder, args: list[Value]) -> Value:
        parts: list[Value] = []
        for value in args:
            low, high = (
                inner.insert(a.ExtUIOp(bits(inner, value, cls, I32), I64)).result for cls in (cx.ReOp, cx.ImOp)
            )
            moved = inner.insert(a.ShLIOp(high, scalar_constant(inner, 32, I64))).result
            joined = inner.insert(a.OrIOp(low, moved)).result
            parts.append(inner.insert(a.BitcastOp(joined, F64)).result)
        return inner.insert(cx.CreateOp(*parts)).result

    rank = target.rank
    loops = [dim(i) for i in range(rank)]
    maps = [AffineMap(rank, 0, (*loops, AffineConst(k))) for k in range(2)]
    return b.elementwise([op.operand] * 2, maps, b.dims(op.operand)[:-1], target.dtype, join)


__all__ = ["chlo_bodies", "elementwise", "map_elements"]
