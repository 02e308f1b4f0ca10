"""assign-storage: values become places; stream.async becomes stream.cmd on ranges of resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.artifact.vm_isa import ACCESS_READ, ACCESS_WRITE
from tesselle.dialects.core import builtin, func, scf
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import EXTERNAL, RESOURCE, TRANSIENT, ResourceType
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, OpResult, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.passes.index_arithmetic import IndexBuilder
from tesselle.passes.stream.copy_on_write import Carry, Roots
from tesselle.passes.stream.resources import forwarded, resource_size, updated_operand
from tesselle.support.dtypes import INDEX

ALIGNMENT = 64
"""Bytes to which every place in memory is aligned: a cache line, and the widest vector."""


@register_pass("assign-storage", needs=[Fact.STREAM])
@dataclass(frozen=True)
class AssignStorage(Pass):
    """Give every resource a place: results and transients are allocated at the beginning, arguments and constants are
    where they are, updates stay where their operand is, slices inside of theirs. Loops carry offsets, not resources.
    Where a size is computed from data it is allocated as soon as the size is known. What control flow hands on with
    changing sizes is allocated by the operation that makes it, and the resource itself is handed on; it begins there.

    %1 = stream.async.dispatch @e(%0) {16} -> {16}      %p = stream.resource.alloc %16
                                                  ->    stream.cmd.dispatch @e {read %0[0, 16], write %p[0, 16]}
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _Assignment(op).run()
                eliminate_dead_code(op)


@dataclass(frozen=True)
class Place:
    """A byte offset in a resource."""

    resource: Value
    offset: Value


@dataclass
class _Storage:
    """A place to be: allocated when its first value is. Results are external."""

    size: Value
    halves: int = 1
    is_result: bool = False
    resource: Value | None = None
    is_reference: bool = False
    """Allocated where it is made, each time: what control flow hands on."""


