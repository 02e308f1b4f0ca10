"""TensorFlow's operations that Tesselle lowers. Importing this package declares all of them."""

from tesselle.dialects.tf import (
    binary,
    contraction,
    control_flow,
    elementwise,
    image,
    indexing,
    linear_algebra,
    lists,
    pooling,
    random,
    reduction,
    shape,
    slicing,
    variables,
)

__all__ = [
    "binary",
    "contraction",
    "control_flow",
    "elementwise",
    "image",
    "indexing",
    "linear_algebra",
    "lists",
    "pooling",
    "random",
    "reduction",
    "shape",
    "slicing",
    "variables",
]
