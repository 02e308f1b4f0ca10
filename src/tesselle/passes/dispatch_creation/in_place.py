"""Which results of dispatches overwrite what they become the new value of: a variable, or what a loop carries.

    %w = ml_program.global_load @w
    %0 = flow.dispatch.region { linalg.generic ins(%w, %g) { w - 0.1 * g } }    reads and writes one binding
    ml_program.global_store @w = %0

From a store backwards, what is stored may be made in place of something that may be made in place of something … that
is the variable's old value: then all of them lie where the variable lies. A loop looks in the same way from each value
that it hands on for the argument at the same position, branches of scf.if from the value that each of them gives.

In a dispatch, whoever reads what is overwritten does so, element by element, before or while the result is made, and is
not computed again later (its own result is returned too, or it is what overwrites). So whatever order elements are
computed in, each is read before it is gone: no kernel keeps anything else where a result of its will be, when that is
also something that it reads, but what the result begins with; so elements that an operation adds to are none of these.
Behind the dispatch nobody asks for the old elements.

All this is a matter of cost: copy-on-write makes copies where it was decided wrongly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tesselle.dialects.core import func, ml_program, scf
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import BlockArgument, Op, OpResult, Value
from tesselle.ir.types import TensorType
from tesselle.passes.branches import exclude_each_other, loop_around
from tesselle.passes.dispatch_creation.clone_into_regions import updated_in_place

Tie = tuple[flow.DispatchRegionOp, int, Value]
"""A dispatch, the number of one of its results, and the tensor from outside that it overwrites."""

Goal = BlockArgument | SymbolRef
"""What is to be overwritten: a loop's argument or a variable."""

_KERNELS = (linalg.GenericOp, linalg.FillOp, linalg.ContractOp, linalg.ConvOp, PackedContractOp, PackedConvOp)
"""With nothing else of linalg beside it an elementwise operation runs on the elements as they are made."""


def overwritten(function: func.FuncOp) -> dict[Op, dict[int, Value]]:
    """For each dispatch region with results in place: by their numbers, the tensors that they overwrite."""
    return _Search(function).run()


