"""split-reductions: reduce to a few elements in two steps, so that the first has work for every core.

    %r = linalg.generic [reduction, reduction] ins(%x : 4096x4096) outs(%init) { acc + x }

becomes

    %p = linalg.generic [parallel, reduction] ins(%x) outs(fill of -0 : 4096) { acc + x }
    %r = linalg.generic [reduction] ins(%p : 4096) outs(%init) { acc + x }

A loop that is too long to be kept as it is, is taken apart into parts and steps by a reshape. Left as they are:
reductions with parallel loops enough for several workgroups, short ones, bodies that are no sum, product, minimum,
maximum or bitwise operation of one result, sums that are kept in narrow floats (partial ones would be rounded), and
open sizes.

The order of a reduction is the implementation's choice (StableHLO spec, reduce); it follows from sizes alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import BF16, F16, F32, F64, DType

_LEAST_ELEMENTS = 1 << 17
"""Fewer take less time than handing out a second step."""
_ENOUGH_WORKGROUPS = 8
_ROW = 512
"""Elements of an innermost parallel loop that one workgroup takes at the least."""
_MOST_KEPT = 4096
"""A loop of at most so many iterations becomes parallel as a whole."""
_LEAST_PART = 1 << 14
"""Elements that one part reduces at the least."""
_MOST_PARTS = 256


@register_pass("split-reductions", needs=[Fact.LINALG])
@dataclass(frozen=True)
class SplitReductions(Pass):
    """Give large reductions with few results a parallel loop."""

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, linalg.GenericOp):
                split = _split_of(op)
                if split is not None:
                    op.replace_with(split.build())


@dataclass(frozen=True)
class _Split:
    """Loop `loop` of `op` in `parts` parts of `steps` iterations each; `combine` joins two results."""

    op: linalg.GenericOp
    combine: Op
    neutral: float
    loop: int
    parts: int
    steps: int

    def build(self) -> Value:
        op = self.op
        b = Builder.before_op(op)
        t = tensor_type(op.results[0])
        partial = self._first(b, TensorType((self.parts, *t.shape), t.dtype))
        rank = t.rank
        keep = AffineMap(rank + 1, 0, tuple(AffineDim(i + 1) for i in range(rank)))
        iterators = (linalg.IteratorType.REDUCTION, *[linalg.IteratorType.PARALLEL] * rank)
        maps = (AffineMap.identity(rank + 1), keep)
        body = Region([self._combiner(t.dtype)])
        return b.insert(linalg.GenericOp((partial,), op.outputs, maps, iterators, body)).results[0]

    def _first(self, b: Builder, t: TensorType) -> Value:
        """The results of the parts, in front of all other dimensions."""
        op = self.op
        whole = self.steps == 1
        # Where the loop is kept as it is, it is itself the loop over the parts.
        loops = len(op.iterator_types)
        part = self.loop if whole else loops
        count = loops if whole else loops + 1

        def spread(m: AffineMap) -> list[AffineExpr]:
            results: list[AffineExpr] = []
            for e in m.results:
                if not whole and isinstance(e, AffineDim) and e.position == self.loop:
                    results.append(AffineDim(part))
                results.append(e)
            return results

        inputs = [v if whole else self._taken_apart(b, v, m) for v, m in zip(op.inputs, op.input_maps, strict=True)]
        maps = [AffineMap(count, 0, tuple(spread(m))) for m in op.input_maps]
        maps.append(AffineMap(count, 0, (AffineDim(part), *op.output_maps[0].results)))
        iterators = [*op.iterator_types, *([] if whole else [linalg.IteratorType.PARALLEL])]
        iterators[part] = linalg.IteratorType.PARALLEL
        neutral = b.insert(arith.ConstantOp(self.neutral, t.dtype)).result
        empty = b.insert(tensor.EmptyOp((), t)).result
        out = b.insert(linalg.FillOp(neutral, empty)).results[0]
        body = Region()
        body.take_blocks(op.body)
        return b.insert(linalg.GenericOp(tuple(inputs), (out,), tuple(maps), tuple(iterators), body)).results[0]

    def _taken_apart(self, b: Builder, value: Value, m: AffineMap) -> Value:
        """The operand with parts and steps as dimensions of their own."""
        t = value.type
        if not isinstance(t, TensorType):
            return value
        shape: list[int | None] = []
        groups: list[tuple[int, ...]] = []
        for size, e in zip(t.shape, m.results, strict=True):
            first = len(shape)
            if isinstance(e, AffineDim) and e.position == self.loop:
                shape += [self.parts, self.steps]
            else:
                shape.append(size)
            groups.append(tuple(range(first, len(shape))))
        if len(shape) == t.rank:
            return value
        return b.insert(tensor.ExpandShapeOp(value, (), tuple(groups), TensorType(tuple(shape), t.dtype))).result

    def _combiner(self, dtype: DType) -> Block:
        block = Block([dtype, dtype])
        b = Builder.at_end(block, self.op.location)
        element, accumulator = block.args
        make = cast("Callable[..., Op]", type(self.combine))
        joined = b.insert(make(accumulator, element)).results[0]
        b.insert(linalg.YieldOp((joined,)))
        return block


def _split_of(op: linalg.GenericOp) -> _Split | None:
    found = _combination(op)
    if found is None or not all(v.type.is_static for v in op.operands if isinstance(v.type, TensorType)):
        return None
    if not all(m.projected_dims() is not None for m in op.indexing_maps):
        return None
    sizes = _loop_sizes(op)
    total = math.prod(sizes)
    if total < _LEAST_ELEMENTS or _workgroups(op, sizes) >= _ENOUGH_WORKGROUPS:
        return None
    best: tuple[int, int] | None = None
    for loop in _outermost_first(op):
        parts = _parts(sizes[loop], total)
        if parts is not None and (best is None or (best[1] < _ENOUGH_WORKGROUPS and parts > best[1])):
            best = loop, parts
    if best is None:
        return None
    loop, parts = best
    combine, neutral = found
    return _Split(op, combine, neutral, loop, parts, sizes[loop] // parts)


def _combination(op: linalg.GenericOp) -> tuple[Op, float] | None:
    """What joins the accumulator and an element, and what it may begin with; None when the body is of no such form."""
    if len(op.results) != 1 or not op.reduction_dims:
        return None
    block = op.body.block
    accumulator = block.args[-1]
    last = block.terminator.operands[0].defining_op
    if last is None or len(accumulator.uses) != 1 or accumulator not in last.operands:
        return None
    if any(isinstance(inner, linalg.IndexOp) or _captures(inner, block) for inner in block):
        return None
    dtype = tensor_type(op.results[0]).dtype
    neutral = neutral_element(last, dtype)
    return None if neutral is None else (last, neutral)


def _captures(op: Op, block: Block) -> bool:
    """Whether an operation has regions of its own, or reads what is no scalar of this body."""
    return bool(op.regions) or any(
        v.block is not block if isinstance(v, BlockArgument) else isinstance(v.type, TensorType) for v in op.operands
    )


def neutral_element(op: Op, dtype: DType) -> float | None:
    """e with combine(e, x) = x, for zeros of both signs, too; None when `op` has none, or its type is rounded."""
    if dtype.is_float:
        rounded: dict[type[Op], float] = {arith.AddFOp: -0.0, arith.MulFOp: 1.0}
        exact: dict[type[Op], float] = {arith.MaximumFOp: -math.inf, arith.MinimumFOp: math.inf}
        # Not every narrow float has infinities, but those two have.
        return (rounded | exact if dtype in (F32, F64) else exact if dtype in (F16, BF16) else {}).get(type(op))
    if dtype.is_complex or dtype.is_quantized:
        return None
    bits = 1 if dtype.is_bool else dtype.bits
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    integers: dict[type[Op], int] = {
        arith.AddIOp: 0,
        arith.MulIOp: 1,
        arith.OrIOp: 0,
        arith.XOrIOp: 0,
        arith.AndIOp: -1,
        arith.MaxUIOp: 0,
        arith.MinUIOp: -1,
        arith.MaxSIOp: lowest,
        arith.MinSIOp: highest,
    }
    value = integers.get(type(op))
    if value is None:
        return None
    if dtype.is_bool:
        return bool(value & 1)
    return value % (1 << bits) if dtype.is_unsigned else value


def _loop_sizes(op: linalg.GenericOp) -> list[int]:
    sizes = [1] * len(op.iterator_types)
    for v, m in zip(op.operands, op.indexing_maps, strict=True):
        if isinstance(v.type, TensorType):
            for d, n in zip(m.projected_dims() or (), v.type.static_shape, strict=True):
                sizes[d] = n
    return sizes


def _workgroups(op: linalg.GenericOp, sizes: list[int]) -> int:
    """How many workgroups the parallel loops have work for."""
    innermost = {dims[-1] for m in op.indexing_maps if (dims := m.projected_dims())}
    count = 1
    for d in op.parallel_dims:
        count *= max(1, sizes[d] // _ROW) if d in innermost else sizes[d]
    return count


def _outermost_first(op: linalg.GenericOp) -> list[int]:
    """The reduction loops, as the operand with the most dimensions has them."""
    dims = max((m.projected_dims() or () for m in op.input_maps), key=len, default=())
    return [d for d in dims if d in op.reduction_dims]


def _parts(size: int, total: int) -> int | None:
    """Into how many parts a loop is cut; None when nothing divides it well."""
    if 2 <= size <= _MOST_KEPT and total // size >= _LEAST_PART // 16:
        return size
    most = min(_MOST_PARTS, total // _LEAST_PART)
    found = max((n for n in range(2, most + 1) if size % n == 0), default=1)
    return found if found >= 4 else None
