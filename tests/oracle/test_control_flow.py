"""Loops and branches."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from oracle_harness import check, sample

X = sample("float32", (5, 3), special=False)


def names(module: Any) -> list[str]:
    return [op.name for op in module.walk()]


def test_scan_becomes_a_counted_loop_without_clamps() -> None:
    def step(carry: Any, x: Any) -> Any:
        carry = jnp.tanh(carry + x)
        return carry, carry * 2

    found = names(check(lambda x: lax.scan(step, jnp.zeros(3, np.float32), x), X, tolerance=1e-5))
    assert "scf.for" in found
    assert not {"scf.while", "tensor.extract", "arith.maxsi", "arith.minsi", "arith.select"} & set(found)


def test_reversed_scan() -> None:
    found = names(check(lambda x: lax.scan(lambda c, v: (c + v, c), jnp.zeros(3, np.float32), x, reverse=True), X))
    assert not {"tensor.extract", "arith.maxsi", "arith.minsi"} & set(found)


def test_fori_loop_reads_with_its_counter() -> None:
    check(lambda x: lax.fori_loop(1, 4, lambda i, s: s + x[i] * i, jnp.zeros(3, np.float32)), X, tolerance=1e-5)


def test_bound_from_an_argument() -> None:
    found = names(check(lambda x, n: lax.fori_loop(0, n, lambda i, s: s * 2, x), X, np.int32(3)))
    assert "scf.for" in found or "scf.while" in found
    check(lambda x, n: lax.fori_loop(2, n, lambda i, s: s + x[i], jnp.zeros(3, np.float32)), X, np.int32(0))


def test_while_on_data() -> None:
    check(lambda x: lax.while_loop(lambda s: jnp.sum(s) < 100, lambda s: s * 2 + 1, jnp.abs(x)), X)


def test_while_with_two_counters() -> None:
    def body(state: Any) -> Any:
        i, j, total = state
        return i + 2, j - i, total + X[0] * j

    def run(x: Any) -> Any:
        return lax.while_loop(lambda s: s[0] < 9, body, (np.int32(0), np.int32(5), x))

    check(run, X[1], tolerance=1e-5)


def test_nested_loops() -> None:
    def outer(i: Any, s: Any) -> Any:
        return lax.fori_loop(0, 3, lambda j, t: t.at[i, j].add(i * 3.0 + j), s)

    check(lambda x: lax.fori_loop(0, 5, outer, x), X, tolerance=1e-5)


def test_branches() -> None:
    for k in (-1, 0, 1, 2, 7):
        check(lambda x, i: lax.switch(i, [lambda v: v + 1, lambda v: v * 2, lambda v: v @ v.T @ v], x), X, np.int32(k))
    for flag in (False, True):
        check(lambda x, p: lax.cond(p, lambda v: v + 1, lambda v: jnp.exp(v), x), X, np.bool_(flag))


def test_a_condition_reduced_over_no_dimensions() -> None:
    """The sum over none of a number that the host knows; the loop of a scalar igamma has such a condition."""

    def loop(n: Any) -> Any:
        return lax.while_loop(lambda s: (s[0] < 5.0) & jnp.any(s[1]), lambda s: (s[0] + 1, s[0] < n), (0.0, True))

    check(loop, np.float32(3))


def test_cond_on_data() -> None:
    check(lambda x: lax.cond(x.sum() > 0, lambda: x, lambda: -x), X)


def test_associative_scan() -> None:
    check(lambda x: lax.associative_scan(jnp.add, x), X, tolerance=1e-5)


def test_map() -> None:
    check(lambda x: lax.map(lambda r: jnp.outer(r, r), x), X, tolerance=1e-5)


def test_random_bits() -> None:
    def draw(seed: Any) -> Any:
        key = jax.random.PRNGKey(seed)
        return jax.random.uniform(key, (7,), np.float32), jax.random.bits(key, (5,), np.uint32)

    check(draw, np.int32(42))


def test_normal_numbers() -> None:
    check(lambda s: jax.random.normal(jax.random.PRNGKey(s), (33,), np.float32), np.int32(7), tolerance=1e-5)
