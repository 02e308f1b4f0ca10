"""The dimensions of tensors as host values.

`Shapes` says for every tensor its dimensions: integers, or index values that stand before any use of the tensor. They
are found from the operations that make the tensors; only arguments and variables are asked at run time (tensor.dim).
What control flow hands on has the dimensions that it came in with, unless a flow.tensor.tie_shape says others.
Whether two of them are the same number, `Shapes.same` tells by what they are computed from and by what the program
checks about the sizes of its arguments (see `index_facts`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.dialects.core import arith, func, ml_program, scf, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, OpResult, Value
from tesselle.ir.types import TensorType
from tesselle.passes.index_arithmetic import IndexBuilder, Size, fold
from tesselle.passes.index_facts import IndexFacts
from tesselle.support.diagnostics import Unsupported


def tensor_rank(value: Value) -> int | None:
    """The rank of a tensor, None for scalars."""
    return value.type.rank if isinstance(value.type, TensorType) else None


def is_from_outside(value: Value) -> bool:
    """Whether a tensor comes into the function: as an argument, or as what a variable holds."""
    if isinstance(value, BlockArgument):
        return isinstance(value.block.parent_op, func.FuncOp)
    return isinstance(value.defining_op, ml_program.GlobalLoadOp)


def is_carried(value: Value) -> bool:
    """Whether control flow hands the value on: an argument of a loop's regions, or a result of a loop or a branch."""
    op = value.block.parent_op if isinstance(value, BlockArgument) else value.defining_op
    return isinstance(op, scf.ForOp | scf.WhileOp | scf.IfOp)


