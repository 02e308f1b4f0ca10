"""reduce and sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.dialects.chlo.structured import TopKOp
from tesselle.dialects.core.tensor import ExtractSliceOp, tensor_type
from tesselle.dialects.linalg.ops import SortOp, YieldOp
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import reduction as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import COMMUTATIVE, Block, Op, Region, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.contraction import convert_tensor
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    PARALLEL,
    REDUCTION,
    Lowering,
    lowering,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import (
    compare_scalars,
    convert,
    emit_block,
    emit_scalar,
    is_narrow,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import build_iota
from tesselle.support.dtypes import F32, I32, DType

_ACCUMULATING = (e.AddOp, e.MultiplyOp)


def single_operation(block: Block) -> Op | None:
    """The operation of a body that only returns `op(a, b)` of its two arguments."""
    first = block.first
    if first is None or first.next is not block.last or len(block.args) != 2 or len(first.operands) != 2:
        return None
    if block.terminator.operands != tuple(first.results):
        return None
    args = tuple(block.args)
    in_order = first.operands == args or (COMMUTATIVE in first.TRAITS and first.operands == args[::-1])
    return first if in_order else None


def accumulators(block: Block, dtypes: Sequence[DType]) -> list[DType]:
    """The types in which results are accumulated: f32 for sums and products of narrower floats."""
    op = single_operation(block)
    if op is not None and isinstance(op, _ACCUMULATING) and is_narrow(dtypes[0]):
        return [F32]
    return [tensor_type(v).dtype for v in block.args[: len(dtypes)]]


@lowering(s.ReduceOp)
def reduce(op: s.ReduceOp, b: Lowering) -> list[Value]:
    inputs = list(op.inputs)
    rank = tensor_type(inputs[0]).rank
    sizes = b.shape_like(inputs)
    kept = [d for d in range(rank) if d not in op.dimensions]
    block = op.body.block
    result_dtypes = [tensor_type(r).dtype for r in op.results]
    dtypes = accumulators(block, [tensor_type(v).dtype for v in inputs])
    outs = [
        b.fill(convert(b, b.scalar(v), dtype), [sizes[d] for d in kept])
        for v, dtype in zip(op.init_values, dtypes, strict=True)
    ]
    body = combine_body(block, len(inputs), dtypes)
    results = b.generic(
        inputs,
        [AffineMap.identity(rank)] * len(inputs),
        outs,
        [AffineMap.select(rank, kept)] * len(inputs),
        [PARALLEL if d in kept else REDUCTION for d in range(rank)],
        body,
    )
    converted = [convert_tensor(b, r, d) for r, d in zip(results, result_dtypes, strict=True)]
    return [b.cast(r, tensor_type(o)) for r, o in zip(converted, op.results, strict=True)]


def combine_body(
    block: Block, count: int, dtypes: Sequence[DType]
) -> Callable[[Builder, list[Value]], Sequence[Value]]:
    """A generic's body (arguments: elements, then accumulators) from a region on (accumulators, elements)."""

    def body(b: Builder, args: list[Value]) -> Sequence[Value]:
        elements = [convert(b, v, d) for v, d in zip(args[:count], dtypes, strict=True)]
        state = args[len(args) - count :]
        single = single_operation(block)
        if single is not None:
            return [emit_scalar(b, single, [state[0], elements[0]])]
        return emit_block(b, block, [*state, *elements])

    return body


@lowering(s.SortOp)
def sort(op: s.SortOp, b: Lowering) -> list[Value]:
    dtypes = [tensor_type(v).dtype for v in op.inputs]
    block = Block([d for dtype in dtypes for d in (dtype, dtype)])
    inner = Builder(block, None, op.location)
    inner.insert(YieldOp(tuple(emit_block(inner, op.comparator.block, block.args))))
    axis = op.dimension % tensor_type(op.inputs[0]).rank
    return list(b.insert(SortOp(tuple(op.inputs), axis, Region([block]))).results)


@lowering(TopKOp)
def top_k(op: TopKOp, b: Lowering) -> list[Value]:
    """Sorts values with their positions, descending and stable, and keeps the first k.

    Floats are ordered by totalOrder, so that nan comes first, as XLA's top_k does.
    """
    operand = op.operand
    t = tensor_type(operand)
    axis = t.rank - 1
    positions = build_iota(b, b.dims(operand), axis, I32)
    block = Block([t.dtype, t.dtype, I32, I32])
    inner = Builder(block, None, op.location)
    kind = ComparisonType.TOTALORDER if t.dtype.is_float else None
    greater = compare_scalars(inner, ComparisonDirection.GT, block.args[0], block.args[1], kind)
    inner.insert(YieldOp((greater,)))
    values, order = b.insert(SortOp((operand, positions), axis, Region([block]))).results
    b.require_at_least(b.dim(operand, axis), op.k, f"dimension {axis} of the operand of top_k")
    sizes = [*b.dims(operand)[:-1], op.k]
    first = [b.insert(ExtractSliceOp.of(v, [0] * t.rank, sizes)).result for v in (values, order)]
    return [b.cast(v, tensor_type(r)) for v, r in zip(first, op.results, strict=True)]
