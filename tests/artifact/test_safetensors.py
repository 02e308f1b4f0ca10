"""safetensors: what is written, the package reads, and the reverse; damaged files are refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tesselle.artifact.safetensors import read_safetensors, write_safetensors
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DTYPES, from_numpy

Array = np.ndarray[Any, Any]

TENSORS: dict[str, Array] = {
    "a": np.arange(5, dtype=np.float32),
    "b:0": np.array([[True, False]]),
    "empty": np.zeros((3, 0), np.int64),
    "scalar": np.array(3.5),
    "bf16": np.arange(3).astype(ml_dtypes.bfloat16),
    "i4": np.arange(3).astype(ml_dtypes.int4),
    "wide": np.array([1 + 1j]),
    "transposed": np.arange(6, dtype=np.int16).reshape(2, 3).T,
}
KINDS = {name: from_numpy(array.dtype) for name, array in TENSORS.items()}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_safetensors(path, TENSORS)
    found = read_safetensors(path, KINDS)
    assert set(found) == set(TENSORS)
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.aligned and not found[name].flags.writeable
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_stay_bytes_where_nobody_says_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_safetensors(path, TENSORS)
    found = read_safetensors(path, {"i4": DTYPES["f32"]})
    assert found["i4"].dtype == np.uint8 and found["i4"].shape == (3, 1)
    assert found["wide"].dtype == np.uint8 and found["wide"].shape == (1, 16)


def test_the_package_reads_it(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    path = tmp_path / "t.safetensors"
    write_safetensors(path, TENSORS)
    found = load_file(path)
    assert set(found) == set(TENSORS)
    for name in ("a", "b:0", "empty", "scalar", "bf16", "transposed"):
        np.testing.assert_array_equal(found[name], TENSORS[name])


def test_it_reads_the_package(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "t.safetensors"
    # Three bytes first: what follows begins anywhere.
    tensors = {"a": np.arange(3, dtype=np.uint8), "b": np.arange(4, dtype=np.float64), "c": np.array(2, np.float16)}
    save_file(tensors, path, metadata={"format": "np"})
    found = read_safetensors(path, {})
    assert set(found) == set(tensors)
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("name", ["__metadata__", "__padding__1"])
def test_names_that_the_format_keeps(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"'{name}' cannot be used as a name"):
        write_safetensors(tmp_path / "t", {name: np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_safetensors(path, {"a": np.ones(2)})
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_safetensors(path, {"a": np.array(["text"])})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def file_of(entry: Any, data: bytes = bytes(16)) -> bytes:
    text = json.dumps({"a": entry}).encode() if not isinstance(entry, bytes) else entry
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (4,), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not a safetensors file (0 bytes)"),
        (b"1234567", "is not a safetensors file (7 bytes)"),
        (b"\xff" * 8, "is not a safetensors file (a header of"),
        ((9).to_bytes(8, "little") + b"{}", "a header of 9 bytes"),
        (file_of(b"{"), "has a damaged header"),
        (file_of(b"[" * 100_000), "has a damaged header"),
        (file_of(b"[]"), "expected an object"),
        (file_of(b"\xff\xfe"), "has a damaged header"),
        (file_of(3), "tensor 'a' has a damaged entry"),
        (file_of({"dtype": "F32"}), "tensor 'a' has a damaged entry"),
        (file_of(entry(dtype=3)), "tensor 'a' has a damaged entry"),
        (file_of(entry(shape="4")), "tensor 'a' has a damaged entry"),
        (file_of(entry(offsets=[0])), "tensor 'a' has a damaged entry"),
        (file_of(entry(offsets=[0, 16.0])), "tensor 'a' has a damaged entry"),
        (file_of(entry(shape=[-4])), "tensor 'a' has a damaged shape"),
        (file_of(entry(shape=[4.0])), "tensor 'a' has a damaged shape"),
        (file_of(entry(shape=[True])), "tensor 'a' has a damaged shape"),
        (file_of(entry(shape=[1 << 70])), "tensor 'a' has a damaged shape"),
        (file_of(entry(shape=[1] * 1000)), "tensor 'a' has a damaged shape"),
        (file_of(entry(offsets=[0, 17])), "tensor 'a' lies outside the file"),
        (file_of(entry(offsets=[-1, 15])), "tensor 'a' lies outside the file"),
        (file_of(entry(offsets=[16, 0])), "tensor 'a' lies outside the file"),
        (file_of(entry(shape=[3])), "tensor 'a' takes 16 bytes, which is not what"),
        (file_of(entry(shape=[1 << 40, 1 << 40])), "tensor 'a' takes 16 bytes, which is not what"),
        (file_of(entry(dtype="F4")), "tensor 'a' has elements 'F4', which Tesselle does not know"),
        (file_of(entry("BOOL", [16]), bytes([2] * 16)), "tensor 'a' has booleans that are neither 0 nor 1"),
    ],
)
def test_damaged_files(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_safetensors(path, {})
    message = str(caught.value)
    assert message.startswith(f"error: {path}: ") and text in message and len(message.splitlines()) == 1


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_safetensors(path, TENSORS)
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = random.Random(0)
    refused: list[str] = []
    for _ in range(1500):
        damaged = bytearray(data)
        damaged[rng.randrange(header)] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            found = read_safetensors(path, KINDS)
        except ArtifactError as error:
            refused.append(str(error))
        else:
            assert sum(int(array.nbytes) for array in found.values()) <= len(data) * len(TENSORS)
    assert len(refused) > 300 and all(len(text.splitlines()) == 1 for text in refused)
