"""Products that sum over dimensions: dot_general, dot, einsum."""

from __future__ import annotations

from tesselle.dialects.stablehlo.attributes import DotAlgorithm, DotDimensionNumbers, Precision
from tesselle.dialects.stablehlo.base import (
    merge_shapes,
    require_dims,
    require_in_range,
    require_unique,
    same_dtype,
    tensor_type,
)
from tesselle.dialects.stablehlo.quantized_rules import check_mixed_operands, quantized_element
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def
from tesselle.ir.types import Dim, TensorType


def check_precision(op_: Op, config: tuple[Precision, ...] | None, label: str) -> None:
    if config is not None and len(config) != 2:
        op_.fail(label, f"precision_config must hold two precisions, found {len(config)}")


@op("stablehlo.dot_general", PURE)
class DotGeneralOp(Op):
    """result[b…, m…, n…] = sum over k… of lhs[b, m, k] * rhs[b, n, k].

    Shapes: batching dimensions, then the rest of lhs, then the rest of rhs. The result's element type may be wider.
    A quantized rhs goes with a quantized lhs and result, or with floats (hybrid).
    Errors: C1-C10 (dimension numbers and sizes), C11 (precision_config), C12 (shape), C13 (element types); quantized:
    C14 (which are), C15 (zero points of rhs), C16 (its axis), C17, C18, C20 (storage, expressed types), C19 (result).
    Source: spec, dot_general.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    dot_dimension_numbers: DotDimensionNumbers = attr_def()
    result_type: TensorType = result_type_def()
    precision_config: tuple[Precision, ...] | None = attr_def(default=None)
    algorithm: DotAlgorithm | None = attr_def(default=None)

    def result_shape(self) -> tuple[Dim, ...]:
        """The shape of the result by the dimension numbers, which are checked."""
        a, b = tensor_type(self, self.lhs), tensor_type(self, self.rhs, "I2", per_axis=True)
        n = self.dot_dimension_numbers
        lb, rb, lc, rc = (
            n.lhs_batching_dimensions,
            n.rhs_batching_dimensions,
            n.lhs_contracting_dimensions,
            n.rhs_contracting_dimensions,
        )
        self.require(len(lb) == len(rb), "C1", f"batching dimensions {list(lb)} and {list(rb)} differ in number")
        self.require(len(lc) == len(rc), "C2", f"contracting dimensions {list(lc)} and {list(rc)} differ in number")
        require_unique(self, (*lb, *lc), "C3", "dimensions of lhs")
        require_unique(self, (*rb, *rc), "C4", "dimensions of rhs")
        require_in_range(self, lb, a.rank, "C5", "lhs_batching_dimensions")
        require_in_range(self, lc, a.rank, "C6", "lhs_contracting_dimensions")
        require_in_range(self, rb, b.rank, "C7", "rhs_batching_dimensions")
        require_in_range(self, rc, b.rank, "C8", "rhs_contracting_dimensions")
        for i, j in zip(lb, rb, strict=True):
            require_dims(self, a.shape[i], b.shape[j], "C9", f"batching dimensions {i} of lhs and {j} of rhs")
        for i, j in zip(lc, rc, strict=True):
            require_dims(self, a.shape[i], b.shape[j], "C10", f"contracting dimensions {i} of lhs and {j} of rhs")
        batch = [a.shape[i] if a.shape[i] is not None else b.shape[j] for i, j in zip(lb, rb, strict=True)]
        left = [s for d, s in enumerate(a.shape) if d not in lb and d not in lc]
        right = [s for d, s in enumerate(b.shape) if d not in rb and d not in rc]
        return (*batch, *left, *right)

    def check(self) -> None:
        shape = self.result_shape()
        t = tensor_type(self, self.result_type, "result", per_axis=True)
        check_precision(self, self.precision_config, "C11")
        if t.shape != shape:
            merge_shapes(self, (shape, t.shape), "C12", "operands (by their dimension numbers) and result")
        a, b = tensor_type(self, self.lhs), tensor_type(self, self.rhs, "I2", per_axis=True)
        if check_mixed_operands(self, (a, b, t), ("C14", "C17", "C18", "C19", "C20")):
            q = quantized_element(b)
            assert q is not None
            self.require(not any(q.zero_points), "C15", f"the zero points of rhs must be 0, found {q}")
            contracted = self.dot_dimension_numbers.rhs_contracting_dimensions
            self.require(q.axis not in contracted, "C16", f"the quantized dimension {q.axis} of rhs is contracted")
        elif self.algorithm is None and a.dtype.kind is not b.dtype.kind:
            self.fail("C13", f"lhs and rhs must have element types of one kind, found {a.dtype} and {b.dtype}")


@op("stablehlo.dot", PURE)
class DotOp(Op):
    """The product of vectors or matrices over the last dimension of lhs and the first of rhs.

    Errors: C1 (ranks), C2 (contracted sizes), C3 (shape), C4 (precision_config), C5 (quantized tensors, as in
    dot_general). Source: XLA semantics, Dot.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    result_type: TensorType = result_type_def()
    precision_config: tuple[Precision, ...] | None = attr_def(default=None)

    def check(self) -> None:
        a, b = tensor_type(self, self.lhs), tensor_type(self, self.rhs, "I2", per_axis=True)
        t = tensor_type(self, self.result_type, "result", per_axis=True)
        self.require(a.rank in (1, 2) and b.rank in (1, 2), "C1", f"expected vectors or matrices, found {a} and {b}")
        require_dims(self, a.shape[-1], b.shape[0], "C2", "the last dimension of lhs and the first of rhs")
        merge_shapes(self, ((*a.shape[:-1], *b.shape[1:]), t.shape), "C3", "operands and result")
        check_precision(self, self.precision_config, "C4")
        check_mixed_operands(self, (a, b, t), ("C5",) * 5)


@op("stablehlo.einsum", PURE)
class EinsumOp(Op):
    """numpy.einsum(einsum_config, lhs, rhs). Errors: C1 (element types), C2 (einsum_config)."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    einsum_config: str = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a, b = tensor_type(self, self.lhs), tensor_type(self, self.rhs, "I2")
        t = tensor_type(self, self.result_type, "result")
        same_dtype(self, (a, b), "C1", "lhs and rhs")
        _check_einsum(self, self.einsum_config, (a, b), t)


@op("stablehlo.unary_einsum", PURE)
class UnaryEinsumOp(Op):
    """numpy.einsum(einsum_config, operand). Errors: C1 (element type), C2 (einsum_config)."""

    operand: Value = operand_def()
    einsum_config: str = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand)
        t = tensor_type(self, self.result_type, "result")
        same_dtype(self, (a, t), "C1", "operand and result")
        _check_einsum(self, self.einsum_config, (a,), t)


def _check_einsum(op_: Op, config: str, operands: tuple[TensorType, ...], result: TensorType) -> None:
    inputs, arrow, output = config.replace(" ", "").partition("->")
    parts = inputs.split(",")
    op_.require(
        bool(arrow) and len(parts) == len(operands), "C2", f"einsum_config '{config}' does not fit the operands"
    )
    if "..." in config:
        return
    sizes: dict[str, Dim] = {}
    for labels, t in zip((*parts, output), (*operands, result), strict=True):
        op_.require(len(labels) == t.rank, "C2", f"'{labels}' in einsum_config '{config}' does not fit {t}")
        for label, size in zip(labels, t.shape, strict=True):
            if sizes.get(label) is None:
                sizes[label] = size
            require_dims(op_, sizes[label], size, "C2", f"sizes of dimension '{label}'")
