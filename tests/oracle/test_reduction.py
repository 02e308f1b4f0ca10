"""Reductions, windows, sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from oracle_harness import assert_close, check, lowered, sample

from tesselle.ir.text import parse_module
from tesselle.reference import interpret


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "uint8"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", ["sum", "max", "min", "prod"])
def test_reduce(name: str, axes: tuple[int, ...], dtype: str) -> None:
    x = sample(dtype, (4, 5, 6), special=False) if name == "prod" else sample(dtype, (4, 5, 6), special=name != "sum")
    limit = 3e-2 if dtype == "bfloat16" else 4e-3 if dtype == "float16" else 2e-5
    check(lambda v: getattr(jnp, name)(v, axes), x, tolerance=limit)


@pytest.mark.parametrize("name", ["any", "all"])
def test_reduce_booleans(name: str) -> None:
    check(lambda v: getattr(jnp, name)(v, 1), sample("bool", (4, 5)))


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16"])
def test_arguments_of_extremes(dtype: str) -> None:
    x = sample(dtype, (5, 8))
    check(lambda v: (jnp.argmax(v, 1), jnp.argmin(v, 0), jnp.argmax(v)), x)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": lambda x: jax.nn.softmax(x, -1),
    "log-softmax": lambda x: jax.nn.log_softmax(x, 0),
    "logsumexp": lambda x: jax.nn.logsumexp(x, 1),
    "variance": lambda x: jnp.var(x, 1),
    "mean-keepdims": lambda x: x - x.mean(1, keepdims=True),
    "cumsum": lambda x: jnp.cumsum(x, 1),
    "cumulative-max": lambda x: lax.cummax(x, 1, reverse=True),
    "cumprod": lambda x: jnp.cumprod(x, 0),
    "norm": lambda x: jnp.linalg.norm(x, axis=0),
    "custom": lambda x: lax.reduce(x, np.float32(0), lambda a, b: a + b * np.float32(1), (1,)),
    "two-results": lambda x: lax.reduce(
        (x, x * 2), (np.float32(0), np.float32(1)), lambda a, b: (a[0] + b[0], jnp.maximum(a[1], b[1])), (0,)
    ),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    check(REDUCTIONS[name], sample("float32", (5, 7), special=False), tolerance=2e-5)


WINDOWS: dict[str, Callable[..., Any]] = {
    "max": lambda x: lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"),
    "sum": lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 3, 1), (1, 1, 2, 1), "VALID"),
    "dilated": lambda x: lax.reduce_window(
        x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 3, 2, 1)
    ),
    "base-dilated": lambda x: lax.reduce_window(
        x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", base_dilation=(1, 2, 3, 1)
    ),
    "padded": lambda x: lax.reduce_window(
        x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (2, 0), (0, 0)]
    ),
    "min-in-all-dims": lambda x: lax.reduce_window(x, np.inf, lax.min, (2, 2, 2, 2), (1, 1, 1, 1), "VALID"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_reduce_window(name: str) -> None:
    check(WINDOWS[name], sample("float32", (2, 7, 8, 3), special=False), tolerance=1e-5)


BORDERS = {
    "of-one": ((0, 0), (1, 1), (1, 1), (0, 0)),
    "below": ((0, 0), (0, 2), (0, 1), (0, 0)),
    "above": ((0, 0), (2, 0), (1, 0), (0, 0)),
    "wider-than-the-window": ((0, 0), (3, 5), (4, 3), (0, 0)),
    "of-batches": ((1, 2), (0, 0), (1, 0), (0, 0)),
    "negative": ((0, 0), (-1, 1), (2, -2), (0, 0)),
    "of-channels": ((0, 0), (0, 0), (1, 1), (1, 0)),
}


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    "reducer", ["max", "min", "add", "mul", "bitwise_or", "bitwise_and", "larger-magnitude", "logaddexp"]
)
def test_windows_in_borders(reducer: str, border: str) -> None:
    """Initial values that are not neutral are what stands in the border; not so with XLA, where it shows."""

    def larger(a: Any, b: Any) -> Any:
        return jnp.where(jnp.abs(a) >= jnp.abs(b), a, b)

    combine = {"larger-magnitude": larger, "logaddexp": jnp.logaddexp}.get(reducer) or getattr(lax, reducer)
    integers = reducer.startswith("bitwise")
    x = sample("int32" if integers else "float32", (2, 7, 8, 3), special=False)
    for initial in (3, 0, 1):
        first = np.asarray(initial, x.dtype)
        for dilation in ((1, 1, 1, 1), (1, 2, 1, 1)):

            def program(v: Any, i: Any = first, d: Any = dilation) -> Any:
                window, strides = (1, 3, 2, 1), (1, 2, 1, 1)
                return lax.reduce_window(v, i, combine, window, strides, BORDERS[border], window_dilation=d)

            if initial == {"add": 0, "mul": 1, "logaddexp": None}.get(reducer, initial):
                check(program, x, tolerance=1e-5)
            text = jax.jit(program).lower(x).as_text()
            wanted = interpret(parse_module(text), "main", [x])
            assert_close(interpret(lowered(text), "main", [x]), wanted, "linalg", tolerance=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8", "uint8", "float64", "bool"])
def test_windows_in_borders_of_other_types(dtype: str) -> None:
    x = sample(dtype, (2, 7, 8, 20), special=False)
    padding = ((0, 0), (1, 1), (2, 1), (0, 0))
    reducers = (lax.bitwise_or,) if dtype == "bool" else (lax.max, lax.add)
    for combine in reducers:
        check(
            lambda v, c=combine: lax.reduce_window(v, np.zeros((), x.dtype), c, (1, 3, 3, 1), (1, 2, 2, 1), padding),
            x,
            tolerance=5e-2 if dtype in ("bfloat16", "float16") else 1e-6,
        )


def test_gradient_of_max_pooling() -> None:
    def loss(x: Any) -> Any:
        y = lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
        return jnp.sum(y * y)

    check(jax.grad(loss), sample("float32", (2, 7, 8, 3), special=False), tolerance=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "bool"])
@pytest.mark.parametrize("axis", [0, 1])
def test_sort(axis: int, dtype: str) -> None:
    check(lambda x: jnp.sort(x, axis), sample(dtype, (9, 11)))


def test_sort_several() -> None:
    keys = sample("int32", (40,), special=False) % 5
    check(lambda k, v: lax.sort((k, v), num_keys=1), keys, sample("float32", (40,)))
    check(lambda k: jnp.argsort(k), keys)
    check(lambda k: jnp.sort(k, descending=True), keys)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_top_k(dtype: str) -> None:
    check(lambda x: lax.top_k(x, 4), sample(dtype, (3, 12), special=dtype == "int32"))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (2, 0, 0)])
def test_nothing_to_reduce_or_to_sort(shape: tuple[int, ...]) -> None:
    x, y = np.zeros(shape, np.float32), np.zeros(shape, np.int32)

    def later(a: Any, b: Any) -> Any:
        return tuple(jnp.where(a[0] > b[0], p, q) for p, q in zip(a, b, strict=True))

    for axes in ((), (0,), tuple(range(len(shape)))):
        check(lambda a, b, axes=axes: lax.reduce((a, b), (np.float32(-1), np.int32(7)), later, axes), x, y)
    for axis in range(len(shape)):
        check(lambda a, b, axis=axis: lax.sort((a, b), dimension=axis, num_keys=2), x, y)


def test_branches_in_the_body_of_a_reduction() -> None:
    """Every element goes its own way: all branches are computed and one is chosen."""

    def larger(a: Any, b: Any) -> Any:
        return lax.cond(a > b, lambda: a, lambda: b)

    x = sample("float32", (5, 7), special=False)
    check(lambda v: lax.reduce(v, np.float32(-9), larger, (1,)), x)
    check(lambda v: lax.reduce_window(v, np.float32(-9), larger, (2, 2), (1, 1), "VALID"), x)


def test_three_branches_in_the_body_of_a_reduction() -> None:
    """Not beside XLA, which aborts on this program (computation_partitioner.cc, operand_maps.size() == 1)."""

    def larger(a: Any, b: Any) -> Any:
        way = (a > b).astype(np.int32) + 2 * (a == b).astype(np.int32)
        return lax.switch(way, [lambda: b, lambda: a, lambda: a + 0 * b])

    x = sample("float32", (5, 7), special=False)
    text = jax.jit(lambda v: lax.reduce(v, np.float32(-9), larger, (1,))).lower(x).as_text()
    assert_close(interpret(parse_module(text), "main", [x]), [x.max(1)], "the reference")
    assert_close(interpret(lowered(text), "main", [x]), [x.max(1)], "linalg")
