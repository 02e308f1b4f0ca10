"""Which results of a dispatch may overwrite the variable that they become the new value of.

    %w = ml_program.global_load @w
    %0 = flow.dispatch.region { linalg.generic ins(%w, %g) { w - 0.1 * g } }    reads and writes one binding
    ml_program.global_store @w = %0

The generic reads each element of the variable where it writes the result's, and nothing else in the region reads it: so
whatever order the elements are computed in, each is read before it is gone. Nothing behind the region asks for the
variable's old elements. Products and convolutions collect their sums in the result, before they read what is added to
them at the end: regions with one are left alone.
"""

from __future__ import annotations

from tesselle.dialects.core import ml_program
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import Op, OpResult, Value

Use = tuple[Op, int]
"""An operand of an operation."""


def overwritten(region: flow.DispatchRegionOp) -> dict[int, Use]:
    """For results that may be computed in place: the use of the variable, inside the region, that they overwrite."""
    body = region.body.block
    if any(op.dialect == "linalg" and not isinstance(op, linalg.GenericOp | linalg.FillOp) for op in body):
        return {}
    found: dict[int, Use] = {}
    for index, value in enumerate(body.terminator.operands):
        target = _stored_to(region.results[index])
        maker = value.defining_op
        if target is not None and isinstance(maker, linalg.GenericOp) and isinstance(value, OpResult):
            use = _only_use(region, maker, value.index, target)
            if use is not None:
                found[index] = use
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


def _only_use(region: flow.DispatchRegionOp, maker: linalg.GenericOp, result: int, target: SymbolRef) -> Use | None:
    """Where `maker` reads variable `target`, when it does so as the module says."""
    if not maker.is_elementwise:
        return None
    for index, (value, m) in enumerate(zip(maker.inputs, maker.input_maps, strict=True)):
        load = _source(value).defining_op
        if not isinstance(load, ml_program.GlobalLoadOp) or load.global_ != target:
            continue
        in_step = m == maker.output_maps[result] and m.is_permutation
        same_type = value.type == maker.results[result].type
        if in_step and same_type and _is_last(region, _source(value), (maker, index)):
            return maker, index
    return None


def _is_last(region: flow.DispatchRegionOp, value: Value, only: Use) -> bool:
    """Whether `only` is the one use of the tensor in the region, and everything else that uses it stands in front."""
    for use in value.uses:
        user = use[0]
        if isinstance(user, flow.TensorReshapeOp):
            if not _is_last(region, user.result, only):
                return False
        elif region.body.is_ancestor_of(user.parent_region):
            if use != only:
                return False
        elif not _stands_before(user, region):
            return False
    return True


def _stands_before(op: Op, other: Op) -> bool:
    """Whether the operation of `other`'s block that holds `op` comes before it."""
    at: Op | None = op
    while at is not None and at.parent is not other.parent:
        at = at.parent_op
    return at is not None and at.is_before_in_block(other)
