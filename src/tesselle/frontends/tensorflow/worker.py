"""The process that runs TensorFlow: a staged SavedModel becomes MLIR text of the dialect tf.

    python worker.py FOLDER      FOLDER/saved_model.pb -> FOLDER/program.mlir

This file imports nothing of Tesselle, so that it starts quickly and is run by its path. It tells what it does in lines
of JSON on standard output: {"step": …}, and at the end {"done": true}, {"error": …} or {"missing": …}.
TensorFlow may abort, or take its time; whoever started the process finds out from the outside.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from typing import Any, Protocol

PROGRAM = "program.mlir"

PIPELINE = (
    # Never in builtin.module(…): that would run nothing, and say so to nobody.
    "func.func(tf-executor-graph-pruning,tf-executor-to-functional-conversion),"
    "tf-guarantee-all-funcs-one-use,tf-shape-inference,inline,symbol-dce,canonicalize,"
    "tf-guarantee-all-funcs-one-use,tf-shape-inference,func.func(tf-device-decompose-resource-ops),canonicalize"
)
"""Passes of TensorFlow: graphs become functions of operations, calls are inlined, shapes inferred, optimizers' kernels
taken apart.
"""


def convert(folder: Path) -> None:
    """Convert the model in a folder. Errors: those of TensorFlow."""
    _tell(step="loading TensorFlow")
    bindings = _load_bindings()
    _tell(step="reading the model")
    text = bindings.convert_saved_model(folder)
    _tell(step="simplifying the functions")
    text = bindings.run_passes(text, PIPELINE)
    (folder / PROGRAM).write_text(text)


class _Bindings(Protocol):
    """TensorFlow's converter and passes."""

    def convert_saved_model(self, folder: Path) -> str: ...
    def run_passes(self, text: str, passes: str) -> str: ...


class _Internal:
    """The extension module behind `tensorflow.mlir`, without TensorFlow's Python: a fifth of the time to load."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("tensorflow")
        if spec is None:
            raise ModuleNotFoundError("No module named 'tensorflow'")
        # An empty package in place of TensorFlow's own, whose import brings in all the rest.
        package = types.ModuleType("tensorflow")
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["tensorflow"] = package
        importlib.import_module("tensorflow.python.pywrap_tensorflow")
        # Without the registry of exceptions, TensorFlow aborts instead of raising one.
        importlib.import_module("tensorflow.python.framework.errors_impl")
        module = importlib.import_module("tensorflow.python._pywrap_mlir")
        self._convert: Any = module.ExperimentalConvertSavedModelToMlir
        self._run: Any = module.ExperimentalRunPassPipeline

    def convert_saved_model(self, folder: Path) -> str:
        return self._convert(str(folder).encode(), b"", True)

    def run_passes(self, text: str, passes: str) -> str:
        return self._run(text.encode(), passes.encode(), True)


class _Public:
    """`tensorflow.mlir.experimental`."""

    def __init__(self) -> None:
        for name in [n for n in sys.modules if n.partition(".")[0] == "tensorflow"]:
            del sys.modules[name]
        # TensorFlow imports Keras 3, and whatever that finds installed, when it is imported; not so an older Keras.
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        self._module: Any = importlib.import_module("tensorflow").mlir.experimental

    def convert_saved_model(self, folder: Path) -> str:
        return self._module.convert_saved_model(str(folder), "", True)

    def run_passes(self, text: str, passes: str) -> str:
        return self._module.run_pass_pipeline(text, passes, True)


def _load_bindings() -> _Bindings:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        return _Internal()
    except (ImportError, AttributeError):
        return _Public()


_replies = sys.stdout


def _tell(**message: object) -> None:
    print(json.dumps(message), file=_replies, flush=True)


def main(arguments: list[str]) -> int:
    # TensorFlow and what it loads may print; nothing but messages may reach the pipe.
    global _replies
    _replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        convert(Path(arguments[0]))
    except ImportError as error:
        _tell(missing=str(error))
        return 1
    except Exception as error:  # whatever TensorFlow raises: its classes are not public
        _tell(error=str(error))
        return 1
    _tell(done=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
