"""The meaning of the core dialects: arith, math, complex, tensor, scf, ml_program."""

from tesselle.reference.core import arith, complex, math, ml_program, scf, tensor

__all__ = ["arith", "complex", "math", "ml_program", "scf", "tensor"]
