"""Passes over memory: elementwise, normalizations, reductions, pooling, a sort."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .base import Array, Bound, Workload, draw_normal, draw_uniform, functional, normal, torch_twin

SIZE = 4096
MATRIX_BYTES = 4 * SIZE * SIZE
EPSILON = 1e-5
SORTED = 1_000_000


def _stream(
    name: str,
    description: str,
    function: Callable[..., Any],
    twin: Callable[..., Any],
    bytes: int,
    inputs: int = 1,
    weights: Callable[[], dict[str, Array]] = dict[str, Array],
    tolerance: float = 1e-4,
) -> Workload:
    return Workload(
        name,
        f"{description}, [{SIZE}, {SIZE}]",
        function,
        torch_twin(twin),
        lambda: tuple(normal(1 + i, SIZE, SIZE) for i in range(inputs)),
        weights,
        bytes=bytes,
        bound=Bound.MEMORY,
        tolerance=tolerance,
    )


def jax_layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    """(x - mean) / sqrt(variance + ε) · scale + bias over the last axis."""
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + EPSILON) * scale + bias


def _layer_norm_weights() -> dict[str, Array]:
    rng = np.random.default_rng(5)
    return {"scale": draw_uniform(rng, 0.8, 1.2, SIZE), "bias": draw_normal(rng, SIZE)}


CHANNELS, HEIGHT = 64, 112


def _pool(name: str, description: str, function: Callable[..., Any], twin: Callable[..., Any], tol: float) -> Workload:
    return Workload(
        name,
        f"{description}, 3×3 with stride 2, [1, {HEIGHT}, {HEIGHT}, {CHANNELS}]",
        function,
        torch_twin(twin),
        lambda: (normal(1, 1, HEIGHT, HEIGHT, CHANNELS),),
        bytes=4 * CHANNELS * (HEIGHT**2 + (HEIGHT // 2) ** 2),
        bound=Bound.MEMORY,
        image_inputs=(0,),
        image_results=(0,),
        tolerance=tol,
    )


def jax_pool(x: Any, first: float, combine: Any) -> Any:
    """Windows of 3×3, stride 2, a border of one."""
    return lax.reduce_window(x, first, combine, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])


STREAMS = (
    _stream(
        "ew_fma_relu",
        "relu(2x + y)",
        lambda w, x, y: jax.nn.relu(x * 2.0 + y),
        lambda w, x, y: functional().relu(x * 2.0 + y),
        3 * MATRIX_BYTES,
        inputs=2,
    ),
    _stream(
        "ew_gelu_tanh",
        "GELU by its tanh formula",
        lambda w, x: jax.nn.gelu(x, approximate=True),
        lambda w, x: functional().gelu(x, approximate="tanh"),
        2 * MATRIX_BYTES,
    ),
    _stream(
        "softmax",
        "softmax of every row",
        lambda w, x: jax.nn.softmax(x, -1),
        lambda w, x: functional().softmax(x, -1),
        2 * MATRIX_BYTES,
    ),
    _stream(
        "layernorm",
        "layer normalization of every row",
        lambda w, x: jax_layer_norm(x, w["scale"], w["bias"]),
        lambda w, x: functional().layer_norm(x, (SIZE,), w["scale"], w["bias"], EPSILON),
        2 * MATRIX_BYTES,
        weights=_layer_norm_weights,
    ),
    _stream("reduce_row", "sums of rows", lambda w, x: x.sum(1), lambda w, x: x.sum(1), MATRIX_BYTES),
    _stream("reduce_col", "sums of columns", lambda w, x: x.sum(0), lambda w, x: x.sum(0), MATRIX_BYTES),
    _stream(
        "reduce_all_max", "the largest element", lambda w, x: x.max(), lambda w, x: x.max(), MATRIX_BYTES, tolerance=0
    ),
    _pool(
        "maxpool",
        "maxima",
        lambda w, x: jax_pool(x, -jnp.inf, lax.max),
        lambda w, x: functional().max_pool2d(x, 3, 2, 1),
        0,
    ),
    _pool(
        "avgpool",
        "means",
        lambda w, x: jax_pool(x, 0.0, lax.add) * (1 / 9),
        lambda w, x: functional().avg_pool2d(x, 3, 2, 1),
        1e-5,
    ),
    Workload(
        "sort1e6",
        f"{SORTED:,} numbers in order",
        lambda w, x: jnp.sort(x),
        torch_twin(lambda w, x: importlib.import_module("torch").sort(x).values),
        lambda: (normal(1, SORTED),),
        bytes=8 * SORTED,
        tolerance=0,
    ),
)
