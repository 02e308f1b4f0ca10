"""Operations of TensorFlow's dialect, compiled: what TensorFlow makes of the same arguments."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_cases import Case

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

WORKER = Path(__file__).parents[2] / "support" / "tf_worker.py"
TABLES = (
    "basic",
    "contraction",
    "image",
    "indexing",
    "keras",
    "list",
    "numeric",
    "pooling",
    "raw",
    "reduction",
    "state",
)
CASES: dict[tuple[str, str], Case] = {
    (table, name): case for table in TABLES for name, case in importlib.import_module(f"tf_{table}_cases").CASES.items()
}


class TensorFlow:
    """A process that runs cases on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def run(self, table: str, name: str) -> Path:
        """The folder with what TensorFlow makes of a case: `program.mlir` and `runs.pickle`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        folder = self.folder / table / name
        self.process.stdin.write(f"tf_{table}_cases\t{name}\t{folder}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == "done\n", self.log.read_text()[-2000:]
        error = folder / "error.txt"
        assert not error.exists(), error.read_text()
        return folder

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="session")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorFlow]:
    process = TensorFlow(tmp_path_factory.mktemp("tensorflow"))
    yield process
    process.close()


def compare(found: Any, expected: np.ndarray, tolerance: float, where: str) -> None:
    """Integers and truth values exactly."""
    found = np.asarray(found)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), where
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected, err_msg=where)
    else:
        np.testing.assert_allclose(
            found.astype(np.result_type(found, np.float32)),
            expected.astype(np.result_type(expected, np.float32)),
            rtol=tolerance,
            atol=tolerance,
            err_msg=where,
        )


@pytest.mark.parametrize(("table", "name"), CASES, ids=lambda part: part)
def test_results_are_those_of_tensorflow(table: str, name: str, tensorflow: TensorFlow) -> None:
    case = CASES[table, name]
    folder = tensorflow.run(table, name)
    program = ts.load(ts.compile(folder / "program.mlir", targets=["cpu"]))
    runs = pickle.loads((folder / "runs.pickle").read_bytes())
    for sizes, (arguments, calls) in zip(case.runs, runs, strict=True):
        session = program.new_session()
        for call, expected in enumerate(calls):
            found = session["call"](*arguments)
            results = found if isinstance(found, tuple) else (found,)
            assert len(results) == len(expected) > 0
            for k, (f, e) in enumerate(zip(results, expected, strict=True)):
                compare(f, e, case.tolerance, f"sizes {sizes}, call {call}, result {k}")


def test_windows_of_other_ranks_are_refused() -> None:
    text = """
    func.func @main(%x: tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32> {
      %r = "tf.MaxPool"(%x) {ksize = [1, 2, 2], strides = [1, 2, 2, 1], padding = "VALID"}
        : (tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32>
      return %r : tensor<1x2x2x2xf32>
    }
    """
    with pytest.raises(ts.VerifyError, match="expected 4 positive sizes"):
        ts.compile(text, targets=["cpu"])
