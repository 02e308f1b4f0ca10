"""Counter-based random numbers in NumPy, on flat arrays of counters: Threefry-2x32-20 and Philox-4x32-10.

Source: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.reference.registry import Array

_U32 = np.uint32
_MASK = (1 << 32) - 1


def _rotated(x: Array, distance: int) -> Array:
    return (x << _U32(distance)) | (x >> _U32(32 - distance))


def threefry(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """20 rounds; all of uint32."""
    third = key[0] ^ key[1] ^ _U32(0x1BD11BDA)
    keys = (key[0], key[1], third)
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    distances = (13, 15, 26, 6, 17, 29, 16, 24)
    for i in range(20):
        x = x + y
        y = _rotated(y, distances[i % 8]) ^ x
        if i % 4 == 3:
            n = i // 4 + 1
            x, y = x + keys[n % 3], y + keys[(n + 1) % 3] + _U32(n)
    return x, y


def philox(key: tuple[int, int], counter: Sequence[Array]) -> Array:
    """10 rounds; the four words of every counter as rows, [counters, 4]."""
    c0, c1, c2, c3 = (c.astype(np.uint64) for c in counter)
    k0, k1 = key
    for _ in range(10):
        p, q = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (q >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            q & np.uint64(_MASK),
            (p >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p & np.uint64(_MASK),
        )
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return np.stack([c0, c1, c2, c3], 1).astype(np.uint32)


def _words(x: Array) -> tuple[Array, Array]:
    return (x & np.uint64(_MASK)).astype(np.uint32), (x >> np.uint64(32)).astype(np.uint32)


def threefry_bits(state: Sequence[int], shape: tuple[int, ...], bits: int) -> tuple[Array, list[int]]:
    """Elements of `bits` bits as unsigned integers of 32 or 64, and the next state [key, counter]."""
    key, start = state
    size = int(np.prod(shape, dtype=np.int64))
    pair_key = (_U32(key & _MASK), _U32(key >> 32))

    def run(count: int) -> tuple[Array, Array]:
        counters = np.array([(start + i) % (1 << 64) for i in range(count)], np.uint64)
        return threefry(pair_key, _words(counters))  # type: ignore[arg-type]  # scalars broadcast

    if bits == 64:
        low, high = run(size)
        joined = low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))
        return joined.reshape(shape), [key, (start + size) % (1 << 64)]
    axes = [d for d, n in enumerate(shape) if n % 2 == 0] or sorted(range(len(shape)), key=lambda d: -shape[d])
    axis = axes[0] if axes else 0
    half = list(shape) if shape else [1]
    half[axis] = -(-half[axis] // 2)
    count = int(np.prod(half, dtype=np.int64))
    low, high = (w.reshape(half) for w in run(count))
    out = np.empty(shape or (1,), np.uint32)
    place: list[slice] = [slice(None)] * out.ndim
    for offset, words in enumerate((low, high)):
        place[axis] = slice(offset, None, 2)
        taken = out[tuple(place)].shape[axis]
        out[tuple(place)] = np.take(words, range(taken), axis)
    return out.reshape(shape), [key, (start + count) % (1 << 64)]


def philox_bits(state: Sequence[int], shape: tuple[int, ...], bits: int) -> tuple[Array, list[int]]:
    """Elements of `bits` bits as unsigned integers of 32 or 64, and the next state [key, low(, high)].

    With two words the key is the counter's high half too, as in XLA.
    """
    key = state[0]
    start = state[1] | ((state[2] if len(state) == 3 else key) << 64)
    size = int(np.prod(shape, dtype=np.int64))
    count = -(-size * (2 if bits == 64 else 1) // 4)
    counters = [(start + i) % (1 << 128) for i in range(count)]
    columns = [np.array([(c >> shift) & _MASK for c in counters], np.uint32) for shift in (0, 32, 64, 96)]
    words = philox((key & _MASK, key >> 32), columns).reshape(-1)
    values = words.view(np.uint64) if bits == 64 else words
    after = (start + count) % (1 << 128)
    parts = [key, after % (1 << 64), after >> 64]
    return values[:size].reshape(shape), parts[: len(state)]


_SEED = 0x7E55E11E


def element_bits(draw: int, count: int) -> Array:
    """64 bits for each of `count` elements of draw number `draw`: what stablehlo.rng is made of."""
    low, high = _words(np.asarray([*range(count)], np.uint64))
    first, second = threefry((high, np.full_like(high, _SEED)), (low, np.full_like(low, draw)))
    return first.astype(np.uint64) | (second.astype(np.uint64) << np.uint64(32))
