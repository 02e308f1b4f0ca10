"""SavedModels of every kind, compiled: results and variables are TensorFlow's, call by call."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_models import MODELS

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")
# Looked for, never imported: TensorFlow and this process keep apart.
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

TOLERANCE = 1e-5
"""Of the largest magnitude in the array."""
WRITER = Path(__file__).parents[1] / "support" / "tf_models.py"


@dataclass(frozen=True)
class Expected:
    """What TensorFlow wrote of one model."""

    path: Path
    calls: list[dict[str, Any]]
    variables: Mapping[str, tuple[int, int]]
    arrays: Mapping[str, Any]

    def value(self, tree: Any) -> Any:
        """The nested arrays that stand for a value of `calls`."""
        match tree:
            case None:
                return None
            case int():
                return self.arrays[str(tree)]
            case {"list": items} | {"namedtuple": items}:
                return [self.value(i) for i in items]
            case {"tuple": items}:
                return tuple(self.value(i) for i in items)
            case {"dict": items}:
                return {k: self.value(v) for k, v in items.items()}
        raise AssertionError(tree)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all models, written by one process."""
    folder = tmp_path_factory.mktemp("saved_models")
    done = subprocess.run([sys.executable, str(WRITER), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def expected_of(folder: Path) -> Expected:
    error = folder / "error.txt"
    assert not error.exists(), error.read_text()
    text = json.loads((folder / "calls.json").read_text())
    with np.load(folder / "arrays.npz") as file:
        arrays = {k: file[k] for k in file.files}
    return Expected(folder / "saved_model", text["calls"], text["variables"], arrays)


def assert_close(found: Any, expected: Any, where: str) -> None:
    """Equal types and shapes, numbers within the tolerance, nested values part by part."""
    match expected:
        case None:
            assert found is None, where
        case list():
            assert isinstance(found, list | tuple) and len(found) == len(expected), where
            for i, (f, e) in enumerate(zip(found, expected, strict=True)):
                assert_close(f, e, f"{where}[{i}]")
        case tuple():
            assert type(found) is tuple and len(found) == len(expected), where
            for i, (f, e) in enumerate(zip(found, expected, strict=True)):
                assert_close(f, e, f"{where}[{i}]")
        case dict():
            assert isinstance(found, dict) and set(found) == set(expected), where
            for k, e in expected.items():
                assert_close(found[k], e, f"{where}[{k!r}]")
        case _:
            assert found.dtype == expected.dtype and found.shape == expected.shape, where
            if expected.dtype.kind == "f":
                assert np.isfinite(expected).all(), f"{where}: TensorFlow's result is no oracle"
                largest = np.max(np.abs(expected), initial=0)
                np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * largest, err_msg=where)
            else:
                np.testing.assert_array_equal(found, expected, err_msg=where)


def steps(program: ts.Program, expected: Expected) -> Iterator[str]:
    """Make every call and hold its results to TensorFlow's; what was called, call by call."""
    for i, call in enumerate(expected.calls):
        positional = [expected.value(v) for v in call["positional"]]
        keyword = {k: expected.value(v) for k, v in call["keyword"].items()}
        found = program[call["function"]](*positional, **keyword)
        where = f"call {i} of {call['function']}"
        if call["result"] is None:
            assert found in (None, ()), where
        else:
            assert_close(found, expected.value(call["result"]), where)
        yield call["function"]


@pytest.mark.parametrize("name", MODELS)
def test_calls_and_variables_are_those_of_tensorflow(name: str, saved_models: Path) -> None:
    expected = expected_of(saved_models / name)
    before = set(sys.modules)
    program = ts.load(ts.compile(expected.path, targets=["cpu"]))
    assert "tensorflow" not in set(sys.modules) - before, "TensorFlow is imported in a process of its own only"
    called = list(steps(program, expected))
    assert called, "a model without calls shows nothing"
    state = program.session.state_dict()
    for variable, (first, last) in expected.variables.items():
        if variable in state:
            assert_close(state.pop(variable), expected.value(last), f"variable {variable} after the last call")
        else:
            # What no function of the program changes may be a constant of it.
            unchanged = np.array_equal(expected.value(first), expected.value(last))
            assert unchanged, f"no variable '{variable}' in {sorted(state)}"
    assert not state, "variables that the model does not have"


@pytest.mark.parametrize("name", ["lstm_with_state", "counter"])
def test_a_new_session_begins_anew(name: str, saved_models: Path) -> None:
    """The values of the checkpoint are the first values of every session."""
    expected = expected_of(saved_models / name)
    program = ts.load(ts.compile(expected.path, targets=["cpu"]))
    for _ in steps(program, expected):
        pass
    session = program.new_session()
    call = expected.calls[0]
    found = session[call["function"]](*(expected.value(v) for v in call["positional"]))
    assert_close(found, expected.value(call["result"]), "the first call of a new session")
