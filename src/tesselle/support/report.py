"""What a compilation did, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PassRecord:
    """One run of a pass."""

    phase: str
    name: str
    seconds: float


@dataclass(frozen=True)
class CompileReport:
    """Every pass in order, and the whole time."""

    passes: tuple[PassRecord, ...]
    seconds: float

    def phases(self) -> dict[str, float]:
        """Seconds of each phase, in order."""
        found: dict[str, float] = {}
        for record in self.passes:
            found[record.phase] = found.get(record.phase, 0.0) + record.seconds
        return found
