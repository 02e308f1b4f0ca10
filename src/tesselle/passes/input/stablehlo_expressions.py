"""Tensors with Python's operators, to write expansions into StableHLO as formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.chlo.elementwise import ConstantLikeOp
from tesselle.dialects.core.complex import ComplexAttr
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.stablehlo.indexing import DynamicSliceOp, DynamicUpdateSliceOp
from tesselle.ir.attributes import Attribute, DenseElements, FloatAttr, IntegerAttr
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import DType

Array = np.ndarray[Any, Any]


class Tensor:
    """A value of StableHLO; numbers become splat constants of its type."""

    def __init__(self, b: Builder, value: Value) -> None:
        self.b, self.value = b, value

    @property
    def type(self) -> TensorType:
        return tensor_type(self.value)

    def number(self, value: Any) -> Tensor:
        """A splat of this shape and type."""
        t = self.type
        if t.is_static:
            return splat(self.b, value, t)
        return self._of(ConstantLikeOp, self.value, _number_attribute(value, t.dtype))

    def _of(self, cls: Any, *args: Any) -> Tensor:
        return Tensor(self.b, self.b.insert(cls(*args)).result)

    def _other(self, other: Tensor | int | float) -> Value:
        return other.value if isinstance(other, Tensor) else self.number(other).value

    def __add__(self, other: Tensor | int | float) -> Tensor:
        return self._of(e.AddOp, self.value, self._other(other))

    def __sub__(self, other: Tensor | int | float) -> Tensor:
        return self._of(e.SubtractOp, self.value, self._other(other))

    def __mul__(self, other: Tensor | int | float) -> Tensor:
        return self._of(e.MultiplyOp, self.value, self._other(other))

    def __mod__(self, other: Tensor | int | float) -> Tensor:
        return self._of(e.RemainderOp, self.value, self._other(other))

    def __and__(self, other: Tensor | int) -> Tensor:
        return self._of(e.AndOp, self.value, self._other(other))

    def __or__(self, other: Tensor | int) -> Tensor:
        return self._of(e.OrOp, self.value, self._other(other))

    def __xor__(self, other: Tensor | int) -> Tensor:
        return self._of(e.XorOp, self.value, self._other(other))

    def __lshift__(self, other: Tensor | int) -> Tensor:
        return self._of(e.ShiftLeftOp, self.value, self._other(other))

    def __rshift__(self, other: Tensor | int) -> Tensor:
        """Logical: zeros come in from above."""
        return self._of(e.ShiftRightLogicalOp, self.value, self._other(other))

    def apply(self, cls: Any, *others: Tensor | int | float) -> Tensor:
        """An elementwise operation."""
        return self._of(cls, self.value, *(self._other(o) for o in others))

    def compare(self, direction: ComparisonDirection, other: Tensor | int | float) -> Tensor:
        return self._of(e.CompareOp, self.value, self._other(other), direction)

    def __lt__(self, other: Tensor | int | float) -> Tensor:
        return self.compare(ComparisonDirection.LT, other)

    def __le__(self, other: Tensor | int | float) -> Tensor:
        return self.compare(ComparisonDirection.LE, other)

    def __gt__(self, other: Tensor | int | float) -> Tensor:
        return self.compare(ComparisonDirection.GT, other)

    def __ge__(self, other: Tensor | int | float) -> Tensor:
        return self.compare(ComparisonDirection.GE, other)

    def __truediv__(self, other: Tensor | int | float) -> Tensor:
        """Of integers cut towards zero."""
        return self._of(e.DivideOp, self.value, self._other(other))

    def __neg__(self) -> Tensor:
        return self._of(e.NegateOp, self.value)

    def equals(self, other: Tensor | int | float) -> Tensor:
        return self.compare(ComparisonDirection.EQ, other)

    def where(self, condition: Tensor, other: Tensor | int | float) -> Tensor:
        """self where the condition holds, else other."""
        return self._of(e.SelectOp, condition.value, self.value, self._other(other))

    def convert(self, dtype: DType) -> Tensor:
        return self if self.type.dtype is dtype else self._of(e.ConvertOp, self.value, self.type.with_dtype(dtype))

    def bitcast(self, t: TensorType) -> Tensor:
        return self if self.type == t else self._of(e.BitcastConvertOp, self.value, t)

    def reshape(self, shape: Sequence[int]) -> Tensor:
        t = TensorType(tuple(shape), self.type.dtype)
        return self if self.type == t else self._of(s.ReshapeOp, self.value, t)

    def transpose(self, permutation: Sequence[int]) -> Tensor:
        same = list(permutation) == list(range(self.type.rank))
        return self if same else self._of(s.TransposeOp, self.value, tuple(permutation))

    def broadcast(self, shape: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
        """broadcast_in_dim to `shape`."""
        t = TensorType(tuple(shape), self.type.dtype)
        return self if self.type == t else self._of(s.BroadcastInDimOp, self.value, tuple(dims), t)

    def slice(self, start: Sequence[int], limit: Sequence[int]) -> Tensor:
        return self._of(s.SliceOp, self.value, tuple(start), tuple(limit), (1,) * len(start))

    def element(self, index: int) -> Tensor:
        """Element `index` of a vector, as a tensor of rank 0."""
        return self.slice([index], [index + 1]).reshape([])

    def at(self, index: Tensor, axis: int) -> Tensor:
        """The slice at a computed index of one axis, without that axis."""
        zero = index.number(0)
        sizes = [1 if d == axis else size or 0 for d, size in enumerate(self.type.shape)]
        starts = tuple(index.value if d == axis else zero.value for d in range(len(sizes)))
        picked = self._of(DynamicSliceOp, self.value, starts, tuple(sizes))
        return picked.reshape([size for d, size in enumerate(sizes) if d != axis])

    def with_slice(self, part: Tensor, index: Tensor, axis: int) -> Tensor:
        """This tensor with `part` in place of the slice at a computed index of one axis."""
        zero = index.number(0)
        shape = part.type.static_shape
        starts = tuple(index.value if d == axis else zero.value for d in range(len(shape) + 1))
        update = part.reshape([*shape[:axis], 1, *shape[axis:]])
        return self._of(DynamicUpdateSliceOp, self.value, update.value, starts)


def _number_attribute(value: Any, dtype: DType) -> Attribute:
    """A number with its type."""
    if dtype.is_bool:
        return bool(value)
    if dtype.is_complex:
        return ComplexAttr(complex(value), dtype)
    return FloatAttr(float(value), dtype) if dtype.is_float else IntegerAttr(int(value), dtype)


def splat(b: Builder, value: Any, t: TensorType) -> Tensor:
    return Tensor(b, b.insert(s.ConstantOp(DenseElements.splat(value, t))).result)


def iota(b: Builder, shape: Sequence[int], axis: int, dtype: DType) -> Tensor:
    return Tensor(b, b.insert(s.IotaOp(axis, TensorType(tuple(shape), dtype))).result)


def concatenate(parts: Sequence[Tensor], axis: int) -> Tensor:
    b = parts[0].b
    return Tensor(b, b.insert(s.ConcatenateOp(tuple(p.value for p in parts), axis)).result)


def counted_loop(
    b: Builder,
    count: Tensor,
    init: Sequence[Value],
    body: Callable[[Builder, Tensor, list[Tensor]], Sequence[Value]],
) -> list[Value]:
    """state = body(i, state) for i = 0 … count - 1; the last state. `count`: of rank 0, any integer type."""
    types = [count.type, *(v.type for v in init)]
    cond, step = Block(types), Block(types)
    inner = Builder(cond, None, b.location)
    go_on = Tensor(inner, cond.args[0]) < count
    inner.insert(ReturnOp((go_on.value,)))
    inner = Builder(step, None, b.location)
    i, *state = (Tensor(inner, v) for v in step.args)
    values = body(inner, i, state)
    inner.insert(ReturnOp(((i + 1).value, *values)))
    start = splat(b, 0, count.type)
    loop = b.insert(WhileOp((start.value, *init), Region([cond]), Region([step])))
    return list(loop.results[1:])
