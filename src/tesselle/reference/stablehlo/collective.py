"""Communication between the processes of a grid; alone, a process is its own neighbour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.stablehlo import collective as s
from tesselle.dialects.stablehlo.attributes import ChannelHandle
from tesselle.ir.core import Block, Op
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import TensorType
from tesselle.reference.numerics import convert
from tesselle.reference.processes import Group
from tesselle.reference.registry import Array, RegionRunner, element_dtype, region_semantics
from tesselle.support.diagnostics import ExecutionError

IntTable = Sequence[Sequence[int]]


@region_semantics(s.ReplicaIdOp)
def replica_id(op: s.ReplicaIdOp, runner: RegionRunner) -> Array:
    return np.asarray(runner.process.replica, np.uint32)


@region_semantics(s.PartitionIdOp)
def partition_id(op: s.PartitionIdOp, runner: RegionRunner) -> Array:
    return np.asarray(runner.process.partition, np.uint32)


def _channel(handle: ChannelHandle | None) -> int:
    return 0 if handle is None else handle.handle


def _members(table: IntTable) -> list[list[int]]:
    """The groups of a table, whose shorter rows are filled up with -1."""
    return [[i for i in row if i != -1] for row in table]


def _group_of_all(op: s.AllGatherOp | s.AllReduceOp | s.ReduceScatterOp, runner: RegionRunner) -> Group:
    """The process group of operations that tell replicas from processes by their channel (spec, all_gather)."""
    grid, table = runner.process.grid, _members(op.replica_groups)
    if op.use_global_device_ids:
        groups = grid.flattened_ids(table)
    elif _channel(op.channel_handle) > 0:
        groups = grid.cross_replica_and_partition(table)
    else:
        groups = grid.cross_replica(table)
    return _own(op, runner, groups)


def _groups(table: IntTable, channel: int, runner: RegionRunner) -> list[Group]:
    """The groups of operations among replicas, or, with a channel, among partitions (spec, all_to_all)."""
    grid = runner.process.grid
    return grid.cross_partition(_members(table)) if channel > 0 else grid.cross_replica(_members(table))


def _own(op: Op, runner: RegionRunner, groups: Sequence[Group]) -> Group:
    found = runner.process.group_of(groups)
    if found is None:
        raise ExecutionError(f"process {runner.process.id} is in no group of {op.name}", op.location, op.name)
    return found


@region_semantics(s.AllGatherOp)
def all_gather(op: s.AllGatherOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    """concatenate([operand@p for p in group], all_gather_dim)."""
    given = runner.process.exchange(op.name, _channel(op.channel_handle), _group_of_all(op, runner), operands)
    return [np.concatenate(parts, op.all_gather_dim) for parts in zip(*given, strict=True)]


def _combined(block: Block, runner: RegionRunner, values: Sequence[Array]) -> Array:
    """values[0] ∘ values[1] ∘ …, element by element, in the type that the body computes in."""
    dtype = element_dtype(block.args[0].type)
    # What quantized operands store has been promoted before (reference.quantization).
    promoted = [v if dtype.is_quantized else convert(v, dtype) for v in values]
    total = promoted[0]
    for value in promoted[1:]:
        (total,) = runner.run_elementwise(block, [total, value])
    return np.broadcast_to(total, values[0].shape)


@region_semantics(s.AllReduceOp)
def all_reduce(op: s.AllReduceOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    """Folded in the order of the group: the tree is implementation-defined (spec, all_reduce)."""
    given = runner.process.exchange(op.name, _channel(op.channel_handle), _group_of_all(op, runner), operands)
    return [_combined(op.computation.block, runner, parts) for parts in zip(*given, strict=True)]


@region_semantics(s.ReduceScatterOp)
def reduce_scatter(op: s.ReduceScatterOp, runner: RegionRunner, operand: Array) -> Array:
    group = _group_of_all(op, runner)
    given = runner.process.exchange(op.name, _channel(op.channel_handle), group, [operand])
    whole = _combined(op.computation.block, runner, [values[0] for values in given])
    size = whole.shape[op.scatter_dimension]
    if size % len(group):
        raise ExecutionError(f"{size} elements do not scatter to {len(group)} processes", op.location, op.name)
    return np.split(whole, len(group), op.scatter_dimension)[group.index(runner.process.id)]


@region_semantics(s.AllToAllOp)
def all_to_all(op: s.AllToAllOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    """concatenate([split(operand@p)[own index] for p in group], concat_dimension)."""
    channel = _channel(op.channel_handle)
    group = _own(op, runner, _groups(op.replica_groups, channel, runner))
    if len(group) != op.split_count:
        text = f"split_count must be the size of the group, {len(group)}, found {op.split_count}"
        raise ExecutionError(text, op.location, op.name)
    given = runner.process.exchange(op.name, channel, group, operands)
    own = group.index(runner.process.id)
    return [
        np.concatenate([np.split(x, op.split_count, op.split_dimension)[own] for x in parts], op.concat_dimension)
        for parts in zip(*given, strict=True)
    ]


def _zeros(op: Op, operand: Array) -> Array:
    """What a process gets that nobody sends to: zeros, which for quantized numbers is their zero point."""
    t = op.results[0].type
    assert isinstance(t, TensorType)
    if isinstance(t.dtype, QuantizedType):
        points = np.asarray(t.dtype.zero_points, operand.dtype)
        shape = [1] * operand.ndim
        if t.dtype.axis is not None:
            shape[t.dtype.axis] = len(points)
        return np.array(np.broadcast_to(points.reshape(shape), operand.shape))
    return np.zeros_like(operand)


@region_semantics(s.CollectiveBroadcastOp)
def collective_broadcast(op: s.CollectiveBroadcastOp, runner: RegionRunner, operand: Array) -> Array:
    """operand@group[0]; zeros for processes in no group."""
    channel = _channel(op.channel_handle)
    group = runner.process.group_of(_groups(op.replica_groups, channel, runner))
    if group is None:
        return _zeros(op, operand)
    return runner.process.exchange(op.name, channel, group, [operand])[0][0]


@region_semantics(s.CollectivePermuteOp)
def collective_permute(op: s.CollectivePermuteOp, runner: RegionRunner, operand: Array) -> Array:
    """operand@source for the pair (source, own id); zeros where there is none."""
    channel, process = _channel(op.channel_handle), runner.process
    result: Array | None = None
    pairs: list[Group] = _groups(op.source_target_pairs, channel, runner) if op.source_target_pairs else []
    for source, target in pairs:
        if source == process.id:
            process.post((op.name, channel, source, target), [operand])
    for source, target in pairs:
        if target == process.id:
            (result,) = process.fetch((op.name, channel, source, target))
    return _zeros(op, operand) if result is None else result


@region_semantics(s.CrossReplicaSumOp)
def cross_replica_sum(op: s.CrossReplicaSumOp, runner: RegionRunner, operand: Array) -> Array:
    group = _own(op, runner, runner.process.grid.cross_replica(_members(op.replica_groups)))
    given = runner.process.exchange(op.name, 0, group, [operand])
    total = given[0][0]
    for (value,) in given[1:]:
        total = (total | value) if total.dtype == np.bool_ else np.asarray(total + value).astype(total.dtype)
    return total
