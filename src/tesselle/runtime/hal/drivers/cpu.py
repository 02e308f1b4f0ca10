"""The processor as a device: a thin view of the native one.

Options: `threads=N` (threads that compute, the calling one included; one for each core by default), `pin=0|1` (pin
workers to cores; 1 by default), `cache_mb=N` (idle memory to keep for reuse; 1024 by default).
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tesselle.runtime import _native
from tesselle.runtime.hal.device import (
    Binding,
    Buffer,
    CommandBuffer,
    Device,
    DeviceInfo,
    Executable,
    HostMemory,
    MemoryUse,
    Semaphore,
)
from tesselle.support.diagnostics import OptionError

TARGET = "cpu"


class CpuBuffer(Buffer):
    """Host memory."""

    __slots__ = ("native",)

    def __init__(self, native: _native.Buffer) -> None:
        self.native = native

    @property
    def length(self) -> int:
        return self.native.length

    def map(self) -> memoryview:
        return memoryview(self.native)

    def subspan(self, offset: int, length: int) -> CpuBuffer:
        return CpuBuffer(self.native.subspan(offset, length))


class CpuExecutable(Executable):
    """A flat image, mapped."""

    __slots__ = ("native",)

    def __init__(self, native: _native.Executable) -> None:
        self.native = native

    @property
    def entry_count(self) -> int:
        return len(self.native.entries)


class CpuSemaphore(Semaphore):
    __slots__ = ("native",)

    def __init__(self, native: _native.Semaphore) -> None:
        self.native = native

    @property
    def value(self) -> int:
        return self.native.value

    def signal(self, value: int) -> None:
        self.native.signal(value)

    def fail(self, message: str) -> None:
        self.native.fail(message)

    def wait(self, value: int, timeout_s: float | None = None) -> bool:
        return self.native.wait(value, -1.0 if timeout_s is None else max(0.0, timeout_s))


class CpuCommandBuffer(CommandBuffer):
    __slots__ = ("native",)

    def __init__(self, native: _native.CommandBuffer) -> None:
        self.native = native

    def dispatch(
        self,
        executable: Executable,
        entry: int,
        grid: tuple[int, int, int],
        push: Sequence[int],
        bindings: Sequence[Binding],
    ) -> None:
        assert isinstance(executable, CpuExecutable)
        self.native.dispatch(executable.native, entry, grid, push, [(*b[:3], int(b.access)) for b in bindings])

    def copy(self, source: int, source_offset: int, target: int, target_offset: int, length: int) -> None:
        self.native.copy(source, source_offset, target, target_offset, length)

    def fill(self, slot: int, offset: int, length: int, pattern: int, pattern_bytes: int) -> None:
        self.native.fill(slot, offset, length, pattern & 0xFFFFFFFFFFFFFFFF, pattern_bytes)

    def barrier(self) -> None:
        self.native.barrier()

    def finalize(self) -> None:
        self.native.finalize()


class CpuDevice(Device):
    """The processor with a pool of worker threads and a cache of buffers."""

    def __init__(self, native: _native.Device, info: DeviceInfo) -> None:
        self.native = native
        self._info = info
        self._lock = threading.Lock()

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def missing_features(self, required: Sequence[str]) -> tuple[str, ...]:
        present = _native.cpu_features()
        return tuple(f for f in (r.removeprefix("+") for r in required) if f not in present)

    def allocate(self, size: int) -> CpuBuffer:
        return CpuBuffer(self.native.allocate(size))

    def memory_use(self) -> MemoryUse:
        return MemoryUse(*self.native.memory())

    def import_buffer(self, memory: HostMemory, *, writable: bool = False) -> CpuBuffer:
        return CpuBuffer(self.native.import_buffer(memoryview(memory), writable))

    def load_executable(self, data: bytes | memoryview, name: str, index: int = 0) -> CpuExecutable:
        return CpuExecutable(self.native.load_executable(data, name, index))

    def create_command_buffer(self, capacity: int) -> CpuCommandBuffer:
        return CpuCommandBuffer(_native.CommandBuffer(capacity))

    def create_semaphore(self, initial: int = 0) -> CpuSemaphore:
        return CpuSemaphore(_native.Semaphore(initial))

    def submit(
        self,
        commands: CommandBuffer,
        buffers: Sequence[Buffer],
        *,
        waits: Sequence[tuple[Semaphore, int]] = (),
        signals: Sequence[tuple[Semaphore, int]] = (),
    ) -> None:
        assert isinstance(commands, CpuCommandBuffer)
        table = [b.native for b in buffers if isinstance(b, CpuBuffer)]
        wait_list = [(s.native, v) for s, v in waits if isinstance(s, CpuSemaphore)]
        signal_list = [(s.native, v) for s, v in signals if isinstance(s, CpuSemaphore)]
        self.native.submit(commands.native, table, wait_list, signal_list)


def _model_name() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _info(device_id: str, threads: int) -> DeviceInfo:
    properties = {"threads": str(threads), "features": ",".join(sorted(_native.cpu_features()))}
    return DeviceInfo(device_id, _model_name(), "cpu", properties)


def devices() -> Sequence[DeviceInfo]:
    """The one processor (of however many sockets)."""
    return (_info("cpu", len(_native.usable_cores())),)


def _number(options: Mapping[str, str], key: str, default: int, low: int, high: int) -> int:
    text = options.get(key, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise OptionError(f"device 'cpu': {key}={text} is not a number from {low} to {high}")
    return int(text)


def open(ordinal: int, options: Mapping[str, str]) -> CpuDevice:
    """Open the processor."""
    if ordinal != 0:
        raise OptionError(f"device 'cpu:{ordinal}': there is only cpu:0")
    unknown = sorted(set(options) - {"threads", "pin", "cache_mb"})
    if unknown:
        raise OptionError(f"device 'cpu': no option '{unknown[0]}'; there are: cache_mb, pin, threads")
    threads = _number(options, "threads", 1, 1, 4096) if "threads" in options else 0
    pin = _number(options, "pin", 1, 0, 1) == 1
    cache_bytes = _number(options, "cache_mb", 1024, 0, 1 << 30) << 20
    native = _native.Device(threads, pin, cache_bytes)
    text = ",".join(f"{k}={v}" for k, v in sorted(options.items()))
    return CpuDevice(native, _info(f"cpu:{text}" if text else "cpu", native.threads))
