"""What custom calls of JAX, TensorFlow and XLA's partitioners mean in StableHLO and CHLO.

    custom_call @Sharding(x), @xla.sdy.…(x)       -> x                        annotations: nothing to do on one device
    custom_call @mhlo.topk(x) {k, largest}        -> chlo.top_k, or sort and slice
    custom_call @mhlo.erf(x)                      -> chlo.erf                 and the other functions of one operand
    custom_call @ApproxTopK(x, iota, init…) @gt   -> sort by @gt, slice       the exact k: recall 1

Sources: JAX, `jax/_src/lax/ann.py`, `lax.py`, `windowed_reductions.py`; StableHLO, `ExperimentalOps.h`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo import elementwise as chlo
from tesselle.dialects.chlo.structured import TopKOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.stablehlo import elementwise, shape
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp as RegionReturnOp
from tesselle.dialects.stablehlo.custom_calls import attributes_of
from tesselle.dialects.stablehlo.dynamic import DynamicIotaOp, RealDynamicSliceOp
from tesselle.dialects.stablehlo.reduction import SortOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.symbols import lookup
from tesselle.ir.types import TensorType
from tesselle.support.custom_calls import Expansion, custom_call_expansion
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32

ANNOTATIONS = (
    "Sharding",
    "SPMDFullToShardShape",
    "SPMDShardToFullShape",
    "annotate_device_placement",
    "LayoutConstraint",
    "MoveToHost",
    "MoveToDevice",
)
SHARDY = "xla.sdy."
"""Prefix of Shardy's annotations in exported programs."""


def by_prefix(target: str) -> Expansion | None:
    """Expansions of whole families of names."""
    return expand_annotation if target.startswith(SHARDY) else None


def expand_annotation(op: CustomCallOp, rw: Rewriter) -> Sequence[Value]:
    """custom_call @Sharding(x) -> x"""
    if not op.results:
        return ()
    if [v.type for v in op.inputs] != list(op.result_types):
        text = f"@{op.call_target_name} between different shapes splits a program over several devices"
        raise Unsupported(text, op.location, op.name)
    return op.inputs


for _name in ANNOTATIONS:
    custom_call_expansion(_name)(expand_annotation)


# ---------------------------------------------------------------------------------------------- unary functions

_UNARY: dict[str, type[Op]] = {
    "acos": chlo.AcosOp,
    "acosh": chlo.AcoshOp,
    "asin": chlo.AsinOp,
    "asinh": chlo.AsinhOp,
    "atan": chlo.AtanOp,
    "atanh": chlo.AtanhOp,
    "bessel_i1e": chlo.BesselI1eOp,
    "cosh": chlo.CoshOp,
    "digamma": chlo.DigammaOp,
    "erf": chlo.ErfOp,
    "erf_inv": chlo.ErfInvOp,
    "erfc": chlo.ErfcOp,
    "lgamma": chlo.LgammaOp,
    "sinh": chlo.SinhOp,
    "square": chlo.SquareOp,
    "tan": elementwise.TanOp,
}


def _expand_unary(op: CustomCallOp, rw: Rewriter) -> Value:
    """custom_call @mhlo.erf(x) -> chlo.erf(x)"""
    made = _UNARY[op.call_target_name.removeprefix("mhlo.")].build([op.inputs[0]], op.result_types)
    return rw.insert(made).result


for _name in _UNARY:
    custom_call_expansion(f"mhlo.{_name}")(_expand_unary)


# ---------------------------------------------------------------------------------------------- the first k


def _comparator(direction: ComparisonDirection, value: TensorType) -> Region:
    """(a, b, i, j) -> a <direction> b, by IEEE-754's total order for floats."""
    scalar, index = TensorType((), value.dtype), TensorType((), I32)
    block = Block((scalar, scalar, index, index))
    b = Builder.at_end(block)
    order = ComparisonType.TOTALORDER if value.dtype.is_float else None
    result = b.insert(elementwise.CompareOp(block.args[0], block.args[1], direction, order)).result
    b.insert(RegionReturnOp((result,)))
    return Region([block])


def called_computation(op: CustomCallOp) -> Region:
    """A copy of the body of the only function that the call names, as a region of StableHLO."""
    names = op.called_computations
    function = lookup(op, names[0]) if len(names) == 1 else None
    if not isinstance(function, FuncOp) or len(function.body.blocks) != 1:
        raise Unsupported(
            f"@{op.call_target_name} needs one called computation that the module defines", op.location, op.name
        )
    body = function.body.block
    block = Block([a.type for a in body.args])
    b = Builder.at_end(block, op.location)
    values: dict[Value, Value] = dict(zip(body.args, block.args, strict=True))
    for inner in body:
        if isinstance(inner, ReturnOp | RegionReturnOp):  # JAX ends its comparators with the latter
            b.insert(RegionReturnOp([values.get(v, v) for v in inner.values]))
        else:
            b.insert(inner.clone(values))
    return Region([block])


_INDEX = TensorType((), I32)


