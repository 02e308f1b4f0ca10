"""`tesselle bench`: how long a call takes, and which kernels take it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tesselle.cli.option_flags import flags_of, options_from, positive
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tesselle as ts
    from tesselle.artifact.schema import Manifest, TensorSpec
    from tesselle.cli.tensors import Array


@click.command("bench")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--function", "function_name", default="main", metavar="NAME", help="Function to call [default: main].")
@click.option("--input", "inputs", multiple=True, metavar="TENSOR", help="An argument; those not given are random.")
@click.option("--threads", default=None, metavar="N", help="Threads of the device [default: all cores].")
@click.option("--seconds", default="2", metavar="S", help="How long to measure [default: 2].")
@click.option("--no-breakdown", is_flag=True, help="Leave out the table of kernels.")
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(
    program: Path,
    function_name: str,
    inputs: tuple[str, ...],
    threads: str | None,
    seconds: str,
    no_breakdown: bool,
    **given: Any,
) -> None:
    """Time a function of PROGRAM (an artifact, or a source that is compiled first).

    Calls are made one after the other, the first ones to warm up. Arguments that are not given with --input are random
    (integers: zero, which is a valid index into any table). The breakdown comes from further calls with profiling on.
    """
    from tesselle.cli.console import format_seconds, stdout
    from tesselle.cli.programs import open_program
    from tesselle.cli.tensors import parse_named_tensor

    budget_s = positive("--seconds", seconds, float)
    device = "cpu" if threads is None else f"cpu:threads={positive('--threads', threads, int)}"
    loaded = open_program(program, device, options_from(CompileOptions, given))
    function = loaded[function_name].flat
    arguments = make_arguments(loaded.functions[function_name].arguments, [parse_named_tensor(t) for t in inputs])

    def call() -> object:
        return function(*arguments)

    times = measure(call, budget_s)
    out = stdout()
    out.print(f"[bold]{program}[/bold] {function_name} on {device}: {len(times)} calls", highlight=False)
    facts = {"median": times[len(times) // 2], "p90": times[len(times) * 9 // 10], "fastest": times[0]}
    out.print("  " + "   ".join(f"{name} [bold]{format_seconds(s)}[/bold]" for name, s in facts.items()))
    if not no_breakdown:
        _print_breakdown(loaded, call, times[len(times) // 2])


def make_arguments(specs: Sequence[TensorSpec], given: Sequence[tuple[str | None, Array]]) -> list[Array]:
    """The arguments that were given, by position or name, and random ones for the rest.

    Errors: InvocationError for an argument that the function does not have, and for one that is not given although its
    shape depends on the call.
    """
    import numpy as np

    from tesselle.cli.tensors import reinterpret
    from tesselle.support.diagnostics import InvocationError

    by_name = {name: value for name, value in given if name is not None}
    by_position = [value for name, value in given if name is None]
    unknown = sorted(by_name.keys() - {s.name for s in specs})
    if unknown or len(by_position) > len(specs):
        what = f"an argument {unknown[0]}" if unknown else f"{len(by_position)} arguments"
        raise InvocationError(f"the function does not have {what}; it takes {', '.join(map(str, specs)) or 'none'}")
    rng = np.random.default_rng(0)
    arguments: list[Array] = []
    for i, spec in enumerate(specs):
        if i < len(by_position):
            arguments.append(reinterpret(by_position[i], spec.dtype))
        elif spec.name in by_name:
            arguments.append(reinterpret(by_name[spec.name], spec.dtype))
        elif None in spec.shape:
            raise InvocationError(f"argument {i} ({spec}) has no fixed shape: give it with --input")
        else:
            shape = tuple(d for d in spec.shape if d is not None)
            floating = spec.dtype.is_float or spec.dtype.is_complex
            value = rng.standard_normal(shape) if floating else np.zeros(shape)
            arguments.append(np.asarray(value).astype(spec.dtype.numpy))
    return arguments


def measure(call: Callable[[], object], budget_s: float) -> list[float]:
    """Seconds of every call in about `budget_s`, after a tenth of that for warming up; sorted, at least five."""
    warm = time.perf_counter() + budget_s / 10
    while True:
        call()
        if time.perf_counter() >= warm:
            break
    times: list[float] = []
    end = time.perf_counter() + budget_s
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return sorted(times)


@dataclass
class KernelTime:
    """What one kernel took in the profiled calls."""

    launches: int = 0
    busy_ns: int = 0


def _print_breakdown(program: ts.Program, call: Callable[[], object], median_s: float) -> None:
    from tesselle.cli.console import cut, format_seconds, short_kernel_name, stdout, table

    calls = max(1, min(50, int(0.5 / max(median_s, 1e-6))))
    with program.profile() as profile:
        for _ in range(calls):
            call()
    kernels: dict[tuple[int, int], KernelTime] = {}
    for record in profile.records:
        kernel = kernels.setdefault((record.executable, record.entry), KernelTime())
        kernel.launches += record.count
        kernel.busy_ns += record.end_ns - record.start_ns
    whole_ns = sum(k.busy_ns for k in kernels.values())
    columns = ("kernel", "computes", "launches", "time", "share", "GFLOP/s", "GB/s")
    rows = table(*columns, right=columns[2:])
    for (executable, entry), kernel in sorted(kernels.items(), key=lambda item: -item[1].busy_ns):
        name, computes, flops, moved = _describe(program.manifest, executable, entry)
        seconds = kernel.busy_ns * 1e-9
        rows.add_row(
            short_kernel_name(name),
            cut(computes),
            f"{kernel.launches / calls:g}",
            format_seconds(seconds / calls),
            f"{kernel.busy_ns / whole_ns:.1%}" if whole_ns else "",
            f"{flops * kernel.launches / seconds / 1e9:.1f}" if flops and seconds else "",
            f"{moved * kernel.launches / seconds / 1e9:.1f}" if moved and seconds else "",
        )
    out = stdout()
    out.print(rows)
    busy = format_seconds(whole_ns * 1e-9 / calls)
    out.print(f"  time of kernels, added over threads: {busy} per call ({calls} profiled calls)")


def _describe(manifest: Manifest, executable: int, entry: int) -> tuple[str, str, int | None, int | None]:
    """Name, summary, flops and bytes of a kernel, by the numbers that bytecode uses."""
    name = manifest.executable_names()[executable]
    record = next(e for e in manifest.executables if e.name == name).entries[entry]
    return record.name, record.summary, record.flops, record.bytes
