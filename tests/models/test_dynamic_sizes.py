"""One artifact for every size: programs with open dimensions, each called with 200 combinations of sizes beside NumPy.

Nothing is compiled again: every program is compiled once. JAX exports the programs; its promise that no size is 0 is
taken out of them, as the programs make sense for 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from jax import export, lax
from jax import numpy as jnp
from random_sizes import combinations, without_promises

import tesselle

Array = np.ndarray[Any, Any]
F32, I32 = np.float32, np.int32


@dataclass(frozen=True)
class Case:
    """`program` for JAX, `formula` for NumPy; arguments of `shapes`, in which symbols are letters.

    `least`: sizes below which the program makes no sense. `integers`: arguments that are indices below the size named.
    """

    program: Callable[..., Any]
    formula: Callable[..., Any]
    shapes: Sequence[str]
    least: dict[str, int] | None = None
    integers: dict[int, str] | None = None
    tolerance: float = 1e-5


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x: Array, scale: Array) -> Array:
    mean = x.mean(-1, keepdims=True, dtype=np.float64)
    variance = x.var(-1, keepdims=True, dtype=np.float64)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale


def jax_layer_norm(x: Any, scale: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-3) * scale


def same_convolution(x: Array, w: Array) -> Array:
    """NHWC x HWIO, 3x3, as many places as the input has."""
    b, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((b, height, width, w.shape[3]), np.float64)
    for i in range(3):
        for j in range(3):
            out += padded[:, i : i + height, j : j + width] @ w[i, j]
    return out


def jax_convolution(x: Any, w: Any) -> Any:
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def strided_convolution(x: Array, w: Array) -> Array:
    """NHWC x HWIO, 3x3, every second place, inside."""
    places = [(n - 1) // 2 for n in x.shape[1:3]]
    out = np.zeros((x.shape[0], *places, w.shape[3]), np.float64)
    for i in range(3):
        for j in range(3):
            out += x[:, i : i + 2 * places[0] : 2, j : j + 2 * places[1] : 2][:, : places[0], : places[1]] @ w[i, j]
    return out


def jax_strided_convolution(x: Any, w: Any) -> Any:
    return lax.conv_general_dilated(x, w, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pooled(x: Array) -> Array:
    height, width = x.shape[1] // 2, x.shape[2] // 2
    cut = x[:, : 2 * height, : 2 * width]
    return cut.reshape(x.shape[0], height, 2, width, 2).max((2, 4), initial=-np.inf)


def jax_pooled(x: Any) -> Any:
    return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2), (1, 2, 2), "VALID")


def scattered(x: Array, index: Array, update: Array) -> Array:
    out = x.copy()
    np.add.at(out, index, update)
    return out


def moved(x: Array, y: Array) -> Sequence[Array]:
    return (
        np.concatenate([x, y, x[:1]]),
        np.pad(x, ((1, 2), (0, 3)), constant_values=7),
        np.concatenate([y[1:], x[::-1]]),
        x[:-1:2, 1:],
    )


def jax_moved(x: Any, y: Any) -> Any:
    return (
        jnp.concatenate([x, y, x[:1]]),
        jnp.pad(x, ((1, 2), (0, 3)), constant_values=7),
        jnp.concatenate([y[1:], x[::-1]]),
        x[:-1:2, 1:],
    )


def attention(q: Array, k: Array, v: Array) -> Array:
    scores = np.einsum("bshd,bthd->bhst", q, k) / 2
    future = np.triu(np.ones(scores.shape[-2:], bool), 1)
    return np.einsum("bhst,bthd->bshd", softmax(np.where(future, -1e9, scores)), v)


def jax_attention(q: Any, k: Any, v: Any) -> Any:
    scores = jnp.einsum("bshd,bthd->bhst", q, k) / 2
    future = jnp.triu(jnp.ones(scores.shape[-2:], bool), 1)
    return jnp.einsum("bhst,bthd->bshd", jax.nn.softmax(jnp.where(future, F32(-1e9), scores), -1), v)


def recurrent(x: Array, h: Array) -> Sequence[Array]:
    rows = []
    for row in x:
        h = np.tanh(h * F32(0.5) + row)
        rows.append(h.sum(-1))
    return h, np.stack(rows) if rows else np.zeros((0, h.shape[0]), F32)


def jax_recurrent(x: Any, h: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = jnp.tanh(h * F32(0.5) + row)
        return h, h.sum(-1)

    return lax.scan(step, h, x)


def halved(x: Array, n: Array) -> Array:
    for _ in range(int(n[0])):
        x = x / 2 + 1
    return x


def jax_halved(x: Any, n: Any) -> Any:
    return lax.while_loop(lambda s: s[0] < n[0], lambda s: (s[0] + 1, s[1] / 2 + 1), (I32(0), x))[1]


def reshaped(x: Array) -> Sequence[Array]:
    b, c, _ = x.shape
    return (
        x.reshape(b * c, 6),
        x.reshape(b, c * 2, 3),
        x.reshape(-1) + np.arange(b * c * 6, dtype=F32),
        np.broadcast_to(x[:, None], (b, 2, c, 6)) * np.arange(c, dtype=F32)[:, None],
        x.transpose(2, 0, 1),
    )


def jax_reshaped(x: Any) -> Any:
    b, c, _ = x.shape
    return (
        x.reshape(b * c, 6),
        x.reshape(b, c * 2, 3),
        x.reshape(-1) + jnp.arange(b * c * 6, dtype=F32),
        jnp.broadcast_to(x[:, None], (b, 2, c, 6)) * jnp.arange(c, dtype=F32)[:, None],
        x.transpose(2, 0, 1),
    )


def reduced(x: Array) -> Sequence[Array]:
    return (
        x.sum(0),
        x.max(1, initial=-np.inf),
        (x > 0).all(0),
        np.prod(np.tanh(x), 1),
        x.sum(),
        np.argmax(np.pad(x, ((0, 0), (0, 1)), constant_values=-9), 1).astype(I32),
    )


def jax_reduced(x: Any) -> Any:
    return (
        x.sum(0),
        x.max(1, initial=-np.inf),
        (x > 0).all(0),
        jnp.prod(jnp.tanh(x), 1),
        x.sum(),
        jnp.argmax(jnp.pad(x, ((0, 0), (0, 1)), constant_values=-9), 1).astype(I32),
    )


CASES: dict[str, Case] = {
    "elementwise": Case(
        lambda x, y, z: jnp.tanh(x + y) * z - jnp.abs(x),
        lambda x, y, z: np.tanh(x + y) * z - np.abs(x),
        ["b, 1", "1, c", "b, c"],
    ),
    "select": Case(lambda x, y: jnp.where(x > y, x, -y), lambda x, y: np.where(x > y, x, -y), ["b, c", "c"]),
    "softmax": Case(lambda x: jax.nn.softmax(x, -1), softmax, ["b, c"]),
    "layer-norm": Case(jax_layer_norm, layer_norm, ["b, c", "c"], least={"c": 1}, tolerance=1e-4),
    "matmul": Case(lambda x, y: x @ y, lambda x, y: x @ y, ["m, k", "k, n"], tolerance=1e-4),
    "matmul-transposed": Case(lambda x, y: (x.T @ y.T).T, lambda x, y: y @ x, ["k, n", "m, k"], tolerance=1e-4),
    "batched-matmul": Case(lambda x, y: x @ y + 1, lambda x, y: x @ y + 1, ["b, m, k", "b, k, 5"], tolerance=1e-4),
    "linear-relu": Case(
        lambda x, w, c: jnp.maximum(x @ w + c, 0), lambda x, w, c: np.maximum(x @ w + c, 0), ["b, 16", "16, 8", "8"]
    ),
    "convolution": Case(jax_convolution, same_convolution, ["b, h, w, 3", "3, 3, 3, 4"], tolerance=1e-4),
    "strided-convolution": Case(
        jax_strided_convolution, strided_convolution, ["b, h, w, 3", "3, 3, 3, 4"], {"h": 3, "w": 3}, tolerance=1e-4
    ),
    "pooling": Case(jax_pooled, pooled, ["b, h, w"]),
    "gather": Case(
        lambda x, i: x.at[i].get(mode="clip"), lambda x, i: x[i], ["b, c", "n"], least={"b": 1}, integers={1: "b"}
    ),
    "embedding": Case(lambda x, i: x[i] * 2, lambda x, i: x[i] * 2, ["9, c", "b, n"], integers={1: "9"}),
    "scatter": Case(
        lambda x, i, u: x.at[i].add(u), scattered, ["b, c", "n", "n, c"], least={"b": 1}, integers={1: "b"}
    ),
    "concatenate-slice-pad": Case(jax_moved, moved, ["b, c", "n, c"], least={"b": 1, "c": 1, "n": 1}),
    "reduce": Case(jax_reduced, reduced, ["b, c"], tolerance=1e-4),
    "sort": Case(lambda x: jnp.sort(x, 1), lambda x: np.sort(x, 1), ["b, c"]),
    "argsort": Case(lambda x: jnp.argsort(x, 0), lambda x: np.argsort(x, 0).astype(I32), ["b, 3"]),
    "cumulative-sum": Case(lambda x: jnp.cumsum(x, 0), lambda x: np.cumsum(x, 0), ["b, c"], {"b": 1}, tolerance=1e-4),
    "cumulative-maximum": Case(
        lambda x: lax.cummax(x, 1), lambda x: np.maximum.accumulate(x, 1), ["b, c"], least={"c": 1}
    ),
    "attention": Case(jax_attention, attention, ["b, s, 2, 4"] * 3, least={"s": 1}, tolerance=1e-4),
    "recurrent": Case(jax_recurrent, recurrent, ["t, b, c", "b, c"], tolerance=1e-4),
    "while": Case(jax_halved, halved, ["b, c", "1"], integers={1: "9"}),
    "reshape-iota-broadcast": Case(jax_reshaped, reshaped, ["b, c, 6"]),
    "update": Case(
        lambda x, u: lax.dynamic_update_slice(x, u, (I32(1), I32(0))),
        lambda x, u: np.concatenate([x[:1], u, x[2:]]),
        ["b, c", "1, c"],
        least={"b": 2},
    ),
}  # fmt: skip


@cache
def function(name: str) -> Any:
    case = CASES[name]
    scope = export.SymbolicScope([f"{s} >= {n}" for s, n in (case.least or {}).items() if n > 1])
    specs = []
    for i, text in enumerate(case.shapes):
        dtype = I32 if i in (case.integers or {}) else F32
        specs.append(jax.ShapeDtypeStruct(export.symbolic_shape(text, scope=scope), dtype))
    with jax.enable_x64(False):
        program = export.export(jax.jit(case.program, keep_unused=True))(*specs).mlir_module()
    return tesselle.load(tesselle.compile(without_promises(program)))["main"]


def arguments(case: Case, values: dict[str, int], rng: np.random.Generator) -> list[Array]:
    drawn: list[Array] = []
    for i, text in enumerate(case.shapes):
        shape = [values[d] if d in values else int(d) for d in text.split(", ")]
        limit = (case.integers or {}).get(i)
        if limit is None:
            drawn.append(rng.normal(size=shape).astype(F32))
        else:
            drawn.append(rng.integers(0, values.get(limit) or int(limit), shape).astype(I32))
    return drawn


@pytest.mark.parametrize("name", CASES)
def test_two_hundred_sizes(name: str) -> None:
    case, call = CASES[name], function(name)
    names = sorted({c for text in case.shapes for c in re.findall("[a-z]", text)})
    rng = np.random.default_rng(list(CASES).index(name))
    for values in combinations(names, case.least, seed=list(CASES).index(name)):
        xs = arguments(case, values, rng)
        with np.errstate(all="ignore"):
            wanted = case.formula(*xs)
        wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted,)
        found = call(*xs)
        shapes = [x.shape for x in xs]
        for f, w in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
            assert f.shape == w.shape, f"{shapes}: {f.shape} instead of {w.shape}"
            np.testing.assert_allclose(f, w, rtol=case.tolerance, atol=case.tolerance, err_msg=str(shapes))
