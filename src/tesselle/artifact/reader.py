"""Opens `.tsl`: maps the file, finds its parts, trusts nothing.

Whatever is wrong with an artifact is an ArtifactError of one line that begins with the artifact's name. A file that
cannot be opened is the operating system's own error (FileNotFoundError, …).
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
import zipfile
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from tesselle.artifact.schema import ConstantRecord, FileRecord, Manifest, check_version
from tesselle.artifact.vm_encoding import decode
from tesselle.artifact.vm_module import VmModule
from tesselle.artifact.writer import HOST_PROGRAM, MANIFEST, MANIFEST_CHECKSUM
from tesselle.support.diagnostics import ArtifactError

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_MAX_MANIFEST_BYTES = 1 << 30


class ArtifactReader:
    """An open artifact. `manifest` is checked at once; files are checked against their checksums when first asked for.

    Data is given out as views of one memory map, which lives as long as any of them; closing is not needed.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> None:
        """Open a path or the bytes of an artifact; `name` is what errors call it."""
        if isinstance(source, bytes):
            self._open(name or "artifact", _copy_to_map(source))
        else:
            self._open(name or str(source), _map_path(Path(source), name or str(source)))

    @classmethod
    def of_own_file(cls, descriptor: int, name: str) -> ArtifactReader:
        """Open a file that the caller has just written where nobody else can, and may close afterwards.

        It is opened as any other, but its files are not compared with their checksums, which were computed from them.
        """
        reader = cls.__new__(cls)
        reader._open(name, _map(descriptor, name))
        reader._checked.update(record.name for record in reader.manifest.files)
        return reader

    def _open(self, name: str, memory: mmap.mmap) -> None:
        self.name = name
        self._map = memory
        self._view = memoryview(self._map)
        self._checked: set[str] = set()
        try:
            self._places = self._find_entries()
            self.manifest = self._read_manifest()
            self._check_files()
        except ArtifactError as error:
            raise ArtifactError(f"{self.name}: {error.diagnostics[0].message}") from None

    def _find_entries(self) -> dict[str, tuple[int, int]]:
        """Name → (offset, size) of every entry; the local headers must agree with the directory."""
        try:
            # zipfile reads directories through these methods alone.
            with zipfile.ZipFile(cast(IO[bytes], MapFile(self._view))) as archive:
                infos = archive.infolist()
        except (
            zipfile.BadZipFile,
            struct.error,
            ValueError,
            OSError,
            NotImplementedError,  # zipfile: compression methods and versions that it does not know
            EOFError,
            OverflowError,
        ) as e:
            raise ArtifactError(f"not an artifact, or a damaged one ({e})") from None
        places: dict[str, tuple[int, int]] = {}
        for info in infos:
            header = self._view[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
            if len(header) != _LOCAL_HEADER.size:
                raise ArtifactError(f"entry {info.filename!r} lies outside the file")
            magic, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
            start = info.header_offset + _LOCAL_HEADER.size
            stored_name = bytes(self._view[start : start + name_size])
            offset = start + name_size + extra_size
            size = info.file_size
            if magic != b"PK\3\4" or stored_name != info.filename.encode():
                raise ArtifactError(f"entry {info.filename!r} has a damaged header")
            if method != zipfile.ZIP_STORED or info.compress_type != zipfile.ZIP_STORED or (flags | info.flag_bits) & 1:
                raise ArtifactError(f"entry {info.filename!r} is compressed or encrypted")
            if info.compress_size != size or size < 0 or offset + size > len(self._view):
                raise ArtifactError(f"entry {info.filename!r} lies outside the file")
            if info.filename in places:
                raise ArtifactError(f"entry {info.filename!r} appears twice")
            places[info.filename] = (offset, size)
        return places

    def _raw(self, name: str) -> memoryview:
        if name not in self._places:
            raise ArtifactError(f"has no {name}")
        offset, size = self._places[name]
        return self._view[offset : offset + size]

    def _read_manifest(self) -> Manifest:
        data = self._raw(MANIFEST)
        checksum = bytes(self._raw(MANIFEST_CHECKSUM)[:200])
        if len(data) > _MAX_MANIFEST_BYTES:
            raise ArtifactError(f"{MANIFEST} is too large ({len(data)} bytes)")
        # What a later version means by its fields, and by its checksum, is not ours to judge.
        check_version(bytes(data))
        if checksum != f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n".encode():
            raise ArtifactError(f"{MANIFEST} does not match its checksum")
        return Manifest.from_json(bytes(data))

    def _check_files(self) -> None:
        """The manifest and the archive name the same files, and every constant and executable has its file."""
        listed = {f.name: f for f in self.manifest.files}
        for record in self.manifest.files:
            if record.name not in self._places:
                raise ArtifactError(f"has no {record.name}, which its manifest lists")
            if self._places[record.name][1] != record.size:
                raise ArtifactError(f"{record.name} is {self._places[record.name][1]} bytes, not {record.size}")
        for name in self._places:
            if name not in listed and name not in (MANIFEST, MANIFEST_CHECKSUM):
                raise ArtifactError(f"{name!r} is not in its manifest")
        if HOST_PROGRAM not in listed:
            raise ArtifactError(f"its manifest does not list {HOST_PROGRAM}")
        for executable in self.manifest.executables:
            if executable.file not in listed:
                raise ArtifactError(f"executable {executable.name!r} is in no listed file")
        for constant in self.manifest.constants:
            file = listed.get(constant.file)
            if file is None or constant.offset + constant.size > file.size:
                raise ArtifactError(f"constant {constant.name!r} lies outside {constant.file}")
            if constant.offset % constant.dtype.size_bytes:
                raise ArtifactError(f"constant {constant.name!r} is not aligned to its elements")

    @property
    def size_bytes(self) -> int:
        """The size of the whole file."""
        return len(self._view)

    def whole(self) -> MapFile:
        """The whole artifact, to be copied."""
        return MapFile(self._view)

    def file_names(self) -> tuple[str, ...]:
        """Every entry of the archive, in order."""
        return tuple(self._places)

    def file_record(self, name: str) -> FileRecord:
        """The manifest's record of a file; ArtifactError when there is none."""
        for record in self.manifest.files:
            if record.name == name:
                return record
        raise ArtifactError(f"{self.name}: has no {name}")

    def file(self, name: str, *, verify: bool = True) -> memoryview:
        """The bytes of a file, without a copy, compared with its SHA-256 the first time."""
        record = self.file_record(name)
        data = self._raw(name)
        if verify and name not in self._checked:
            if hashlib.sha256(data).hexdigest() != record.sha256:
                raise ArtifactError(f"{self.name}: {name} does not match its checksum")
            self._checked.add(name)
        return data

    def host_program(self) -> memoryview:
        """The bytecode."""
        return self.file(HOST_PROGRAM)

    def vm_module(self) -> VmModule:
        """The bytecode as plain data (to show it; the runtime reads the bytes itself)."""
        return decode(bytes(self.host_program()))

    def constant(self, record: ConstantRecord, *, verify: bool = True) -> np.ndarray[Any, Any]:
        """A constant as a read-only array on top of the map."""
        data = self.file(record.file, verify=verify)[record.offset : record.offset + record.size]
        array: np.ndarray[Any, Any] = np.frombuffer(data, np.uint8)
        array = array.view(record.dtype.numpy) if record.size else np.empty(0, record.dtype.numpy)
        array = array.reshape(record.shape)
        array.flags.writeable = False
        return array

    def safetensors_header(self, name: str) -> dict[str, Any]:
        """The JSON header of a safetensors file of the archive, for tools."""
        data = self.file(name)
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > len(data) - 8:
            raise ArtifactError(f"{self.name}: {name} has a damaged header")
        try:
            return json.loads(bytes(data[8 : 8 + length]))
        except ValueError as error:
            raise ArtifactError(f"{self.name}: {name}: {error}") from None


class MapFile:
    """A memory map with the methods of a file that zipfile and shutil read with."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, len(self._view))[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else self._position + size
        data = bytes(self._view[self._position : end])
        self._position += len(data)
        return data


def _map(descriptor: int, name: str) -> mmap.mmap:
    if os.fstat(descriptor).st_size == 0:
        raise ArtifactError(f"{name}: is empty")
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _map_path(path: Path, name: str) -> mmap.mmap:
    with path.open("rb") as file:
        return _map(file.fileno(), name)


def _copy_to_map(data: bytes) -> mmap.mmap:
    """Bytes at a page boundary: an object of type bytes is not aligned to 64."""
    memory = mmap.mmap(-1, max(1, len(data)))
    memory.write(data)
    return memory
