"""`python -m tests.conformance`: run the cases, show how it goes, write the report."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import report
from .cases import Case, all_cases, select
from .evaluation import Form, Outcome, Result
from .expected_failures import surprise
from .shards import ShardOptions, evaluate_all

REPORT_EVERY = 250
"""Cases after which the report is written anew, so that a run that is stopped leaves one."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes that evaluate cases.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="Only this group; may be given several times.")
@click.option("--filter", "pattern", metavar="REGEX", help="Only cases whose name matches.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="A fixed sample, spread over all groups.")
@click.option("--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds for one case.")
@click.option(
    "--form",
    type=click.Choice([f.value for f in Form]),
    default=Form.ARGUMENTS.value,
    show_default=True,
    help="Arguments as the harness draws them, the same as constants, a batch of dynamic size, or with a gradient.",
)
@click.option("--x64", is_flag=True, help="JAX's 64-bit mode, with its additional cases.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("build/conformance"),
    show_default=True,
    help="Folder that receives report.md and results.json.",
)
@click.option("--verbose", is_flag=True, help="Print every surprise when it happens.")
def main(
    jobs: int,
    groups: tuple[str, ...],
    pattern: str | None,
    sample: int | None,
    timeout_s: float,
    form: str,
    x64: bool,
    folder: Path,
    verbose: bool,
) -> None:
    """Compare every case of JAX's primitive harness with XLA on the CPU. Exit code 1: something was not foreseen."""
    os.environ["JAX_ENABLE_X64"] = str(int(x64))  # before JAX is imported, which decides what cases there are
    console = Console(highlight=False, soft_wrap=True)
    try:
        cases = select(all_cases(), groups, pattern, sample)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not cases:
        raise click.UsageError("no case is left")
    started = time.perf_counter()
    results = _run(cases, ShardOptions(jobs, timeout_s, Form(form), x64), console, folder, verbose)
    wall_s = time.perf_counter() - started
    path = report.write(results, wall_s, folder)
    surprises = [r for r in results if surprise(r) is not None]
    counts = Counter(r.outcome for r in results)
    console.print(", ".join(f"{counts[o]} {o.value}" for o in Outcome if counts[o]))
    console.print(
        f"{report.share_agreeing(results):.2%} agree, {len(surprises)} surprises, "
        f"{len(cases) / wall_s:.1f} programs/s; see {path}"
    )
    sys.exit(1 if surprises else 0)


def _run(cases: list[Case], options: ShardOptions, console: Console, folder: Path, verbose: bool) -> list[Result]:
    display = Progress(
        TextColumn("[bold]conformance"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[green]{task.fields[agree]} agree[/] [red]{task.fields[failed]} fail[/] [dim]{task.fields[last]}"),
        console=console,
        disable=not console.is_terminal,
    )
    started = time.perf_counter()
    results: list[Result] = []
    agree = failed = 0
    with display:
        task = display.add_task("", total=len(cases), rate=0.0, agree=0, failed=0, last="")
        for result in evaluate_all(cases, options):
            results.append(result)
            agree += result.outcome is Outcome.AGREE
            failed += result.outcome.is_failure
            rate = len(results) / (time.perf_counter() - started)
            display.update(task, advance=1, rate=rate, agree=agree, failed=failed, last=result.case.group)
            if verbose and (line := surprise(result)) is not None:
                console.print(f"{result.case.name}: {line}", markup=False, soft_wrap=True)
            if len(results) % REPORT_EVERY == 0:
                report.write(results, time.perf_counter() - started, folder)
                if not console.is_terminal:
                    console.print(f"{len(results)} of {len(cases)}, {agree} agree, {failed} fail, {rate:.1f}/s")
    return results


if __name__ == "__main__":
    main()
