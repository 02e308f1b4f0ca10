"""The first step of the loops strategy: everything in the dispatch becomes linalg.generic between buffers.

Afterwards the function holds scalar code, views of bindings, `to_tensor` of them, generics (outputs: `tensor.empty` or
other generics), and a `materialize_in_destination` of a generic's result for each place that is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.accesses import evaluate
from tesselle.codegen.common.generics import PARALLEL, REDUCTION
from tesselle.codegen.common.sizes import buffer_sizes, tensor_sizes
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import arith, memref, tensor, vector
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, ConvOp, FillOp, GenericOp, IndexOp, conv_maps
from tesselle.ir.affine import AffineConst, AffineExpr, AffineMap, dim
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import MemRefType, TensorType, VectorType
from tesselle.support.diagnostics import Unsupported


def prepare(kernel: KernelFunction) -> None:
    """Rewrite the function in place. Errors: Unsupported for operations that have no loops."""
    normalise(kernel)
    _separate_stores(kernel)
    eliminate_dead_code(kernel.function)
    allowed = (GenericOp, ToTensorOp, MaterializeInDestinationOp, tensor.EmptyOp)
    for op in kernel.function.entry:
        if any(isinstance(r.type, TensorType) for r in op.results) and not isinstance(op, allowed):
            raise Unsupported(f"{op.name} cannot be compiled in this dispatch", op.location, f"codegen.{op.name}")
        if isinstance(op, tensor.ExtractOp):
            raise Unsupported(
                "an element of a tensor computed in the same dispatch", op.location, "codegen.tensor.extract"
            )


def normalise(kernel: KernelFunction) -> None:
    """Apply the rules below until none applies."""
    changed = True
    while changed:
        changed = False
        for op in kernel.function.entry:
            if op.parent is not None and _rewrite(kernel, op):
                changed = True
        eliminate_dead_code(kernel.function)


def _rewrite(kernel: KernelFunction, op: Op) -> bool:
    """Apply the rule for one operation; whether it changed anything."""
    b = Builder.before_op(op)
    if isinstance(op, tensor.DimOp):
        op.replace_with(ix.as_value(b, tensor_sizes(kernel, b, op.operand)[op.axis]))
    elif isinstance(op, FillOp):
        op.replace_with(generics.fill(b, op.value, op.output).results)
    elif isinstance(op, tensor.SplatOp):
        sizes = tensor.mixed(op.result_type.shape, op.dynamic_dims)
        out = generics.empty_like(b, op.result_type, sizes)
        op.replace_with(generics.fill(b, op.value, out).results)
    elif isinstance(op, arith.ConstantOp) and isinstance(op.result_type, TensorType):
        _constant(kernel, b, op)
    elif isinstance(op, tensor.FromElementsOp):
        _from_elements(kernel, b, op)
    elif isinstance(op, ContractOp):
        op.replace_with(generics.contract_to_generic(b, op).results)
    elif isinstance(op, ConvOp):
        _convolution(kernel, b, op)
    elif isinstance(op, tensor.ExtractOp):
        return _extract(b, op)
    elif isinstance(op, MaterializeInDestinationOp):
        return _store(kernel, b, op)
    elif isinstance(op, GenericOp):
        return _gathers(op)
    else:
        return _view(kernel, b, op)
    return True


# ---------------------------------------------------------------------------------------------- constants


def _constant(kernel: KernelFunction, b: Builder, op: arith.ConstantOp) -> None:
    """Splats become scalar operands or fills; the elements of others are written to local memory by each workgroup."""
    t = tensor_type(op.result)
    value = op.value
    if isinstance(value, DenseElements) and not value.is_splat:
        _constant_table(b, op, value)
        return
    number: Any = value.splat_value.item() if isinstance(value, DenseElements) else value
    if t.dtype.is_float:
        number = float(number)
    scalar = b.insert(arith.ConstantOp(number, t.dtype)).result
    for user, index in list(op.result.uses):
        if isinstance(user, GenericOp) and index < len(user.inputs):
            scalar_map = AffineMap(len(user.iterator_types), 0, ())
            at = Builder.before_op(user)
            generics.replace_input(
                user, index, scalar, scalar_map, lambda at=at: generics.empty_like(at, t, t.static_shape)
            )
    if op.result.uses:
        op.result.replace_all_uses_with(generics.fill(b, scalar, generics.empty_like(b, t, t.static_shape)).result)
    op.erase()


TABLE_LANES = 8
LOCAL_BYTES = 1 << 24
"""The most that a data movement's computed operand may take."""


