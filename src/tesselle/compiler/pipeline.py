"""The whole compiler: every phase and every pass, in order. This file is the only list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tesselle.codegen.common.lowering import OnPhase
from tesselle.codegen.executables import ItemProgress, LowerExecutables, SerializeExecutables
from tesselle.codegen.llvm.target import cpu_target
from tesselle.ir.passes import Fact, Pass
from tesselle.passes.dispatch_creation.clone_into_regions import CloneIntoRegions
from tesselle.passes.dispatch_creation.deduplicate_executables import DeduplicateExecutables
from tesselle.passes.dispatch_creation.form_dispatch_regions import FormDispatchRegions
from tesselle.passes.dispatch_creation.outline_dispatches import OutlineDispatches
from tesselle.passes.dispatch_creation.prepare_dispatches import PrepareDispatches
from tesselle.passes.dispatch_creation.resolve_dims import ResolveDims
from tesselle.passes.global_optimization import GLOBAL_OPTIMIZATION_PASSES
from tesselle.passes.global_optimization.pack_constants import PackConstants
from tesselle.passes.hal.convert_to_hal import ConvertToHal
from tesselle.passes.input import input_passes
from tesselle.passes.stream.assign_storage import AssignStorage
from tesselle.passes.stream.convert_to_stream import ConvertToStream
from tesselle.passes.stream.copy_on_write import CopyOnWrite
from tesselle.passes.stream.pack_transients import PackTransients
from tesselle.passes.stream.schedule_commands import ScheduleCommands
from tesselle.passes.vm.convert_to_vm import ConvertToVm
from tesselle.passes.vm.fold_host_arithmetic import FoldHostArithmetic
from tesselle.passes.vm.fold_vm import FoldVm
from tesselle.passes.vm.sink_constants import SinkConstants
from tesselle.support.diagnostics import OptionError


@dataclass(frozen=True)
class PipelineOptions:
    """What the passes are told: the target, resources, and where to report."""

    target_cpu: str = "host"
    jobs: int = 0
    cache_dir: Path | None = None
    dump_dir: Path | None = None
    on_executable_phase: OnPhase | None = None
    item_progress: ItemProgress | None = None
    custom_calls: tuple[str, ...] = ()


def panel_bytes(target_cpu: str) -> int:
    """Width of the panels of packed weights: two vector registers."""
    return 2 * cpu_target(target_cpu).vector_bits // 8


@dataclass(frozen=True)
class Phase:
    """A named stretch of the pipeline. `starts_with`: the facts that hold for IR that enters it from a file."""

    name: str
    summary: str
    passes: Callable[[PipelineOptions], tuple[Pass, ...]]
    starts_with: frozenset[Fact] = frozenset()


PHASES: tuple[Phase, ...] = (
    Phase(
        "input",
        "one function per entry point, in plain StableHLO",
        lambda o: input_passes(o.custom_calls),
    ),
    Phase(
        "global-optimization",
        "linalg on tensors, optimised over whole functions",
        lambda o: (*GLOBAL_OPTIMIZATION_PASSES, PackConstants(panel_bytes(o.target_cpu))),
        frozenset({Fact.INPUT}),
    ),
    Phase(
        "dispatch-creation",
        "what runs together on the device stands in dispatch regions",
        lambda o: (
            ResolveDims(),
            PrepareDispatches(),
            FormDispatchRegions(),
            CloneIntoRegions(),
        ),
        frozenset({Fact.LINALG}),
    ),
    Phase(
        "flow",
        "dispatches of executables, each executable once",
        lambda o: (OutlineDispatches(), DeduplicateExecutables()),
        frozenset({Fact.LINALG, Fact.DISPATCHES}),
    ),
    Phase(
        "stream",
        "commands in waves on resources, transients in one arena",
        lambda o: (
            ConvertToStream(),
            CopyOnWrite(),
            AssignStorage(),
            FoldHostArithmetic(),
            ScheduleCommands(),
            PackTransients(),
        ),
        frozenset({Fact.OUTLINED}),
    ),
    Phase(
        "hal",
        "command buffers, fences, machine code",
        lambda o: (
            LowerExecutables(o.target_cpu, o.on_executable_phase, o.item_progress),
            ConvertToHal(),
            FoldHostArithmetic(),
            SerializeExecutables(o.target_cpu, o.jobs, o.cache_dir, o.dump_dir, o.item_progress),
        ),
        frozenset({Fact.OUTLINED, Fact.STREAM, Fact.SCHEDULED}),
    ),
    Phase(
        "vm",
        "the host program as instructions of the virtual machine",
        lambda o: (ConvertToVm(), FoldVm(), SinkConstants()),
        frozenset({Fact.HAL}),
    ),
)
"""The way of a program. IREE's names where a phase does what IREE's does."""


def phase_names() -> tuple[str, ...]:
    return tuple(p.name for p in PHASES)


def phase_index(name: str, option: str) -> int:
    """The position of a phase; OptionError when there is no such phase."""
    names = phase_names()
    if name not in names:
        raise OptionError(f"{option}: there is no phase '{name}'; the phases are: {', '.join(names)}")
    return names.index(name)
