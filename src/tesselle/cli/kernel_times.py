"""What kernels took in profiled calls: the rows that `tesselle bench` and `tesselle profile` print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.table import Table

    import tesselle as ts
    from tesselle.artifact.schema import EntryRecord, Manifest
    from tesselle.runtime import DispatchRecord, MachineLimits, Profile


@dataclass
class KernelTime:
    """`busy_ns`: added up over threads. `entry` says what the kernel computes."""

    entry: EntryRecord
    launches: int = 0
    busy_ns: int = 0

    @property
    def flops_per_s(self) -> float | None:
        return self._rate(self.entry.flops)

    @property
    def bytes_per_s(self) -> float | None:
        return self._rate(self.entry.bytes)

    def _rate(self, amount: int | None) -> float | None:
        return amount * self.launches / (self.busy_ns * 1e-9) if amount and self.busy_ns else None


def profile_calls(program: ts.Program, call: Callable[[], object], count: int) -> Profile:
    """What ran in `count` calls."""
    with program.profile() as profile:
        for _ in range(count):
            call()
    return profile


def entry_of(manifest: Manifest, executable: int, entry: int) -> EntryRecord:
    """The kernel, by the numbers that bytecode uses."""
    name = manifest.executable_names()[executable]
    return next(e for e in manifest.executables if e.name == name).entries[entry]


def kernel_times(manifest: Manifest, records: Iterable[DispatchRecord]) -> list[KernelTime]:
    """By kernel, the longest first."""
    found: dict[tuple[int, int], KernelTime] = {}
    for record in records:
        key = record.executable, record.entry
        if key not in found:
            found[key] = KernelTime(entry_of(manifest, *key))
        found[key].launches += record.count
        found[key].busy_ns += record.duration_ns
    return sorted(found.values(), key=lambda k: -k.busy_ns)


def kernel_table(kernels: list[KernelTime], calls: int, limits: MachineLimits | None = None) -> Table:
    """A row for each kernel; with the limits of one thread, also what part of them it reaches, and which one binds it.

    A kernel is bound by memory when its operations, at the peak, would take less time than its bytes.
    """
    from tesselle.cli.console import cut, format_seconds, short_kernel_name, table

    whole_ns = sum(k.busy_ns for k in kernels)
    columns = ("kernel", "computes", "launches", "time", "share", "GFLOP/s", "GB/s")
    if limits is not None:
        columns += ("of peak", "of bandwidth", "bound by")
    rows = table(*columns, right=columns[2:-1] if limits is not None else columns[2:])
    for k in kernels:
        cells = [
            short_kernel_name(k.entry.name),
            cut(k.entry.summary),
            f"{k.launches / calls:g}",
            format_seconds(k.busy_ns * 1e-9 / calls),
            f"{k.busy_ns / whole_ns:.1%}" if whole_ns else "",
            f"{k.flops_per_s / 1e9:.1f}" if k.flops_per_s else "",
            f"{k.bytes_per_s / 1e9:.1f}" if k.bytes_per_s else "",
        ]
        if limits is not None:
            cells += [
                f"{k.flops_per_s / limits.flops_per_s:.0%}" if k.flops_per_s else "",
                f"{k.bytes_per_s / limits.bytes_per_s:.0%}" if k.bytes_per_s else "",
                bound_by(k.entry, limits),
            ]
        rows.add_row(*cells)
    return rows


def bound_by(entry: EntryRecord, limits: MachineLimits) -> str:
    """`compute`, `memory`, or nothing where the amounts are known at run time only."""
    if entry.bytes is None or entry.flops is None:
        return ""
    return limits.bound_by(entry.flops, entry.bytes)
