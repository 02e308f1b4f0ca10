"""The same bits from run to run and for every number of threads: work is cut by sizes, never by who is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
THREADS = (1, 2, 3, 7)


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def convolution(x: Any, w: Any) -> Any:
    return jax.nn.relu(lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))


def recurrence(x: Any, w: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = jnp.tanh(row + h @ w)
        return h, h

    return lax.scan(step, jnp.zeros(x.shape[1:]), x)


def training(w: Any, x: Any) -> Any:
    value, gradient = jax.value_and_grad(lambda w: (jax.nn.log_softmax(x @ w, -1)[:, 0] ** 2).mean())(w)
    return w - 0.1 * gradient, value


def attention(q: Any, k: Any, v: Any) -> Any:
    return jax.nn.softmax(q @ k.transpose(0, 2, 1) / 8, -1) @ v


def duplicates_summed(x: Any, at: Any) -> Any:
    return jnp.zeros((13, x.shape[1])).at[at].add(x)


CASES: dict[str, tuple[Callable[..., Any], tuple[Array, ...]]] = {
    "sum of all": (lambda x: x.sum(), (normal(1501, 997),)),
    "sums of columns": (lambda x: x.sum(0), (normal(2003, 301),)),
    "sums of rows": (lambda x: x.sum(1), (normal(301, 20011),)),
    "products": (lambda x, y: x @ y, (normal(257, 1300), normal(1300, 131))),
    "one row": (lambda x, y: x @ y, (normal(1, 3001), normal(3001, 900))),
    "convolution": (convolution, (normal(2, 33, 31, 24), normal(3, 3, 24, 40))),
    "attention": (attention, (normal(4, 100, 64), normal(4, 100, 64), normal(4, 100, 64))),
    "layer norm": (lambda x: (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True), (normal(333, 1001),)),
    "running sums": (lambda x: jnp.cumsum(x, 0), (normal(1000, 50),)),
    "scatter of duplicates": (duplicates_summed, (normal(5000, 37), np.arange(5000, dtype=np.int32) * 7 % 13)),
    "recurrence": (recurrence, (normal(40, 4, 256), normal(256, 256) / 16)),
    "training": (training, (normal(300, 40), normal(500, 300))),
    "fourier": (lambda x: jnp.abs(jnp.fft.rfft(x)), (normal(64, 1000),)),
}


@pytest.mark.parametrize("name", CASES)
def test_bits_do_not_depend_on_threads(name: str) -> None:
    function, arguments = CASES[name]
    artifact = ts.compile(jax.jit(function).lower(*arguments))
    expected: list[bytes] | None = None
    for threads in THREADS:
        main = ts.load(artifact, device=f"cpu:threads={threads}")["main"]
        for _ in range(3):
            results = main(*arguments)
            bits = [np.asarray(r).tobytes() for r in (results if isinstance(results, tuple) else (results,))]
            expected = expected or bits
            assert bits == expected, f"{threads} threads"
