"""The meaning of the core dialects: arith, math, complex, tensor, scf, shape."""

from tesselle.reference.core import arith, complex, math, scf, shape, tensor

__all__ = ["arith", "complex", "math", "scf", "shape", "tensor"]
