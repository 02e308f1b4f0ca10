"""`tesselle run` with functions that share variables, and `tesselle dump` of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stateful_programs import VECTOR, function, stateful_artifact

from tesselle.artifact.safetensors import read_safetensors, write_safetensors
from tesselle.artifact.schema import TensorSpec
from tesselle.cli.app import run_command_line
from tesselle.support.dtypes import F32

OTHER = TensorSpec("y", F32, (None,))


@pytest.fixture
def artifact(tmp_path: Path) -> str:
    path = tmp_path / "m.tsl"
    second = function("second", lambda b: b.arguments[1:], arguments=[VECTOR, OTHER], results=[OTHER], updates=False)
    stateful_artifact(second, host=False).save(path)
    return str(path)


def run(*words: str) -> int:
    return run_command_line(["run", *words])


def test_one_function_after_another(artifact: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(artifact, "--function", "increment", "--function", "replace", "--function", "peek") == 0
    assert capsys.readouterr().out == "i64=1\ni64=2\ni64=2\n"


def test_repetitions(artifact: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(artifact, "--function", "increment", "--function", "replace", "--repeat", "4") == 0
    assert capsys.readouterr().out == "i64=7\ni64=8\n"
    assert run(artifact, "--function", "increment", "--repeat", "3", "--expected", "i64=3") == 0
    assert run(artifact, "--function", "increment", "--repeat", "3", "--expected", "i64=1") == 1


def test_inputs_are_dealt_out(artifact: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--function", "assign", "--function", "second", "--input")
    assert run(artifact, *words, "1xf32=1", "--input", "2xf32=2", "--input", "1xf32=3") == 0
    assert capsys.readouterr().out == "x: 1xf32=[1.]\ny: 1xf32=[3.]\n"
    assert run(artifact, *words, "y=2xf32=5", "--input", "1xf32=4", "--input", "1xf32=6") == 0
    assert capsys.readouterr().out == "x: 1xf32=[4.]\ny: 2xf32=[5. 5.]\n"
    assert run(artifact, *words, "y=2xf32=5", "--input", "x=1xf32=4") == 0
    assert capsys.readouterr().out == "x: 1xf32=[4.]\ny: 2xf32=[5. 5.]\n"
    for surplus, text in (
        (("1xf32=1",), "'second': takes 2 arguments, 0 given"),
        (("x=1xf32=1", "--input", "y=1xf32=1", "--input", "z=f32=1"), "no argument named 'z'"),
        (("1xf32=1", *("--input", "1xf32=1") * 3), "'second': takes 2 arguments, 3 given"),
    ):
        assert run(artifact, *words, *surplus) == 1
        assert text in capsys.readouterr().err


def test_outputs_belong_to_all_results_in_order(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--function", "increment", "--function", "peek", "--output")
    assert run(artifact, *words, f"@{tmp_path / 'a.npy'}", "--output", f"@{tmp_path / 'b.npy'}") == 0
    assert capsys.readouterr().out == ""
    assert np.load(tmp_path / "a.npy") == np.load(tmp_path / "b.npy") == 1
    assert run(artifact, *words, "@a", "--output", "@b", "--output", "@c") == 1
    assert "3 times --output, but increment, peek have 2 results" in capsys.readouterr().err


def test_state_goes_in_and_out(artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.safetensors"
    increment = ("--function", "increment", "--repeat", "2")
    assert run(artifact, *increment, "--save-state", str(path)) == 0
    assert run(artifact, *increment, "--state", str(path), "--save-state", str(path)) == 0
    assert capsys.readouterr().out == "i64=2\ni64=4\n"
    found = read_safetensors(path, {})
    assert found["counter"] == 4 and found["weights"].tolist() == [1, 2, 3]


def test_errors_of_states(artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.safetensors"
    peek = (artifact, "--function", "peek", "--state", str(path))
    assert run(*peek) == 1
    assert capsys.readouterr().err == f"{path}: error: No such file or directory\n"
    write_safetensors(path, {"counter": np.zeros(1, np.int64)})
    assert run(*peek) == 1
    assert capsys.readouterr().err == f"error: {path}: missing variable 'weights'\n"
    path.write_bytes(b"text")
    assert run(*peek) == 1
    assert capsys.readouterr().err == f"error: {path}: is not a safetensors file (4 bytes)\n"
    assert run(artifact, "--function", "fail_midway", "--save-state", str(path)) == 1
    assert "on purpose" in capsys.readouterr().err
    assert path.read_bytes() == b"text"


def test_dump_shows_variables(artifact: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["dump", artifact, "--section", "variables"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["counter", "i64", "8", "B", "@counter"] in lines
    assert ["weights", "?xf32", "depends", "@weights"] in lines
    updating = next(line for line in lines if line[:2] == ["updated", "by:"])
    assert "increment," in updating and "peek," not in updating
    assert run_command_line(["dump", artifact, "--section", "manifest"]) == 0
    assert "2, set up by initialize" in capsys.readouterr().out
