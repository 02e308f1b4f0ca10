"""Buffers: allocation, mapping, import, parts, fill and copy."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tesselle.runtime.hal import DRIVERS, Buffer, CommandBuffer, Device
from tesselle.support.diagnostics import ExecutionError

Run = Callable[[CommandBuffer, Sequence[Buffer]], None]


def test_every_driver_is_covered(device: Device) -> None:
    assert device.info.driver in DRIVERS


@pytest.mark.parametrize(
    "size", [0, 1, 63, 64, 65, 127, 128, 129, 200, 256, 257, 4096, 100_000, (2 << 20) - 1, 2 << 20, 5 << 20]
)
def test_allocate(device: Device, size: int) -> None:
    buffers = [device.allocate(size) for _ in range(3)]
    for i, buffer in enumerate(buffers):
        assert buffer.length == size == len(buffer.map())
        np.frombuffer(buffer.map(), np.uint8)[:] = i
    for i, buffer in enumerate(buffers):
        assert (np.frombuffer(buffer.map(), np.uint8) == i).all()


def test_allocations_are_aligned(device: Device) -> None:
    for size in (1, 100, 1000, 10_000, 10 << 20):
        memory = np.frombuffer(device.allocate(size).map(), np.uint8)
        assert memory.__array_interface__["data"][0] % 64 == 0


def test_impossible_allocations(device: Device) -> None:
    for size in (-1, 1 << 60):
        with pytest.raises(ExecutionError, match="cannot allocate"):
            device.allocate(size)


def test_import_shares_memory(device: Device) -> None:
    array = np.arange(10, dtype=np.int32)
    buffer = device.import_buffer(array.data, writable=True)
    buffer.map()[:4] = struct.pack("<i", 77)
    assert array[0] == 77
    readonly = device.import_buffer(b"abcd")
    assert bytes(readonly.map()) == b"abcd"
    with pytest.raises(TypeError):
        readonly.map()[0] = 1


def test_subspan(device: Device, fill: Callable[[bytes], Buffer]) -> None:
    whole = fill(bytes(range(100)))
    part = whole.subspan(10, 20).subspan(5, 5)
    del whole
    assert bytes(part.map()) == bytes(range(15, 20))
    for offset, length in ((0, 6), (6, 0), (-1, 1), (1, -1), (1 << 62, 1 << 62)):
        with pytest.raises(ExecutionError, match="outside its buffer"):
            part.subspan(offset, length)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [0, 1, 3, 1000, 150_000])
def test_fill(device: Device, run: Run, size: int, count: int) -> None:
    pattern = 0x1122334455667788
    buffer = device.allocate(size * count + 16)
    buffer.map()[:] = bytes(size * count + 16)
    commands = device.create_command_buffer(1)
    commands.fill(0, 8, size * count, pattern, size)
    run(commands, [buffer])
    expected = bytes(8) + struct.pack("<Q", pattern)[:size] * count + bytes(8)
    assert bytes(buffer.map()) == expected


@pytest.mark.parametrize("pattern", [0, -1, 0x7F7F7F7F])
def test_fill_with_equal_bytes(device: Device, run: Run, pattern: int) -> None:
    buffer = device.allocate(400)
    commands = device.create_command_buffer(1)
    commands.fill(0, 0, 400, pattern, 4)
    run(commands, [buffer])
    assert bytes(buffer.map()) == struct.pack("<q", pattern)[:4] * 100


@pytest.mark.parametrize("length", [0, 1, 1000, 300_000, 3_000_001])
def test_copy(device: Device, fill: Callable[[bytes], Buffer], run: Run, length: int) -> None:
    data = np.random.default_rng(0).integers(0, 256, length + 10, np.uint8).tobytes()
    source, target = fill(data), fill(bytes(length + 20))
    commands = device.create_command_buffer(2)
    commands.copy(0, 3, 1, 7, length)
    run(commands, [source, target])
    assert bytes(target.map()) == bytes(7) + data[3 : 3 + length] + bytes(13)


def test_copy_inside_one_buffer(fill: Callable[[bytes], Buffer], device: Device, run: Run) -> None:
    buffer = fill(b"abcdefgh")
    commands = device.create_command_buffer(1)
    commands.copy(0, 0, 0, 4, 4)
    run(commands, [buffer])
    assert bytes(buffer.map()) == b"abcdabcd"
    overlapping = device.create_command_buffer(1)
    overlapping.copy(0, 0, 0, 3, 4)
    overlapping.finalize()
    with pytest.raises(ExecutionError, match="overlap"):
        device.submit(overlapping, [buffer])


def test_memory_is_reused(device: Device) -> None:
    seen: set[int] = set()
    for _ in range(100):
        memory: Any = np.frombuffer(device.allocate(10_000).map(), np.uint8)
        seen.add(memory.__array_interface__["data"][0])
        del memory
    assert len(seen) < 10
