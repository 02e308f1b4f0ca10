"""Small networks of every kind that the models of the field are made of, compiled and compared with JAX.

Each case is a JAX function with its weights captured as constants; sizes are small and odd, so that tails, padding and
broadcasts of every kernel are met. The tolerance is relative to the largest reference element.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tesselle as ts

Array = Any
TOLERANCE = 2e-5


def normal(seed: int, *shape: int, scale: float = 1.0) -> Array:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


@dataclass(frozen=True)
class Case:
    name: str
    function: Callable[..., Any]
    inputs: tuple[Array, ...]


def mlp() -> Case:
    w = [normal(1, 13, 29, scale=0.3), normal(2, 29, 31, scale=0.2), normal(3, 31, 5, scale=0.2)]
    b = [normal(4, 29), normal(5, 31), normal(6, 5)]

    def f(x: Array) -> Array:
        for i in range(2):
            x = jax.nn.relu(x @ w[i] + b[i])
        return x @ w[2] + b[2]

    return Case("mlp", f, (normal(0, 7, 13),))


def convolution(x: Array, w: Array, stride: int = 1, groups: int = 1) -> Array:
    pad = (w.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        [(pad, pad)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def batch_norm(y: Array, seed: int) -> Array:
    c = y.shape[-1]
    mean, variance = normal(seed, c, scale=0.1), np.abs(normal(seed + 1, c)) + np.float32(0.5)
    return (y - mean) * (jax.lax.rsqrt(variance + 1e-5) * normal(seed + 2, c)) + normal(seed + 3, c)


def residual_network() -> Case:
    stem, a, b, c = (
        normal(1, 7, 7, 3, 16, scale=0.1),
        normal(2, 1, 1, 16, 8),
        normal(3, 3, 3, 8, 8),
        normal(4, 1, 1, 8, 32),
    )
    shortcut, head = normal(5, 1, 1, 16, 32, scale=0.3), normal(6, 32, 10)

    def f(x: Array) -> Array:
        x = jax.nn.relu(batch_norm(convolution(x, stem, 2), 10))
        x = jax.lax.reduce_window(
            x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)]
        )
        y = jax.nn.relu(batch_norm(convolution(x, a), 20))
        y = jax.nn.relu(batch_norm(convolution(y, b, 2), 30))
        y = batch_norm(convolution(y, c), 40)
        x = jax.nn.relu(batch_norm(convolution(x, shortcut, 2), 50) + y)
        return x.mean((1, 2)) @ head

    return Case("residual_network", f, (normal(0, 1, 37, 37, 3),))


def inverted_residual() -> Case:
    expand, depthwise, project = (
        normal(1, 1, 1, 8, 48, scale=0.3),
        normal(2, 3, 3, 1, 48, scale=0.3),
        normal(3, 1, 1, 48, 8),
    )

    def f(x: Array) -> Array:
        y = jnp.clip(batch_norm(convolution(x, expand), 10), 0, 6)
        y = jnp.clip(batch_norm(convolution(y, depthwise, 1, groups=48), 20), 0, 6)
        return x + batch_norm(convolution(y, project), 30)

    return Case("inverted_residual", f, (normal(0, 1, 19, 19, 8),))


def layer_norm(x: Array, seed: int) -> Array:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    h = x.shape[-1]
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * normal(seed, h) + normal(seed + 1, h)


def encoder_layer() -> Case:
    s, h, heads, hidden = 21, 48, 4, 96
    w = {n: normal(i, h, h, scale=0.15) for i, n in enumerate("qkvo")}
    up, down = normal(8, h, hidden, scale=0.1), normal(9, hidden, h, scale=0.1)
    bias = {n: normal(20 + i, h) for i, n in enumerate("qkvo")}

    def f(x: Array) -> Array:
        def split(n: str) -> Array:
            return (x @ w[n] + bias[n]).reshape(1, s, heads, h // heads).transpose(0, 2, 1, 3)

        scores = (split("q") @ split("k").transpose(0, 1, 3, 2)) * (heads / h) ** 0.5
        a = (jax.nn.softmax(scores, -1) @ split("v")).transpose(0, 2, 1, 3).reshape(1, s, h)
        x = layer_norm(x + a @ w["o"] + bias["o"], 30)
        return layer_norm(x + jax.nn.gelu(x @ up, approximate=False) @ down, 40)

    return Case("encoder_layer", f, (normal(0, 1, s, h),))


def decoder_step() -> Case:
    vocabulary, h, heads, past = 211, 32, 4, 19
    tokens, positions = normal(1, vocabulary, h), normal(2, 64, h)
    qkv, out = normal(3, h, 3 * h, scale=0.2), normal(4, h, h, scale=0.2)

    def f(token: Array, position: Array, keys: Array, values: Array) -> tuple[Array, ...]:
        x = jnp.take(tokens, token, 0, mode="clip") + jnp.take(positions, position, 0, mode="clip")
        q, k, v = (t.reshape(heads, 1, h // heads) for t in jnp.split(layer_norm(x, 10) @ qkv, 3, -1))
        scores = jnp.concatenate([q @ keys.transpose(0, 2, 1), q @ k.transpose(0, 2, 1)], -1) * 0.35
        a = jax.nn.softmax(scores, -1)
        a = a[..., :past] @ values + a[..., past:] * v
        x = x + a.reshape(1, h) @ out
        return jax.nn.gelu(x, approximate=True) @ tokens.T, k, v

    cache = (heads, past, h // heads)
    token, position = np.array([123], np.int32), np.array([19], np.int32)
    return Case("decoder_step", f, (token, position, normal(5, *cache), normal(6, *cache)))


def lstm(seed: int, xs: Array, h: Array, c: Array) -> tuple[Array, Array, Array]:
    hidden = h.shape[-1]
    wi, wh, b = (
        normal(seed, xs.shape[-1], 4 * hidden, scale=0.2),
        normal(seed + 1, hidden, 4 * hidden, scale=0.2),
        normal(seed + 2, 4 * hidden),
    )

    def step(state: tuple[Array, Array], g: Array) -> tuple[tuple[Array, Array], Array]:
        h, c = state
        i, f, u, o = jnp.split(g + h @ wh, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    (h, c), ys = jax.lax.scan(step, (h, c), xs @ wi + b)
    return ys, h, c


def two_layer_lstm(batch: int) -> Case:
    def f(x: Array) -> tuple[Array, ...]:
        zero = jnp.zeros((batch, 24), jnp.float32)
        states: list[Array] = []
        for layer in range(2):
            x, h, c = lstm(10 * layer, x, zero, zero)
            states += [h, c]
        return x, jnp.stack(states)

    return Case(f"two_layer_lstm_batch{batch}", f, (normal(0, 9, batch, 24),))


def streaming_encoder() -> Case:
    c1, c2 = normal(1, 3, 3, 1, 4, scale=0.3), normal(2, 3, 3, 4, 4, scale=0.2)

    def f(x: Array, left: Array, h: Array, c: Array) -> tuple[Array, ...]:
        def convolve(x: Array, w: Array, stride: tuple[int, int]) -> Array:
            return jax.lax.conv_general_dilated(
                x, w, stride, [(0, 0), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
            )

        x = jnp.concatenate([left, x], 1)
        y = jax.nn.relu(convolve(x, c1, (2, 2)))
        y = jax.nn.relu(convolve(y, c2, (1, 2)))
        y = y.transpose(1, 0, 3, 2).reshape(y.shape[1], 1, -1)
        ys, h, c = lstm(30, y, h, c)
        return ys, x[:, -1:], h, c

    return Case(
        "streaming_encoder", f, (normal(0, 1, 10, 16, 1), normal(3, 1, 1, 16, 1), normal(4, 1, 12), normal(5, 1, 12))
    )


def while_with_data_dependent_end() -> Case:
    def f(x: Array) -> Array:
        return jax.lax.while_loop(lambda v: jnp.sum(v) < 100.0, lambda v: v * 1.5 + 0.25, x)

    return Case("while_with_data_dependent_end", f, (np.abs(normal(0, 6)),))


def nested_loops() -> Case:
    def outer(i: Array, x: Array) -> Array:
        return jax.lax.fori_loop(0, 3, lambda j, y: y.at[i, j].add(i * 3.0 + j), x)

    return Case("nested_loops", lambda x: jax.lax.fori_loop(0, 5, outer, x), (normal(0, 5, 4),))


def conditional() -> Case:
    def f(x: Array) -> Array:
        return jax.lax.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - 1, x)

    return Case("conditional", f, (normal(0, 5),))


def sorting() -> Case:
    return Case("sorting", lambda x: (jnp.sort(x), jnp.argsort(x)), (normal(0, 1013),))


def reductions() -> Case:
    def f(x: Array) -> tuple[Array, ...]:
        return x.sum(1), x.sum(0), x.max(), x.min(1), jnp.argmax(x, 1), x.prod(0), jnp.cumsum(x, 1)

    return Case("reductions", f, (normal(0, 33, 47),))


def integers() -> Case:
    def f(x: Array, y: Array) -> tuple[Array, ...]:
        return x // y, x % y, x << 3, x ^ y, jnp.minimum(x, y), (x > y).sum(), x.astype(jnp.uint8)

    rng = np.random.default_rng(0)
    return Case("integers", f, (rng.integers(-99, 99, (37,), np.int32), rng.integers(1, 9, (37,), np.int32)))


def average_pooling() -> Case:
    def f(x: Array) -> Array:
        window = (1, 3, 3, 1)
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)]) / 9

    return Case("average_pooling", f, (normal(0, 1, 23, 23, 17),))


CASES = [
    mlp(),
    residual_network(),
    inverted_residual(),
    encoder_layer(),
    decoder_step(),
    two_layer_lstm(1),
    two_layer_lstm(5),
    streaming_encoder(),
    while_with_data_dependent_end(),
    nested_loops(),
    conditional(),
    sorting(),
    reductions(),
    integers(),
    average_pooling(),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_network_agrees_with_jax(case: Case, threads: int) -> None:
    lowered = jax.jit(case.function).lower(*case.inputs)
    program = ts.load(ts.compile(lowered, targets=["cpu"]), device=f"cpu:threads={threads}")
    expected = jax.tree.leaves(jax.jit(case.function)(*case.inputs))
    for _ in range(3):  # recorded command buffers are used from the second call on
        found = program["main"](*case.inputs)
        found = found if isinstance(found, tuple) else (found,)
        assert len(found) == len(expected)
        for have, want in zip(found, map(np.asarray, expected), strict=True):
            assert have.dtype == want.dtype
            assert have.shape == want.shape
            scale = max(1.0, float(np.abs(want).max(initial=0)))
            np.testing.assert_allclose(have, want, rtol=0, atol=TOLERANCE * scale)
