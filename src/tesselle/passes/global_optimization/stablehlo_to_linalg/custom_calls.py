"""Custom calls that are left after expansion: functions of the host."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tesselle.dialects.flow.ops import AssertOp, HostCallOp
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo.custom_calls import SHAPE_ASSERTION, custom_call_of, shape_operands
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements, pull_to_host
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, lowering
from tesselle.support.diagnostics import Unsupported


@lowering(s.CustomCallOp)
def custom_call(op: s.CustomCallOp, b: Lowering) -> Sequence[Value]:
    """custom_call @f(x) -> flow.host_call @f(x); dimensions of results come from the operands that say them."""
    if op.call_target_name == SHAPE_ASSERTION:
        return _check_shapes(op, b)
    shapes = shape_operands(op)
    inputs = [v for i, v in enumerate(op.inputs) if i not in shapes]
    for t in (*(v.type for v in inputs), *op.result_types):
        if not isinstance(t, TensorType):
            raise Unsupported(f"custom call @{op.call_target_name} with a {t}", op.location, op.name)
    dims: list[Value] = []
    for i, t in enumerate(op.result_types):
        assert isinstance(t, TensorType)
        if t.is_static:
            continue
        if i >= len(shapes):
            text = f"custom call @{op.call_target_name}: result {i} is {t}, and no operand says its shape"
            raise Unsupported(text, op.location, op.name)
        elements = index_elements(b, op.inputs[shapes[i]])
        dims.extend(e for e, size in zip(elements, t.shape, strict=True) if size is None)
    call = custom_call_of(op)
    new = HostCallOp(
        inputs,
        dims,
        op.call_target_name,
        call.to_json(),
        result_types_=op.result_types,
        has_side_effect=op.has_side_effect,
    )
    return b.insert(new).results


def _check_shapes(op: s.CustomCallOp, b: Lowering) -> Sequence[Value]:
    """custom_call @shape_assertion(condition, numbers…) -> flow.assert; the numbers that its text would show are left
    out.
    """
    text = str(op.attributes.get("error_message", "the shapes of the arguments are not those that the program is for"))
    message = re.sub(r"\{\d+\}", "?", text)
    b.insert(AssertOp(b.scalar(pull_to_host(b, op.inputs[0])), f"{op.location}: {message}"))
    return ()
