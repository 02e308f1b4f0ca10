"""clone-into-regions: what is cheap to make again goes inside the dispatches that use it."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value, constant_elements
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code, is_constant
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.host_scalars import is_host_scalar, is_scalar, is_scalar_arithmetic


@register_pass("clone-into-regions", needs=[Fact.DISPATCHES])
@dataclass(frozen=True)
class CloneIntoRegions(Pass):
    """Copy producers into dispatch regions: scalar constants, tensor.empty, linalg.fill, splat constants, and the
    arithmetic on scalars that come from device tensors.

    %f = linalg.fill %zero, %e                    flow.dispatch.region {
    flow.dispatch.region { … outs(%f) … }   ->      %f = linalg.fill %zero, %e … }

    What is left of fills and small tensors outside becomes flow.tensor.splat.
    """

    def run(self, module: Op) -> None:
        # Before and not after: it would take constants out of the regions again, where an equal one is left outside.
        eliminate_common_subexpressions(module)
        for op in list(module.walk()):
            if isinstance(op, flow.DispatchRegionOp):
                _RegionCloner(op).run()
        eliminate_dead_code(module)
        for op in list(module.walk()):
            if isinstance(op, linalg.FillOp) and not _inside_region(op):
                _fill_to_flow(op)
        eliminate_dead_code(module)


def _inside_region(op: Op) -> bool:
    parent = op.parent_op
    while parent is not None:
        if isinstance(parent, flow.DispatchRegionOp):
            return True
        parent = parent.parent_op
    return False


def _operands_in_memory(op: Op) -> int:
    """How many of the first operands the operation takes as whole tensors from memory: their producers are no part of
    it. What follows them is where a sum begins.
    """
    if isinstance(op, PackedContractOp | PackedConvOp):
        return 2
    movement = tensor.InsertSliceOp | tensor.ExtractSliceOp | tensor.PadOp | tensor.ConcatOp
    return len(op.operands) if isinstance(op, movement | linalg.SortOp | linalg.ScatterOp) else 0


def updated_in_place(op: Op) -> tuple[int, ...]:
    """Positions of the operands that the operation updates in place."""
    if isinstance(op, tensor.InsertSliceOp):
        return (1,)
    if isinstance(op, linalg.ScatterOp):
        return tuple(range(len(op.updates) + 1, len(op.operands)))
    return ()


class _RegionCloner:
    def __init__(self, region: flow.DispatchRegionOp) -> None:
        self.region = region
        self.copies: dict[Value, Value] = {}

    def run(self) -> None:
        block = self.region.body.block
        for op in list(self.region.body.walk()):
            in_memory = _operands_in_memory(op) if op.parent is block else 0
            for i, value in enumerate(op.operands):
                if (i < in_memory and not is_scalar(value)) or self._is_inside(value):
                    continue
                if isinstance(op, tensor.EmptyOp) and not is_constant(value):
                    continue  # sizes make grids and allocations, which are the host's
                copy = self._copy(value)
                if copy is not None:
                    op.set_operand(i, copy)

    def _is_inside(self, value: Value) -> bool:
        return self.region.body.is_ancestor_of(value.parent_region)

    def _copy(self, value: Value) -> Value | None:
        """A copy of the value inside the region, None when it stays a binding or a push constant."""
        found = self.copies.get(value)
        if found is not None:
            return found
        op = value.defining_op
        if op is None:
            return None
        new: Op
        if is_constant(value):
            constant = self._constant(value)
            if constant is None:
                return None
            self.copies[value] = constant
            return constant
        if value in self.region.operands:
            return None  # a size of a result: the host reads it in any case, and makes the grid of it
        # Of a device scalar the whole computation is cloned; of host scalars nothing, they are push constants.
        is_cheap = isinstance(op, tensor.EmptyOp | linalg.FillOp)
        is_device = is_scalar(value) and (isinstance(op, tensor.ExtractOp) or is_scalar_arithmetic(op))
        if not is_cheap and not (is_device and not is_host_scalar(value)):
            return None
        sizes = isinstance(op, tensor.EmptyOp)
        mapping = {
            v: self._copy(v) or v for v in op.operands if not self._is_inside(v) and (is_constant(v) or not sizes)
        }
        new = op.clone(dict(mapping))
        self._insert(new, value)
        return self.copies[value]

    def _insert(self, op: Op, value: Value) -> None:
        block = self.region.body.block
        last = self._last_copy(block)
        block.insert(op, last.next if last is not None else block.first)
        self.copies[value] = op.results[0]

    def _last_copy(self, block: Block) -> Op | None:
        """Copies stand at the beginning of the region, in the order in which they were made."""
        made = {v.defining_op for v in self.copies.values()}
        last: Op | None = None
        for op in block:
            if op not in made:
                break
            last = op
        return last

    def _constant(self, value: Value) -> Value | None:
        op = value.defining_op
        assert op is not None
        if is_scalar(value):
            self._insert(op.clone(), value)
            return self.copies[value]
        elements = constant_elements(value)
        if elements is None or not elements.is_splat or not isinstance(value.type, TensorType):
            return None
        scalar = arith.ConstantOp(elements.splat_value.item(), value.type.dtype)
        empty = tensor.EmptyOp((), value.type)
        fill = linalg.FillOp(scalar.result, empty.result)
        for made in (scalar, empty, fill):
            made.location = op.location
            self._insert(made, made.results[0])
        self.copies[value] = fill.result
        return fill.result


def _fill_to_flow(op: linalg.FillOp) -> None:
    """A fill that the host needs as a tensor: by the host when it knows the value, else a dispatch of its own."""
    b = Builder.before_op(op)
    empty = op.output.defining_op
    dims = empty.dynamic_dims if isinstance(empty, tensor.EmptyOp) else None
    if dims is None and tensor_type(op.output).is_static:
        dims = ()
    if is_host_scalar(op.value) and dims is not None:
        op.replace_with(b.insert(flow.TensorSplatOp(op.value, dims, tensor_type(op.result))).result)
        return
    op.require(dims is not None, "shape", "a fill of a tensor of unknown shape")
    body = Block()
    region = b.insert(flow.DispatchRegionOp(dims or (), [op.result.type], Region([body])))
    op.result.replace_all_uses_with(region.results[0])
    op.detach()
    body.append(op)
    Builder.at_end(body, op.location).insert(flow.ReturnOp([op.result]))
    _RegionCloner(region).run()
