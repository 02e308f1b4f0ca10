"""Checkpoints that TensorFlow wrote, and damaged ones."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_models import require_tensorflow

from tesselle.frontends.tensorflow.checkpoint import Checkpoint, slice_key
from tesselle.frontends.tensorflow.crc32c import crc32c, crc32c_of_zeros, mask, masked_crc32c
from tesselle.frontends.tensorflow.dtypes import dtype_of
from tesselle.frontends.tensorflow.table import read_table, write_table
from tesselle.frontends.tensorflow.wire import bytes_field, fixed32_field, integer_field
from tesselle.support.diagnostics import ParseError, Unsupported

MAKER = Path(__file__).resolve().parents[2] / "support" / "make_checkpoints.py"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The folder of checkpoints, and the bytes of tensors by name."""
    require_tensorflow()
    folder = tmp_path_factory.mktemp("checkpoints")
    done = subprocess.run([sys.executable, str(MAKER), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "tensors.npz") as tensors:
        return folder, {name: tensors[name].tobytes() for name in tensors.files}


@pytest.mark.parametrize(
    ("name", "only"),
    [("plain", lambda k: "/" not in k and k not in ("rows", "grid")), ("many", lambda k: "/" in k)],
)
def test_tensors(written: tuple[Path, dict[str, bytes]], name: str, only: Callable[[str], bool]) -> None:
    folder, tensors = written
    checkpoint = Checkpoint(folder / name / "c")
    found = {k: checkpoint.read(k) for k in tensors if only(k)}
    assert len(found) >= 10
    for key, array in found.items():
        assert array.tobytes() == tensors[key], key
        assert not array.flags.writeable and array.flags.aligned
        dtype = dtype_of(checkpoint.entry(key).dtype)
        assert dtype is not None and array.dtype == dtype.numpy and array.shape == checkpoint.entry(key).shape


def test_names_of_types(written: tuple[Path, dict[str, bytes]]) -> None:
    """The number of every element type means what TensorFlow calls it."""
    checkpoint = Checkpoint(written[0] / "plain" / "c")
    for name in "float16 bfloat16 int8 uint64 bool complex128 float8_e5m2 float8_e4m3fn".split():
        assert checkpoint.read(name).dtype.name == name
    assert checkpoint.read("scalar").shape == () and checkpoint.read("scalar") == np.float32(3.5)
    assert checkpoint.read("empty").shape == (0, 4)


@pytest.mark.parametrize(("offset", "mapped"), [(0, True), (8, True), (2, False)])
def test_tensors_are_mapped_where_they_are_aligned(tmp_path: Path, offset: int, mapped: bool) -> None:
    entries = {b"": header(), b"x": entry((2, 3), DATA, offset)}
    array = checkpoint_of(tmp_path, entries, bytes(offset) + DATA).read("x")
    np.testing.assert_array_equal(array, np.arange(6, dtype=np.float32).reshape(2, 3))
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, memoryview) == mapped


def test_strings(written: tuple[Path, dict[str, bytes]]) -> None:
    checkpoint = Checkpoint(written[0] / "plain" / "c")
    assert bytes(checkpoint.read_string("string").data) == b"hello \0 world"
    with pytest.raises(ParseError, match="'strings' is not one string"):
        checkpoint.read_string("strings")
    with pytest.raises(Unsupported, match="'string' has elements of type string"):
        checkpoint.read("string")


def test_slices_in_several_shards(written: tuple[Path, dict[str, bytes]]) -> None:
    folder, tensors = written
    checkpoint = Checkpoint(folder / "sliced" / "c")
    assert checkpoint.shard_count == 2
    for name in ("rows", "grid"):
        assert checkpoint.read(name).tobytes() == tensors[name]
    with pytest.raises(ParseError, match="the slices of 'part' do not make up the whole"):
        checkpoint.read("part")


def test_what_is_not_there(written: tuple[Path, dict[str, bytes]]) -> None:
    checkpoint = Checkpoint(written[0] / "plain" / "c")
    assert "float32" in checkpoint and "nothing" not in checkpoint
    with pytest.raises(ParseError, match="there is no tensor 'nothing'"):
        checkpoint.read("nothing")
    with pytest.raises(FileNotFoundError):
        Checkpoint(written[0] / "plain" / "other")


# ------------------------------------------------------------------------------------------------ checksums


def slow_crc32c(data: bytes, crc: int = 0) -> int:
    """Bit by bit, as the standard defines it."""
    register = crc ^ 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_crc32c() -> None:
    # RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("size", [0, 1, 7, 511, 512, 1023, 1024, 1025, 4000, 65535, 65536, 65537, 100_001])
