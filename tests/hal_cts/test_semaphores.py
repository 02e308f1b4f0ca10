"""Timeline semaphores: order between submissions and host, failures, timeouts, many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tesselle.runtime.hal import Buffer, Device
from tesselle.support.diagnostics import ExecutionError

Fill = Callable[[bytes], Buffer]


def test_host_signals_and_waits(device: Device) -> None:
    s = device.create_semaphore(3)
    assert s.value == 3 and s.wait(3, 0) and s.wait(1)
    assert not s.wait(4, 0.01)
    s.signal(7)
    assert s.value == 7 and s.wait(5, 0) and s.wait(7)
    for value in (7, 6, 0):
        with pytest.raises(ExecutionError, match="does not raise"):
            s.signal(value)


def test_failure_is_final(device: Device) -> None:
    s = device.create_semaphore()
    s.signal(2)
    s.fail("broken for a test")
    s.fail("a second time")
    s.signal(9)
    with pytest.raises(ExecutionError, match="broken for a test"):
        assert s.value
    with pytest.raises(ExecutionError, match="broken for a test"):
        s.wait(3)


def test_a_waiting_thread_is_woken(device: Device) -> None:
    s = device.create_semaphore()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda v=v: woken.append(s.wait(v, 30))) for v in (1, 2, 2, 3)]
    for t in threads:
        t.start()
    for value in (1, 2, 3):
        time.sleep(0.01)
        s.signal(value)
    for t in threads:
        t.join()
    assert woken == [True] * 4


def submit_increment(device: Device, kernels: Any, source: Buffer, target: Buffer, waits: Any, signals: Any) -> None:
    n = source.length // 4
    commands = device.create_command_buffer(2)
    kernels.dispatch(commands, "increment", n, (0, 1))
    commands.finalize()
    device.submit(commands, [source, target], waits=waits, signals=signals)


def test_work_waits_for_the_host(device: Device, kernels: Any, fill: Fill) -> None:
    x, y = fill(bytes(4000)), fill(bytes(4000))
    go, done = device.create_semaphore(), device.create_semaphore()
    submit_increment(device, kernels, x, y, [(go, 5)], [(done, 1)])
    assert not done.wait(1, 0.02)
    go.signal(4)
    assert not done.wait(1, 0.02)
    x.map()[:] = np.full(1000, 41, np.int32).tobytes()
    go.signal(5)
    assert done.wait(1, 30)
    assert (np.frombuffer(y.map(), np.int32) == 42).all()


def test_a_chain_over_one_timeline(device: Device, kernels: Any, fill: Fill) -> None:
    buffers = [fill(bytes(400)), fill(bytes(400))]
    timeline = device.create_semaphore()
    for i in range(100):
        submit_increment(
            device, kernels, buffers[i % 2], buffers[1 - i % 2], [(timeline, i)] if i else [], [(timeline, i + 1)]
        )
    assert timeline.wait(100, 30)
    assert (np.frombuffer(buffers[0].map(), np.int32) == 100).all()


def test_a_chain_submitted_backwards(device: Device, kernels: Any, fill: Fill) -> None:
    """The last link is submitted first; each waits for the one that is submitted after it."""
    buffers = [fill(bytes(400)) for _ in range(21)]
    points = [device.create_semaphore() for _ in range(21)]
    for i in reversed(range(20)):
        submit_increment(device, kernels, buffers[i], buffers[i + 1], [(points[i], 1)], [(points[i + 1], 1)])
    points[0].signal(1)
    assert points[20].wait(1, 30)
    assert (np.frombuffer(buffers[20].map(), np.int32) == 20).all()


def test_join_and_fork(device: Device, kernels: Any, fill: Fill) -> None:
    buffers = [fill(bytes(400)) for _ in range(6)]
    a, b, c = (device.create_semaphore() for _ in range(3))
    submit_increment(device, kernels, buffers[2], buffers[3], [(a, 1), (b, 1)], [(c, 1)])
    submit_increment(device, kernels, buffers[0], buffers[2], [], [(a, 1)])
    assert not c.wait(1, 0.02)
    submit_increment(device, kernels, buffers[1], buffers[4], [], [(b, 1)])
    assert c.wait(1, 30)
    assert (np.frombuffer(buffers[3].map(), np.int32) == 2).all()


def test_failures_travel_along_the_chain(device: Device, kernels: Any, fill: Fill) -> None:
    buffers = [fill(bytes(400)) for _ in range(4)]
    points = [device.create_semaphore() for _ in range(4)]
    for i in range(3):
        submit_increment(device, kernels, buffers[i], buffers[i + 1], [(points[i], 1)], [(points[i + 1], 1)])
    points[0].fail("the first one broke")
    with pytest.raises(ExecutionError, match="the first one broke"):
        points[3].wait(1, 30)
    assert not np.frombuffer(buffers[3].map(), np.int32).any()


def test_submissions_from_many_threads(device: Device, kernels: Any, fill: Fill) -> None:
    failures: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(40):
            n = int(rng.integers(1, 40_000))
            value = int(rng.integers(0, 1 << 20))
            x, y = fill(np.full(n, value, np.int32).tobytes()), fill(bytes(4 * n))
            done = device.create_semaphore()
            submit_increment(device, kernels, x, y, [], [(done, 1)])
            if not done.wait(1, 60) or not (np.frombuffer(y.map(), np.int32) == value + 1).all():
                failures.append(f"thread {seed}, {n} elements")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_unused_work_is_let_go(device: Device, kernels: Any, fill: Fill) -> None:
    """Submissions whose results nobody waits for run, and keep nothing alive afterwards."""
    x, y = fill(bytes(400)), fill(bytes(400))
    last = device.create_semaphore()
    for _ in range(100):
        submit_increment(device, kernels, x, y, [], [])
    submit_increment(device, kernels, y, x, [], [(last, 1)])
    assert last.wait(1, 30)
