"""Where operations stand in scf: what excludes what, and what is repeated."""

from __future__ import annotations

from collections.abc import Iterator

from tesselle.dialects.core import scf
from tesselle.ir.core import Op, Region


def exclude_each_other(one: Op, other: Op) -> bool:
    """Whether two operations stand in different branches of one scf.if: then only one of them happens."""
    branches: dict[Op | None, Region] = {r.parent: r for r in _regions_around(one) if isinstance(r.parent, scf.IfOp)}
    return any(branches.get(r.parent, r) is not r for r in _regions_around(other))


def loop_around(region: Region | None) -> Op | None:
    """The innermost loop around what stands in `region`."""
    while region is not None and region.parent is not None:
        if isinstance(region.parent, scf.ForOp | scf.WhileOp):
            return region.parent
        region = region.parent.parent_region
    return None


def _regions_around(op: Op) -> Iterator[Region]:
    region = op.parent_region
    while region is not None and region.parent is not None:
        yield region
        region = region.parent.parent_region
