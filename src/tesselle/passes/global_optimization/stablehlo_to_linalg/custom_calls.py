"""Custom calls that are left after expansion: functions of the host."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.flow.ops import HostCallOp
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo.custom_calls import SHAPE_ASSERTION, custom_call_of, shape_operands
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.assertions import argument_dim, describe_comparison, insert_assertion
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements, pull_to_host
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, Size, lowering
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
    """custom_call @shape_assertion(condition, numbers…) -> flow.assert: in words about arguments, and its own."""
    condition = b.scalar(pull_to_host(b, op.inputs[0]))
    numbers = [index_elements(b, v)[0] for v in op.inputs[1:]]
    text = str(op.attributes.get("error_message", "the shapes of the arguments are not those that the program is for"))
    compared = condition.defining_op
    described = describe_constraint(text, numbers)
    if described is None and isinstance(compared, a.CmpIOp):
        described = describe_comparison(compared.predicate, compared.lhs, compared.rhs)
    if described is None:
        insert_assertion(b, condition, text, numbers, is_argument=True)
        return ()
    message, values = described
    shifted = re.sub(r"\{(\d+)\}", lambda m: f"{{{int(m[1]) + len(values)}}}", text)
    insert_assertion(b, condition, f"{message}\nnote: {shifted}", (*values, *numbers), is_argument=True)
    return ()


_VARIABLE = re.compile(r"'(\w+)' = \{(\d+)\} from specification '")
_CONSTRAINT = re.compile(r"the symbolic shape constraint (.+?)\. Expected")
_MULTIPLE = re.compile(r"mod\((\w+), ?(\d+)\) ?== ?0|\d+\*floordiv\((\w+), (\d+)\) == \w+")


def describe_constraint(text: str, numbers: Sequence[Value]) -> tuple[str, tuple[Size, ...]] | None:
    """What JAX's message says of a symbolic constraint that no comparison of two sizes shows, about arguments.

    None where it says nothing of the kind.
    """
    found = _CONSTRAINT.search(text)
    multiple = _MULTIPLE.fullmatch(found[1]) if found else None
    if multiple is None:
        return None
    name, factor = (multiple[1], multiple[2]) if multiple[1] else (multiple[3], multiple[4])
    places = {m[1]: int(m[2]) for m in _VARIABLE.finditer(text)}
    size = numbers[places[name]] if places.get(name, len(numbers)) < len(numbers) else None
    of = argument_dim(size) if size is not None else None
    if size is None or of is None:
        return None
    return f"{of.argument}: dimension {of.axis} is {{0}}, but must be a multiple of {factor}", (size,)
