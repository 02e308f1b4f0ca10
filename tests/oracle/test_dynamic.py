"""Dynamic dimensions: one program, several shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import export, lax
from jax import numpy as jnp
from oracle_harness import assert_close, lowered, sample
from random_sizes import combinations, without_promises

import tesselle
from tesselle.ir.text import parse_module
from tesselle.reference import interpret


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -np.inf, lax.max, (2, 2), (1, 2), "VALID")


PROGRAMS: dict[str, Callable[..., Any]] = {
    "elementwise": lambda x: jnp.tanh(x) * 2 + 1,
    "softmax": lambda x: jax.nn.softmax(x, -1),
    "mean": lambda x: x - x.mean(0),
    "product": lambda x: x @ x.T,
    "transposed": lambda x: x.T @ x,
    "reshape": lambda x: x.reshape(-1),
    "reshape-both": lambda x: x.reshape(x.shape[0] * 2, 3),
    "concatenate": lambda x: jnp.concatenate([x, x * 2, x[:1]]),
    "pad": lambda x: jnp.pad(x, ((1, 2), (0, 1))),
    "iota": lambda x: jnp.arange(x.shape[0]) + x[:, 0].astype(np.int32),
    "broadcast": lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], 4, 6)),
    "nothing": lambda x: jnp.pad(x[:, :0], ((1, 2), (0, 0))),
    "slice": lambda x: x[1:, ::2],
    "reverse": lambda x: x[::-1],
    "gather": lambda x: x[jnp.array([0, 1, 0])],
    "take-last": lambda x: x[-1],
    "sort": lambda x: jnp.sort(x, 0),
    "argmax": lambda x: jnp.argmax(x, 0),
    "scan": lambda x: lax.scan(lambda c, r: (c + r, c), jnp.zeros(6, np.float32), x),
    "convolution": lambda x: lax.conv_general_dilated(
        x[None, :, :, None],
        jnp.ones((2, 3, 1, 2), np.float32),
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "pooling": pool,
    "pooling-gradient": jax.grad(lambda x: pool(x).sum()),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_program_for_every_size(name: str) -> None:
    function = PROGRAMS[name]
    (rows,) = export.symbolic_shape("n", constraints=["n >= 3"])
    exported = export.export(jax.jit(function))(jax.ShapeDtypeStruct((rows, 6), np.float32))
    text = exported.mlir_module()
    program = lowered(text)
    for n in (3, 8):
        x = sample("float32", (n, 6), n, special=False)
        wanted = jax.tree.leaves(jax.jit(function)(x))
        assert_close(interpret(parse_module(text), "main", [x]), wanted, f"the reference, n = {n}", 1e-5)
        assert_close(interpret(program, "main", [x]), wanted, f"linalg, n = {n}", 1e-5)


LEAST = {
    **dict.fromkeys(("concatenate", "slice", "take-last", "argmax"), 1),  # they take one row, or what lies behind it
    **dict.fromkeys(("gather", "convolution", "pooling", "pooling-gradient"), 2),  # two rows are taken together
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_two_hundred_sizes(name: str) -> None:
    """Compiled, and as linalg for the smallest ones and some others, beside the reference."""
    least = LEAST.get(name, 0)
    (rows,) = export.symbolic_shape("n", constraints=[f"n >= {least}"] if least > 1 else [])
    exported = export.export(jax.jit(PROGRAMS[name]))(jax.ShapeDtypeStruct((rows, 6), np.float32))
    text = without_promises(exported.mlir_module())
    function, program, meaning = tesselle.load(tesselle.compile(text))["main"], lowered(text), parse_module(text)
    for i, values in enumerate(combinations("n", {"n": least})):
        n = values["n"]
        x = sample("float32", (n, 6), n, special=False)
        with np.errstate(all="ignore"):  # means of nothing
            wanted = interpret(meaning, "main", [x])
            if n < 4 or i % 20 == 0:
                assert_close(interpret(program, "main", [x]), wanted, f"linalg, n = {n}", 1e-5)
        found = function(x)
        assert_close(found if isinstance(found, tuple) else [found], wanted, f"compiled, n = {n}", 2e-5)
