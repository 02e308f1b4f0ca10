"""SavedModels for tests, made by a process that runs TensorFlow; what it recorded of their calls."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MAKER = Path(__file__).with_name("make_saved_models.py")
SMALL = (
    "mlp counter sgd_momentum keras_adam lstm_state keras_stateful_lstm convnet transformer_encoder while_tensor_array"
    " growing_tensor_array dynamic_batch signatures updates constants traces keras_export from_jax"
).split()
"""Models that are made together, as TensorFlow takes long to start."""
EDGES = "unused_table refused".split()
"""Models of what is not supported; `refused` has no calls."""
LARGE = "resnet50 mobilenetv2".split()

Call = tuple[str, tuple[Any, ...], dict[str, Any], Any, dict[str, Any]]
"""Function, positional and keyword arguments, results, and all variables after the call."""


def require_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")


class SavedModels:
    """Models by name, in a folder; each is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Path:
        """The folder of a model."""
        path = self.folder / name
        if not path.exists():
            require_tensorflow()
            self._make(next((group for group in (SMALL, EDGES) if name in group), [name]))
        return path

    def calls(self, name: str) -> list[Call]:
        """What TensorFlow made of calls of the model, in order."""
        return pickle.loads(self(name).with_suffix(".pickle").read_bytes())

    def sized_calls(self, name: str) -> list[tuple[Any, ...]]:
        """Calls of the functions with open dimensions, for many sizes: as `Call`, without the variables.

        Each begins with the values of the variables that were saved.
        """
        return pickle.loads(self(name).with_suffix(".sizes.pickle").read_bytes())

    def _make(self, names: list[str]) -> None:
        command = [sys.executable, str(MAKER), str(self.folder), *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
