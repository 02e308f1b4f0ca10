"""A SavedModel of TensorFlow 2 as a module: functions of the dialect tf, its variables as globals.

What the model is made of is read here: names, nesting, weights. TensorFlow, in a process of its own, makes MLIR of the
functions; it sees no weights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tesselle.artifact.safetensors import read_safetensors
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.frontends.tensorflow.checkpoint import Checkpoint
from tesselle.frontends.tensorflow.exports import Variable, check_exports, find_exports, find_variables
from tesselle.frontends.tensorflow.object_graph import variable_keys
from tesselle.frontends.tensorflow.process import OnStep, run_tensorflow
from tesselle.frontends.tensorflow.program import build_program
from tesselle.frontends.tensorflow.saved_model import read_saved_model
from tesselle.frontends.tensorflow.staging import stage
from tesselle.frontends.tensorflow.wire import Message
from tesselle.frontends.tensorflow.worker import PROGRAM
from tesselle.frontends.tensorflow.wrappers import unwrap_signatures
from tesselle.support.diagnostics import OptionError, ParseError
from tesselle.support.dtypes import from_numpy

Array = np.ndarray[Any, Any]

_FILE = "saved_model.pb"
_CHECKPOINT = Path("variables", "variables")


@dataclass(frozen=True)
class SavedModelOptions:
    """`functions`: the only ones to import, all where it is empty. `weights`: a safetensors file, whose tensors take
    the place of the variables of their names. `on_step` is told what TensorFlow is at.
    """

    functions: tuple[str, ...] = ()
    weights: Path | None = None
    on_step: OnStep | None = None


def import_saved_model(path: Path, options: SavedModelOptions | None = None) -> ModuleOp:
    """The verified module of a SavedModel. Operations that nobody declares may stand in it, and it may say of functions
    what is not supported about them: the pass `convert-tf-to-stablehlo` reports all of that at once.

    Errors: ParseError (damaged files), Unsupported (TensorFlow 1; nothing can be converted; TensorFlow is not
    installed), OptionError (no such function or variable), CompilerError (TensorFlow aborts), OSError.
    """
    options = options or SavedModelOptions()
    file = path / _FILE
    if not file.is_file():
        raise ParseError(f"{path} is a folder, but no SavedModel: there is no {_FILE}")
    model = read_saved_model(Message.of(file.read_bytes(), str(file)))
    exports = unwrap_signatures(model, find_exports(model, options.functions))
    checkpoint, keys = None, {}
    if (path / _CHECKPOINT).with_suffix(".index").is_file():
        checkpoint = Checkpoint(path / _CHECKPOINT)
        keys = variable_keys(model.objects, checkpoint)
    checked = check_exports(model, exports, keys)
    variables = find_variables(model, checked.exports, keys)
    values = {} if checkpoint is None else {v.node: checkpoint.read(v.key) for v in variables}
    if options.weights is not None:
        _replace_values(values, variables, options.weights)
    with tempfile.TemporaryDirectory(prefix="tesselle-") as name:
        folder = Path(name)
        staged = stage(model, checked, {n: a.shape for n, a in values.items()}, folder)
        run_tensorflow(folder, options.on_step)
        text = (folder / PROGRAM).read_text()
    return build_program(path.resolve().name, text, staged, checked, variables, values)


def _replace_values(values: dict[int, Array], variables: Sequence[Variable], weights: Path) -> None:
    """Take the values of variables from a safetensors file. Errors: ArtifactError, OptionError."""
    by_name: Mapping[str, Variable] = {v.name: v for v in variables}
    given = read_safetensors(weights, {v.name: from_numpy(values[v.node].dtype) for v in variables})
    for name, array in given.items():
        variable = by_name.get(name)
        if variable is None:
            listed = ", ".join(by_name) or "none"
            raise OptionError(f"{weights}: the model has no variable '{name}'; its variables are: {listed}")
        value = values[variable.node]
        if (array.shape, array.dtype) != (value.shape, value.dtype):
            found, expected = f"{array.dtype}{list(array.shape)}", f"{value.dtype}{list(value.shape)}"
            raise OptionError(f"{weights}: variable '{name}' is {expected}, the file has {found}")
        values[variable.node] = array
