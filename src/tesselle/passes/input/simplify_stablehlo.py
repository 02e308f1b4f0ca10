"""simplify-stablehlo: remove what has no meaning for one device.

optimization_barrier(x)                 -> x          scheduling is the compiler's own
replica_id, partition_id                -> 0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.stablehlo.collective import PartitionIdOp, ReplicaIdOp
from tesselle.dialects.stablehlo.control_flow import OptimizationBarrierOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, pattern
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import UI32


@pattern
def drop_barrier(op: OptimizationBarrierOp, rw: Rewriter) -> Sequence[Value]:
    """optimization_barrier(x...) -> x..."""
    return op.values


def _zero(op: Op, rw: Rewriter) -> Value:
    scalar = TensorType((), UI32)
    return rw.insert(ConstantOp(DenseElements.splat(0, scalar))).result


@pattern
def only_replica(op: ReplicaIdOp, rw: Rewriter) -> Value:
    """replica_id -> 0"""
    return _zero(op, rw)


@pattern
def only_partition(op: PartitionIdOp, rw: Rewriter) -> Value:
    """partition_id -> 0"""
    return _zero(op, rw)


@register_pass("simplify-stablehlo", gives=[Fact.INPUT])
@dataclass(frozen=True)
class SimplifyStablehlo(Pass):
    def run(self, module: Op) -> None:
        apply_patterns(module, [drop_barrier, only_replica, only_partition])