def _constant_table(b: Builder, op: arith.ConstantOp, value: DenseElements) -> None:
    t = value.type
    buffer = b.insert(memref.AllocaOp(MemRefType((value.array.size,), t.dtype))).result
    flat = value.array.reshape(-1)
    for start in range(0, flat.size, TABLE_LANES):
        part = np.ascontiguousarray(flat[start : start + TABLE_LANES])
        at = [ix.as_value(b, start)]
        if part.size == 1:
            b.insert(memref.StoreOp(b.insert(arith.ConstantOp(part[0].item(), t.dtype)).result, buffer, at))
            continue
        type = VectorType(part.shape, t.dtype)
        row = b.insert(arith.ConstantOp(DenseElements(part, type), type)).result
        b.insert(vector.StoreOp(row, buffer, at))
    shaped = memory.reinterpret(b, buffer, list(t.static_shape))
    op.replace_with(b.insert(ToTensorOp(shaped)).result)


def _from_elements(kernel: KernelFunction, b: Builder, op: tensor.FromElementsOp) -> None:
    """One element is a fill; several go through local memory."""
    t = op.result_type
    if len(op.elements) == 1:
        op.replace_with(generics.fill(b, op.elements[0], generics.empty_like(b, t, t.static_shape)).results)
        return
    buffer = b.insert(memref.AllocaOp(MemRefType((max(1, len(op.elements)),), t.dtype))).result
    for i, v in enumerate(op.elements):
        b.insert(memref.StoreOp(v, buffer, [ix.as_value(b, i)]))
    op.replace_with(b.insert(ToTensorOp(memory.reinterpret(b, buffer, list(t.static_shape)))).result)


# ---------------------------------------------------------------------------------------------- convolution


def _convolution(kernel: KernelFunction, b: Builder, op: ConvOp) -> None:
    """Multiply and add over windows; grouped ones see their channels as [group, channel of the group]."""
    if op.groups == 1:
        x, w, y = conv_maps(op)
        r = op.spatial_rank
        kinds = [PARALLEL] * (r + 2) + [REDUCTION] * (r + 1)
        op.replace_with(_multiply_add(b, op, [op.input, op.filter, op.output], [x, w, y], kinds).results)
        return
    r, g = op.spatial_rank, op.groups
    # Loops: n, x…, group, f within it, w…, c.
    count = 2 * r + 4
    n, group, f, c = dim(0), dim(r + 1), dim(r + 2), dim(count - 1)
    xs, ws = [dim(1 + i) for i in range(r)], [dim(r + 3 + i) for i in range(r)]
    window: list[AffineExpr] = [x * s + w * d for x, w, s, d in zip(xs, ws, op.strides, op.dilations, strict=True)]
    split = [_split_last(kernel, b, v, g) for v in (op.input, op.filter, op.output)]
    maps = [
        AffineMap(count, 0, (n, *window, group, c)),
        AffineMap(count, 0, (*ws, c, group, f)),
        AffineMap(count, 0, (n, *xs, group, f)),
    ]
    kinds = [PARALLEL] * (r + 3) + [REDUCTION] * (r + 1)
    result = _multiply_add(b, op, split, maps, kinds).result
    sizes = tensor_sizes(kernel, b, op.output)
    _, dynamic = tensor.split_mixed(sizes)
    op.replace_with(b.insert(tensor.ReshapeOp(result, dynamic, tensor_type(op.output))).result)


