"""TensorFlow's operations that Tesselle lowers. Importing this package declares all of them."""

from tesselle.dialects.tf import binary, elementwise, indexing, reduction, shape, slicing

__all__ = ["binary", "elementwise", "indexing", "reduction", "shape", "slicing"]
