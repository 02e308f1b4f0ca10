"""Eight additions, and products of matrices."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import numpy as np

from .base import Array, Bound, Parameters, Workload, draw_normal, functional, normal, torch_twin


def _add(weights: Parameters, a: Any, b: Any) -> Any:
    return a + b


def _product(weights: Parameters, a: Any, b: Any) -> Any:
    return a @ b


def _matmul(name: str, m: int, k: int, n: int) -> Workload:
    return Workload(
        name,
        f"[{m}, {k}] × [{k}, {n}]",
        _product,
        torch_twin(_product),
        lambda: (normal(1, m, k), normal(2, k, n)),
        flops=2 * m * k * n,
        bytes=4 * (m * k + k * n + m * n),
        bound=Bound.COMPUTE,
    )


GEMV = 4096


def _gemv(weights: Parameters, x: Any) -> Any:
    return x @ weights["w"]


MLP_BATCH = 64
MLP_SIZES = (784, 1024, 1024, 10)


def _mlp_weights() -> dict[str, Array]:
    rng = np.random.default_rng(4)
    weights: dict[str, Array] = {}
    for i, (m, n) in enumerate(pairwise(MLP_SIZES)):
        weights[f"kernel{i}"] = draw_normal(rng, m, n, scale=(2 / m) ** 0.5)
        weights[f"bias{i}"] = draw_normal(rng, n, scale=0.1)
    return weights


def _mlp(weights: Parameters, x: Any, relu: Any = jax.nn.relu) -> Any:
    last = len(MLP_SIZES) - 2
    for i in range(last):
        x = relu(x @ weights[f"kernel{i}"] + weights[f"bias{i}"])
    return x @ weights[f"kernel{last}"] + weights[f"bias{last}"]


def _torch_mlp(weights: Parameters, x: Any) -> Any:
    return _mlp(weights, x, functional().relu)


PRODUCTS = (
    Workload(
        "tiny_add8",
        "a + b of eight numbers: what a call costs",
        _add,
        torch_twin(_add),
        lambda: (normal(1, 8), normal(2, 8)),
        bytes=96,
    ),
    _matmul("matmul512", 512, 512, 512),
    _matmul("matmul1024", 1024, 1024, 1024),
    _matmul("matmul2048", 2048, 2048, 2048),
    _matmul("matmul_odd", 127, 1013, 511),
    Workload(
        "gemv4096",
        f"[1, {GEMV}] × [{GEMV}, {GEMV}] of constant weights",
        _gemv,
        torch_twin(_gemv),
        lambda: (normal(1, 1, GEMV),),
        lambda: {"w": normal(3, GEMV, GEMV, scale=GEMV**-0.5)},
        flops=2 * GEMV**2,
        bytes=4 * GEMV**2,
        bound=Bound.MEMORY,
    ),
    Workload(
        "mlp64",
        " → ".join(map(str, MLP_SIZES)) + f" with ReLU, batch {MLP_BATCH}",
        _mlp,
        torch_twin(_torch_mlp),
        lambda: (normal(1, MLP_BATCH, MLP_SIZES[0]),),
        _mlp_weights,
        flops=2 * MLP_BATCH * sum(m * n for m, n in pairwise(MLP_SIZES)),
        bytes=4 * sum(m * n for m, n in pairwise(MLP_SIZES)),
        bound=Bound.COMPUTE,
    ),
)
