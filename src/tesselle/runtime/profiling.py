"""What ran when: records of dispatches, for `tesselle bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.artifact.schema import Manifest


@dataclass(frozen=True, slots=True)
class DispatchRecord:
    """`count` workgroups of one dispatch on one worker (0: the thread that waited). Times: time.monotonic_ns().

    Copies and fills have the executable "copy" or "fill" and an empty entry.
    """

    executable: str
    entry: str
    summary: str
    start_ns: int
    end_ns: int
    worker: int
    count: int

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(slots=True)
class Profile:
    """Filled when the `with program.profile()` block ends."""

    records: list[DispatchRecord] = field(default_factory=list[DispatchRecord])

    def busy_ns_by_entry(self) -> dict[tuple[str, str], int]:
        """(executable, entry) → nanoseconds, added up over workers; the longest first."""
        total: dict[tuple[str, str], int] = {}
        for r in self.records:
            key = (r.executable, r.entry)
            total[key] = total.get(key, 0) + r.duration_ns
        return dict(sorted(total.items(), key=lambda item: -item[1]))


def name_records(manifest: Manifest, rows: Sequence[tuple[int, int, int, int, int, int]]) -> list[DispatchRecord]:
    """Native rows (executable, entry, start, end, worker, count) with the manifest's names, by start time."""
    names = manifest.executable_names()
    entries = {e.name: e.entries for e in manifest.executables}
    special = {-1: "copy", -2: "fill"}
    records: list[DispatchRecord] = []
    for executable, entry, start_ns, end_ns, worker, count in rows:
        if executable < 0:
            records.append(DispatchRecord(special[executable], "", "", start_ns, end_ns, worker, count))
            continue
        name = names[executable]
        e = entries[name][entry]
        records.append(DispatchRecord(name, e.name, e.summary, start_ns, end_ns, worker, count))
    return sorted(records, key=lambda r: r.start_ns)
