"""Whole programs, one thread, beside JAX on the same work."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import numpy as np

import tesselle as ts
from model import load_model


def load_one_thread(lowered: Any) -> Callable[..., Any]:
    """`main` of `lowered`, compiled for this machine, on one thread."""
    return ts.load(ts.compile(lowered, targets=["cpu"]), device="cpu:threads=1")["main"]


def bench_mlp(beside_peers: Any) -> None:
    """784 -> 1024 -> 1024 -> 10 with ReLU, batch 64."""
    rng = np.random.default_rng(0)
    sizes = (784, 1024, 1024, 10)
    layers = [
        (rng.normal(size=(m, n)).astype(np.float32) / np.float32(m**0.5), rng.normal(size=n).astype(np.float32))
        for m, n in pairwise(sizes)
    ]

    def mlp(x: jax.Array) -> jax.Array:
        for weights, bias in layers[:-1]:
            x = jax.nn.relu(x @ weights + bias)
        return x @ layers[-1][0] + layers[-1][1]

    x = rng.normal(size=(64, 784)).astype(np.float32)
    jitted = jax.jit(mlp)
    program = load_one_thread(jitted.lower(x))
    np.testing.assert_allclose(program(x), jitted(x), rtol=1e-4, atol=1e-4)
    beside_peers(lambda: program(x), {"jax": lambda: jitted(x).block_until_ready()})


def bench_minilm(beside_peers: Any) -> None:
    """One sentence of 32 tokens through all-MiniLM-L6-v2."""
    model = load_model()
    ids, mask = model.tokenize(["Compilers translate programs into machine code."], 32)
    jitted = jax.jit(model.embed)
    program = load_one_thread(jitted.lower(ids, mask))
    np.testing.assert_allclose(program(ids, mask), jitted(ids, mask), atol=1e-4)
    beside_peers(lambda: program(ids, mask), {"jax": lambda: jitted(ids, mask).block_until_ready()})
