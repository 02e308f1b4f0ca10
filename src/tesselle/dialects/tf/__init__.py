"""TensorFlow's operations that Tesselle lowers. Importing this package declares all of them."""

from tesselle.dialects.tf import binary, contraction, elementwise, indexing, reduction, shape, slicing

__all__ = ["binary", "contraction", "elementwise", "indexing", "reduction", "shape", "slicing"]
