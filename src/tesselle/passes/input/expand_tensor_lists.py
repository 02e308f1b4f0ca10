"""expand-tensor-lists: lists of tensors become tensors whose first dimension walks the elements.

%l = tf.TensorListReserve(%shape, %n)              ->  %b = broadcast 0.0 : tensor<?x4xf32>
%m = tf.TensorListSetItem(%l, %i, %x)              ->  %c = dynamic_update_slice %b, %x, %i
%y = tf.TensorListStack(%m)                        ->  %c

A list whose length changes is a buffer and a number of elements. The buffer has room for as many as the loops around
can push; where that is not known, it is doubled when it is full. Sizes of elements that are not known where a list is
made are those of what is put in; where those are not known there either, the buffer gets its shape with the first
element.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.func import ReturnOp as FuncReturnOp
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.tf import lists as tf
from tesselle.dialects.tf.binary import AddNOp
from tesselle.dialects.tf.shape import ZerosLikeOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.passes.input.tensor_list_buffers import Buffer, Layout, Lists, layout_of
from tesselle.passes.input.tensor_lists import ListSizes, Web, Webs
from tesselle.passes.input.tf_to_stablehlo import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.results import as_declared
from tesselle.support.diagnostics import Diagnostic, Unsupported


@register_pass("expand-tensor-lists")
@dataclass(frozen=True)
class ExpandTensorLists(Pass):
    """Replace lists by tensors. Errors: Unsupported, with every list that is (unknown ranks, lists of lists)."""

    def run(self, module: Op) -> None:
        if not any(tf.is_list(r) for op in module.walk() for r in op.results):
            return
        webs = Webs(module)
        expansion = _Expansion(webs, ListSizes(webs))
        expansion.choose_layouts()
        for op in list(module.walk()):
            if isinstance(op, FuncOp):
                for block in op.body.blocks:
                    expansion.block(block)
        expansion.erase()
        eliminate_dead_code(module)


def _sink(op: Op) -> None:
    """Move an operation in front of the first one in its block that uses its result, or holds one that does."""
    block = op.parent
    users: set[Op] = set()
    for user in op.results[0].users:
        place: Op | None = user
        while place is not None and place.parent is not block:
            place = place.parent_op
        if place is not None:
            users.add(place)
    first = op.next
    while first is not None and first not in users:
        first = first.next
    if first is not None:
        op.move_before(first)


@dataclass
class _Expansion:
    """`buffers`: what lists have become. `done`: operations that are replaced, which go at the end."""

    webs: Webs
    known: ListSizes
    layouts: dict[Web, Layout | None] = field(default_factory=dict[Web, "Layout | None"])
    buffers: dict[Value, Buffer] = field(default_factory=dict[Value, Buffer])
    done: list[Op] = field(default_factory=list[Op])

    def choose_layouts(self) -> None:
        """Decide how every list is stored. Lists are made as late as that can be, where more is known of elements."""
        failures: list[Diagnostic] = []
        for web in self.webs.all():
            for op in web.makers:
                _sink(op)
            try:
                self.layouts[web] = layout_of(web, self.known) if web.is_read else None
            except Unsupported as error:
                failures.extend(error.diagnostics)
        if failures:
            raise Unsupported.several(failures)

    def erase(self) -> None:
        for op in reversed(self.done):
            op.erase()

    def _layout(self, value: Value) -> Layout | None:
        """None for a list that nothing is read from."""
        return self.layouts[self.webs.of(value)]

    # ------------------------------------------------------------------------------------------ operations

    def block(self, block: Block) -> None:
        for op in block.ops:
            lists = [v for v in (*op.operands, *op.results) if tf.is_list(v)]
            if isinstance(op, cf.WhileOp) and any(tf.is_list(v) for v in op.operands):
                self._while(op)
            elif isinstance(op, cf.IfOp | cf.CaseOp):
                self._branches(op)
            elif isinstance(op, FuncReturnOp) and lists:
                raise Unsupported("functions that return lists are not supported", op.location, "tf.TensorList")
            elif lists and not isinstance(op, cf.ReturnOp):
                self._replace(op, lists)
            else:
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner)

    def _replace(self, op: Op, lists: list[Value]) -> None:
        layout = self._layout(lists[0])
        self.done.append(op)
        if layout is None:
            return
        b = Lists(TfBuilder(op, self.known), layout)
        match op:
            case tf.MakesListOp():
                self.buffers[op.results[0]] = b.make(op)
            case tf.TensorListPopBackOp():
                self.buffers[op.results[0]], element = b.pop(self.buffers[op.input_handle])
                self._give(op, 1, element)
            case tf.ChangesListOp():
                self.buffers[op.results[0]] = b.change(op, self.buffers[op.input_handle])
            case tf.TensorListConcatV2Op():
                for i, value in enumerate(b.concatenated(op, self.buffers[op.input_handle])):
                    self._give(op, i, value)
            case tf.ReadsListOp():
                self._give(op, 0, b.read(op, self.buffers[op.input_handle]))
            case tf.TensorListConcatListsOp():
                self.buffers[op.results[0]] = b.joined(self.buffers[op.input_a], self.buffers[op.input_b])
            case AddNOp():
                self.buffers[op.results[0]] = b.sum([self.buffers[v] for v in op.inputs])
            case ZerosLikeOp():
                self.buffers[op.results[0]] = b.zeros_like(self.buffers[op.x])
            case _:
                raise Unsupported(f"{op.name} of lists is not supported", op.location, op.name)

    def _give(self, op: Op, index: int, value: Value) -> None:
        result = op.results[index]
        result.replace_all_uses_with(as_declared(op, result.type, value))

    # ------------------------------------------------------------------------------------------ control flow

    def _parts(self, b: TfBuilder, value: Value) -> list[Value]:
        """What a list hands on: its buffer, its length where that changes; nothing where nothing is read."""
        layout = self._layout(value)
        return [] if layout is None else Lists(b, layout).parts(self.buffers[value])

    def _while(self, op: cf.WhileOp) -> None:
        lists = [i for i, v in enumerate(op.operands) if tf.is_list(v)]
        kept = [i for i in range(len(op.operands)) if i not in lists]
        b = TfBuilder(op, self.known)
        inits = [op.operands[i] for i in kept]
        for i in lists:
            inits += self._parts(b, op.operands[i])
        blocks = [op.cond.block, op.body.block]
        for block in blocks:
            self._give_buffers(block, lists)
        end = blocks[1].terminator
        self.block(blocks[0])
        self.block(blocks[1])
        inner = TfBuilder(end, self.known)
        values = [end.operands[i] for i in kept]
        for i in lists:
            values += self._parts(inner, end.operands[i])
        end.set_operands(values)
        for region in op.regions:
            block = region.block
            region.blocks, block.parent = [], None
        new = Builder.before_op(op).insert(cf.WhileOp(inits, *(Region([x]) for x in blocks)))
        for r, i in zip(new.results, kept, strict=False):
            op.results[i].replace_all_uses_with(r)
        rest: list[Value] = list(new.results[len(kept) :])
        for i in lists:
            self._remember(op.results[i], rest)
        self.done.append(op)

    def _give_buffers(self, block: Block, lists: list[int]) -> None:
        """Arguments for buffers, behind the others, in place of arguments that are lists."""
        args = [block.args[i] for i in lists]
        for arg in args:
            layout = self._layout(arg)
            if layout is not None:
                parts: list[Value] = [block.add_arg(t, arg.location) for t in layout.part_types]
                self.buffers[arg] = layout.buffer(parts)
        for arg in args:
            # Operations inside still name the list; it is no argument any more.
            free = Value(arg.type)
            self.webs.alias(free, arg)
            arg.replace_all_uses_with(free)
            if arg in self.buffers:
                self.buffers[free] = self.buffers[arg]
            block.erase_arg(arg.index)

    def _remember(self, result: Value, parts: list[Value]) -> None:
        """Take the parts of a list from the front of `parts`."""
        layout = self._layout(result)
        if layout is not None:
            count = len(layout.part_types)
            self.buffers[result] = layout.buffer(parts[:count])
            del parts[:count]

    def _branches(self, op: cf.IfOp | cf.CaseOp) -> None:
        lists = [i for i, r in enumerate(op.results) if tf.is_list(r)]
        kept = [i for i in range(len(op.results)) if i not in lists]
        for region in op.regions:
            self.block(region.block)
        if not lists:
            return
        types = [op.results[i].type for i in kept]
        for i in lists:
            layout = self._layout(op.results[i])
            types += [] if layout is None else layout.part_types
        blocks = [r.block for r in op.regions]
        for block in blocks:
            end = block.terminator
            inner = TfBuilder(end, self.known)
            values = [end.operands[i] for i in kept]
            for i in lists:
                values += self._parts(inner, end.operands[i])
            end.set_operands(values)
        for region, block in zip(op.regions, blocks, strict=True):
            region.blocks, block.parent = [], None
        regions = [Region([x]) for x in blocks]
        branch = (
            cf.CaseOp(op.index, regions, types)
            if isinstance(op, cf.CaseOp)
            else cf.IfOp(op.pred, regions[0], regions[1], types)
        )
        new = Builder.before_op(op).insert(branch)
        for r, i in zip(new.results, kept, strict=False):
            op.results[i].replace_all_uses_with(r)
        rest: list[Value] = list(new.results[len(kept) :])
        for i in lists:
            self._remember(op.results[i], rest)
        self.done.append(op)
