"""`tesselle compile`: from a source program to an artifact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tesselle.cli.option_flags import flags_of, options_from
from tesselle.support.options import CompileOptions


@click.command("compile")
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write [default: SOURCE with .tsl].")
@click.option("--target", "targets", multiple=True, default=("cpu",), metavar="TARGET", help="Target; repeatable.")
@flags_of(CompileOptions)
@click.option("-q", "--quiet", is_flag=True, help="No progress display.")
def command(source: Path, output: Path | None, targets: tuple[str, ...], quiet: bool, **given: Any) -> None:
    """Compile SOURCE into an artifact: StableHLO as MLIR text or bytecode (`-`: standard input), or a SavedModel.

    With --compile-to PHASE the result is the IR after that phase, as text, on standard output unless -o names a file;
    such text goes on from there with --compile-from PHASE.
    """
    import time

    import tesselle as ts
    from tesselle.cli.console import format_bytes, format_seconds, stderr
    from tesselle.cli.environment import read_environment
    from tesselle.cli.progress import compile_progress
    from tesselle.support.diagnostics import OptionError

    cache_dir = read_environment().cache_dir
    if given["cache_dir"] is None and cache_dir is not None:
        given["cache_dir"] = str(cache_dir)
    options = options_from(CompileOptions, given)
    if output is not None and not output.parent.is_dir():
        raise OptionError(f"cannot write {output}: there is no folder {output.parent}")
    program: Path | bytes = sys.stdin.buffer.read() if str(source) == "-" else source
    if options.compile_to is not None:
        from tesselle.compiler import compile_to_text

        text = compile_to_text(program, targets=list(targets), options=options)
        if output is None:
            click.echo(text, nl=False)
        else:
            output.write_text(text)
        return
    started = time.perf_counter()
    with compile_progress(stderr(), quiet=quiet) as progress:
        artifact = ts.compile(program, targets=list(targets), options=options, progress=progress)
    destination = output or _default_output(source)
    artifact.save(destination)
    if not quiet:
        size, took = format_bytes(destination.stat().st_size), format_seconds(time.perf_counter() - started)
        stderr().print(f"[bold]{destination}[/bold]: {size}, compiled in {took}")


def _default_output(source: Path) -> Path:
    if str(source) == "-":
        return Path("a.tsl")
    # What follows a dot in the name of a folder is no suffix, and "." has no name.
    return source.resolve().with_name(source.resolve().name + ".tsl") if source.is_dir() else source.with_suffix(".tsl")
