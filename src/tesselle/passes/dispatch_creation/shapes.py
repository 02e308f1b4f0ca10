"""The dimensions of tensors as host values.

`Shapes` says for every tensor its dimensions: integers, or index values that stand before any use of the tensor. They
are found from the operations that make the tensors; only arguments and variables are asked at run time (tensor.dim).
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
from tesselle.support.diagnostics import Unsupported


def tensor_rank(value: Value) -> int | None:
    """The rank of a tensor, None for scalars."""
    return value.type.rank if isinstance(value.type, TensorType) else None


def is_from_outside(value: Value) -> bool:
    """Whether a tensor comes into the function: as an argument, or as what a variable holds."""
    if isinstance(value, BlockArgument):
        return isinstance(value.block.parent_op, func.FuncOp)
    return isinstance(value.defining_op, ml_program.GlobalLoadOp)


class Shapes:
    """Dimensions of tensors, each computed once; operations that compute them are inserted where the tensor is made."""

    def __init__(self) -> None:
        self._known: dict[Value, tuple[Size, ...]] = {}

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
        dims = self._find_dynamic(value, t)
        return tuple(self._resolved(d) if s is None else s for d, s in zip(dims, t.shape, strict=True))

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
                return self.of(_forwarded(op)[value.index])
            case scf.IfOp():
                return self._same_in_both(op, value.index)
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
            return self._invariant(value, parent.init_args[value.index - 1], parent)
        if isinstance(parent, scf.WhileOp):
            if value.block.parent is parent.before:
                return self._invariant(value, parent.init_args[value.index], parent)
            return self.of(_forwarded(parent)[value.index])
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
                return user.result
        return Builder(block, place, location).insert(tensor.DimOp(value, axis)).result

    def _invariant(self, value: BlockArgument, initial: Value, loop: Op) -> Sequence[Size]:
        """A loop-carried tensor keeps its shape: what is yielded has the dimensions that came in.

        Where the expressions do not show it (two arguments of one size, say) the program checks it as it runs.
        """
        dims = self.of(initial)
        self._known[value] = dims
        body = loop.regions[-1].block
        index = value.index - 1 if isinstance(loop, scf.ForOp) else value.index
        yielded = self.of(body.terminator.operands[index])
        for axis, (a, b) in enumerate(zip(dims, yielded, strict=True)):
            if not same_size(a, b):
                message = f"a loop-carried tensor has another size in dimension {axis} after an iteration"
                _assert_same(body.terminator, a, b, message)
        return dims

    def _same_in_both(self, op: scf.IfOp, index: int) -> Sequence[Size]:
        branches = (op.then_region, op.else_region)
        first, second = (self.of(r.block.terminator.operands[index]) for r in branches)
        if not all(same_size(a, b) for a, b in zip(first, second, strict=True)):
            raise Unsupported("the branches of scf.if give tensors of different dynamic shapes", op.location)
        if any(isinstance(d, Value) and op.then_region.is_ancestor_of(d.parent_region) for d in first):
            raise Unsupported("the shape of a result of scf.if is computed inside of it", op.location)
        return first


def _forwarded(op: scf.WhileOp) -> Sequence[Value]:
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


def same_size(a: Size, b: Size) -> bool:
    """Whether two sizes are the same number, as far as their expressions show."""
    a, b = fold(a), fold(b)
    if isinstance(a, int) or isinstance(b, int):
        return isinstance(a, int) and isinstance(b, int) and a == b
    if a is b:
        return True
    x, y = a.defining_op, b.defining_op
    if x is None or y is None or type(x) is not type(y) or x.regions or x.attributes != y.attributes:
        return False
    return len(x.operands) == len(y.operands) and all(
        same_size(p, q) for p, q in zip(x.operands, y.operands, strict=True)
    )


def _assert_same(before: Op, a: Size, b: Size, message: str) -> None:
    """The program fails with `message` where the sizes differ. Said once, however many passes ask for the shape."""
    block = before.parent
    assert block is not None
    for other in block:
        if isinstance(other, flow.AssertOp) and other.message == message:
            compared = other.condition.defining_op
            if isinstance(compared, arith.CmpIOp) and same_size(compared.lhs, a) and same_size(compared.rhs, b):
                return
    index = IndexBuilder(Builder.before_op(before))
    equal = arith.CmpIOp(arith.CmpIPredicate.EQ, index.value(a), index.value(b))
    index.builder.insert(flow.AssertOp(index.builder.insert(equal).result, message))


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
