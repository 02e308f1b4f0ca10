"""The cases of `jax._src.internal_test_util.test_harnesses`: 5,600 in 132 groups, 7,500 with JAX's 64-bit types."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

SIXTY_FOUR_BITS = re.compile(r"float64|int64|complex128")


@dataclass(frozen=True)
class Case:
    """One use of one primitive. `name` is unique; `group` is most often the primitive's name."""

    name: str
    group: str


@cache
def harnesses() -> dict[str, Any]:
    """JAX's harnesses by their full names. There are more of them where JAX_ENABLE_X64 is set."""
    # Some of the arguments are drawn when the module is imported.
    state = np.random.get_state()
    np.random.seed(0)
    from jax._src.internal_test_util import test_harnesses

    np.random.set_state(state)
    return {h.fullname: h for h in test_harnesses.all_harnesses}


def all_cases() -> list[Case]:
    """Every case, in an order that is fixed and mixes the groups, so that the rate of a run is even."""
    cases = [Case(name, h.group_name) for name, h in harnesses().items()]
    return sorted(cases, key=lambda c: _digest(c.name))


def select(cases: Iterable[Case], groups: Sequence[str], pattern: str | None, sample: int | None) -> list[Case]:
    """The cases of `groups` (none: all) whose names match `pattern`, of which `sample` spread over the groups.

    Errors: ValueError for a group that does not exist.
    """
    cases = list(cases)
    unknown = set(groups) - {c.group for c in cases}
    if unknown:
        raise ValueError(f"there is no group {', '.join(sorted(unknown))}")
    chosen = [c for c in cases if not groups or c.group in groups]
    if pattern is not None:
        chosen = [c for c in chosen if re.search(pattern, c.name)]
    return chosen if sample is None else spread(chosen, sample)


def spread(cases: Sequence[Case], count: int) -> list[Case]:
    """`count` of the cases: one of every group, then a second of every group that has one, and so on."""
    by_group: defaultdict[str, list[Case]] = defaultdict(list)
    for c in cases:
        by_group[c.group].append(c)
    ranked: list[tuple[int, str, Case]] = []
    for group in sorted(by_group):
        ranked += [(rank, group, c) for rank, c in enumerate(sorted(by_group[group], key=lambda c: _digest(c.name)))]
    ranked.sort(key=lambda r: r[:2])
    return [c for _, _, c in ranked[:count]]


def needs_64_bits(case: Case) -> bool:
    """Whether the case means a type that JAX narrows to 32 bits unless it is told otherwise."""
    harness = harnesses()[case.name]
    return bool(SIXTY_FOUR_BITS.search(case.name)) or np.dtype(harness.dtype).name in ("float64", "complex128")


def random_state(case: Case) -> np.random.RandomState:
    """The source of the case's arguments: the same in every run."""
    return np.random.RandomState(int(_digest(case.name)[:8], 16))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
