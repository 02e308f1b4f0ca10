"""SavedModels compile and run as in TensorFlow: five steps each, results, their nesting, and variables."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_models import LARGE, SMALL, SavedModels

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

STATE = {
    "mlp": set[str](),
    "counter": {"n"},
    "sgd_momentum": {"w", "b", "vw", "vb"},
    "lstm_state": {"h", "c"},
    "convnet": set[str](),
    "transformer_encoder": set[str](),
    "while_tensor_array": {"count"},
    "growing_tensor_array": {"total"},
    "dynamic_batch": set[str](),
    "signatures": {"scale"},
    "updates": {"v", "table"},
    "constants": {"rows"},
    "traces": set[str](),
    "keras_export": set[str](),
    "unused_table": {"scale"},
    "from_jax": {"w"},
    "resnet50": set[str](),
    "mobilenetv2": set[str](),
}
"""The variables that a function changes; all others are constants of the program."""


def require_equal(found: Any, expected: Any, where: str, tolerance: float) -> None:
    """The same nesting, types and shapes, and numbers that are as close."""
    match expected:
        case (str(), dict() as fields):
            assert isinstance(found, tuple) and hasattr(found, "_fields"), where
            assert (type(found).__name__, found._fields) == (expected[0], tuple(fields)), where
            for i, (key, part) in enumerate(fields.items()):
                require_equal(found[i], part, f"{where}.{key}", tolerance)
        case dict():
            assert isinstance(found, dict) and set(found) == set(expected), where
            for key, part in expected.items():
                require_equal(found[key], part, f"{where}[{key!r}]", tolerance)
        case list() | tuple():
            assert type(found) is type(expected) and len(found) == len(expected), where
            for i, (a, b) in enumerate(zip(found, expected, strict=True)):
                require_equal(a, b, f"{where}[{i}]", tolerance)
        case None | float():
            assert found == expected, where
        case _:
            a, b = np.asarray(found), np.asarray(expected)
            assert (a.dtype, a.shape) == (b.dtype, b.shape), where
            if b.dtype.kind in "biu":
                np.testing.assert_array_equal(a, b, where)
            else:
                wide = np.abs(b.astype(np.float64)).max(initial=1.0)
                limit = tolerance if b.dtype.itemsize > 2 else 4e-3
                np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), atol=limit * wide, err_msg=where)


def as_arguments(value: Any) -> Any:
    """What the record of a call holds for a named tuple, as a tuple of its parts."""
    match value:
        case (str(), dict() as fields):
            return tuple(as_arguments(v) for v in fields.values())
        case dict():
            return {k: as_arguments(v) for k, v in value.items()}
        case list() | tuple():
            return type(value)(as_arguments(v) for v in value)
        case _:
            return value


@pytest.mark.parametrize("name", [*SMALL, *LARGE, "unused_table"])
def test_five_steps(name: str, saved_models: SavedModels) -> None:
    calls = saved_models.calls(name)
    program = ts.load(ts.compile(saved_models(name)))
    session = program.new_session()
    assert set(program.functions) == {call[0] for call in calls}
    if name in STATE:
        assert set(session.variables) == STATE[name]
    for i, (function, args, kwargs, results, variables) in enumerate(calls):
        found = session[function](*as_arguments(args), **as_arguments(kwargs))
        require_equal(found, results, f"{function} of call {i}", 1e-5)
        for variable, value in session.state_dict().items():
            require_equal(value, variables[variable], f"{variable} after call {i}", 1e-5)


@pytest.mark.parametrize("name", [*SMALL, *LARGE, "unused_table"])
def test_all_sizes(name: str, saved_models: SavedModels) -> None:
    """200 combinations of the sizes that a function leaves open, 0 and 1 among them."""
    calls = saved_models.sized_calls(name)
    program = ts.load(ts.compile(saved_models(name)))
    opened = {f for f, record in program.functions.items() if any(None in x.shape for x in record.arguments)}
    assert {function for function, *_ in calls} == opened
    for i, (function, args, kwargs, results) in enumerate(calls):
        found = program.new_session()[function](*as_arguments(args), **as_arguments(kwargs))
        require_equal(found, results, f"{function} of call {i}", 1e-5)


@pytest.mark.parametrize("name", ["counter", "lstm_state", "sgd_momentum"])
def test_a_new_session_begins_anew(name: str, saved_models: SavedModels) -> None:
    """The values of the checkpoint are the first values of every session."""
    function, args, kwargs, results, _ = saved_models.calls(name)[0]
    program = ts.load(ts.compile(saved_models(name)))
    for _ in range(2):
        session = program.new_session()
        require_equal(session[function](*as_arguments(args), **as_arguments(kwargs)), results, function, 1e-5)


def test_tensorflow_stays_out_of_this_process(saved_models: SavedModels) -> None:
    ts.compile(saved_models("counter"))
    assert "tensorflow" not in sys.modules
    assert importlib.util.find_spec("tensorflow") is not None


def test_weights_are_constants_that_are_mapped(saved_models: SavedModels, tmp_path: Path) -> None:
    """What nothing stores to is folded into the program: no variable, and no initializer that would copy it."""
    artifact = ts.compile(saved_models("mlp"))
    assert not artifact.manifest.variables and not artifact.manifest.initializer
    assert len(artifact.manifest.constants) >= 2
