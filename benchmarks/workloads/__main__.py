"""`python -m benchmarks.workloads`: run the workloads, show the table, write it down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

RESULTS = Path(__file__).resolve().parents[1] / "results"
PART = Path("build/workloads")
FILE_WIDTH = 140
"""Columns of the table where no terminal says how wide it is."""


def _names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name for name in value.split(",") if name)


def _numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        numbers = tuple(sorted({int(n) for n in value.split(",")}))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers, as 1,2") from None
    if numbers[0] < 1:
        raise click.BadParameter("there is at least one thread")
    return numbers


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", callback=_names, metavar="NAMES", help="These workloads, separated by commas.")
@click.option(
    "--peers",
    callback=_names,
    metavar="NAMES",
    help="These peers, separated by commas: tesselle, jax, iree, torch, inductor, onnxruntime, openvino, or "
    "MODULE:CLASS, a class derived from benchmarks.workloads.peers.Peer.",
)
@click.option("--threads", callback=_numbers, default="1,2", show_default=True, metavar="NUMBERS", help="Threads.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of every worker.")
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), default=0.2, show_default=True, help="Of timing, in a turn."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for <machine>.md and <machine>.png. Without it: benchmarks/results, or build/workloads where --only "
    "or --peers leaves something out.",
)
def main(
    only: tuple[str, ...] | None,
    peers: tuple[str, ...] | None,
    threads: tuple[int, ...],
    rounds: int,
    seconds: float,
    output: Path | None,
) -> None:
    """Time whole workloads beside other compilers and runtimes, and check them against JAX's results.

    Exit code 1: Tesselle failed at one, or computed something else.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported
    from rich.console import Console

    from .catalogue import WORKLOADS
    from .peers import PEERS, find_peer
    from .run import Plan
    from .show import run_and_show

    unknown = [name for name in only or () if name not in WORKLOADS]
    if unknown:
        raise click.UsageError(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    for name in peers or ():
        try:
            find_peer(name)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    workloads = [WORKLOADS[name] for name in only or WORKLOADS]
    plan = Plan(workloads, peers or tuple(PEERS), threads, rounds, seconds)
    folder = output or (RESULTS if only is None and peers is None else PART)
    try:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = FILE_WIDTH
        results = run_and_show(plan, folder, console)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(1 if results.tesselle_disagrees else 0)


if __name__ == "__main__":
    main()
