"""Vectorize: what is left of linalg, now on memory, becomes loops on vectors."""

from __future__ import annotations

from tesselle.codegen.common.strategy import KernelFunction, TargetShape
from tesselle.codegen.common.vectorize_generic import lower_generic
from tesselle.dialects.linalg.ops import GenericOp
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code


def vectorize(kernel: KernelFunction, target: TargetShape) -> None:
    """Replace every operation of linalg in the function by loops."""
    for op in list(kernel.function.body.walk()):
        if isinstance(op, GenericOp):
            lower_generic(op, target)
    eliminate_common_subexpressions(kernel.function)
    eliminate_dead_code(kernel.function)
