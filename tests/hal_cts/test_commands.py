"""Command buffers: dispatches, barriers, reuse, and what may not be recorded or executed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from flat_images import Kernel, flat_image, loop_kernel
from tesselle.runtime.hal import Access, Binding, Buffer, CommandBuffer, Device
from tesselle.support.diagnostics import ArtifactError, ExecutionError

Run = Callable[[CommandBuffer, Sequence[Buffer]], None]
Fill = Callable[[bytes], Buffer]


def ints(buffer: Buffer) -> np.ndarray[Any, Any]:
    return np.frombuffer(buffer.map(), np.int32)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000, 200_000])
def test_dispatch(device: Device, kernels: Any, fill: Fill, run: Run, n: int) -> None:
    x = np.random.default_rng(n).integers(-1000, 1000, n, np.int32)
    y = x[::-1].copy()
    a, b, c = fill(x.tobytes()), fill(y.tobytes()), fill(bytes(4 * n))
    commands = device.create_command_buffer(3)
    kernels.dispatch(commands, "add", n, (0, 1, 2))
    run(commands, [a, b, c])
    np.testing.assert_array_equal(ints(c), x + y)


def test_an_empty_command_buffer(device: Device, run: Run) -> None:
    run(device.create_command_buffer(0), [])


def test_an_empty_grid_runs_nothing(device: Device, kernels: Any, fill: Fill, run: Run) -> None:
    x = fill(bytes(400))
    bindings = [Binding(0, 0, 400, Access.READ), Binding(0, 0, 400, Access.WRITE)]
    for grid in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        commands = device.create_command_buffer(1)
        commands.dispatch(kernels.executable, 2, grid, [100], bindings)
        run(commands, [x])
    assert not ints(x).any()


def test_barriers_order(device: Device, kernels: Any, fill: Fill, run: Run) -> None:
    """200 dependent steps, between two buffers: any missing barrier shows."""
    n = 20_000
    x, y = fill(bytes(4 * n)), fill(bytes(4 * n))
    commands = device.create_command_buffer(2)
    for step in range(200):
        kernels.dispatch(commands, "increment", n, (step % 2, 1 - step % 2))
        commands.barrier()
    run(commands, [x, y])
    assert (ints(x) == 200).all()


def test_independent_commands_between_barriers(device: Device, kernels: Any, fill: Fill, run: Run) -> None:
    """Many small and large dispatches, copies and fills side by side, then one that needs them all."""
    n, count = 5000, 16
    x = fill(np.arange(n, dtype=np.int32).tobytes())
    outs = [device.allocate(4 * n) for _ in range(count)]
    total = fill(bytes(4 * n))
    commands = device.create_command_buffer(count + 2)
    for i in range(count):
        slot = i + 1
        if i % 4 == 0:
            commands.fill(slot, 0, 4 * n, i, 4)
        elif i % 4 == 1:
            commands.copy(0, 0, slot, 0, 4 * n)
        elif i % 4 == 2:
            kernels.dispatch(commands, "increment", n, (0, slot))
        else:
            kernels.dispatch(commands, "mul", n, (0, 0, slot))
    for i in range(count):
        commands.barrier()
        bindings = [
            Binding(count + 1, 0, 4 * n, Access.READ),
            Binding(i + 1, 0, 4 * n, Access.READ),
            Binding(count + 1, 0, 4 * n, Access.WRITE),
        ]
        commands.dispatch(kernels.executable, 0, ((n + 63) // 64, 1, 1), [n], bindings)
    run(commands, [x, *outs, total])
    v = np.arange(n, dtype=np.int32)
    expected = sum(range(0, count, 4)) + count // 4 * (v + (v + 1) + v * v)
    np.testing.assert_array_equal(ints(total), expected)


def test_a_command_buffer_is_executed_again_with_other_buffers(device: Device, kernels: Any, fill: Fill) -> None:
    n = 1000
    commands = device.create_command_buffer(2)
    kernels.dispatch(commands, "increment", n, (0, 1))
    commands.finalize()
    jobs = []
    for i in range(50):
        x, y = fill(np.full(n, i, np.int32).tobytes()), device.allocate(4 * n)
        done = device.create_semaphore()
        device.submit(commands, [x, y], signals=[(done, 1)])
        jobs.append((y, done))
    for i, (y, done) in enumerate(jobs):
        assert done.wait(1, 30)
        assert (ints(y) == i + 1).all()


def test_ranges_of_one_buffer(device: Device, kernels: Any, fill: Fill, run: Run) -> None:
    buffer = fill(np.arange(300, dtype=np.int32).tobytes())
    commands = device.create_command_buffer(1)
    bindings = [Binding(0, 4, 400, Access.READ), Binding(0, 400, 400, Access.READ), Binding(0, 800, 400, Access.WRITE)]
    commands.dispatch(kernels.executable, 0, (2, 1, 1), [100], bindings)
    run(commands, [buffer])
    v = np.arange(300)
    np.testing.assert_array_equal(ints(buffer)[200:], v[1:101] + v[100:200])


def test_recording_errors(device: Device, kernels: Any) -> None:
    commands = device.create_command_buffer(2)
    exe = kernels.executable
    read, write = Binding(0, 0, 4, Access.READ), Binding(1, 0, 4, Access.WRITE)
    for call, message in (
        (lambda: commands.dispatch(exe, 3, (1, 1, 1), [1], [read, write]), "entry 3 of 3"),
        (lambda: commands.dispatch(exe, -1, (1, 1, 1), [1], [read, write]), "entry -1 of 3"),
        (lambda: commands.dispatch(exe, 2, (1, 1, 1), [], [read, write]), "0 push constants of an entry that takes"),
        (lambda: commands.dispatch(exe, 2, (1, 1, 1), [1], [read]), "1 bindings"),
        (lambda: commands.dispatch(exe, 2, (-1, 1, 1), [1], [read, write]), "a grid of -1"),
        (lambda: commands.dispatch(exe, 2, (1, 1, 1), [1], [read, write._replace(slot=2)]), "slot 2 of 2"),
        (lambda: commands.copy(0, 0, 2, 0, 4), "slot 2 of 2"),
        (lambda: commands.fill(0, 0, 3, 0, 2), "a fill of 3 bytes with a pattern of 2"),
        (lambda: commands.fill(0, 0, 3, 0, 3), "a fill pattern of 3 bytes"),
    ):
        with pytest.raises(ExecutionError) as caught:
            call()
        assert message in str(caught.value)
    commands.finalize()
    for call in (commands.finalize, commands.barrier, lambda: commands.fill(0, 0, 4, 0, 4)):
        with pytest.raises(ExecutionError, match="finalized"):
            call()


def test_submission_errors(device: Device, kernels: Any, fill: Fill) -> None:
    commands = device.create_command_buffer(2)
    kernels.dispatch(commands, "increment", 4, (0, 1))
    x, y, short = fill(bytes(16)), fill(bytes(16)), fill(bytes(15))
    with pytest.raises(ExecutionError, match="must be finalized"):
        device.submit(commands, [x, y])
    commands.finalize()
    for table, message in (
        ([x], "a binding table of 1 buffers"),
        ([x, y, x], "a binding table of 3 buffers"),
        ([short, y], "slot 0: 16 bytes at offset 0 are outside"),
        ([x, short], "slot 1: 16 bytes at offset 0 are outside"),
        ([x, device.import_buffer(bytes(16))], "slot 1: a command writes a read-only buffer"),
    ):
        with pytest.raises(ExecutionError) as caught:
            device.submit(commands, table)
        assert message in str(caught.value)


IMAGE = flat_image(loop_kernel("k", "i32", "%r = add i32 %a, 1", inputs=1), Kernel("k", 2, 1))


def test_damaged_images(device: Device) -> None:
    """Each byte flipped, each cut: refused, but for what is part of the code's meaning (which the checksum covers)."""
    # Local memory up to 64 MiB, up to 4096 bindings and push constants, an offset inside the code: other valid images.
    harmless = {64, 72, 73, 74, 80, 84}
    for at in range(len(IMAGE)):
        damaged = bytearray(IMAGE)
        damaged[at] ^= 0x80
        if at in harmless:
            continue
        with pytest.raises(ArtifactError, match="image 7: "):
            device.load_executable(bytes(damaged), "image 7")
    for size in range(len(IMAGE)):
        with pytest.raises(ArtifactError):
            device.load_executable(IMAGE[:size], "image 7")
    with pytest.raises(ArtifactError, match="its size"):
        device.load_executable(IMAGE + b"\0", "image 7")
