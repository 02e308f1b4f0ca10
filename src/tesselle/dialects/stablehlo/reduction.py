"""reduce and sort: operations whose regions combine elements of whole dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_in_range,
    require_reducer,
    require_region,
    require_unique,
    scalar,
    tensor_type,
    tensor_types,
)
from tesselle.ir.core import PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, region_def, variadic_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import I1


@op("stablehlo.reduce", PURE)
class ReduceOp(Op):
    """Folds `dimensions` of the inputs with `body`, starting from `init_values`, in an order of the implementation.

    Operands are the inputs and behind them as many init_values; results have the inputs' shape without `dimensions`,
    and the element types that the body computes in. Constructor: ReduceOp(operands, dimensions, body).
    Errors: C1 (shapes), C2 (element types), C3 (numbers), C4, C5 (dimensions), C6 (body). Source: spec, reduce.
    """

    all_operands: Sequence[Value] = variadic_def()
    dimensions: tuple[int, ...] = attr_def()
    body: Region = region_def()

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.operands[: len(self.operands) // 2]

    @property
    def init_values(self) -> tuple[Value, ...]:
        return self.operands[len(self.operands) // 2 :]

    def infer(self) -> Sequence[Type]:
        count = len(self.operands)
        self.require(
            count > 0 and count % 2 == 0, "C3", f"expected as many init_values as inputs, found {count} operands"
        )
        types = tensor_types(self, self.inputs, "I1")
        shape = merge_shapes(self, [t.shape for t in types], "C1", "inputs")
        for t, v in zip(types, self.init_values, strict=True):
            i = tensor_type(self, v, "I2")
            self.require(i.rank == 0, "I2", f"init_values must have rank 0, found {i}")
            self.require(i.dtype is t.dtype, "C2", f"init value {i} does not fit input {t}")
        dims = self.dimensions
        require_in_range(self, dims, len(shape), "C4", "dimensions")
        require_unique(self, dims, "C5", "dimensions")
        computed = require_reducer(self, self.body, [t.dtype for t in types], "C6")
        rest = tuple([s for d, s in enumerate(shape) if d not in dims])
        return [TensorType(rest, d) for d in computed]


@op("stablehlo.sort", PURE)
class SortOp(Op):
    """Sorts all inputs together along `dimension`; `comparator(a0, b0, a1, b1, …)` says whether a stands before b.

    Errors: C1 (no input), C3 (shapes), C4 (dimension), C5 (comparator). Source: spec, sort.
    """

    inputs: Sequence[Value] = variadic_def()
    comparator: Region = region_def()
    dimension: int = attr_def(default=-1)
    is_stable: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        self.require(len(self.inputs) > 0, "C1", "sort needs an input")
        types = tensor_types(self, self.inputs, "I1")
        merge_shapes(self, [t.shape for t in types], "C3", "inputs")
        rank = types[0].rank
        self.require(-rank <= self.dimension < rank, "C4", f"dimension {self.dimension} must lie in [{-rank}, {rank})")
        scalars = [scalar(t.dtype) for t in types for _ in range(2)]
        require_region(self, self.comparator, scalars, [scalar(I1)], "C5", "comparator")
        return types
