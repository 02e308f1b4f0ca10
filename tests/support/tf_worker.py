"""A process of its own, `python tf_worker.py [onednn]`, writes what TensorFlow makes of cases.

It reads lines `MODULE<tab>NAME<tab>FOLDER`. Into the folder of the case come `program.mlir`, the function in
TensorFlow's dialect with inferred shapes, and `runs.pickle`: for every run its arguments, and the results of every
call; or `error.txt`.
Then it writes a line `done`.
"""

from __future__ import annotations

import importlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np

PREPARE = (
    "func.func(tf-executor-graph-pruning,tf-executor-to-functional-conversion),"
    "tf-guarantee-all-funcs-one-use,tf-shape-inference,inline,symbol-dce,canonicalize,"
    "tf-guarantee-all-funcs-one-use,tf-shape-inference,canonicalize"
)


def prepared(module: Any, name: str) -> str:
    """The text of the function `name` of a module that is saved and read again."""
    import tensorflow as tf
    from tensorflow.mlir.experimental import convert_saved_model, run_pass_pipeline

    with tempfile.TemporaryDirectory() as folder:
        # A signature of `name` would call it through another function, where the importer knows less of shapes.
        nothing = tf.function(lambda: {"nothing": tf.constant(0)}, input_signature=[])
        tf.saved_model.save(module, folder, signatures={"nothing": nothing})
        text = convert_saved_model(folder, name, False)
    text = re.sub(r'exported_names = \["([^"]+)"[^\]]*\]', r'exported_names = ["\1"]', text)
    found = re.search(rf'func\.func @("[^"]+"|\S+?)\(.*exported_names = \["{name}"\]', text)
    assert found is not None, text
    text = re.sub(rf"@{re.escape(found[1])}(?![\w$.-])", f"@{name}", text)
    return run_pass_pipeline(text, PREPARE, False)


def arrays(value: Any) -> list[Any]:
    """The tensors of a result, in the order of its signature."""
    import tensorflow as tf

    return [np.asarray(x) for x in tf.nest.flatten(value)]


def run(case: Any, cases: Any, folder: Path) -> None:
    import tensorflow as tf

    specs = [
        tf.TensorSpec([None if isinstance(d, str) else d for d in s.shape], getattr(tf, s.dtype)) for s in case.specs
    ]
    module = tf.Module() if case.state is None else case.state()
    body = case.function if case.state is None else lambda *args: case.function(module, *args)
    module.call = tf.function(body, input_signature=specs, autograph=False)
    (folder / "program.mlir").write_text(prepared(module, "call"))
    runs: list[tuple[list[Any], list[list[Any]]]] = []
    rng = np.random.default_rng(7)
    initial = [(v, v.read_value()) for v in module.variables]
    for sizes in case.runs:
        args = [(s.values or cases.sample)(rng, s.at(sizes), s.dtype) for s in case.specs]
        for variable, value in initial:
            variable.assign(value)
        runs.append((args, [arrays(module.call(*(tf.constant(a) for a in args))) for _ in range(case.calls)]))
    (folder / "runs.pickle").write_bytes(pickle.dumps(runs))


def main() -> None:
    # TensorFlow may write to what was the standard output; the answers go where it does not.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # With oneDNN a convolution of an empty array has the shape of its argument, and a product of broadcast
    # batches reads behind the end of its operand. The cases that need it are run by another worker.
    onednn = sys.argv[1:] == ["onednn"]
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if onednn else "0"
    import tensorflow as tf
    import tf_cases

    tf_cases.tf = tf
    for line in sys.stdin:
        module_name, name, target = line.rstrip("\n").split("\t")
        module = importlib.import_module(module_name)
        module.tf = tf
        folder = Path(target)
        folder.mkdir(parents=True, exist_ok=True)
        child = os.fork()  # TensorFlow may abort
        if child == 0:
            try:
                if module.CASES[name].onednn and not onednn:
                    worker = [sys.executable, __file__, "onednn"]
                    subprocess.run(worker, input=line, text=True, stdout=subprocess.DEVNULL, check=True)
                else:
                    run(module.CASES[name], tf_cases, folder)
            except BaseException:
                (folder / "error.txt").write_text(traceback.format_exc())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            (folder / "error.txt").write_text(f"TensorFlow ended with status {status}")
        answers.write("done\n")
        answers.flush()


if __name__ == "__main__":
    main()
