"""tensor: making, slicing and reshaping tensors.

Offsets, sizes and strides are mixed lists: `static_x` holds integers, or None where the next value of the variadic
operand `x` stands instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, variadic_def
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import INDEX

Mixed = list[int | Value]
"""A list of integers and index values."""


def mixed(static: Sequence[Dim], dynamic: Sequence[Value]) -> Mixed:
    """Merge the two halves of a mixed list."""
    rest: Iterator[Value] = iter(dynamic)
    return [next(rest) if s is None else s for s in static]


def split_mixed(values: Sequence[int | Value]) -> tuple[tuple[Dim, ...], tuple[Value, ...]]:
    """The static and dynamic halves of a mixed list."""
    return (
        tuple(v if isinstance(v, int) else None for v in values),
        tuple(v for v in values if not isinstance(v, int)),
    )


def tensor_type(value: Value) -> TensorType:
    """The type of a value that must be a tensor."""
    if not isinstance(value.type, TensorType):
        raise TypeError(f"expected a tensor, found {value.type}")
    return value.type


@op("tensor.empty", PURE)
class EmptyOp(Op):
    """A tensor with undefined elements; one operand per dynamic dimension."""

    dynamic_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        need = self.result_type.shape.count(None)
        self.require(
            need == len(self.dynamic_dims), "dims", f"{need} dynamic dimensions, {len(self.dynamic_dims)} operands"
        )


@op("tensor.dim", PURE)
class DimOp(Op):
    """result = size of dimension `axis`."""

    operand: Value = operand_def()
    axis: int = attr_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self.operand)
        self.require(0 <= self.axis < t.rank, "axis", f"axis {self.axis} is outside of rank {t.rank}")
        return [INDEX]

    def complete(self) -> None:
        """MLIR has the axis as an operand."""
        if len(self.operands) != 2:
            return
        maker = self.operands[1].defining_op
        axis = maker.attributes.get("value") if maker is not None else None
        if not isinstance(axis, int):
            raise Unsupported("tensor.dim of a dimension that is computed", self.location, self.name)
        self.set_operands(self.operands[:1])
        self.attributes["axis"] = axis


@op("tensor.cast", PURE)
class CastOp(Op):
    """The same elements under a type with more or fewer known dimensions; run time checks that they agree."""

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()


@op("tensor.extract", PURE)
class ExtractOp(Op):
    """result = operand[indices]. Reads one element; inside linalg.generic a gather."""

    operand: Value = operand_def()
    indices: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self.operand)
        self.require(len(self.indices) == t.rank, "indices", f"{len(self.indices)} indices for rank {t.rank}")
        return [t.dtype]


@op("tensor.from_elements", PURE)
class FromElementsOp(Op):
    """A tensor of static shape from its elements in row-major order."""

    elements: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()


@op("tensor.splat", PURE)
class SplatOp(Op):
    """Every element is `value`; one further operand per dynamic dimension."""

    value: Value = operand_def()
    dynamic_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()


@op("tensor.extract_slice", PURE)
class ExtractSliceOp(Op):
    """result[i] = operand[offsets + i * strides], of shape `sizes`; unit dimensions may be dropped from the result."""

    operand: Value = operand_def()
    offsets: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    strides: Sequence[Value] = variadic_def()
    static_offsets: tuple[Dim, ...] = attr_def()
    static_sizes: tuple[Dim, ...] = attr_def()
    static_strides: tuple[Dim, ...] = attr_def()
    result_type: TensorType = result_type_def()

    @staticmethod
    def of(
        operand: Value,
        offsets: Sequence[int | Value],
        sizes: Sequence[int | Value],
        strides: Sequence[int | Value] | None = None,
        result_type: TensorType | None = None,
    ) -> ExtractSliceOp:
        """From mixed lists; the result keeps the operand's rank unless its type is given."""
        (so, do), (sz, dz) = split_mixed(offsets), split_mixed(sizes)
        ss, ds = split_mixed(strides if strides is not None else [1] * len(offsets))
        t = result_type or TensorType(sz, tensor_type(operand).dtype)
        return ExtractSliceOp(operand, do, dz, ds, so, sz, ss, t)

    @property
    def mixed_offsets(self) -> Mixed:
        return mixed(self.static_offsets, self.offsets)

    @property
    def mixed_sizes(self) -> Mixed:
        return mixed(self.static_sizes, self.sizes)

    @property
    def mixed_strides(self) -> Mixed:
        return mixed(self.static_strides, self.strides)


