"""The counter-based generators Threefry-2x32 and Philox-4x32 as StableHLO on tensors of 32-bit words.

Source: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). The order in which words become
elements is XLA's (xla/hlo/builder/lib/prng.cc), so that the bits are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.ir.builder import Builder
from tesselle.passes.input.stablehlo_expressions import Tensor, concatenate, iota
from tesselle.support.dtypes import DTYPES, UI32, UI64

Pair = tuple[Tensor, Tensor]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def split(x: Tensor) -> Pair:
    """The low and the high words of ui64."""
    return x.convert(UI32), (x >> 32).convert(UI32)


def join(low: Tensor, high: Tensor) -> Tensor:
    return low.convert(UI64) | (high.convert(UI64) << 32)


def threefry(counter: Pair, key: Pair) -> Pair:
    """Twenty rounds of Threefry-2x32; the key has the counter's shape."""
    keys = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << distance) | (y >> (32 - distance)))
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + (group + 1)
    return x, y


_PHILOX_STEPS = (0x9E3779B9, 0xBB67AE85)
_PHILOX_FACTORS = (0xD2511F53, 0xCD9E8D57)


def philox(counter: Sequence[Tensor], key: Pair) -> list[Tensor]:
    """Ten rounds of Philox-4x32; the key has the counter's shape."""
    a, b, c, d = counter
    for _ in range(10):
        first, second = a.convert(UI64) * _PHILOX_FACTORS[0], c.convert(UI64) * _PHILOX_FACTORS[1]
        (low0, high0), (low1, high1) = split(first), split(second)
        a, b, c, d = high1 ^ b ^ key[0], low1, high0 ^ d ^ key[1], low0
        key = key[0] + _PHILOX_STEPS[0], key[1] + _PHILOX_STEPS[1]
    return [a, b, c, d]


def linear_index(b: Builder, shape: Sequence[int]) -> Tensor:
    """The number of every element in row-major order, as ui64."""
    return iota(b, [math.prod(shape)], 0, UI64).reshape(shape)


def threefry_bits(state: Tensor, shape: Sequence[int], bits: int) -> tuple[Tensor, Tensor]:
    """Words of `bits` bits in `shape`, and the next state; state: ui64 [key, counter].

    64 bits are the two words of one counter. Of narrower elements two share a counter: neighbours along the first even
    dimension (else the longest one), of which odd sizes waste one; below 32 bits the upper ones are dropped.
    """
    b = state.b
    key, counter = state.element(0), state.element(1)

    def words(place: Sequence[int]) -> tuple[Pair, Tensor]:
        """The two words of a counter for every element of `place`, and the next state."""
        index = linear_index(b, place) + counter.broadcast(place)
        after = (counter + math.prod(place)).reshape([1])
        return threefry(split(index), split(key.broadcast(place))), concatenate([key.reshape([1]), after], 0)

    if bits == 64:
        pair, after = words(shape)
        return join(*pair), after
    whole = list(shape) or [1]
    even = [d for d, n in enumerate(whole) if n % 2 == 0]
    axis = even[0] if even else max(range(len(whole)), key=lambda d: whole[d])
    half = (whole[axis] + 1) // 2
    pair, after = words([*whole[:axis], half, 1, *whole[axis + 1 :]])
    both = concatenate(pair, axis + 1).reshape([*whole[:axis], 2 * half, *whole[axis + 1 :]])
    cut = both if not whole[axis] % 2 else both.slice([0] * len(whole), whole)
    return cut.reshape(shape).convert(DTYPES[f"ui{bits}"]), after


def philox_bits(state: Tensor, shape: Sequence[int], bits: int) -> tuple[Tensor, Tensor]:
    """Words of `bits` bits in `shape`, and the next state; state: ui64 [key, low, high], or [key, low]
    with the key for the high half too.

    Every counter gives four words, which follow one another; an element of 64 bits takes two, narrower ones the lower
    bits of one.
    """
    b = state.b
    key, low = state.element(0), state.element(1)
    high = state.element(2) if state.type.static_shape[0] == 3 else key
    elements = math.prod(shape)
    words = elements * (2 if bits == 64 else 1)
    count = (words + 3) // 4

    def add(amount: Tensor) -> Pair:
        """The counter of 128 bits plus `amount`."""
        size = amount.type.static_shape
        start = low.broadcast(size)
        total = start + amount
        return total, (high + 1).broadcast(size).where(total < start, high.broadcast(size))

    lows, highs = add(iota(b, [count], 0, UI64))
    numbers = philox([*split(lows), *split(highs)], split(key.broadcast([count])))
    if bits == 64:
        numbers = [join(numbers[0], numbers[1]), join(numbers[2], numbers[3])]
    each = len(numbers)
    stacked = concatenate([x.reshape([count, 1]) for x in numbers], 1).reshape([count * each])
    result = stacked if count * each == elements else stacked.slice([0], [elements])
    next_low, next_high = add(low.number(count))
    parts = [key, next_low, next_high][: state.type.static_shape[0]]
    next_state = concatenate([x.reshape([1]) for x in parts], 0)
    return result.reshape(shape).convert(DTYPES[f"ui{bits}"]), next_state
