"""`tesselle explain`: which kernel each dispatch got, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tesselle.cli.option_flags import flags_of, options_from
from tesselle.support.options import CompileOptions


@click.command("explain")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--kernel", "pattern", default="", metavar="TEXT", help="Only kernels whose name contains TEXT.")
@flags_of(CompileOptions, leave_out=("compile_from", "compile_to"))
def command(program: Path, pattern: str, **given: Any) -> None:
    """Say for every kernel of PROGRAM (an artifact, or a source that is compiled first) what it is and why.

    The strategy comes first (contraction, convolution, movement, scatter, sort, loops), then how it reads its operands,
    what it keeps in registers, and how much of the work one workgroup does.
    """
    from rich.markup import escape

    from tesselle.cli.console import format_bytes, stdout
    from tesselle.cli.programs import open_artifact
    from tesselle.support.diagnostics import TesselleError

    out = stdout()
    entries = [
        e for x in open_artifact(program, options_from(CompileOptions, given)).manifest.executables for e in x.entries
    ]
    found = [e for e in entries if pattern in e.name]
    if not found:
        raise TesselleError(f"no kernel with '{pattern}' in its name among {len(entries)}")
    for e in found:
        work = ", ".join(
            text
            for text in (
                f"{e.flops:,} FLOP" if e.flops else "",
                f"{format_bytes(e.bytes)} moved" if e.bytes else "",
                e.location,
            )
            if text
        )
        out.print(f"[bold]{escape(e.name)}[/bold]  [dim]{escape(work)}[/dim]")
        out.print(f"  {escape(e.summary)}")
        out.print(f"  {escape(e.kernel) or '[dim]the artifact does not say: it was made by an earlier version[/dim]'}")
