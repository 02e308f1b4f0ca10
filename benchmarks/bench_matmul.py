"""Square matrix products in f32, one thread, beside NumPy and JAX and the FMA peak of the machine."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import tesselle as ts


@pytest.mark.parametrize("size", [512, 1024])
def bench_matmul(size: int, beside_peers: Any, benchmark: Any, limits: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    jitted = jax.jit(lambda a, b: a @ b)
    program = ts.load(ts.compile(jitted.lower(a, b), targets=["cpu"]), device="cpu:threads=1")["main"]
    np.testing.assert_allclose(program(a, b), a @ b, rtol=1e-4, atol=1e-2)
    medians = beside_peers(
        lambda: program(a, b), {"numpy": lambda: a @ b, "jax": lambda: jitted(a, b).block_until_ready()}
    )
    if "tesselle" in medians:
        gflops = 2e-9 * size**3 / medians["tesselle"]
        benchmark.extra_info["gflops"] = round(gflops, 1)
        benchmark.extra_info["share_of_fma_peak"] = round(gflops / limits.fma_gflops, 3)


def bench_matrix_vector(beside_peers: Any, benchmark: Any, limits: Any) -> None:
    """A row times a constant 4096×4096 matrix: reading the matrix is all of the work."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4096, 4096)).astype(np.float32) / 64
    x = rng.normal(size=(1, 4096)).astype(np.float32)
    jitted = jax.jit(lambda x: x @ matrix)
    program = ts.load(ts.compile(jitted.lower(x), targets=["cpu"]), device="cpu:threads=1")["main"]
    np.testing.assert_allclose(program(x), x @ matrix, rtol=1e-4, atol=1e-4)
    medians = beside_peers(
        lambda: program(x), {"numpy": lambda: x @ matrix, "jax": lambda: jitted(x).block_until_ready()}
    )
    if "tesselle" in medians:
        gbytes_per_s = matrix.nbytes / medians["tesselle"] / 1e9
        benchmark.extra_info["share_of_read_bandwidth"] = round(gbytes_per_s / limits.read_gbytes_per_s, 3)
