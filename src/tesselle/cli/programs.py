"""What the commands that take `model.tsl | model.mlir | saved_model` share: opening the program, whichever it is."""

from __future__ import annotations

from pathlib import Path

import tesselle as ts
from tesselle.support.options import CompileOptions


def is_artifact(path: Path) -> bool:
    """Whether `path` holds an artifact rather than a program to compile (artifacts are ZIP archives)."""
    if path.is_dir():
        return False
    with path.open("rb") as f:
        return path.suffix == ".tsl" or f.read(4) == b"PK\x03\x04"


def open_artifact(path: Path, options: CompileOptions, target: str = "cpu") -> ts.Artifact:
    """Open an artifact; compile anything else. Errors: those of `tesselle.compile` and `tesselle.Artifact.open`."""
    return ts.Artifact.open(path) if is_artifact(path) else ts.compile(path, targets=[target], options=options)


def open_program(path: Path, device: str, options: CompileOptions) -> ts.Program:
    """Load an artifact; compile and load anything else. Errors: those of `tesselle.compile` and `tesselle.load`."""
    if is_artifact(path):
        return ts.load(path, device=device)
    return ts.load(ts.compile(path, targets=[device.partition(":")[0]], options=options), device=device)
