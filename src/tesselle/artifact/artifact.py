"""An artifact as people handle it: compile makes one, load takes one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tesselle.artifact.reader import ArtifactReader
from tesselle.artifact.schema import Manifest
from tesselle.artifact.vm_module import VmModule
from tesselle.artifact.writer import write_artifact
from tesselle.support.report import CompileReport


class Artifact:
    """A compiled program: manifest, host program, executables and constants.

    artifact = ts.compile("model.mlir", targets=["cpu"])
    artifact.save("model.tsl")
    artifact = ts.Artifact.open("model.tsl")
    """

    __slots__ = ("compile_report", "reader")

    def __init__(self, reader: ArtifactReader) -> None:
        self.reader = reader
        self.compile_report: CompileReport | None = None
        """What the compiler did, when it has just made the artifact."""

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Artifact:
        """Map an artifact; ArtifactError when it cannot be trusted, OSError when it cannot be opened."""
        return cls(ArtifactReader(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> Artifact:
        """An artifact from memory; ArtifactError when it cannot be trusted."""
        return cls(ArtifactReader(data))

    @classmethod
    def create(
        cls,
        manifest: Manifest,
        vm_module: VmModule,
        executables: Sequence[bytes],
        constants: Sequence[np.ndarray[Any, Any]],
    ) -> Artifact:
        """Put one together, with the arguments of `write_artifact`. It lives in an unnamed temporary file."""
        with tempfile.TemporaryFile(prefix="tesselle-") as file:
            write_artifact(file, manifest, vm_module, executables, constants)
            file.flush()
            return cls(ArtifactReader.of_own_file(file.fileno(), manifest.module_name))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to `path`, which is replaced only when the whole is written."""
        target = Path(path)
        temporary = target.with_name(target.name + ".part")
        try:
            with temporary.open("wb") as file:
                shutil.copyfileobj(self.reader.whole(), file, 1 << 24)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    @property
    def manifest(self) -> Manifest:
        """What it holds."""
        return self.reader.manifest

    @property
    def vm_module(self) -> VmModule:
        """The host program as plain data."""
        return self.reader.vm_module()

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.reader.size_bytes

    def __repr__(self) -> str:
        functions = ", ".join(f.name for f in self.manifest.functions)
        return f"<tesselle artifact '{self.manifest.module_name}': {functions}>"
