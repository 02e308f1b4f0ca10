"""The shape dialect, and tensor and arith on small tensors of index values: arithmetic of the host.

A shape becomes a tensor.from_elements of its extents, a size an index value, a witness `true`: what it stands for is
asserted where it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import cf, tensor
from tesselle.dialects.core import shape as s
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import IndexOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.rewrite import inline_block
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.assertions import insert_assertion, place_text, require_broadcastable
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import (
    from_elements,
    host_elements,
    index_elements,
    is_host_type,
    is_host_value,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import Lowering, Size, lower_block, lowering
from tesselle.passes.index_arithmetic import IndexBuilder, fold
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I1, INDEX


def _extents(b: Lowering, shape: Value) -> list[Size]:
    """The extents of a shape, in order."""
    t = shape.type
    if not isinstance(t, TensorType) or not t.is_static:
        raise Unsupported(f"a shape of which the rank is not known: {t}", b.location, "shape.rank")
    return [fold(n) for n in index_elements(b, shape)]


def _shape(b: Lowering, extents: Sequence[Size]) -> Value:
    return from_elements(b, [b.index_of(n) for n in extents], TensorType((len(extents),), INDEX))


def _place(b: Lowering, value: Value) -> int:
    """A dimension, which must be constant."""
    known = fold(value)
    if not isinstance(known, int):
        raise Unsupported("a dimension that is computed", b.location, "shape.dim")
    return known


def _within(b: Lowering, place: int, count: int) -> int:
    if not 0 <= place < count:
        raise Unsupported(f"there is no dimension {place} among {count}", b.location, "shape.dim")
    return place


# ---------------------------------------------------------------------------------------------- shapes


@lowering(s.ShapeOfOp)
def shape_of(op: s.ShapeOfOp, b: Lowering) -> Value:
    return _shape(b, b.dims(op.operand))


@lowering(s.ConstShapeOp)
def const_shape(op: s.ConstShapeOp, b: Lowering) -> Value:
    return _shape(b, op.shape)


@lowering(s.FromExtentsOp)
def from_extents(op: s.FromExtentsOp, b: Lowering) -> Value:
    return _shape(b, op.extents)


@lowering(s.FromExtentTensorOp, s.ToExtentTensorOp)
def same(op: s.FromExtentTensorOp | s.ToExtentTensorOp, b: Lowering) -> Value:
    t = op.results[0].type
    if isinstance(t, TensorType) and t.shape[0] is not None and len(_extents(b, op.input)) != t.shape[0]:
        raise Unsupported(f"{len(_extents(b, op.input))} extents become {t}", op.location, op.name)
    return op.input


@lowering(s.BroadcastOp)
def broadcast(op: s.BroadcastOp, b: Lowering) -> Value:
    shapes = [_extents(b, v) for v in op.shapes]
    rank = max(map(len, shapes), default=0)
    rows = [[*[1] * (rank - len(x)), *x] for x in shapes]
    result: list[Size] = []
    for column in zip(*rows, strict=True):
        known = [n for n in column if isinstance(n, int) and n != 1]
        if known:
            result.append(known[0])
            continue
        size: Size = 1
        for n in column:
            if isinstance(n, int) or size is n:
                continue
            if isinstance(size, int):
                size = n
                continue
            repeats = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, size, b.index(1))).result
            size = b.insert(a.SelectOp(repeats, n, size)).result
        result.append(size)
    return _shape(b, result)


@lowering(s.ConcatOp)
def concat(op: s.ConcatOp, b: Lowering) -> Value:
    return _shape(b, [*_extents(b, op.lhs), *_extents(b, op.rhs)])


@lowering(s.SplitAtOp)
def split_at(op: s.SplitAtOp, b: Lowering) -> list[Value]:
    extents, place = _extents(b, op.operand), _place(b, op.index)
    place = place + len(extents) if place < 0 else place
    if place != len(extents):
        _within(b, place, len(extents))
    return [_shape(b, extents[:place]), _shape(b, extents[place:])]


@lowering(s.AnyOp)
def any_of(op: s.AnyOp, b: Lowering) -> Value:
    return op.inputs[0]


# ---------------------------------------------------------------------------------------------- sizes


@lowering(s.ConstSizeOp)
def const_size(op: s.ConstSizeOp, b: Lowering) -> Value:
    return b.index(op.value)


@lowering(s.GetExtentOp)
def get_extent(op: s.GetExtentOp, b: Lowering) -> Value:
    extents = _extents(b, op.shape)
    return b.index_of(extents[_within(b, _place(b, op.dim), len(extents))])


@lowering(s.DimOp)
def dim(op: s.DimOp, b: Lowering) -> Value:
    rank = tensor_type(op.value).rank
    return b.index_of(b.dim(op.value, _within(b, _place(b, op.index), rank)))


@lowering(s.RankOp)
def rank(op: s.RankOp, b: Lowering) -> Value:
    return b.index(len(_extents(b, op.shape)))


@lowering(s.NumElementsOp)
def num_elements(op: s.NumElementsOp, b: Lowering) -> Value:
    return b.index_of(IndexBuilder(b).product(_extents(b, op.shape)))


_SIZE_ARITHMETIC: dict[type[s.SizeArithmeticOp], type[a.BinaryOp]] = {
    s.AddOp: a.AddIOp,
    s.MulOp: a.MulIOp,
    s.DivOp: a.FloorDivSIOp,
    s.MaxOp: a.MaxSIOp,
    s.MinOp: a.MinSIOp,
}


@lowering(*_SIZE_ARITHMETIC)
def size_arithmetic(op: s.SizeArithmeticOp, b: Lowering) -> Value:
    return b.insert(_SIZE_ARITHMETIC[type(op)](op.lhs, op.rhs)).result


@lowering(s.IndexToSizeOp, s.SizeToIndexOp)
def same_size(op: s.IndexToSizeOp | s.SizeToIndexOp, b: Lowering) -> Value:
    return op.arg


@lowering(s.ReduceOp)
def reduce(op: s.ReduceOp, b: Lowering) -> list[Value]:
    state = list(op.init)
    for i, extent in enumerate(_extents(b, op.shape)):
        mapping: dict[Value, Value] = dict(
            zip(op.body.block.args, [b.index(i), b.index_of(extent), *state], strict=True)
        )
        for inner in op.body.block:
            if isinstance(inner, s.YieldOp):
                state = [mapping.get(v, v) for v in inner.values]
            else:
                copy = b.insert(inner.clone(mapping))
                lowered = _lowered(copy)
                mapping.update(zip(inner.results, lowered, strict=True))
    return state


def _lowered(op: Op) -> Sequence[Value]:
    """An operation that was copied into a block which is lowered already."""
    from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import LOWERINGS

    function = LOWERINGS.get(type(op))
    if function is None:
        return op.results
    found = function(op, Lowering(op))
    values = (found,) if isinstance(found, Value) else tuple(found)
    op.replace_with(values)
    return values


# ---------------------------------------------------------------------------------------------- constraints


def _witness(b: Lowering) -> Value:
    return b.insert(a.ConstantOp(True, I1)).result


def _pairs(b: Lowering, shapes: Sequence[Value]) -> list[tuple[int, Size, Size]]:
    """(operand, extent, extent of the first shape), aligned at the last; 1 stands for what is missing."""
    extents = [_extents(b, v) for v in shapes]
    rank = max(map(len, extents))
    rows = [[*[1] * (rank - len(x)), *x] for x in extents]
    return [(i, n, first) for i, row in enumerate(rows[1:], 1) for n, first in zip(row, rows[0], strict=True)]


@lowering(s.CstrBroadcastableOp)
def cstr_broadcastable(op: s.CstrBroadcastableOp, b: Lowering) -> Value:
    for i, n, first in _pairs(b, op.shapes):
        require_broadcastable(b, n, first, f"an extent of shape {i}")
    return _witness(b)


@lowering(s.CstrEqOp)
def cstr_eq(op: s.CstrEqOp, b: Lowering) -> Value:
    if len({len(_extents(b, v)) for v in op.shapes}) > 1:
        insert_assertion(b, _false(b), f"shapes of different ranks{place_text(b.location)}", (), is_argument=False)
        return _witness(b)
    for i, n, first in _pairs(b, op.shapes):
        b.require_equal(n, first, f"an extent of shape {i}")
    return _witness(b)


def _false(b: Lowering) -> Value:
    return b.insert(a.ConstantOp(False, I1)).result


@lowering(s.CstrRequireOp)
def cstr_require(op: s.CstrRequireOp, b: Lowering) -> Value:
    insert_assertion(b, op.pred, f"{op.msg}{place_text(b.location)}", (), is_argument=False)
    return _witness(b)


@lowering(cf.AssertOp)
def cf_assert(op: cf.AssertOp, b: Lowering) -> list[Value]:
    insert_assertion(b, op.arg, f"{op.msg}{place_text(b.location)}", (), is_argument=False)
    return []


@lowering(s.ConstWitnessOp)
def const_witness(op: s.ConstWitnessOp, b: Lowering) -> Value:
    if not op.passing:
        insert_assertion(b, _false(b), f"a constraint that never holds{place_text(b.location)}", (), is_argument=False)
    return _witness(b)


@lowering(s.AssumingAllOp)
def assuming_all(op: s.AssumingAllOp, b: Lowering) -> Value:
    return _witness(b)


@lowering(s.AssumingOp)
def assuming(op: s.AssumingOp, b: Lowering) -> list[Value]:
    """The constraints are asserted in front of the body: it stands where the operation stood."""
    lower_block(op.body.block)
    return inline_block(op.body.block, op, ())


def _all_equal(b: Lowering, pairs: Sequence[tuple[Size, Size]]) -> Value:
    result = _witness(b)
    for x, y in pairs:
        equal = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, b.index_of(x), b.index_of(y))).result
        result = b.insert(a.AndIOp(result, equal)).result
    return result


@lowering(s.ShapeEqOp)
def shape_eq(op: s.ShapeEqOp, b: Lowering) -> Value:
    if len({len(_extents(b, v)) for v in op.shapes}) > 1:
        return _false(b)
    return _all_equal(b, [(n, first) for _, n, first in _pairs(b, op.shapes)])


@lowering(s.IsBroadcastableOp)
def is_broadcastable(op: s.IsBroadcastableOp, b: Lowering) -> Value:
    result = _witness(b)
    for _, n, first in _pairs(b, op.shapes):
        x, y, one = b.index_of(n), b.index_of(first), b.index(1)
        fits = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, x, y)).result
        for v in (x, y):
            fits = b.insert(a.OrIOp(fits, b.insert(a.CmpIOp(a.CmpIPredicate.EQ, v, one)).result)).result
        result = b.insert(a.AndIOp(result, fits)).result
    return result


# ---------------------------------------------------------------------------------------------- tensor and arith


@lowering(tensor.ExtractOp)
def extract(op: tensor.ExtractOp, b: Lowering) -> Value:
    """Of a tensor that the host knows, the element itself."""
    places = [fold(i) for i in op.indices]
    t = tensor_type(op.operand)
    if not t.is_static or not is_host_value(op.operand) or not all(isinstance(p, int) for p in places):
        return b.insert(tensor.ExtractOp(op.operand, tuple(op.indices))).result
    number = 0
    for place, size in zip(places, t.static_shape, strict=True):
        assert isinstance(place, int)
        number = number * size + _within(b, place, size)
    elements = host_elements(b, op.operand)
    assert elements is not None
    return elements[number]


@lowering(tensor.GenerateOp)
def generate(op: tensor.GenerateOp, b: Lowering) -> Value:
    """Few numbers are computed on the host, others by a loop nest."""
    t = op.result_type
    body = op.body.block

    def element(n: Builder, places: Sequence[Value]) -> Value:
        mapping: dict[Value, Value] = dict(zip(body.args, places, strict=True))
        for inner in body:
            if isinstance(inner, tensor.YieldOp):
                return mapping.get(inner.value, inner.value)
            copy = n.insert(inner.clone(mapping))
            values = _lowered(copy) if n is b else copy.results
            mapping.update(zip(inner.results, values, strict=True))
        raise Unsupported("tensor.generate whose body yields nothing", op.location, op.name)

    if is_host_type(t) and t.rank == 1:
        return from_elements(b, [element(b, [b.index(i)]) for i in range(t.element_count)], t)
    sizes = tensor.mixed(t.shape, op.dynamic_dims)
    result = b.elementwise(
        [], [], sizes, t.dtype, lambda n, _: element(n, [n.insert(IndexOp(d)).result for d in range(t.rank)])
    )
    return b.cast(result, t)


def lower_arithmetic(op: Op, b: Lowering) -> Value | None:
    """arith on tensors, as producers write it on shapes: element by element. None for arithmetic on scalars."""
    t = op.results[0].type if len(op.results) == 1 else None
    if not isinstance(t, TensorType) or isinstance(op, a.ConstantOp):
        return None

    def scalar(n: Builder, args: Sequence[Value]) -> Value:
        mapping = dict(zip(op.operands, args, strict=True))
        copy = op.clone(mapping)
        copy.results[0].type = t.dtype
        return n.insert(copy).results[0]

    if is_host_type(t) and all(is_host_value(v) for v in op.operands):
        rows = [host_elements(b, v) or [] for v in op.operands]
        return from_elements(b, [scalar(b, column) for column in zip(*rows, strict=True)], t)
    inputs = list(op.operands)
    rank = t.rank
    maps = [AffineMap.identity(rank) if isinstance(v.type, TensorType) else AffineMap(rank, 0, ()) for v in inputs]
    shaped = [v for v in inputs if isinstance(v.type, TensorType)]
    return b.cast(
        b.elementwise(inputs, maps, b.shape_like(shaped), t.dtype, lambda n, args: scalar(n, args[: len(inputs)])), t
    )
