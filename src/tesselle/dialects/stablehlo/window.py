"""reduce_window and select_and_scatter: windows that slide over a tensor."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_positive,
    require_reducer,
    require_region,
    require_size,
    scalar,
    tensor_type,
    tensor_types,
)
from tesselle.ir.attribute_types import PairTable
from tesselle.ir.core import PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, variadic_def
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.support.dtypes import I1

Pairs = tuple[tuple[int, int], ...]


def window_count(
    size: Dim, window: int, stride: int, base_dilation: int, window_dilation: int, pad: tuple[int, int]
) -> Dim:
    """How many positions a window has along a dimension of `size` elements."""
    if size is None:
        return None
    dilated = 0 if size == 0 else (size - 1) * base_dilation + 1
    padded = pad[0] + dilated + pad[1]
    extent = 0 if window == 0 else (window - 1) * window_dilation + 1
    return 0 if padded <= 0 or extent > padded else (padded - extent) // stride + 1


def check_padding(op_: Op, padding: object, rank: int, label: str) -> None:
    ok = isinstance(padding, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in padding)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # untrusted attribute
    if not ok or len(padding) != rank:  # pyright: ignore[reportArgumentType, reportUnknownArgumentType]  # a tuple when ok
        op_.fail(label, f"padding must hold {rank} pairs")


@op("stablehlo.reduce_window", PURE)
class ReduceWindowOp(Op):
    """result[i] = fold of `body` over the window that starts at i * window_strides in the padded, dilated input.

    Operands are the inputs and behind them as many init_values. Absent strides and dilations are 1, absent padding 0.
    Errors: C1 (numbers), C2 (shapes), C3 (element types), C4-C11 (window), C12 (padding), C13 (body).
    Source: spec, reduce_window.
    """

    all_operands: Sequence[Value] = variadic_def()
    window_dimensions: tuple[int, ...] = attr_def()
    body: Region = region_def()
    window_strides: tuple[int, ...] | None = attr_def(default=None)
    base_dilations: tuple[int, ...] | None = attr_def(default=None)
    window_dilations: tuple[int, ...] | None = attr_def(default=None)
    padding: PairTable | None = attr_def(default=None)

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.operands[: len(self.operands) // 2]

    @property
    def init_values(self) -> tuple[Value, ...]:
        return self.operands[len(self.operands) // 2 :]

    @property
    def rank(self) -> int:
        return len(self.window_dimensions)

    @property
    def strides_or_ones(self) -> tuple[int, ...]:
        return self.window_strides or (1,) * self.rank

    @property
    def base_dilations_or_ones(self) -> tuple[int, ...]:
        return self.base_dilations or (1,) * self.rank

    @property
    def window_dilations_or_ones(self) -> tuple[int, ...]:
        return self.window_dilations or (1,) * self.rank

    @property
    def padding_or_zeros(self) -> Pairs:
        return self.padding or ((0, 0),) * self.rank

    def infer(self) -> Sequence[Type]:
        count = len(self.operands)
        self.require(
            count > 0 and count % 2 == 0, "C1", f"expected as many init_values as inputs, found {count} operands"
        )
        types = tensor_types(self, self.inputs, "I1")
        shape = merge_shapes(self, [t.shape for t in types], "C2", "inputs")
        for t, v in zip(types, self.init_values, strict=True):
            i = tensor_type(self, v, "I2")
            self.require(i.rank == 0, "I2", f"init_values must have rank 0, found {i}")
            self.require(i.dtype is t.dtype, "C3", f"init value {i} does not fit input {t}")
        window, strides = self.window_dimensions, self.strides_or_ones
        base, dilations = self.base_dilations_or_ones, self.window_dilations_or_ones
        rank = len(shape)
        for n, (name, values) in enumerate(
            (
                ("window_dimensions", window),
                ("window_strides", strides),
                ("base_dilations", base),
                ("window_dilations", dilations),
            )
        ):
            require_size(self, values, rank, f"C{4 + 2 * n}", name)
            require_positive(self, values, f"C{5 + 2 * n}", name)
        check_padding(self, self.padding_or_zeros, rank, "C12")
        computed = require_reducer(self, self.body, [t.dtype for t in types], "C13")
        out = tuple(map(window_count, shape, window, strides, base, dilations, self.padding_or_zeros))
        return [TensorType(out, d) for d in computed]


@op("stablehlo.select_and_scatter", PURE)
class SelectAndScatterOp(Op):
    """For every window of the operand, adds (with `scatter`) a source element where `select` chose one.

    Errors: C1, C3 (element types), C2 (shape of source), C4-C8 (window), C9 (select), C10 (scatter).
    Source: spec, select_and_scatter.
    """

    operand: Value = operand_def()
    source: Value = operand_def()
    init_value: Value = operand_def()
    select: Region = region_def()
    scatter: Region = region_def()
    window_dimensions: tuple[int, ...] | None = attr_def(default=None)
    window_strides: tuple[int, ...] | None = attr_def(default=None)
    padding: PairTable | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        t, s, i = tensor_types(self, self.operands, "I1")
        self.require(t.dtype is s.dtype, "C1", f"operand {t} and source {s} must have the same element type")
        self.require(i.dtype is t.dtype and i.rank == 0, "C3", f"init_value must be {scalar(t.dtype)}, found {i}")
        rank = t.rank
        window = self.window_dimensions or (1,) * rank
        strides = self.window_strides or (1,) * rank
        padding: Pairs = self.padding or ((0, 0),) * rank
        require_size(self, window, rank, "C4", "window_dimensions")
        require_positive(self, window, "C5", "window_dimensions")
        require_size(self, strides, rank, "C6", "window_strides")
        require_positive(self, strides, "C7", "window_strides")
        check_padding(self, padding, rank, "C8")
        ones = (1,) * rank
        windows = tuple(map(window_count, t.shape, window, strides, ones, ones, padding))
        merge_shapes(self, (s.shape, windows), "C2", "source and windows of the operand")
        e = scalar(t.dtype)
        require_region(self, self.select, [e, e], [scalar(I1)], "C9", "select")
        (computed,) = require_reducer(self, self.scatter, [t.dtype], "C10", "scatter")
        return (t.with_dtype(computed),)
