"""`tesselle check`: run the expectations that programs state about themselves."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tesselle.cli.option_flags import flags_of, options_from
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from tesselle.compiler.check import CheckOptions, FunctionCheck


@click.command("check")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--split-input-file", "-split-input-file", "split", is_flag=True, help="Parts lie between `// -----`.")
@click.option("--device", default="cpu", metavar="DEVICE", help="Device, as `tesselle devices` lists it [cpu].")
@click.option("--reference", is_flag=True, help="Run the reference interpreter instead of compiled code.")
@click.option("--fold/--no-fold", default=False, help="Let the compiler fold the program's constants [no].")
@click.option("--filter", "pattern", default="*", metavar="GLOB", help="Which functions to run, by name.")
@click.option("--probe-dir", "probes", type=click.Path(path_type=Path), metavar="DIR", help="What probes have written.")
@click.option("--verbose", is_flag=True, help="List the expectations that hold, too.")
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(
    files: tuple[Path, ...],
    split: bool,
    device: str,
    reference: bool,
    fold: bool,
    pattern: str,
    probes: Path | None,
    verbose: bool,
    **given: Any,
) -> int:
    """Run every public function of FILES that takes no arguments, and what it expects of its values.

    Expectations are the operations of the dialect `check` (expect_eq, expect_almost_eq, expect_close and their _const
    forms) and custom calls of those names. Constants of the programs are arguments of the compiled functions, unless
    --fold: so it is the device that computes. The exit code is 1 when an expectation does not hold, when a function
    fails or is not supported, and when a file has nothing to run.
    """
    from tesselle.cli.console import stderr
    from tesselle.compiler.check import CheckOptions

    options = CheckOptions(
        device,
        reference,
        fold,
        probes,
        lambda name: fnmatch.fnmatchcase(name, pattern),
        options_from(CompileOptions, given),
    )
    report = _Report(verbose)
    started = time.perf_counter()
    console = stderr()
    with console.status("") as status:
        for path in files:
            status.update(f"checking {path} ({report.functions} functions so far)")
            before = report.functions
            for result in _check_file(path, split, options, report):
                report.add(path, result)
            if report.functions == before and not report.failed_files.get(path):
                report.add_file_error(path, f"{path}: error[check]: there is no function to run")
    report.print(time.perf_counter() - started)
    return 1 if report.failures else 0


def _check_file(path: Path, split: bool, options: CheckOptions, report: _Report) -> Iterator[FunctionCheck]:
    from tesselle.cli.opt import split_text
    from tesselle.compiler.check import check_module
    from tesselle.frontends.stablehlo import import_source
    from tesselle.support.diagnostics import TesselleError

    try:
        data = path.read_bytes()
    except OSError as error:
        report.add_file_error(path, f"{path}: error: {error.strerror or error}")
        return
    parts: list[bytes] = [data]
    if split:
        parts = [part.encode() for part in split_text(data.decode(errors="replace"))]
    for part in parts:
        try:
            yield from check_module(import_source(part, name=str(path)), options)
        except TesselleError as error:
            report.add_file_error(path, str(error))


class _Report:
    """The table of results and what is told below it."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.rows: list[tuple[Path, FunctionCheck]] = []
        self.failed_files: dict[Path, list[str]] = {}
        self.failures = 0

    @property
    def functions(self) -> int:
        return len(self.rows)

    def add(self, path: Path, result: FunctionCheck) -> None:
        self.rows.append((path, result))
        self.failures += not result.ok

    def add_file_error(self, path: Path, text: str) -> None:
        self.failed_files.setdefault(path, []).append(text)
        self.failures += 1

    def print(self, seconds: float) -> None:
        from tesselle.cli.console import cut, format_seconds, stdout, table

        console = stdout()
        if self.rows:
            rows = table("file", "function", "on", "expectations", "time", "result", right=("expectations", "time"))
            for path, r in self.rows:
                bad = sum(bool(o.problem) for o in r.outcomes)
                mark = "[green]ok[/green]" if r.ok else "[red]error[/red]" if r.error else f"[red]{bad} failed[/red]"
                rows.add_row(
                    cut(str(path)), cut(r.function), r.where, str(len(r.outcomes)), format_seconds(r.seconds), mark
                )
            console.print(rows)
        for path, r in self.rows:
            for o in r.outcomes:
                if o.problem or self.verbose:
                    state = f"error[check.{o.kind}]: {o.problem}" if o.problem else f"check.{o.kind} holds"
                    click.echo(f"{o.place or path}: {state} (in @{r.function})")
            if r.error:
                click.echo(f"{r.error} (in @{r.function} of {path})")
        for texts in self.failed_files.values():
            click.echo("\n".join(texts))
        held = sum(not o.problem for _, r in self.rows for o in r.outcomes)
        total = sum(len(r.outcomes) for _, r in self.rows)
        good = sum(r.ok for _, r in self.rows)
        text = f"{good} of {self.functions} functions passed, {held} of {total} expectations hold"
        if self.failed_files:
            text += f", {len(self.failed_files)} files could not be checked in full"
        console.print(f"[{'red' if self.failures else 'green'}]{text}[/] in {format_seconds(seconds)}")
