"""`tesselle profile`: a trace of every workgroup on its worker, and a roofline table."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tesselle.cli.option_flags import flags_of, options_from, positive
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tesselle.artifact.schema import Manifest
    from tesselle.runtime import Profile

TRANSFERS = {-1: "copy", -2: "fill"}
_CALLS_TRACK = 1 << 16
"""Above every worker's number."""


@click.command("profile")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--function", "function_name", default="main", metavar="NAME", help="Function to call [default: main].")
@click.option("--input", "inputs", multiple=True, metavar="TENSOR", help="An argument; those not given are random.")
@click.option("--threads", default=None, metavar="N", help="Threads of the device [default: all cores].")
@click.option(
    "--calls", default="10", metavar="N", help="How many calls to record, after three to warm up [default: 10]."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Where to write the trace."
)
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(
    program: Path,
    function_name: str,
    inputs: tuple[str, ...],
    threads: str | None,
    calls: str,
    output: Path | None,
    **given: Any,
) -> None:
    """Record calls of a function of PROGRAM (an artifact, or a source that is compiled first).

    Three calls to warm up go before. The table holds every kernel to what one thread of this machine can do, measured
    here and now: operations on registers, and memory read in order. A kernel whose data lie in a cache may read faster
    than memory. The trace (with -o) is JSON that https://ui.perfetto.dev and chrome://tracing show: a line for every
    worker, a bar for each run of workgroups.
    """
    from tesselle.cli.bench import make_arguments
    from tesselle.cli.console import format_seconds, stdout
    from tesselle.cli.kernel_times import kernel_table, kernel_times
    from tesselle.cli.programs import open_program
    from tesselle.cli.tensors import parse_named_tensor
    from tesselle.runtime import measure_machine_limits

    count = positive("--calls", calls, int)
    device = "cpu" if threads is None else f"cpu:threads={positive('--threads', threads, int)}"
    loaded = open_program(program, device, options_from(CompileOptions, given))
    function = loaded[function_name].flat
    arguments = make_arguments(loaded.functions[function_name].arguments, [parse_named_tensor(t) for t in inputs])
    limits = measure_machine_limits()
    for _ in range(3):
        function(*arguments)
    spans: list[tuple[int, int]] = []
    with loaded.profile() as profile:
        for _ in range(count):
            started = time.monotonic_ns()
            function(*arguments)
            spans.append((started, time.monotonic_ns()))
    kernels = kernel_times(loaded.manifest, profile.records)
    median_s = sorted(end - start for start, end in spans)[count // 2] * 1e-9
    out = stdout()
    out.print(f"[bold]{program}[/bold] {function_name} on {device}: median {format_seconds(median_s)} of {count} calls")
    peak, bandwidth = f"{limits.flops_per_s / 1e9:.0f} GFLOP/s (f32)", f"{limits.bytes_per_s / 1e9:.1f} GB/s"
    out.print(f"  one thread of this machine: {peak}, {bandwidth}")
    out.print(kernel_table(kernels, count, limits))
    _print_totals(profile, count, median_s)
    if output is not None:
        output.write_text(json.dumps(trace(loaded.manifest, profile, spans, function_name)))
        out.print(f"  {output}: open it in https://ui.perfetto.dev")


def _print_totals(profile: Profile, calls: int, median_s: float) -> None:
    from tesselle.cli.console import format_seconds, stdout

    busy_ns = sum(r.duration_ns for r in profile.records) / calls
    moved_ns = sum(r.duration_ns for r in profile.transfers) / calls
    workers = len({r.worker for r in (*profile.records, *profile.transfers)})
    share = (busy_ns + moved_ns) * 1e-9 / (workers * median_s) if workers else 0.0
    times = f"kernels {format_seconds(busy_ns * 1e-9)}, copies and fills {format_seconds(moved_ns * 1e-9)}"
    stdout().print(f"  per call: {times}, added over {workers} workers, which were busy {share:.0%} of the time")


def trace(manifest: Manifest, profile: Profile, spans: Sequence[tuple[int, int]], function: str) -> dict[str, Any]:
    """Chrome's trace events: microseconds since the first call; threads are workers, and one more for the calls.

    Source: "Trace Event Format", the Chromium project.
    """
    from tesselle.cli.kernel_times import entry_of

    begin = spans[0][0]

    def bar(name: str, track: int, start_ns: int, end_ns: int, arguments: dict[str, Any]) -> dict[str, Any]:
        times = {"ts": (start_ns - begin) / 1e3, "dur": (end_ns - start_ns) / 1e3}
        return {"name": name, "ph": "X", "pid": 1, "tid": track, **times, "args": arguments}

    events = [bar(function, _CALLS_TRACK, start, end, {"call": i}) for i, (start, end) in enumerate(spans)]
    for r in profile.records:
        entry = entry_of(manifest, r.executable, r.entry)
        facts = {
            "computes": entry.summary,
            "kernel": entry.kernel,
            "workgroups": r.workgroups,
            "source": entry.location,
        }
        events.append(bar(entry.name, r.worker, r.start_ns, r.end_ns, facts))
    for r in profile.transfers:
        events.append(bar(TRANSFERS[r.executable], r.worker, r.start_ns, r.end_ns, {"pieces of 256 KiB": r.workgroups}))
    names = {r.worker: f"worker {r.worker}" for r in (*profile.records, *profile.transfers)}
    for track, name in sorted({**names, _CALLS_TRACK: "calls"}.items()):
        events.append({"name": "thread_name", "ph": "M", "pid": 1, "tid": track, "args": {"name": name}})
    events.append({"name": "process_name", "ph": "M", "pid": 1, "args": {"name": manifest.module_name or "program"}})
    return {"traceEvents": events, "displayTimeUnit": "ns"}
