"""Time to compile, without the cache of compiled code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

import tesselle as ts
from model import load_model

MLP = Path(__file__).parents[1] / "examples" / "mlp.mlir"


def bench_compile_mlp(benchmark: Any) -> None:
    benchmark.pedantic(ts.compile, args=(MLP,), kwargs={"targets": ["cpu"]}, rounds=3)


def bench_compile_minilm(benchmark: Any) -> None:
    model = load_model()
    lowered = jax.jit(model.embed).lower(np.zeros((1, 32), np.int32), np.ones((1, 32), np.float32))
    benchmark.pedantic(ts.compile, args=(lowered,), kwargs={"targets": ["cpu"]}, rounds=1)
