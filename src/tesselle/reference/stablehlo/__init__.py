"""The meaning of StableHLO and CHLO, split like the dialect."""

from tesselle.reference.stablehlo import (
    chlo,
    chlo_structured,
    collective,
    contraction,
    control_flow,
    convolution,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    random,
    reduction,
    shape,
    tokens,
    window,
)

__all__ = [
    "chlo",
    "chlo_structured",
    "collective",
    "contraction",
    "control_flow",
    "convolution",
    "dynamic",
    "elementwise",
    "indexing",
    "linear_algebra",
    "normalization",
    "random",
    "reduction",
    "shape",
    "tokens",
    "window",
]
