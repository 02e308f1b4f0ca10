"""StableHLO that makes tensors or moves elements by static rules: loop nests whose maps do the moving."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import IndexOp
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import BOUND
from tesselle.ir.affine import AffineConst, AffineExpr, AffineMap, dim
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.assertions import require_multiple
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import (
    from_elements,
    host_elements,
    is_host_type,
    is_host_value,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    Lowering,
    Size,
    as_static,
    first_argument,
    lowering,
    splat_scalar,
    tensor_constant,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert
from tesselle.passes.index_arithmetic import IndexBuilder
from tesselle.support.dtypes import I1, I32, INDEX, DType


@lowering(s.ConstantOp)
def constant(op: s.ConstantOp, b: Lowering) -> Value:
    return b.insert(a.ConstantOp(op.value, op.value.type)).result


def build_iota(b: Lowering, shape: Sequence[Size], axis: int, dtype: DType) -> Value:
    """result[i] = i[axis]."""

    def body(inner: Builder, args: list[Value]) -> Value:
        return index_to(inner, inner.insert(IndexOp(axis)).result, dtype)

    return b.elementwise([], [], shape, dtype, body)


def index_to(b: Builder, value: Value, dtype: DType) -> Value:
    """An index value as any element type."""
    if dtype.is_index:
        return value
    if dtype.is_float or dtype.is_complex:
        from tesselle.support.dtypes import I64

        return convert(b, b.insert(a.IndexCastOp(value, I64)).result, dtype)
    return b.insert((a.IndexCastUIOp if dtype.is_unsigned else a.IndexCastOp)(value, dtype)).result


@lowering(s.IotaOp)
def iota(op: s.IotaOp, b: Lowering) -> Value:
    t = op.result_type
    return build_iota(b, t.static_shape, op.iota_dimension, t.dtype)


@lowering(s.ReshapeOp)
def reshape(op: s.ReshapeOp, b: Lowering) -> Value:
    t = op.result_type
    if t.is_static:
        known = _host_view(b, op.operand, t)
        if known is not None:
            return known
    return b.reshape(op.operand, reshaped_sizes(b, op.operand, t))


def _host_view(b: Lowering, value: Value, t: TensorType) -> Value | None:
    """A host tensor under another shape."""
    if is_host_type(t) and is_host_value(value) and isinstance(value.defining_op, tensor.FromElementsOp):
        return from_elements(b, host_elements(b, value) or [], t)
    return None


def reshaped_sizes(b: Lowering, operand: Value, t: TensorType) -> list[Size]:
    """The sizes of a reshape's result; its only dynamic dimension follows from the number of elements."""
    if t.is_static:
        return list(t.static_shape)
    known, count = 1, b.index_of(IndexBuilder(b).product(b.dims(operand)))
    for size in t.shape:
        known *= size if size is not None else 1
    require_multiple(b, count, known, "the number of elements")
    rest = b.insert(a.DivSIOp(count, b.index(known))).result
    return [size if size is not None else rest for size in t.shape]


@lowering(s.TransposeOp)
def transpose(op: s.TransposeOp, b: Lowering) -> Value:
    return build_transpose(b, op.operand, op.permutation)


def build_transpose(b: Lowering, value: Value, permutation: Sequence[int]) -> Value:
    """result[i] = value[j] with i[d] = j[permutation[d]]; the value itself for the identity."""
    rank = len(permutation)
    if list(permutation) == list(range(rank)):
        return value
    shape = [b.dim(value, p) for p in permutation]
    inverse = sorted(range(rank), key=lambda d: permutation[d])
    return b.elementwise([value], [AffineMap.select(rank, inverse)], shape, tensor_type(value).dtype, first_argument)


