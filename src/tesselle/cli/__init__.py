"""The `tesselle` command: one file per subcommand, each imported only when it is called for."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `tesselle` script; ends the process with the command's exit code."""
    from tesselle.cli.app import run_command_line

    raise SystemExit(run_command_line())
