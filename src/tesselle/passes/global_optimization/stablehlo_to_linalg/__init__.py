"""Lowerings from StableHLO and CHLO to linalg on tensors, split like the dialect; `LOWERINGS` is their table."""

from tesselle.passes.global_optimization.stablehlo_to_linalg import (
    contraction,
    control_flow,
    convolution,
    custom_calls,
    dynamic,
    elementwise,
    indexing,
    normalization,
    reduction,
    scatter,
    shape,
    shape_arithmetic,
    window,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import LOWERINGS, Lowering

__all__ = [
    "LOWERINGS",
    "Lowering",
    "contraction",
    "control_flow",
    "convolution",
    "custom_calls",
    "dynamic",
    "elementwise",
    "indexing",
    "normalization",
    "reduction",
    "scatter",
    "shape",
    "shape_arithmetic",
    "window",
]
