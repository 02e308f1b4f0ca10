"""Operations of flow that stand in programs before there are dispatches."""

from __future__ import annotations

from dataclasses import replace

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.reference.registry import Array, semantics
from tesselle.support.custom_calls import ArraySpec, CustomCall, host_function, how_to_register, run_host_call
from tesselle.support.diagnostics import ExecutionError, InvocationError, Unsupported, fill_in


@semantics(flow.HostCallOp)
def host_call(op: flow.HostCallOp, *operands: Array) -> list[Array]:
    function = host_function(op.target)
    if function is None:
        raise Unsupported(f"custom call @{op.target} is not known: {how_to_register(op.target)}", op.location, op.name)
    count, sizes = len(op.arguments), iter(operands[len(op.arguments) :])
    specs: list[ArraySpec] = []
    for r in op.results:
        t = tensor_type(r)
        specs.append(ArraySpec(t.dtype, tuple(int(next(sizes)) if d is None else d for d in t.shape)))
    call = replace(CustomCall.from_json(op.target, op.config), results=tuple(specs))
    return run_host_call(call, function, operands[:count])


@semantics(flow.OptimizationBarrierOp)
def optimization_barrier(op: flow.OptimizationBarrierOp, *values: Array) -> list[Array]:
    return list(values)


@semantics(flow.TensorTieShapeOp)
def tie_shape(op: flow.TensorTieShapeOp, value: Array, *dims: Array) -> Array:
    """The operand. ExecutionError when its dimensions are others."""
    open_dims = [n for n, d in zip(value.shape, tensor_type(op.source).shape, strict=True) if d is None]
    if open_dims != [int(d) for d in dims]:
        found = ", ".join(str(int(d)) for d in dims)
        raise ExecutionError(f"a tensor of shape {value.shape} stands beside the sizes {found}", op.location, op.name)
    return value


@semantics(flow.AssertOp)
def check_assertion(op: flow.AssertOp, condition: Array, *values: Array) -> list[Array]:
    if not condition:
        kind = InvocationError if op.is_argument else ExecutionError
        raise kind(fill_in(op.message, [int(v) for v in values]))
    return []
