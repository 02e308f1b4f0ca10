"""The sizes with which programs of open dimensions are called: 0, 1, primes, powers of two and their neighbours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

SIZES = (0, 1, 2, 3, 5, 7, 8, 11, 13, 16, 17, 19, 31, 32, 33)
SMALL = (0, 1, 2, 3, 5, 7)
"""For programs whose oracle is slow."""

CALLS = 200

_PROMISE = re.compile(r"^.*custom_call @shape_assertion.*Expected value >= 1 for dimension variable.*\n", re.MULTILINE)


def without_promises(text: str) -> str:
    """A module from JAX without its promise that no size is 0: most programs make sense for 0 too."""
    return _PROMISE.sub("", text)


def combinations(
    names: Sequence[str],
    least: Mapping[str, int] | None = None,
    *,
    legal: Callable[[Mapping[str, int]], bool] = lambda values: True,
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
) -> list[dict[str, int]]:
    """`CALLS` different values of `names`, in random order behind the smallest of all.

    They come from `sizes`, none below its `least` (0), and are `legal`. Where `sizes` do not give as many, the numbers
    between and above them are taken too, up to `CALLS` of them for each name; where there are fewer still, that is all.
    """
    least = least or {}
    rng = np.random.default_rng(seed)
    width = len(sizes)
    while True:
        tables: list[list[int]] = []
        for name in names:
            low = least.get(name, 0)
            table = [n for n in sizes if n >= low]
            more = (n for n in range(low, low + CALLS) if n not in sizes)
            tables.append(sorted(table + [n for n, _ in zip(more, range(width - len(table)), strict=False)]))
        shape = [len(table) for table in tables]
        found: list[dict[str, int]] = []
        for place in itertools.chain((0,), 1 + rng.permutation(int(np.prod(shape)) - 1)):
            row = np.unravel_index(int(place), shape)
            values = {name: table[i] for name, table, i in zip(names, tables, row, strict=True)}
            if legal(values):
                found.append(values)
            if len(found) == CALLS:
                return found
        if width >= CALLS:
            return found
        width = min(2 * width, CALLS)
