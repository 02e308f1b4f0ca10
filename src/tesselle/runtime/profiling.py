"""What ran when: records of dispatches; and what the machine could have done meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.runtime import _native


@dataclass(frozen=True, slots=True)
class DispatchRecord:
    """A run of workgroups of one dispatch on one worker (0: the thread that waited). Times: time.monotonic_ns().

    `executable` and `entry` are the numbers that bytecode uses: `manifest.executable_names()[executable]` and that
    executable's `entries[entry]`. `count` is 1 for the run that holds the dispatch's first workgroup and 0 for the
    others, so that the sum over records is the number of dispatches.
    """

    executable: int
    entry: int
    start_ns: int
    end_ns: int
    worker: int
    workgroups: int
    count: int

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Operations on f32 a second (fused multiply-adds on registers, two each), and bytes a second, read in order."""

    flops_per_s: float
    bytes_per_s: float

    def bound_by(self, flops: float, bytes: float) -> str:
        """`compute` or `memory`: which of the two takes longer at its limit."""
        return "compute" if flops / self.flops_per_s > bytes / self.bytes_per_s else "memory"


def measure_machine_limits(threads: int = 1, seconds: float = 0.3) -> MachineLimits:
    """What so many threads together do at most, measured here and now in about so many seconds."""
    return MachineLimits(*_native.measure_machine_limits(threads, seconds))


@dataclass(slots=True)
class Profile:
    """Filled when the `with program.profile()` block ends; by start time.

    `transfers` are copies (executable -1) and fills (executable -2); their workgroups are pieces of 256 KiB.
    """

    records: list[DispatchRecord] = field(default_factory=list[DispatchRecord])
    transfers: list[DispatchRecord] = field(default_factory=list[DispatchRecord])

    def busy_ns_by_entry(self) -> dict[tuple[int, int], int]:
        """(executable, entry) → nanoseconds, added up over workers; the longest first."""
        total: dict[tuple[int, int], int] = {}
        for r in self.records:
            key = (r.executable, r.entry)
            total[key] = total.get(key, 0) + r.duration_ns
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def fill(self, rows: Sequence[tuple[int, int, int, int, int, int, int]]) -> None:
        """Take over what the native profiler collected."""
        for row in sorted(rows, key=lambda r: r[2]):
            record = DispatchRecord(*row)
            (self.records if record.executable >= 0 else self.transfers).append(record)
