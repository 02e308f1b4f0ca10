"""The progress display of a compilation."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Display

from tesselle.support.progress import Progress, ProgressCallback


@contextmanager
def compile_progress(console: Console, *, quiet: bool = False) -> Generator[ProgressCallback | None]:
    """A bar over the phases while the block runs, and a callback for `tesselle.compile(progress=…)` that moves it.

    Where `console` is no terminal (or with `quiet`) nothing is shown and the callback is None.
    """
    if quiet or not console.is_terminal:
        yield None
        return
    display = Display(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[item]}"),
        console=console,
        transient=True,
    )
    with display:
        task = display.add_task("compiling", total=None, item="")

        def show(progress: Progress) -> None:
            count = f" {progress.item_done}/{progress.item_total}" if progress.item_total else ""
            display.update(
                task,
                description=progress.phase,
                completed=progress.done,
                total=progress.total,
                item=progress.item + count,
            )

        yield show