@lowering(s.BroadcastInDimOp)
def broadcast_in_dim(op: s.BroadcastInDimOp, b: Lowering) -> Value:
    t = op.result_type
    known = _host_view(b, op.operand, t) if t.rank == 0 or tensor_type(op.operand).shape == (1,) == t.shape else None
    if known is not None:
        return known
    sizes: list[Size] = list(t.static_shape) if t.is_static else []
    for d, size in enumerate(t.shape if not sizes else ()):
        if size is None:
            size_value = b.dim(op.operand, op.broadcast_dimensions.index(d))
            sizes.append(size_value)
        else:
            sizes.append(size)
    return build_broadcast(b, op.operand, sizes, op.broadcast_dimensions)


def build_broadcast(b: Lowering, value: Value, shape: Sequence[Size], dims: Sequence[int]) -> Value:
    """result[i] = value[i[dims]], where dimensions of size 1 repeat. Views and fills where they do."""
    t = tensor_type(value)
    splat = splat_scalar(value)
    if splat is not None:
        return b.fill(b.constant(splat, t.dtype), shape)
    rank = len(shape)
    if t.is_static and tuple(shape) == t.shape and list(dims) == list(range(rank)):
        return value
    kept = [d for k, d in enumerate(dims) if t.shape[k] != 1]
    is_view = (
        t.is_static
        and kept == sorted(kept)
        and all(shape[d] == 1 for d in range(rank) if d not in kept)
        and all(shape[d] == t.shape[k] for k, d in enumerate(dims) if t.shape[k] != 1)
    )
    if is_view:
        return b.reshape(value, shape)
    exprs: list[AffineExpr] = [
        AffineConst(0) if t.shape[k] == 1 and shape[d] != 1 else dim(d) for k, d in enumerate(dims)
    ]
    result = b.elementwise([value], [AffineMap(rank, 0, tuple(exprs))], shape, t.dtype, first_argument)
    return b.cast(result, TensorType(as_static(shape), t.dtype))


@lowering(s.BroadcastOp)
def broadcast(op: s.BroadcastOp, b: Lowering) -> Value:
    extra = len(op.broadcast_sizes)
    shape = [*op.broadcast_sizes, *b.dims(op.operand)]
    return build_broadcast(b, op.operand, shape, range(extra, len(shape)))


@lowering(s.ConcatenateOp)
def concatenate(op: s.ConcatenateOp, b: Lowering) -> Value:
    t = tensor_type(op.results[0])
    if is_host_type(t) and t.rank == 1 and all(map(is_host_value, op.inputs)):
        known = [x for v in op.inputs for x in host_elements(b, v) or []]
        return from_elements(b, known, t)
    inputs = [v for v in op.inputs if tensor_type(v).shape[op.dimension] != 0]
    if len(inputs) <= 1:
        return b.cast(inputs[0] if inputs else op.inputs[0], t)
    return b.cast(b.insert(tensor.ConcatOp(tuple(inputs), op.dimension)).result, t)


@lowering(s.ReverseOp)
def reverse(op: s.ReverseOp, b: Lowering) -> Value:
    return build_reverse(b, op.operand, op.dimensions)


def build_reverse(b: Lowering, value: Value, dimensions: Sequence[int]) -> Value:
    """The value with the order of elements reversed along `dimensions`."""
    t = tensor_type(value)
    rank = t.rank
    flipped = [d for d in dimensions if t.shape[d] != 1]
    if not flipped:
        return value
    shape = b.dims(value)
    exprs: list[AffineExpr] = []
    for d, size in enumerate(t.shape):
        if d not in flipped:
            exprs.append(dim(d))
        elif size is not None:
            exprs.append(dim(d) * -1 + (size - 1))
        else:
            return _reverse_dynamic(b, value, flipped, shape)
    return b.elementwise([value], [AffineMap(rank, 0, tuple(exprs))], shape, t.dtype, first_argument)