class _Assignment:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.roots = _carries_of(function)
        self.constants: dict[int, Value] = {}
        self.pinned: dict[Value, _Storage] = {}
        self.second: dict[tuple[Op, int], Value] = {}
        self.places: dict[Value, Place] = {}
        self.constant_places: dict[DenseElements, Value] = {}
        self.head: Op | None = None
        self.dead: list[Op] = []
        self.loops: list[Op] = []

    def _index(self, b: Builder) -> IndexBuilder:
        return IndexBuilder(b, self.constants, self.function.entry)

    def _zero(self) -> Value:
        return self._index(Builder.at_end(self.function.entry)).value(0)

    def run(self) -> None:
        entry = self.function.entry
        self._demand(entry)
        # Allocations stand after the last size that they need, in front of the first work.
        self.head = next((op for op in entry if op.dialect in ("stream", "scf") and not _is_border(op)), entry.last)
        self._block(entry)
        for op in self.dead:
            op.drop_all_references()
        for op in reversed(self.loops):  # inner ones first: they read what the outer ones carry
            _drop_resources(op)
        for op in self.dead:
            op.detach()

    # ------------------------------------------------------------------------------------------ demands

    def _pin(self, root: Value, storage: _Storage) -> None:
        """Say where a value is to be made; branches of scf.if make theirs there too."""
        self.pinned[root] = storage
        op = root.defining_op
        if isinstance(op, scf.IfOp) and isinstance(root, OpResult) and not self.roots.is_reference(root):
            for region in op.regions:
                inner = self.roots.root(region.block.terminator.operands[root.index])
                self._pin(inner, storage)

    def _pin_reference(self, value: Value) -> None:
        """The value is to have memory of its own, that of what it comes from if that is handed on too."""
        root = self.roots.root(value)
        if not self.roots.is_reference(root):
            self._pin(root, _Storage(resource_size(root), is_reference=True))

    def _demand(self, block: Block) -> None:
        """From the end to the beginning: users say where values must be."""
        for op in reversed(block.ops):
            match op:
                case stream.TensorExportOp():
                    root = self.roots.root(op.source)
                    self._pin(root, _Storage(resource_size(root), is_result=True))
                case scf.ForOp() | scf.WhileOp():
                    inits = op.init_args
                    for i, initial in enumerate(inits):
                        if self.roots.carries.get((op, i)) is Carry.REFERENCE:
                            self._pin_reference(initial)
                            self._pin_reference(op.regions[-1].block.terminator.operands[i])
                        if self.roots.carries.get((op, i)) is Carry.ALTERNATING:
                            pair = _Storage(resource_size(initial), halves=2)
                            self._pin(self.roots.root(initial), pair)
                            body = op.regions[-1].block
                            self.pinned[_loop_args(op)[i]] = pair
                            self._pin(self.roots.root(body.terminator.operands[i]), pair)
                case scf.IfOp():
                    for i, r in enumerate(op.results):
                        if self.roots.is_reference(r):
                            for region in op.regions:
                                self._pin_reference(region.block.terminator.operands[i])
                        elif isinstance(r.type, ResourceType) and not (r in self.pinned or (op, i) in self.roots.carries):
                            self._pin(r, _Storage(resource_size(r)))
                case _:
                    pass
            for region in op.regions:
                for inner in region.blocks:
                    self._demand(inner)

    # ------------------------------------------------------------------------------------------ places

    def _allocate(self, storage: _Storage, here: Builder) -> Value:
        if storage.resource is None and storage.is_reference:
            storage.resource = here.insert(stream.ResourceAllocOp(storage.size, EXTERNAL)).result
        if storage.resource is None:
            size = storage.size
            late = self._is_late(size)
            b = self._behind(size) if late else Builder.before_op(self._first_work())
            index = self._index(b)
            if storage.halves > 1:
                size = index.value(index.multiply(index.align(size, ALIGNMENT), storage.halves))
            # What is allocated late has no part in the arena, which is allocated at the beginning.
            kind = EXTERNAL if storage.is_result or late else TRANSIENT
            storage.resource = b.insert(stream.ResourceAllocOp(size, kind)).result
        return storage.resource

    def _first_work(self) -> Op:
        assert self.head is not None
        return self.head

    def _is_late(self, size: Value) -> bool:
        """Whether a size is computed from data, which the device has only when it has worked."""
        op = size.defining_op
        if op is None:
            return size.parent_region is not self.function.body
        head = self._first_work()
        return op.parent is not head.parent or not op.is_before_in_block(head)

    def _behind(self, size: Value) -> Builder:
        owner = size.owner
        if isinstance(owner, Op):
            return Builder.after_op(owner)
        return Builder(owner, owner.first, owner.terminator.location)

    def _new_place(self, value: Value, b: Builder) -> Place:
        """Where an operation puts a value that it makes."""
        storage = self.pinned.get(value)
        if storage is None:
            storage = self.pinned[value] = _Storage(resource_size(value))
        resource = self._allocate(storage, b)
        offset = self._zero()
        if storage.halves > 1:
            other = self._half_for(value, storage)
            offset = offset if other is None else other
        return Place(resource, offset)

    def _half_for(self, value: Value, pair: _Storage) -> Value | None:
        """The offset of the other half when the value is what the enclosing loop yields; None for initial values."""
        region = value.parent_region
        while region is not None and region.parent is not None:
            op = region.parent
            if isinstance(op, scf.ForOp | scf.WhileOp):
                for i, arg in enumerate(_loop_args(op)):
                    if self.pinned.get(arg) is pair:
                        return self.second[(op, i)]
            region = op.parent_region
        return None

    def _place(self, value: Value) -> Place:
        return self.places[value]

    # ------------------------------------------------------------------------------------------ rewriting

    def _block(self, block: Block) -> None:
        for op in block.ops:
            self._convert(op)

    def _convert(self, op: Op) -> None:
        b = Builder.before_op(op)
        match op:
            case stream.TensorImportOp():
                self.places[op.result] = Place(op.result, self._zero())
            case stream.AsyncConstantOp():
                place = self.constant_places.get(op.value)
                if place is None:
                    assert self.head is not None
                    new = Builder.before_op(self.head).insert(stream.ResourceConstantOp(op.value))
                    new.result.name_hint = op.result.name_hint
                    place = self.constant_places[op.value] = new.result
                self.places[op.result] = Place(place, self._zero())
                self._finish(op)
            case stream.AsyncAllocaOp():
                self.places[op.result] = self._new_place(op.result, b)
                self._finish(op)
            case stream.AsyncSplatOp():
                place = self.places[op.result] = self._new_place(op.result, b)
                b.insert(stream.CmdFillOp(op.value, place.resource, place.offset, op.size))
                self._finish(op)
            case stream.AsyncCloneOp():
                source = self._place(op.source)
                place = self.places[op.result] = self._new_place(op.result, b)
                b.insert(stream.CmdCopyOp(source.resource, source.offset, place.resource, place.offset, op.size))
                self._finish(op)
            case stream.AsyncSliceOp():
                source = self._place(op.source)
                index = self._index(b)
                offset = index.value(index.add(source.offset, op.offset))
                self.places[op.result] = Place(source.resource, offset)
                self._finish(op)
            case stream.AsyncUpdateOp():
                source, target = self._place(op.source), self._place(op.target)
                index = self._index(b)
                offset = index.value(index.add(target.offset, op.offset))
                b.insert(stream.CmdCopyOp(source.resource, source.offset, target.resource, offset, op.length))
                self.places[op.result] = target
                self._finish(op)
            case stream.AsyncFillOp():
                target = self._place(op.target)
                index = self._index(b)
                offset = index.value(index.add(target.offset, op.offset))
                b.insert(stream.CmdFillOp(op.value, target.resource, offset, op.length))
                self.places[op.result] = target
                self._finish(op)
            case stream.AsyncDispatchOp():
                self._dispatch(op, b)
            case stream.AsyncHostCallOp():
                self._host_call(op, b)
            case stream.AsyncLoadOp():
                source = self._place(op.source)
                index = self._index(b)
                offset = index.value(index.add(source.offset, op.offset))
                loaded = b.insert(stream.ResourceLoadOp(source.resource, offset, op.result_type)).result
                op.result.replace_all_uses_with(loaded)
                self._finish(op)
            case stream.AsyncTieOp():
                self.places[op.result] = self._place(op.source)
                self._finish(op)
            case stream.TensorExportOp():
                place = self._place(op.source)
                op.set_operand(0, place.resource)
            case scf.ForOp():
                self._for(op)
            case scf.WhileOp():
                self._while(op)
            case scf.IfOp():
                self._if(op)
            case _:
                pass

    def _finish(self, op: Op) -> None:
        """Erase an operation whose results are places now; users still name them until they are rewritten."""
        self.dead.append(op)

    def _dispatch(self, op: stream.AsyncDispatchOp, b: Builder) -> None:
        tied = dict(updated_operand(op))
        resources: list[Value] = []
        offsets: list[Value] = []
        lengths: list[Value] = []
        access: list[int] = []
        sizes = iter(op.sizes)
        push: list[Value] = []

        def bind(place: Place, length: Value, mask: int) -> None:
            resources.append(place.resource)
            offsets.append(place.offset)
            lengths.append(length)
            access.append(mask)

        for i, v in enumerate(op.arguments):
            if not isinstance(v.type, ResourceType):
                push.append(v)
                continue
            place = self._place(v)
            bind(place, next(sizes), ACCESS_READ | ACCESS_WRITE if i in tied else ACCESS_READ)
            if i in tied:
                self.places[op.results[tied[i]]] = place
        for r in op.results:
            size = next(sizes)
            if r not in self.places:
                place = self.places[r] = self._new_place(r, b)
                bind(place, size, ACCESS_WRITE)
        b.insert(stream.CmdDispatchOp(push, resources, offsets, lengths, op.entry, tuple(access)))
        self._finish(op)

    def _host_call(self, op: stream.AsyncHostCallOp, b: Builder) -> None:
        for r in op.results:
            self.places[r] = self._new_place(r, b)
        places = [self._place(v) for v in (*op.arguments, *op.results)]
        resources, offsets = [p.resource for p in places], [p.offset for p in places]
        count = len(op.arguments)
        # Behind `op`, which may be the head: allocations that come later must stand in front of the call too.
        Builder.after_op(op).insert(
            stream.CmdHostCallOp(resources, offsets, op.dims, op.target, op.config, op.tensors, count)
        )
        self._finish(op)

    # ------------------------------------------------------------------------------------------ control flow

    def _carry(self, loop: Op, initial: Value) -> None:
        """Tell the packing of transients that a loop holds data there from the beginning."""
        place = self._place(initial)
        alloc = place.resource.defining_op
        if isinstance(alloc, stream.ResourceAllocOp):
            Builder.before_op(loop).insert(stream.ResourceCarryOp(place.resource))

    def _halves(self, pair: _Storage) -> tuple[Value, Value]:
        """Offsets of the two halves."""
        late = self._is_late(pair.size)
        index = self._index(self._behind(pair.size) if late else Builder.before_op(self._first_work()))
        return index.value(0), index.value(index.align(pair.size, ALIGNMENT))

    def _for(self, loop: scf.ForOp) -> None:
        self.loops.append(loop)
        block = loop.body.block
        pairs: list[tuple[int, Value, Value]] = []
        references = self._references(loop)
        operands = list(loop.operands)
        for i in references:
            operands.append(self._place(loop.init_args[i]).resource)
            self.places[block.args[i + 1]] = Place(block.add_arg(EXTERNAL), self._zero())
        first = len(operands)
        for i, initial in enumerate(loop.init_args):
            if not isinstance(initial.type, ResourceType) or i in references:
                continue
            self._carry(loop, initial)
            place = self._place(initial)
            arg = block.args[i + 1]
            if self.roots.carries[(loop, i)] is Carry.IN_PLACE:
                self.places[arg] = self.places[loop.results[i]] = place
                continue
            pair = self.pinned[arg]
            operands += self._halves(pair)
            current, other = block.add_arg(INDEX), block.add_arg(INDEX)
            self.places[arg] = Place(place.resource, current)
            self.second[(loop, i)] = other
            pairs.append((i, current, other))
        loop.set_operands(operands)
        for i, result in zip(references, loop.add_results([EXTERNAL] * len(references)), strict=True):
            self.places[loop.results[i]] = Place(result, self._zero())
        added = loop.add_results([INDEX] * (len(operands) - first))
        for (i, _, _), result in zip(pairs, added[::2], strict=True):
            self.places[loop.results[i]] = Place(self.places[block.args[i + 1]].resource, result)
        self._block(block)
        swapped = [v for _, current, other in pairs for v in (other, current)]
        self._yield(block.terminator, references, swapped)

    def _references(self, loop: Op) -> list[int]:
        """The positions of a loop in which it hands on memory."""
        count = len(_loop_args(loop))
        return [i for i in range(count) if self.roots.carries.get((loop, i)) is Carry.REFERENCE]

    def _yield(self, terminator: Op, references: Sequence[int], others: Sequence[Value]) -> None:
        """Hand on the memory of the operands `references`, and `others`, too."""
        places = [self._place(terminator.operands[i]) for i in references]
        terminator.set_operands([*terminator.operands, *(p.resource for p in places), *others])

    def _while(self, loop: scf.WhileOp) -> None:
        self.loops.append(loop)
        before, after = loop.before.block, loop.after.block
        operands = list(loop.operands)
        pairs: list[tuple[int, Value, Value]] = []
        references = self._references(loop)
        for i in references:
            operands.append(self._place(loop.init_args[i]).resource)
            self.places[before.args[i]] = Place(before.add_arg(EXTERNAL), self._zero())
        for i, initial in enumerate(loop.init_args):
            if not isinstance(initial.type, ResourceType) or i in references:
                continue
            self._carry(loop, initial)
            place = self._place(initial)
            arg = before.args[i]
            if self.roots.carries[(loop, i)] is Carry.IN_PLACE:
                self.places[arg] = place
                continue
            operands += self._halves(self.pinned[arg])
            current, other = before.add_arg(INDEX), before.add_arg(INDEX)
            self.places[arg] = Place(place.resource, current)
            self.second[(loop, i)] = other
            pairs.append((i, current, other))
        loop.set_operands(operands)
        self._block(before)
        # What `before` knows, `after` and the results learn through scf.condition.
        condition = before.terminator
        forward = [v for _, current, other in pairs for v in (current, other)]
        values = forwarded(loop)
        for value in values:
            if isinstance(value.type, ResourceType):
                place = self._place(value)
                for v in (place.resource, place.offset):
                    if loop.before.is_ancestor_of(v.parent_region) and v not in forward:
                        forward.append(v)
        condition.set_operands([*condition.operands, *forward])
        inside = {v: after.add_arg(v.type) for v in forward}
        outside = dict(zip(forward, loop.add_results([v.type for v in forward]), strict=True))
        for i, value in enumerate(values):
            if isinstance(value.type, ResourceType):
                p = self._place(value)
                self.places[after.args[i]] = Place(inside.get(p.resource, p.resource), inside.get(p.offset, p.offset))
                place = Place(outside.get(p.resource, p.resource), outside.get(p.offset, p.offset))
                self.places[loop.results[i]] = place
        for i, _, other in pairs:
            self.second[(loop, i)] = inside[other]
        self._block(after)
        swapped = [inside[v] for _, current, other in pairs for v in (other, current)]
        self._yield(after.terminator, references, swapped)

    def _if(self, op: scf.IfOp) -> None:
        self.loops.append(op)
        references = [r.index for r in op.results if self.roots.is_reference(r)]
        for i, r in enumerate(op.results):
            if not isinstance(r.type, ResourceType) or i in references:
                continue
            if (op, i) in self.roots.carries:
                self.places[r] = self._place(self.roots.root(op.then_region.block.terminator.operands[i], op))
            else:
                self.places[r] = self._new_place(r, Builder.before_op(op))
                self._carry(op, r)
        for region in op.regions:
            if not region.is_empty:
                self._block(region.block)
                self._yield(region.block.terminator, references, ())
        for i, result in zip(references, op.add_results([EXTERNAL] * len(references)), strict=True):
            self.places[op.results[i]] = Place(result, self._zero())


