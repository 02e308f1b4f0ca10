"""hoist-loop-invariants: what every iteration of a loop would compute again is computed once, in front of it.

Operations without side effects are moved when they use nothing from inside of the loop. None of them can trap, so
that a loop that never runs is no obstacle.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import scf
from tesselle.ir.core import PURE, TERMINATOR, Block, Op, Region
from tesselle.ir.passes import Fact, Pass, register_pass


@register_pass("hoist-loop-invariants", needs=[Fact.LINALG])
@dataclass(frozen=True)
class HoistLoopInvariants(Pass):
    """Move invariant operations out of scf.for and scf.while, inner loops first."""

    def run(self, module: Op) -> None:
        loops = [op for op in module.walk() if isinstance(op, scf.ForOp | scf.WhileOp)]
        for loop in reversed(loops):
            for region in loop.regions:
                _hoist(loop, region.block, region)


def _hoist(loop: Op, block: Block, region: Region) -> None:
    for op in block:
        if PURE in op.TRAITS and TERMINATOR not in op.TRAITS and _is_invariant(op, region):
            op.move_before(loop)


def _is_invariant(op: Op, region: Region) -> bool:
    """Whether the operation, with everything inside it, uses no value that the loop's region defines."""
    for inner in op.walk():
        for v in inner.operands:
            home = v.parent_region
            if home is not None and region.is_ancestor_of(home) and not _is_inside(op, home):
                return False
    return True


def _is_inside(op: Op, home: Region) -> bool:
    return any(r.is_ancestor_of(home) for r in op.regions)
