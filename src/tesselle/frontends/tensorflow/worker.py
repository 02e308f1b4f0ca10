"""The process that runs TensorFlow: a staged SavedModel becomes MLIR text of the dialect tf.

    python -m tesselle.frontends.tensorflow.worker FOLDER      FOLDER/saved_model.pb -> FOLDER/program.mlir

It tells what it does in lines of JSON on standard output, {"step": …} and at the end {"error": …} or {"done": true}.
TensorFlow may abort, or take its time; whoever started the process finds out from the outside.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

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
    mlir: Any = _import_tensorflow()
    _tell(step="reading the model")
    text: str = mlir.convert_saved_model(str(folder), "", True)
    _tell(step="simplifying the functions")
    text = mlir.run_pass_pipeline(text, PIPELINE, True)
    (folder / PROGRAM).write_text(text)


def _import_tensorflow() -> Any:
    """TensorFlow's bindings to MLIR, without the rest where that can be left out."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    # TensorFlow imports Keras 3, and whatever that finds installed, when it is imported; not so an older Keras.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from tensorflow.mlir import experimental  # type: ignore[import-untyped]  # it ships no types

    return experimental


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