def _first_sorted(
    op: CustomCallOp, rw: Rewriter, inputs: Sequence[Value], order: Region, axis: int, k: Value | None = None
) -> list[Value]:
    """Sort the inputs together along `axis`, and keep as many elements as the results have: `k` where that is open."""
    found: list[Value] = []
    for value, want in zip(rw.insert(SortOp(inputs, order, axis, True)).results, op.result_types, strict=True):
        t = value.type
        assert isinstance(t, TensorType)
        kept = want.shape[axis] if isinstance(want, TensorType) else None
        if not isinstance(want, TensorType) or (k is None and kept is None):
            raise Unsupported(f"@{op.call_target_name} with a dynamic k", op.location, op.name)
        if want.is_static:
            start = (0,) * t.rank
            found.append(rw.insert(shape.SliceOp(value, start, want.static_shape, (1,) * t.rank)).result)
        else:
            limit = k if kept is None else rw.insert(shape.ConstantOp(DenseElements.splat(kept, _INDEX))).result
            assert limit is not None
            found.append(_dynamic_slice(rw, value, axis, limit, want))
    return found


def _dynamic_slice(rw: Rewriter, value: Value, axis: int, k: Value, want: TensorType) -> Value:
    """value[:k] along an axis."""
    rank = want.rank
    limits = _vector(
        rw, [k if d == axis else rw.insert(shape.GetDimensionSizeOp(value, d)).result for d in range(rank)]
    )
    vector = TensorType((rank,), I32)
    starts, steps = (rw.insert(shape.ConstantOp(DenseElements.splat(n, vector))).result for n in (0, 1))
    return rw.insert(RealDynamicSliceOp(value, starts, limits, steps, want)).result


def _vector(rw: Rewriter, numbers: Sequence[Value]) -> Value:
    """Integers, each a tensor of one element, as a vector of i32."""
    parts: list[Value] = []
    for v in numbers:
        t = v.type
        assert isinstance(t, TensorType)
        if t.dtype is not I32:
            v = rw.insert(elementwise.ConvertOp(v, t.with_dtype(I32))).result
        parts.append(rw.insert(shape.ReshapeOp(v, TensorType((1,), I32))).result)
    return rw.insert(shape.ConcatenateOp(parts, 0)).result


def _top_k(op: CustomCallOp, rw: Rewriter, largest: bool, k: Value | None = None) -> Sequence[Value]:
    x = op.inputs[0]
    values, t = op.result_types[0], x.type
    assert isinstance(t, TensorType)
    if largest and isinstance(values, TensorType) and values.shape[-1] is not None and t.is_static:
        return rw.insert(TopKOp(x, values.shape[-1])).results
    axis = t.rank - 1
    direction = ComparisonDirection.GT if largest else ComparisonDirection.LT
    return _first_sorted(op, rw, (x, _places(rw, x, t, axis)), _comparator(direction, t), axis, k)


def _places(rw: Rewriter, x: Value, t: TensorType, axis: int) -> Value:
    """iota in the shape of `x`."""
    if t.is_static:
        return rw.insert(shape.IotaOp(axis, t.with_dtype(I32))).result
    dims = _vector(rw, [rw.insert(shape.GetDimensionSizeOp(x, d)).result for d in range(t.rank)])
    return rw.insert(DynamicIotaOp(dims, axis, t.with_dtype(I32))).result


@custom_call_expansion("mhlo.topk")
def expand_mhlo_topk(op: CustomCallOp, rw: Rewriter) -> Sequence[Value]:
    """custom_call @mhlo.topk(x) {k = 4, largest = true} -> chlo.top_k(x, k = 4)"""
    return _top_k(op, rw, bool(attributes_of(op).get("largest", True)))


@custom_call_expansion("TopK")
def expand_xla_topk(op: CustomCallOp, rw: Rewriter) -> Sequence[Value]:
    """custom_call @TopK(x) {called_computations = [@gt]} -> chlo.top_k(x); with another order, sort and slice."""
    largest = attributes_of(op).get("largest")
    if largest is None and op.called_computations:
        compares = [o for o in called_computation(op).block if isinstance(o, elementwise.CompareOp)]
        largest = not compares or compares[0].comparison_direction in (ComparisonDirection.GT, ComparisonDirection.GE)
    return _top_k(op, rw, largest is not False)


@custom_call_expansion("stablehlo.dynamic_top_k")
def expand_dynamic_top_k(op: CustomCallOp, rw: Rewriter) -> Sequence[Value]:
    """custom_call @stablehlo.dynamic_top_k(x, k) -> chlo.top_k(x, k)"""
    return _top_k(op, rw, True, op.inputs[1])


@custom_call_expansion("stablehlo.dynamic_approx_top_k")
@custom_call_expansion("ApproxTopK")
def expand_approx_top_k(op: CustomCallOp, rw: Rewriter) -> Sequence[Value]:
    """custom_call @ApproxTopK(x, iota, init…) {reduction_dim, top_k} @gt -> sort by @gt along the dimension, slice

    Initial values only matter where the approximation runs out of elements, which sorting does not.
    """
    axis = attributes_of(op).get("reduction_dim")
    op.require(isinstance(axis, int), "reduction_dim", "ApproxTopK needs the integer reduction_dim")
    assert isinstance(axis, int)
    k = op.inputs[-1] if op.call_target_name.startswith("stablehlo.dynamic") else None
    return _first_sorted(op, rw, op.inputs[: len(op.results)], called_computation(op), axis, k)
