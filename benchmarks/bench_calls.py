"""What a call costs when there is nothing to compute: eight additions, beside JAX and NumPy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

import tesselle as ts

CALLS = 200
"""Calls per timed round: one alone is too short for a clock."""


def bench_call(beside_peers: Any) -> None:
    a = np.arange(8, dtype=np.float32)
    jitted = jax.jit(lambda a, b: a + b)
    program = ts.load(ts.compile(jitted.lower(a, a), targets=["cpu"]), device="cpu:threads=1")["main"]

    def repeat(call: Any) -> Any:
        return lambda: [call() for _ in range(CALLS)]

    beside_peers(
        repeat(lambda: program(a, a)),
        {"jax": repeat(lambda: jitted(a, a).block_until_ready()), "numpy": repeat(lambda: a + a)},
    )
