"""From dispatch functions on tensors to kernels: scf, arith, math, memref and vector on bindings.

Every entry of an executable is bound (`binding.py`), given to the first strategy that matches, and lowered through the
phases of its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.codegen.common.binding import bind_function
from tesselle.codegen.common.contraction import ContractionStrategy
from tesselle.codegen.common.convolution import ConvolutionStrategy
from tesselle.codegen.common.general import GeneralStrategy
from tesselle.codegen.common.movement import MovementStrategy
from tesselle.codegen.common.scatter import ScatterStrategy
from tesselle.codegen.common.sort import SortStrategy
from tesselle.codegen.common.strategy import Strategy, TargetShape
from tesselle.codegen.common.streaming import stream
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.flow.ops import ExecutableExportOp, ExecutableOp, ReturnOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block
from tesselle.support.diagnostics import CompilerError, TesselleError
from tesselle.support.dtypes import INDEX

OnPhase = Callable[[str, ExecutableOp], None]
"""Told the name of each finished phase and the executable as it is then."""


def default_strategies() -> tuple[Strategy, ...]:
    """In the order in which they are tried."""
    return (
        ContractionStrategy(),
        ConvolutionStrategy(),
        MovementStrategy(),
        ScatterStrategy(),
        SortStrategy(),
        GeneralStrategy(),
    )


def lower_executable(
    executable: ExecutableOp,
    target: TargetShape,
    strategies: Sequence[Strategy] | None = None,
    on_phase: OnPhase | None = None,
) -> None:
    """Lower every entry in place: kernel functions in its module, grids in its exports.

    Errors: Unsupported for operations that no strategy compiles; CompilerError for a malformed executable.
    """
    module = next((op for op in executable.body.block if isinstance(op, ModuleOp)), None)
    if module is None:
        raise CompilerError(f"executable @{executable.sym_name} holds no module", executable.location)
    for export in [op for op in executable.body.block if isinstance(op, ExecutableExportOp)]:
        function = module.lookup(export.function.leaf)
        if not isinstance(function, FuncOp):
            raise CompilerError(f"@{executable.sym_name} exports {export.function}, which is no function")
        try:
            _lower_entry(executable, export, function, target, strategies or default_strategies(), on_phase)
        except TesselleError as error:
            error.add_note_at(f"in dispatch @{export.sym_name}", export.location)
            raise


def _lower_entry(
    executable: ExecutableOp,
    export: ExecutableExportOp,
    function: FuncOp,
    target: TargetShape,
    strategies: Sequence[Strategy],
    on_phase: OnPhase | None,
) -> None:
    kernel = bind_function(function, export.dim_bindings, export.push_multiples)
    matches = ((s.name, s.match(kernel, target)) for s in strategies)
    name, plan = next((m for m in matches if m[1] is not None), ("", None))
    if plan is None:
        raise CompilerError(f"no strategy compiles @{function.sym_name}", function.location)
    for phase, run in plan.phases():
        run()
        if on_phase is not None:
            on_phase(f"{export.sym_name}.{phase}", executable)
    streamed = stream(function)
    export.kernel = f"{name}: {plan.explain()}{streamed}"
    block = Block([INDEX] * len(kernel.index_push_constants))
    b = Builder.at_end(block, export.location)
    b.insert(ReturnOp(plan.workgroup_count(b, block.args)))
    region = export.workgroup_count
    if not region.is_empty:
        raise CompilerError(f"@{export.sym_name} already has a grid", export.location)
    region.append(block)
