"""copy-on-write: clones stand where, and only where, an update in place would destroy data that is still needed.

After this pass every update may be done in place, and control flow has a form in which each carried resource has one
place of its own. The place of a value is that of its *root*: the value at the beginning of its chain of updates.

    loop position, in place:   the yielded value's root is the loop's own argument
    loop position, two places: the yielded value is made anew in the body; the loop goes to and fro between two halves
    loop or branch, tied:      its size changes on the way: the value has memory of its own, which is handed on
    scf.if, in place:          the yielded values of all branches have one root, which stands in front of the scf.if
    scf.if otherwise, return:  the value is made anew (in the branch), by one operation that may write there directly
    variables:                 what is made in place of a variable that the function stores to is stored where it is;
                               anything else is made anew, and the variable holds the new bytes
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tesselle.dialects.core import arith, builtin, func, scf
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import ResourceType
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, OpResult, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.passes.branches import exclude_each_other
from tesselle.passes.stream.convert_to_stream import PATTERN_BYTES
from tesselle.passes.stream.resources import forwarded, resource_size, tie_of, updated_operand


@register_pass("copy-on-write", needs=[Fact.STREAM])
@dataclass(frozen=True)
class CopyOnWrite(Pass):
    """Insert stream.async.clone where a tied operand is used again, or belongs to the caller or to the program.

    %1 = stream.async.update %0 in %arg            %c = stream.async.clone %arg
                                              ->   %1 = stream.async.update %0 in %c
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                for inner in list(op.walk()):
                    if isinstance(inner, scf.ForOp | scf.WhileOp) and inner.parent is not None:
                        drop_invariants(inner)
                _Copies(op).run()
                eliminate_dead_code(op)


def drop_invariants(loop: scf.ForOp | scf.WhileOp) -> None:
    """Resources that a loop hands on unchanged are not carried: their uses see the initial value."""
    if isinstance(loop, scf.WhileOp):
        return  # its two regions may permute what they hand on; the general rules handle it
    args, block = loop.body.block.args, loop.body.block
    for i in reversed(range(len(loop.init_args))):
        initial, yielded, arg = loop.init_args[i], block.terminator.operands[i], args[i + 1]
        if not isinstance(arg.type, ResourceType) or (yielded is not arg and yielded is not initial):
            continue
        arg.replace_all_uses_with(initial)
        loop.results[i].replace_all_uses_with(initial)
        _drop_position(loop, i)


def _drop_position(loop: scf.ForOp, i: int) -> None:
    block = loop.body.block
    block.terminator.set_operands([v for j, v in enumerate(block.terminator.operands) if j != i])
    block.erase_arg(i + 1)
    loop.set_operands([v for j, v in enumerate(loop.operands) if j != i + 3])
    loop.results = tuple(r for j, r in enumerate(loop.results) if j != i)
    for j, r in enumerate(loop.results):
        r.index = j


def is_fillable(elements: DenseElements) -> bool:
    """Whether the elements are one scalar that a device fill repeats."""
    return elements.is_splat and elements.type.dtype.size_bytes <= PATTERN_BYTES


class Carry(enum.Enum):
    """How a loop carries a resource. What branches give may be in place, too."""

    IN_PLACE = "in place"
    ALTERNATING = "between two halves"
    REFERENCE = "memory of its own"


