"""stablehlo.custom_call in terms of `support.custom_calls`: its configuration as plain values, and its expansion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.stablehlo.attributes import OutputOperandAlias
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.ir.attributes import UNIT, Attribute, DenseArray, DenseElements, FloatAttr, IntegerAttr, SymbolRef
from tesselle.ir.core import Value
from tesselle.ir.rewrite import Rewriter
from tesselle.support.custom_calls import ConfigValue, CustomCall, expansion

CONFIG = "mhlo.backend_config"
"""Attribute that JAX and TensorFlow use for a dictionary, beside an empty `backend_config`."""

SHAPE_ASSERTION = "shape_assertion"
"""Target of calls (condition, numbers…) that check the sizes of arguments, with the attribute `error_message`."""

DYNAMIC_REDUCE_WINDOW = "stablehlo.dynamic_reduce_window"
"""Target of calls (inputs…, initial values…, window, strides, base dilations, window dilations, padding)."""

DYNAMIC_RNG = "stablehlo.dynamic_rng_bit_generator"
"""Target of calls (state, shape) with the attribute `rng_algorithm`: rng_bit_generator of any shape."""

CHECKED_LATER = (SHAPE_ASSERTION, DYNAMIC_REDUCE_WINDOW, DYNAMIC_RNG)
"""Targets that are neither expanded where they stand nor functions of the host: passes of their own know them."""

SHAPE_OPERANDS = "indices_of_shape_operands"
"""Attribute: which operands are the shapes of the results, one for each result; the function does not get them."""


def plain_value(attribute: Attribute) -> ConfigValue:
    """An attribute as plain Python and NumPy values."""
    match attribute:
        case IntegerAttr() | FloatAttr():
            return attribute.value
        case DenseArray():
            return list(attribute.values)
        case DenseElements():
            return np.array(attribute.array)
        case SymbolRef():
            return str(attribute)
        case None | bool() | int() | float() | str():
            return attribute
        case tuple():
            return [plain_value(a) for a in attribute]
        case Mapping():
            return {name: plain_value(a) for name, a in attribute.items()}
        case _:
            return True if attribute is UNIT else str(attribute)


def attributes_of(op: CustomCallOp) -> dict[str, ConfigValue]:
    """The call's dictionary: `backend_config`, or what a producer wrote beside it."""
    given: dict[str, ConfigValue] = {}
    for attribute in (op.backend_config, op.attributes.get(CONFIG), op.attributes.get("mhlo.attributes")):
        if isinstance(attribute, Mapping):
            given.update(plain_value(attribute))
    return given


def custom_call_of(op: CustomCallOp) -> CustomCall:
    """The call as host functions see it, but for the types of its results."""
    config = op.backend_config
    skipped = shape_operands(op)
    layouts = _layouts(op.operand_layouts, len(op.operands))
    return CustomCall(
        op.call_target_name,
        attributes_of(op),
        config if isinstance(config, str) else "",
        op.api_version.value,
        tuple(x for i, x in enumerate(layouts) if i not in skipped),
        _layouts(op.result_layouts, len(op.results)),
        tuple(_alias(a) for a in op.output_operand_aliases),
    )


def _alias(alias: OutputOperandAlias) -> tuple[int, int]:
    return (alias.output_tuple_indices[0] if alias.output_tuple_indices else 0, alias.operand_index)


def _layouts(given: Sequence[Attribute] | None, count: int) -> tuple[tuple[int, ...] | None, ...]:
    if given is None or len(given) != count:
        return (None,) * count
    return tuple(tuple(int(d) for d in x.array) if isinstance(x, DenseElements) else None for x in given)


def shape_operands(op: CustomCallOp) -> tuple[int, ...]:
    """Which operands give the shapes of the results, in the order of the results; () when none do."""
    given: Any = op.attributes.get(SHAPE_OPERANDS)
    return tuple(int(i) for i in given.array) if isinstance(given, DenseElements) else ()


def expand(op: CustomCallOp, rw: Rewriter) -> Sequence[Value] | None:
    """Build what the call means in front of it: the values of its results, or None when it has no expansion."""
    # Tesselle's own expansions register themselves when they are first asked for.
    import tesselle.dialects.stablehlo.custom_call_expansions as own

    function = expansion(op.call_target_name) or own.by_prefix(op.call_target_name)
    if function is None:
        return None
    values = function(op, rw)
    if values is None:
        return None
    results = (values,) if isinstance(values, Value) else tuple(values)
    op.require(
        [v.type for v in results] == list(op.result_types),
        "expansion",
        f"@{op.call_target_name} expands to ({', '.join(str(v.type) for v in results)}),"
        f" its results are ({', '.join(map(str, op.result_types))})",
    )
    return results
