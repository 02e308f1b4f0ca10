"""rich's consoles and the table style of all commands."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def stdout() -> Console:
    """The console of results. Not wrapped where the output is not a terminal, so that it can be read by programs."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def stderr() -> Console:
    """The console of progress and remarks."""
    return Console(stderr=True, highlight=False)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table with a bold head; the columns named in `right` hold numbers."""
    result = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for c in columns:
        result.add_column(c, justify="right" if c in right else "left", overflow="fold")
    return result


def format_bytes(count: int) -> str:
    """`1.5 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def format_seconds(seconds: float) -> str:
    """Three digits with the unit that fits: `12.3 µs`, `4.56 ms`, `7.89 s`."""
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
