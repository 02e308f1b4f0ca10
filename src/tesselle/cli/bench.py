"""`tesselle bench`: how long a call takes, and which kernels take it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tesselle.cli.option_flags import flags_of, options_from, positive
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tesselle as ts
    from tesselle.artifact.schema import TensorSpec
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


def _print_breakdown(program: ts.Program, call: Callable[[], object], median_s: float) -> None:
    from tesselle.cli.console import format_seconds, stdout
    from tesselle.cli.kernel_times import kernel_table, kernel_times, profile_calls

    calls = max(1, min(50, int(0.5 / max(median_s, 1e-6))))
    kernels = kernel_times(program.manifest, profile_calls(program, call, calls).records)
    out = stdout()
    out.print(kernel_table(kernels, calls))
    busy = format_seconds(sum(k.busy_ns for k in kernels) * 1e-9 / calls)
    out.print(f"  time of kernels, added over threads: {busy} per call ({calls} profiled calls)")
