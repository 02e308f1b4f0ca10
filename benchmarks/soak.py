"""`python -m benchmarks.soak`: mixed models under load for minutes. Right results, no growth, no stuck worker.

Two phases. Under *load* several Python threads call whatever program is next, all of them sharing one device; every
result must have the bits of the program's first one. Under *preemption* one thread calls the same programs while a
process on every core does nothing but count, so that the system takes workers their core in the middle of their work;
calls should then take about twice as long, and none should stall: wait much longer than its like.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tesselle as ts
from tesselle.cli.console import format_seconds

from .workloads.catalogue import WORKLOADS

MODELS = ("mlp64", "mobilenetv2", "minilm", "lstm_b1", "speech_stream", "softmax_rows", "state")
ALLOWED_GROWTH_BYTES = 16 << 20
"""Between the first quarter of the time, when every program has its arenas, and the end."""
ALLOWED_STALL_S = 0.05
PATIENCE_S = 60.0
"""For a call that began before the end."""


@dataclass
class Program:
    """`call(i)` makes call number `i` and says whether its results are right."""

    name: str
    call: Callable[[int], bool]
    seconds: list[float] = field(default_factory=list[float])


def _bits(results: Any) -> list[bytes]:
    return [np.asarray(r).tobytes() for r in (results if isinstance(results, tuple) else (results,))]


def workload_program(name: str, device: str) -> Program:
    """A workload of the benchmark suite, on its own inputs."""
    workload = WORKLOADS[name]
    inputs = workload.inputs()
    weights = {key: jax.numpy.asarray(value) for key, value in workload.weights().items()}
    lowered = jax.jit(lambda *x: workload.function(weights, *x)).lower(*inputs)
    main = ts.load(ts.compile(lowered), device=device)["main"]
    expected = _bits(main(*inputs))
    return Program(name, lambda _: _bits(main(*inputs)) == expected)


def open_program(device: str) -> Program:
    """Rows of any number and length: another shape with every call."""
    symbols = jax.export.symbolic_shape("b, n")
    exported = jax.export.export(jax.jit(lambda x: jax.nn.softmax(x, -1)))(jax.ShapeDtypeStruct(symbols, np.float32))
    main = ts.load(ts.compile(exported), device=device)["main"]
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(b, n)).astype(np.float32) for b in (1, 3, 16, 61) for n in (1, 17, 64, 1000, 4099)]
    expected = [_bits(main(x)) for x in inputs]
    return Program("softmax_rows", lambda i: _bits(main(inputs[i % len(inputs)])) == expected[i % len(inputs)])


STATE = """
ml_program.global private mutable @sum(dense<0.0> : tensor<4096xf32>) : tensor<4096xf32>
func.func @add(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  %0 = ml_program.global_load @sum : tensor<4096xf32>
  %1 = stablehlo.add %0, %x : tensor<4096xf32>
  ml_program.global_store @sum = %1 : tensor<4096xf32>
  return %1 : tensor<4096xf32>
}
"""


def stateful_program(device: str) -> Program:
    """A new session now and then, updated in place by a hundred calls."""
    program = ts.load(ts.compile(STATE), device=device)
    one = np.ones(4096, np.float32)

    def call(_: int) -> bool:
        session = program.new_session()
        for step in range(1, 101):
            if (session["add"](one) != step).any():
                return False
        return bool((session.state_dict()["sum"] == 100).all())

    return Program("state", call)


def programs(device: str) -> list[Program]:
    special = {"softmax_rows": open_program, "state": stateful_program}
    return [special[name](device) if name in special else workload_program(name, device) for name in MODELS]


# ---------------------------------------------------------------------------------------------- load


@dataclass
class Load:
    """What threads that call programs found."""

    calls: int = 0
    wrong: list[str] = field(default_factory=list[str])
    stuck: int = 0
    resident_bytes: list[int] = field(default_factory=list[int])

    @property
    def growth_bytes(self) -> int:
        """Of the memory, from the first quarter to the last."""
        quarter = max(1, len(self.resident_bytes) // 4)
        return min(self.resident_bytes[-quarter:]) - max(self.resident_bytes[:quarter])


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_load(chosen: Sequence[Program], threads: int, seconds: float, progress: Callable[[float], object]) -> Load:
    """Call programs from all threads until the time is over; every result is compared."""
    found, lock = Load(), threading.Lock()
    numbers = count()
    end = time.monotonic() + seconds

    def work(thread: int) -> None:
        rng = np.random.default_rng(thread)
        while time.monotonic() < end and not found.wrong:
            program = chosen[int(rng.integers(len(chosen)))]
            started = time.perf_counter()
            try:
                right = program.call(next(numbers))
                why = "" if right else "other bits than the first time"
            except ts.TesselleError as error:
                why = str(error)
            with lock:
                program.seconds.append(time.perf_counter() - started)
                found.calls += 1
                if why:
                    found.wrong.append(f"{program.name}: {why}")

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    while time.monotonic() < end and not found.wrong:
        time.sleep(0.5)
        found.resident_bytes.append(_resident_bytes())
        progress(min(seconds, seconds - (end - time.monotonic())))
    for worker in workers:
        worker.join(timeout=PATIENCE_S)
        found.stuck += worker.is_alive()
    return found


# ---------------------------------------------------------------------------------------------- preemption


def _count_for_ever(core: int) -> None:
    os.sched_setaffinity(0, {core})
    while True:
        pass


@contextmanager
def busy_cores() -> Iterator[None]:
    """A process on every core that never waits."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_count_for_ever, args=(c,), daemon=True) for c in os.sched_getaffinity(0)]
    for process in others:
        process.start()
    try:
        time.sleep(1.0)  # they have started when the first call is timed
        yield
    finally:
        for process in others:
            process.kill()
            process.join()


