"""A run with its progress in the terminal, and its table in files."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import chart, report
from .results import TESSELLE, Results, Row
from .run import Plan, Watcher, measure, steps


def run_and_show(plan: Plan, folder: Path, console: Console) -> Results:
    """Run `plan`, show it in `console`, write the report and the picture into `folder`."""
    display = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with display:
        task = display.add_task("workers start", total=steps(plan))
        watcher = Watcher(
            step=lambda what: display.update(task, description=escape(what), advance=1),
            row=lambda row: display.console.print(row_line(row)),
        )
        results = measure(plan, watcher)
    for what, why in results.left_out.items():
        console.print(f"[dim]{escape(what)} is left out: {escape(why)}[/]")
    for threads in results.threads:
        console.print(report.terminal_table(results, threads))
        limits = results.limits[threads]
        gflops, gbytes = limits.flops_per_s / 1e9, limits.bytes_per_s / 1e9
        console.print(f"[dim]limits: {gflops:.0f} GFLOP/s of FMA, {gbytes:.1f} GB/s read[/]")
    path = report.write(results, folder, chart.draw(results, folder))
    console.print(f"see {path}", soft_wrap=True)
    return results


def row_line(row: Row) -> str:
    """`softmax   threads 1: 12.1 ms 1.30 × jax, …`: Tesselle's time, and the ratio to the best peer."""
    parts: list[str] = []
    for t in sorted({t for _, t in row.cells}):
        own, best, ratio = row.valid_s(TESSELLE, t), row.best_peer(t), row.ratio(t)
        text = "–" if own is None else report.time_text(own)
        if best is not None and ratio is not None:
            style = report.ratio_style(ratio)
            text += f" [{style}]{ratio:.2f}[/] × {escape(best[0])}"
        parts.append(f"{t}: {text}")
    return f"{row.workload.name:15} threads {', '.join(parts)}"
