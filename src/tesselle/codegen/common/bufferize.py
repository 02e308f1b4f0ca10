"""Bufferize: tensors become memory.

Results that are stored are computed in place. An intermediate tile goes, in this order, where it will be updated in
place, into the output that an elementwise consumer computes from it (softmax's exponentials lie in the output row
until they are scaled), or into the worker's local memory: there also where the output is larger than the caches, so
that it is only written to (`streaming.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.prepare import buffer_of
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.codegen.common.streaming import TILE_BYTES, is_large
from tesselle.dialects.core import memref, tensor
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import MemRefType, TensorType
from tesselle.support.diagnostics import Unsupported

LOCAL_MEMORY_LIMIT = 60 * 1024 * 1024
"""The most local memory that an entry may ask for: the loader refuses more."""


def bufferize(kernel: KernelFunction) -> None:
    """Rewrite every block of the function. Errors: Unsupported when an intermediate has no bound or does not fit."""
    blocks = [kernel.function.entry]
    for op in kernel.function.body.walk():
        for region in op.regions:
            if not isinstance(op, GenericOp):
                blocks.extend(region.blocks)
    for block in blocks:
        if any(isinstance(op, GenericOp) for op in block):
            _Block(kernel, block).run()
    eliminate_dead_code(kernel.function)


@dataclass
class _Block:
    kernel: KernelFunction
    block: Block
    buffers: dict[Value, Value] = field(default_factory=dict[Value, Value])
    order: dict[Op, int] = field(default_factory=dict[Op, int])

    def run(self) -> None:
        self.order = {op: i for i, op in enumerate(self.block)}
        self._place()
        for op in self.block:
            if isinstance(op, GenericOp):
                self._generic(op)
        for op in reversed(self.block.ops):
            if isinstance(op, MaterializeInDestinationOp):
                self._copy_if_elsewhere(op)
                op.erase()
            elif isinstance(op, GenericOp | tensor.ExtractSliceOp) and op.results:
                op.erase()

    # ------------------------------------------------------------------------------------------ where results go

    def _place(self) -> None:
        """Choose the buffer of each result, from the last operation to the first."""
        for op in self.block:
            if isinstance(op, MaterializeInDestinationOp) and op.source not in self.buffers:
                self._hoist([op.dest])
                self.buffers[op.source] = op.dest
        for op in reversed(self.block.ops):
            if not isinstance(op, GenericOp):
                continue
            for result in op.results:
                if result not in self.buffers:
                    self.buffers[result] = self._allocate(op, result)
            for k, out in enumerate(op.outputs):
                if self._may_take_over(op, out):
                    self.buffers[out] = self.buffers[op.results[k]]
            self._share(op)

    def _hoist(self, values: Sequence[ix.Size]) -> Op:
        """Move what `values` are computed from in front of the first generic, which is returned.

        Buffers are shared backwards, so that their views must stand before everything that may be computed into them.
        """
        first = next(o for o in self.block if isinstance(o, GenericOp))
        for v in values:
            if isinstance(v, Value):
                position = {o: i for i, o in enumerate(self.block)}
                for d in sorted(self._needed(v, first), key=lambda o: position[o]):
                    d.move_before(first)
        return first

    def _needed(self, value: Value, before: Op) -> set[Op]:
        """The operations of this block behind `value` that stand after `before`."""
        found: set[Op] = set()
        todo = [value]
        while todo:
            d = todo.pop().defining_op
            if d is not None and d.parent is self.block and d not in found:
                found.add(d)
                todo.extend(d.operands)
        position = {o: i for i, o in enumerate(self.block)}
        return {d for d in found if position[d] > position[before]}

    def _may_take_over(self, op: GenericOp, out: Value) -> bool:
        """Whether the initial values may be computed where the result goes."""
        return isinstance(out.defining_op, GenericOp) and out not in self.buffers and self._last_user(out) is op

    def _last_user(self, value: Value) -> Op | None:
        users = [u for u in self._users(value) if u.parent is self.block]
        return max(users, key=lambda u: self.order[u], default=None)

    def _users(self, value: Value) -> list[Op]:
        """Who reads the value, also by way of slices."""
        found: list[Op] = []
        for u in value.users:
            found.extend(self._users(u.result) if isinstance(u, tensor.ExtractSliceOp) else [u])
        return found

    def _share(self, op: GenericOp) -> None:
        """Let one input of an elementwise operation lie where its result goes."""
        if not op.is_elementwise or len(op.outputs) != 1 or op.body.block.args[-1].uses:
            return  # initial values that are read lie there
        result = op.results[0]
        buffer = self.buffers[result]
        if isinstance(buffer.defining_op, memref.AllocaOp) or self._is_read(buffer, op):
            return
        if is_large(memory.root_of(buffer)) and self._is_tile(op, result):
            return
        for v, m in zip(op.inputs, op.input_maps, strict=True):
            same = isinstance(v.defining_op, GenericOp) and v.defining_op.parent is self.block
            if not same or v in self.buffers or v.type != result.type or m != op.output_maps[0]:
                continue
            others = [n for w, n in zip(op.inputs, op.input_maps, strict=True) if w is v]
            if self._last_user(v) is op and all(n == m for n in others) and self._is_free(buffer, v, op):
                self.buffers[v] = buffer
                return

    def _is_tile(self, op: GenericOp, result: Value) -> bool:
        bounds = [ix.upper_bound(s) for s in self._result_sizes(op, result)]
        known = [s for s in bounds if s is not None]
        return len(known) == len(bounds) and math.prod(known) * tensor_type(result).dtype.size_bytes <= TILE_BYTES

    def _is_read(self, buffer: Value, op: GenericOp) -> bool:
        """Whether the dispatch also reads the memory behind `buffer`."""
        root = memory.root_of(buffer)
        for user in self.kernel.function.body.walk():
            if isinstance(user, ToTensorOp) and user.result.uses and memory.root_of(user.buffer) is root:
                return True
        return False

    def _is_free(self, buffer: Value, value: Value, until: GenericOp) -> bool:
        """Whether nothing else lies in the memory behind `buffer` between the making of `value` and `until`."""
        root = memory.root_of(buffer)
        start = value.defining_op
        assert start is not None
        for other, where in self.buffers.items():
            if memory.root_of(where) is not root or other is until.result:
                continue
            made = other.defining_op
            if made is not None and self.order[start] <= self.order[made] < self.order[until]:
                return False
        return True

    def _allocate(self, op: GenericOp, result: Value) -> Value:
        t = tensor_type(result)
        first = self.kernel.function.entry.first
        assert first is not None
        sizes = self._result_sizes(op, result)
        bounds = [ix.upper_bound(s) for s in sizes]
        shape = tuple(s for s in bounds if s is not None)
        if len(shape) != len(bounds):
            raise Unsupported(f"an intermediate {t} without a bound does not fit into local memory", op.location)
        taken = sum(o.result_type.size_bytes for o in self.kernel.function.entry if isinstance(o, memref.AllocaOp))
        if taken + math.prod(shape) * t.dtype.size_bytes > LOCAL_MEMORY_LIMIT:
            raise Unsupported(f"an intermediate {t} is too large for local memory", op.location)
        top = Builder(self.kernel.function.entry, first, op.location)
        buffer = top.insert(memref.AllocaOp(MemRefType(shape, t.dtype))).result
        early = self._hoist(sizes)
        return memory.subview(Builder.before_op(early), buffer, [0] * len(shape), sizes)

    def _result_sizes(self, op: GenericOp, result: Value) -> list[ix.Size]:
        t = tensor_type(result)
        if t.is_static:
            return list(t.static_shape)
        k = generics.result_index(result)
        return self._sizes(op.outputs[k])

    def _sizes(self, value: Value) -> list[ix.Size]:
        t = tensor_type(value)
        op = value.defining_op
        if isinstance(op, tensor.EmptyOp):
            return tensor.mixed(t.shape, op.dynamic_dims)
        if isinstance(op, ToTensorOp):
            return memory.sizes_of(Builder.after_op(op), op.buffer)
        assert isinstance(op, GenericOp)
        return self._result_sizes(op, value)

    # ------------------------------------------------------------------------------------------ rewriting

    def _operand(self, b: Builder, value: Value) -> Value:
        if not isinstance(value.type, TensorType):
            return value
        if value in self.buffers:
            return self.buffers[value]
        buffer = buffer_of(value)
        if buffer is not None:
            return buffer
        piece = value.defining_op
        if isinstance(piece, tensor.ExtractSliceOp):
            whole = self._operand(b, piece.operand)
            return memory.subview(b, whole, piece.mixed_offsets, piece.mixed_sizes)
        assert isinstance(piece, tensor.EmptyOp), f"{value} has no buffer"
        return self._shape_only(b, value)

    def _shape_only(self, b: Builder, value: Value) -> Value:
        """A memref that only says how large it is: no element of it is touched."""
        t = tensor_type(value)
        any_buffer = next(a for a in self.kernel.function.args if isinstance(a.type, MemRefType))
        shape, dynamic = tensor.split_mixed(self._sizes(value))
        zeros = (0,) * len(shape)
        type = MemRefType(shape, t.dtype, zeros)
        return b.insert(memref.ReinterpretCastOp(any_buffer, [], dynamic, [], (0,), shape, zeros, type)).result

    def _generic(self, op: GenericOp) -> None:
        b = Builder.before_op(op)
        inputs = [self._operand(b, v) for v in op.inputs]
        outputs: list[Value] = []
        for k, out in enumerate(op.outputs):
            buffer = self.buffers[op.results[k]]
            reads = bool(op.body.block.args[len(inputs) + k].uses)
            initial = None if isinstance(out.defining_op, tensor.EmptyOp) else self._operand(b, out)
            if reads and initial is not None and initial is not buffer:
                b.insert(generics.copy(b, initial, buffer).detach())
            outputs.append(buffer)
        body = generics.clone_body(op)
        for inner in body.block:
            if isinstance(inner, tensor.ExtractOp):
                at = Builder.before_op(inner)
                inner.replace_with(at.insert(memref.LoadOp(self._operand(b, inner.operand), inner.indices)).result)
        new = generics.make_generic(inputs, outputs, op.indexing_maps, op.iterator_types, body)
        b.insert(new)

    def _copy_if_elsewhere(self, op: MaterializeInDestinationOp) -> None:
        buffer = self.buffers.get(op.source)
        if buffer is not None and buffer is not op.dest:
            b = Builder.before_op(op)
            generics.copy(b, buffer, op.dest)