class Shapes:
    """Dimensions of tensors, each computed once; operations that compute them are inserted where the tensor is made."""

    def __init__(self) -> None:
        self._known: dict[Value, tuple[Size, ...]] = {}
        self._facts: dict[func.FuncOp, IndexFacts] = {}

    def facts_at(self, op: Op) -> IndexFacts:
        """What is known of the sizes in the function around `op`."""
        while not isinstance(op, func.FuncOp):
            parent = op.parent_op
            if parent is None:
                return IndexFacts()
            op = parent
        if op not in self._facts:
            self._facts[op] = IndexFacts.of_function(op)
        return self._facts[op]

    def same(self, a: Size, b: Size) -> bool:
        """Whether two sizes are the same number."""
        if a is b:
            return True
        value = a if isinstance(a, Value) else b
        if not isinstance(value, Value):
            return a == b
        owner = value.owner
        around = owner.parent_op if isinstance(owner, Block) else owner
        return around is not None and self.facts_at(around).same(a, b)

    def of(self, value: Value) -> tuple[Size, ...]:
        """The dimensions of a tensor."""
        t = tensor_type(value)
        if t.is_static:
            return t.static_shape
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._find(value, t)
        return found

    def dynamic(self, value: Value) -> list[Value]:
        """The values of the dynamic dimensions of a tensor's type, in order."""
        return [
            self._as_value(d, value) for d, s in zip(self.of(value), tensor_type(value).shape, strict=True) if s is None
        ]

    def set(self, value: Value, dims: Sequence[Size]) -> None:
        """Say what the dimensions of a new tensor are."""
        self._known[value] = tuple(dims)

    def _as_value(self, size: Size, place: Value) -> Value:
        if isinstance(size, Value):
            return size
        return IndexBuilder(_builder_at(place)).value(size)

    def _find(self, value: Value, t: TensorType) -> tuple[Size, ...]:
        dims = self._carried(value, t) if is_carried(value) else self._find_dynamic(value, t)
        return tuple(self._resolved(d) if s is None else s for d, s in zip(dims, t.shape, strict=True))

    def _carried(self, value: Value, t: TensorType) -> Sequence[Size]:
        """The dimensions of what control flow hands on: said beside it, or those that it came in with."""
        for user in value.users:
            if isinstance(user, flow.TensorTieShapeOp):
                return _merge(t, user.dims)
        return self._find_dynamic(value, t)

    def _resolved(self, size: Size) -> Size:
        """The size that a tensor.dim asks for, where the operation is not needed to know it."""
        size = fold(size)
        op = size.defining_op if isinstance(size, Value) else None
        if not isinstance(op, tensor.DimOp) or is_from_outside(op.operand):
            return size
        return self.of(op.operand)[op.axis]

    def _find_dynamic(self, value: Value, t: TensorType) -> Sequence[Size]:
        if isinstance(value, BlockArgument):
            return self._of_argument(value, t)
        assert isinstance(value, OpResult)
        op = value.op
        match op:
            case linalg.GenericOp() | linalg.ScatterOp():
                return self.of(op.outputs[value.index])
            case linalg.SortOp():
                return self.of(op.inputs[value.index])
            case linalg.FillOp() | linalg.ContractOp() | linalg.ConvOp() | PackedContractOp() | PackedConvOp():
                return self.of(op.output)
            case tensor.EmptyOp() | tensor.SplatOp():
                return _merge(t, op.dynamic_dims)
            case tensor.ExpandShapeOp() | tensor.ReshapeOp():
                return _merge(t, op.output_dims)
            case flow.TensorReshapeOp() | flow.TensorSliceOp() | flow.TensorSplatOp():
                return _merge(t, op.result_dims)
            case ml_program.GlobalLoadOp():
                return self._asked(value, t)
            case tensor.CastOp():
                return self.of(op.operand)
            case flow.TensorTieShapeOp():
                return _merge(t, op.dims)
            case tensor.InsertSliceOp():
                return self.of(op.dest)
            case flow.TensorUpdateOp():
                return self.of(op.target)
            case tensor.ExtractSliceOp():
                return _slice_dims(op, t)
            case tensor.CollapseShapeOp():
                source, math_ = self.of(op.operand), self._math(op)
                return [math_.product([source[i] for i in group]) for group in op.reassociation]
            case tensor.PadOp():
                math_ = self._math(op)
                rows = zip(self.of(op.operand), op.mixed_low, op.mixed_high, strict=True)
                return [math_.add(math_.add(d, low), high) for d, low, high in rows]
            case tensor.ConcatOp():
                math_ = self._math(op)
                dims = list(self.of(op.inputs[0]))
                for other in op.inputs[1:]:
                    dims[op.axis] = math_.add(dims[op.axis], self.of(other)[op.axis])
                return dims
            case arith.SelectOp():
                return self.of(op.true_value)
            case flow.OptimizationBarrierOp():
                return self.of(op.values[value.index])
            case scf.ForOp():
                return self.of(op.init_args[value.index])
            case scf.WhileOp():
                return self.of(forwarded(op)[value.index])
            case scf.IfOp():
                return self.of(op.then_region.block.terminator.operands[value.index])
            case flow.DispatchRegionOp() | flow.DispatchOp() | flow.HostCallOp():
                rest = iter(op.result_dims)
                for r in op.results:
                    mine = [next(rest) for s in tensor_type(r).shape if s is None]
                    if r is value:
                        return _merge(t, mine)
            case _:
                pass
        raise Unsupported(f"the dimensions of the result of {op.name} are not known on the host", op.location)

    def _math(self, op: Op) -> IndexBuilder:
        return IndexBuilder(Builder.before_op(op))

    def _of_argument(self, value: BlockArgument, t: TensorType) -> Sequence[Size]:
        parent = value.block.parent_op
        if isinstance(parent, func.FuncOp):
            return self._asked(value, t)
        if isinstance(parent, scf.ForOp):
            return self.of(parent.init_args[value.index - 1])
        if isinstance(parent, scf.WhileOp):
            if value.block.parent is parent.before:
                return self.of(parent.init_args[value.index])
            return self.of(forwarded(parent)[value.index])
        raise Unsupported(f"the dimensions of argument {value.index} of a block are not known", value.location)

    def _asked(self, value: Value, t: TensorType) -> Sequence[Size]:
        return [self._ask(value, axis) if s is None else s for axis, s in enumerate(t.shape)]

    def _ask(self, value: Value, axis: int) -> Value:
        """The tensor.dim of what comes from outside, one for each axis, where it comes in."""
        if isinstance(value, BlockArgument):
            block, place, location = value.block, value.block.first, value.location
        else:
            load = value.defining_op
            assert load is not None and load.parent is not None
            block, place, location = load.parent, load.next, load.location
        for user in value.users:
            if isinstance(user, tensor.DimOp) and user.axis == axis:
                if place is not None and place is not user:
                    user.move_before(place)
                return self._first_of_equals(user)
        return self._first_of_equals(Builder(block, place, location).insert(tensor.DimOp(value, axis)))

    def _first_of_equals(self, dim: tensor.DimOp) -> Value:
        """The size of another argument that the program has checked to be the same, so that one value stands for both;
        else the size itself.
        """
        if not isinstance(dim.operand, BlockArgument):
            return dim.result
        symbol = self.facts_at(dim).form(dim.result).symbol
        other = symbol.defining_op if isinstance(symbol, Value) else None
        if not isinstance(other, tensor.DimOp) or other is dim or not isinstance(other.operand, BlockArgument):
            return dim.result
        assert dim.parent is not None and dim.parent.first is not None
        if dim.parent.first is not other:
            other.move_before(dim.parent.first)
        return other.result


def forwarded(op: scf.WhileOp) -> Sequence[Value]:
    """What `before` gives to `after` and to the results."""
    condition = op.before.block.terminator
    assert isinstance(condition, scf.ConditionOp)
    return condition.args


def _merge(t: TensorType, dynamic: Sequence[Value]) -> list[Size]:
    rest = iter(dynamic)
    return [next(rest) if s is None else s for s in t.shape]


def _slice_dims(op: tensor.ExtractSliceOp, t: TensorType) -> list[Size]:
    """The sizes without the unit dimensions that the result drops."""
    sizes = list(op.mixed_sizes)
    drop = len(sizes) - t.rank
    kept: list[Size] = []
    for i, size in enumerate(sizes):
        rest = len(sizes) - i
        want = t.shape[len(kept)] if len(kept) < t.rank else 0
        if drop and size == 1 and isinstance(size, int) and (want != 1 or rest - drop < t.rank - len(kept)):
            drop -= 1
        else:
            kept.append(size)
    return kept


def _builder_at(value: Value) -> Builder:
    """Builds right after the definition of a value."""
    owner = value.owner
    if isinstance(owner, Block):
        return Builder(owner, owner.first)
    return Builder.before_op(owner)


def element_count(shape: Sequence[int | None]) -> int | None:
    """The number of elements, None when a dimension is dynamic."""
    known = [d for d in shape if d is not None]
    return math.prod(known) if len(known) == len(shape) else None
