"""The process of one peer at one number of threads: it loads workloads, checks results, and times calls when asked.

Only the standard library is imported at the top: the process keeps to its cores, and has its environment, before any
other library looks at them.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dispatches import Dispatch
    from .peers import Peer

CPU_TIME_FROM_S = 50e-6
"""Calls that take less are timed on the clock: reading the processor time costs too much of them."""

MIN_CALLS, MAX_CALLS = 3, 400


@dataclass(frozen=True)
class WorkerSpec:
    """Which peer, on which cores; `folder` holds logs, exported models and expected results."""

    peer: str
    cores: tuple[int, ...]
    folder: Path

    @property
    def threads(self) -> int:
        return len(self.cores)


@dataclass(frozen=True)
class Load:
    """Load a workload and compare its results with those at `expected`, or write them there (`save`)."""

    workload: str
    expected: Path
    save: bool = False


@dataclass(frozen=True)
class Loaded:
    """`peak_bytes`: how much the process grew while it loaded and ran once; None where the system does not say."""

    seconds: float
    error: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Time:
    """Time calls of what is loaded for about so long."""

    seconds: float


@dataclass(frozen=True)
class Timed:
    """Seconds of every call, on the clock and of the processor (of all threads; empty for very short calls)."""

    wall: tuple[float, ...]
    processor: tuple[float, ...]


@dataclass(frozen=True)
class Profile:
    """Say which dispatches what is loaded consists of, and what each of them takes."""


@dataclass(frozen=True)
class Profiled:
    """The costliest first; none of a peer that does not say."""

    dispatches: tuple[Dispatch, ...]


@dataclass(frozen=True)
class Unload:
    """Forget what is loaded."""


@dataclass(frozen=True)
class Unloaded:
    """It is forgotten."""


@dataclass(frozen=True)
class Failed:
    """Why the request came to nothing."""

    reason: str


Request = Load | Time | Profile | Unload
Answer = Loaded | Timed | Profiled | Unloaded | Failed


class Worker:
    """The process, seen from outside. It starts with the first request, and anew after it died."""

    def __init__(self, spec: WorkerSpec, timeout_s: float) -> None:
        self.spec = spec
        self.timeout_s = timeout_s
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def ask(self, request: Request) -> Answer:
        """What the process answers; `Failed` where it dies over it, or takes longer than `timeout_s`."""
        connection = self._start() if self._connection is None else self._connection
        try:
            connection.send(request)
            if not connection.poll(self.timeout_s):
                self._end()
                return Failed(f"no answer within {self.timeout_s:g} s")
            return connection.recv()
        except (EOFError, OSError):
            return Failed(f"the process died ({self._end()})")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.join(10)
        self._end()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._connection, inner = context.Pipe()
        self._process = process = context.Process(target=serve, args=(inner, self.spec))
        process.start()
        inner.close()
        return self._connection

    def _end(self) -> str:
        """Stop the process; how it ended."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return "not running"
        process.join(1)
        if process.is_alive():
            process.kill()
            process.join()
        code = process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve(connection: Connection, spec: WorkerSpec) -> None:
    """Answer requests until the other end closes."""
    os.sched_setaffinity(0, spec.cores)
    threads = str(spec.threads)
    os.environ.update(
        OMP_NUM_THREADS=threads,
        MKL_NUM_THREADS=threads,
        OPENBLAS_NUM_THREADS=threads,
        JAX_PLATFORMS="cpu",
        TORCHINDUCTOR_CACHE_DIR=str(spec.folder / f"inductor-{threads}"),
    )
    log = (spec.folder / f"{spec.peer.replace(':', '.')}-{threads}.log").open("a")
    for stream in (sys.stdout, sys.stderr):  # libraries talk; the terminal is the table's
        stream.flush()
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)

    peer: Peer | None = None
    warm = False
    while True:
        try:
            request: Request = connection.recv()
        except EOFError:
            return
        try:
            match request:
                case Load():
                    if not warm:
                        warm = True
                        _warm_up(spec)
                    peer, answer = _load(spec, request)
                case Time():
                    assert peer is not None, "nothing is loaded"
                    answer = time_calls(peer.call, request.seconds)
                case Profile():
                    assert peer is not None, "nothing is loaded"
                    answer = Profiled(peer.dispatches())
                case Unload():
                    peer, answer = None, Unloaded()
                    gc.collect()
        except Exception as error:
            traceback.print_exc()
            text = str(error).strip().splitlines()
            answer = Failed(f"{type(error).__name__}: {text[0] if text else ''}"[:300])
        connection.send(answer)


def _warm_up(spec: WorkerSpec) -> None:
    """Load a program of nothing: what a library imports and starts is no part of any workload's loading."""
    from .catalogue import WORKLOADS
    from .peers import find_peer

    peer = find_peer(spec.peer)(spec.threads, spec.folder)
    with suppress(Exception):  # the workload itself will say so
        peer.prepare(WORKLOADS["tiny_add8"])
        peer.load()
        peer.call()


def _load(spec: WorkerSpec, request: Load) -> tuple[Peer, Loaded]:
    import numpy as np

    from .catalogue import WORKLOADS
    from .peers import error_of, find_peer

    peer = find_peer(spec.peer)(spec.threads, spec.folder)
    peer.prepare(WORKLOADS[request.workload])
    gc.collect()
    before = _start_watching_memory()
    started = time.perf_counter()
    peer.load()
    seconds = time.perf_counter() - started
    results = peer.results()
    peak = None if before is None else _memory_bytes("VmHWM") - before
    if request.save:
        np.savez(request.expected, *results)
    with np.load(request.expected) as file:
        expected = [file[f"arr_{i}"] for i in range(len(file.files))]
    return peer, Loaded(seconds, error_of(results, expected), peak)


def _start_watching_memory() -> int | None:
    """The resident bytes now, from where on the system notes the peak anew; None where it does not let us."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would be taken again, unseen
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory_bytes("VmRSS")


def _memory_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) * 1024


def time_calls(call: Callable[[], object], seconds: float) -> Timed:
    """As many calls as fit, MIN_CALLS at least and MAX_CALLS at most, after some that are not counted."""
    clock, processor_clock = time.perf_counter, time.process_time
    warm_up: list[float] = []
    for _ in range(3):
        started = clock()
        call()
        warm_up.append(clock() - started)
        if sum(warm_up) > seconds / 2:
            break
    estimate = max(min(warm_up), 1e-7)
    wall: list[float] = []
    processor: list[float] = []
    for _ in range(int(min(max(seconds / estimate, MIN_CALLS), MAX_CALLS))):
        if estimate < CPU_TIME_FROM_S:
            started = clock()
            call()
            wall.append(clock() - started)
        else:
            processor_started, started = processor_clock(), clock()
            call()
            wall.append(clock() - started)
            processor.append(processor_clock() - processor_started)
    return Timed(tuple(wall), tuple(processor))


def latency_s(rounds: list[Timed], threads: int) -> float:
    """The number that stands in the table.

    One thread: the median processor time of all calls, which others on the same core do not change, or the median time
    of very short ones. More threads: the median of the rounds' median times.
    """
    processor = [t for timed in rounds for t in timed.processor]
    if threads > 1:
        return statistics.median(statistics.median(timed.wall) for timed in rounds)
    if processor:
        return statistics.median(processor)
    return statistics.median(t for timed in rounds for t in timed.wall)
