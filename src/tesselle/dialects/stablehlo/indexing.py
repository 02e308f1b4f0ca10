"""Operations that read or write at positions given by tensors: gather, scatter, dynamic slices."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import GatherDimensionNumbers, ScatterDimensionNumbers
from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_dims,
    require_in_range,
    require_reducer,
    require_size,
    require_sorted,
    require_unique,
    same_dtype,
    tensor_type,
    tensor_types,
)
from tesselle.dialects.stablehlo.dynamic import INDICES, index_vector
from tesselle.ir.core import PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, variadic_def
from tesselle.ir.types import Dim, TensorType, Type


@op("stablehlo.dynamic_slice", PURE)
class DynamicSliceOp(Op):
    """operand[start : start + slice_sizes], start clamped so that the slice lies inside.

    Errors: C2 (numbers), C3 (types of the indices), C4 (slice_sizes). Source: spec, dynamic_slice.
    """

    operand: Value = operand_def()
    start_indices: Sequence[Value] = variadic_def()
    slice_sizes: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand)
        check_start_indices(self, self.start_indices, t.rank, "C2", "C3")
        sizes = self.slice_sizes
        require_size(self, sizes, t.rank, "C2", "slice_sizes")
        for s, d in zip(sizes, t.shape, strict=True):
            if s < 0 or (d is not None and s > d):
                self.fail("C4", f"slice_sizes {list(sizes)} must lie in the operand {t}")
        return (TensorType(sizes, t.dtype),)


@op("stablehlo.dynamic_update_slice", PURE)
class DynamicUpdateSliceOp(Op):
    """The operand with `update` written at start_indices, clamped so that it lies inside.

    Errors: C2 (element type), C3 (rank), C4 (number of indices), C5 (their types), C6 (sizes). Source: spec.
    """

    operand: Value = operand_def()
    update: Value = operand_def()
    start_indices: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        t, u = tensor_type(self, self.operand), tensor_type(self, self.update, "I2")
        same_dtype(self, (t, u), "C2", "operand and update")
        self.require(t.rank == u.rank, "C3", f"operand and update must have the same rank, found {t} and {u}")
        check_start_indices(self, self.start_indices, t.rank, "C4", "C5")
        for s, d in zip(u.shape, t.shape, strict=True):
            if s is not None and d is not None and s > d:
                self.fail("C6", f"update {u} does not fit into the operand {t}")
        return (t,)


def check_start_indices(op_: Op, indices: Sequence[Value], rank: int, count_label: str, type_label: str) -> None:
    require_size(op_, indices, rank, count_label, "start_indices")
    types = [tensor_type(op_, v, type_label, INDICES) for v in indices]
    if types:
        same_dtype(op_, types, type_label, "start_indices")
    for t in types:
        op_.require(t.rank == 0, type_label, f"start_indices must have rank 0, found {t}")


def gather_shape(
    op_: Op, numbers: GatherDimensionNumbers, operand: TensorType, indices: TensorType, slice_sizes: Sequence[Dim]
) -> tuple[Dim, ...]:
    """The shape of a gather's result; checks the rules of its dimension numbers."""
    n = numbers
    total = len(n.offset_dims) + len(n.collapsed_slice_dims) + len(n.operand_batching_dims)
    op_.require(
        operand.rank == total,
        "C1",
        f"offset_dims, collapsed_slice_dims and operand_batching_dims must be {operand.rank} dimensions, found {total}",
    )
    op_.require(
        0 <= n.index_vector_dim <= indices.rank,
        "C2",
        f"index_vector_dim {n.index_vector_dim} must lie in [0, {indices.rank}]",
    )
    index_size = indices.shape[n.index_vector_dim] if n.index_vector_dim < indices.rank else 1
    require_dims(op_, index_size, len(n.start_index_map), "C3", "the index vector's size and that of start_index_map")
    require_unique(op_, n.offset_dims, "C4", "offset_dims")
    require_sorted(op_, n.offset_dims, "C4", "offset_dims")
    require_unique(op_, (*n.collapsed_slice_dims, *n.operand_batching_dims), "C6", "collapsed and batching dims")
    require_sorted(op_, n.collapsed_slice_dims, "C7", "collapsed_slice_dims")
    require_in_range(op_, n.collapsed_slice_dims, operand.rank, "C8", "collapsed_slice_dims")
    require_sorted(op_, n.operand_batching_dims, "C10", "operand_batching_dims")
    require_in_range(op_, n.operand_batching_dims, operand.rank, "C11", "operand_batching_dims")
    _check_batching(
        op_, n.operand_batching_dims, n.start_indices_batching_dims, n.index_vector_dim, operand, indices, 13
    )
    require_unique(op_, (*n.start_index_map, *n.operand_batching_dims), "C18", "start_index_map and batching dims")
    require_in_range(op_, n.start_index_map, operand.rank, "C19", "start_index_map")
    require_size(op_, slice_sizes, operand.rank, "C20", "slice_sizes")
    for d in n.collapsed_slice_dims:
        op_.require(slice_sizes[d] in (None, 0, 1), "C9", f"slice_sizes[{d}] must be 1 at most, for it is collapsed")
    for d in n.operand_batching_dims:
        op_.require(slice_sizes[d] in (None, 0, 1), "C12", f"slice_sizes[{d}] must be 1 at most, for it is batched")
    for s, d in zip(slice_sizes, operand.shape, strict=True):
        if s is not None and (s < 0 or (d is not None and s > d)):
            op_.fail("C21", f"slice_sizes {list(slice_sizes)} must lie in the operand {operand}")
    batch = [s for d, s in enumerate(indices.shape) if d != n.index_vector_dim]
    hidden = (*n.collapsed_slice_dims, *n.operand_batching_dims)
    window = [s for d, s in enumerate(slice_sizes) if d not in hidden]
    rank = len(batch) + len(window)
    require_in_range(op_, n.offset_dims, rank, "C5", "offset_dims")
    window_iter, batch_iter = iter(window), iter(batch)
    return tuple(next(window_iter) if d in n.offset_dims else next(batch_iter) for d in range(rank))


