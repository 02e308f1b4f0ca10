"""The `.tsl` file: layout, reading back, and every kind of damage."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tesselle.runtime as rt
from tesselle.artifact import Artifact
from tesselle.artifact.reader import ArtifactReader
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import F32
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_artifact

CONSTANTS: list[np.ndarray[Any, Any]] = [
    np.arange(7, dtype=np.float32),
    np.array([True, False]),
    np.arange(6, dtype=np.int64).reshape(2, 3).T,
    np.zeros((0, 4), np.float16),
    np.array(3.5, np.float64),
    np.arange(5).astype(ml_dtypes.bfloat16),
    np.arange(4).astype(ml_dtypes.int4),
    np.ones(3, np.complex128),
]


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    function, record = elementwise_function("main", F32)
    return make_artifact([function], [record], images=[(ADD_IMAGE, [ADD])], constants=CONSTANTS)


@pytest.fixture(scope="module")
def data(artifact: Artifact) -> bytes:
    return artifact.reader.whole().read()


def test_is_an_ordinary_zip_with_aligned_entries(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert data.index(archive.read(info)) % 64 == 0
    assert names == [
        "host.vm",
        "executables/dispatch_0.bin",
        "constants.safetensors",
        "manifest.json",
        "manifest.sha256",
    ]


def test_constants_are_aligned_and_read_back(artifact: Artifact) -> None:
    reader = artifact.reader
    for record, expected in zip(reader.manifest.constants, CONSTANTS, strict=True):
        array = reader.constant(record)
        assert record.offset % 64 == 0
        assert array.size == 0 or array.__array_interface__["data"][0] % 64 == 0
        assert array.dtype == expected.dtype and array.shape == expected.shape
        assert array.tobytes() == expected.tobytes()
        assert not array.flags.writeable


def test_constants_open_with_the_safetensors_package(data: bytes, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extract("constants.safetensors", tmp_path)
    tensors = load_file(tmp_path / "constants.safetensors")
    np.testing.assert_array_equal(tensors["c0"], CONSTANTS[0])
    np.testing.assert_array_equal(tensors["c2"], CONSTANTS[2])
    assert tensors["c5"].tobytes() == CONSTANTS[5].tobytes()


def test_save_and_open(artifact: Artifact, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.tsl"
    artifact.save(path)
    assert path.read_bytes() == data
    assert Artifact.open(path).manifest == artifact.manifest
    assert Artifact.from_bytes(data).vm_module == artifact.vm_module
    assert list(tmp_path.iterdir()) == [path]


def test_same_content_same_bytes(data: bytes) -> None:
    function, record = elementwise_function("main", F32)
    again = make_artifact([function], [record], images=[(ADD_IMAGE, [ADD])], constants=CONSTANTS)
    assert again.reader.whole().read() == data


def test_every_cut_is_found(data: bytes) -> None:
    for size in [*range(200), *range(200, len(data), 97), len(data) - 1]:
        with pytest.raises(ArtifactError) as caught:
            rt.load(data[:size])
        assert len(str(caught.value).splitlines()) == 1


def test_every_flipped_byte_of_the_files_is_found(data: bytes) -> None:
    """Manifest, host program and executables: every byte. (Constants: the checksum is the same one.)"""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in ("manifest.json", "manifest.sha256", "host.vm", "executables/dispatch_0.bin"):
            content = archive.read(name)
            start = data.index(content)
            for at in range(start, start + len(content)):
                damaged = bytearray(data)
                damaged[at] ^= 1 << (at % 8)
                with pytest.raises(ArtifactError) as caught:
                    rt.load(bytes(damaged))
                assert len(str(caught.value).splitlines()) == 1


def test_flipped_bytes_of_the_container_never_change_a_result(data: bytes) -> None:
    """The ZIP's own fields: an error, or (for dates, padding, attributes) no difference."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inside = [range(data.index(c), data.index(c) + len(c)) for c in map(archive.read, archive.namelist())]
    outside = sorted(set(range(len(data))).difference(*inside))
    x = np.arange(3, dtype=np.float32)
    for at in outside[::3]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << (at % 8)
        try:
            program = rt.load(bytes(damaged))
        except ArtifactError as error:
            lines = str(error).splitlines()
            assert len(lines) == 1, lines
        else:
            np.testing.assert_array_equal(program["main"](x, x), x + x)


def test_a_flipped_constant_is_found(data: bytes) -> None:
    at = data.index(CONSTANTS[0].tobytes())
    damaged = data[:at] + b"\1" + data[at + 1 :]
    with pytest.raises(ArtifactError, match=r"constants.safetensors does not match its checksum"):
        rt.load(damaged)
    rt.load(damaged, verify_constants=False)


def rewritten(data: bytes, name: str, content: bytes) -> bytes:
    """The artifact with one file replaced (None: left out), nothing else."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            new.writestr(info, content if info.filename == name else old.read(info))
    return target.getvalue()


def test_surplus_and_missing_files(data: bytes) -> None:
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("surplus.bin", b"1")
    with pytest.raises(ArtifactError, match=r"'surplus\.bin' is not in its manifest"):
        ArtifactReader(target.getvalue())
    for missing in ("host.vm", "manifest.json", "manifest.sha256"):
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
            for info in old.infolist():
                if info.filename != missing:
                    new.writestr(info, old.read(info))
        with pytest.raises(ArtifactError, match=f"has no {missing}"):
            ArtifactReader(target.getvalue())


def test_future_version_with_any_checksum(data: bytes) -> None:
    changed = rewritten(data, "manifest.json", b'{"schema_version": [2, 0]}')
    with pytest.raises(ArtifactError, match=r"schema version 2\.0.*update Tesselle"):
        ArtifactReader(changed)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("executables.0.file", "executables/other.bin", "is in no listed file"),
        ("executables.0.entries", [], "has 1 entries, not 0"),
        ("executables.0.target", "vulkan", "compiled for vulkan, not for 'cpu'"),
        ("executables.0.required_cpu_features", ["avx9"], "compiled for a processor with avx9, which this one lacks"),
        ("constants.0.offset", 1 << 40, "lies outside"),
        ("constants.0.offset", 1, "is not aligned"),
        ("functions.0.vm_function", "niam", "no exported function 'niam'"),
        ("functions.0.arguments", [], "does not have the signature"),
        ("files.0.name", "other.vm", r"has no other\.vm"),
        ("files.0.size", 1, "host.vm is "),
    ],
)
def test_lying_manifest(data: bytes, path: str, value: Any, text: str) -> None:
    """A manifest with a right checksum of its own that does not describe the archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    *parents, last = [int(p) if p.isdecimal() else p for p in path.split(".")]
    at = manifest
    for p in parents:
        at = at[p]
    at[last] = value
    content = json.dumps(manifest).encode()
    changed = rewritten(data, "manifest.json", content)
    checksum = f"{hashlib.sha256(content).hexdigest()}  manifest.json\n".encode()
    with pytest.raises(ArtifactError, match=text):
        rt.load(rewritten(changed, "manifest.sha256", checksum))


def test_missing_files_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.tsl"):
        Artifact.open(tmp_path / "missing.tsl")
    with pytest.raises(IsADirectoryError):
        Artifact.open(tmp_path)
    (tmp_path / "empty.tsl").touch()
    with pytest.raises(ArtifactError, match="is empty"):
        Artifact.open(tmp_path / "empty.tsl")
