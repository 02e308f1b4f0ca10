"""Slices, gathers and scatters at positions that tensors give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from oracle_harness import check, sample

X = sample("float32", (6, 5, 4), special=False)
PLACES = np.array([[0, 4], [7, -9], [3, 1]], np.int32)  # some out of bounds
ROWS = np.array([5, 0, 2, 2], np.int32)


@pytest.mark.parametrize("starts", [(0, 0, 0), (2, 1, 3), (-4, 100, 1)])
def test_dynamic_slice(starts: tuple[int, int, int]) -> None:
    args = [np.int32(s) for s in starts]
    check(lambda x, i, j, k: lax.dynamic_slice(x, (i, j, k), (2, 3, 4)), X, *args)
    check(lambda x, i, j, k: lax.dynamic_slice(x, (i, j, k), (1, 5, 4))[0], X, *args)
    update = sample("float32", (2, 3, 1), special=False)
    check(lambda x, u, i, j, k: lax.dynamic_update_slice(x, u, (i, j, k)), X, update, *args)


def test_dynamic_slice_with_computed_starts() -> None:
    module = check(lambda x, i: lax.dynamic_slice_in_dim(x, 2 * i - 1, 2, 0), X, np.int32(2))
    assert not [op for op in module.walk() if op.name == "linalg.generic"]  # the arithmetic is the host's


def test_unsigned_starts() -> None:
    check(lambda x, i: lax.dynamic_slice_in_dim(x, i, 2, 0), X, np.uint8(200))


GATHERS: dict[str, Callable[..., Any]] = {
    "take-rows": lambda x, i: x[ROWS],
    "take-clip": lambda x, i: jnp.take(x, i, 0, mode="clip"),
    "take-fill": lambda x, i: jnp.take(x, i, 1, mode="fill"),
    "take-inner": lambda x, i: jnp.take(x, ROWS % 4, 2),
    "points": lambda x, i: x[i[:, 0], i[:, 1]],
    "points-inner": lambda x, i: x[:, i[:, 0], i[:, 1]],
    "windows": lambda x, i: jax.vmap(lambda s: lax.dynamic_slice(x, (s[0], s[1], np.int32(0)), (2, 2, 3)))(i),
    "batched": lambda x, i: jax.vmap(lambda row, k: row[k])(x[:3], i),
    "along-axis": lambda x, i: jnp.take_along_axis(x[:3, :, 0], i % 5, axis=1),
    "one": lambda x, i: x[i[0, 1]],
}


@pytest.mark.parametrize("name", GATHERS)
def test_gather(name: str) -> None:
    check(GATHERS[name], X, PLACES)


SCATTERS: dict[str, Callable[..., Any]] = {
    "set-rows": lambda x, i: x.at[ROWS[:3]].set(x[3:] * 2),
    "add-rows": lambda x, i: x.at[ROWS].add(x[:4]),
    "max-points": lambda x, i: x.at[i[:, 0], i[:, 1]].max(x[:3, 0]),
    "mul-inner": lambda x, i: x.at[:, i[:, 0] % 5].mul(2.0),
    "min": lambda x, i: x.at[1, ROWS].min(0.0),
    "windows": lambda x, i: x.at[1:3, 2:4].set(7.0),
    "strided": lambda x, i: x.at[::2].add(1.0),
    "batched": lambda x, i: jax.vmap(lambda row, k: row.at[k].set(0.0))(x[:3], i),
    "histogram": lambda x, i: jnp.bincount(ROWS, length=6),
    "drop": lambda x, i: x.at[i[:, 0]].set(1.0, mode="drop"),
    "integers": lambda x, i: jnp.zeros((5,), np.int32).at[i[:, 1]].add(i[:, 0]),
}


@pytest.mark.parametrize("name", SCATTERS)
def test_scatter(name: str) -> None:
    check(SCATTERS[name], X, PLACES, tolerance=1e-5)


def test_gradient_of_a_gather() -> None:
    check(jax.grad(lambda x: jnp.sum(x[ROWS] ** 2)), X, tolerance=1e-5)
