"""Every phase gives text, and compilation goes on from it to the same results."""

from __future__ import annotations

from pathlib import Path

import pytest

from tesselle.cli.app import run_command_line
from tesselle.compiler.pipeline import phase_names

MLP = Path(__file__).parents[2] / "examples" / "mlp.mlir"
CALL = ["--input", "1x4xf32=1,2,3,4", "--expected", "1x3xf32=0.148541108,0.75908339,0.0923755"]


@pytest.mark.parametrize("phase", phase_names())
def test_compilation_is_cut_and_goes_on(phase: str, tmp_path: Path) -> None:
    text, artifact = tmp_path / "cut.mlir", tmp_path / "whole.tsl"
    assert run_command_line(["compile", str(MLP), "--compile-to", phase, "-o", str(text)]) == 0
    assert text.read_text().startswith("module @mlp")
    assert run_command_line(["compile", str(text), "--compile-from", phase, "-o", str(artifact), "--quiet"]) == 0
    assert run_command_line(["run", str(artifact), *CALL]) == 0
