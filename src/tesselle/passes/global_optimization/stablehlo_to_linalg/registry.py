"""The table of lowerings from StableHLO to linalg, and what each of them builds with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import FillOp, GenericOp, IteratorType, YieldOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value, constant_elements
from tesselle.ir.types import Dim, TensorType
from tesselle.passes.dispatch_creation.assertions import require
from tesselle.support.diagnostics import Diagnostic, Unsupported
from tesselle.support.dtypes import INDEX, DType

Size = int | Value
"""A dimension while lowering: a number, or an index value for a dynamic one."""

FunctionT = TypeVar("FunctionT", bound=Callable[..., "Value | Sequence[Value]"])

LOWERINGS: dict[type[Op], Callable[[Any, Lowering], Value | Sequence[Value]]] = {}
"""Operation class -> function that builds its replacement in front of it and returns the values of its results."""

PARALLEL, REDUCTION = IteratorType.PARALLEL, IteratorType.REDUCTION


def lowering(*classes: type[Op]) -> Callable[[FunctionT], FunctionT]:
    """Register the lowering of operation classes."""

    def register(function: FunctionT) -> FunctionT:
        for cls in classes:
            if cls in LOWERINGS:
                raise ValueError(f"{cls.NAME} has two lowerings")
            LOWERINGS[cls] = function
        return function

    return register


class Lowering(Builder):
    """Builds linalg in front of the operation that is being lowered."""

    def __init__(self, op: Op) -> None:
        assert op.parent is not None
        super().__init__(op.parent, op, op.location)

    # ------------------------------------------------------------------------------------------ scalars

    def index(self, value: int) -> Value:
        """An index constant."""
        return self.insert(arith.ConstantOp(value, INDEX)).result

    def index_of(self, size: Size) -> Value:
        """A dimension as an index value."""
        return self.index(size) if isinstance(size, int) else size

    def constant(self, value: Any, dtype: DType) -> Value:
        """A scalar constant; `value` is a Python or NumPy scalar."""
        return scalar_constant(self, value, dtype)

    def scalar(self, value: Value) -> Value:
        """The element of a tensor of rank 0, on the host: what it was made from where that is known."""
        from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import host_elements

        known = host_elements(self, value)
        if known is not None:
            return known[0]
        return self.insert(tensor.ExtractOp(value, ())).result

    # ------------------------------------------------------------------------------------------ shapes

    def dim(self, value: Value, axis: int) -> Size:
        """The size of a dimension: a number when it is known, else tensor.dim."""
        size = tensor_type(value).shape[axis]
        return size if size is not None else self.insert(tensor.DimOp(value, axis)).result

    def dims(self, value: Value) -> list[Size]:
        return [self.dim(value, i) for i in range(tensor_type(value).rank)]

    def shape_like(self, values: Sequence[Value]) -> list[Size]:
        """The common shape of several tensors, with static dimensions wherever one of them knows it."""
        types = [tensor_type(v) for v in values]
        sizes: list[Size] = []
        for i in range(types[0].rank):
            known = next((k for k, t in enumerate(types) if t.shape[i] is not None), 0)
            sizes.append(self.dim(values[known], i))
        return sizes

    def empty(self, shape: Sequence[Size], dtype: DType) -> Value:
        static, dynamic = tensor.split_mixed(shape)
        return self.insert(tensor.EmptyOp(dynamic, TensorType(static, dtype))).result

    def fill(self, value: Value, shape: Sequence[Size]) -> Value:
        """A tensor whose elements are all the scalar `value`."""
        assert isinstance(value.type, DType)
        return self.insert(FillOp(value, self.empty(shape, value.type))).result

    def cast(self, value: Value, type: TensorType) -> Value:
        """The value under `type`, which differs in what is known of the dimensions only."""
        return value if value.type == type else self.insert(tensor.CastOp(value, type)).result

    def reshape(self, value: Value, shape: Sequence[Size]) -> Value:
        """The same elements in another shape: the most specific of collapse_shape, expand_shape, reshape."""
        return build_reshape(self, value, shape)

    def require_equal(self, size: Size, other: Size, what: str) -> None:
        """The program fails unless two sizes are equal; `what` names the first where it is not that of an argument."""
        require(self, arith.CmpIPredicate.EQ, size, other, what)

    def require_at_least(self, size: Size, least: Size, what: str) -> None:
        """The program fails unless `size` >= `least`; `what` names the first where it is not that of an argument."""
        require(self, arith.CmpIPredicate.SGE, size, least, what)

    def require_at_most(self, size: Size, most: Size, what: str) -> None:
        """The program fails unless `size` <= `most`; `what` names the first where it is not that of an argument."""
        require(self, arith.CmpIPredicate.SLE, size, most, what)

    # ------------------------------------------------------------------------------------------ loop nests

    def generic(
        self,
        inputs: Sequence[Value],
        input_maps: Sequence[AffineMap],
        outputs: Sequence[Value],
        output_maps: Sequence[AffineMap],
        iterators: Sequence[IteratorType],
        body: Callable[[Builder, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """A linalg.generic; `body` builds with a builder and the block's arguments, and returns what is yielded."""
        values = [*inputs, *outputs]
        block = Block([v.type.dtype if isinstance(v.type, TensorType) else v.type for v in values])
        inner = Builder(block, None, self.location)
        inner.insert(YieldOp(tuple(body(inner, list(block.args)))))
        op = GenericOp(
            tuple(inputs),
            tuple(outputs),
            (*input_maps, *output_maps),
            tuple(iterators),
            Region([block]),
        )
        return list(self.insert(op).results)

    def elementwise(
        self,
        inputs: Sequence[Value],
        maps: Sequence[AffineMap],
        shape: Sequence[Size],
        dtype: DType,
        body: Callable[[Builder, list[Value]], Value],
    ) -> Value:
        """A parallel loop nest over `shape` with one result."""
        rank = len(shape)
        out = self.empty(shape, dtype)
        return self.generic(
            inputs,
            maps,
            [out],
            [AffineMap.identity(rank)],
            [PARALLEL] * rank,
            lambda b, args: [body(b, args[:-1])],
        )[0]


