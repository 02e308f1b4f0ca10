"""Operations that StableHLO once had and producers may still write, as what they mean."""

from __future__ import annotations

from tesselle.dialects.stablehlo.base import scalar
from tesselle.dialects.stablehlo.collective import AllReduceOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.elementwise import AddOp
from tesselle.ir.core import Block, Op, Region
from tesselle.ir.types import TensorType
from tesselle.ir.upgrade import UPGRADES, Upgrade


def _add_up(op: Op) -> None:
    """Give an all_reduce the body that adds."""
    t = op.operands[0].type if op.operands else None
    if not isinstance(t, TensorType) or op.regions:
        return  # the verifier tells
    block = Block([scalar(t.dtype)] * 2)
    combined = AddOp.build(block.args, (scalar(t.dtype),), location=op.location)
    block.append(combined)
    block.append(ReturnOp.build(combined.results, location=op.location))
    region = Region([block])
    region.parent = op
    op.regions = (region,)


CROSS_REPLICA_SUM = Upgrade(AllReduceOp, ("replica_groups",), dict, _add_up)
"""cross-replica-sum(x)  ->  all_reduce(x) with an addition."""

_UPGRADES = {"stablehlo.cross-replica-sum": CROSS_REPLICA_SUM}

UPGRADES["stablehlo"] = _UPGRADES.get
