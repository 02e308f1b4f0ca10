"""Operations that make tensors or move elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from oracle_harness import check, sample

X = sample("float32", (4, 5, 6), special=False)
ZERO = np.float32(9)

CASES: dict[str, Callable[..., Any]] = {
    "reshape": lambda x: x.reshape(20, 6),
    "reshape-flat": lambda x: x.reshape(-1),
    "reshape-expand": lambda x: x.reshape(2, 2, 5, 3, 2),
    "reshape-mixed": lambda x: x.reshape(10, 12),
    "reshape-ones": lambda x: x.reshape(1, 4, 1, 5, 6, 1),
    "reshape-scalar": lambda x: x[:1, :1, :1].reshape(()),
    "transpose": lambda x: x.transpose(2, 0, 1),
    "broadcast": lambda x: lax.broadcast(x, (2, 3)),
    "broadcast-in-dim": lambda x: lax.broadcast_in_dim(x[:, :1, 0], (4, 7, 3), (0, 1)),
    "broadcast-transposed": lambda x: jnp.broadcast_to(x[:, None], (4, 2, 5, 6)),
    "concatenate": lambda x: lax.concatenate([x, x[:2], x * 2], 0),
    "concatenate-inner": lambda x: lax.concatenate([x, x[:, :2]], 1),
    "reverse": lambda x: lax.rev(x, (0, 2)),
    "slice": lambda x: lax.slice(x, (1, 0, 2), (3, 5, 6)),
    "slice-strided": lambda x: lax.slice(x, (1, 0, 2), (4, 5, 6), (2, 3, 1)),
    "slice-at-zero-then-sum": lambda x: x[:, :3].sum((1, 2)),
    "slice-rows": lambda x: x[2],
    "pad": lambda x: lax.pad(x, ZERO, [(1, 2, 0), (0, 0, 0), (3, 0, 0)]),
    "pad-negative": lambda x: lax.pad(x, ZERO, [(-1, 2, 0), (1, -2, 0), (0, -1, 0)]),
    "pad-interior": lambda x: lax.pad(x, ZERO, [(1, 2, 2), (0, 0, 1), (-1, 0, 3)]),
    "pad-cut-into-padding": lambda x: lax.pad(x, ZERO, [(-6, 8, 0), (0, 0, 0), (0, 0, 0)]),
    "iota": lambda x: x + lax.broadcasted_iota(np.float32, (4, 5, 6), 1),
    "iota-alone": lambda x: (lax.iota(np.int32, 7), lax.broadcasted_iota(np.uint8, (3, 2), 0)),
    "squeeze": lambda x: jnp.squeeze(x[:1], 0),
    "tile": lambda x: jnp.tile(x, (1, 2, 1)),
    "roll": lambda x: jnp.roll(x, 2, axis=1),
    "split": lambda x: jnp.split(x, 3, axis=2),
    "stack": lambda x: jnp.stack([x, x + 1], axis=1),
    "diagonal": lambda x: jnp.eye(5) * x[0, :, :5],
    "triangular": lambda x: jnp.tril(x),
    "constant": lambda x: x + np.arange(6, dtype=np.float32),
    "chain": lambda x: jnp.exp(x.transpose(1, 0, 2).reshape(20, 6)[:, ::-1]) + 1,
}


@pytest.mark.parametrize("name", CASES)
def test_movement(name: str) -> None:
    check(CASES[name], X)


def test_empty() -> None:
    check(lambda x: (x[:0].sum(0), x[:0] + 1, jnp.concatenate([x[:0], x])), X)
