"""The meaning of StableHLO and CHLO, split like the dialect."""

from tesselle.reference.stablehlo import (
    chlo,
    contraction,
    control_flow,
    convolution,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    reduction,
    shape,
    window,
)

__all__ = [
    "chlo",
    "contraction",
    "control_flow",
    "convolution",
    "dynamic",
    "elementwise",
    "indexing",
    "linear_algebra",
    "normalization",
    "reduction",
    "shape",
    "window",
]
