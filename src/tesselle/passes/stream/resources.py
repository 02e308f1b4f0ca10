"""Facts about stream.async values: their sizes, and the value whose bytes they may share."""

from __future__ import annotations

from tesselle.dialects.core import func, scf
from tesselle.dialects.stream import ops as stream
from tesselle.ir.core import BlockArgument, Op, OpResult, Value


def forwarded(loop: scf.WhileOp) -> list[Value]:
    """What scf.while's `before` gives to `after` and to the results."""
    condition = loop.before.block.terminator
    assert isinstance(condition, scf.ConditionOp)
    return list(condition.args)


def tie_of(value: Value) -> stream.AsyncTieOp | None:
    """What says the size of a resource that control flow hands on, and whose size is not always the same."""
    return next((u for u in value.users if isinstance(u, stream.AsyncTieOp) and u.source is value), None)


def resource_size(value: Value) -> Value:
    """The bytes of a resource, as the value that says so.

    What loops carry without a tie, and what is updated in place, keeps its size: the value is that of the beginning, which is known
    wherever the resource is.
    """
    at = value
    while True:
        tie = tie_of(at)
        if tie is not None:
            return tie.size
        if isinstance(at, BlockArgument):
            loop = at.block.parent_op
            if isinstance(loop, scf.ForOp):
                at = loop.init_args[at.index - 1]
            elif isinstance(loop, scf.WhileOp):
                inside_before = at.block.parent is loop.before
                at = loop.init_args[at.index] if inside_before else forwarded(loop)[at.index]
            else:
                raise TypeError("a resource that is an argument of an unknown block")
            continue
        assert isinstance(at, OpResult)
        op = at.op
        match op:
            case stream.TensorImportOp() | stream.AsyncConstantOp() | stream.AsyncAllocaOp() | stream.AsyncSplatOp():
                return op.size
            case stream.AsyncTieOp() | stream.AsyncCloneOp() | stream.AsyncSliceOp():
                return op.size
            case stream.AsyncUpdateOp() | stream.AsyncFillOp():
                at = op.target
            case stream.AsyncDispatchOp():
                tied = op.tied_argument(at.index)
                if tied is None:
                    return op.result_sizes[at.index]
                at = op.arguments[tied]
            case stream.AsyncHostCallOp():
                return op.sizes[at.index]
            case scf.ForOp():
                at = op.init_args[at.index]
            case scf.WhileOp():
                at = forwarded(op)[at.index]
            case scf.IfOp():
                at = op.then_region.block.terminator.operands[at.index]
            case _:
                raise TypeError(f"{op.name} gives no resource")


def updated_operand(op: Op) -> list[tuple[int, int]]:
    """(operand index, result index) of everything that the operation updates in place."""
    match op:
        case stream.AsyncUpdateOp() | stream.AsyncFillOp():
            return [(1, 0)]
        case stream.AsyncTieOp():
            return [(0, 0)]
        case stream.AsyncDispatchOp():
            return [(t, i) for i, t in enumerate(op.tied) if t is not None]
        case _:
            return []


def is_loop(op: Op | None) -> bool:
    return isinstance(op, scf.ForOp | scf.WhileOp)


def enclosing_function(op: Op) -> func.FuncOp:
    """The function around an operation."""
    at: Op | None = op
    while at is not None and not isinstance(at, func.FuncOp):
        at = at.parent_op
    assert at is not None
    return at
