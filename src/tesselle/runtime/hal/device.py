"""What every driver provides. `tests/hal_cts` runs the same tests on all of them."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

HostMemory = bytes | bytearray | memoryview


class Access(enum.IntFlag):
    """What a dispatch does with a binding."""

    READ = 1
    WRITE = 2


class Binding(NamedTuple):
    """`length` bytes at `offset` of the buffer that an execution puts into `slot`."""

    slot: int
    offset: int
    length: int
    access: Access


class Buffer(ABC):
    """A range of device memory."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Bytes."""

    @abstractmethod
    def map(self) -> memoryview:
        """The bytes, for the host to read and write; work on them must have been awaited."""

    @abstractmethod
    def subspan(self, offset: int, length: int) -> Buffer:
        """A part of it, which keeps the whole alive. ExecutionError when it does not lie inside."""


class Executable(ABC):
    """Kernels, loaded on a device."""

    @property
    @abstractmethod
    def entry_count(self) -> int:
        """How many kernels there are."""


class Semaphore(ABC):
    """A timeline semaphore: a counter that only grows. A failure is final and reaches whatever waits for it."""

    @property
    @abstractmethod
    def value(self) -> int:
        """Where it is now. ExecutionError once it has failed."""

    @abstractmethod
    def signal(self, value: int) -> None:
        """Raise it from the host. ExecutionError when `value` is not above the present one."""

    @abstractmethod
    def fail(self, message: str) -> None:
        """Fail it from the host."""

    @abstractmethod
    def wait(self, value: int, timeout_s: float | None = None) -> bool:
        """Wait until it has reached `value`; False after the timeout. ExecutionError when it fails."""


class CommandBuffer(ABC):
    """Recorded work on numbered slots; once finalized it may be executed many times, with other buffers.

    Commands between two barriers are independent of one another. What no execution could make right is an
    ExecutionError while recording; what depends on the buffers is one when it is submitted.
    """

    @abstractmethod
    def dispatch(
        self,
        executable: Executable,
        entry: int,
        grid: tuple[int, int, int],
        push: Sequence[int],
        bindings: Sequence[Binding],
    ) -> None:
        """Run grid[0] * grid[1] * grid[2] workgroups of an entry; push constants are 64-bit."""

    @abstractmethod
    def copy(self, source: int, source_offset: int, target: int, target_offset: int, length: int) -> None:
        """Copy bytes between slots; the ranges may not overlap."""

    @abstractmethod
    def fill(self, slot: int, offset: int, length: int, pattern: int, pattern_bytes: int) -> None:
        """Repeat the low 1, 2, 4 or 8 bytes of `pattern`."""

    @abstractmethod
    def barrier(self) -> None:
        """All commands before it, then all commands after it."""

    @abstractmethod
    def finalize(self) -> None:
        """End recording."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device that `ts.load(..., device=id)` takes."""

    id: str
    name: str
    driver: str
    properties: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What a device's buffers take. `in_use_bytes` and `peak_bytes` count what is handed out, `cached_bytes` what is
    kept for reuse; `allocations` is how many buffers were ever asked for.
    """

    in_use_bytes: int
    cached_bytes: int
    peak_bytes: int
    allocations: int


class Device(ABC):
    """An open device."""

    @property
    @abstractmethod
    def info(self) -> DeviceInfo:
        """What it is."""

    @abstractmethod
    def missing_features(self, required: Sequence[str]) -> tuple[str, ...]:
        """Those of an executable's required features that this device lacks."""

    @abstractmethod
    def allocate(self, size: int) -> Buffer:
        """A new buffer, contents undefined. ExecutionError when there is not that much memory."""

    @abstractmethod
    def memory_use(self) -> MemoryUse:
        """What its buffers take at this moment."""

    @abstractmethod
    def import_buffer(self, memory: HostMemory, *, writable: bool = False) -> Buffer:
        """A buffer on top of host memory, without a copy where the device allows it."""

    @abstractmethod
    def load_executable(self, data: bytes | memoryview, name: str, index: int = 0) -> Executable:
        """Load kernels; ArtifactError when they are damaged or for another device. Profiles call them `index`."""

    @abstractmethod
    def create_command_buffer(self, capacity: int) -> CommandBuffer:
        """A command buffer with `capacity` slots."""

    @abstractmethod
    def create_semaphore(self, initial: int = 0) -> Semaphore:
        """A timeline semaphore."""

    @abstractmethod
    def submit(
        self,
        commands: CommandBuffer,
        buffers: Sequence[Buffer],
        *,
        waits: Sequence[tuple[Semaphore, int]] = (),
        signals: Sequence[tuple[Semaphore, int]] = (),
    ) -> None:
        """Execute after all `waits`, then signal all `signals`; slot i is buffers[i]. Returns at once."""


class Driver(Protocol):
    """A module of `drivers/`."""

    TARGET: str
    """The target that executables for this driver are compiled for."""

    def devices(self) -> Sequence[DeviceInfo]:
        """What this machine has; empty when the driver's library is missing."""
        ...

    def open(self, ordinal: int, options: Mapping[str, str]) -> Device:
        """Open a device. OptionError for an option that makes no sense."""
        ...
