"""Packing of intervals: resources that are never needed at the same time may share bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """`size` bytes that are needed from time `first` to time `last`, both included."""

    size: int
    first: int
    last: int

    def meets(self, other: Interval) -> bool:
        """Whether both are needed at some time."""
        return self.first <= other.last and other.first <= self.last


def pack(intervals: Sequence[Interval], alignment: int) -> tuple[list[int], int]:
    """An offset for each interval, such that those that meet do not overlap, and the bytes needed in all.

    Greedy by size: the largest first, each into the smallest gap that holds it between those placed already that it
    meets. Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), algorithm 3.
    """
    offsets = [0] * len(intervals)
    order = sorted(range(len(intervals)), key=lambda i: (-intervals[i].size, intervals[i].first))
    placed: list[int] = []  # by rising offset
    total = 0
    for i in order:
        item = intervals[i]
        size = -(-item.size // alignment) * alignment
        if size == 0:
            continue
        best: tuple[int, int] | None = None
        end = 0
        for j in placed:
            if not item.meets(intervals[j]):
                continue
            gap = offsets[j] - end
            if gap >= size and (best is None or gap < best[0]):
                best = (gap, end)
            end = max(end, offsets[j] + -(-intervals[j].size // alignment) * alignment)
        offsets[i] = best[1] if best is not None else end
        total = max(total, offsets[i] + size)
        position = next((k for k, j in enumerate(placed) if offsets[j] > offsets[i]), len(placed))
        placed.insert(position, i)
    return offsets, total