def _reverse_dynamic(b: Lowering, value: Value, flipped: Sequence[int], shape: Sequence[Size]) -> Value:
    def body(inner: Builder, args: list[Value]) -> Value:
        place: list[Value] = []
        for d, size in enumerate(shape):
            i = inner.insert(IndexOp(d)).result
            if d in flipped:
                one = inner.insert(a.ConstantOp(1, i.type)).result
                count = size if isinstance(size, Value) else inner.insert(a.ConstantOp(size, i.type)).result
                last = inner.insert(a.SubIOp(count, one)).result
                i = inner.insert(a.SubIOp(last, i)).result
            place.append(i)
        return inner.insert(tensor.ExtractOp(value, tuple(place))).result

    return b.elementwise([], [], shape, tensor_type(value).dtype, body)


@lowering(s.SliceOp)
def slice_op(op: s.SliceOp, b: Lowering) -> Value:
    t = tensor_type(op.operand)
    if t.rank == 1 and isinstance(op.operand.defining_op, tensor.FromElementsOp):
        known = host_elements(b, op.operand) or []
        picked = known[op.start_indices[0] : op.limit_indices[0] : op.strides[0]]
        return from_elements(b, picked, tensor_type(op.results[0]))
    return build_slice(b, op.operand, op.start_indices, tensor_type(op.results[0]).static_shape, op.strides)


def build_slice(
    b: Lowering, value: Value, offsets: Sequence[int], sizes: Sequence[int], strides: Sequence[int]
) -> Value:
    """A static slice: a view when its elements are contiguous, otherwise a map d * stride + offset."""
    t = tensor_type(value)
    rank = t.rank
    if t.shape == tuple(sizes) and not any(offsets):
        return value
    if is_contiguous(t, offsets, sizes, strides):
        return b.insert(tensor.ExtractSliceOp.of(value, list(offsets), list(sizes))).result
    exprs = tuple(dim(d) * strides[d] + offsets[d] for d in range(rank))
    return b.elementwise([value], [AffineMap(rank, 0, exprs)], list(sizes), t.dtype, first_argument)


def is_contiguous(t: TensorType, offsets: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether a slice's elements are adjacent in memory: whole dimensions behind the cut one, ones before it."""
    cut = next((d for d in range(t.rank) if sizes[d] != 1), t.rank)
    if any(s != 1 for s, n in zip(strides, sizes, strict=True) if n > 1):
        return False
    return all(offsets[d] == 0 and t.shape[d] == sizes[d] for d in range(cut + 1, t.rank))


@lowering(s.PadOp)
def pad(op: s.PadOp, b: Lowering) -> Value:
    return build_pad(b, op.operand, op.padding_value, op.edge_padding_low, op.edge_padding_high, op.interior_padding)


def build_pad(
    b: Lowering,
    value: Value,
    padding_value: Value,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int],
) -> Value:
    """Interior padding by a loop nest, negative edges by a slice, the rest by tensor.pad."""
    t = tensor_type(value)
    rank = t.rank
    if any(interior):
        value = _pad_interior(b, value, padding_value, interior)
        t = tensor_type(value)
    if not t.is_static and any(min(x, y) < 0 < max(x, y) for x, y in zip(low, high, strict=True)):
        # Of an open size nobody knows whether the cut reaches into the padding of the other side: it comes last.
        value = build_pad(b, value, padding_value, [max(x, 0) for x in low], [max(x, 0) for x in high], [0] * rank)
        return build_pad(b, value, padding_value, [min(x, 0) for x in low], [min(x, 0) for x in high], [0] * rank)
    if any(x < 0 for x in (*low, *high)):
        offsets = [max(-x, 0) for x in low]
        cut = [o + max(-x, 0) for o, x in zip(offsets, high, strict=True)]
        if t.is_static and all(c <= d for c, d in zip(cut, t.static_shape, strict=True)):
            sizes: list[Size] = [d - c for d, c in zip(t.static_shape, cut, strict=True)]
            value = build_slice(b, value, offsets, [x for x in sizes if isinstance(x, int)], [1] * rank)
        elif t.is_static:
            # A cut longer than the operand reaches into the padding of the other side.
            return _pad_by_index(b, value, padding_value, low, high)
        else:
            sizes = []
            for axis, (d, c) in enumerate(zip(b.dims(value), cut, strict=True)):
                b.require_at_least(d, c, f"dimension {axis} of the operand of pad")
                sizes.append(d - c if isinstance(d, int) else b.insert(a.SubIOp(d, b.index(c))).result)
            value = b.insert(tensor.ExtractSliceOp.of(value, offsets, sizes)).result
        t = tensor_type(value)
    low, high = [max(x, 0) for x in low], [max(x, 0) for x in high]
    if not any(low) and not any(high):
        return value
    shape = tuple(None if d is None else d + x + y for d, x, y in zip(t.shape, low, high, strict=True))
    out = TensorType(shape, t.dtype)
    return b.insert(tensor.PadOp(value, b.scalar(padding_value), (), (), tuple(low), tuple(high), out)).result


