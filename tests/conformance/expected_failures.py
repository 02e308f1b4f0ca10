"""The cases that do not agree, each with its reason. A case that is here and agrees fails the run, as one does that is
not here and disagrees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .cases import Case
from .evaluation import Outcome, Result


@dataclass(frozen=True)
class Expected:
    """Cases whose whole name matches `names` end in `outcome`."""

    names: str
    outcome: Outcome
    reason: str


EXPECTED: tuple[Expected, ...] = ()


def expected(case: Case, entries: Sequence[Expected] = EXPECTED) -> Expected | None:
    """The entry that names `case`."""
    return next((e for e in entries if re.fullmatch(e.names, case.name)), None)


def surprise(result: Result, entries: Sequence[Expected] = EXPECTED) -> str | None:
    """What about `result` was not foreseen; None where it is as it should be."""
    entry = expected(result.case, entries)
    if result.outcome is Outcome.SKIPPED:
        return None
    if entry is None:
        return f"{result.outcome.value}: {result.reason}" if result.outcome.is_failure else None
    if result.outcome is entry.outcome:
        return None
    if result.outcome is Outcome.AGREE:
        return f"agrees, and is expected not to ({entry.reason}): take it out of expected_failures.py"
    return f"{result.outcome.value} instead of {entry.outcome.value}: {result.reason}"
