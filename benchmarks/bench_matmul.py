"""Matrix products and convolutions in f32, one thread, beside NumPy and JAX and the FMA peak of the machine."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tesselle as ts


@pytest.mark.parametrize("size", [512, 1024, 1000, 509, 2048])
def bench_matmul(size: int, beside_peers: Any, benchmark: Any, limits: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    jitted = jax.jit(lambda a, b: a @ b)
    program = ts.load(ts.compile(jitted.lower(a, b), targets=["cpu"]), device="cpu:threads=1")["main"]
    np.testing.assert_allclose(program(a, b), a @ b, rtol=1e-4, atol=1e-2)
    medians = beside_peers(
        lambda: program(a, b), {"numpy": lambda: a @ b, "jax": lambda: jitted(a, b).block_until_ready()}
    )
    _report_gflops(benchmark, limits, medians, 2 * size**3)


@pytest.mark.parametrize(
    ("subscripts", "m", "n", "k"), [("mk,nk->mn", 1024, 1024, 1024), ("km,kn->mn", 1024, 1024, 1024)]
)
def bench_layouts(subscripts: str, m: int, n: int, k: int, beside_peers: Any, benchmark: Any, limits: Any) -> None:
    """Products with a transposed operand, read in place."""
    rng = np.random.default_rng(0)
    sizes = {"m": m, "n": n, "k": k}
    left, right = subscripts.split("->")[0].split(",")
    a, b = (rng.normal(size=[sizes[c] for c in term]).astype(np.float32) for term in (left, right))
    jitted = jax.jit(lambda a, b: jnp.einsum(subscripts, a, b))
    program = ts.load(ts.compile(jitted.lower(a, b), targets=["cpu"]), device="cpu:threads=1")["main"]
    np.testing.assert_allclose(program(a, b), np.einsum(subscripts, a, b, optimize=True), rtol=1e-4, atol=1e-2)
    medians = beside_peers(lambda: program(a, b), {"jax": lambda: jitted(a, b).block_until_ready()})
    _report_gflops(benchmark, limits, medians, 2 * m * n * k)


@pytest.mark.parametrize(
    ("image", "features", "window", "stride", "groups"),
    [
        ((1, 224, 224, 3), 64, 7, 2, 1),
        ((1, 56, 56, 64), 64, 3, 1, 1),
        ((1, 14, 14, 256), 256, 3, 1, 1),
        ((1, 56, 56, 64), 256, 1, 1, 1),
        ((1, 56, 56, 128), 128, 3, 1, 128),
    ],
)
def bench_convolution(
    image: tuple[int, ...],
    features: int,
    window: int,
    stride: int,
    groups: int,
    beside_peers: Any,
    benchmark: Any,
    limits: Any,
) -> None:
    """Convolutions with constant filters, as networks for images have them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=image).astype(np.float32)
    shape = (window, window, image[-1] // groups, features)
    w = rng.normal(size=shape).astype(np.float32)
    jitted = jax.jit(
        lambda x: jax.lax.conv_general_dilated(
            x,
            jnp.asarray(w),
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )
    )
    program = ts.load(ts.compile(jitted.lower(x), targets=["cpu"]), device="cpu:threads=1")["main"]
    expected = np.asarray(jitted(x))
    np.testing.assert_allclose(program(x), expected, rtol=1e-3, atol=1e-2)
    medians = beside_peers(lambda: program(x), {"jax": lambda: jitted(x).block_until_ready()})
    _report_gflops(benchmark, limits, medians, 2 * expected.size * int(np.prod(shape[:-1])))


def _report_gflops(benchmark: Any, limits: Any, medians: dict[str, float], flops: int) -> None:
    if "tesselle" in medians:
        flops_per_s = flops / medians["tesselle"]
        benchmark.extra_info["gflops"] = round(flops_per_s / 1e9, 1)
        benchmark.extra_info["share_of_fma_peak"] = round(flops_per_s / limits.flops_per_s, 3)


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
        bytes_per_s = matrix.nbytes / medians["tesselle"]
        benchmark.extra_info["share_of_read_bandwidth"] = round(bytes_per_s / limits.bytes_per_s, 3)