def _multiply_add(
    b: Builder, op: ConvOp, operands: Sequence[Value], maps: Sequence[AffineMap], kinds: Sequence[generics.IteratorType]
) -> GenericOp:
    out = tensor_type(op.output).dtype

    def body(c: Builder, args: Sequence[Value]) -> Sequence[Value]:
        x, y = (generics.convert(c, v, out, generics.element_type(v).is_unsigned) for v in args[:2])
        return [generics.multiply_add(c, x, y, args[2])]

    return generics.generic(b, operands[:2], operands[2:], maps, kinds, body)


def _split_last(kernel: KernelFunction, b: Builder, value: Value, groups: int) -> Value:
    """The tensor with its last dimension as [groups, rest]."""
    sizes = tensor_sizes(kernel, b, value)
    split = [*sizes[:-1], groups, ix.floordiv(b, sizes[-1], groups)]
    static, dynamic = tensor.split_mixed(split)
    source = value.defining_op
    if isinstance(source, tensor.EmptyOp):
        return generics.empty_like(b, tensor_type(value), split)
    if isinstance(source, GenericOp) and not source.inputs and source.result.has_one_use:
        # A fill under another shape.
        captured = source.body.block.terminator.operands[0]
        return generics.fill(b, captured, generics.empty_like(b, tensor_type(value), split)).result
    return b.insert(tensor.ReshapeOp(value, dynamic, TensorType(static, tensor_type(value).dtype))).result


# ---------------------------------------------------------------------------------------------- views


def buffer_of(value: Value) -> Value | None:
    """The memref whose elements the tensor is, if it is one."""
    op = value.defining_op
    return op.buffer if isinstance(op, ToTensorOp) else None


def _extract(b: Builder, op: tensor.ExtractOp) -> bool:
    """A scalar read by the host part of the kernel."""
    element = _element(b, op.operand, op.indices)
    if element is None:
        return False
    op.replace_with(element)
    return True


def _element(b: Builder, value: Value, indices: Sequence[Value]) -> Value | None:
    """One element of a tensor: loaded, or computed where an elementwise operation of this dispatch defines the
    tensor.
    """
    buffer = buffer_of(value)
    if buffer is not None:
        return b.insert(memref.LoadOp(buffer, indices)).result
    op = value.defining_op
    if not isinstance(op, GenericOp) or not op.is_elementwise or len(op.outputs) != 1:
        return None
    positions = op.output_maps[0].projected_dims()
    if positions is None or op.body.block.args[-1].uses:
        return None
    counters: dict[int, ix.Size] = dict(zip(positions, indices, strict=True))
    values: dict[Value, Value] = {}
    for arg, v, m in zip(op.body.block.args, op.inputs, op.input_maps, strict=False):
        element: Value | None = v
        if isinstance(v.type, TensorType):
            at = [ix.as_value(b, evaluate(b, e, counters)) for e in m.results]
            element = _element(b, v, at)
        if element is None:
            return None
        values[arg] = element
    for inner in op.body.block:
        if isinstance(inner, IndexOp):
            values[inner.result] = ix.as_value(b, counters[inner.dim])
        elif inner is not op.body.block.last:
            b.insert(inner.clone(values))
    (result,) = op.body.block.terminator.operands
    return values.get(result, result)


def _gathers(op: GenericOp) -> bool:
    """Elements that a body reads from tensors which are computed here are computed in the body."""
    changed = False
    for inner in op.body.block:
        if isinstance(inner, tensor.ExtractOp) and buffer_of(inner.operand) is None:
            element = _element(Builder.before_op(inner), inner.operand, inner.indices)
            if element is not None:
                inner.replace_with(element)
                changed = True
    return changed


