"""Sizes of tensors and buffers at the top of a kernel, as numbers, push constants, or arithmetic on them."""

from __future__ import annotations

from tesselle.codegen.common import generics
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.memory import reinterpret, sizes_of
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import memref, tensor
from tesselle.dialects.core.bufferization import ToTensorOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, ConvOp, GenericOp, ScatterOp, SortOp, loop_ranges
from tesselle.ir.affine import AffineDim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import TensorType
from tesselle.support.diagnostics import Unsupported


def buffer_sizes(kernel: KernelFunction, b: Builder, buffer: Value) -> list[ix.Size]:
    """The sizes of a memref; those of a binding come from the push constants."""
    if buffer.defining_op is None:
        return [kernel.binding_dim(buffer, d) for d in range(tensor_rank(buffer))]
    return sizes_of(b, buffer)


def name_sizes(kernel: KernelFunction) -> None:
    """Let every use of a binding of dynamic sizes see these as values: the same for all bindings, and with what is
    known of them (see `bind_function`), where asking the memref would give one that nothing is known of.

    memref.subview %arg[0, 0] [%i, memref.dim %arg, 1]  ->  %v = memref.reinterpret_cast %arg to [0] [%m, %n] [%n, 1]
                                                            memref.subview %v[0, 0] [%i, %n]
    """
    entry = kernel.function.entry
    values = [kernel.size(slot) for slot in range(len(kernel.push_constants))]
    of_sizes = [op for op in entry if any(_is_behind(op, v) for v in values)]
    for op in reversed(of_sizes):
        assert entry.first is not None
        if op is not entry.first:
            op.move_before(entry.first)
    for buffer in kernel.bindings:
        t = memref_type(buffer)
        if None not in t.shape or not buffer.uses:
            continue
        b = Builder(entry, of_sizes[-1].next if of_sizes else entry.first, kernel.function.location)
        sizes = buffer_sizes(kernel, b, buffer)
        for user in list(buffer.users):
            if isinstance(user, memref.DimOp):
                at = Builder.before_op(user)
                user.replace_with(ix.as_value(at, sizes[user.axis]))
        users = [(op, n) for op, n in buffer.uses]
        if users:
            view = reinterpret(b, buffer, sizes)
            for op, n in users:
                op.set_operand(n, view)


def _is_behind(op: Op, value: Value) -> bool:
    """Whether the operation computes the value, or something that it is computed from."""
    maker = value.defining_op
    return maker is not None and (maker is op or any(_is_behind(op, v) for v in maker.operands))


def tensor_rank(value: Value) -> int:
    t = value.type
    return t.rank if isinstance(t, TensorType) else len(getattr(t, "shape", ()))


def tensor_sizes(kernel: KernelFunction, b: Builder, value: Value) -> list[ix.Size]:
    """The sizes of a tensor. Errors: Unsupported when a dynamic one cannot be told from what defines the tensor."""
    t = tensor_type(value)
    if t.is_static:
        return list(t.static_shape)
    dynamic = _dynamic_sizes(kernel, b, value)
    return [s if s is not None else d for s, d in zip(t.shape, dynamic, strict=True)]


def _dynamic_sizes(kernel: KernelFunction, b: Builder, value: Value) -> list[ix.Size]:
    op = value.defining_op
    t = tensor_type(value)
    if isinstance(op, ToTensorOp):
        return buffer_sizes(kernel, b, op.buffer)
    if isinstance(op, tensor.EmptyOp):
        return tensor.mixed(t.shape, op.dynamic_dims)
    if isinstance(op, tensor.SplatOp):
        return tensor.mixed(t.shape, op.dynamic_dims)
    if isinstance(op, tensor.ExpandShapeOp | tensor.ReshapeOp):
        return tensor.mixed(t.shape, op.output_dims)
    if isinstance(op, tensor.CastOp):
        return tensor_sizes(kernel, b, op.operand)
    if isinstance(op, tensor.ExtractSliceOp) and len(op.static_sizes) == t.rank:
        return list(op.mixed_sizes)
    if isinstance(op, tensor.InsertSliceOp):
        return tensor_sizes(kernel, b, op.dest)
    if isinstance(op, tensor.CollapseShapeOp):
        source = tensor_sizes(kernel, b, op.operand)
        return [ix.product(b, [source[d] for d in group]) for group in op.reassociation]
    if isinstance(op, tensor.PadOp):
        source = tensor_sizes(kernel, b, op.operand)
        both = zip(source, op.mixed_low, op.mixed_high, strict=True)
        return [ix.add(b, ix.add(b, s, lo), hi) for s, lo, hi in both]
    if isinstance(op, tensor.ConcatOp):
        parts = [tensor_sizes(kernel, b, v) for v in op.inputs]
        sizes = list(parts[0])
        sizes[op.axis] = 0
        for p in parts:
            sizes[op.axis] = ix.add(b, sizes[op.axis], p[op.axis])
        return sizes
    if isinstance(op, ContractOp | ConvOp):
        return tensor_sizes(kernel, b, op.output)
    if isinstance(op, GenericOp | ScatterOp):
        return tensor_sizes(kernel, b, op.outputs[generics.result_index(value)])
    if isinstance(op, SortOp):
        return tensor_sizes(kernel, b, op.inputs[generics.result_index(value)])
    name = op.name if op is not None else "a block argument"
    raise Unsupported(f"the dynamic sizes of {t} from {name} are not known in the kernel", kernel.function.location)


def loop_sizes(kernel: KernelFunction, b: Builder, op: GenericOp) -> list[ix.Size]:
    """The bound of each loop of a generic on tensors."""
    return [tensor_sizes(kernel, b, op.operands[operand])[axis] for operand, axis in _static_first(op)]


def _static_first(op: GenericOp) -> list[tuple[int, int]]:
    """Like `loop_ranges`, preferring operands whose dimension is known."""
    found = loop_ranges(op)
    for i, m in enumerate(op.indexing_maps):
        t = op.operands[i].type
        for j, e in enumerate(m.results):
            if isinstance(t, TensorType) and t.shape[j] is not None:
                if not isinstance(e, AffineDim):
                    continue
                operand, axis = found[e.position]
                have = op.operands[operand].type
                if isinstance(have, TensorType) and have.shape[axis] is None:
                    found[e.position] = (i, j)
    return found