def build_pad_at_run_time(
    b: Lowering,
    value: Value,
    padding_value: Value,
    low: Sequence[Size],
    high: Sequence[Size],
    interior: Sequence[Size],
) -> Value:
    """result[i] = value[j] where i = low + j * (interior + 1) has a solution j in the value, else the padding value."""
    t = tensor_type(value)
    rank = t.rank
    index = IndexBuilder(b)
    steps = [index.value(index.add(gap, 1)) for gap in interior]
    lows = [index.value(x) for x in low]
    shape: list[Size] = []
    for size, first, last, gap in zip(b.dims(value), low, high, interior, strict=True):
        gaps: Size
        if isinstance(size, int):
            gaps = max(size - 1, 0)
        else:
            gaps = b.insert(a.MaxSIOp(b.insert(a.SubIOp(size, b.index(1))).result, b.index(0))).result
        shape.append(index.add(index.add(size, index.multiply(gaps, gap)), index.add(first, last)))
    if 0 in t.shape:
        return b.fill(b.scalar(padding_value), shape)
    scalars = [b.scalar(padding_value), *lows, *steps, *(index.value(n) for n in b.dims(value))]

    def body(n: Builder, args: list[Value]) -> Value:
        fill, first, step, size = args[0], *(args[1 + k * rank : 1 + (k + 1) * rank] for k in range(3))
        start = n.insert(a.ConstantOp(0, INDEX)).result
        hit: Value = n.insert(a.ConstantOp(True, I1)).result
        place: list[Value] = []
        for d in range(rank):
            moved = n.insert(a.SubIOp(n.insert(IndexOp(d)).result, first[d])).result
            j = n.insert(a.DivSIOp(moved, step[d])).result
            exact = n.insert(a.CmpIOp(a.CmpIPredicate.EQ, n.insert(a.MulIOp(j, step[d])).result, moved)).result
            # In front of the value `moved` is negative: unsigned it is larger than every size.
            reach = n.insert(a.MulIOp(size[d], step[d])).result
            inside = n.insert(a.CmpIOp(a.CmpIPredicate.ULT, moved, reach)).result
            here = n.insert(a.AndIOp(exact, inside)).result
            hit = n.insert(a.AndIOp(hit, here)).result
            place.append(n.insert(a.SelectOp(here, j, start)).result)
        return n.insert(a.SelectOp(hit, n.insert(tensor.ExtractOp(value, tuple(place))).result, fill)).result

    return b.elementwise(scalars, [AffineMap(rank, 0, ())] * len(scalars), shape, t.dtype, body)


