"""What the makers of operations build with: a block, the values that are visible in it, and a source of choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from tesselle.dialects.core.ml_program import GlobalOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.elementwise import ConvertOp
from tesselle.dialects.stablehlo.shape import BroadcastInDimOp, ConstantOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import DType

from .values import ALL, Array, random_array, random_dtype, random_shape

OpT = TypeVar("OpT", bound=Op)


class Scope:
    """A block that grows. Values of enclosing scopes are visible; only the outermost one can take new arguments."""

    def __init__(self, random: Random, block: Block, outer: Scope | None = None, isolated: bool = False) -> None:
        self.random = random
        self.block = block
        self.outer = outer
        self.values: list[Value] = list(block.args)
        self.arrays: list[Array] = []
        self.variables: list[GlobalOp] | None = None if outer is None else outer.variables
        """What the program keeps between calls; None for programs that keep nothing."""
        self._visible_outside = [] if outer is None or isolated else outer.visible()

    @property
    def depth(self) -> int:
        return 0 if self.outer is None else self.outer.depth + 1

    def visible(self) -> list[Value]:
        return [*self._visible_outside, *self.values]

    def insert(self, op: OpT) -> OpT:
        """Append `op`; its results can be used from now on."""
        self.block.append(op)
        self.values.extend(op.results)
        return op

    def constant(self, array: Array, dtype: DType) -> Value:
        t = TensorType(array.shape, dtype)
        return self.insert(ConstantOp(DenseElements(array, t))).result

    # ------------------------------------------------------------------------------------------ values to work on

    def fresh(self, shape: tuple[int, ...], dtype: DType) -> Value:
        """A new argument, or a constant."""
        array = random_array(self.random, dtype, shape)
        if self.outer is not None or self.random.random() < 0.15:
            return self.constant(array, dtype)
        self.arrays.append(array)
        value = self.block.add_arg(TensorType(shape, dtype))
        self.values.append(value)
        return value

    def pick(self, among: Sequence[DType] = ALL, fits: Callable[[TensorType], bool] = lambda t: True) -> Value:
        """Some value of one of the types, late ones more often; a new one when there is none that fits."""
        found = [v for v in self.visible() if type_of(v).dtype in among and fits(type_of(v))]
        if found and self.random.random() < 0.85:
            return self.random.choice(found[-6:] if self.random.random() < 0.6 else found)
        shape = random_shape(self.random)
        for _ in range(50):
            if fits(TensorType(shape, among[0])):
                break
            shape = random_shape(self.random)
        else:
            shape = (3, 2)
        return self.fresh(shape, random_dtype(self.random, tuple(among)))

    def like(self, shape: tuple[int, ...], dtype: DType) -> Value:
        """A value of just this type: one that is there, one converted or broadcast, or a new one."""
        visible = self.visible()
        exact = [v for v in visible if type_of(v) == TensorType(shape, dtype)]
        if exact and self.random.random() < 0.7:
            return self.random.choice(exact)
        if self.random.random() < 0.3:
            scalars = [v for v in visible if type_of(v) == TensorType((), dtype)]
            if scalars and shape:
                return self.insert(BroadcastInDimOp(self.random.choice(scalars), (), TensorType(shape, dtype))).result
            same = [v for v in visible if type_of(v).shape == shape and type_of(v).dtype.is_complex <= dtype.is_complex]
            if same:
                return self.convert(self.random.choice(same), dtype)
        return self.fresh(shape, dtype)

    def convert(self, value: Value, dtype: DType) -> Value:
        t = type_of(value)
        return value if t.dtype is dtype else self.insert(ConvertOp(value, TensorType(t.shape, dtype))).result

    # ------------------------------------------------------------------------------------------ regions

    def region(
        self, arguments: Sequence[TensorType], build: Callable[[Scope], Sequence[Value]], isolated: bool = True
    ) -> Region:
        """A region whose block `build` fills; what `build` gives is returned. Isolated: nothing from outside."""
        block = Block(list(arguments))
        inner = Scope(self.random, block, self, isolated)
        block.append(ReturnOp(list(build(inner))))
        return Region([block])


def type_of(value: Value) -> TensorType:
    t = value.type
    assert isinstance(t, TensorType)
    return t


def shape_of(value: Value) -> tuple[int, ...]:
    return type_of(value).static_shape


def scalar(dtype: DType) -> TensorType:
    return TensorType((), dtype)
