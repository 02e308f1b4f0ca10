"""Arithmetic on sizes that may be known: `int` while they are constants, index values otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from tesselle.dialects.core.arith import AddIOp, CeilDivSIOp, ConstantOp, MulIOp, SubIOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import INDEX

Size = int | Value
"""A constant or a value of type index."""


def constant_index(value: Value) -> int | None:
    """The number that `value` is known to be, else None."""
    op = value.defining_op
    if isinstance(op, ConstantOp) and isinstance(op.value, int):
        return int(op.value)
    return None


def fold(size: Size) -> Size:
    """A size as `int` when it is a constant."""
    if isinstance(size, int):
        return size
    known = constant_index(size)
    return size if known is None else known


class IndexBuilder:
    """Computes with sizes in front of a place; constants fold and make no operations."""

    def __init__(self, builder: Builder, constants: dict[int, Value] | None = None, entry: Block | None = None) -> None:
        """With `constants` and `entry`, every constant is made once, at the beginning of the block `entry`."""
        self.builder = builder
        self.constants = constants
        self.entry = entry

    def value(self, size: Size) -> Value:
        """The size as a value of type index."""
        if isinstance(size, Value):
            return size
        if self.constants is None or self.entry is None:
            return self.builder.insert(ConstantOp(size, INDEX)).result
        found = self.constants.get(size)
        if found is None:
            op = ConstantOp(size, INDEX)
            self.entry.insert(op, self.entry.first)
            found = self.constants[size] = op.result
        return found

    def add(self, a: Size, b: Size) -> Size:
        a, b = fold(a), fold(b)
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 and isinstance(a, int):
            return b
        if b == 0 and isinstance(b, int):
            return a
        return self.builder.insert(AddIOp(self.value(a), self.value(b))).result

    def subtract(self, a: Size, b: Size) -> Size:
        a, b = fold(a), fold(b)
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        if isinstance(b, int) and b == 0:
            return a
        return self.builder.insert(SubIOp(self.value(a), self.value(b))).result

    def multiply(self, a: Size, b: Size) -> Size:
        a, b = fold(a), fold(b)
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for x, y in ((a, b), (b, a)):
            if isinstance(x, int) and x in (0, 1):
                return y if x else 0
        return self.builder.insert(MulIOp(self.value(a), self.value(b))).result

    def product(self, sizes: Iterable[Size]) -> Size:
        """Constants first, so that one multiplication remains of them."""
        known, result = 1, list[Value]()
        for size in sizes:
            size = fold(size)
            if isinstance(size, int):
                known *= size
            else:
                result.append(size)
        total: Size = known
        for value in result:
            total = self.multiply(total, value)
        return total

    def align(self, size: Size, alignment: int) -> Size:
        """`size` rounded up to a multiple of `alignment`."""
        size = fold(size)
        if isinstance(size, int):
            return -(-size // alignment) * alignment
        blocks = self.builder.insert(CeilDivSIOp(size, self.value(alignment))).result
        return self.multiply(blocks, alignment)

    def bytes_of(self, tensor: TensorType, dims: Iterable[Size]) -> Size:
        """Bytes of a dense tensor with these dimensions."""
        return self.product([*dims, tensor.dtype.size_bytes])
