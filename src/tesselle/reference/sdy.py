"""Shardy on one device: shardings change nothing, computations are their bodies; and the casts around it in VHLO."""

from __future__ import annotations

from tesselle.dialects.core.builtin import UnrealizedConversionCastOp
from tesselle.dialects.sdy import ops as sdy
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics


@semantics(sdy.ShardingConstraintOp, sdy.ReshardOp, sdy.PropagationBarrierOp)
def identity(op: sdy.ShardingConstraintOp | sdy.ReshardOp | sdy.PropagationBarrierOp, operand: Array) -> Array:
    return operand


@semantics(sdy.ShardingGroupOp)
def sharding_group(op: sdy.ShardingGroupOp, operand: Array) -> list[Array]:
    return []


@semantics(UnrealizedConversionCastOp)
def cast(op: UnrealizedConversionCastOp, *operands: Array) -> list[Array]:
    return list(operands)


@region_semantics(sdy.ManualComputationOp, sdy.NamedComputationOp)
def computation(
    op: sdy.ManualComputationOp | sdy.NamedComputationOp, run: RegionRunner, *operands: Array
) -> list[Array]:
    return run.run_region(op.body, operands)