def _pad_interior(b: Lowering, value: Value, padding_value: Value, interior: Sequence[int]) -> Value:
    """Element i stands at i * (interior + 1); the places between hold the padding value."""
    t = tensor_type(value)
    fill = b.scalar(padding_value)
    shape: list[Size] = []
    for size, inner in zip(b.dims(value), interior, strict=True):
        if isinstance(size, int):
            shape.append(size + max(size - 1, 0) * inner)
        elif not inner:
            shape.append(size)
        else:
            gaps = b.insert(a.MaxSIOp(b.insert(a.SubIOp(size, b.index(1))).result, b.index(0))).result
            shape.append(b.insert(a.AddIOp(size, b.insert(a.MulIOp(gaps, b.index(inner))).result)).result)

    def body(inner_builder: Builder, args: list[Value]) -> Value:
        n = inner_builder
        place: list[Value] = []
        hit: Value | None = None
        for d, gap in enumerate(interior):
            i = n.insert(IndexOp(d)).result
            if gap:
                step = n.insert(a.ConstantOp(gap + 1, i.type)).result
                rest = n.insert(a.RemUIOp(i, step)).result
                here = n.insert(a.CmpIOp(a.CmpIPredicate.EQ, rest, n.insert(a.ConstantOp(0, i.type)).result)).result
                hit = here if hit is None else n.insert(a.AndIOp(hit, here)).result
                i = n.insert(a.DivUIOp(i, step)).result
            place.append(i)
        element = n.insert(tensor.ExtractOp(value, tuple(place))).result
        assert hit is not None
        return n.insert(a.SelectOp(hit, element, args[0])).result

    return b.elementwise([fill], [AffineMap(len(shape), 0, ())], shape, t.dtype, body)


def _pad_by_index(b: Lowering, value: Value, padding_value: Value, low: Sequence[int], high: Sequence[int]) -> Value:
    """Any edges: reads at clamped places, and selects."""
    t = tensor_type(value)
    fill = b.scalar(padding_value)
    shape = [d + x + y for d, x, y in zip(t.static_shape, low, high, strict=True)]

    def body(n: Builder, args: list[Value]) -> Value:
        place: list[Value] = []
        hit: Value | None = None
        for d, size in enumerate(t.static_shape):
            i = n.insert(IndexOp(d)).result
            moved = n.insert(a.SubIOp(i, n.insert(a.ConstantOp(low[d], i.type)).result)).result
            last = n.insert(a.ConstantOp(max(size - 1, 0), i.type)).result
            zero = n.insert(a.ConstantOp(0, i.type)).result
            clamped = n.insert(a.MinSIOp(n.insert(a.MaxSIOp(moved, zero)).result, last)).result
            here = n.insert(a.CmpIOp(a.CmpIPredicate.EQ, moved, clamped)).result
            hit = here if hit is None else n.insert(a.AndIOp(hit, here)).result
            place.append(clamped)
        element = n.insert(tensor.ExtractOp(value, tuple(place))).result
        return n.insert(a.SelectOp(hit, element, args[0])).result if hit is not None else element

    return b.elementwise([fill], [AffineMap(len(shape), 0, ())], shape, t.dtype, body)


@lowering(s.GetDimensionSizeOp)
def get_dimension_size(op: s.GetDimensionSizeOp, b: Lowering) -> Value:
    size = b.index_of(b.dim(op.operand, op.dimension))
    return from_elements(b, [b.insert(a.IndexCastOp(size, I32)).result], TensorType((), I32))


@lowering(s.SetDimensionSizeOp)
def set_dimension_size(op: s.SetDimensionSizeOp, b: Lowering) -> Value:
    from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements

    sizes, d = b.dims(op.operand), op.dimension
    whole = sizes[d]
    (size,) = index_elements(b, op.size)
    most = op.attributes.get(BOUND)
    what = f"the size that dimension {d} is set to"
    b.require_at_least(size, 0, what)
    b.require_at_most(size, most if isinstance(most, int) else whole, what)
    if isinstance(most, int) and not isinstance(whole, int):
        # It may be set to more than it was.
        zero = tensor_constant(b, DenseElements.splat(0, TensorType((), tensor_type(op.operand).dtype)))
        high: list[Size] = [b.insert(a.SubIOp(size, whole)).result if axis == d else 0 for axis in range(len(sizes))]
        nothing: list[Size] = [0] * len(sizes)
        result = build_pad_at_run_time(b, op.operand, zero, nothing, high, nothing)
    else:
        sizes[d] = size
        result = b.insert(tensor.ExtractSliceOp.of(op.operand, [0] * len(sizes), sizes)).result
    return b.cast(result, tensor_type(op.results[0]))
