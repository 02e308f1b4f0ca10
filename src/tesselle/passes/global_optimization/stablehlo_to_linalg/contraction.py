"""Matrix products: linalg.contract with maps for any layout; no operand is transposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as complex_dialect
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp
from tesselle.dialects.stablehlo import contraction as s
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    PARALLEL,
    REDUCTION,
    Lowering,
    Size,
    lowering,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import convert
from tesselle.support.dtypes import DType


def accumulator_of(dtype: DType) -> DType:
    """The type in which sums of products are taken: a wider one for narrow floats, otherwise the result's."""
    return dtype.compute if dtype.is_float else dtype


def complex_product(
    b: Lowering, lhs: Value, rhs: Value, dtype: DType, multiply: Callable[[Value, Value], Value]
) -> Value:
    """A bilinear function of complex tensors, by four of the parts: re·re - im·im + i(re·im + im·re)."""
    (a_re, a_im), (c_re, c_im) = (_parts(b, convert_tensor(b, v, dtype)) for v in (lhs, rhs))
    products = [multiply(x, y) for x, y in ((a_re, c_re), (a_im, c_im), (a_re, c_im), (a_im, c_re))]

    def body(n: Builder, args: list[Value]) -> Value:
        real = n.insert(a.SubFOp(args[0], args[1])).result
        return n.insert(complex_dialect.CreateOp(real, n.insert(a.AddFOp(args[2], args[3])).result)).result

    maps = [AffineMap.identity(tensor_type(products[0]).rank)] * 4
    return b.elementwise(products, maps, b.dims(products[0]), dtype, body)


def _parts(b: Lowering, value: Value) -> tuple[Value, Value]:
    """The tensors of real and of imaginary parts."""
    t = tensor_type(value)
    maps, shape = [AffineMap.identity(t.rank)], b.dims(value)

    def part(cls: type[complex_dialect.ReOp | complex_dialect.ImOp]) -> Value:
        return b.elementwise([value], maps, shape, t.dtype.element, lambda n, args: n.insert(cls(args[0])).result)

    return part(complex_dialect.ReOp), part(complex_dialect.ImOp)


def build_contract(
    b: Lowering, lhs: Value, rhs: Value, subscripts: tuple[list[int], list[int], list[int]], dtype: DType
) -> Value:
    """out[i_out] = sum of lhs[i_lhs] * rhs[i_rhs], with one loop for every distinct subscript."""
    if dtype.is_complex:
        part = dtype.element
        return complex_product(b, lhs, rhs, dtype, lambda x, y: build_contract(b, x, y, subscripts, part))
    left, right, out = subscripts
    loops = sorted({*left, *right})
    order = [*out, *(x for x in loops if x not in out)]
    position = {x: i for i, x in enumerate(order)}
    maps = tuple(AffineMap.select(len(order), [position[x] for x in part]) for part in (left, right, out))
    shape: list[Size] = []
    for x in out:
        found = [b.dim(v, part.index(x)) for v, part in ((lhs, left), (rhs, right)) if x in part]
        shape.append(next((d for d in found if isinstance(d, int)), found[0]))
    accumulator = accumulator_of(dtype)
    lhs, rhs = _same_kind(b, lhs, accumulator), _same_kind(b, rhs, accumulator)
    init = b.fill(b.constant(0, accumulator), shape)
    roles_fit = all(sum(x in part for part in subscripts) >= 2 for x in loops)
    if accumulator.is_bool or not roles_fit:
        result = _as_generic(b, lhs, rhs, init, maps, len(out))
    else:
        result = b.insert(ContractOp(lhs, rhs, init, maps)).result
    if accumulator == dtype:
        return result
    return convert_tensor(b, result, dtype)


def _same_kind(b: Lowering, value: Value, accumulator: DType) -> Value:
    """Operands keep narrow types; integers of another signedness and foreign kinds are converted before."""
    dtype = tensor_type(value).dtype
    same = dtype.kind == accumulator.kind and dtype.bits <= accumulator.bits
    return value if same else convert_tensor(b, value, accumulator)


def convert_tensor(b: Lowering, value: Value, dtype: DType) -> Value:
    """The tensor with its elements converted."""
    if tensor_type(value).dtype == dtype:
        return value
    rank = tensor_type(value).rank
    return b.elementwise(
        [value], [AffineMap.identity(rank)], b.dims(value), dtype, lambda n, args: convert(n, args[0], dtype)
    )


def _as_generic(b: Lowering, lhs: Value, rhs: Value, init: Value, maps: Sequence[AffineMap], parallel: int) -> Value:
    """Products that linalg.contract does not describe: booleans, sums over one operand alone."""
    accumulator = tensor_type(init).dtype

    def body(n: Builder, args: list[Value]) -> list[Value]:
        x, y = convert(n, args[0], accumulator), convert(n, args[1], accumulator)
        if accumulator.is_bool:
            return [n.insert(a.OrIOp(args[2], n.insert(a.AndIOp(x, y)).result)).result]
        multiply, add = (a.MulFOp, a.AddFOp) if accumulator.is_float else (a.MulIOp, a.AddIOp)
        return [n.insert(add(args[2], n.insert(multiply(x, y)).result)).result]

    loops = maps[0].dim_count
    iterators = [PARALLEL] * parallel + [REDUCTION] * (loops - parallel)
    return b.generic([lhs, rhs], maps[:2], [init], maps[2:], iterators, body)[0]


@lowering(s.DotGeneralOp)
def dot_general(op: s.DotGeneralOp, b: Lowering) -> Value:
    d = op.dot_dimension_numbers
    lhs, rhs = tensor_type(op.lhs), tensor_type(op.rhs)
    left = list(range(lhs.rank))
    right = list(range(lhs.rank, lhs.rank + rhs.rank))
    for i, j in zip(
        (*d.lhs_batching_dimensions, *d.lhs_contracting_dimensions),
        (*d.rhs_batching_dimensions, *d.rhs_contracting_dimensions),
        strict=True,
    ):
        right[j] = left[i]
    batch = [left[i] for i in d.lhs_batching_dimensions]
    hidden = {*batch, *(left[i] for i in d.lhs_contracting_dimensions)}
    out = [*batch, *(x for x in left if x not in hidden), *(x for x in right if x not in hidden)]
    result = build_contract(b, op.lhs, op.rhs, (left, right, out), op.result_type.dtype)
    return b.cast(result, op.result_type)


@lowering(s.DotOp)
def dot(op: s.DotOp, b: Lowering) -> Value:
    lhs, rhs = tensor_type(op.lhs), tensor_type(op.rhs)
    left = list(range(lhs.rank))
    right = [lhs.rank - 1, *range(lhs.rank, lhs.rank + rhs.rank - 1)]
    result = build_contract(b, op.lhs, op.rhs, (left, right, [*left[:-1], *right[1:]]), op.result_type.dtype)
    return b.cast(result, op.result_type)


@lowering(s.EinsumOp)
def einsum(op: s.EinsumOp, b: Lowering) -> Value:
    inputs, out = op.einsum_config.replace(" ", "").split("->")
    left, right = ([ord(c) for c in part] for part in inputs.split(","))
    result = build_contract(b, op.lhs, op.rhs, (left, right, [ord(c) for c in out]), op.result_type.dtype)
    return b.cast(result, op.result_type)