class _Search:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.order = {op: i for i, op in enumerate(function.walk())}
        self.found: dict[Op, dict[int, Value]] = {}
        self.carried: dict[BlockArgument, bool] = {}

    def run(self) -> dict[Op, dict[int, Value]]:
        for op in self.order:
            if isinstance(op, ml_program.GlobalStoreOp):
                self._tie(op.value, op.global_)
            elif isinstance(op, scf.ForOp | scf.WhileOp):
                for arg in op.regions[0].block.args:
                    if isinstance(arg.type, TensorType):
                        self._is_carried(arg)
        return self.found

    def _is_carried(self, arg: BlockArgument) -> bool:
        """Whether a loop makes what it hands on in place of what it got."""
        if arg not in self.carried:
            loop = arg.block.parent_op
            assert isinstance(loop, scf.ForOp | scf.WhileOp)
            position = arg.index - isinstance(loop, scf.ForOp)
            self.carried[arg] = self._tie(loop.regions[-1].block.terminator.operands[position], arg)
        return self.carried[arg]

    def _tie(self, value: Value, goal: Goal) -> bool:
        ties = self._path(value, goal)
        for region, index, source in ties or ():
            self.found.setdefault(region, {})[index] = source
        return ties is not None

    def _path(self, value: Value, goal: Goal) -> list[Tie] | None:
        """The ties that put `value` where `goal` is, as few as possible; None when nothing does."""
        way: dict[Value, tuple[Value, list[Tie]] | None] = {value: None}
        todo = deque([value])
        while todo:
            at = todo.popleft()
            ties: list[Tie] | None = [] if _is_goal(at, goal) else None
            if isinstance(at.defining_op, scf.IfOp):
                ties = self._branches(at, at.defining_op, goal)
            if ties is not None:
                return [*ties, *_back(way, at)]
            for source, tie in self._steps(at):
                if source not in way:
                    way[source] = at, [] if tie is None else [tie]
                    todo.append(source)
        return None

    def _branches(self, result: Value, op: scf.IfOp, goal: Goal) -> list[Tie] | None:
        assert isinstance(result, OpResult)
        ties: list[Tie] = []
        for region in op.regions:
            found = self._path(region.block.terminator.operands[result.index], goal)
            if found is None:
                return None
            ties += found
        return ties

    def _steps(self, value: Value) -> Sequence[tuple[Value, Tie | None]]:
        """What `value` lies, or may lie, in place of."""
        op = value.defining_op
        match op:
            case flow.TensorReshapeOp():
                return [(op.source, None)]
            case flow.TensorUpdateOp():
                return [(op.target, None)]
            case flow.DispatchRegionOp():
                assert isinstance(value, OpResult)
                return self._dispatch(op, value.index)
            case scf.ForOp():
                assert isinstance(value, OpResult)
                return (
                    [(op.init_args[value.index], None)] if self._is_carried(op.body.block.args[value.index + 1]) else ()
                )
            case scf.WhileOp():
                assert isinstance(value, OpResult)
                source = _forwarded(op, value.index)
                if not isinstance(source, BlockArgument) or source.block is not op.before.block:
                    return ()
                return [(op.init_args[source.index], None)] if self._is_carried(source) else ()
            case None if isinstance(value, BlockArgument):
                loop = value.block.parent_op
                if isinstance(loop, scf.WhileOp) and value.block is loop.after.block:
                    source = _forwarded(loop, value.index)
                    return [] if source is None else [(source, None)]
                return ()
            case _:
                return ()

    def _dispatch(self, region: flow.DispatchRegionOp, index: int) -> list[tuple[Value, Tie | None]]:
        """The tensors from outside that a result overwrites, or may overwrite."""
        body = region.body.block
        returned = list(body.terminator.operands)
        result = returned[index]
        if not isinstance(result, OpResult) or result in returned[:index]:
            return []
        maker = result.op
        updated = updated_in_place(maker)
        if updated:
            source = maker.operands[updated[result.index]]
            return [] if region.body.is_ancestor_of(source.parent_region) else [(source, None)]
        if not isinstance(maker, linalg.GenericOp) or not _is_in_step(maker, maker.output_maps[result.index]):
            return []
        # What a result begins with would be written over what is still to be read.
        if any(a.uses for a in maker.body.block.args[len(maker.inputs) :]):
            return []
        if any(op.dialect == "linalg" and not isinstance(op, _KERNELS) for op in body):
            return []
        taken = self.found.get(region, {})
        found: list[tuple[Value, Tie | None]] = []
        for source in dict.fromkeys(v for op in body for v in op.operands):
            outside = not region.body.is_ancestor_of(source.parent_region)
            free = taken.get(index, source) is source and all(v is not source or i == index for i, v in taken.items())
            if outside and source.type == result.type and free and self._is_last(region, source, maker):
                found.append((source, (region, index, source)))
        return found

    # ------------------------------------------------------------------------------------------ who reads what

    def _is_last(self, region: flow.DispatchRegionOp, source: Value, maker: linalg.GenericOp) -> bool:
        """Whether the region reads `source` as the module says, and nobody reads its elements behind the region."""
        whole = source
        while isinstance(whole.defining_op, flow.TensorReshapeOp):
            whole = whole.defining_op.source
        # What stands in front of a loop is read again by the next iteration.
        same_loop = loop_around(whole.parent_region) is loop_around(region.parent_region)
        return same_loop and self._others_are_done(region, whole, source, maker)

    def _others_are_done(
        self, region: flow.DispatchRegionOp, tensor: Value, source: Value, maker: linalg.GenericOp
    ) -> bool:
        for user, index in tensor.uses:
            if region.body.is_ancestor_of(user.parent_region):
                if tensor is not source or not _reads_in_time(region, user, index, maker):
                    return False
            elif isinstance(user, flow.TensorReshapeOp | flow.TensorSliceOp):
                if not self._others_are_done(region, user.result, source, maker):
                    return False
            elif self.order[user] > self.order[region] and not exclude_each_other(user, region):
                return False
        return True


def _is_goal(value: Value, goal: Goal) -> bool:
    if isinstance(goal, BlockArgument):
        return value is goal
    load = value.defining_op
    return isinstance(load, ml_program.GlobalLoadOp) and load.global_ == goal


def _back(way: dict[Value, tuple[Value, list[Tie]] | None], at: Value) -> list[Tie]:
    """The ties on the way from the beginning of a search to `at`."""
    ties: list[Tie] = []
    step = way[at]
    while step is not None:
        ties += step[1]
        step = way[step[0]]
    return ties


def _forwarded(loop: scf.WhileOp, index: int) -> Value | None:
    """What scf.while's `before` gives to `after` and to the results at a position; None when it gives it twice."""
    condition = loop.before.block.terminator
    assert isinstance(condition, scf.ConditionOp)
    value = condition.args[index]
    return value if list(condition.args).count(value) == 1 else None


def _is_in_step(op: linalg.GenericOp, m: AffineMap) -> bool:
    """Whether an elementwise operation goes through a tensor as it goes through its (every) result."""
    return op.is_elementwise and m.is_permutation and all(m == o for o in op.output_maps)


def _reads_in_time(region: flow.DispatchRegionOp, op: Op, index: int, maker: linalg.GenericOp) -> bool:
    """Whether `op` has read each element when `maker` overwrites it."""
    if not isinstance(op, linalg.GenericOp) or op.parent is not maker.parent or index >= len(op.inputs):
        return False
    if not _is_in_step(op, op.input_maps[index]):
        return False
    returned = region.body.block.terminator.operands
    return op is maker or (op.is_before_in_block(maker) and all(r in returned for r in op.results))
