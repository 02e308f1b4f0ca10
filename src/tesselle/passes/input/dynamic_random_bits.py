"""Threefry-2x32 and Philox-4x32 for shapes that are known when the program runs: the bits of `random_bits`.

Every element finds its own counter, and which of the counter's words is its own. Which dimension Threefry takes pairs
along depends on which sizes are even: the host decides it when it knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp, DynamicIotaOp
from tesselle.ir.types import TensorType
from tesselle.passes.input.random_bits import join, philox, split, threefry
from tesselle.passes.input.stablehlo_expressions import Tensor, concatenate
from tesselle.support.dtypes import DTYPES, UI64


class _Elements:
    """The elements of a shape: their places, and scalars spread over them. Numbers are ui64."""

    def __init__(self, shape: Tensor, t: TensorType) -> None:
        self.b, self.shape, self.type = shape.b, shape, t
        self.sizes = [shape.element(d).convert(UI64) for d in range(t.rank)]

    def place(self, axis: int) -> Tensor:
        t = self.type.with_dtype(UI64)
        return Tensor(self.b, self.b.insert(DynamicIotaOp(self.shape.value, axis, t)).result)

    def spread(self, scalar: Tensor) -> Tensor:
        t = self.type.with_dtype(scalar.type.dtype)
        return Tensor(self.b, self.b.insert(DynamicBroadcastInDimOp(scalar.value, self.shape.value, (), t)).result)

    def number(self, places: Sequence[Tensor], sizes: Sequence[Tensor]) -> Tensor:
        """The place in row-major order of a shape of these sizes."""
        total = places[0]
        for place, size in zip(places[1:], sizes[1:], strict=True):
            total = total * self.spread(size) + place
        return total


def _product(sizes: Sequence[Tensor]) -> Tensor:
    total = sizes[0]
    for size in sizes[1:]:
        total = total * size
    return total


def _paired_axis(sizes: Sequence[Tensor]) -> list[Tensor]:
    """Of every dimension whether it is that of the pairs: the first even one, else the first of the longest."""
    even = [(size % 2).equals(0) for size in sizes]
    earlier, flags = even[0], [even[0]]
    for flag in even[1:]:
        flags.append(flag & (earlier ^ True))
        earlier = earlier | flag
    for d, size in enumerate(sizes):
        longest = earlier ^ True
        for k, other in enumerate(sizes):
            if k != d:
                longest = longest & (other < size if k < d else other <= size)
        flags[d] = flags[d] | longest
    return flags


def threefry_bits(state: Tensor, shape: Tensor, t: TensorType, bits: int) -> tuple[Tensor, Tensor]:
    """Words of `bits` bits in the shape `shape`, of type `t`, and the next state; state: ui64 [key, counter]."""
    elements = _Elements(shape, t)
    key, counter = state.element(0), state.element(1)
    places, sizes = [elements.place(d) for d in range(t.rank)], elements.sizes
    which: Tensor | None = None
    if bits != 64:
        halved = list[Tensor]()
        for d, flag in enumerate(_paired_axis(sizes)):
            spread = elements.spread(flag)
            odd = (places[d] & 1).where(spread, 0)
            which = odd if which is None else which | odd
            places[d] = (places[d] >> 1).where(spread, places[d])
            halved.append(((sizes[d] + 1) >> 1).where(flag, sizes[d]))
        sizes = halved
    index = elements.number(places, sizes) + elements.spread(counter)
    low, high = threefry(split(index), split(elements.spread(key)))
    after = concatenate([key.reshape([1]), (counter + _product(sizes)).reshape([1])], 0)
    if which is None:
        return join(low, high), after
    return low.where(which.equals(0), high).convert(DTYPES[f"ui{bits}"]), after


def philox_bits(state: Tensor, shape: Tensor, t: TensorType, bits: int) -> tuple[Tensor, Tensor]:
    """Words of `bits` bits, and the next state; state: ui64 [key, low, high], or [key, low] with the key for high."""
    elements = _Elements(shape, t)
    words = state.type.static_shape[0]
    key, low = state.element(0), state.element(1)
    high = state.element(2) if words == 3 else key
    index = elements.number([elements.place(d) for d in range(t.rank)], elements.sizes)
    each = 2 if bits == 64 else 4

    def add(amount: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        total = low + amount
        return total, (high + 1).where(total < low, high)

    lows, highs = add(index >> (each // 2), elements.spread(low), elements.spread(high))
    numbers = philox([*split(lows), *split(highs)], split(elements.spread(key)))
    if bits == 64:
        numbers = [join(numbers[0], numbers[1]), join(numbers[2], numbers[3])]
    which, result = index & (each - 1), numbers[0]
    for k, number in enumerate(numbers[1:], 1):
        result = number.where(which.equals(k), result)
    count = (_product(elements.sizes) + (each - 1)) >> (each // 2)
    next_low, next_high = add(count, low, high)
    parts = [key, next_low, next_high][:words]
    after = concatenate([x.reshape([1]) for x in parts], 0)
    return result.convert(DTYPES[f"ui{bits}"]), after
