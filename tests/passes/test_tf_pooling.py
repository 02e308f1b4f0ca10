"""Pooling of TensorFlow's dialect, compiled: what TensorFlow makes of the same images."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tf_pooling_cases import CASES

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

WORKER = Path(__file__).parents[1] / "support" / "tf_worker.py"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what TensorFlow makes of every case."""
    folder = tmp_path_factory.mktemp("pooling")
    command = [sys.executable, str(WORKER), "tf_pooling_cases", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("name", CASES)
def test_pooling_is_that_of_tensorflow(name: str, written: Path) -> None:
    folder = written / name
    error = folder / "error.txt"
    assert not error.exists(), error.read_text()
    program = ts.load(ts.compile(folder / "program.mlir", targets=["cpu"]))
    case = CASES[name]
    with np.load(folder / "calls.npz") as calls:
        for i in range(len(case.runs)):
            arguments = [calls[f"{i}/argument/{k}"] for k in range(len(case.specs))]
            found = program["call"](*arguments)
            expected = [calls[k] for k in sorted(calls.files) if k.startswith(f"{i}/result/0/")]
            for f, e in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
                np.testing.assert_allclose(f, e, rtol=case.tolerance, atol=case.tolerance, err_msg=f"run {i}")


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