def _drop_resources(op: Op) -> None:
    """Take values of stream.async out of what control flow carries; nothing reads them any more."""
    keep = [i for i, r in enumerate(op.results) if r.type != RESOURCE]
    for region in op.regions:
        for block in region.blocks:
            terminator = block.terminator
            terminator.set_operands([v for v in terminator.operands if v.type != RESOURCE])
    op.set_operands([v for v in op.operands if v.type != RESOURCE])
    for region in op.regions:
        for block in region.blocks:
            for i in reversed(range(len(block.args))):
                if block.args[i].type == RESOURCE:
                    block.erase_arg(i)
    op.results = tuple(op.results[i] for i in keep)
    for i, r in enumerate(op.results):
        r.index = i


def _loop_args(loop: Op) -> list[BlockArgument]:
    """The block arguments that hold the carried values at the beginning of an iteration."""
    args = loop.regions[0].block.args
    return args[1:] if isinstance(loop, scf.ForOp) else args


def _is_border(op: Op) -> bool:
    return isinstance(op, stream.TensorImportOp | stream.TensorDimOp | stream.VariableLoadOp)


def _carries_of(function: func.FuncOp) -> Roots:
    """How loops and branches carry each resource, read off the form that copy-on-write leaves: inner ones first, and
    what stands in front of others.
    """
    roots = Roots(function)

    def visit(block: Block) -> None:
        for op in block:
            for region in op.regions:
                for inner in region.blocks:
                    visit(inner)
            if isinstance(op, scf.ForOp | scf.WhileOp):
                yielded = op.regions[-1].block.terminator.operands
                for i, arg in enumerate(_loop_args(op)):
                    if isinstance(arg.type, ResourceType):
                        in_place = roots.root(yielded[i]) is arg
                        carry = Carry.IN_PLACE if in_place else Carry.ALTERNATING
                        roots.carries[(op, i)] = Carry.REFERENCE if roots.is_reference(arg) else carry
            elif isinstance(op, scf.IfOp):
                for i, r in enumerate(op.results):
                    has_place = isinstance(r.type, ResourceType) and not roots.is_reference(r)
                    if has_place and roots.common_root(op, i) is not None:
                        roots.carries[(op, i)] = Carry.IN_PLACE

    visit(function.entry)
    return roots
