"""The meaning of the core dialects: arith, math, complex, tensor, scf, shape, ml_program."""

from tesselle.reference.core import arith, complex, math, ml_program, scf, shape, tensor

__all__ = ["arith", "complex", "math", "ml_program", "scf", "shape", "tensor"]
