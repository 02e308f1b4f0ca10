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
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from tesselle.artifact.schema import ConstantRecord, FileRecord, Manifest
from tesselle.artifact.vm_encoding import encode
from tesselle.artifact.vm_module import VmModule
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DType, from_numpy

ALIGNMENT = 64
MANIFEST = "manifest.json"
MANIFEST_CHECKSUM = "manifest.sha256"
HOST_PROGRAM = "host.vm"
CONSTANTS = "constants.safetensors"
PADDING_KEY = "__padding__"
"""Prefix of tensors in constants.safetensors that only fill gaps: the format allows no holes."""

_CHUNK = 1 << 24
_SAFETENSORS_NAMES = {
    "i1": "BOOL",
    "i8": "I8",
    "i16": "I16",
    "i32": "I32",
    "i64": "I64",
    "ui8": "U8",
    "ui16": "U16",
    "ui32": "U32",
    "ui64": "U64",
    "f8E4M3FN": "F8_E4M3",
    "f8E5M2": "F8_E5M2",
    "bf16": "BF16",
    "f16": "F16",
    "f32": "F32",
    "f64": "F64",
    "complex<f32>": "C64",
}

Array = np.ndarray[Any, Any]


def constant_records(constants: Sequence[tuple[str, Array]]) -> tuple[ConstantRecord, ...]:
    """Records of named arrays as `write_artifact` lays them out; in this order they are constants 0, 1, … of the VM."""
    _, placed = _safetensors_header(constants)
    return placed


def _safetensors_header(constants: Sequence[tuple[str, Array]]) -> tuple[bytes, tuple[ConstantRecord, ...]]:
    """The header of the safetensors file, and where each constant lies in the file."""
    entries: dict[str, Any] = {}
    places: list[tuple[str, DType, tuple[int, ...], int, int]] = []
    position = 0
    for name, array in constants:
        if name in entries or name.startswith(PADDING_KEY):
            raise ArtifactError(f"constants: '{name}' cannot be used as a name (again)")
        padding = -position % ALIGNMENT
        if padding:
            key = f"{PADDING_KEY}{len(entries)}"
            entries[key] = {"dtype": "U8", "shape": [padding], "data_offsets": [position, position + padding]}
            position += padding
        dtype = from_numpy(array.dtype)
        # What safetensors has no name for is stored as bytes, one axis more; the manifest knows better.
        spelling = _SAFETENSORS_NAMES.get(dtype.name)
        shape = list(array.shape) if spelling else [*array.shape, dtype.size_bytes]
        data_offsets = [position, position + array.nbytes]
        entries[name] = {"dtype": spelling or "U8", "shape": shape, "data_offsets": data_offsets}
        places.append((name, dtype, tuple(array.shape), position, array.nbytes))
        position += array.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    # Eight bytes of length, then the text, filled up with spaces so that the data is aligned.
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    header = len(text).to_bytes(8, "little") + text
    records = tuple(
        ConstantRecord(name, dtype, shape, CONSTANTS, name, len(header) + offset, size)
        for name, dtype, shape, offset, size in places
    )
    return header, records


def _array_bytes(array: Array) -> Iterator[memoryview | bytes]:
    """The elements of an array, row-major, in pieces: a memory map is never read as a whole."""
    if array.nbytes == 0:
        return
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    flat = array.reshape(-1).view(np.uint8)
    for begin in range(0, flat.size, _CHUNK):
        yield flat[begin : begin + _CHUNK].data


def _constant_chunks(header: bytes, constants: Sequence[tuple[str, Array]]) -> Iterator[memoryview | bytes]:
    yield header
    position = 0
    for _, array in constants:
        padding = -position % ALIGNMENT
        yield bytes(padding)
        yield from _array_bytes(array)
        position += padding + array.nbytes


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
    header, records = _safetensors_header(constants)
    archive = _Archive(file)
    files = [archive.add(HOST_PROGRAM, [encode(vm_module)])]
    for record, data in zip(manifest.executables, executables, strict=True):
        files.append(archive.add(record.file, [data]))
    if constants:
        files.append(archive.add(CONSTANTS, _constant_chunks(header, constants)))
    manifest = dataclasses.replace(manifest, constants=records, files=tuple(files))
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
