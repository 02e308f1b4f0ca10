"""Convolutions with any dimension numbers, dilations, groups and padding."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import ConvDimensionNumbers, Precision
from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_dims,
    require_in_range,
    require_positive,
    require_size,
    require_unique,
    tensor_type,
)
from tesselle.dialects.stablehlo.contraction import check_precision
from tesselle.dialects.stablehlo.dynamic import INDICES
from tesselle.dialects.stablehlo.quantized_rules import check_mixed_operands, quantized_element
from tesselle.dialects.stablehlo.window import check_padding, window_count
from tesselle.ir.attribute_types import PairTable
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import Dim, TensorType


@op_base
class _Convolution(Op):
    """The attributes and rules that both convolutions share; absent strides and dilations are 1."""

    def _fields(self) -> tuple[ConvDimensionNumbers, int, int]:
        a = self.attributes
        numbers, groups, batch_groups = (
            a.get("dimension_numbers"),
            a.get("feature_group_count"),
            a.get("batch_group_count"),
        )
        if not isinstance(numbers, ConvDimensionNumbers):
            self.fail("attribute", "attribute 'dimension_numbers' is missing")
        if not isinstance(groups, int) or not isinstance(batch_groups, int):
            self.fail("attribute", "attributes 'feature_group_count' and 'batch_group_count' are missing")
        assert isinstance(numbers, ConvDimensionNumbers) and isinstance(groups, int) and isinstance(batch_groups, int)
        return numbers, groups, batch_groups

    def _ints(self, name: str, rank: int) -> tuple[int, ...]:
        value = self.attributes.get(name)
        return tuple(v for v in value if isinstance(v, int)) if isinstance(value, tuple) else (1,) * rank

    def check_numbers(self) -> tuple[TensorType, TensorType]:
        """Check all rules but those on padding and result; returns the types of lhs and rhs."""
        numbers, groups, batch_groups = self._fields()
        a, b = tensor_type(self, self.operands[0]), tensor_type(self, self.operands[1], "I2", per_axis=True)
        self.require(a.rank == b.rank, "C1", f"lhs and rhs must have the same rank, found {a} and {b}")
        self.require(a.rank >= 2, "C1", f"operands of a convolution have rank 2 at least, found {a}")
        spatial = a.rank - 2
        for names, label in (("window_strides", 2), ("lhs_dilation", 5), ("rhs_dilation", 7)):
            values = self._ints(names, spatial)
            require_size(self, values, spatial, f"C{label}", names)
            require_positive(self, values, f"C{label + 1}", names)
        reversal = self.attributes.get("window_reversal")
        if isinstance(reversal, tuple):
            require_size(self, reversal, spatial, "C9", "window_reversal")
        for what, batch, feature, dims, first, second in (
            (
                "input",
                numbers.input_batch_dimension,
                numbers.input_feature_dimension,
                numbers.input_spatial_dimensions,
                "C12",
                "C13",
            ),
            (
                "kernel",
                numbers.kernel_input_feature_dimension,
                numbers.kernel_output_feature_dimension,
                numbers.kernel_spatial_dimensions,
                "C17",
                "C18",
            ),
            (
                "output",
                numbers.output_batch_dimension,
                numbers.output_feature_dimension,
                numbers.output_spatial_dimensions,
                "C19",
                "C20",
            ),
        ):
            require_size(self, dims, spatial, first, f"{what} spatial dimensions")
            require_unique(self, (batch, feature, *dims), second, f"{what} dimensions")
            require_in_range(self, (batch, feature, *dims), a.rank, second, f"{what} dimensions")
        self.require(groups > 0, "C21", f"feature_group_count must be positive, found {groups}")
        self.require(batch_groups > 0, "C22", f"batch_group_count must be positive, found {batch_groups}")
        self.require(
            groups == 1 or batch_groups == 1,
            "C23",
            f"feature_group_count {groups} or batch_group_count {batch_groups} must be 1",
        )
        self._divides(a.shape[numbers.input_batch_dimension], batch_groups, "C10", "input batch dimension")
        features = a.shape[numbers.input_feature_dimension]
        self._divides(features, groups, "C11", "input feature dimension")
        require_dims(
            self,
            b.shape[numbers.kernel_input_feature_dimension],
            None if features is None else features // groups,
            "C14",
            "kernel input features and input features per group",
        )
        outputs = b.shape[numbers.kernel_output_feature_dimension]
        self._divides(outputs, batch_groups, "C15", "kernel output feature dimension")
        self._divides(outputs, groups, "C16", "kernel output feature dimension")
        return a, b

    def _divides(self, size: Dim, count: int, label: str, what: str) -> None:
        self.require(size is None or size % count == 0, label, f"{what} {size} must be a multiple of {count}")

    def output_shape(self, padding: Sequence[tuple[int, int]] | None) -> tuple[Dim, ...]:
        """The shape of the result; spatial sizes are dynamic when `padding` is not known."""
        numbers, _, batch_groups = self._fields()
        a, b = tensor_type(self, self.operands[0]), tensor_type(self, self.operands[1], "I2", per_axis=True)
        spatial = a.rank - 2
        strides, base, dilations = (
            self._ints("window_strides", spatial),
            self._ints("lhs_dilation", spatial),
            self._ints("rhs_dilation", spatial),
        )
        shape: list[Dim] = [None] * a.rank
        batch = a.shape[numbers.input_batch_dimension]
        shape[numbers.output_batch_dimension] = None if batch is None else batch // batch_groups
        shape[numbers.output_feature_dimension] = b.shape[numbers.kernel_output_feature_dimension]
        for i in range(spatial):
            window = b.shape[numbers.kernel_spatial_dimensions[i]]
            if window is not None and padding is not None:
                size = a.shape[numbers.input_spatial_dimensions[i]]
                shape[numbers.output_spatial_dimensions[i]] = window_count(
                    size, window, strides[i], base[i], dilations[i], padding[i]
                )
        return tuple(shape)

    def check_result(self, result: TensorType, padding: Sequence[tuple[int, int]] | None) -> None:
        shape = self.output_shape(padding)
        self.require(result.rank == len(shape), "C26", f"the result must have rank {len(shape)}, found {result}")
        if result.shape != shape:
            merge_shapes(self, (shape, result.shape), "C25", "operands and result")

    def check_element_types(self, a: TensorType, b: TensorType, result: TensorType) -> None:
        """Rule C27 of plain tensors, C28-C34 of quantized ones."""
        if not check_mixed_operands(self, (a, b, result), ("C28", "C31", "C32", "C33", "C34")):
            if a.dtype.kind is not b.dtype.kind:
                self.fail("C27", f"lhs and rhs must have one kind of element type, found {a} and {b}")
            return
        numbers, _, _ = self._fields()
        for t, label, dim, what in (
            (b, "C29", numbers.kernel_output_feature_dimension, "rhs"),
            (result, "C30", numbers.output_feature_dimension, "the result"),
        ):
            q = quantized_element(t)
            if q is not None and q.axis not in (None, dim):
                self.fail(label, f"the quantized dimension {q.axis} of {what} must be its output features, {dim}")


@op("stablehlo.convolution", PURE)
class ConvolutionOp(_Convolution):
    """Dot products of windows of lhs with slices of rhs, over spatial dimensions and input features.

    Errors: C1-C24 (dimension numbers, windows, groups), C25, C26 (shape), C27 (element types), C28-C34 (quantized).
    Source: spec, convolution.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    dimension_numbers: ConvDimensionNumbers = attr_def()
    feature_group_count: int = attr_def()
    batch_group_count: int = attr_def()
    result_type: TensorType = result_type_def()
    window_strides: tuple[int, ...] | None = attr_def(default=None)
    padding: PairTable | None = attr_def(default=None)
    lhs_dilation: tuple[int, ...] | None = attr_def(default=None)
    rhs_dilation: tuple[int, ...] | None = attr_def(default=None)
    window_reversal: tuple[bool, ...] | None = attr_def(default=None)
    precision_config: tuple[Precision, ...] | None = attr_def(default=None)

    def check(self) -> None:
        a, b = self.check_numbers()
        padding = self.padding_or_zeros
        check_padding(self, padding, a.rank - 2, "C4")
        check_precision(self, self.precision_config, "C24")
        t = tensor_type(self, self.result_type, "result", per_axis=True)
        self.check_result(t, padding)
        self.check_element_types(a, b, t)

    @property
    def spatial_rank(self) -> int:
        return len(self.dimension_numbers.input_spatial_dimensions)

    @property
    def strides_or_ones(self) -> tuple[int, ...]:
        return self.window_strides or (1,) * self.spatial_rank

    @property
    def lhs_dilation_or_ones(self) -> tuple[int, ...]:
        return self.lhs_dilation or (1,) * self.spatial_rank

    @property
    def rhs_dilation_or_ones(self) -> tuple[int, ...]:
        return self.rhs_dilation or (1,) * self.spatial_rank

    @property
    def padding_or_zeros(self) -> tuple[tuple[int, int], ...]:
        return self.padding or ((0, 0),) * self.spatial_rank

    @property
    def reversal_or_false(self) -> tuple[bool, ...]:
        return self.window_reversal or (False,) * self.spatial_rank


@op("stablehlo.dynamic_conv", PURE)
class DynamicConvOp(_Convolution):
    """A convolution whose padding, [[low, high], …], is known at run time. Errors: as convolution; I4, C4 (padding)."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    padding: Value = operand_def()
    dimension_numbers: ConvDimensionNumbers = attr_def()
    feature_group_count: int = attr_def()
    batch_group_count: int = attr_def()
    result_type: TensorType = result_type_def()
    window_strides: tuple[int, ...] | None = attr_def(default=None)
    lhs_dilation: tuple[int, ...] | None = attr_def(default=None)
    rhs_dilation: tuple[int, ...] | None = attr_def(default=None)
    window_reversal: tuple[bool, ...] | None = attr_def(default=None)
    precision_config: tuple[Precision, ...] | None = attr_def(default=None)

    def check(self) -> None:
        a, b = self.check_numbers()
        p = tensor_type(self, self.padding, "I4", INDICES)
        merge_shapes(self, (p.shape, (a.rank - 2, 2)), "C4", "padding")
        check_precision(self, self.precision_config, "C24")
        t = tensor_type(self, self.result_type, "result", per_axis=True)
        self.check_result(t, None)
        self.check_element_types(a, b, t)
