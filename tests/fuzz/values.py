"""Random element types, shapes and arrays."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from tesselle.support import dtypes as d
from tesselle.support.dtypes import DType, Kind

Array = np.ndarray[Any, np.dtype[Any]]

SIGNED = (d.I8, d.I16, d.I32, d.I64)
UNSIGNED = (d.UI8, d.UI16, d.UI32, d.UI64)
INTEGERS = (*SIGNED, *UNSIGNED)
FLOATS = (d.F16, d.BF16, d.F32, d.F64)
COMPLEX = (d.C64, d.C128)
ALL = (d.I1, *INTEGERS, *FLOATS, *COMPLEX)

_WEIGHTS = {d.F32: 8, d.I32: 6, d.I1: 3, d.F64: 2, d.BF16: 2, d.F16: 2, d.C64: 1, d.C128: 1}
_SIZES = (1, 2, 2, 3, 3, 4, 5, 7, 8, 16, 17, 33)
MAX_ELEMENTS = 600


def random_dtype(random: Random, among: tuple[DType, ...] = ALL) -> DType:
    return random.choices(among, [_WEIGHTS.get(t, 1) for t in among])[0]


def random_shape(random: Random, rank: int | None = None) -> tuple[int, ...]:
    """0 to 5 dimensions, some of one element, few of none."""
    if rank is None:
        rank = random.choices(range(6), (2, 5, 6, 4, 2, 1))[0]
    shape: list[int] = []
    total = 1
    for _ in range(rank):
        size = 0 if random.random() < 0.01 else random.choice(_SIZES)
        if total * size > MAX_ELEMENTS:
            size = random.choice((1, 2))
        shape.append(size)
        total *= max(size, 1)
    random.shuffle(shape)
    return tuple(shape)


def random_array(random: Random, dtype: DType, shape: tuple[int, ...]) -> Array:
    """Values of several sizes; one array in three has the values in which types differ (limits, nan, -0, …)."""
    rng = np.random.default_rng(random.getrandbits(32))
    size = int(np.prod(shape))
    special = random.random() < 0.33
    if dtype.kind is Kind.BOOL:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        low, high = random.choice(((0, 4), (-9, 10), (-100, 100), (info.min, info.max)))
        low, high = max(low, info.min), min(high, info.max)
        out = rng.integers(low, high, size, dtype=dtype.numpy, endpoint=True)
        if special:
            limits = np.array([0, 1, info.max, info.min, info.max - 1, dtype.bits, dtype.bits - 1], dtype.numpy)
            out = np.where(rng.random(size) < 0.3, rng.choice(limits, size), out)
        return out.reshape(shape)
    if dtype.is_complex:
        parts = [_floats(rng, random, dtype.element, size, special and random.random() < 0.3) for _ in range(2)]
        out = np.empty(size, dtype.numpy)
        out.real, out.imag = parts
        return out.reshape(shape)
    return _floats(rng, random, dtype, size, special).reshape(shape)


def _floats(rng: np.random.Generator, random: Random, dtype: DType, size: int, special: bool) -> Array:
    kind = random.randrange(3)
    if kind == 0:
        values = rng.integers(-8, 9, size).astype(np.float64)
    elif kind == 1:
        values = rng.normal(size=size)
    else:
        values = rng.normal(size=size) * rng.choice([0.01, 1.0, 30.0], size)
    if special:
        odd = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.5, 1e-3, 3e4])
        values = np.where(rng.random(size) < 0.3, rng.choice(odd, size), values)
    return values.astype(dtype.numpy)
