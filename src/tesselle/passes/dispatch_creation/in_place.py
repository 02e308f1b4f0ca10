"""Which results of a dispatch may overwrite the variable that they become the new value of.

    %w = ml_program.global_load @w
    %0 = flow.dispatch.region { linalg.generic ins(%w, %g) { w - 0.1 * g } }    reads and writes one binding
    ml_program.global_store @w = %0

Whoever reads the variable inside the region does so, element by element, before or while the result is made, and is
not computed again later (its own result is stored too, or it is what is stored). So whatever order elements are
computed in, each is read before it is gone. Nothing behind the region asks for the variable's old elements. Products
and convolutions collect their sums in the result, before they read what is added to them at the end: regions with one
are left alone.
"""

from __future__ import annotations

from tesselle.dialects.core import ml_program
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import Op, OpResult, Value


def overwritten(region: flow.DispatchRegionOp) -> dict[int, Value]:
    """For results that may be computed in place: the tensor from outside that they overwrite."""
    body = region.body.block
    if any(op.dialect == "linalg" and not isinstance(op, linalg.GenericOp | linalg.FillOp) for op in body):
        return {}
    found: dict[int, Value] = {}
    for index, value in enumerate(body.terminator.operands):
        target = _stored_to(region.results[index])
        if target is not None and isinstance(value, OpResult) and value not in list(body.terminator.operands)[:index]:
            source = _overwritten_by(region, value, target)
            if source is not None and source not in found.values():
                found[index] = source
    return found


def _stored_to(result: Value) -> SymbolRef | None:
    """The variable that holds the result's elements afterwards, perhaps under another shape."""
    for user in result.users:
        if isinstance(user, ml_program.GlobalStoreOp):
            return user.global_
        if isinstance(user, flow.TensorReshapeOp):
            target = _stored_to(user.result)
            if target is not None:
                return target
    return None


def _source(value: Value) -> Value:
    """The tensor whose elements these are."""
    op = value.defining_op
    while isinstance(op, flow.TensorReshapeOp):
        value = op.source
        op = value.defining_op
    return value


def _overwritten_by(region: flow.DispatchRegionOp, result: OpResult, target: SymbolRef) -> Value | None:
    """What the region reads of variable `target`, where `result` may take its place."""
    maker = result.op
    if not isinstance(maker, linalg.GenericOp) or not _is_in_step(maker, maker.output_maps[result.index]):
        return None
    for op in region.body.block:
        for value in op.operands:
            load = _source(value).defining_op
            if isinstance(load, ml_program.GlobalLoadOp) and load.global_ == target:
                fits = value.type == result.type and _is_last(region, _source(value), value, maker)
                return value if fits else None
    return None


def _is_in_step(op: linalg.GenericOp, m: AffineMap) -> bool:
    """Whether an elementwise operation goes through a tensor as it goes through its (every) result."""
    return op.is_elementwise and m.is_permutation and all(m == o for o in op.output_maps)


def _is_last(region: flow.DispatchRegionOp, tensor: Value, read: Value, maker: linalg.GenericOp) -> bool:
    """Whether the region reads the variable as the module says, as `read` alone, and all others stand in front."""
    for user, index in tensor.uses:
        if region.body.is_ancestor_of(user.parent_region):
            if tensor is not read or not _reads_in_time(region, user, index, maker):
                return False
        elif isinstance(user, flow.TensorReshapeOp):
            if not _is_last(region, user.result, read, maker):
                return False
        elif not _stands_before(user, region):
            return False
    return True


def _reads_in_time(region: flow.DispatchRegionOp, op: Op, index: int, maker: linalg.GenericOp) -> bool:
    """Whether `op` has read each element when `maker` overwrites it."""
    if not isinstance(op, linalg.GenericOp) or op.parent is not maker.parent or index >= len(op.inputs):
        return False
    if not _is_in_step(op, op.input_maps[index]):
        return False
    returned = region.body.block.terminator.operands
    return op is maker or (op.is_before_in_block(maker) and all(r in returned for r in op.results))


def _stands_before(op: Op, other: Op) -> bool:
    """Whether the operation of `other`'s block that holds `op` comes before it."""
    at: Op | None = op
    while at is not None and at.parent is not other.parent:
        at = at.parent_op
    return at is not None and at.is_before_in_block(other)
