"""vector: SIMD values inside kernels. Vectors have static shape; masks are vectors of i1."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tesselle.dialects.core.memref import memref_type
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, optional_operand_def, result_type_def, variadic_def
from tesselle.ir.types import DType, Type, VectorType
from tesselle.support.dtypes import I1, INDEX


class CombiningKind(enum.Enum):
    """How a reduction combines two elements; float kinds follow the arith operation of the same name."""

    ADD = "add"
    MUL = "mul"
    MINSI = "minsi"
    MINUI = "minui"
    MAXSI = "maxsi"
    MAXUI = "maxui"
    MINIMUMF = "minimumf"
    MAXIMUMF = "maximumf"
    AND = "and"
    OR = "or"
    XOR = "xor"


def vector_type(value: Value) -> VectorType:
    """The type of a value that must be a vector."""
    if not isinstance(value.type, VectorType):
        raise TypeError(f"expected a vector, found {value.type}")
    return value.type


@op("vector.load")
class LoadOp(Op):
    """result[j] = memref[indices + (0, …, j)]: contiguous elements of the last dimension, which has stride 1."""

    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()
    result_type: VectorType = result_type_def()


@op("vector.store")
class StoreOp(Op):
    """memref[indices + (0, …, j)] = value[j]. `nontemporal` bypasses the caches."""

    value: Value = operand_def()
    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()
    nontemporal: bool = attr_def(default=False)


@op("vector.maskedload")
class MaskedLoadOp(Op):
    """result[j] = mask[j] ? memref[indices + j] : pass_through[j]; memory is read only where the mask is set."""

    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()
    mask: Value = operand_def()
    pass_through: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.pass_through.type]


@op("vector.maskedstore")
class MaskedStoreOp(Op):
    """memref[indices + j] = value[j] where mask[j]."""

    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()
    mask: Value = operand_def()
    value: Value = operand_def()


@op("vector.gather")
class GatherOp(Op):
    """result[j] = mask[j] ? flat(memref)[linear[j]] : pass_through[j].

    `linear` holds element offsets (vector of index) from the first element of the view.
    """

    memref: Value = operand_def()
    linear: Value = operand_def()
    mask: Value = operand_def()
    pass_through: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.pass_through.type]


@op("vector.broadcast", PURE)
class BroadcastOp(Op):
    """Every lane is the scalar, or every leading row the vector."""

    source: Value = operand_def()
    result_type: VectorType = result_type_def()


@op("vector.step", PURE)
class StepOp(Op):
    """result[j] = j : vector of index."""

    result_type: VectorType = result_type_def()


@op("vector.create_mask", PURE)
class CreateMaskOp(Op):
    """result[j] = j < size, for a one-dimensional mask."""

    size: Value = operand_def()
    result_type: VectorType = result_type_def()

    def check(self) -> None:
        self.require(self.size.type == INDEX, "size", f"size is of type index, found {self.size.type}")
        self.require(self.result_type.dtype == I1, "type", "a mask has elements of type i1")


@op("vector.fma", PURE)
class FmaOp(Op):
    """a * b + c per lane, rounded once where the target can."""

    a: Value = operand_def()
    b: Value = operand_def()
    c: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.a.type]


@op("vector.reduction", PURE)
class ReductionOp(Op):
    """result = combine of all lanes, and of `acc` when given. Order of combination is a tree over the lanes."""

    kind: CombiningKind = attr_def()
    vector: Value = operand_def()
    acc: Value | None = optional_operand_def()

    def infer(self) -> Sequence[Type]:
        return [vector_type(self.vector).dtype]


@op("vector.extract", PURE)
class ExtractOp(Op):
    """result = vector[position]: a lane (scalar) or a row."""

    vector: Value = operand_def()
    position: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        t = vector_type(self.vector)
        rest = t.shape[len(self.position) :]
        return [VectorType(rest, t.dtype) if rest else t.dtype]


@op("vector.insert", PURE)
class InsertOp(Op):
    """result = dest with dest[position] = value."""

    value: Value = operand_def()
    dest: Value = operand_def()
    position: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [self.dest.type]


@op("vector.shuffle", PURE)
class ShuffleOp(Op):
    """result[j] = concat(a, b)[lanes[j]]."""

    a: Value = operand_def()
    b: Value = operand_def()
    lanes: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [VectorType((len(self.lanes),), vector_type(self.a).dtype)]


def lane_type(type: Type, lanes: int) -> VectorType:
    """The vector of `lanes` elements of the scalar `type`."""
    if not isinstance(type, DType):
        raise TypeError(f"{type} is not a scalar")
    return VectorType((lanes,), type)


def element_memref_dtype(memref: Value) -> DType:
    return memref_type(memref).dtype
