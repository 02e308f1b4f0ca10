"""How far a compilation is, told to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps are over; `phase` is being worked on.

    `item` is what the phase is at (a pass, a kernel), with its own count `item_done` of `item_total` where it has one.
    """

    phase: str
    done: int
    total: int
    item: str = ""
    item_done: int = 0
    item_total: int = 0


ProgressCallback = Callable[[Progress], None]