def time_calls(program: Program, seconds: float) -> list[float]:
    """Seconds of each call in about so much time, sorted; at least ten."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 10:
        started = time.perf_counter()
        program.call(len(times))
        times.append(time.perf_counter() - started)
    return sorted(times)


# ---------------------------------------------------------------------------------------------- command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="Of load.")
@click.option("--threads", type=click.IntRange(1), default=4, show_default=True, help="Python threads that call.")
@click.option("--device", default="cpu", show_default=True, help="The device that all programs share.")
@click.option(
    "--preempted", type=click.FloatRange(0), default=5.0, show_default=True, help="Seconds for each model, preempted."
)
def main(minutes: float, threads: int, device: str, preempted: float) -> None:
    """Exit code 1: a wrong result, a call that never came back, memory that grows, or a stall."""
    console = Console(highlight=False)
    console.print("compiling", ", ".join(MODELS))
    chosen = programs(device)
    faults: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{threads} threads", total=minutes * 60)
        load = run_load(chosen, threads, minutes * 60, lambda done: bar.update(task, completed=done))
    table = Table("model", "calls", "median", "p99", "longest", title=f"{threads} threads for {minutes:g} minutes")
    for p in chosen:
        times = sorted(p.seconds)
        if times:
            marks = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
            table.add_row(p.name, f"{len(times):,}", *map(format_seconds, marks))
    console.print(table)
    faults += load.wrong
    if load.stuck:
        faults.append(f"{load.stuck} calls never came back")
    growth = load.growth_bytes / 2**20
    console.print(f"{load.calls:,} calls, {len(load.wrong)} wrong; memory grew by {growth:.1f} MiB")
    if load.growth_bytes > ALLOWED_GROWTH_BYTES:
        faults.append(f"memory grew by {growth:.1f} MiB")
    if preempted and not load.stuck:
        faults += _preempt(console, chosen, preempted)
    for fault in faults:
        console.print(f"[red]{fault}[/red]")
    sys.exit(1 if faults else 0)


def _preempt(console: Console, chosen: Sequence[Program], seconds: float) -> list[str]:
    """The table of calls with and without busy cores; what is wrong with them."""
    table = Table(
        "model", "alone", "preempted", "times as long", "longest", "stall", title="a busy process on every core"
    )
    faults: list[str] = []
    alone = {p.name: time_calls(p, seconds / 2) for p in chosen}
    with busy_cores():
        for p in chosen:
            times = time_calls(p, seconds)
            quiet, median, longest = alone[p.name][len(alone[p.name]) // 2], times[len(times) // 2], times[-1]
            # A call that would take long anyway is kept from its core more often.
            stall = max(0.0, longest - 2 * median)
            ratio = median / quiet
            marks = (format_seconds(longest), format_seconds(stall) if stall else "none")
            table.add_row(p.name, format_seconds(quiet), format_seconds(median), f"{ratio:.2f}", *marks)
            if stall > ALLOWED_STALL_S:
                faults.append(
                    f"{p.name}: a call took {format_seconds(longest)}, where half of them took {format_seconds(median)}"
                )
    console.print(table)
    return faults


if __name__ == "__main__":
    main()
