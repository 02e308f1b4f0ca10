"""The meaning of every operation in NumPy: oracle of the tests, and constant folder of the compiler.

`semantics` registers one function per operation class; `interpret` runs a function of a module with them. Importing
this package registers everything. Source of the meanings: the StableHLO specification, MLIR's dialect documentation,
and XLA's behaviour where the specification leaves it to the implementation.
"""

from tesselle.reference import core, flow, linalg, packed, parallel, sdy, stablehlo
from tesselle.reference.interpreter import Interpreter, interpret
from tesselle.reference.registry import Array, evaluate, has_semantics, region_semantics, semantics

__all__ = [
    "Array",
    "Interpreter",
    "core",
    "evaluate",
    "flow",
    "has_semantics",
    "interpret",
    "linalg",
    "packed",
    "parallel",
    "region_semantics",
    "sdy",
    "semantics",
    "stablehlo",
]
