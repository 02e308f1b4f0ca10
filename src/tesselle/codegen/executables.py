"""Executables on their way from dispatch functions to machine code, for every target.

Two passes of the `hal` phase: `lower-executables` leaves kernels and grids, `serialize-executables` leaves images. The
host program is converted between them: it needs the grids, not the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tesselle.codegen.common.lowering import OnPhase, lower_executable
from tesselle.codegen.common.strategy import TargetShape
from tesselle.codegen.llvm.executable import KernelModule, build_images, effort
from tesselle.codegen.llvm.object_cache import ObjectCache
from tesselle.codegen.llvm.target import CpuTarget, cpu_target
from tesselle.codegen.llvm.workers import WorkerOptions
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.hal import ops as hal
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.types import TensorType
from tesselle.support.diagnostics import Diagnostic, Unsupported
from tesselle.support.dtypes import UI8

ItemProgress = Callable[[str, int, int], None]
"""Told what is at work, how many are done, and how many there are."""


def target_shape(target: CpuTarget) -> TargetShape:
    """What code generation needs to know of an LLVM target."""
    return TargetShape(target.vector_bits, target.register_count, target.has_fma)


@register_pass("lower-executables", needs=[Fact.OUTLINED])
@dataclass(frozen=True)
class LowerExecutables(Pass):
    """Tile, fuse, bufferize and vectorize the functions of every flow.executable; fill in the workgroup counts.

    `on_phase` is told of every step of every executable, for dumps. Errors: Unsupported lists every operation that no
    strategy compiles, in all executables.
    """

    target_cpu: str = "host"
    on_phase: OnPhase | None = field(default=None, compare=False)
    progress: ItemProgress | None = field(default=None, compare=False)

    def run(self, module: Op) -> None:
        assert isinstance(module, ModuleOp)
        shape = target_shape(cpu_target(self.target_cpu))
        executables = [op for op in module.body if isinstance(op, flow.ExecutableOp)]
        problems: list[Diagnostic] = []
        for i, executable in enumerate(executables):
            if self.progress is not None:
                self.progress(executable.sym_name, i, len(executables))
            try:
                lower_executable(executable, shape, on_phase=self.on_phase)
            except Unsupported as error:
                problems.extend(error.diagnostics)
        if problems:
            raise Unsupported.several(problems)


@register_pass("serialize-executables", needs=[Fact.HAL])
@dataclass(frozen=True)
class SerializeExecutables(Pass):
    """Replace every flow.executable by a hal.executable with an image for the target, all compiled in parallel.

    `jobs`: worker processes, 0 for one per core. `cache_dir`: objects are kept there between runs. `dump_dir`: receives
    the LLVM IR of every executable.
    """

    target_cpu: str = "host"
    jobs: int = 0
    cache_dir: Path | None = None
    dump_dir: Path | None = field(default=None, compare=False)
    progress: ItemProgress | None = field(default=None, compare=False)

    def run(self, module: Op) -> None:
        assert isinstance(module, ModuleOp)
        target = cpu_target(self.target_cpu)
        executables = [op for op in module.body if isinstance(op, flow.ExecutableOp)]
        kernels = [KernelModule(op.sym_name, _kernels_of(op), _effort_for(op)) for op in executables]
        if self.dump_dir is not None:
            _dump_llvm(kernels, target, self.dump_dir)
        report = self.progress
        images = build_images(
            kernels,
            target,
            self._worker_options(),
            None if report is None else lambda done, total: report("LLVM", done, total),
        )
        for executable, image in zip(executables, images, strict=True):
            body = Block()
            new = hal.ExecutableOp(executable.sym_name, Region([body]))
            Builder.before_op(executable).insert(new)
            for op in executable.body.block:
                if isinstance(op, flow.ExecutableExportOp):
                    Builder.at_end(body, op.location).insert(_export_of(op))
            data = DenseElements(np.frombuffer(image, np.uint8), TensorType((len(image),), UI8))
            binary = hal.ExecutableBinaryOp("cpu", target.triple, target.required_cpu_features, data)
            Builder.at_end(body, executable.location).insert(binary)
            executable.erase()

    def _worker_options(self) -> WorkerOptions:
        cache = ObjectCache(self.cache_dir) if self.cache_dir is not None else None
        return WorkerOptions(worker_count=self.jobs, cache=cache) if self.jobs else WorkerOptions(cache=cache)


def _kernels_of(executable: flow.ExecutableOp) -> ModuleOp:
    return next(op for op in executable.body.block if isinstance(op, ModuleOp))


def _effort_for(executable: flow.ExecutableOp) -> int:
    return max(effort(op.flops, op.bytes) for op in executable.body.block if isinstance(op, flow.ExecutableExportOp))


def _export_of(export: flow.ExecutableExportOp) -> hal.ExecutableExportOp:
    place = export.location.file_location()
    source = str(place) if place is not None else ""
    return hal.ExecutableExportOp(export.sym_name, export.summary, export.flops, export.bytes, source, export.kernel)


def _dump_llvm(kernels: list[KernelModule], target: CpuTarget, folder: Path) -> None:
    from tesselle.codegen.llvm.translate import translate_module

    for name, module, _ in kernels:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.ll").write_text(translate_module(module, target).ir)
