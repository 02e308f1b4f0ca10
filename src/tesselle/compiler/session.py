"""Compilation of one program: from source to artifact, or between any two phases."""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tesselle.artifact.artifact import Artifact
from tesselle.compiler.manifest import build_artifact
from tesselle.compiler.pipeline import PHASES, Phase, PipelineOptions, phase_index
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.flow.ops import ExecutableOp
from tesselle.frontends import import_program
from tesselle.ir.core import Op
from tesselle.ir.passes import Pass, Pipeline
from tesselle.ir.text import print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import CompilerError, Note, OptionError, TesselleError
from tesselle.support.options import CompileOptions
from tesselle.support.progress import Progress, ProgressCallback
from tesselle.support.report import CompileReport, PassRecord

TARGETS = ("cpu",)
"""What this compiler makes code for."""

ELIDE_ABOVE = 64
"""Elements above which constants are left out of dumps (they are whole in the text of --compile-to)."""


def compile(
    source: object,
    targets: Sequence[str] = ("cpu",),
    options: CompileOptions | None = None,
    progress: ProgressCallback | None = None,
) -> Artifact:
    """Compile a program into an artifact.

    `source`: path of a file of MLIR text or bytecode, or of the folder of a SavedModel; text or bytes themselves,
    `jax.stages.Lowered`, `jax.export.Exported`, `tesselle.jax.StatefulModule`, or a module.
    `progress` is called as phases, passes and kernels are done.

    Errors: ParseError, VerifyError, Unsupported (all operations at once), OptionError; CompilerError for faults of the
    compiler itself, with phase, pass and a way to reproduce them.
    """
    options = options or CompileOptions()
    if options.compile_to is not None and options.compile_to != PHASES[-1].name:
        raise OptionError(f"--compile-to {options.compile_to} gives IR, no artifact: use compile_to_text")
    return _Compilation(source, targets, options, progress).artifact()


def compile_to_text(
    source: object,
    targets: Sequence[str] = ("cpu",),
    options: CompileOptions | None = None,
    progress: ProgressCallback | None = None,
) -> str:
    """The IR at the end of the phase `options.compile_to` (the last when that is None), as MLIR text."""
    return print_op(_Compilation(source, targets, options or CompileOptions(), progress).module())


@dataclass
class _Compilation:
    source: object
    targets: Sequence[str]
    options: CompileOptions
    progress: ProgressCallback | None
    records: list[PassRecord] = field(default_factory=list[PassRecord])

    def __post_init__(self) -> None:
        unknown = [t for t in self.targets if t not in TARGETS]
        if unknown or not self.targets:
            what = f"there is no target '{unknown[0]}'" if unknown else "no target is given"
            raise OptionError(f"{what}; the targets are: {', '.join(TARGETS)}")

    def artifact(self) -> Artifact:
        started = time.perf_counter()
        with _without_collector():
            module = self._run()
            name = Path(str(self.source)).stem if isinstance(self.source, Path) else module.sym_name or "module"
            artifact = build_artifact(module, name)
        artifact.compile_report = CompileReport(tuple(self.records), time.perf_counter() - started)
        return artifact

    def module(self) -> ModuleOp:
        with _without_collector():
            return self._run()

    # ------------------------------------------------------------------------------------------ phases

    def _run(self) -> ModuleOp:
        options = self.options
        first = 0 if options.compile_from is None else phase_index(options.compile_from, "--compile-from") + 1
        last = len(PHASES) - 1 if options.compile_to is None else phase_index(options.compile_to, "--compile-to")
        if first > last and not (first == len(PHASES) and options.compile_to is None):
            raise OptionError(f"--compile-from {options.compile_from} lies behind --compile-to {PHASES[last].name}")
        started = time.perf_counter()
        self._tell("import", 0, last - first + 1)
        total = last - first + 1
        module = import_program(
            self.source, options.functions, options.weights, lambda step: self._tell("import", 0, total, step)
        )
        self.records.append(PassRecord("import", "import", time.perf_counter() - started))
        for i in range(first, last + 1):
            self._phase(module, i, i - first, last - first + 1)
        self._tell(PHASES[last].name, last - first + 1, last - first + 1)
        return module

    def _phase(self, module: ModuleOp, index: int, done: int, total: int) -> None:
        phase = PHASES[index]
        self._tell(phase.name, done, total)
        passes = phase.passes(self._pipeline_options(index, done, total))
        pipeline = Pipeline(passes, phase.starts_with, verify_each=self.options.verify_each)
        running = iter((*passes, None))
        at: list[Pass | None] = [next(running)]

        def on_pass(p: Pass) -> None:
            self.records.append(PassRecord(phase.name, p.NAME, pipeline.timings[-1].seconds))
            at[0] = next(running)

        try:
            pipeline.run(module, on_pass)
            verify(module)
        except CompilerError as error:
            error.add_note_at(self._reproduce(index, at[0]))
            raise
        except TesselleError:
            raise
        except RecursionError as error:
            raise CompilerError(f"phase {phase.name}: the program is nested too deeply") from error
        except Exception as error:
            message = f"phase {phase.name}: {type(error).__name__}: {error}"
            raise CompilerError(message, notes=(Note(self._reproduce(index, at[0])),)) from error
        if self.options.dump_phases is not None:
            self._dump(self.options.dump_phases / f"{index + 1:02}-{phase.name}.mlir", module)

    def _pipeline_options(self, index: int, done: int, total: int) -> PipelineOptions:
        o = self.options
        folder = None if o.dump_phases is None else o.dump_phases / "executables"
        name = PHASES[index].name

        def item(what: str, item_done: int, item_total: int) -> None:
            self._tell(name, done, total, what, item_done, item_total)

        return PipelineOptions(
            o.target_cpu,
            o.jobs,
            o.cache_dir,
            folder,
            None if folder is None else _ExecutableDump(folder),
            item if self.progress is not None else None,
            o.custom_calls,
        )

    def _tell(self, phase: str, done: int, total: int, item: str = "", item_done: int = 0, item_total: int = 0) -> None:
        if self.progress is not None:
            self.progress(Progress(phase, done, total, item, item_done, item_total))

    def _reproduce(self, index: int, failed: Pass | None) -> str:
        """Commands that show the fault again."""
        source = str(self.source) if isinstance(self.source, Path) else "SOURCE"
        name = failed.describe() if failed is not None else "PASS"
        if index == 0:
            return f"to reproduce: tesselle opt --pass '{name}' {source}"
        before: Phase = PHASES[index - 1]
        target = f" --target-cpu {self.options.target_cpu}" if self.options.target_cpu != "host" else ""
        return (
            f"to reproduce: tesselle compile {source}{target} --compile-to {before.name} -o before.mlir"
            f" && tesselle compile before.mlir{target} --compile-from {before.name}   (fails in pass {name})"
        )

    @staticmethod
    def _dump(path: Path, op: Op) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(print_op(op, elide_above=ELIDE_ABOVE))


class _ExecutableDump:
    """Writes the steps of every executable: executables/NAME/01-tile.mlir, …"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, int] = {}

    def __call__(self, step: str, executable: ExecutableOp) -> None:
        name = executable.sym_name
        number = self.counts[name] = self.counts.get(name, 0) + 1
        path = self.folder / name / f"{number:02}-{step.rsplit('.', 1)[-1]}.mlir"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(print_op(executable, elide_above=ELIDE_ABOVE))


@contextmanager
def _without_collector() -> Generator[None]:
    """The IR is one large web of cycles that lives until the end: collecting garbage meanwhile only costs time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