class Roots:
    """Roots of values, and how loops and branches carry theirs; valid for IR that went through copy-on-write."""

    def __init__(self, function: func.FuncOp) -> None:
        self.carries: dict[tuple[Op, int], Carry] = {}
        self.stored = {op.variable for op in function.entry if isinstance(op, stream.VariableStoreOp)}

    def root(self, value: Value, inside: Op | None = None) -> Value:
        """The value at the beginning of the chain of in-place updates. Slices are their own roots.

        With `inside` the first value of the chain that does not stand in a region of this operation.
        """
        at = value
        while inside is None or any(region.is_ancestor_of(at.parent_region) for region in inside.regions):
            if isinstance(at, BlockArgument):
                loop = at.block.parent_op
                if isinstance(loop, scf.ForOp) and self.carries.get((loop, at.index - 1)) is Carry.IN_PLACE:
                    at = loop.init_args[at.index - 1]
                    continue
                if isinstance(loop, scf.WhileOp):
                    if at.block.parent is loop.after:
                        at = forwarded(loop)[at.index]
                        continue
                    if self.carries.get((loop, at.index)) is Carry.IN_PLACE:
                        at = loop.init_args[at.index]
                        continue
                return at
            assert isinstance(at, OpResult)
            op = at.op
            if isinstance(op, scf.ForOp):
                if self.carries.get((op, at.index)) is not Carry.IN_PLACE:
                    return at
                at = op.init_args[at.index]
            elif isinstance(op, scf.IfOp):
                if self.carries.get((op, at.index)) is not Carry.IN_PLACE:
                    return at
                at = op.then_region.block.terminator.operands[at.index]
            elif isinstance(op, scf.WhileOp):
                source = forwarded(op)[at.index]
                # A value that `before` carries to and fro is known outside by the loop's result.
                if isinstance(self.root(source), BlockArgument) and self._alternates(self.root(source), op):
                    return at
                at = source
            else:
                tied = [o for o, r in updated_operand(op) if r == at.index]
                if not tied:
                    return at
                at = op.operands[tied[0]]
        return at

    def common_root(self, op: scf.IfOp, index: int) -> Value | None:
        """The root of what every branch gives as result `index`, when all have one, in front of the branches."""
        root = self.root(op.then_region.block.terminator.operands[index])
        if any(region.is_ancestor_of(root.parent_region) for region in op.regions):
            return None
        other = self.root(op.else_region.block.terminator.operands[index])
        return root if other is root else None

    def _alternates(self, root: Value, loop: scf.WhileOp) -> bool:
        return isinstance(root, BlockArgument) and root.block.parent_op is loop

    def is_reference(self, root: Value) -> bool:
        """Whether the root is what control flow hands on as memory of its own."""
        return tie_of(root) is not None

    def is_fresh(self, root: Value) -> bool:
        """Whether an operation makes the root's bytes, so that it may be told where to."""
        op = root.defining_op
        if isinstance(op, scf.IfOp) and self.is_reference(root):
            return False
        return isinstance(
            op,
            stream.AsyncDispatchOp
            | stream.AsyncHostCallOp
            | stream.AsyncSplatOp
            | stream.AsyncAllocaOp
            | stream.AsyncCloneOp
            | scf.IfOp,
        )

    def owned(self, root: Value) -> bool:
        """Whether the bytes may be overwritten: neither an argument's nor a constant's, and no slice of others.

        Those of a variable may when the function stores to it: at its end nobody asks for what it held before.
        """
        op = root.defining_op
        if isinstance(op, stream.TensorImportOp):
            return variable_of(op) in self.stored
        return not isinstance(op, stream.AsyncConstantOp | stream.AsyncSliceOp)


def variable_of(op: stream.TensorImportOp) -> SymbolRef | None:
    """The variable that the imported view was loaded from."""
    load = op.view.defining_op
    return load.variable if isinstance(load, stream.VariableLoadOp) else None


