"""A page per command, from the commands themselves."""

from __future__ import annotations

import inspect

import click

from tesselle.cli.app import COMMANDS, tesselle


def pages() -> dict[str, str]:
    """Path -> Markdown of every command's page and of the list of commands."""
    context = click.Context(tesselle, info_name="tesselle")
    result = {"commands/index.md": _index()}
    for name in COMMANDS:
        command = tesselle.get_command(context, name)
        assert command is not None
        result[f"commands/{name}.md"] = _page(name, command, context)
    return result


def _index() -> str:
    rows = "\n".join(f"| [`tesselle {name}`]({name}.md) | {line} |" for name, line in COMMANDS.items())
    return f"""# Commands

| command | |
|---|---|
{rows}

An error is one message on standard error, with its place and its rule, and exit code 1;
`tesselle --traceback COMMAND …` shows where in Tesselle it was raised. A command line that is not one (an unknown flag,
a missing argument) gives exit code 2.

## Environment

{_environment()}
"""


def _environment() -> str:
    from tesselle.cli import environment

    text = inspect.getdoc(environment) or ""
    return text[text.index("| variable") :]


def _page(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"# tesselle {name}", "", f"    tesselle {name} {usage}", "", inspect.cleandoc(command.help or ""), ""]
    options = [record for p in command.get_params(context) if (record := p.get_help_record(context)) is not None]
    lines += ["| option | |", "|---|---|"]
    lines += [f"| `{_cell(flag)}` | {_cell(text)} |" for flag, text in options]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
