"""Running sums: log2(n) steps, each of which combines every element with the one 1, 2, 4, … places in front of it.

Source: Hillis, Steele, Data parallel algorithms (1986).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.tf import reduction as tf
from tesselle.ir.core import Block, Region, Value
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering

Combine = Callable[[Tensor, Tensor], Tensor]


def running(b: TfBuilder, x: Value, axis: int, combine: Combine, neutral: complex) -> Value:
    """result[i] = combine(x[0], …, x[i]) along one dimension; `combine` is associative."""
    size = b.size_at(x, axis)
    if isinstance(size, int):
        distance = 1
        while distance < size:
            x = combine(b.tensor(x), b.tensor(moved(b, x, axis, distance, neutral))).value
            distance *= 2
        return x
    return _running_loop(b, x, axis, combine, neutral, size)


def moved(b: TfBuilder, x: Value, axis: int, distance: Size, neutral: complex) -> Value:
    """The elements `distance` places further on; `neutral` comes in from the front."""
    rank = b.rank(x)
    low: list[Size] = [distance if d == axis else 0 for d in range(rank)]
    high: list[Size] = [b.minus(0, distance) if d == axis else 0 for d in range(rank)]
    found = b.padded(x, neutral, low, high)
    return b.cast(found, tensor_type(x))


def _running_loop(b: TfBuilder, x: Value, axis: int, combine: Combine, neutral: complex, size: Value) -> Value:
    start = b.index(1)
    types = [start.type, x.type]
    cond, step = Block(types), Block(types)
    test = StablehloBuilder(cond, None, b.location)
    test.insert(ReturnOp((test.compare(cond.args[0], ComparisonDirection.LT, size),)))
    with b.at(step):
        distance, state = step.args
        further = combine(b.tensor(state), b.tensor(moved(b, state, axis, distance, neutral)))
        b.insert(ReturnOp((b.add(distance, distance), b.cast(further.value, tensor_type(x)))))
    return b.insert(WhileOp((start, x), Region([cond]), Region([step]))).results[1]


def _log_add_exp(x: Tensor, y: Tensor) -> Tensor:
    """max + log(1 + exp(-|x - y|)), and -inf where both are"""
    top = x.apply(e.MaximumOp, y)
    tail = (-(x - y).apply(e.AbsOp)).apply(e.ExponentialOp).apply(e.LogPlusOneOp)
    return top.where(top.equals(float("-inf")), top + tail)


_COMBINERS: dict[type[tf.CumulativeOp], tuple[Combine, complex]] = {
    tf.CumsumOp: (lambda x, y: x + y, 0),
    tf.CumprodOp: (lambda x, y: x * y, 1),
    tf.CumulativeLogsumexpOp: (_log_add_exp, -np.inf),
}


@lowering(*_COMBINERS)
def cumulative(op: tf.CumulativeOp, b: TfBuilder) -> Value:
    combine, neutral = _COMBINERS[type(op)]
    axis = b.axis(op.axis, b.rank(op.x), "axis")
    dtype = b.dtype(op.x)
    x = b.convert(op.x, dtype.compute if dtype.is_float else dtype)
    if op.reverse:
        x = b.reverse(x, axis)
    if op.exclusive:
        x = moved(b, x, axis, b.least(1, b.size_at(x, axis)), neutral)
    x = running(b, x, axis, combine, neutral)
    if op.reverse:
        x = b.reverse(x, axis)
    return b.convert(x, dtype)


def running_sum(b: TfBuilder, x: Value, axis: int) -> Value:
    return running(b, x, axis, lambda x, y: x + y, 0)