def test_crc32c_of_any_size(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    expected = slow_crc32c(data)
    assert crc32c(data) == expected
    assert crc32c(data[size // 3 :], crc32c(data[: size // 3])) == expected
    assert crc32c_of_zeros(size) == slow_crc32c(bytes(size))


# ------------------------------------------------------------------------------------------------ damage


def header(shards: int = 1, **more: bytes) -> bytes:
    return integer_field(1, shards) + b"".join(more.values())


def entry(shape: tuple[int, ...], data: bytes, offset: int = 0, dtype: int = 1, crc: int | None = None) -> bytes:
    dims = b"".join(bytes_field(2, integer_field(1, d)) for d in shape)
    parts = [integer_field(1, dtype), bytes_field(2, dims), integer_field(4, offset), integer_field(5, len(data))]
    return b"".join((*parts, fixed32_field(6, masked_crc32c(data) if crc is None else crc)))


DATA = np.arange(6, dtype="<f4").tobytes()


def checkpoint_of(folder: Path, entries: dict[bytes, bytes], data: bytes = DATA) -> Checkpoint:
    (folder / "c.index").write_bytes(write_table(sorted(entries.items())))
    (folder / "c.data-00000-of-00001").write_bytes(data)
    return Checkpoint(folder / "c")


def test_one_that_was_written_here(tmp_path: Path) -> None:
    array = checkpoint_of(tmp_path, {b"": header(), b"x": entry((2, 3), DATA)}).read("x")
    np.testing.assert_array_equal(array, np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({b"x": entry((2, 3), DATA)}, "there is no header"),
        ({b"": header(0)}, "there is no header"),
        ({b"": header(), b"x": entry((2, 4), DATA)}, "takes 24 bytes, which is not what f32[2, 4] takes"),
        ({b"": header(), b"x": entry((2, 3), DATA, 1)}, "'x' lies outside c.data-00000-of-00001"),
        ({b"": header(), b"x": entry((2, 3), DATA, crc=mask(1))}, "the checksum of 'x' is wrong"),
        ({b"": header(), b"x": entry((-1, 3), DATA)}, "a tensor of 2 dimensions"),
        ({b"": header(), b"x": entry((1 << 40, 1 << 40), DATA)}, "a tensor of 2 dimensions"),
        ({b"": header(), b"x": entry((1,) * 255, DATA)}, "a tensor of 255 dimensions"),
        ({b"": header(), b"x": entry((2, 3), DATA) + integer_field(3, 7)}, "shard 7 of 1"),
        ({b"": header(), b"x": entry((24,), DATA, dtype=10)}, "booleans that are neither 0 nor 1"),
    ],
)
def test_damaged_entries(tmp_path: Path, entries: dict[bytes, bytes], message: str) -> None:
    with pytest.raises(ParseError) as error:
        checkpoint_of(tmp_path, entries).read("x")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({b"": header() + integer_field(2, 1)}, "the most significant byte first"),
        ({b"": header() + bytes_field(3, integer_field(2, 9))}, "of version 9"),
        ({b"": header(), b"x": entry((2, 3), DATA, dtype=29)}, "'x' has elements of type int4"),
        ({b"": header(), b"x": entry((2, 3), DATA, dtype=77)}, "'x' has elements of type DataType 77"),
    ],
)
def test_what_is_not_supported(tmp_path: Path, entries: dict[bytes, bytes], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        checkpoint_of(tmp_path, entries).read("x")


def sliced(shape: tuple[int, ...], *boxes: tuple[tuple[int, int | None], ...]) -> dict[bytes, bytes]:
    """A tensor with slices, all of which lie at the beginning of the data."""
    listed = b""
    entries: dict[bytes, bytes] = {b"": header()}
    for box in boxes:
        extents = b""
        for start, length in box:
            extents += bytes_field(1, integer_field(1, start) + (b"" if length is None else integer_field(2, length)))
        listed += bytes_field(7, extents)
        sizes = tuple(s if length is None else length for s, (_, length) in zip(shape, box, strict=False))
        count = int(np.prod([s for s in sizes if s > 0]))
        entries[slice_key("x", box)] = entry(tuple(abs(s) for s in sizes), DATA[: 4 * count])
    return {**entries, b"x": entry(shape, b"") + listed}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (sliced((4,), ((0, 2),)), "do not make up the whole"),
        (sliced((4,), ((0, 2),), ((0, 2),)), "do not make up the whole"),
        (sliced((4, 2), ((0, 2), (0, None)), ((1, 2), (0, None))), "do not make up the whole"),
        (sliced((4,), ((3, 2),)), "a slice of 'x' lies outside it"),
        (sliced((4,), ((0, 2), (0, 2))), "'x' has rank 1, a slice of it rank 2"),
        ({k: v for k, v in sliced((4,), ((0, 4),)).items() if k in (b"", b"x")}, "a slice of 'x' is missing"),
    ],
)
def test_damaged_slices(tmp_path: Path, entries: dict[bytes, bytes], message: str) -> None:
    with pytest.raises(ParseError, match=message):
        checkpoint_of(tmp_path, entries).read("x")


def test_slices_in_two_dimensions(tmp_path: Path) -> None:
    entries = sliced((2, 4), ((0, None), (0, 2)), ((0, 1), (2, 2)), ((1, 1), (2, 2)))
    np.testing.assert_array_equal(checkpoint_of(tmp_path, entries).read("x"), [[0, 1, 0, 1], [2, 3, 0, 1]])


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    """A table with any bytes changed, or cut off, is read in the same way, or refused with one clear error."""
    rng = random.Random(seed)
    entries = {b"": header(), **{b"tensor/%d" % i: entry((2, 3), DATA) for i in range(9)}}
    entries |= {k: v for k, v in sliced((4,), ((0, 2),), ((2, 2),)).items() if k}
    whole = write_table(sorted(entries.items()))
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        (tmp_path / "c.index").write_bytes(damaged)
        (tmp_path / "c.data-00000-of-00001").write_bytes(DATA)
        try:
            checkpoint = Checkpoint(tmp_path / "c")
            for i in range(9):
                if f"tensor/{i}" in checkpoint:
                    checkpoint.read(f"tensor/{i}")
            checkpoint.read("x")
        except (ParseError, Unsupported):
            refused += 1
    assert refused > 20


def test_tables_round_trip() -> None:
    entries = [(b"%04d" % i, b"v" * i) for i in range(300)]
    assert [(k, bytes(v.data)) for k, v in read_table(memoryview(write_table(entries)), "t")] == entries
    with pytest.raises(ParseError, match="is not behind"):
        list(read_table(memoryview(write_table(entries[::-1])), "t"))
