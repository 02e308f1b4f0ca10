"""`tesselle run`: call functions and print, save or compare their results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from tesselle.cli.option_flags import flags_of, options_from, positive
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tesselle.cli.tensors import Array
    from tesselle.runtime import Function


@click.command("run")
@click.argument("program", type=click.Path(path_type=Path))
@click.option(
    "--function",
    "function_names",
    multiple=True,
    metavar="NAME",
    help="Function to call [default: main]; repeatable: one after another.",
)
@click.option("--repeat", default="1", metavar="N", help="Make the calls N times; results are those of the last [1].")
@click.option("--input", "inputs", multiple=True, metavar="TENSOR", help="An argument: 2x3xf32=1,2,… or @x.npy.")
@click.option("--output", "outputs", multiple=True, metavar="@FILE", help="Where to write a result, as .npy.")
@click.option("--expected", "expected", multiple=True, metavar="TENSOR", help="What a result must be.")
@click.option(
    "--tolerance",
    default="1e-5",
    metavar="T",
    help="Largest |result - expected| / max(1, |expected|) that passes [default: 1e-5].",
)
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Variables to begin with, safetensors.")
@click.option("--save-state", type=click.Path(path_type=Path), metavar="FILE", help="Where to write the variables.")
@click.option("--device", default="cpu", metavar="DEVICE", help="Device, as `tesselle devices` lists it [cpu].")
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(
    program: Path,
    function_names: tuple[str, ...],
    repeat: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    expected: tuple[str, ...],
    tolerance: str,
    state: Path | None,
    save_state: Path | None,
    device: str,
    **given: Any,
) -> None:
    """Call a function of PROGRAM, an artifact or a source that is compiled first, and print its results.

    Arguments go by position, or by name: --input x=2x3xf32=0. A single element fills its tensor. --output and
    --expected, each repeatable, belong to the results in order; with --output, results are not printed. The exit code
    is 1 when a result is not what was expected.

    Several functions share one session: what one stores in a variable the next one finds. Each takes as many inputs as
    it has arguments, and a named input goes to every function that has an argument of that name. --state and
    --save-state read and write all variables, before the first call and after the last.
    """
    from tesselle.cli.programs import open_program
    from tesselle.cli.tensors import format_tensor, parse_named_tensor, parse_tensor, write_array
    from tesselle.support.diagnostics import InvocationError, OptionError

    try:
        limit = float(tolerance)
    except ValueError:
        raise OptionError(f"--tolerance: '{tolerance}' is not a number") from None
    times = positive("--repeat", repeat, int)
    positional: list[Array] = []
    named: dict[str, Array] = {}
    for text in inputs:
        name, value = parse_named_tensor(text)
        if name is None:
            positional.append(value)
        elif name in named:
            raise InvocationError(f"argument {name} is given twice")
        else:
            named[name] = value
    wanted = [parse_tensor(text) for text in expected]
    session = open_program(program, device, options_from(CompileOptions, given)).session
    functions = [session[name].flat for name in function_names or ("main",)]
    calls = list(zip(functions, _deal(functions, positional, named), strict=True))
    specs = [spec for function in functions for spec in function.signature.results]
    for option, given_texts in (("--output", outputs), ("--expected", expected)):
        if len(given_texts) > len(specs):
            names = ", ".join(f.signature.name for f in functions)
            verb = "has" if len(functions) == 1 else "have"
            raise InvocationError(f"{len(given_texts)} times {option}, but {names} {verb} {len(specs)} results")
    if state is not None:
        session.load(state)
    results: list[Array] = []
    for _ in range(times):
        results = []
        for function, (arguments, keywords) in calls:
            returned = function(*arguments, **keywords)
            results.extend(cast("tuple[Array, ...]", returned) if isinstance(returned, tuple) else (returned,))
    if save_state is not None:
        session.save(save_state)
    for path, result in zip(outputs, results, strict=False):
        write_array(Path(path.removeprefix("@")), result)
    for spec, result in list(zip(specs, results, strict=True))[len(outputs) :]:
        click.echo(f"{spec.name}: {format_tensor(result)}" if spec.name else format_tensor(result))
    _compare(results, wanted, limit)


def _deal(
    functions: Sequence[Function], positional: Sequence[Array], named: dict[str, Array]
) -> list[tuple[list[Array], dict[str, Array]]]:
    """The arguments of each call. What nobody takes goes to the last one, which says so."""
    from tesselle.cli.tensors import reinterpret

    left, unknown = list(positional), dict(named)
    dealt: list[tuple[list[Array], dict[str, Array]]] = []
    for function in functions:
        arguments = function.signature.arguments
        keywords = {a.name: named[a.name] for a in arguments if a.name in named}
        unknown = {name: value for name, value in unknown.items() if name not in keywords}
        count = len(arguments) - len(keywords)
        dealt.append((left[:count], keywords))
        left = left[count:]
    dealt[-1][0].extend(left)
    dealt[-1][1].update(unknown)
    for function, (values, _) in zip(functions, dealt, strict=True):
        specs = function.signature.arguments
        values[: len(specs)] = [reinterpret(a, s.dtype) for a, s in zip(values, specs, strict=False)]
    return dealt


def _compare(results: Sequence[Array], wanted: Sequence[Array], tolerance: float) -> None:
    """Report how far each result is from what was expected; ExecutionError when one is too far."""
    import numpy as np

    from tesselle.cli.tensors import reinterpret, type_text
    from tesselle.support.diagnostics import ExecutionError
    from tesselle.support.dtypes import from_numpy

    for i, (found, text) in enumerate(zip(results, wanted, strict=False)):
        expect = reinterpret(text, from_numpy(found.dtype))
        if (found.shape, found.dtype) != (expect.shape, expect.dtype):
            raise ExecutionError(f"result {i} is {type_text(found)}, expected {type_text(expect)}")
        wide = np.complex128 if found.dtype.kind == "c" else np.float64
        a, b = found.astype(wide), expect.astype(wide)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            difference = np.where(same, 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(b)))
        # A difference that is not a number (nan or infinity on one side only) is the worst of all.
        difference = np.where(np.isnan(difference), np.inf, difference)
        worst = float(difference.max(initial=0.0))
        if worst > tolerance:
            where = tuple(int(n) for n in np.unravel_index(int(difference.argmax()), difference.shape))
            raise ExecutionError(
                f"result {i} differs from what was expected by {worst:.3g} at {where}: expected {expect[where]},"
                f" found {found[where]} (tolerance {tolerance:g})"
            )
        click.echo(f"result {i} is as expected; largest difference {worst:.3g}")
