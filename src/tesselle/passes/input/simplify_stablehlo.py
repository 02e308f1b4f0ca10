"""simplify-stablehlo: remove what has no meaning for one device, and take tuples apart.

optimization_barrier(x)                 -> x          scheduling is the compiler's own
get_tuple_element(tuple(x, y), 1)       -> y
custom_call @Sharding(x)                -> x          and the other annotations of partitioners
custom_call @shape_assertion(c, n)      -> removed: what a caller of an exported function promises about its shapes
replica_id, partition_id                -> 0
create_token, after_all                 -> removed with their last user
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.stablehlo.collective import PartitionIdOp, ReplicaIdOp
from tesselle.dialects.stablehlo.control_flow import CustomCallOp, GetTupleElementOp, OptimizationBarrierOp, TupleOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, pattern
from tesselle.ir.types import TensorType
from tesselle.reference.stablehlo.control_flow import ANNOTATIONS
from tesselle.support.dtypes import UI32


@pattern
def drop_barrier(op: OptimizationBarrierOp, rw: Rewriter) -> Sequence[Value]:
    """optimization_barrier(x...) -> x..."""
    return op.values


@pattern
def read_tuple(op: GetTupleElementOp, rw: Rewriter) -> Value | None:
    """get_tuple_element(tuple(x...), i) -> x[i]"""
    made = op.operand.defining_op
    return made.values[op.index] if isinstance(made, TupleOp) else None


@pattern
def drop_annotation(op: CustomCallOp, rw: Rewriter) -> Sequence[Value] | None:
    """custom_call @Sharding(x) -> x"""
    same = [v.type for v in op.inputs] == list(op.result_types)
    return op.inputs if op.call_target_name in ANNOTATIONS and same else None


@pattern
def drop_shape_assertion(op: CustomCallOp, rw: Rewriter) -> Sequence[Value] | None:
    """custom_call @shape_assertion(condition, sizes...) -> nothing"""
    return () if op.call_target_name == "shape_assertion" and not op.results else None


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
        apply_patterns(
            module, [drop_barrier, read_tuple, drop_annotation, drop_shape_assertion, only_replica, only_partition]
        )
