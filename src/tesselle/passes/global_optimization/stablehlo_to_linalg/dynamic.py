"""StableHLO whose shapes are operands: the elements of those operands become index values on the host."""

from __future__ import annotations

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import IndexOp
from tesselle.dialects.stablehlo import dynamic as s
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.assertions import argument_dim, insert_assertion, place_text
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, Size, lowering
from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import build_iota, build_pad, build_pad_at_run_time
from tesselle.passes.index_arithmetic import IndexBuilder
from tesselle.support.dtypes import INDEX


def sizes_of(b: Lowering, shape: Value, t: TensorType) -> list[Size]:
    """The dimensions that a shape operand gives, static where the result type knows them."""
    elements: list[Value] = index_elements(b, shape) if None in t.shape else []
    return [elements[d] if size is None else size for d, size in enumerate(t.shape)]


@lowering(s.DynamicBroadcastInDimOp)
def dynamic_broadcast_in_dim(op: s.DynamicBroadcastInDimOp, b: Lowering) -> Value:
    """Whether a dynamic dimension of the operand repeats is known at run time: index 0 where its size is 1."""
    t = tensor_type(op.operand)
    shape = sizes_of(b, op.output_dimensions, op.result_type)
    rank = len(shape)
    known = op.known_nonexpanding_dimensions or ()
    dims = op.broadcast_dimensions
    unsure = [k for k in range(t.rank) if t.shape[k] is None and k not in known]
    if not unsure:
        from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import build_broadcast

        return b.cast(build_broadcast(b, op.operand, shape, dims), op.result_type)
    sizes = [b.index_of(b.dim(op.operand, k)) for k in unsure]
    for k, size in zip(unsure, sizes, strict=True):
        _require_broadcastable(b, size, shape[dims[k]], k)

    def body(n: Builder, args: list[Value]) -> Value:
        place: list[Value] = []
        for k, d in enumerate(dims):
            zero = n.insert(a.ConstantOp(0, INDEX)).result
            if t.shape[k] == 1:
                place.append(zero)
                continue
            i = n.insert(IndexOp(d)).result
            if k in unsure:
                one = n.insert(a.ConstantOp(1, INDEX)).result
                repeats = n.insert(a.CmpIOp(a.CmpIPredicate.EQ, args[unsure.index(k)], one)).result
                i = n.insert(a.SelectOp(repeats, zero, i)).result
            place.append(i)
        return n.insert(tensor.ExtractOp(op_operand, tuple(place))).result

    op_operand = op.operand
    result = b.elementwise(sizes, [AffineMap(rank, 0, ())] * len(sizes), shape, t.dtype, body)
    return b.cast(result, op.result_type)


def _require_broadcastable(b: Lowering, size: Value, wanted: Size, axis: int) -> None:
    """A dimension repeats, or is as large as that of the result."""
    index = IndexBuilder(b)
    one = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, size, b.index(1))).result
    fits = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, size, index.value(wanted))).result
    what = argument_dim(size)
    text = f"{what.argument}: dimension {what.axis}" if what else f"dimension {axis} of what is broadcast"
    message = f"{text} is {{0}}, but must be 1 or {{1}}{place_text(b.location)}"
    either = b.insert(a.OrIOp(one, fits)).result
    insert_assertion(b, either, message, (size, wanted), is_argument=what is not None)


@lowering(s.DynamicIotaOp)
def dynamic_iota(op: s.DynamicIotaOp, b: Lowering) -> Value:
    t = op.result_type
    return b.cast(build_iota(b, sizes_of(b, op.output_shape, t), op.iota_dimension, t.dtype), t)


@lowering(s.DynamicReshapeOp)
def dynamic_reshape(op: s.DynamicReshapeOp, b: Lowering) -> Value:
    t = op.result_type
    return b.cast(b.reshape(op.operand, sizes_of(b, op.output_shape, t)), t)


def known_numbers(value: Value) -> list[int] | None:
    """The elements of a constant; None when the value is none."""
    elements = constant_elements(value)
    return None if elements is None else [int(x) for x in elements.array.reshape(-1)]


@lowering(s.DynamicPadOp)
def dynamic_pad(op: s.DynamicPadOp, b: Lowering) -> Value:
    amounts = [known_numbers(v) for v in (op.edge_padding_low, op.edge_padding_high, op.interior_padding)]
    low, high, interior = amounts
    if low is not None and high is not None and interior is not None:
        return b.cast(build_pad(b, op.operand, op.padding_value, low, high, interior), op.result_type)
    columns = [index_elements(b, v) for v in (op.edge_padding_low, op.edge_padding_high, op.interior_padding)]
    return b.cast(build_pad_at_run_time(b, op.operand, op.padding_value, *columns), op.result_type)


@lowering(s.RealDynamicSliceOp)
def real_dynamic_slice(op: s.RealDynamicSliceOp, b: Lowering) -> Value:
    starts, limits = index_elements(b, op.start_indices), index_elements(b, op.limit_indices)
    steps = index_elements(b, op.strides)
    sizes: list[Size] = []
    for d, size in enumerate(op.result_type.shape):
        what = f"limit index {d} of real_dynamic_slice"
        b.require_at_least(starts[d], 0, f"start index {d} of real_dynamic_slice")
        b.require_at_most(limits[d], b.dim(op.operand, d), what)
        b.require_at_least(limits[d], starts[d], what)
        b.require_at_least(steps[d], 1, f"stride {d} of real_dynamic_slice")
        length = b.insert(a.SubIOp(limits[d], starts[d])).result
        count = b.insert(a.CeilDivSIOp(length, steps[d])).result
        if size is not None:
            b.require_equal(count, size, f"dimension {d} of the result of real_dynamic_slice")
        sizes.append(count if size is None else size)
    result = b.insert(tensor.ExtractSliceOp.of(op.operand, list(starts), sizes, list(steps))).result
    return b.cast(result, op.result_type)