def _check_batching(
    op_: Op,
    operand_dims: tuple[int, ...],
    index_dims: tuple[int, ...],
    index_vector_dim: int,
    operand: TensorType,
    indices: TensorType,
    first: int,
) -> None:
    """Rules about batching dimensions; `first` numbers the first of the five."""
    require_unique(op_, index_dims, f"C{first}", "batching dims of the indices")
    require_in_range(op_, index_dims, indices.rank, f"C{first + 1}", "batching dims of the indices")
    op_.require(
        index_vector_dim not in index_dims, f"C{first + 2}", f"index_vector_dim {index_vector_dim} is a batching dim"
    )
    op_.require(
        len(operand_dims) == len(index_dims),
        f"C{first + 3}",
        f"batching dims {list(operand_dims)} of the operand and {list(index_dims)} of the indices differ in number",
    )
    for i, j in zip(operand_dims, index_dims, strict=True):
        require_dims(
            op_, operand.shape[i], indices.shape[j], f"C{first + 4}", f"batching dims {i} of operand and {j} of indices"
        )


@op("stablehlo.gather", PURE)
class GatherOp(Op):
    """Slices of the operand at the positions `start_indices`, clamped so that each lies inside.

    Errors: C1-C21 (dimension numbers, slice_sizes). Source: spec, gather.
    """

    operand: Value = operand_def()
    start_indices: Value = operand_def()
    dimension_numbers: GatherDimensionNumbers = attr_def()
    slice_sizes: tuple[int, ...] = attr_def()
    indices_are_sorted: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        t, i = tensor_type(self, self.operand), tensor_type(self, self.start_indices, "I2", INDICES)
        return (TensorType(gather_shape(self, self.dimension_numbers, t, i, self.slice_sizes), t.dtype),)


@op("stablehlo.dynamic_gather", PURE)
class DynamicGatherOp(Op):
    """gather with slice sizes that are known at run time. Errors: C1-C20 (dimension numbers), I3 (slice_sizes)."""

    operand: Value = operand_def()
    start_indices: Value = operand_def()
    slice_sizes: Value = operand_def()
    dimension_numbers: GatherDimensionNumbers = attr_def()
    result_type: TensorType = result_type_def()
    indices_are_sorted: bool = attr_def(default=False)

    def check(self) -> None:
        t, i = tensor_type(self, self.operand), tensor_type(self, self.start_indices, "I2", INDICES)
        index_vector(self, self.slice_sizes, "I3", t.rank, "slice_sizes")
        shape = gather_shape(self, self.dimension_numbers, t, i, (None,) * t.rank)
        out = tensor_type(self, self.result_type, "result")
        same_dtype(self, (t, out), "C23", "operand and result")
        merge_shapes(self, (shape, out.shape), "C22", "operands and result")


