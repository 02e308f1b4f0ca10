"""Functions of TensorFlow to convert and compare: what they compute, and for which shapes.

`tf` is put in by the process that runs them (`tf_worker.py`); the tests themselves do not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from random_sizes import combinations

tf: Any = None

Sizes = Mapping[str, int]
FEW = (0, 1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17)
Values = Callable[[np.random.Generator, tuple[int, ...], str], Any]


@dataclass(frozen=True)
class Spec:
    """An argument: a dimension is a number, or a name for one that differs from call to call."""

    shape: tuple[int | str, ...]
    dtype: str = "float32"
    values: Values | None = None

    def at(self, sizes: Sizes) -> tuple[int, ...]:
        return tuple(sizes[d] if isinstance(d, str) else d for d in self.shape)


@dataclass(frozen=True)
class Case:
    """A function with the shapes it is called with. `state`: makes the object with variables that it takes first.

    Every run begins with the variables as they were made, and calls the function `calls` times. `onednn`: it needs
    oneDNN, for the kernels of TensorFlow itself do not compute it.
    """

    function: Callable[..., Any]
    specs: tuple[Spec, ...]
    runs: tuple[Sizes, ...]
    tolerance: float = 2e-6
    state: Callable[[], Any] | None = None
    calls: int = 1
    onednn: bool = False


Legal = Callable[[Sizes], bool]


def sizes_of(
    names: Sequence[str], runs: Sequence[Sizes], least: Sizes, legal: Legal, table: Sequence[int]
) -> list[Sizes]:
    """`runs`, without them different sizes for all names and 1 for all; then 200 combinations of sizes."""
    if not runs:
        different = {name: 3 + i for i, name in enumerate(names)}
        runs = [r for r in (different, dict.fromkeys(names, 1)) if legal(r) and all(r[n] >= least[n] for n in names)]
    return [*runs, *combinations(names, least, legal=legal, sizes=table)]


def case(
    function: Callable[..., Any],
    *specs: Spec | tuple[Any, ...],
    runs: Sequence[Sizes] = (),
    least: int | Sizes = 0,
    legal: Legal = lambda sizes: True,
    sizes: Sequence[int] = FEW,
    tolerance: float = 2e-6,
    state: Callable[[], Any] | None = None,
    calls: int = 1,
    onednn: bool = False,
) -> Case:
    """A case. With open dimensions it is called with `runs`, and then with 200 combinations of `sizes`.

    None is below its `least`, and all are `legal`: what TensorFlow computes for other sizes is an error, or undefined.
    """
    found = tuple(s if isinstance(s, Spec) else Spec(*s) for s in specs)
    names = sorted({d for s in found for d in s.shape if isinstance(d, str)})
    if names:
        low = {n: least if isinstance(least, int) else least.get(n, 0) for n in names}
        runs = sizes_of(names, runs, low, legal, sizes)
    return Case(function, found, tuple(runs) or ({},), tolerance, state, calls, onednn)


def below(limit: int) -> Values:
    """Integers in [0, limit)."""
    return lambda rng, shape, dtype: rng.integers(0, max(limit, 1), shape).astype(dtype)


def between(low: float, high: float) -> Values:
    return lambda rng, shape, dtype: rng.uniform(low, high, shape).astype(dtype)


def exactly(value: Any) -> Values:
    return lambda rng, shape, dtype: np.broadcast_to(np.asarray(value, dtype), shape).copy()


def sample(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    """Numbers of both signs."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("uint"):
        return rng.integers(0, 20, shape).astype(dtype)
    if dtype.startswith("int"):
        return rng.integers(-9, 9, shape).astype(dtype)
    if dtype.startswith("complex"):
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return rng.normal(size=shape).astype(dtype)
