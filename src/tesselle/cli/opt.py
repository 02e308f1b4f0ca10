"""`tesselle opt`: passes over a module, for their tests and for looking at what they do."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from tesselle.ir.passes import Pass
    from tesselle.support.options import OptionField

_SPLIT = re.compile(r"(?m)^// -----\s*$\n?")


@click.command("opt")
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--pass", "pass_texts", multiple=True, metavar="NAME{OPTION=VALUE,…}", help="Pass to run; repeatable.")
@click.option("--verify-each", is_flag=True, help="Verify after every pass, not only at the end.")
@click.option("--generic", is_flag=True, help="Print every operation in MLIR's generic form.")
@click.option("--split-input", is_flag=True, help="Handle the parts between lines `// -----` one by one.")
@click.option("--list-passes", is_flag=True, help="List every pass with what it does.")
def command(
    source: Path,
    pass_texts: tuple[str, ...],
    verify_each: bool,
    generic: bool,
    split_input: bool,
    list_passes: bool,
) -> None:
    """Read SOURCE (MLIR text or bytecode; `-`: standard input), run passes over it in the order given, and print it.

    Facts that a pass needs of the IR are the caller's business here; the result is verified.
    """
    import_passes()
    if list_passes:
        _list_passes()
        return
    from tesselle.ir.passes import parse_pass

    passes = [parse_pass(text) for text in pass_texts]
    from tesselle.frontends.stablehlo import map_file

    if str(source) == "-":
        name, data = "<stdin>", sys.stdin.buffer.read()
    else:
        name, data = str(source), map_file(source)
    if not split_input:
        click.echo(_transform(data, name, passes, verify_each=verify_each, generic=generic))
        return
    parts = [
        _transform(part.encode(), name, passes, verify_each=verify_each, generic=generic).rstrip("\n") + "\n"
        for part in split_text(bytes(data).decode())
    ]
    click.echo("// -----\n".join(parts), nl=False)


def split_text(text: str) -> list[str]:
    """The parts between lines `// -----`; blank lines in front keep the line numbers of errors those of the file."""
    start = 0
    parts: list[str] = []
    for match in [*_SPLIT.finditer(text), None]:
        parts.append("\n" * text.count("\n", 0, start) + text[start : match.start() if match else len(text)])
        start = match.end() if match else start
    return parts


def import_passes() -> None:
    """Import every module that registers a pass."""
    import importlib
    import pkgutil

    import tesselle.codegen
    import tesselle.passes

    for package in (tesselle.passes, tesselle.codegen):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def _transform(data: bytes | memoryview, name: str, passes: list[Pass], *, verify_each: bool, generic: bool) -> str:
    from tesselle.frontends.stablehlo import read_module
    from tesselle.ir.passes import Fact, Pipeline
    from tesselle.ir.text import print_op
    from tesselle.ir.verify import verify_all

    module = read_module(data, name)
    verify_all(module)
    Pipeline(tuple(passes), start=frozenset(Fact), verify_each=verify_each).run(module)
    verify_all(module)
    return print_op(module, generic=generic)


def documentation_of(cls: type[Pass]) -> str:
    """What a pass says about itself; what its module says where the class says nothing."""
    # A dataclass without a docstring is given its signature as one.
    own = cls.__doc__ or ""
    text = sys.modules[cls.__module__].__doc__ or "" if own.startswith(cls.__name__ + "(") else own
    # A module begins with the name of its pass.
    text = inspect.cleandoc(text).removeprefix(f"{cls.NAME}: ")
    return text[:1].upper() + text[1:]


def options_of(cls: type[Pass]) -> list[OptionField]:
    """The options of a pass that have a text form; hooks for reports have none."""
    from tesselle.support.options import option_fields

    # Every pass is a dataclass; the base class, which is none, is never registered.
    shown = {f.name for f in dataclasses.fields(cast("type[DataclassInstance]", cls)) if f.compare}
    return [f for f in option_fields(cls) if f.name in shown]


def _list_passes() -> None:
    from rich.markup import escape

    from tesselle.cli.console import cut, stdout, table
    from tesselle.ir.passes import PASSES

    rows = table("pass", "what it does")
    for name, cls in sorted(PASSES.items()):
        options = ", ".join(f"{f.name}={f.default}" for f in options_of(cls))
        summary = " ".join(documentation_of(cls).partition("\n\n")[0].split())
        rows.add_row(cut(name), escape(summary) + (f" [dim]({options})[/dim]" if options else ""))
    stdout().print(rows)
