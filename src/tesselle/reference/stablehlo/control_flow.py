"""Control flow."""

from __future__ import annotations

from dataclasses import replace

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo.attributes import RngAlgorithm
from tesselle.dialects.stablehlo.custom_calls import (
    DYNAMIC_REDUCE_WINDOW,
    DYNAMIC_RNG,
    SHAPE_ASSERTION,
    custom_call_of,
    expand,
    shape_operands,
)
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics
from tesselle.reference.stablehlo.random import random_bits
from tesselle.reference.stablehlo.window import dynamic_reduce_window
from tesselle.support.custom_calls import ArraySpec, host_function, how_to_register, run_host_call
from tesselle.support.diagnostics import InvocationError, Unsupported, fill_in


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


@region_semantics(s.CustomCallOp)
def custom_call(op: s.CustomCallOp, runner: RegionRunner, *inputs: Array) -> list[Array]:
    """The registered host function; where there is none, the operations that the call expands to."""
    if op.call_target_name == SHAPE_ASSERTION:
        if not inputs[0]:
            text = str(op.attributes.get("error_message", "a promise about dynamic shapes does not hold"))
            raise InvocationError(fill_in(text, [int(x) for x in inputs[1:]]), op.location, op.name)
        return []
    if op.call_target_name == DYNAMIC_REDUCE_WINDOW:
        return dynamic_reduce_window(op, runner, inputs)
    if op.call_target_name == DYNAMIC_RNG:
        algorithm = op.attributes["rng_algorithm"]
        assert isinstance(algorithm, RngAlgorithm)
        shape = tuple(int(n) for n in inputs[1])
        return random_bits(algorithm, inputs[0], tensor_type(op.results[1]).dtype, shape)
    target = op.call_target_name
    function = runner.host_functions.get(target) or host_function(target)
    if function is not None:
        shapes = shape_operands(op)
        results = tuple(_spec(op, i, inputs[shapes[i]] if shapes else None) for i in range(len(op.results)))
        operands = [x for i, x in enumerate(inputs) if i not in shapes]
        return run_host_call(replace(custom_call_of(op), results=results), function, operands)
    rw = Rewriter(op)
    values = expand(op, rw)
    if values is None:
        text = f"custom call @{op.call_target_name} is not known: {how_to_register(op.call_target_name)}"
        raise Unsupported(text, op.location, op.name)
    try:
        runner.run_ops(rw.touched)
        return [runner.environment[v] for v in values]
    finally:
        for made in reversed(rw.touched):
            made.erase()


def _spec(op: s.CustomCallOp, index: int, shape: Array | None) -> ArraySpec:
    t = op.result_types[index]
    if not isinstance(t, TensorType) or (shape is None and not t.is_static):
        raise Unsupported(f"custom call @{op.call_target_name} with a result of type {t}", op.location, op.name)
    return ArraySpec(t.dtype, t.static_shape if shape is None else tuple(int(d) for d in shape))