class _Copies:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.roots = Roots(function)
        self.exported: set[Value] = set()
        self.order: dict[Op, int] = {}

    def run(self) -> None:
        self._number()
        self._block(self.function.entry)

    def _number(self) -> None:
        """Program order. Clones get the number of what they stand in front of."""
        self.order = {op: i for i, op in enumerate(self.function.walk())}

    # ------------------------------------------------------------------------------------------ questions

    def _aliases(self, value: Value) -> list[Value]:
        """The value and all slices of it."""
        found = [value]
        for v in found:
            found.extend(u.result for u in v.users if isinstance(u, stream.AsyncSliceOp))
        return found

    def _needed_after(self, value: Value, op: Op, operand: int) -> bool:
        """Whether `value` or a slice of it is used by `op` elsewhere than in `operand`, or after it."""
        number = self.order[op]
        for alias in self._aliases(value):
            for user, index in alias.uses:
                if isinstance(user, stream.AsyncSliceOp):
                    continue
                if user is op:
                    if index != operand:
                        return True
                elif self.order[user] > number and not exclude_each_other(user, op):
                    return True
        return False

    def _outside_loop(self, value: Value, op: Op) -> bool:
        """Whether a loop around `op` does not contain the value: the next iteration needs it again."""
        region = op.parent_region
        while region is not None and region.parent is not None:
            if region.is_ancestor_of(value.parent_region) and value.parent_region is not None:
                return False
            if isinstance(region.parent, scf.ForOp | scf.WhileOp):
                return True
            region = region.parent.parent_region
        return False

    def _may_update(self, value: Value, op: Op, operand: int) -> bool:
        if isinstance(value.defining_op, stream.AsyncSliceOp) or not self.roots.owned(self.roots.root(value)):
            return False
        return not self._outside_loop(value, op) and not self._needed_after(value, op, operand)

    # ------------------------------------------------------------------------------------------ clones

    def _clone(self, value: Value, op: Op, operand: int) -> Value:
        """Let `op` use a copy of the value; fills are repeated instead."""
        b = Builder.before_op(op)
        maker = value.defining_op
        new: Op
        if isinstance(maker, stream.AsyncSplatOp):
            new = b.insert(stream.AsyncSplatOp(maker.value, maker.size))
        elif isinstance(maker, stream.AsyncAllocaOp):
            new = b.insert(stream.AsyncAllocaOp(maker.size))
        elif isinstance(maker, stream.AsyncConstantOp) and is_fillable(maker.value):
            scalar = b.insert(arith.ConstantOp(maker.value.splat_value.item(), maker.value.type.dtype))
            new = b.insert(stream.AsyncSplatOp(scalar.result, maker.size))
        else:
            new = b.insert(stream.AsyncCloneOp(value, resource_size(value)))
        self.order[new] = self.order[op]
        op.set_operand(operand, new.results[0])
        return new.results[0]

    def _block(self, block: Block) -> None:
        """Program order; what is decided about an operation holds for those inside of it."""
        for op in block.ops:
            for operand, _ in updated_operand(op):
                value = op.operands[operand]
                if not self._may_update(value, op, operand):
                    self._clone(value, op, operand)
            match op:
                case scf.ForOp():
                    self._for(op)
                case scf.WhileOp():
                    self._while(op)
                case scf.IfOp():
                    self._if(op)
                case stream.VariableStoreOp():
                    self._store(op)
                case func.ReturnOp():
                    self._return(op)
                case _:
                    pass

    def _own_initial_values(self, loop: Op, first: int) -> None:
        for i in range(first, len(loop.operands)):
            value = loop.operands[i]
            if isinstance(value.type, ResourceType) and not self._may_update(value, loop, i):
                self._clone(value, loop, i)

    def _for(self, loop: scf.ForOp) -> None:
        self._own_initial_values(loop, 3)
        self._block(loop.body.block)
        terminator = loop.body.block.terminator
        self._carry(loop, loop.body, terminator, 0, loop.body.block.args[1:], 3)

    def _while(self, loop: scf.WhileOp) -> None:
        self._own_initial_values(loop, 0)
        before, after = loop.before.block, loop.after.block
        self._block(before)
        condition = before.terminator
        taken: set[Value] = set()
        for i in range(1, len(condition.operands)):
            value = condition.operands[i]
            if not isinstance(value.type, ResourceType):
                continue
            root = self.roots.root(value)
            inside = loop.before.is_ancestor_of(root.parent_region)
            fine = inside and (self.roots.is_fresh(root) or root in before.args) and root not in taken
            if not fine:
                root = self._clone(value, condition, i)
            taken.add(root)
        self._block(after)
        self._carry(loop, loop.after, after.terminator, 0, before.args, 0)

    def _carry(self, loop: Op, body: Region, terminator: Op, first: int, args: list[BlockArgument], inits: int) -> None:
        """Decide for every position how the loop carries it; clone what fits neither way."""
        taken: set[Value] = set()
        for i, arg in enumerate(args):
            if not isinstance(arg.type, ResourceType):
                continue
            operand = first + i
            value = terminator.operands[operand]
            root = self.roots.root(value)
            if root is arg and self._is_last_version(value) and not self.roots.is_reference(arg):
                self.roots.carries[(loop, i)] = Carry.IN_PLACE
                continue
            inside = body.is_ancestor_of(root.parent_region) or root in args
            fresh = self.roots.is_fresh(root) or (self.roots.is_reference(arg) and self.roots.is_reference(root))
            used = root in taken or self._needed_in_terminator(value, terminator, operand)
            if not (inside and fresh) or used or not self._is_last_version(value):
                root = self._clone(value, terminator, operand)
            taken.add(root)
            initial = self.roots.root(loop.operands[inits + i])
            has_place = self.roots.is_fresh(initial)
            if self.roots.is_reference(arg):
                self.roots.carries[(loop, i)] = Carry.REFERENCE
                has_place = has_place or self.roots.is_reference(initial)
            else:
                self.roots.carries[(loop, i)] = Carry.ALTERNATING
            if not has_place:
                self._clone(loop.operands[inits + i], loop, inits + i)

    def _is_last_version(self, value: Value) -> bool:
        """Nothing updates the value further (it would have been cloned first if it were needed)."""
        return not any(value is user.operands[o] for user in value.users for o, _ in updated_operand(user))

    def _needed_in_terminator(self, value: Value, terminator: Op, operand: int) -> bool:
        return any(user is terminator and index != operand for user, index in value.uses)

    def _if(self, op: scf.IfOp) -> None:
        for region in op.regions:
            if not region.is_empty:
                self._block(region.block)
        found: set[Value] = set()
        for i, r in enumerate(op.results):
            if isinstance(r.type, ResourceType) and not self.roots.is_reference(r):
                root = self.roots.common_root(op, i)
                if root is not None and root not in found and self._ends_in(op, i):
                    self.roots.carries[(op, i)] = Carry.IN_PLACE
                    found.add(root)
        for region in op.regions:
            if not region.is_empty:
                self._branch(op, region)

    def _ends_in(self, op: scf.IfOp, index: int) -> bool:
        """Whether what the branches give as result `index` is not asked for by another name from here on."""
        for region in op.regions:
            value = region.block.terminator.operands[index]
            if self._is_slice(value):
                return False
            if region.is_ancestor_of(value.parent_region):
                continue
            users = {user for alias in self._aliases(value) for user, _ in alias.uses}
            outside = (u for u in users if not any(r.is_ancestor_of(u.parent_region) for r in op.regions))
            later = any(self.order[u] > self.order[op] and not exclude_each_other(u, op) for u in outside)
            if later or self._outside_loop(value, op):
                return False
        return True

    def _branch(self, op: scf.IfOp, region: Region) -> None:
        """Every value that is not in place is made in the branch, each on its own."""
        terminator = region.block.terminator
        taken: set[Value] = set()
        for i, value in enumerate(terminator.operands):
            if not isinstance(value.type, ResourceType) or (op, i) in self.roots.carries:
                continue
            root = self.roots.root(value)
            inside = region.is_ancestor_of(root.parent_region)
            is_reference = self.roots.is_reference(op.results[i]) and self.roots.is_reference(root)
            fresh = self.roots.is_fresh(root) or is_reference
            if not inside or not fresh or root in taken or self._is_slice(value):
                root = self._clone(value, terminator, i)
            taken.add(root)

    def _is_slice(self, value: Value) -> bool:
        return isinstance(value.defining_op, stream.AsyncSliceOp)

    def _return(self, op: func.ReturnOp) -> None:
        for view in op.operands:
            self._export(view)

    def _export(self, view: Value) -> None:
        """Results and variables own their bytes: what belongs to others, or is exported twice, is copied."""
        export = view.defining_op
        assert isinstance(export, stream.TensorExportOp)
        root = self.roots.root(export.source)
        fresh = self.roots.is_fresh(root) or self.roots.is_reference(root)
        if not fresh or root in self.exported or self._is_slice(export.source):
            root = self._clone(export.source, export, 0)
        self.exported.add(root)

    def _store(self, op: stream.VariableStoreOp) -> None:
        """What was made in place of the variable is there already; where its sizes may change it needs a new view."""
        export = op.view.defining_op
        assert isinstance(export, stream.TensorExportOp)
        root = self.roots.root(export.source)
        import_ = root.defining_op
        if not isinstance(import_, stream.TensorImportOp) or variable_of(import_) != op.variable:
            self._export(op.view)
        elif export.tensor.is_static:
            op.erase()
            export.erase()
