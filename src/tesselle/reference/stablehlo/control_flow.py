"""Control flow."""

from __future__ import annotations

from tesselle.dialects.stablehlo import control_flow as s
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics
from tesselle.support.diagnostics import ExecutionError, Unsupported


@region_semantics(s.WhileOp)
def while_loop(op: s.WhileOp, runner: RegionRunner, *init: Array) -> list[Array]:
    state = list(init)
    while runner.run_region(op.cond, state)[0]:
        state = runner.run_region(op.body, state)
    return state


@region_semantics(s.IfOp)
def if_op(op: s.IfOp, runner: RegionRunner, pred: Array) -> list[Array]:
    return runner.run_region(op.true_branch if pred else op.false_branch, [])


@region_semantics(s.CaseOp)
def case(op: s.CaseOp, runner: RegionRunner, index: Array) -> list[Array]:
    count, i = len(op.branches), int(index)
    return runner.run_region(op.branches[i if 0 <= i < count else count - 1], [])


@semantics(s.OptimizationBarrierOp)
def optimization_barrier(op: s.OptimizationBarrierOp, *values: Array) -> list[Array]:
    return list(values)


@region_semantics(s.CompositeOp)
def composite(op: s.CompositeOp, runner: RegionRunner, *inputs: Array) -> list[Array]:
    return runner.call(op.decomposition.root, inputs)


@semantics(s.CustomCallOp)
def custom_call(op: s.CustomCallOp, *inputs: Array) -> list[Array]:
    """What Tesselle knows of custom calls: annotations of partitioners, and assertions about dynamic shapes."""
    if op.call_target_name == "shape_assertion" and not op.results:
        if not inputs[0]:
            raise ExecutionError("a promise about dynamic shapes does not hold", op.location, op.name)
        return []
    if op.call_target_name in ANNOTATIONS:
        return list(inputs)
    raise Unsupported(f"custom_call @{op.call_target_name} has no meaning here", op.location, op.name)


ANNOTATIONS = frozenset(
    {"Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "annotate_device_placement", "LayoutConstraint"}
)
"""Custom calls that give their operands back."""
