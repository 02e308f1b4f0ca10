"""Writes `.tsl`: an ordinary ZIP, stored, every entry's data at a multiple of 64 bytes.

    manifest.json            see `schema`
    manifest.sha256          its checksum, as `sha256sum -c` wants it
    host.vm                  see `vm_encoding`
    executables/NAME.bin     flat images (and what other targets have)
    constants.safetensors    constants, each at a multiple of 64 bytes of the file

The bytes depend on the content alone: no times, no names of the machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from tesselle.artifact.safetensors import ALIGNMENT, Place, file_chunks, lay_out
from tesselle.artifact.schema import ConstantRecord, FileRecord, Manifest
from tesselle.artifact.vm_encoding import encode
from tesselle.artifact.vm_module import VmModule
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import from_numpy

MANIFEST = "manifest.json"
MANIFEST_CHECKSUM = "manifest.sha256"
HOST_PROGRAM = "host.vm"
CONSTANTS = "constants.safetensors"
Array = np.ndarray[Any, Any]


def constant_records(constants: Sequence[tuple[str, Array]]) -> tuple[ConstantRecord, ...]:
    """Records of named arrays as `write_artifact` lays them out; in this order they are constants 0, 1, … of the VM."""
    _, places = lay_out(constants, "constants")
    return _records(places)


def _records(places: Sequence[Place]) -> tuple[ConstantRecord, ...]:
    return tuple(ConstantRecord(p.name, p.dtype, p.shape, CONSTANTS, p.name, p.offset, p.size) for p in places)


class _Archive:
    """A ZIP that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, name: str, chunks: Iterable[memoryview | bytes]) -> FileRecord:
        info = zipfile.ZipInfo(name)  # the date is 1980-01-01
        info.external_attr = 0o644 << 16
        # A local header takes 30 bytes and the name; force_zip64 adds a field of 20 bytes. Ours needs 4 for
        # itself; 0x5453 ("ST") is in the range that nobody has registered.
        start = self._file.tell() + 30 + len(name.encode()) + 20 + 4
        padding = -start % ALIGNMENT
        info.extra = b"ST" + padding.to_bytes(2, "little") + bytes(padding)
        digest = hashlib.sha256()
        size = 0
        with self._zip.open(info, "w", force_zip64=True) as target:
            for chunk in chunks:
                digest.update(chunk)
                size += target.write(chunk)
        return FileRecord(name, size, digest.hexdigest())

    def close(self) -> None:
        self._zip.close()


def write_artifact(
    target: str | os.PathLike[str] | IO[bytes],
    manifest: Manifest,
    vm_module: VmModule,
    executables: Sequence[bytes],
    constants: Sequence[Array | np.memmap[Any, Any]],
) -> Manifest:
    """Write an artifact and return its manifest as written.

    `executables[i]` is the file of `manifest.executables[i]`; `constants[i]` holds the elements of
    `manifest.constants[i]` (whose file, offset and size the writer decides: pass anything). A file on disk is replaced
    only when the new one is complete.
    """
    if len(executables) != len(manifest.executables) or len(constants) != len(manifest.constants):
        raise ArtifactError("write_artifact: the manifest lists other executables or constants than are given")
    named = [(r.name, c) for r, c in zip(manifest.constants, constants, strict=True)]
    for record, (_, array) in zip(manifest.constants, named, strict=True):
        if from_numpy(array.dtype) is not record.dtype or array.shape != record.shape:
            raise ArtifactError(
                f"constant '{record.name}': the manifest says {record.dtype} {record.shape}, "
                f"the array is {from_numpy(array.dtype)} {array.shape}"
            )
    if isinstance(target, (str, os.PathLike)):
        path = Path(target)
        temporary = path.with_name(path.name + ".part")
        try:
            with temporary.open("wb") as file:
                written = _write(file, manifest, vm_module, executables, named)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return written
    return _write(target, manifest, vm_module, executables, named)


def _write(
    file: IO[bytes],
    manifest: Manifest,
    vm_module: VmModule,
    executables: Sequence[bytes],
    constants: Sequence[tuple[str, Array]],
) -> Manifest:
    header, places = lay_out(constants, "constants")
    archive = _Archive(file)
    files = [archive.add(HOST_PROGRAM, [encode(vm_module)])]
    for record, data in zip(manifest.executables, executables, strict=True):
        files.append(archive.add(record.file, [data]))
    if constants:
        files.append(archive.add(CONSTANTS, file_chunks(header, constants)))
    manifest = dataclasses.replace(manifest, constants=_records(places), files=tuple(files))
    text = manifest.to_json().encode()
    Manifest.from_json(text)  # what is written can be read, or the writer says why not
    archive.add(MANIFEST, [text])
    archive.add(MANIFEST_CHECKSUM, [f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()])
    archive.close()
    return manifest


def artifact_bytes(
    manifest: Manifest, vm_module: VmModule, executables: Sequence[bytes], constants: Sequence[Array]
) -> bytes:
    """`write_artifact` into memory."""
    buffer = io.BytesIO()
    write_artifact(buffer, manifest, vm_module, executables, constants)
    return buffer.getvalue()
