"""The command group: finds subcommands by name without importing the others, and turns errors into messages.

Exit codes: 0 success; 1 an error, told on stderr in the form that `tesselle.support.diagnostics` gives it; 2 a command
line that is not one (unknown flag, missing argument).
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Sequence

import click

from tesselle.support.diagnostics import CompilerError, TesselleError
from tesselle.support.version import __version__

COMMANDS: dict[str, str] = {
    "compile": "Compile a program into an artifact (.tsl).",
    "run": "Call functions of a program and print their results.",
    "check": "Run what programs expect of themselves.",
    "bench": "Time a function and show where the time goes.",
    "profile": "Trace every workgroup, and hold kernels to what the machine can do.",
    "explain": "Say which kernel each dispatch got, and why.",
    "dump": "Show what is inside an artifact.",
    "opt": "Run passes over a module and print it.",
    "devices": "List the devices of this machine.",
}
"""Every subcommand with the line that `tesselle --help` shows; `cli/NAME.py` holds it as `command`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tesselle.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tesselle")
@click.option("--traceback", "show_traceback", is_flag=True, help="Show the Python traceback of an error.")
@click.pass_context
def tesselle(ctx: click.Context, show_traceback: bool) -> None:
    """Tesselle compiles machine-learning programs ahead of time and runs them anywhere."""
    ctx.obj = show_traceback


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run `tesselle` with `arguments` (default: the process's own) and return the exit code."""
    from tesselle.cli.environment import read_environment

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = tesselle.main(
            words, prog_name="tesselle", standalone_mode=False, default_map=None, color=read_environment().color
        )
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output (`head`, a pager) has gone; what it did not read is nobody's loss.
        sys.stderr.close()
        return 1
    except TesselleError as error:
        _report(error, str(error), words)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _report(error, f"{place}error: {error.strerror or error}", words)
    except Exception as error:
        text = f"error: a fault of Tesselle: {type(error).__name__}: {error}\nnote: tesselle --traceback … shows where"
        _report(error, text, words)
    return 1


def _report(error: Exception, text: str, words: Sequence[str]) -> None:
    if "--traceback" in words:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, CompilerError):
        text += f"\nnote: to reproduce: tesselle --traceback {' '.join(words)}"
    click.echo(_colored(text), err=True)


def _colored(text: str) -> str:
    text = re.sub(r"(?m)(^|: )(error(?:\[[^\]\n]*\])?:)", lambda m: m[1] + click.style(m[2], fg="red", bold=True), text)
    return re.sub(r"(?m)(^|: )(note:)", lambda m: m[1] + click.style(m[2], fg="cyan", bold=True), text)
