"""What a run found out, and where."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tesselle.runtime import MachineLimits

from .base import Bound, Workload
from .dispatches import Dispatch

TESSELLE = "tesselle"


@dataclass(frozen=True)
class Machine:
    """Model of the processor, cores that the system has."""

    model: str
    cores: int

    @property
    def slug(self) -> str:
        """The name of files: `intel-xeon-gold-6342-cpu-2-80ghz-48-cores`."""
        words = re.sub(r"\((r|tm|c)\)", "", self.model, flags=re.IGNORECASE)
        name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
        return f"{name or 'unknown'}-{self.cores}-core{'s' if self.cores > 1 else ''}"


def this_machine() -> Machine:
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return Machine(names[0] if names else model, os.cpu_count() or 1)


@dataclass
class Cell:
    """One peer, at one number of threads, on one workload."""

    seconds: float | None = None
    error: float | None = None
    load_s: float | None = None
    peak_bytes: int | None = None
    reason: str | None = None
    """Why there is no time, or why it does not count."""


@dataclass
class Row:
    workload: Workload
    cells: dict[tuple[str, int], Cell] = field(default_factory=dict[tuple[str, int], Cell])
    """By name of the peer and number of threads."""
    dispatches: tuple[Dispatch, ...] = ()
    """The costliest of Tesselle's, on the least number of threads."""

    def valid_s(self, peer: str, threads: int) -> float | None:
        """Seconds of a call whose results are right."""
        cell = self.cells.get((peer, threads))
        return None if cell is None or cell.reason is not None else cell.seconds

    def best_peer(self, threads: int) -> tuple[str, float] | None:
        """The fastest but Tesselle, and its seconds."""
        times = [(p, s) for p, t in self.cells if t == threads and p != TESSELLE and (s := self.valid_s(p, t))]
        return min(times, key=lambda entry: entry[1], default=None)

    def ratio(self, threads: int) -> float | None:
        """Best peer / Tesselle: above 1 where Tesselle is faster."""
        own, best = self.valid_s(TESSELLE, threads), self.best_peer(threads)
        return best[1] / own if own and best else None

    def share_of_limit(self, threads: int, limits: MachineLimits) -> float | None:
        """What Tesselle reaches of the limit that bounds the workload; may exceed 1 where data stays in caches."""
        own = self.valid_s(TESSELLE, threads)
        match self.workload.bound:
            case Bound.COMPUTE if own and self.workload.flops:
                return self.workload.flops / own / limits.flops_per_s
            case Bound.MEMORY if own and self.workload.bytes:
                return self.workload.bytes / own / limits.bytes_per_s
            case _:
                return None


@dataclass
class Results:
    machine: Machine
    started: datetime
    rounds: int
    seconds: float
    threads: list[int]
    versions: dict[str, str]
    """By name of the peers that took part, in the order of the columns."""
    labels: dict[str, str]
    left_out: dict[str, str]
    """Why peers, or numbers of threads, took no part."""
    limits: dict[int, MachineLimits]
    rows: list[Row] = field(default_factory=list[Row])

    @property
    def tesselle_disagrees(self) -> list[str]:
        """Workloads that Tesselle failed at or computed otherwise than JAX."""
        return [
            row.workload.name
            for row in self.rows
            if any(cell.reason is not None for (peer, _), cell in row.cells.items() if peer == TESSELLE)
        ]
