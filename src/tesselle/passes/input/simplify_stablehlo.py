"""simplify-stablehlo: remove what has no meaning for one device.

replica_id, partition_id                -> 0
any pure operation without elements     -> a constant: padding may cut more than there is, dimensions may be empty
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.stablehlo.collective import PartitionIdOp, ReplicaIdOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, pattern
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import UI32


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


def fold_empty_results(module: Op) -> None:
    """Pure operations of which no result has an element become constants; nothing behind meets their odd sizes."""
    for op in list(module.walk()):
        if op.dialect != "stablehlo" or PURE not in op.TRAITS or not op.results or isinstance(op, ConstantOp):
            continue
        if op.parent is not None and all(_has_no_elements(t) for t in op.result_types):
            b = Builder.before_op(op)
            empty = [t for t in op.result_types if isinstance(t, TensorType)]
            op.replace_with([b.insert(ConstantOp(DenseElements.splat(0, t))).result for t in empty])


def _has_no_elements(t: Type) -> bool:
    return isinstance(t, TensorType) and t.is_static and not t.dtype.is_quantized and t.element_count == 0


@register_pass("simplify-stablehlo", gives=[Fact.INPUT])
@dataclass(frozen=True)
class SimplifyStablehlo(Pass):
    def run(self, module: Op) -> None:
        fold_empty_results(module)
        apply_patterns(module, [only_replica, only_partition])
