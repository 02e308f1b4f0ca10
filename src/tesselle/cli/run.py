"""`tesselle run`: call one function and print, save or compare its results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from tesselle.cli.option_flags import flags_of, options_from
from tesselle.support.options import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tesselle.cli.tensors import Array


@click.command("run")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--function", "function_name", default="main", metavar="NAME", help="Function to call [default: main].")
@click.option("--input", "inputs", multiple=True, metavar="TENSOR", help="An argument: 2x3xf32=1,2,… or @x.npy.")
@click.option("--output", "outputs", multiple=True, metavar="@FILE", help="Where to write a result, as .npy.")
@click.option("--expected", "expected", multiple=True, metavar="TENSOR", help="What a result must be.")
@click.option(
    "--tolerance",
    default="1e-5",
    metavar="T",
    help="Largest |result - expected| / max(1, |expected|) that passes [default: 1e-5].",
)
@click.option("--device", default="cpu", metavar="DEVICE", help="Device, as `tesselle devices` lists it [cpu].")
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(
    program: Path,
    function_name: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    expected: tuple[str, ...],
    tolerance: str,
    device: str,
    **given: Any,
) -> None:
    """Call a function of PROGRAM, an artifact or a source that is compiled first, and print its results.

    Arguments go by position, or by name: --input x=2x3xf32=0. A single element fills its tensor. --output and
    --expected, each repeatable, belong to the results in order; with --output, results are not printed. The exit code
    is 1 when a result is not what was expected.
    """
    from tesselle.cli.programs import open_program
    from tesselle.cli.tensors import format_tensor, parse_named_tensor, parse_tensor, reinterpret, write_array
    from tesselle.support.diagnostics import InvocationError, OptionError

    try:
        limit = float(tolerance)
    except ValueError:
        raise OptionError(f"--tolerance: '{tolerance}' is not a number") from None
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
    function = open_program(program, device, options_from(CompileOptions, given))[function_name]
    arguments = function.signature.arguments
    positional = [reinterpret(a, s.dtype) for a, s in zip(positional, arguments, strict=False)] + positional[
        len(arguments) :
    ]
    returned = function(*positional, **named)
    results = cast("tuple[Array, ...]", returned) if isinstance(returned, tuple) else (returned,)
    for option, given_texts in (("--output", outputs), ("--expected", expected)):
        if len(given_texts) > len(results):
            raise InvocationError(f"{len(given_texts)} times {option}, but {function_name} has {len(results)} results")
    for path, result in zip(outputs, results, strict=False):
        write_array(Path(path.removeprefix("@")), result)
    for spec, result in list(zip(function.signature.results, results, strict=True))[len(outputs) :]:
        click.echo(f"{spec.name}: {format_tensor(result)}" if spec.name else format_tensor(result))
    _compare(results, wanted, limit)


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
