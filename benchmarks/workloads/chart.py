"""The ratios of a run as a picture."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from .results import Results

COLOURS = ("#4477aa", "#ee9944", "#66aa77", "#aa6688")


def draw(results: Results, folder: Path) -> Path | None:
    """Write `folder/<machine>.png`, a bar per workload and number of threads; None without matplotlib or ratios."""
    rows = [row for row in results.rows if any(row.ratio(t) for t in results.threads)]
    if not rows or importlib.util.find_spec("matplotlib") is None:
        return None
    figure_module: Any = importlib.import_module("matplotlib.figure")
    ticker: Any = importlib.import_module("matplotlib.ticker")
    figure = figure_module.Figure(figsize=(8, 1.4 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(results.threads)
    for i, threads in enumerate(results.threads):
        ratios = [row.ratio(threads) for row in rows]
        places = [-row + 0.4 - height * (i + 0.5) for row in range(len(rows))]
        # Bars start at 1: to the right Tesselle is faster, to the left a peer is.
        lengths = [0.0 if r is None else r - 1 for r in ratios]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        axes.barh(places, lengths, height, left=1.0, color=COLOURS[i % len(COLOURS)], label=label)
        for place, ratio in zip(places, ratios, strict=True):
            if ratio is not None:
                side = "left" if ratio >= 1 else "right"
                axes.annotate(
                    f"{ratio:.2f}",
                    (ratio, place),
                    xytext=(3 if ratio >= 1 else -3, 0),
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    fontsize=6,
                )
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.01)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_yticks([-i for i in range(len(rows))], [row.workload.name for row in rows])
    axes.set_xlabel("best peer / Tesselle: to the right of 1 Tesselle is faster")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(results.threads), fontsize=8)
    axes.set_title(f"{results.machine.model}, {results.machine.cores} cores, {results.started:%Y-%m-%d}", fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.machine.slug}.png"
    figure.savefig(path, dpi=100)
    return path