def first_argument(builder: Builder, args: list[Value]) -> Value:
    """A body that only moves elements."""
    return args[0]


def scalar_constant(b: Builder, value: Any, dtype: DType) -> Value:
    """A scalar constant; `value` is a Python or NumPy scalar."""
    number: int | float | bool | complex
    if dtype.is_bool:
        number = bool(value)
    elif dtype.is_float:
        number = float(value)
    elif dtype.is_complex:
        number = complex(value)
    else:
        number = int(value)
    return b.insert(arith.ConstantOp(number, dtype)).result


def splat_scalar(value: Value) -> Any | None:
    """The element that a constant tensor repeats, as a NumPy scalar; None when the value is no splat constant."""
    elements = constant_elements(value)
    return elements.splat_value if elements is not None and elements.is_splat and elements.array.size else None


def as_static(shape: Sequence[Size]) -> tuple[Dim, ...]:
    return tuple(d if isinstance(d, int) else None for d in shape)


def tensor_constant(b: Builder, elements: DenseElements) -> Value:
    return b.insert(arith.ConstantOp(elements, elements.type)).result


def reassociation_of(fine: Sequence[Dim], coarse: Sequence[Dim]) -> tuple[tuple[int, ...], ...] | None:
    """Groups of adjacent dimensions of `fine` whose products are the dimensions of `coarse`, or None.

    Dynamic dimensions may stand in `fine` only where a group has one of them and `coarse` is dynamic there too. Unit
    dimensions go to the group in front of them.
    """
    groups: list[tuple[int, ...]] = []
    i = 0
    for size in coarse:
        group: list[int] = []
        product, dynamic = 1, False
        while i < len(fine):
            d = fine[i]
            if not group:
                pass
            elif d == 1:
                # A unit dimension opens the next group when that is a unit dimension too and dimensions run short.
                rest_fine, rest_coarse = len(fine) - i, len(coarse) - len(groups) - 1
                if rest_fine <= rest_coarse or (
                    rest_coarse and coarse[len(groups) + 1] == 1 and (dynamic if size is None else product == size)
                ):
                    break
            elif (dynamic and size is None) or (size is not None and product == size):
                break
            if d is None:
                if dynamic or size is not None:
                    return None
                dynamic = True
            else:
                product *= d
            group.append(i)
            i += 1
        if not group or dynamic != (size is None) or (size is not None and product != size):
            return None
        if size is None and product != 1:
            return None
        groups.append(tuple(group))
    return tuple(groups) if i == len(fine) else None


_RESHAPES = (tensor.CollapseShapeOp, tensor.ExpandShapeOp, tensor.ReshapeOp)


def build_reshape(b: Builder, value: Value, shape: Sequence[Size]) -> Value:
    """The elements of `value` in another shape; looks through reshapes of static tensors, and gives a view op."""
    static, dynamic = tensor.split_mixed(shape)
    target = TensorType(static, tensor_type(value).dtype)
    source = value.defining_op
    while target.is_static and isinstance(source, _RESHAPES) and tensor_type(source.operands[0]).is_static:
        value = source.operands[0]
        source = value.defining_op
    t = tensor_type(value)
    if t.shape == static and target.is_static:
        return value
    if not target.rank or not t.rank:
        if t.rank and t.is_static:
            return b.insert(tensor.CollapseShapeOp(value, (), target)).result
        if target.is_static:
            return b.insert(tensor.ExpandShapeOp(value, (), (), target)).result
        return b.insert(tensor.ReshapeOp(value, dynamic, target)).result
    if t.rank > target.rank:
        groups = reassociation_of(t.shape, static)
        if groups is not None:
            return b.insert(tensor.CollapseShapeOp(value, groups, target)).result
    elif t.rank < target.rank:
        groups = reassociation_of(static, t.shape)
        if groups is not None:
            return b.insert(tensor.ExpandShapeOp(value, dynamic, groups, target)).result
    return b.insert(tensor.ReshapeOp(value, dynamic, target)).result


def lower_block(block: Block) -> None:
    """Replace every operation of `block` that has a lowering; regions are lowered by the operations that own them.

    Errors: Unsupported, with everything in the block that has no lowering.
    """
    failures: list[Diagnostic] = []
    for op in block:
        function = LOWERINGS.get(type(op))
        try:
            if function is not None:
                result = function(op, Lowering(op))
                op.replace_with(result if isinstance(result, Value) else tuple(result))
            elif op.dialect in ("stablehlo", "chlo"):
                failures.append(Diagnostic(f"{op.name} is not supported", op.location, op.name))
        except Unsupported as error:
            failures.extend(error.diagnostics)
    if failures:
        raise Unsupported.several(failures)
