"""What the declarations say of quantized tensors: which types go together, and how axes move.

The *baseline* of a quantized type is the type without its scales and zero points: elementwise operations take and give
any of them. Source: StableHLO spec, "Quantization computations", baseline_type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tesselle.dialects.stablehlo.base import merge_shapes, same_dtype, shape_text, tensor_type
from tesselle.ir.core import Op
from tesselle.ir.declare import op_base
from tesselle.ir.quantized import QuantizedType, quantized
from tesselle.ir.types import Dim, TensorType, Type, dims_compatible
from tesselle.support.dtypes import DType, Kind


def quantized_element(t: Type) -> QuantizedType | None:
    """The element type of a quantized tensor type, else None."""
    if isinstance(t, TensorType) and t.dtype.kind is Kind.QUANTIZED:
        assert isinstance(t.dtype, QuantizedType)
        return t.dtype
    return None


def same_baseline_dtype(a: DType, b: DType) -> bool:
    """Whether two element types are equal but for scales and zero points."""
    if a is b:
        return True
    if not isinstance(a, QuantizedType) or not isinstance(b, QuantizedType):
        return False
    return _baseline(a) == _baseline(b)


def _baseline(t: QuantizedType) -> tuple[object, ...]:
    return t.storage, t.expressed, t.storage_min, t.storage_max, t.axis


def same_baseline(op: Op, types: Sequence[TensorType], label: str, what: str) -> DType:
    """The element type of the first; fails rule `label` when the baseline of another one differs."""
    first = types[0].dtype
    for t in types[1:]:
        if not same_baseline_dtype(first, t.dtype):
            if isinstance(first, QuantizedType) and isinstance(t.dtype, QuantizedType):
                op.fail(label, f"{what} must be quantized alike but for scales and zero points: {first} and {t.dtype}")
            same_dtype(op, types, label, what)
    return first


@op_base
class QuantizableOp(Op):
    """Quantized results may have other scales and zero points than `infer` says, which knows the operands' only."""

    BASELINE_LABEL: ClassVar[str] = "C1"
    """The rule that holds results to the baseline of the operands."""

    def verify_types(self) -> None:
        if all(quantized_element(r.type) is None for r in self.results):
            super().verify_types()
            return
        expected = self.infer() or ()
        self.require(len(expected) == len(self.results), "results", f"expected {len(expected)} results")
        for want, have in zip(expected, self.results, strict=True):
            assert isinstance(want, TensorType)
            t = tensor_type(self, have.type, self.BASELINE_LABEL)
            same_baseline(self, (want, t), self.BASELINE_LABEL, "operands and result")
            merge_shapes(self, (want.shape, t.shape), self.BASELINE_LABEL, "operands and result")


def with_axis(t: QuantizedType, axis: int) -> QuantizedType:
    """The same quantization along another axis."""
    if t.axis == axis:
        return t
    return quantized(
        t.storage,
        t.expressed,
        t.scales,
        t.zero_points,
        axis=axis,
        storage_min=t.storage_min,
        storage_max=t.storage_max,
    )


def transposed_dtype(dtype: DType, permutation: Sequence[int]) -> DType:
    """The element type of a transposed tensor: the quantized axis moves along. Source: spec, transpose, C1, C4."""
    if isinstance(dtype, QuantizedType) and dtype.axis is not None:
        return with_axis(dtype, list(permutation).index(dtype.axis))
    return dtype


def check_reshaped(op: Op, a: TensorType, b: TensorType) -> None:
    """Rules C1 and C3 of reshapes: the sizes in front of, on and behind the quantized axis stay."""
    q, r = quantized_element(a), quantized_element(b)
    if q is None or r is None or q.axis is None or r.axis is None:
        same_dtype(op, (a, b), "C1", "operand and result")
        return
    if with_axis(q, r.axis) is not r:
        op.fail("C1", f"operand and result must be quantized alike but for the dimension, found {q} and {r}")
    for what, before, after in (
        ("in front of", a.shape[: q.axis], b.shape[: r.axis]),
        ("on", a.shape[q.axis : q.axis + 1], b.shape[r.axis : r.axis + 1]),
        ("behind", a.shape[q.axis + 1 :], b.shape[r.axis + 1 :]),
    ):
        if not dims_compatible(_size(before), _size(after)):
            op.fail(
                "C3", f"the sizes {what} the quantized dimension differ: {shape_text(before)} and {shape_text(after)}"
            )


def _size(shape: Sequence[Dim]) -> Dim:
    size = 1
    for d in shape:
        if d is None:
            return None
        size *= d
    return size


def check_broadcast_dtype(op: Op, a: TensorType, b: TensorType, dims: Sequence[int], *, axes: bool) -> None:
    """Rule C1 of broadcasts; with `axes` (when the dimensions are known to be valid) also C6."""
    q, r = quantized_element(a), quantized_element(b)
    if q is None or r is None or q.axis is None or r.axis is None:
        same_dtype(op, (a, b), "C1", "operand and result")
        return
    if (q.storage, q.expressed, q.storage_min, q.storage_max) != (r.storage, r.expressed, r.storage_min, r.storage_max):
        op.fail("C1", f"operand and result must have the same storage and expressed types, found {q} and {r}")
    if not axes:
        return
    if r.axis != dims[q.axis]:
        op.fail("C6", f"the quantized dimension {q.axis} becomes {dims[q.axis]}, found {r.axis}")
    if a.shape[q.axis] == 1 and (set(r.scales), set(r.zero_points)) != ({q.scales[0]}, {q.zero_points[0]}):
        op.fail("C6", f"the only scale of {q} must be that of every index of {r}")


def check_mixed_operands(
    op: Op, types: tuple[TensorType, TensorType, TensorType], labels: Sequence[str], *, per_tensor_result: bool = True
) -> bool:
    """Rules of contractions of (lhs, rhs, result) with quantized tensors; False when there are none.

    `labels`: which are quantized, storage types, expressed types, per-tensor result, and the type of a float lhs.
    """
    lhs, rhs, result = types
    a, b, r = map(quantized_element, types)
    if a is None and b is None and r is None:
        return False
    which, storage, expressed, per_tensor, hybrid = labels
    if b is None or (a is None) != (r is None):
        op.fail(which, f"rhs must be quantized, and lhs when the result is: {lhs}, {rhs} and {result}")
        raise AssertionError
    if a is None or r is None:
        if lhs.dtype is not b.expressed or result.dtype is not b.expressed:
            op.fail(hybrid, f"lhs and result must have elements of {b.expressed}, found {lhs} and {result}")
        return True
    if a.storage is not b.storage:
        op.fail(storage, f"lhs is stored as {a.storage}, rhs as {b.storage}")
    if not a.expressed is b.expressed is r.expressed:
        op.fail(expressed, f"expressed types differ: {a.expressed}, {b.expressed} and {r.expressed}")
    if per_tensor_result and b.is_per_tensor and not r.is_per_tensor:
        op.fail(per_tensor, f"rhs has one scale, the result must too, found {result}")
    return True
