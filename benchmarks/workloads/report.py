"""The tables of a run: in the terminal, and as Markdown."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from .results import TESSELLE, Cell, Results, Row

TIE = 0.05
"""Ratios nearer to 1 than this are neither gain nor loss."""


def time_text(seconds: float) -> str:
    """Three digits: `5.48 µs`, `1.39 ms`, `1.2 s`."""
    for unit, scale in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < scale * 999.5:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def write(results: Results, folder: Path, chart: Path | None) -> Path:
    """Write `folder/<machine>.md`, with the picture that lies at `chart`; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.machine.slug}.md"
    path.write_text(markdown(results, chart.name if chart else None))
    return path


def markdown(results: Results, chart: str | None) -> str:
    """The whole report."""
    notes = Notes()
    tables = [line for threads in results.threads for line in _times(results, threads, notes)]
    picture = [f"![Best peer / Tesselle, by workload]({chart})", ""] if chart else []
    body = [
        *_head(results),
        *picture,
        *tables,
        *_loads(results),
        *_dispatches(results),
        *notes.lines(),
        *_workloads(results),
    ]
    return "\n".join(body).rstrip() + "\n"


class Notes:
    """Reasons that are too long for a cell: numbered, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, reason: str) -> str:
        return f"[{self._numbers.setdefault(reason, len(self._numbers) + 1)}]"

    def lines(self) -> list[str]:
        if not self._numbers:
            return []
        return ["## Notes", "", *(f"{n}. {_escape(reason)}" for reason, n in self._numbers.items()), ""]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _header(cells: list[str]) -> list[str]:
    return [_row(cells), _row(["---", *["---:"] * (len(cells) - 1)])]


def _head(results: Results) -> list[str]:
    lines = [
        f"# {results.machine.model}, {results.machine.cores} cores",
        "",
        f"{results.started:%Y-%m-%d}. {'; '.join(dict.fromkeys(results.versions.values()))}. f32 throughout.",
        "",
        f"`python -m benchmarks.workloads`: {results.rounds} rounds of {results.seconds:g} s over one process for "
        "every peer and number of threads, in shuffled order. One thread: median processor time of a call on one core "
        "(of calls below 50 µs the median time). More threads: median of the rounds' median times. Ratio: best peer / "
        "Tesselle, above 1 where Tesselle is faster. Of limit: what Tesselle reaches of the FMA peak, counted by the "
        "floating-point operations, or of the read bandwidth, counted by the bytes of weights, inputs and results; "
        "more than 100% where caches keep them. Error: Tesselle's largest difference from JAX's results, relative to "
        "their largest magnitude. Wrong results have no time.",
        "",
        *_header(["limits, the best of two measurements in this run", "FMA on registers", "reading in order"]),
    ]
    for threads, limits in results.limits.items():
        gflops, gbytes = limits.flops_per_s / 1e9, limits.bytes_per_s / 1e9
        lines.append(_row([_threads(threads), f"{gflops:.0f} GFLOP/s", f"{gbytes:.1f} GB/s"]))
    if results.left_out:
        lines += ["", "Left out:", "", *(f"- {what}: {_escape(why)}" for what, why in results.left_out.items())]
    return [*lines, ""]


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _columns(results: Results) -> list[str]:
    return ["workload", *results.labels.values(), "ratio", "of limit", "error"]


def _times(results: Results, threads: int, notes: Notes) -> list[str]:
    lines = [f"## {_threads(threads).capitalize()}", "", *_header(_columns(results))]
    for row in results.rows:
        fastest = min((s for p in results.labels if (s := row.valid_s(p, threads))), default=None)
        cells = [row.workload.name]
        for peer in results.labels:
            cell = row.cells[peer, threads]
            if cell.reason is not None:
                word = "wrong" if cell.reason.startswith("wrong") else "failed"
                cells.append(f"{word} {notes.mark(cell.reason)}")
            else:
                text = "–" if cell.seconds is None else time_text(cell.seconds)
                cells.append(f"**{text}**" if cell.seconds == fastest else text)
        lines.append(_row([*cells, *_facts(results, row, threads)]))
    return [*lines, ""]


def _facts(results: Results, row: Row, threads: int) -> list[str]:
    """Ratio, share of the limit, error; `–` where there is none."""
    ratio, share = row.ratio(threads), row.share_of_limit(threads, results.limits[threads])
    error = row.cells.get((TESSELLE, threads), Cell()).error
    return [
        "–" if ratio is None else f"{ratio:.2f}",
        "–" if share is None or row.workload.bound is None else f"{share:.0%} {row.workload.bound.value}",
        "–" if error is None else f"{error:.0e}" if error else "0",
    ]


def _loads(results: Results) -> list[str]:
    """Seconds until a peer can be called, and by how much its process grew over that and the first call."""
    threads = results.threads[0]
    lines = [
        "## Compiling and loading",
        "",
        f"In the processes of {_threads(threads)}: seconds until the peer can be called, and peak growth of the memory "
        "of its process until the first result; memory that it kept from earlier workloads does not show. Making "
        "weights, tracing (but JAX's own) and exporting are not counted.",
        "",
        *_header(["workload", *results.labels.values()]),
    ]
    for row in results.rows:
        cells = [row.workload.name]
        for peer in results.labels:
            cell = row.cells[peer, threads]
            memory = "" if cell.peak_bytes is None else f", {max(cell.peak_bytes, 0) / 1e6:.0f} MB"
            cells.append("–" if cell.load_s is None else f"{cell.load_s:.2f} s{memory}")
        lines.append(_row(cells))
    return [*lines, ""]


def _dispatches(results: Results) -> list[str]:
    """The costliest dispatches beside their models."""
    rows = [row for row in results.rows if row.dispatches]
    if not rows:
        return []
    threads = min(results.threads)
    limits = results.limits[threads]
    lines = [
        "## The costliest dispatches",
        "",
        f"Of Tesselle, on {_threads(threads)}, with the clock running in every workgroup. Model: the longer of its "
        "floating-point operations at the FMA peak and its bytes (operands and results once) at the bandwidth of "
        "reading in order; more than 100% where caches hold what it reads.",
        "",
    ]
    columns = ["dispatch", "launches", "time", "MFLOP", "MB", "model", "bound by", "of model"]
    for row in rows:
        lines += [f"### {row.workload.name}", "", *_header(columns)]
        for d in row.dispatches:
            model = d.model_s(limits)
            cells = [_escape(d.computes), f"{d.launches:g}", time_text(d.seconds)]
            cells += ["–" if n is None else f"{n / 1e6:.3g}" for n in (d.flops, d.bytes)]
            cells += ["–" if model is None else time_text(model), d.bound(limits)]
            lines.append(_row([*cells, "–" if model is None else f"{model / d.seconds:.0%}"]))
        lines.append("")
    return lines


def _workloads(results: Results) -> list[str]:
    lines = ["## Workloads", "", *_header(["name", "what it is"])[:1], "| --- | --- |"]
    return [*lines, *(_row([r.workload.name, _escape(r.workload.description)]) for r in results.rows), ""]


def terminal_table(results: Results, threads: int) -> Table:
    """The times of one number of threads."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{_threads(threads)}; ratio: best peer / Tesselle", title_justify="left")
    for i, column in enumerate(_columns(results)):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in results.rows:
        cells = [Text(row.workload.name)]
        for peer in results.labels:
            cell = row.cells[peer, threads]
            if cell.reason is not None:
                cells.append(Text(cell.reason, style="red"))
            else:
                cells.append(Text("–" if cell.seconds is None else time_text(cell.seconds)))
        facts = [Text(fact) for fact in _facts(results, row, threads)]
        facts[0].stylize(ratio_style(row.ratio(threads)))
        table.add_row(*cells, *facts)
    return table


def ratio_style(ratio: float | None) -> str:
    if ratio is None or abs(ratio - 1) < TIE:
        return "none"
    return "green" if ratio > 1 else "red"
