"""`python -m tests.fuzz`: random programs, compiled and by the reference; failures are made small and written down."""

from __future__ import annotations

import sys
import time
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .evaluate import Verdict, program_of
from .generate import Program
from .shrink import shrink
from .workers import TIMEOUT_S, Worker


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--programs", type=click.IntRange(1), default=1000, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Number of the first program.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes that evaluate programs.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/fuzz"),
    show_default=True,
    help="Folder that receives failing programs: SEED.mlir, and SEED.npz with their arguments.",
)
@click.option("--variables", is_flag=True, help="Programs that keep variables from one call to the next.")
@click.option("--max-failures", type=click.IntRange(1), default=50, show_default=True, help="Stop after so many.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="Make failing programs small.")
def main(programs: int, seed: int, jobs: int, output: Path, variables: bool, max_failures: int, shrinks: bool) -> None:
    """Compile random programs and compare them with the reference. Exit code 1: one differs or does not compile."""
    console = Console(highlight=False, markup=False, soft_wrap=True)  # what differs has brackets of its own
    output.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    failures: list[tuple[int, Verdict]] = []
    numbers = iter(range(seed, seed + programs))
    workers = [Worker() for _ in range(jobs)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fuzzing", total=programs)
        busy: dict[Worker, tuple[int, float]] = {}

        def next_for(worker: Worker) -> None:
            number = next(numbers, None)
            if number is not None and len(failures) < max_failures:
                worker.ask(program_of(number, variables))
                busy[worker] = (number, time.monotonic() + TIMEOUT_S)

        for worker in workers:
            next_for(worker)
        while busy:
            ready = wait([w.pipe for w in busy], timeout=1.0)
            for worker in [w for w in busy if w.pipe in ready or busy[w][1] < time.monotonic()]:
                number, _ = busy.pop(worker)
                verdict = worker.answer(0.0)
                counts[verdict.kind] += 1
                bar.advance(task)
                if not console.is_terminal and counts.total() % 500 == 0:
                    console.print(f"{counts.total()} programs in {time.perf_counter() - started:.0f} s: {dict(counts)}")
                if verdict.kind == "unsupported":
                    reasons[verdict.detail.splitlines()[0]] += 1
                if verdict.failed:
                    failures.append((number, verdict))
                    console.print(f"program {number}: {verdict.kind}: {verdict.detail.splitlines()[0]}")
                next_for(worker)
    for number, verdict in failures:
        program = program_of(number, variables)
        if shrinks:
            kind = verdict.kind

            def fails(candidate: Program, kind: str = kind) -> bool:
                return workers[0].evaluate(candidate).kind == kind

            program = shrink(program, fails)
            verdict = workers[0].evaluate(program)
        console.print(f"{write(output, number, program, verdict)}: {verdict.kind}: {verdict.detail}")
    for worker in workers:
        worker.close()
    for reason, count in reasons.most_common(10):
        console.print(f"{count} unsupported: {reason}")
    text = ", ".join(f"{n} {kind}" for kind, n in counts.most_common())
    console.print(f"{sum(counts.values())} programs in {time.perf_counter() - started:.0f} s: {text}")
    sys.exit(bool(failures))


def write(folder: Path, number: int, program: Program, verdict: Verdict) -> Path:
    """The program as text, its arguments beside it."""
    path = folder / f"{number}.mlir"
    lines = [f"// program {number}: {verdict.kind}: {line}" for line in verdict.detail.splitlines()]
    path.write_text("\n".join([*lines, program.text]))
    np.savez(
        path.with_suffix(".npz"), *[a.view(f"V{a.itemsize}") if a.dtype.kind == "V" else a for a in program.arguments]
    )
    return path


if __name__ == "__main__":
    main()
