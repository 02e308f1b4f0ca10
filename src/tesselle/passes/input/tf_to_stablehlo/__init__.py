"""The lowerings from TensorFlow's operations to StableHLO; importing this package registers all of them."""

from tesselle.passes.input.tf_to_stablehlo import (
    contraction,
    convolution,
    cumulative,
    diagonals,
    effects,
    elementwise,
    image,
    indexing,
    linear_algebra,
    normalization,
    pooling,
    random,
    reduction,
    resize,
    shape,
    slicing,
    sorting,
    variables,
)
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import LOWERINGS

__all__ = [
    "LOWERINGS",
    "TfBuilder",
    "contraction",
    "convolution",
    "cumulative",
    "diagonals",
    "effects",
    "elementwise",
    "image",
    "indexing",
    "linear_algebra",
    "normalization",
    "pooling",
    "random",
    "reduction",
    "resize",
    "shape",
    "slicing",
    "sorting",
    "variables",
]
