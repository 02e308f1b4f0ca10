"""Making and rebuilding linalg.generic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.math import FmaOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, GenericOp, IteratorType, YieldOp, loop_ranges
from tesselle.ir.affine import AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, OpResult, Region, Value
from tesselle.ir.types import DType, MemRefType, ShapedType, TensorType
from tesselle.support.dtypes import I1

PARALLEL, REDUCTION = IteratorType.PARALLEL, IteratorType.REDUCTION

BodyBuilder = Callable[[Builder, Sequence[Value]], Sequence[Value]]


def element_type(value: Value) -> DType:
    """What the body sees of an operand: the element of a tensor or memref, or a scalar itself."""
    t = value.type
    if isinstance(t, TensorType | MemRefType):
        return t.dtype
    assert isinstance(t, DType)
    return t


def generic(
    b: Builder,
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    maps: Sequence[AffineMap],
    iterators: Sequence[IteratorType],
    body: BodyBuilder,
) -> GenericOp:
    """A generic whose body `body(builder, arguments)` makes; it returns the values to yield."""
    block = Block([element_type(v) for v in (*inputs, *outputs)])
    inner = Builder.at_end(block, b.location)
    inner.insert(YieldOp(body(inner, block.args)))
    return b.insert(make_generic(inputs, outputs, maps, iterators, Region([block])))


def make_generic(
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    maps: Sequence[AffineMap],
    iterators: Sequence[IteratorType],
    body: Region,
) -> GenericOp:
    """A detached generic; one on memrefs has no results."""
    return GenericOp.build(
        [*inputs, *outputs],
        [v.type for v in outputs if isinstance(v.type, TensorType)],
        {"indexing_maps": tuple(maps), "iterator_types": tuple(iterators)},
        [body],
        operand_segments=(len(inputs), len(outputs)),
    )


def rank_of(value: Value) -> int:
    return value.type.rank if isinstance(value.type, ShapedType) else 0


def fill(b: Builder, value: Value, output: Value) -> GenericOp:
    """output[i] = value."""
    rank = rank_of(output)
    return generic(b, [], [output], [AffineMap.identity(rank)], [PARALLEL] * rank, lambda _c, _args: [value])


def copy(b: Builder, source: Value, output: Value) -> GenericOp:
    """output[i] = source[i]."""
    rank = rank_of(output)
    identity = AffineMap.identity(rank)
    return generic(b, [source], [output], [identity, identity], [PARALLEL] * rank, lambda _c, args: [args[0]])


def empty_like(b: Builder, shape: TensorType, sizes: Sequence[int | Value]) -> Value:
    """tensor.empty of `sizes`, in the element type of `shape`."""
    static, dynamic = tensor.split_mixed(sizes)
    return b.insert(tensor.EmptyOp(dynamic, TensorType(static, shape.dtype))).result


def contract_to_generic(b: Builder, op: ContractOp) -> GenericOp:
    """The contraction as multiply and add in the element type of its output."""
    out = tensor_type(op.output).dtype

    def body(c: Builder, args: Sequence[Value]) -> Sequence[Value]:
        x, y = (convert(c, v, out, _is_unsigned(o)) for v, o in zip(args[:2], (op.lhs, op.rhs), strict=True))
        return [multiply_add(c, x, y, args[2])]

    return generic(b, [op.lhs, op.rhs], [op.output], op.indexing_maps, op.iterator_types, body)


def multiply_add(c: Builder, x: Value, y: Value, acc: Value) -> Value:
    """x * y + acc in their common element type."""
    dtype = element_type(acc)
    if dtype.is_complex:
        return _complex_multiply_add(c, x, y, acc)
    if dtype.is_float:
        return c.insert(FmaOp(x, y, acc)).result
    if dtype.is_bool:
        return c.insert(arith.OrIOp(acc, c.insert(arith.AndIOp(x, y)).result)).result
    return c.insert(arith.AddIOp(c.insert(arith.MulIOp(x, y)).result, acc)).result


def _complex_multiply_add(c: Builder, x: Value, y: Value, acc: Value) -> Value:
    from tesselle.dialects.core import complex as cx

    (xr, xi), (yr, yi), (ar, ai) = ((c.insert(cx.ReOp(v)).result, c.insert(cx.ImOp(v)).result) for v in (x, y, acc))
    real = c.insert(FmaOp(xr, yr, ar)).result
    real = c.insert(FmaOp(c.insert(arith.NegFOp(xi)).result, yi, real)).result
    imaginary = c.insert(FmaOp(xr, yi, ai)).result
    imaginary = c.insert(FmaOp(xi, yr, imaginary)).result
    return c.insert(cx.CreateOp(real, imaginary)).result


def _is_unsigned(value: Value) -> bool:
    dtype = element_type(value)
    return dtype.is_unsigned or dtype.is_bool


def convert(c: Builder, x: Value, dtype: DType, unsigned: bool) -> Value:
    """A scalar in another element type: floats to floats, integers to integers, integers to floats."""
    t = element_type(x)
    if t == dtype:
        return x
    if t.is_float:
        return c.insert((arith.ExtFOp if dtype.bits > t.bits else arith.TruncFOp)(x, dtype)).result
    if dtype.is_float:
        return c.insert((arith.UIToFPOp if unsigned else arith.SIToFPOp)(x, dtype)).result
    if dtype.bits > t.bits or t is I1:
        return c.insert((arith.ExtUIOp if unsigned else arith.ExtSIOp)(x, dtype)).result
    return c.insert((arith.TruncIOp if dtype.bits < t.bits else arith.BitcastOp)(x, dtype)).result


def clone_body(op: GenericOp, mapping: dict[Value, Value] | None = None) -> Region:
    """A copy of the body, with outside values replaced as `mapping` says."""
    values = dict(mapping or {})
    source = op.body.block
    block = Block([a.type for a in source.args])
    values.update(zip(source.args, block.args, strict=True))
    for inner in source:
        block.append(inner.clone(values))
    return Region([block])


def substitute_dims(map: AffineMap, table: dict[int, AffineExpr], dim_count: int) -> AffineMap:
    """The map with loop dimensions replaced."""
    return AffineMap(dim_count, 0, tuple(e.replace(table) for e in map.results))


def bounds_hold(op: GenericOp, inputs: Sequence[Value], maps: Sequence[AffineMap]) -> bool:
    """Whether every loop of `op` keeps its bound with other inputs (`maps`: of these and the outputs, see
    `loop_ranges`).
    """
    new = _bound_places([*inputs, *op.outputs], maps, len(inputs))
    for d, (operand, axis) in enumerate(loop_ranges(op)):
        old = (op.operands[operand], axis)
        here = new.get(d)
        if here is None or (here != old and (_dim(*here) is None or _dim(*here) != _dim(*old))):
            return False
    return True


def _bound_places(
    operands: Sequence[Value], maps: Sequence[AffineMap], input_count: int
) -> dict[int, tuple[Value, int]]:
    found: dict[int, tuple[Value, int]] = {}
    for i in (*range(input_count, len(operands)), *range(input_count)):
        for j, e in enumerate(maps[i].results):
            if isinstance(e, AffineDim):
                found.setdefault(e.position, (operands[i], j))
    return found


def _dim(value: Value, axis: int) -> int | None:
    assert isinstance(value.type, ShapedType)
    return value.type.shape[axis]


def replace_input(op: GenericOp, index: int, value: Value, map: AffineMap, bound: Callable[[], Value]) -> None:
    """Let `op` read `value` through `map` as input `index`.

    Where the old input gave the bound of a loop, `bound()`, a tensor of its shape that is not read, becomes the
    first input.
    """
    old = op.indexing_maps[index]
    maps = list(op.indexing_maps)
    maps[index] = map
    inputs = list(op.inputs)
    inputs[index] = value
    if bounds_hold(op, inputs, maps):
        op.set_operand(index, value)
        op.indexing_maps = tuple(maps)
        return
    shape = bound()
    op.set_operands([shape, *inputs, *op.outputs], (len(inputs) + 1, len(op.outputs)))
    op.indexing_maps = (old, *maps)
    block = op.body.block
    block.add_arg(element_type(shape))
    block.args.insert(0, block.args.pop())
    for i, a in enumerate(block.args):
        a.index = i


def result_index(value: Value) -> int:
    """Which result of its operation the value is."""
    assert isinstance(value, OpResult)
    return value.index
