"""`python -m benchmarks.workloads.onnx_export WORKLOAD PATH`: the torch twin of a workload as an ONNX file.

A process of its own: what exporting needs is no part of the memory that a peer is charged with.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from .catalogue import WORKLOADS


def export(name: str, path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    workload = WORKLOADS[name]
    inputs = tuple(t.contiguous() for t in workload.torch_inputs(workload.inputs()))
    with torch.no_grad():
        torch.onnx.export(workload.torch_module(workload.weights()), inputs, dynamo=True, verbose=False).save(str(path))


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
