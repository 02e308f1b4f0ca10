"""Scalar arithmetic out of loops, and to the front of functions.

Sizes must be known where resources are allocated, which is at the beginning; offsets that do not depend on a loop's
counter should be computed once.
"""

from __future__ import annotations

from tesselle.dialects.core import func
from tesselle.dialects.stream import ops as stream
from tesselle.ir.core import Block, Op
from tesselle.ir.rewrite import is_constant
from tesselle.passes.dispatch_creation.host_scalars import is_scalar_arithmetic


def hoist_scalars(function: func.FuncOp) -> None:
    """Move pure scalar arithmetic as far out and as far up as its operands allow."""
    _hoist_out(function.entry)
    _hoist_up(function.entry)


def _is_movable(op: Op) -> bool:
    return not op.regions and (
        is_scalar_arithmetic(op) or isinstance(op, stream.TensorDimOp) or _is_scalar_constant(op)
    )


def _is_scalar_constant(op: Op) -> bool:
    return op.name == "arith.constant" and bool(op.results) and is_constant(op.results[0])


def _hoist_out(block: Block) -> None:
    """From regions of control flow into `block`, where all operands come from outside of the region."""
    for op in block:
        for region in op.regions:
            if op.dialect != "scf":
                continue
            for inner in region.blocks:
                _hoist_out(inner)
                for candidate in inner:
                    if _is_movable(candidate) and not any(
                        region.is_ancestor_of(v.parent_region) for v in candidate.operands
                    ):
                        candidate.move_before(op)


def _hoist_up(block: Block) -> None:
    """To the front, in the old order, when every operand is at the front already."""
    front: set[Op] = set()
    anchor: Op | None = None
    for op in block:
        if _is_movable(op) and all(v.defining_op is None or v.defining_op in front for v in op.operands):
            front.add(op)
            if anchor is not None:
                op.move_before(anchor)
        elif anchor is None:
            anchor = op
