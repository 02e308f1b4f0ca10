"""StableHLO: every operation of the specification, with inference and the verification of its constraints.

Rules are numbered like the constraint labels of the specification (https://openxla.org/stablehlo/spec): I1 is about the
first input, C1 about the first constraint. Importing this package declares all operations.
"""

from tesselle.dialects.stablehlo import (
    asynchronous,
    collective,
    contraction,
    control_flow,
    convolution,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    quantization,
    reduction,
    shape,
    tokens,
    window,
)

__all__ = [
    "asynchronous",
    "collective",
    "contraction",
    "control_flow",
    "convolution",
    "dynamic",
    "elementwise",
    "indexing",
    "linear_algebra",
    "normalization",
    "quantization",
    "reduction",
    "shape",
    "tokens",
    "window",
]
