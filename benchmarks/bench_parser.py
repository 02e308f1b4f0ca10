"""Reading MLIR text: operations per second, and hex constants per second.

Budget: 30 thousand operations/s parsed and verified; 100 MB of hex constants in 2 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify


def module_of_adds(count: int) -> str:
    """A function of `count` dependent additions, as JAX prints them."""
    lines = [f"    %{i + 1} = stablehlo.add %{i}, %arg0 : tensor<4x8xf32>" for i in range(count)]
    return "\n".join(
        [
            "module @adds {",
            "  func.func public @main(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32> {",
            "    %0 = stablehlo.negate %arg0 : tensor<4x8xf32>",
            *lines,
            f"    return %{count} : tensor<4x8xf32>",
            "  }",
            "}",
        ]
    )


def module_of_constant(megabytes: int) -> str:
    """A function that returns a constant whose data are `megabytes` MB of hex digits."""
    count = megabytes * 1_000_000 // 8
    digits = np.random.default_rng(0).normal(size=count).astype(np.float32).tobytes().hex().upper()
    return (
        f"func.func @main() -> tensor<{count}xf32> {{\n"
        f'  %0 = stablehlo.constant dense<"0x{digits}"> : tensor<{count}xf32>\n'
        f"  return %0 : tensor<{count}xf32>\n}}\n"
    )


def bench_operations(benchmark: Any) -> None:
    count = 20_000
    text = module_of_adds(count)

    def parse_and_verify() -> None:
        verify(parse_module(text, "adds.mlir"))

    benchmark.pedantic(parse_and_verify, rounds=3, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["operations_per_s"] = round(count / benchmark.stats.stats.median)


def bench_hex_constant(benchmark: Any) -> None:
    text = module_of_constant(megabytes=100)
    benchmark.pedantic(parse_module, args=(text, "constant.mlir"), rounds=3)
    if benchmark.stats is not None:
        benchmark.extra_info["hex_MB_per_s"] = round(len(text) / 1e6 / benchmark.stats.stats.median)
