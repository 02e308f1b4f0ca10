"""drop-bounds: bounds of dimensions leave the types, and are checked where tensors come in.

func @f(%x: tensor<?xf32, #stablehlo.bounds<8>>)     func @f(%x: tensor<?xf32>)
                                                ->     %n = get_dimension_size %x, dim = 0;  %c = compare LE, %n, 8
                                                       custom_call @shape_assertion(%c, %n)

Nothing is ever padded to a bound. What a bound still says inside is up to where set_dimension_size may go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core import func
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import BOUND, ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_calls import SHAPE_ASSERTION
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.types import FunctionType, TensorType, TupleType, Type
from tesselle.passes.input.stablehlo_builder import StablehloBuilder


@register_pass("drop-bounds")
@dataclass(frozen=True)
class DropBounds(Pass):
    """Check the bounds of arguments when the program runs, and take encodings out of all types."""

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, func.FuncOp) and op.is_public and not op.is_declaration:
                _check_arguments(op)
            if isinstance(op, s.SetDimensionSizeOp):
                t = tensor_type(op.operand)
                bound = t.bounds[op.dimension]
                if bound is not None:
                    op.attributes[BOUND] = bound
        for op in module.walk():
            for value in (*op.results, *(a for region in op.regions for block in region.blocks for a in block.args)):
                value.type = _plain(value.type)
            if isinstance(op, func.FuncOp):
                t = op.function_type
                op.function_type = FunctionType(tuple(map(_plain, t.inputs)), tuple(map(_plain, t.results)))


def _plain(t: Type) -> Type:
    if isinstance(t, TensorType) and t.encoding is not None:
        return TensorType(t.shape, t.dtype)
    if isinstance(t, TupleType):
        return TupleType(tuple(map(_plain, t.types)))
    return t


def _check_arguments(function: func.FuncOp) -> None:
    entry = function.entry
    first = entry.first
    for arg in entry.args:
        if not isinstance(arg.type, TensorType) or arg.type.encoding is None:
            continue
        b = StablehloBuilder(entry, first, function.location)
        for axis, bound in enumerate(arg.type.bounds):
            if bound is not None:
                _check(b, arg, axis, bound)


def _check(b: StablehloBuilder, arg: Value, axis: int, bound: int) -> None:
    size = b.insert(s.GetDimensionSizeOp(arg, axis)).result
    fits = b.compare(size, ComparisonDirection.LE, b.constant(np.array(bound, np.int32)))
    call = b.insert(CustomCallOp((fits, size), SHAPE_ASSERTION, (), has_side_effect=True))
    call.attributes["error_message"] = f"the bound of a dimension is {bound}, found {{0}}"