def _view(kernel: KernelFunction, b: Builder, op: Op) -> bool:
    """Views of buffers stay views; reshapes of computed tensors move to where these are used."""
    if isinstance(op, tensor.CastOp):
        buffer = buffer_of(op.operand)
        if buffer is None:
            # Uses learn the better known of the two types.
            op.replace_with(op.operand)
            return True
        sizes = buffer_sizes(kernel, b, buffer)
        known = [s if s is not None else v for s, v in zip(tensor_type(op.result).shape, sizes, strict=True)]
        view = memory.reinterpret(b, buffer, known) if _is_dense(buffer) else buffer
        op.replace_with(b.insert(ToTensorOp(view)).result)
        return True
    if isinstance(op, tensor.ExtractSliceOp):
        buffer = buffer_of(op.operand)
        keep = memory.kept_dims(op.static_sizes, MemRefType(op.result_type.shape, op.result_type.dtype))
        if buffer is not None:
            view = memory.subview(b, buffer, op.mixed_offsets, op.mixed_sizes, op.mixed_strides, keep)
            op.replace_with(b.insert(ToTensorOp(view)).result)
            return True
        return _slice_in_consumers(kernel, b, op, keep)
    if isinstance(op, tensor.CollapseShapeOp | tensor.ExpandShapeOp | tensor.ReshapeOp):
        return _reshape(kernel, b, op)
    return False


def _is_dense(buffer: Value) -> bool:
    t = memref_type(buffer)
    return t.strides is None and t.offset == 0


def _reshape(kernel: KernelFunction, b: Builder, op: Op) -> bool:
    source, result = op.operands[0], op.results[0]
    sizes = tensor_sizes(kernel, b, result)
    buffer = buffer_of(source)
    if buffer is not None and _is_dense(buffer):
        op.replace_with(b.insert(ToTensorOp(memory.reinterpret(b, buffer, sizes))).result)
        return True
    for user, index in list(result.uses):
        if isinstance(user, MaterializeInDestinationOp) and _is_dense(user.dest):
            at = Builder.before_op(user)
            source_sizes = tensor_sizes(kernel, at, source)
            at.insert(MaterializeInDestinationOp(source, memory.reinterpret(at, user.dest, source_sizes)))
            user.erase()
        elif isinstance(user, GenericOp) and index < len(user.inputs):
            _read_through(kernel, user, index, source, sizes)
        elif isinstance(user, GenericOp):
            raise Unsupported("a reshaped tensor cannot be updated in place", user.location)
    if result.uses:
        return False
    op.erase()
    return True


def _read_through(kernel: KernelFunction, user: GenericOp, index: int, source: Value, sizes: Sequence[ix.Size]) -> None:
    """Let `user` read `source` in place of its reshaped form of `sizes`: linear position, then its coordinates."""
    b = Builder.before_op(user)
    shape = [ix.known(s) for s in tensor_sizes(kernel, b, source)]
    view = [ix.known(s) for s in sizes]
    if None in shape[1:] or None in view[1:]:
        raise Unsupported("a reshape between loops with dynamic sizes", user.location)
    m = user.indexing_maps[index]
    position: AffineExpr = AffineConst(0)
    for e, size in zip(m.results, view, strict=True):
        position = position * (size or 1) + e if size is not None else e
    results: list[AffineExpr] = []
    for i, size in enumerate(shape):
        inner = int(np.prod([s for s in shape[i + 1 :] if s is not None], dtype=np.int64))
        e = position // inner
        results.append(e % size if i and size is not None else e)
    t = tensor_type(source)
    moved = AffineMap(m.dim_count, 0, tuple(results))
    generics.replace_input(user, index, source, moved, lambda: generics.empty_like(b, t, sizes))