@op("tensor.insert_slice", PURE)
class InsertSliceOp(Op):
    """result = dest with dest[offsets + i * strides] = source[i]."""

    source: Value = operand_def()
    dest: Value = operand_def()
    offsets: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    strides: Sequence[Value] = variadic_def()
    static_offsets: tuple[Dim, ...] = attr_def()
    static_sizes: tuple[Dim, ...] = attr_def()
    static_strides: tuple[Dim, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [self.dest.type]

    @staticmethod
    def of(
        source: Value,
        dest: Value,
        offsets: Sequence[int | Value],
        sizes: Sequence[int | Value],
        strides: Sequence[int | Value] | None = None,
    ) -> InsertSliceOp:
        (so, do), (sz, dz) = split_mixed(offsets), split_mixed(sizes)
        ss, ds = split_mixed(strides if strides is not None else [1] * len(offsets))
        return InsertSliceOp(source, dest, do, dz, ds, so, sz, ss)

    @property
    def mixed_offsets(self) -> Mixed:
        return mixed(self.static_offsets, self.offsets)

    @property
    def mixed_sizes(self) -> Mixed:
        return mixed(self.static_sizes, self.sizes)

    @property
    def mixed_strides(self) -> Mixed:
        return mixed(self.static_strides, self.strides)


@op("tensor.pad", PURE)
class PadOp(Op):
    """result = operand with `low` and `high` elements of the scalar `value` around each dimension (none negative)."""

    operand: Value = operand_def()
    value: Value = operand_def()
    low: Sequence[Value] = variadic_def()
    high: Sequence[Value] = variadic_def()
    static_low: tuple[Dim, ...] = attr_def()
    static_high: tuple[Dim, ...] = attr_def()
    result_type: TensorType = result_type_def()

    @property
    def mixed_low(self) -> Mixed:
        return mixed(self.static_low, self.low)

    @property
    def mixed_high(self) -> Mixed:
        return mixed(self.static_high, self.high)


@op("tensor.concat", PURE)
class ConcatOp(Op):
    """The operands one after another along `axis`."""

    inputs: Sequence[Value] = variadic_def()
    axis: int = attr_def()

    def infer(self) -> Sequence[Type]:
        self.require(bool(self.inputs), "inputs", "at least one operand is needed")
        types = [tensor_type(v) for v in self.inputs]
        sizes = [t.shape[self.axis] for t in types]
        known = [s for s in sizes if s is not None]
        total = sum(known) if len(known) == len(sizes) else None
        shape = list(types[0].shape)
        for d in range(len(shape)):
            shape[d] = next((t.shape[d] for t in types if t.shape[d] is not None), None)
        shape[self.axis] = total
        return [TensorType(tuple(shape), types[0].dtype)]


@op("tensor.collapse_shape", PURE)
class CollapseShapeOp(Op):
    """Merge each group of adjacent dimensions into one; a view, no data moves."""

    operand: Value = operand_def()
    reassociation: tuple[tuple[int, ...], ...] = attr_def()
    result_type: TensorType = result_type_def()


@op("tensor.expand_shape", PURE)
class ExpandShapeOp(Op):
    """Split dimensions into groups of adjacent ones; a view. One operand per dynamic result dimension, in order."""

    operand: Value = operand_def()
    output_dims: Sequence[Value] = variadic_def()
    reassociation: tuple[tuple[int, ...], ...] = attr_def()
    result_type: TensorType = result_type_def()


@op("tensor.reshape", PURE)
class ReshapeOp(Op):
    """The same elements in row-major order under another shape; a view. One operand per dynamic result dimension."""

    operand: Value = operand_def()
    output_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()


@op("tensor.generate")
class GenerateOp(Op):
    """result[i] = body(i)."""

    dynamic_dims: Sequence[Value] = variadic_def()
    body: Region = region_def()
    result_type: TensorType = result_type_def()


@op("tensor.yield", TERMINATOR)
class YieldOp(Op):
    value: Value = operand_def()
