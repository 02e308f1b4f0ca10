"""Where the time of a program goes: its dispatches, held to a model of what the machine allows.

A dispatch takes at least as long as its floating-point operations at the FMA peak, and as its bytes - operands and
results once, packed weights as they lie - at the bandwidth of reading in order: the longer of the two is its model.
Dispatches whose operands a cache holds may take less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tesselle.runtime import MachineLimits  # not in the processes of other peers

CALLS = 20
LISTED = 10


@dataclass(frozen=True)
class Dispatch:
    """One kernel of a program: what it computes and costs in a call, all of its launches added up.

    `flops` and `bytes` are None where sizes are known at run time only.
    """

    computes: str
    kernel: str
    launches: float
    seconds: float
    flops: float | None
    bytes: float | None

    def model_s(self, limits: MachineLimits) -> float | None:
        """The least time."""
        if self.flops is None or self.bytes is None:
            return None
        return max(self.flops / limits.flops_per_s, self.bytes / limits.bytes_per_s)

    def bound(self, limits: MachineLimits) -> str:
        """What the model is bound by."""
        if self.flops is None or self.bytes is None:
            return "–"
        return limits.bound_by(self.flops, self.bytes)


def dispatches_of(program: Any, call: Any) -> tuple[Dispatch, ...]:
    """Those of a loaded program of Tesselle, the costliest first, from some calls."""
    from tesselle.cli.kernel_times import kernel_times, profile_calls

    call()
    found = kernel_times(program.manifest, profile_calls(program, call, CALLS).records)
    return tuple(
        Dispatch(
            k.entry.summary,
            k.entry.kernel,
            k.launches / CALLS,
            k.busy_ns * 1e-9 / CALLS,
            None if k.entry.flops is None else k.entry.flops * k.launches / CALLS,
            None if k.entry.bytes is None else k.entry.bytes * k.launches / CALLS,
        )
        for k in found
    )


def costliest(dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
    """The first ten of a program that launches more; nothing of a smaller one, which the other tables say all of."""
    return tuple(dispatches[:LISTED]) if sum(d.launches for d in dispatches) > LISTED else ()
