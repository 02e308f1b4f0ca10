"""Elementwise StableHLO: parallel loop nests with identity maps, or host arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.affine import AffineMap
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
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DTYPES


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
    on_host = lower_on_host(op, b)
    if on_host is not None:
        return on_host
    if isinstance(op, s.BitcastConvertOp) and dtype_of(op.operand).bits != dtype_of(op.results[0]).bits:
        return _bitcast_between_widths(op, b)
    return lower_elementwise(op, b, op.operands, lambda inner, args: emit_scalar(inner, op, args))


@lowering(s.MapOp)
def map_elements(op: s.MapOp, b: Lowering) -> Value:
    return lower_elementwise(op, b, op.inputs, lambda inner, args: emit_block(inner, op.computation.block, args)[0])


def _bitcast_between_widths(op: s.BitcastConvertOp, b: Lowering) -> Value:
    """To narrower elements: one per position of the new last dimension; to wider ones: the last dimension joined."""
    source, target = tensor_type(op.operand), tensor_type(op.results[0])
    wide, narrow = max(source.dtype.bits, target.dtype.bits), min(source.dtype.bits, target.dtype.bits)
    if narrow < 8 or source.dtype.is_complex or target.dtype.is_complex:
        raise Unsupported(
            f"bitcast_convert from {source.dtype} to {target.dtype} is not supported", op.location, op.name
        )
    wide_int, narrow_int = DTYPES[f"i{wide}"], DTYPES[f"i{narrow}"]
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


__all__ = ["chlo_bodies", "elementwise", "map_elements"]
