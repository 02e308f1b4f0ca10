"""Tables and listings fit the terminal; nothing is lost where there is none."""

from __future__ import annotations

import pytest
from rich.console import Console

from tesselle.cli.console import cut, format_bytes, format_seconds, table, wrap_list


def test_a_short_line_stays() -> None:
    assert wrap_list("  r1 = const.i64 1", 40) == "  r1 = const.i64 1"


def test_lists_are_broken_between_items() -> None:
    line = "  registers " + ", ".join(f"r{i}: i64" for i in range(30))
    wrapped = wrap_list(line, 40)
    first, *rest = wrapped.split("\n")
    assert len(rest) > 3
    assert all(len(part) <= 40 for part in (first, *rest))
    assert all(part.startswith(" " * 6 + "r") for part in rest)
    assert " ".join(wrapped.split()) == " ".join(line.split())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_numbers_are_whole_and_text_is_cut(width: int) -> None:
    console = Console(width=width)
    rows = table("kernel", "computes", "time", right=("time",))
    rows.add_row("main_dispatch_0", cut("contract 1x8x4 + " * 10), "12.3 µs")
    with console.capture() as captured:
        console.print(rows)
    lines = captured.get().splitlines()
    assert all(len(line) <= width for line in lines)
    assert sum("12.3 µs" in line for line in lines) == 1
    assert any("…" in line for line in lines) == (width < 190)


def test_units() -> None:
    assert (format_bytes(1023), format_bytes(1536), format_bytes(3 << 30)) == ("1023 B", "1.5 KiB", "3.0 GiB")
    assert (format_seconds(1.5e-6), format_seconds(0.0999), format_seconds(12)) == ("1.5 µs", "99.9 ms", "12 s")
