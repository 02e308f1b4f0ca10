"""`tesselle dump`: what is inside an artifact."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tesselle.artifact import Artifact


LISTING_COLUMNS = 120
"""Where lines of the host program are broken when the output is not a terminal."""


@click.command("dump")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="NAME",
    help="Only this section: manifest, functions, variables, vm, executables, constants or files; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="The manifest as it stands in the file, and nothing else.")
def command(artifact: Path, sections: tuple[str, ...], as_json: bool) -> None:
    """Show what is inside ARTIFACT: manifest, signatures, variables, host program, executables, constants, files."""
    import tesselle as ts
    from tesselle.support.diagnostics import OptionError

    unknown = [s for s in sections if s not in SECTIONS]
    if unknown:
        raise OptionError(f"--section: '{unknown[0]}' is not one of {', '.join(SECTIONS)}")
    if artifact.suffix in (".mlir", ".mlirbc"):
        raise OptionError(f"{artifact} is a program, not an artifact: tesselle compile {artifact} makes one")
    opened = ts.Artifact.open(artifact)
    if as_json:
        click.echo(opened.manifest.to_json(), nl=False)
        return
    for name in sections or SECTIONS:
        _heading(name)
        SECTIONS[name](opened)


def _heading(name: str) -> None:
    from tesselle.cli.console import stdout

    stdout().print(f"[bold cyan]{name}[/bold cyan]")


def _manifest(artifact: Artifact) -> None:
    from tesselle.cli.console import format_bytes, stdout, table

    m = artifact.manifest
    rows = table("", "")
    rows.show_header = False
    rows.add_row("module", m.module_name)
    rows.add_row("producer", m.producer)
    rows.add_row("schema", ".".join(map(str, m.schema_version)))
    rows.add_row("functions", str(len(m.functions)))
    targets = sorted({e.target for e in m.executables})
    kernels = sum(len(e.entries) for e in m.executables)
    rows.add_row("executables", f"{len(m.executables)} with {kernels} kernels for {', '.join(targets) or 'no target'}")
    rows.add_row("constants", f"{len(m.constants)}, {format_bytes(sum(c.size for c in m.constants))}")
    if m.variables:
        rows.add_row("variables", f"{len(m.variables)}, set up by {m.initializer or 'nobody'}")
    if m.host_functions:
        rows.add_row("calls", ", ".join(sorted({f"@{f.target}" for f in m.host_functions})))
    stdout().print(rows)


def _functions(artifact: Artifact) -> None:
    from tesselle.cli.console import format_bytes, stdout

    out = stdout()
    for f in artifact.manifest.functions:
        out.print(f"  {f}", markup=False)
        peak = f.peak_transient_bytes
        out.print(f"    peak transient memory: {'depends on the shapes' if peak is None else format_bytes(peak)}")
        if f.location:
            out.print(f"    from {f.location}", markup=False)
    out.print()


def _variables(artifact: Artifact) -> None:
    from tesselle.cli.console import cut, format_bytes, stdout, table

    manifest = artifact.manifest
    if not manifest.variables:
        click.echo("  none: calls keep nothing\n")
        return
    rows = table("variable", "type", "size", "global", right=("size",))
    for v in manifest.variables:
        kind = "x".join([*("?" if d is None else str(d) for d in v.shape), str(v.dtype)])
        known = [d for d in v.shape if d is not None]
        size = format_bytes(math.prod(known) * v.dtype.size_bytes) if len(known) == len(v.shape) else "depends"
        rows.add_row(cut(v.name), kind, size, f"@{v.vm_global}")
    stdout().print(rows)
    updating = ", ".join(f.name for f in manifest.functions if f.updates) or "no function"
    click.echo(f"  updated by: {updating}\n")


def _vm(artifact: Artifact) -> None:
    from tesselle.artifact.vm_module import disassemble
    from tesselle.cli.console import stdout, wrap_list

    out = stdout()
    width = out.width if out.is_terminal else LISTING_COLUMNS
    for line in disassemble(artifact.vm_module).splitlines():
        click.echo(wrap_list(line, width))


def _executables(artifact: Artifact) -> None:
    from tesselle.cli.console import cut, format_bytes, short_kernel_name, stdout, table, wrap_list

    out, manifest = stdout(), artifact.manifest
    sizes = {f.name: f.size for f in manifest.files}
    columns = ("kernel", "computes", "target", "code", "flops", "bytes")
    rows = table(*columns, right=("code", "flops", "bytes"))
    for e in manifest.executables:
        for i, k in enumerate(e.entries):
            rows.add_row(
                short_kernel_name(k.name),
                cut(k.summary),
                e.target,
                # An executable is one file, whatever the number of its kernels.
                format_bytes(sizes[e.file]) if i == 0 and e.file in sizes else "",
                "" if k.flops is None else f"{k.flops:,}",
                "" if k.bytes is None else f"{k.bytes:,}",
            )
    out.print(rows)
    for triple, features in sorted({(e.triple, e.required_cpu_features) for e in manifest.executables}):
        needs = f"  {triple} needs: {', '.join(features) or 'no CPU features beyond the baseline'}"
        click.echo(wrap_list(needs, out.width))
    total = sum(sizes.get(e.file, 0) for e in manifest.executables)
    click.echo(f"  code in all: {format_bytes(total)}\n")


def _constants(artifact: Artifact) -> None:
    from tesselle.cli.console import cut, format_bytes, stdout, table

    columns = ("#", "constant", "type", "size", "file", "offset")
    rows = table(*columns, right=("#", "size", "offset"))
    for i, c in enumerate(artifact.manifest.constants):
        kind = "x".join([*map(str, c.shape), str(c.dtype)])
        rows.add_row(str(i), cut(c.name), kind, format_bytes(c.size), c.file, str(c.offset))
    stdout().print(rows)


def _files(artifact: Artifact) -> None:
    from tesselle.cli.console import stdout, table

    rows = table("file", "bytes", "sha256", right=("bytes",))
    for f in artifact.manifest.files:
        rows.add_row(f.name, f"{f.size:,}", f.sha256[:16] + "…")
    stdout().print(rows)


SECTIONS: dict[str, Callable[[Artifact], None]] = {
    "manifest": _manifest,
    "functions": _functions,
    "variables": _variables,
    "vm": _vm,
    "executables": _executables,
    "constants": _constants,
    "files": _files,
}
"""What `--section` can name, in the order in which everything is shown."""
