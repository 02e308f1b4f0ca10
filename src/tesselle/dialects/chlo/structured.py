"""Operations of CHLO on whole tensors: constant, top_k, ragged_dot, scan."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.attributes import Precision, RaggedDotDimensionNumbers
from tesselle.dialects.stablehlo.base import (
    REAL,
    require_dims,
    require_in_range,
    require_region,
    require_unique,
    tensor_type,
    tensor_types,
)
from tesselle.dialects.stablehlo.dynamic import INDICES
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import CONSTANT_LIKE, PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import I32


@op("chlo.constant", PURE, CONSTANT_LIKE)
class ConstantOp(Op):
    """The tensor whose elements are `value`. Errors: C1 (value is no tensor)."""

    value: DenseElements = attr_def()

    def infer(self) -> Sequence[Type]:
        self.require(
            isinstance(self.attributes.get("value"), DenseElements), "C1", "value must be elements of a tensor"
        )
        return (self.value.type,)


@op("chlo.top_k", PURE)
class TopKOp(Op):
    """The `k` largest elements along the last dimension, in descending order, and their indices as i32.

    Errors: I1 (element type), C1 (rank 0), C2 (k).
    """

    operand: Value = operand_def()
    k: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand, "I1", REAL)
        self.require(t.rank > 0, "C1", "the operand must have a dimension")
        last = t.shape[-1]
        self.require(self.k >= 0 and (last is None or self.k <= last), "C2", f"k {self.k} must lie in [0, {last}]")
        shape = (*t.shape[:-1], self.k)
        return (TensorType(shape, t.dtype), TensorType(shape, I32))


@op("chlo.ragged_dot", PURE)
class RaggedDotOp(Op):
    """dot_general where slices of a ragged dimension of lhs meet one group of rhs each.

    Three forms, by the ragged dimension of lhs: m (rhs has a group dimension), k (the result gets one), batch.
    Errors: C1 (number of ragged and group dimensions), C2 (dimension numbers), C3 (group_sizes). Source: ChloOps.td.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    group_sizes: Value = operand_def()
    ragged_dot_dimension_numbers: RaggedDotDimensionNumbers = attr_def()
    result_type: TensorType = result_type_def()
    precision_config: tuple[Precision, ...] | None = attr_def(default=None)

    def check(self) -> None:
        a, b = tensor_type(self, self.lhs), tensor_type(self, self.rhs, "I2")
        sizes = tensor_type(self, self.group_sizes, "I3", INDICES)
        n = self.ragged_dot_dimension_numbers
        self.require(len(n.lhs_ragged_dimensions) == 1, "C1", "there must be one ragged dimension")
        self.require(len(n.rhs_group_dimensions) <= 1, "C1", "there may be one group dimension")
        pairs = (
            (n.lhs_batching_dimensions, n.rhs_batching_dimensions),
            (n.lhs_contracting_dimensions, n.rhs_contracting_dimensions),
        )
        for left, right in pairs:
            self.require(len(left) == len(right), "C2", f"dimensions {list(left)} and {list(right)} differ in number")
            require_in_range(self, left, a.rank, "C2", "dimensions of lhs")
            require_in_range(self, right, b.rank, "C2", "dimensions of rhs")
            for i, j in zip(left, right, strict=True):
                require_dims(self, a.shape[i], b.shape[j], "C2", f"dimensions {i} of lhs and {j} of rhs")
        require_unique(self, (*n.lhs_batching_dimensions, *n.lhs_contracting_dimensions), "C2", "dimensions of lhs")
        rhs_dims = (*n.rhs_batching_dimensions, *n.rhs_contracting_dimensions, *n.rhs_group_dimensions)
        require_unique(self, rhs_dims, "C2", "dimensions of rhs")
        require_in_range(self, n.lhs_ragged_dimensions, a.rank, "C2", "lhs_ragged_dimensions")
        require_in_range(self, n.rhs_group_dimensions, b.rank, "C2", "rhs_group_dimensions")
        self.require(sizes.rank >= 1, "C3", f"group_sizes must have a dimension, found {sizes}")
        for d in n.rhs_group_dimensions:
            require_dims(self, b.shape[d], sizes.shape[-1], "C3", "the group dimension of rhs and group_sizes")


@op("chlo.scan")
class ScanOp(Op):
    """Folds `body` along `dimension` of the inputs, keeping every step's outputs; the results are outputs and carries.

    Errors: C1 (numbers), C2 (dimension), C3 (body). Source: ChloOps.td.
    """

    inputs: Sequence[Value] = variadic_def()
    inits: Sequence[Value] = variadic_def()
    dimension: int = attr_def()
    body: Region = region_def()
    types: Sequence[Type] = result_types_def()
    is_reverse: bool = attr_def(default=False)
    is_associative: bool | None = attr_def(default=None)
    scan_dim_size: int | None = attr_def(default=None)

    def result_segments(self) -> tuple[int, ...]:
        return (len(self.results) - len(self.inits), len(self.inits))

    def check(self) -> None:
        outputs = len(self.results) - len(self.inits)
        self.require(outputs >= 0, "C1", f"{len(self.inits)} carries do not fit {len(self.results)} results")
        slices: list[Type] = []
        for t in tensor_types(self, self.inputs, "I1"):
            require_in_range(self, (self.dimension,), t.rank, "C2", "dimension")
            slices.append(TensorType(t.shape[: self.dimension] + t.shape[self.dimension + 1 :], t.dtype))
        carries = [v.type for v in self.inits]
        steps: list[Type] = []
        for r in self.results[:outputs]:
            t = tensor_type(self, r, "result")
            require_in_range(self, (self.dimension,), t.rank, "C2", "dimension")
            steps.append(TensorType(t.shape[: self.dimension] + t.shape[self.dimension + 1 :], t.dtype))
        require_region(self, self.body, [*slices, *carries], [*steps, *carries], "C3", "body")
