"""rich's consoles and the table style of all commands."""

from __future__ import annotations

import re

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text


def stdout() -> Console:
    """The console of results. Not wrapped where the output is not a terminal, so that it can be read by programs."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def stderr() -> Console:
    """The console of progress and remarks."""
    return Console(stderr=True, highlight=False)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table with a bold head; the columns named in `right` hold numbers, which are always whole."""
    result = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for c in columns:
        result.add_column(c, justify="right" if c in right else "left", overflow="fold", no_wrap=c in right)
    return result


def cut(text: str) -> Text:
    """A cell that ends in `…` where the terminal is too narrow, instead of going on in the next line."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def short_kernel_name(name: str) -> str:
    """`main_dispatch_7_contract_8x8_f32` -> `main_dispatch_7` on a terminal, whose width the rest does not fit.

    What is left out says what the kernel computes, which the tables have in a column of its own.
    """
    match = re.match(r".*?_dispatch_\d+(?=_)", name)
    return match[0] if match and Console().is_terminal else name


def wrap_list(line: str, width: int) -> str:
    """`line`, broken between the items of lists where it is longer than `width`; what follows is indented deeper."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    first, *rest = line.split(", ")
    lines = [first]
    for item in rest:
        # One column for the comma behind the item.
        if len(lines[-1]) + 2 + len(item) < width:
            lines[-1] += f", {item}"
        else:
            lines[-1] += ","
            lines.append(indent + item)
    return "\n".join(lines)


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
