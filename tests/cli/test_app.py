"""The command group: help, exit codes, the form of errors, and what is imported when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from tesselle.cli.app import COMMANDS, run_command_line, tesselle
from tesselle.support.version import __version__

CONTEXT = click.Context(tesselle, info_name="tesselle")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_says_what_it_does(name: str) -> None:
    command = tesselle.get_command(CONTEXT, name)
    assert command is not None
    assert command.name == name
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name} has no help text"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--version"]) == 0
    assert capsys.readouterr().out == f"tesselle, version {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["nope"], ["run"], ["run", "x.tsl", "--nope"], ["dump", "a.tsl", "b.tsl"]],
    ids=" ".join,
)
def test_a_line_that_is_no_command_gives_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(words) == 2
    assert "Usage: tesselle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "MISSING.tsl"], "MISSING.tsl: error: No such file or directory\n"),
        (["dump", "MISSING.tsl"], "MISSING.tsl: error: No such file or directory\n"),
        (["compile", "MISSING.mlir"], "MISSING.mlir: error: No such file or directory\n"),
        (["run", "MISSING.tsl", "--tolerance", "x"], "error: --tolerance: 'x' is not a number\n"),
        (["run", "MISSING.tsl", "--input", "2xf32=a"], "error: input '2xf32=a': 'a' is not an element of f32\n"),
        (["run", "MISSING.tsl", "--repeat", "0"], "error: --repeat: '0' is not a positive number\n"),
        (["run", "MISSING.tsl", "--repeat", "two"], "error: --repeat: 'two' is not a positive number\n"),
        (["compile", "MISSING.mlir", "--jobs", "two"], "error: --jobs: 'two' is not an integer\n"),
        (
            ["dump", "MISSING.tsl", "--section", "code"],
            "error: --section: 'code' is not one of manifest, functions, variables, vm, executables, constants,"
            " files\n",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_message_and_gives_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(words) == 1
    captured = capsys.readouterr()
    assert captured.err == message
    assert captured.out == ""


def test_traceback_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--traceback", "run", "MISSING.tsl", "--tolerance", "x"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("error: --tolerance: 'x' is not a number\n")


def in_a_new_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tesselle", *words], capture_output=True, text=True, check=False
    )


def imported(finished: subprocess.CompletedProcess[str]) -> set[str]:
    """The modules that a process run with `-X importtime` imported."""
    lines = [line for line in finished.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_help_imports_nothing_heavy() -> None:
    finished = in_a_new_process("--help")
    assert finished.returncode == 0
    assert "compile" in finished.stdout
    assert not imported(finished) & {"numpy", "llvmlite", "rich", "tesselle.compiler", "tesselle.runtime"}
