"""convert-stablehlo-to-linalg: every StableHLO and CHLO operation by its lowering.

%2 = stablehlo.add %0, %1 : tensor<4xf32>
->
%e = tensor.empty() : tensor<4xf32>
%2 = linalg.generic (identity maps, parallel) ins(%0, %1) outs(%e) { arith.addf; linalg.yield }
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core.func import FuncOp
from tesselle.ir.core import Op
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import lower_block
from tesselle.passes.global_optimization.stablehlo_to_linalg.sizes import mark_sizes
from tesselle.support.diagnostics import Diagnostic, Unsupported


@register_pass("convert-stablehlo-to-linalg", needs=[Fact.INPUT], gives=[Fact.LINALG], breaks=[Fact.INPUT])
@dataclass(frozen=True)
class ConvertStablehloToLinalg(Pass):
    """Replace StableHLO by linalg, tensor, arith, math and scf. Errors: Unsupported, with every operation that is."""

    def run(self, module: Op) -> None:
        failures: list[Diagnostic] = []
        for function in [op for op in module.walk() if isinstance(op, FuncOp)]:
            mark_sizes(function)
            for block in function.body.blocks:
                try:
                    lower_block(block)
                except Unsupported as error:
                    failures.extend(error.diagnostics)
        if failures:
            raise Unsupported.several(failures)
        eliminate_dead_code(module)
        eliminate_common_subexpressions(module)
