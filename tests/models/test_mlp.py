"""The example without a framework, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tesselle.cli.app import run_command_line

MLP = str(Path(__file__).parents[2] / "examples" / "mlp.mlir")
INPUT = ["--input", "1x4xf32=1,2,3,4"]
EXPECTED = "1x3xf32=0.148541108,0.75908339,0.0923755"


def test_run_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["run", MLP, *INPUT, "--expected", EXPECTED, "--tolerance", "1e-6"]) == 0
    out = capsys.readouterr().out
    assert "1x3xf32=[[0.14854" in out
    assert "result 0 is as expected" in out


def test_arguments_keep_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["run", MLP, "--input", "x=1x4xf32=1,2,3,4", "--expected", EXPECTED]) == 0
    assert run_command_line(["run", MLP, "--input", "y=1x4xf32=1,2,3,4"]) == 1
    assert "no argument named 'y'" in capsys.readouterr().err


def test_compile_then_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = str(tmp_path / "mlp.tsl")
    assert run_command_line(["compile", MLP, "-o", artifact]) == 0
    assert run_command_line(["run", artifact, *INPUT, "--expected", EXPECTED]) == 0
    assert run_command_line(["dump", artifact]) == 0
    out = capsys.readouterr().out
    for section in ("manifest", "functions", "vm", "executables", "constants", "files"):
        assert f"\n{section}\n" in f"\n{out}"
    assert "peak transient memory" in out
    assert run_command_line(["bench", artifact, "--seconds", "0.05"]) == 0
    out = capsys.readouterr().out
    assert "median" in out
    assert "share" in out


def test_a_wrong_expectation_gives_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["run", MLP, *INPUT, "--expected", "1x3xf32=0.2,0.7,0.1"]) == 1
    assert "error: result 0 differs from what was expected by 0.059" in capsys.readouterr().err