@op("stablehlo.scatter", PURE)
class ScatterOp(Op):
    """The inputs, with slices of `updates` combined into them at `scatter_indices` by `update_computation`.

    Operands are the inputs, the indices, and as many updates; slices that do not lie inside are left out.
    Errors: C1-C22 (shapes and dimension numbers), C23 (update_computation). Source: spec, scatter.
    """

    all_operands: Sequence[Value] = variadic_def()
    scatter_dimension_numbers: ScatterDimensionNumbers = attr_def()
    update_computation: Region = region_def()
    indices_are_sorted: bool = attr_def(default=False)
    unique_indices: bool = attr_def(default=False)

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.operands[: len(self.operands) // 2]

    @property
    def scatter_indices(self) -> Value:
        return self.operands[len(self.operands) // 2]

    @property
    def updates(self) -> tuple[Value, ...]:
        return self.operands[len(self.operands) // 2 + 1 :]

    def infer(self) -> Sequence[Type]:
        count = len(self.operands)
        self.require(count >= 3 and count % 2 == 1, "C5", f"expected as many updates as inputs, found {count} operands")
        inputs, updates = tensor_types(self, self.inputs, "I1"), tensor_types(self, self.updates, "I3")
        indices = tensor_type(self, self.scatter_indices, "I2", INDICES)
        shape = merge_shapes(self, [t.shape for t in inputs], "C1", "inputs")
        update_shape = merge_shapes(self, [t.shape for t in updates], "C3", "updates")
        for t, u in zip(inputs, updates, strict=True):
            same_dtype(self, (t, u), "C6", "inputs and updates")
        self._check_numbers(shape, update_shape, inputs[0], indices)
        computed = require_reducer(
            self, self.update_computation, [t.dtype for t in inputs], "C23", "update_computation"
        )
        return [TensorType(shape, d) for d in computed]

    def _check_numbers(
        self, shape: tuple[Dim, ...], update_shape: tuple[Dim, ...], operand: TensorType, indices: TensorType
    ) -> None:
        n = self.scatter_dimension_numbers
        rank, update_rank = len(shape), len(update_shape)
        total = len(n.update_window_dims) + len(n.inserted_window_dims) + len(n.input_batching_dims)
        self.require(
            rank == total,
            "C2",
            f"update_window, inserted_window and input_batching dims must be {rank} dimensions, found {total}",
        )
        require_unique(self, n.update_window_dims, "C7", "update_window_dims")
        require_sorted(self, n.update_window_dims, "C7", "update_window_dims")
        require_in_range(self, n.update_window_dims, update_rank, "C8", "update_window_dims")
        hidden = (*n.inserted_window_dims, *n.input_batching_dims)
        require_unique(self, hidden, "C9", "inserted and batching dims")
        require_sorted(self, n.inserted_window_dims, "C10", "inserted_window_dims")
        require_in_range(self, n.inserted_window_dims, rank, "C11", "inserted_window_dims")
        require_sorted(self, n.input_batching_dims, "C12", "input_batching_dims")
        require_in_range(self, n.input_batching_dims, rank, "C13", "input_batching_dims")
        self.require(
            0 <= n.index_vector_dim <= indices.rank,
            "C22",
            f"index_vector_dim {n.index_vector_dim} must lie in [0, {indices.rank}]",
        )
        _check_batching(
            self, n.input_batching_dims, n.scatter_indices_batching_dims, n.index_vector_dim, operand, indices, 14
        )
        index_size = indices.shape[n.index_vector_dim] if n.index_vector_dim < indices.rank else 1
        mapped = n.scatter_dims_to_operand_dims
        require_dims(self, index_size, len(mapped), "C19", "the index vector's size and scatter_dims_to_operand_dims'")
        require_unique(self, (*mapped, *n.input_batching_dims), "C20", "scatter_dims_to_operand_dims and batching dims")
        require_in_range(self, mapped, rank, "C21", "scatter_dims_to_operand_dims")
        batch = [s for d, s in enumerate(indices.shape) if d != n.index_vector_dim]
        found = [s for d, s in enumerate(update_shape) if d not in n.update_window_dims]
        merge_shapes(self, (batch, found), "C4", "scatter dimensions of updates and of scatter_indices")
        window = [s for d, s in enumerate(shape) if d not in hidden]
        for d, limit in zip(n.update_window_dims, window, strict=True):
            size = update_shape[d]
            if size is not None and limit is not None and size > limit:
                self.fail("C4", f"window dimension {d} of updates is {size}, the input has {limit}")


@op("stablehlo.torch_index_select", PURE)
class TorchIndexSelectOp(Op):
    """torch.index_select with batching. Errors: C1 (element type), C2 (dim), C3 (batch_dims), C4 (shape)."""

    operand: Value = operand_def()
    index: Value = operand_def()
    dim: int = attr_def()
    batch_dims: int = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, i = tensor_type(self, self.operand), tensor_type(self, self.index, "I2", INDICES)
        out = tensor_type(self, self.result_type, "result")
        same_dtype(self, (t, out), "C1", "operand and result")
        dim = self.dim + t.rank if self.dim < 0 else self.dim
        require_in_range(self, (dim,), t.rank, "C2", "dim")
        batch = self.batch_dims + i.rank if self.batch_dims < 0 else self.batch_dims
        self.require(0 <= batch <= min(i.rank, dim), "C3", f"batch_dims {self.batch_dims} must lie in [0, dim]")
        merge_shapes(self, ((*t.shape[:dim], *i.shape[batch:], *t.shape[dim + 1 :]), out.shape), "C4", "result")
