"""drop-shardings: how tensors were meant to lie on several devices says nothing to one.

    %1 = sdy.sharding_constraint %0 <@mesh, [{"x"}, {}]>         ->  %0
    %1 = sdy.manual_computation(%0) … manual_axes={"x"} { body }  ->  body, where the pieces are whole tensors
    %1 = builtin.unrealized_conversion_cast %0 : T to T           ->  %0

The casts stand around these operations in VHLO, which has types of its own; they are read as StableHLO's.

Source: Shardy; StableHLO spec, Parallel execution: with one process every piece is the tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core.builtin import UnrealizedConversionCastOp
from tesselle.dialects.sdy import ops as sdy
from tesselle.ir.core import Op
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import inline_block
from tesselle.ir.types import types_compatible
from tesselle.support.diagnostics import Diagnostic, Unsupported


@register_pass("drop-shardings")
@dataclass(frozen=True)
class DropShardings(Pass):
    """Take Shardy's operations away. Errors: Unsupported for computations on pieces that are not the whole tensors."""

    def run(self, module: Op) -> None:
        failures: list[Diagnostic] = []
        for op in [o for o in module.walk() if o.dialect == "sdy" or isinstance(o, UnrealizedConversionCastOp)]:
            match op:
                case UnrealizedConversionCastOp():
                    if all(map(types_compatible, (v.type for v in op.inputs), op.result_types)):
                        op.replace_with(op.inputs)
                case sdy.MeshOp() | sdy.ShardingGroupOp():
                    op.erase()
                case sdy.ManualComputationOp() | sdy.NamedComputationOp():
                    try:
                        _require_whole(op)
                    except Unsupported as error:
                        failures.extend(error.diagnostics)
                        continue
                    op.replace_with(inline_block(op.body.block, op, op.inputs))
                case sdy.ReturnOp():
                    pass  # goes with its computation
                case _:
                    op.replace_with(op.operands)
        if failures:
            raise Unsupported.several(failures)


def _require_whole(op: sdy.ManualComputationOp | sdy.NamedComputationOp) -> None:
    arguments, returned = op.body_block_types()
    given = [*(v.type for v in op.inputs), *op.result_types]
    for inside, outside in zip((*arguments, *returned), given, strict=True):
        if not types_compatible(inside, outside):
            text = f"{op.name} computes on pieces of type {inside} of {outside}; a compiled program runs on one device"
            raise Unsupported(text, op.location, op.name)
