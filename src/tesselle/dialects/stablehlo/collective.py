"""Operations between the processes of a grid of replicas and partitions."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import ChannelHandle
from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_in_range,
    require_reducer,
    require_unique,
    same_dtype,
    tensor_type,
    tensor_types,
)
from tesselle.ir.attribute_types import Flag, IntTable, PairTable
from tesselle.ir.core import PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.support.dtypes import UI32


@op("stablehlo.replica_id", PURE)
class ReplicaIdOp(Op):
    """The replica that runs this, as tensor<ui32>."""

    def infer(self) -> Sequence[Type]:
        return (TensorType((), UI32),)


@op("stablehlo.partition_id", PURE)
class PartitionIdOp(Op):
    """The partition that runs this, as tensor<ui32>."""

    def infer(self) -> Sequence[Type]:
        return (TensorType((), UI32),)


def _check_groups(op_: Op, groups: tuple[tuple[int, ...], ...], unique: str, bounds: str) -> None:
    """Rule `unique`: no process twice; rule `bounds`: 0 <= id, but for -1, which fills up rows.

    How many processes there are, only the run tells (the constraints about the size of replica_groups).
    """
    members = [m for g in groups for m in g if m != -1]
    require_unique(op_, members, unique, "replica_groups")
    for m in members:
        op_.require(m >= 0, bounds, f"replica_groups {groups} must not be negative")


def _check_global_ids(op_: AllGatherOp | AllReduceOp | ReduceScatterOp, label: str) -> None:
    """use_global_device_ids names processes, which takes a channel."""
    channel = op_.channel_handle
    ok = not op_.use_global_device_ids or (channel is not None and channel.handle > 0)
    op_.require(ok, label, "use_global_device_ids needs a channel_handle with a handle greater than 0")


def _group_size(groups: tuple[tuple[int, ...], ...]) -> int:
    return len(groups[0]) if groups else 0


def _scaled(size: Dim, factor: int) -> Dim:
    return None if size is None else size * factor


@op("stablehlo.all_gather")
class AllGatherOp(Op):
    """The operands of a group's processes, concatenated along all_gather_dim.

    Errors: C1 (all_gather_dim), C2, C4 (replica_groups), C5 (use_global_device_ids), C6 (shapes).
    Source: spec, all_gather.
    """

    tensors: Sequence[Value] = variadic_def()
    all_gather_dim: int = attr_def()
    replica_groups: IntTable = attr_def()
    types: Sequence[Type] = result_types_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)
    use_global_device_ids: Flag = attr_def(default=False)

    def check(self) -> None:
        _check_groups(self, self.replica_groups, "C2", "C4")
        _check_global_ids(self, "C5")
        self.require(len(self.operands) == len(self.results) > 0, "C6", "expected as many results as operands")
        for v, r in zip(self.operands, self.results, strict=True):
            a, b = tensor_type(self, v), tensor_type(self, r, "result")
            require_in_range(self, (self.all_gather_dim,), a.rank, "C1", "all_gather_dim")
            same_dtype(self, (a, b), "C6", "operand and result")
            rest = [t.shape[: self.all_gather_dim] + t.shape[self.all_gather_dim + 1 :] for t in (a, b)]
            merge_shapes(self, rest, "C6", "operand and result")
            size, gathered = a.shape[self.all_gather_dim], b.shape[self.all_gather_dim]
            if size and gathered is not None and gathered % size:
                self.fail("C6", f"dimension {self.all_gather_dim} of {b} must be a multiple of {size}")


@op("stablehlo.all_reduce")
class AllReduceOp(Op):
    """The operands of a group's processes, combined by `computation`.

    Errors: C1, C3 (replica_groups), C4 (use_global_device_ids), C5 (computation). Source: spec, all_reduce.
    """

    tensors: Sequence[Value] = variadic_def()
    replica_groups: IntTable = attr_def()
    computation: Region = region_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)
    use_global_device_ids: Flag = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        _check_groups(self, self.replica_groups, "C1", "C3")
        _check_global_ids(self, "C4")
        types = tensor_types(self, self.operands, "I1")
        out: list[Type] = []
        for t in types:
            (computed,) = require_reducer(self, self.computation, [t.dtype], "C5", "computation")
            out.append(t.with_dtype(computed))
        return out


@op("stablehlo.all_to_all")
class AllToAllOp(Op):
    """Splits along one dimension, exchanges the parts within a group, concatenates along another.

    Errors: C1 (split_dimension), C2, C4 (split_count), C3 (concat_dimension), C5, C7 (replica_groups).
    C8, split_count against the size of a group, is left to the run, as MLIR's verifier does. Source: spec, all_to_all.
    """

    tensors: Sequence[Value] = variadic_def()
    split_dimension: int = attr_def()
    concat_dimension: int = attr_def()
    split_count: int = attr_def()
    replica_groups: IntTable = attr_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        _check_groups(self, self.replica_groups, "C5", "C7")
        count = self.split_count
        self.require(count > 0, "C4", f"split_count must be positive, found {count}")
        out: list[Type] = []
        for t in tensor_types(self, self.operands, "I1"):
            require_in_range(self, (self.split_dimension,), t.rank, "C1", "split_dimension")
            require_in_range(self, (self.concat_dimension,), t.rank, "C3", "concat_dimension")
            shape = list(t.shape)
            size = shape[self.split_dimension]
            self.require(size is None or size % count == 0, "C2", f"dimension of size {size} does not split in {count}")
            shape[self.split_dimension] = None if size is None else size // count
            shape[self.concat_dimension] = _scaled(shape[self.concat_dimension], count)
            out.append(TensorType(tuple(shape), t.dtype))
        return out


@op("stablehlo.collective_broadcast")
class CollectiveBroadcastOp(Op):
    """The operand of the first process of each group. Errors: C1, C2 (replica_groups)."""

    operand: Value = operand_def()
    replica_groups: IntTable = attr_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        _check_groups(self, self.replica_groups, "C1", "C2")
        return (tensor_type(self, self.operand),)


@op("stablehlo.collective_permute")
class CollectivePermuteOp(Op):
    """The operand of the process that sends to this one, or zeros. Errors: C2, C3 (a process twice), C4 (negative)."""

    operand: Value = operand_def()
    source_target_pairs: PairTable = attr_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        pairs = self.source_target_pairs
        require_unique(self, [p[0] for p in pairs], "C2", "sources")
        require_unique(self, [p[1] for p in pairs], "C3", "targets")
        self.require(all(i >= 0 for p in pairs for i in p), "C4", "source_target_pairs must not be negative")
        return (tensor_type(self, self.operand),)


@op("stablehlo.cross-replica-sum")
class CrossReplicaSumOp(Op):
    """The sum of the operands of a group's replicas: all_reduce with an addition. Errors: C1, C2 (replica_groups).

    Not in the specification: the XLA operation of that name, which producers may still print.
    """

    operand: Value = operand_def()
    replica_groups: IntTable = attr_def()

    def infer(self) -> Sequence[Type]:
        _check_groups(self, self.replica_groups, "C1", "C2")
        return (tensor_type(self, self.operand),)


@op("stablehlo.reduce_scatter")
class ReduceScatterOp(Op):
    """all_reduce, of which each process keeps its part along scatter_dimension.

    Errors: C1, C2 (scatter_dimension), C3, C5 (replica_groups), C6 (use_global_device_ids), C7 (computation),
    C8 (shape), C9 (element type). Source: spec, reduce_scatter.
    """

    operand: Value = operand_def()
    scatter_dimension: int = attr_def()
    replica_groups: IntTable = attr_def()
    computation: Region = region_def()
    result_type: TensorType = result_type_def()
    channel_handle: ChannelHandle | None = attr_def(default=None)
    use_global_device_ids: Flag = attr_def(default=False)

    def check(self) -> None:
        a, b = tensor_type(self, self.operand), tensor_type(self, self.result_type, "result")
        d = self.scatter_dimension
        require_in_range(self, (d,), a.rank, "C2", "scatter_dimension")
        _check_groups(self, self.replica_groups, "C3", "C5")
        _check_global_ids(self, "C6")
        (computed,) = require_reducer(self, self.computation, [a.dtype], "C7", "computation")
        self.require(a.rank == b.rank, "C8", f"the result must have rank {a.rank}, found {b}")
        merge_shapes(self, (a.shape[:d] + a.shape[d + 1 :], b.shape[:d] + b.shape[d + 1 :]), "C8", "operand and result")
        whole, part, size = a.shape[d], b.shape[d], max(1, _group_size(self.replica_groups))
        exact = whole is None or whole % size == 0
        self.require(exact, "C1", f"dimension {d} of {a} does not scatter to groups of {size}")
        if whole is not None and part is not None and part and whole % part:
            self.fail("C8", f"dimension {d} of {b} must divide that of {a}")
        self.require(b.dtype is computed, "C9", f"the result must have element type {computed}, found {b}")
