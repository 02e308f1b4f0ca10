"""Contractions and convolutions of a uniform tensor with constant weights: JAX's gradients are full of them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

WEIGHTS = np.random.default_rng(0).normal(size=(3, 3, 32, 34)).astype(np.float32)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.full((1024, 32), 0.5, np.float32) @ WEIGHTS[0, 0] + x,
        lambda x: jnp.full((4, 64, 32), 0.5, np.float32) @ WEIGHTS.reshape(9, 32, 34)[:4] + x,
        lambda x: (
            lax.conv_general_dilated(
                jnp.full((1, 40, 40, 32), 0.5, np.float32),
                WEIGHTS,
                (1, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            + x
        ),
        lambda x: jax.vjp(lambda v: jnp.fft.irfft(v, 32), lax.complex(x, x)[:17].reshape(1, 17))[1](
            jnp.full((1, 32), 0.5, np.float32)
        )[0],
    ],
    ids=["matmul", "batched", "convolution", "gradient of irfft"],
)
def test_uniform(function: Any) -> None:
    x = np.arange(34, dtype=np.float32)
    lowered = jax.jit(function).lower(x)
    found = ts.load(ts.compile(lowered))["main"](x)
    np.testing.assert_allclose(found, lowered.compile()(x), rtol=1e-5, atol=1e-5)