def _slice_in_consumers(kernel: KernelFunction, b: Builder, op: tensor.ExtractSliceOp, keep: Sequence[int]) -> bool:
    """A slice of a computed tensor with known offsets: generics that read it shift their maps."""
    offsets = [ix.known(o) for o in op.mixed_offsets]
    steps = [ix.known(s) for s in op.mixed_strides]
    source = op.operand.defining_op
    if not isinstance(source, GenericOp) or None in offsets or None in steps:
        return False
    sizes = tensor_sizes(kernel, b, op.result)
    for user, index in list(op.result.uses):
        if isinstance(user, MaterializeInDestinationOp):
            out = generics.empty_like(b, op.result_type, sizes)
            user.set_operand(0, generics.copy(b, op.result, out).result)
            return True
        if not isinstance(user, GenericOp) or index >= len(user.inputs):
            return False
    for user, index in list(op.result.uses):
        assert isinstance(user, GenericOp)
        m = user.indexing_maps[index]
        kept = iter(m.results)
        results: list[AffineExpr] = []
        for d, (o, s) in enumerate(zip(offsets, steps, strict=True)):
            assert o is not None and s is not None
            results.append(next(kept) * s + o if d in keep else AffineConst(0) + o)
        at = Builder.before_op(user)
        moved = AffineMap(m.dim_count, 0, tuple(results))
        generics.replace_input(
            user, index, op.operand, moved, lambda at=at: generics.empty_like(at, op.result_type, sizes)
        )
    op.erase()
    return True


def local_buffer(kernel: KernelFunction, b: Builder, value: Value) -> Value:
    """The memory of a tensor; one that the dispatch computes is computed into local memory by each workgroup.

    Errors: Unsupported when that has no bound, or no loops compute it.
    """
    buffer = buffer_of(value)
    if buffer is not None:
        return buffer
    op, t = value.defining_op, tensor_type(value)
    if not isinstance(op, GenericOp) or len(op.outputs) != 1 or not t.is_static or t.size_bytes > LOCAL_BYTES:
        location = op.location if op is not None else kernel.function.location
        raise Unsupported(f"{t} is computed in a dispatch that moves data", location)
    top = Builder(kernel.function.entry, kernel.function.entry.first, op.location)
    out = top.insert(memref.AllocaOp(MemRefType(t.static_shape, t.dtype))).result
    inputs = [local_buffer(kernel, b, v) if isinstance(v.type, TensorType) else v for v in op.inputs]
    if op.body.block.args[-1].uses:
        generics.copy(b, local_buffer(kernel, b, op.outputs[0]), out)
    b.insert(generics.make_generic(inputs, [out], op.indexing_maps, op.iterator_types, generics.clone_body(op)))
    return out


# ---------------------------------------------------------------------------------------------- stores


def _store(kernel: KernelFunction, b: Builder, op: MaterializeInDestinationOp) -> bool:
    """An insert_slice is written in place; what is not computed here is copied."""
    source = op.source.defining_op
    if isinstance(source, tensor.InsertSliceOp):
        dest = buffer_of(source.dest)
        if dest is None or dest is not op.dest:
            b.insert(MaterializeInDestinationOp(source.dest, op.dest))
        shape = tensor_type(source.source)
        keep = memory.kept_dims(source.static_sizes, MemRefType(shape.shape, shape.dtype))
        view = memory.subview(b, op.dest, source.mixed_offsets, source.mixed_sizes, source.mixed_strides, keep)
        b.insert(MaterializeInDestinationOp(source.source, view))
        op.erase()
        return True
    buffer = buffer_of(op.source)
    if buffer is not None and buffer is op.dest:
        op.erase()
        return True
    if buffer is not None or isinstance(source, tensor.EmptyOp):
        sizes = tensor_sizes(kernel, b, op.source)
        out = generics.empty_like(b, tensor_type(op.source), sizes)
        op.set_operand(0, out if isinstance(source, tensor.EmptyOp) else generics.copy(b, op.source, out).result)
        if isinstance(source, tensor.EmptyOp):
            op.erase()
        return True
    return False


def _separate_stores(kernel: KernelFunction) -> None:
    """No computed value is stored twice: further places get copies."""
    seen: set[Value] = set()
    for op in kernel.function.entry:
        if not isinstance(op, MaterializeInDestinationOp):
            continue
        if op.source in seen:
            b = Builder.before_op(op)
            out = generics.empty_like(b, tensor_type(op.source), tensor_sizes(kernel, b, op.source))
            op.set_operand(0, generics.copy(b, op.source, out).result)
        seen.add(op.source)
