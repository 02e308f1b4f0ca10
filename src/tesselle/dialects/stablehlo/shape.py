"""Operations that make tensors or move elements by static rules."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import TypeExtensions
from tesselle.dialects.stablehlo.base import (
    NUMBER,
    QUANTIZED,
    merge_shapes,
    require_dims,
    require_in_range,
    require_positive,
    require_size,
    require_unique,
    same_dtype,
    shape_text,
    tensor_type,
    tensor_types,
)
from tesselle.dialects.stablehlo.quantized_rules import check_broadcast_dtype, check_reshaped, transposed_dtype
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import CONSTANT_LIKE, PURE, Op, Value, constant_elements
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def, variadic_def
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.support.dtypes import I32


@op("stablehlo.constant", PURE, CONSTANT_LIKE)
class ConstantOp(Op):
    """The tensor whose elements are `value`; those of a quantized tensor are stored integers.

    Errors: C1 (value is no tensor).
    """

    value: DenseElements = attr_def()

    def complete(self) -> None:
        """MLIR has no elements of quantized type: what is written as integers is quantized where the result is."""
        v, t = self.attributes.get("value"), self.results[0].type if len(self.results) == 1 else None
        if not isinstance(v, DenseElements) or not isinstance(t, TensorType) or not isinstance(v.type, TensorType):
            return
        if isinstance(t.dtype, QuantizedType) and v.type.dtype is t.dtype.storage and v.type.shape == t.shape:
            self.attributes["value"] = DenseElements(v.array, t)

    def infer(self) -> Sequence[Type]:
        v = self.attributes.get("value")
        if not isinstance(v, DenseElements) or not isinstance(v.type, TensorType):
            self.fail("C1", "value must be elements of a tensor")
            raise AssertionError
        return (v.type,)


@op("stablehlo.iota", PURE)
class IotaOp(Op):
    """result[i] = i[iota_dimension]. Errors: C1 (iota_dimension is no dimension of the result)."""

    iota_dimension: int = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = tensor_type(self, self.result_type, "result", NUMBER | QUANTIZED)
        require_in_range(self, (self.iota_dimension,), t.rank, "C1", "iota_dimension")


@op("stablehlo.reshape", PURE)
class ReshapeOp(Op):
    """The elements of the operand, in row-major order, in another shape.

    The axis of a quantized tensor may get another number, but stays as it is.
    Errors: C1 (element type), C2 (number of elements), C3 (the quantized axis). Source: spec, reshape.
    """

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, per_axis=True)
        b = tensor_type(self, self.result_type, "result", per_axis=True)
        if a.dtype is not b.dtype or a.dtype.is_quantized:
            check_reshaped(self, a, b)
        if a.is_static and b.is_static and a.element_count != b.element_count:
            self.fail("C2", f"{a} has {a.element_count} elements, {b} has {b.element_count}")


@op("stablehlo.transpose", PURE)
class TransposeOp(Op):
    """result[i] = operand[j], where i[d] = j[permutation[d]].

    Shapes: operand [d0..dr-1] -> [d_p for p in permutation]. A quantized axis moves along.
    Errors: C2 (not a permutation). Source: spec, transpose.
    """

    operand: Value = operand_def()
    permutation: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t, p = tensor_type(self, self.operand, per_axis=True), self.permutation
        if sorted(p) != list(range(t.rank)):
            self.fail("C2", f"permutation {list(p)} is not a permutation of range({t.rank})")
        return (TensorType(tuple([t.shape[d] for d in p]), transposed_dtype(t.dtype, p)),)


@op("stablehlo.broadcast_in_dim", PURE)
class BroadcastInDimOp(Op):
    """result[i] = operand[j], where j[k] = i[broadcast_dimensions[k]], or 0 where the operand's dimension is 1.

    Errors: C1 (element type), C2, C3, C4 (dimensions), C5 (sizes), C6 (quantized axis). Source: spec, broadcast_in_dim.
    """

    operand: Value = operand_def()
    broadcast_dimensions: tuple[int, ...] = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, per_axis=True)
        b = tensor_type(self, self.result_type, "result", per_axis=True)
        if a.dtype is not b.dtype:
            check_broadcast_dtype(self, a, b, (), axes=False)
        dims = self.broadcast_dimensions
        require_size(self, dims, a.rank, "C2", "broadcast_dimensions")
        require_in_range(self, dims, b.rank, "C3", "broadcast_dimensions")
        require_unique(self, dims, "C4", "broadcast_dimensions")
        for j, i in enumerate(dims):
            size = a.shape[j]
            if size != 1 and size != b.shape[i] and size is not None and b.shape[i] is not None:
                self.fail("C5", f"dimension {j} of the operand is {size}, dimension {i} of the result is {b.shape[i]}")
        if a.dtype.is_quantized:
            check_broadcast_dtype(self, a, b, dims, axes=True)


@op("stablehlo.broadcast", PURE)
class BroadcastOp(Op):
    """The operand repeated along new leading dimensions. Errors: C1 (a negative size)."""

    operand: Value = operand_def()
    broadcast_sizes: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand)
        self.require(all(s >= 0 for s in self.broadcast_sizes), "C1", "broadcast_sizes must not be negative")
        return (TensorType((*self.broadcast_sizes, *t.shape), t.dtype),)


@op("stablehlo.concatenate", PURE)
class ConcatenateOp(Op):
    """The inputs one behind the other along `dimension`.

    Errors: C1 (element types), C2 (other dimensions), C3 (no input), C4 (dimension). Source: spec, concatenate.
    """

    inputs: Sequence[Value] = variadic_def()
    dimension: int = attr_def()

    def infer(self) -> Sequence[Type]:
        self.require(len(self.inputs) > 0, "C3", "concatenate needs an input")
        types = tensor_types(self, self.inputs, "I1")
        dtype = same_dtype(self, types, "C1", "inputs")
        d, first = self.dimension, types[0]
        self.require(all(t.rank == first.rank for t in types), "C2", "inputs must have the same rank")
        require_in_range(self, (d,), first.rank, "C4", "dimension")
        sizes = [t.shape[d] for t in types]
        others = [t.shape[:d] + t.shape[d + 1 :] for t in types]
        shape = merge_shapes(self, others, "C2", f"inputs, but for dimension {d},")
        known = [s for s in sizes if s is not None]
        total: Dim = sum(known) if len(known) == len(sizes) else None
        return (TensorType((*shape[:d], total, *shape[d:]), dtype),)


@op("stablehlo.reverse", PURE)
class ReverseOp(Op):
    """The operand with the order of elements reversed along `dimensions`. Errors: C2 (twice), C3 (no dimension)."""

    operand: Value = operand_def()
    dimensions: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand)
        require_unique(self, self.dimensions, "C2", "dimensions")
        require_in_range(self, self.dimensions, t.rank, "C3", "dimensions")
        return (t,)


@op("stablehlo.slice", PURE)
class SliceOp(Op):
    """result[i] = operand[start_indices + i * strides].

    Shapes: result[d] = ceil((limit[d] - start[d]) / stride[d]).
    Errors: C2 (sizes), C3 (bounds), C4 (strides). Source: spec, slice.
    """

    operand: Value = operand_def()
    start_indices: tuple[int, ...] = attr_def()
    limit_indices: tuple[int, ...] = attr_def()
    strides: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand)
        start, limit, strides = self.start_indices, self.limit_indices, self.strides
        for name, values in (("start_indices", start), ("limit_indices", limit), ("strides", strides)):
            require_size(self, values, t.rank, "C2", name)
        for d, (low, high, size) in enumerate(zip(start, limit, t.shape, strict=True)):
            if not 0 <= low <= high or (size is not None and high > size):
                self.fail("C3", f"slice [{low}:{high}] of dimension {d} does not lie in {shape_text(t.shape)}")
        require_positive(self, strides, "C4", "strides")
        shape = tuple([-((a - b) // s) for a, b, s in zip(start, limit, strides, strict=True)])
        return (TensorType(shape, t.dtype),)


@op("stablehlo.pad", PURE)
class PadOp(Op):
    """The operand with `padding_value` around it and between its elements; negative edges cut.

    Shapes: result[d] = low[d] + max(size - 1, 0) * interior[d] + size + high[d].
    Errors: I2 (rank of the value), C1 (element types), C2 (sizes), C3 (interior < 0), C4 (negative result).
    Source: spec, pad.
    """

    operand: Value = operand_def()
    padding_value: Value = operand_def()
    edge_padding_low: tuple[int, ...] = attr_def()
    edge_padding_high: tuple[int, ...] = attr_def()
    interior_padding: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t, v = tensor_type(self, self.operand), tensor_type(self, self.padding_value, "I2")
        self.require(v.rank == 0, "I2", f"padding_value must have rank 0, found {v}")
        same_dtype(self, (t, v), "C1", "operand and padding_value")
        low, high, interior = self.edge_padding_low, self.edge_padding_high, self.interior_padding
        for name, values in (("edge_padding_low", low), ("edge_padding_high", high), ("interior_padding", interior)):
            require_size(self, values, t.rank, "C2", name)
        self.require(all(i >= 0 for i in interior), "C3", f"interior_padding {list(interior)} must not be negative")
        shape: list[Dim] = []
        for d, size in enumerate(t.shape):
            if size is None:
                shape.append(None)
                continue
            out = low[d] + max(size - 1, 0) * interior[d] + size + high[d]
            self.require(out >= 0, "C4", f"dimension {d} would have size {out}")
            shape.append(out)
        return (TensorType(tuple(shape), t.dtype),)


@op("stablehlo.get_dimension_size", PURE)
class GetDimensionSizeOp(Op):
    """The size of a dimension, as tensor<i32>. Errors: C1."""

    operand: Value = operand_def()
    dimension: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand, per_axis=True)
        require_in_range(self, (self.dimension,), t.rank, "C1", "dimension")
        return (TensorType((), I32),)


@op("stablehlo.set_dimension_size", PURE)
class SetDimensionSizeOp(Op):
    """The operand with `size` elements along `dimension`, which becomes dynamic; its static size, or its bound, becomes
    the bound. What is cut off is gone: elements beyond the operand's are zeros.

    Errors: I2 (size is not tensor<i32>), C1 (dimension). Source: XLA operation semantics, SetDimensionSize.
    """

    operand: Value = operand_def()
    size: Value = operand_def()
    dimension: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t, s = tensor_type(self, self.operand), tensor_type(self, self.size, "I2")
        self.require(s.rank == 0 and s.dtype is I32, "I2", f"size must be tensor<i32>, found {s}")
        d = self.dimension
        require_in_range(self, (d,), t.rank, "C1", "dimension")
        bounds = list(t.bounds)
        bounds[d] = t.shape[d] if t.shape[d] is not None else bounds[d]
        known = constant_elements(self.size)
        size = int(known.array.reshape(-1)[0]) if known is not None else None
        shape = [*t.shape[:d], None, *t.shape[d + 1 :]]
        if size is not None and size == bounds[d]:
            shape[d], bounds[d] = size, None
        encoding = TypeExtensions(tuple(bounds)) if any(n is not None for n in bounds) else None
        return (TensorType(tuple(shape), t.dtype, encoding),)

    def verify_types(self) -> None:
        (expected,) = self.infer()
        t = tensor_type(self, self.results[0], "result")
        assert isinstance(expected, TensorType)
        require_dims(self, t.rank, expected.rank, "type", "ranks of operand and result")
        merge_shapes(self, (t.shape, expected.shape), "type", "operand and result")
