"""fold-index-ranges: host arithmetic whose result follows from what is known of loop counters and sizes.

    scf.for %i = 0 to 100 step 1 {
      %a = arith.maxsi %i, 0            ->  %i
      %b = arith.minsi %a, 99           ->  %i
      %c = arith.cmpi slt, %i, 0        ->  false
      tensor.extract_slice %x[%b, 0] …  ->  tensor.extract_slice %x[%i, 0] …

StableHLO clamps the start of every dynamic slice, and jnp adds the size to negative indices; under a loop that counts
inside of the bounds all of it goes away. Offsets and sizes that turn out constant become static.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.dialects.core import arith, scf, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.support.dtypes import DType

Range = tuple[float, float]
"""The least and the greatest value, both possible; infinities where nothing is known."""

UNKNOWN: Range = (-math.inf, math.inf)


def type_range(dtype: DType) -> Range:
    """What an integer type can hold; index values are sizes and places, and never overflow."""
    if dtype.is_index:
        return UNKNOWN
    if dtype.is_unsigned or dtype.is_bool:
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1


class Ranges:
    """Ranges of scalar integers, computed once per value."""

    def __init__(self) -> None:
        self._known: dict[Value, Range] = {}

    def of(self, value: Value) -> Range:
        found = self._known.get(value)
        if found is None:
            self._known[value] = UNKNOWN  # for values that depend on themselves
            found = self._known[value] = self._compute(value)
        return found

    def constant(self, value: Value) -> int | None:
        low, high = self.of(value)
        return int(low) if low == high and math.isfinite(low) else None

    def _compute(self, value: Value) -> Range:
        if not isinstance(value.type, DType) or value.type.is_float or value.type.is_complex:
            return UNKNOWN
        limits = type_range(value.type)
        if isinstance(value, BlockArgument):
            return _within(self._counter(value), limits)
        op = value.defining_op
        if isinstance(op, arith.ConstantOp):
            return (int(op.value), int(op.value)) if isinstance(op.value, int) else limits
        if isinstance(op, tensor.DimOp):
            return 0, math.inf
        if isinstance(op, arith.SelectOp):
            a, b = self.of(op.true_value), self.of(op.false_value)
            return min(a[0], b[0]), max(a[1], b[1])
        if isinstance(op, arith.CmpIOp):
            return 0, 1
        rule = _RULES.get(type(op)) if op is not None else None
        if rule is None or op is None:
            return limits
        result = rule(*[self.of(v) for v in op.operands])
        # A result that may leave its type wraps around: then only the type is known.
        return _within(result, limits)

    def _counter(self, value: BlockArgument) -> Range:
        loop = value.block.parent_op
        if not isinstance(loop, scf.ForOp) or value.index != 0:
            return UNKNOWN
        low, high, step = self.of(loop.lower), self.of(loop.upper), self.of(loop.step)
        last = high[1] - 1
        if low[0] == low[1] and step[0] == step[1] and math.isfinite(last) and math.isfinite(low[0]) and step[0] > 0:
            last = low[0] + (last - low[0]) // step[0] * step[0]
        return low[0], max(low[0], last)


def _within(r: Range, limits: Range) -> Range:
    return r if limits[0] <= r[0] and r[1] <= limits[1] else limits


def _multiply(a: Range, b: Range) -> Range:
    ends = [x * y if x and y else 0.0 for x in a for y in b]
    return min(ends), max(ends)


def _add(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Range, b: Range) -> Range:
    return a[0] - b[1], a[1] - b[0]


def _maximum(a: Range, b: Range) -> Range:
    return max(a[0], b[0]), max(a[1], b[1])


def _minimum(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), min(a[1], b[1])


def _same(a: Range) -> Range:
    return a


def _unsigned(a: Range) -> Range:
    """The same number, when it is none that reads differently as unsigned."""
    return a if a[0] >= 0 else UNKNOWN


def _unsigned_minimum(a: Range, b: Range) -> Range:
    return _minimum(a, b) if a[0] >= 0 and b[0] >= 0 else UNKNOWN


def _unsigned_to_index(a: Range) -> Range:
    """As _unsigned; numbers beyond the greatest index come out negative."""
    return a if a[0] >= 0 and a[1] < 1 << 63 else UNKNOWN


_RULES: dict[type[Op], Callable[..., Range]] = {
    arith.AddIOp: _add,
    arith.SubIOp: _subtract,
    arith.MulIOp: _multiply,
    arith.MaxSIOp: _maximum,
    arith.MinSIOp: _minimum,
    arith.MinUIOp: _unsigned_minimum,
    arith.IndexCastOp: _same,
    arith.IndexCastUIOp: _unsigned_to_index,
    arith.ExtSIOp: _same,
    arith.ExtUIOp: _unsigned,
    arith.TruncIOp: _same,
    arith.BitcastOp: _same,
}

_CASTS = (
    arith.IndexCastOp,
    arith.IndexCastUIOp,
    arith.ExtSIOp,
    arith.ExtUIOp,
    arith.TruncIOp,
    arith.BitcastOp,
)

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def decide(op: arith.CmpIOp, a: Range, b: Range) -> bool | None:
    """What a comparison always gives, or None."""
    name = op.predicate.value
    if name in ("eq", "ne"):
        if a[0] == a[1] == b[0] == b[1]:
            return name == "eq"
        return name == "ne" if a[1] < b[0] or b[1] < a[0] else None
    if name[0] == "u" and (a[0] < 0 or b[0] < 0):
        return None
    compare = _COMPARE[name[1:]]
    results = {compare(x, y) for x in a for y in b}
    return results.pop() if len(results) == 1 else None


@register_pass("fold-index-ranges", needs=[Fact.LINALG])
@dataclass(frozen=True)
class FoldIndexRanges(Pass):
    """Fold host arithmetic by ranges, and make constant offsets, sizes and bounds static."""

    def run(self, module: Op) -> None:
        ranges = Ranges()
        for op in module.walk():
            if op.parent is None or op.parent_op is None or op.parent_op.dialect == "linalg":
                continue
            replacement = _fold(op, ranges)
            if replacement is not None:
                op.replace_with(replacement)
        eliminate_dead_code(module)
        eliminate_common_subexpressions(module)


def _fold(op: Op, ranges: Ranges) -> Value | None:
    if isinstance(op, arith.CmpIOp):
        known = decide(op, ranges.of(op.lhs), ranges.of(op.rhs))
        return None if known is None else _constant(op, known)
    if isinstance(op, arith.SelectOp) and isinstance(op.result.type, DType):
        condition = ranges.constant(op.condition)
        return None if condition is None else op.true_value if condition else op.false_value
    if isinstance(op, arith.MaxSIOp | arith.MinSIOp):
        return _fold_bound(op, ranges)
    if isinstance(op, tensor.ExtractSliceOp):
        return _static_slice(op, ranges)
    if isinstance(op, tensor.InsertSliceOp):
        return _static_insert(op, ranges)
    if not op.results or not isinstance(op.results[0].type, DType) or type(op) not in _RULES:
        return None
    known = ranges.constant(op.results[0])
    if known is not None:
        return _constant(op, known)
    if isinstance(op, _CASTS):
        return _drop_cast_pair(op, ranges)
    if isinstance(op, arith.AddIOp | arith.SubIOp) and ranges.constant(op.rhs) == 0:
        return op.lhs
    return None


def _constant(op: Op, value: int | bool) -> Value:
    t = op.results[0].type
    assert isinstance(t, DType)
    number = bool(value) if t.is_bool else int(value)
    return Builder.before_op(op).insert(arith.ConstantOp(number, t)).result


def _fold_bound(op: arith.MaxSIOp | arith.MinSIOp, ranges: Ranges) -> Value | None:
    """max(x, y) -> x where x >= y always; min likewise."""
    if not isinstance(op.result.type, DType):
        return None
    a, b = ranges.of(op.lhs), ranges.of(op.rhs)
    if isinstance(op, arith.MinSIOp):
        return op.lhs if a[1] <= b[0] else op.rhs if b[1] <= a[0] else None
    return op.lhs if a[0] >= b[1] else op.rhs if b[0] >= a[1] else None


def _drop_cast_pair(op: Op, ranges: Ranges) -> Value | None:
    """cast(cast(x : A) : B) : A -> x when every value of x fits B."""
    inner = op.operands[0].defining_op
    if inner is None or not isinstance(inner, _CASTS):
        return None
    source = inner.operands[0]
    if source.type != op.results[0].type or not isinstance(inner.results[0].type, DType):
        return None
    middle = type_range(inner.results[0].type)
    low, high = ranges.of(source)
    return source if middle[0] <= low and high <= middle[1] else None


def _static(values: Sequence[int | Value], ranges: Ranges) -> list[int | Value]:
    result: list[int | Value] = []
    for v in values:
        known = ranges.constant(v) if isinstance(v, Value) else None
        result.append(v if known is None else known)
    return result


def _static_slice(op: tensor.ExtractSliceOp, ranges: Ranges) -> Value | None:
    old = (op.mixed_offsets, op.mixed_sizes, op.mixed_strides)
    offsets, sizes, strides = (_static(x, ranges) for x in old)
    if (offsets, sizes, strides) == old:
        return None
    b = Builder.before_op(op)
    same_rank = op.result_type.rank == len(sizes)
    made = tensor.ExtractSliceOp.of(op.operand, offsets, sizes, strides, None if same_rank else op.result_type)
    result = b.insert(made).result
    return result if result.type == op.result_type else b.insert(tensor.CastOp(result, op.result_type)).result


def _static_insert(op: tensor.InsertSliceOp, ranges: Ranges) -> Value | None:
    old = (op.mixed_offsets, op.mixed_sizes, op.mixed_strides)
    offsets, sizes, strides = (_static(x, ranges) for x in old)
    if (offsets, sizes, strides) == old:
        return None
    if tensor_type(op.source).shape != tuple(s if isinstance(s, int) else None for s in sizes):
        sizes = old[1]
    return Builder.before_op(op).insert(tensor.InsertSliceOp.of(op.source, op.dest, offsets, sizes, strides)).result
