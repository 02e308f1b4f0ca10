"""The meaning of the core dialects: arith, math, complex, tensor, scf."""

from tesselle.reference.core import arith, complex, math, scf, tensor

__all__ = ["arith", "complex", "math", "scf", "tensor"]
