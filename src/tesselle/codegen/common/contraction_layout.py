"""Layouts of contractions: sizes as products of numbers and values, strides of operands along loops, linear indices.

A contraction walks groups of loops (batch, rows, columns, reduction), each by one linear index. `Segments` says where
an operand's element for a linear index lies; adjacent loops that are contiguous to each other are one segment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from tesselle.codegen.common import index_math as ix
from tesselle.dialects.core import arith
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import DType


@dataclass(frozen=True)
class Extent:
    """A size or stride: `coefficient` times the index values `factors` (in a fixed order, so that equal ones compare
    so).
    """

    coefficient: int
    factors: tuple[Value, ...] = ()

    @staticmethod
    def of(size: ix.Size) -> Extent:
        k = ix.known(size)
        if k is not None:
            return Extent(k)
        assert isinstance(size, Value)
        product = size.defining_op
        if isinstance(product, arith.MulIOp):
            by = ix.known(product.rhs)
            if by is not None:
                return Extent(by) * Extent.of(product.lhs)
        return Extent(1, (size,))

    def __mul__(self, other: Extent) -> Extent:
        coefficient = self.coefficient * other.coefficient
        if coefficient == 0:
            return ZERO
        return Extent(coefficient, tuple(sorted((*self.factors, *other.factors), key=id)))

    @property
    def known(self) -> int | None:
        """The number, when no value enters."""
        return None if self.factors else self.coefficient

    def value(self, b: Builder) -> ix.Size:
        """The number, or arithmetic on the factors."""
        return ix.product(b, [self.coefficient, *self.factors])

    def is_multiple_of(self, n: int) -> bool:
        return self.coefficient % n == 0

    def estimate(self, unknown: int) -> int:
        """The number, with `unknown` for each value."""
        return self.coefficient * unknown ** len(self.factors)


ZERO = Extent(0)
ONE = Extent(1)


def product_of(extents: Sequence[Extent]) -> Extent:
    return reduce(lambda x, y: x * y, extents, ONE)


@dataclass(frozen=True)
class Operand:
    """Memory that a contraction touches: element = buffer[offset + sum(counter of loop * strides[loop])], flat.

    `buffer` is a dense memref; loops that are not in `strides` do not move.
    """

    buffer: Value
    dtype: DType
    strides: Mapping[int, Extent]
    offset: int = 0

    def stride(self, loop: int) -> Extent:
        return self.strides.get(loop, ZERO)


@dataclass(frozen=True)
class Segments:
    """How an operand moves along one linear index: (size, stride) of each segment, outermost first."""

    parts: tuple[tuple[Extent, Extent], ...]

    @staticmethod
    def along(loops: Sequence[int], sizes: Mapping[int, Extent], operand: Operand) -> Segments:
        """The segments of `operand` for the row-major linear index of `loops`."""
        return Segments.merged([(sizes[d], operand.stride(d)) for d in loops])

    @staticmethod
    def merged(parts: Sequence[tuple[Extent, Extent]]) -> Segments:
        result: list[tuple[Extent, Extent]] = []
        for size, stride in parts:
            if size.known == 1:
                continue
            if result and result[-1][1] == size * stride:
                result[-1] = (result[-1][0] * size, stride)
            else:
                result.append((size, stride))
        return Segments(tuple(result))

    @property
    def inner_stride(self) -> Extent:
        """The step from one linear index to the next, inside of a segment."""
        return self.parts[-1][1] if self.parts else ZERO

    def keeps_together(self, count: int) -> bool:
        """Whether each run of `count` linear indices that starts at a multiple of it lies in one segment."""
        return len(self.parts) <= 1 or all(size.is_multiple_of(count) for size, _ in self.parts[-1:])

    def locate(self, b: Builder, linear: ix.Size) -> ix.Size:
        """Offset of the element for a linear index."""
        if not self.parts:
            return 0
        offset: ix.Size = 0
        for position, (size, stride) in reversed(list(enumerate(self.parts))):
            digit = linear
            if position:
                length = size.value(b)
                digit, linear = ix.remainder(b, linear, length), ix.floordiv(b, linear, length)
            offset = ix.add(b, offset, ix.mul(b, digit, stride.value(b)))
        return offset


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def balanced(total: int, most: int) -> int:
    """The size of equal parts of `total`, none larger than `most`."""
    return math.ceil(total / math.ceil(total / most)) if total else 1
