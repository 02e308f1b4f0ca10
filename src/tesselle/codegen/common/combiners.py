"""How the body of a reduction combines: recognised operations, their neutral elements, and bodies taken as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common.vector_body import BodyVectorizer, Lane
from tesselle.dialects.core import arith, vector
from tesselle.dialects.core.math import FmaOp
from tesselle.dialects.core.vector import CombiningKind, vector_type
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.types import DType, VectorType
from tesselle.support.dtypes import Kind

_KINDS: dict[type[Op], CombiningKind | None] = {
    arith.AddFOp: CombiningKind.ADD,
    FmaOp: CombiningKind.ADD,
    arith.MulFOp: CombiningKind.MUL,
    arith.MaximumFOp: CombiningKind.MAXIMUMF,
    arith.MinimumFOp: CombiningKind.MINIMUMF,
    arith.MaxNumFOp: None,
    arith.MinNumFOp: None,
    arith.AddIOp: CombiningKind.ADD,
    arith.MulIOp: CombiningKind.MUL,
    arith.MaxSIOp: CombiningKind.MAXSI,
    arith.MaxUIOp: CombiningKind.MAXUI,
    arith.MinSIOp: CombiningKind.MINSI,
    arith.MinUIOp: CombiningKind.MINUI,
    arith.AndIOp: CombiningKind.AND,
    arith.OrIOp: CombiningKind.OR,
    arith.XOrIOp: CombiningKind.XOR,
}


def neutral_element(cls: type[Op], dtype: DType) -> int | float | bool | None:
    """e with combine(e, x) = x, or None where there is none (or the type is complex)."""
    if dtype.is_complex:
        return None
    if dtype.is_float:
        if cls in (arith.AddFOp, FmaOp):
            return -0.0
        if cls is arith.MulFOp:
            return 1.0
        if cls in (arith.MaximumFOp, arith.MaxNumFOp):
            return -math.inf
        return math.inf if cls in (arith.MinimumFOp, arith.MinNumFOp) else None
    lowest, highest = (0, 1) if dtype.is_bool else (0, (1 << dtype.bits) - 1)
    if not dtype.is_bool:
        top = 1 << (dtype.bits - 1)
        signed = (-top, top - 1)
    else:
        signed = (-1, 0)
    values: dict[type[Op], int] = {
        arith.AddIOp: 0,
        arith.OrIOp: 0,
        arith.XOrIOp: 0,
        arith.MulIOp: 1,
        arith.AndIOp: highest,
        arith.MaxUIOp: lowest,
        arith.MinUIOp: highest,
        arith.MaxSIOp: signed[0],
        arith.MinSIOp: signed[1],
    }
    value = values.get(cls)
    if value is None:
        return None
    if dtype.is_bool:
        return bool(value & 1)
    if dtype.kind is Kind.UNSIGNED:
        return value & highest
    return value - (1 << dtype.bits) if value > signed[1] else value


@dataclass(frozen=True)
class Combiner:
    """acc' = op(…, acc, …), where the other operands do not depend on any accumulator."""

    op: Op
    position: int
    neutral: int | float | bool

    @property
    def dtype(self) -> DType:
        t = self.op.result.type
        assert isinstance(t, DType)
        return t

    def start(self, b: Builder, lanes: int | None) -> Value:
        """The neutral element, on all lanes."""
        type = self.dtype if lanes is None else VectorType((lanes,), self.dtype)
        return b.insert(arith.ConstantOp(self.neutral, type)).result

    def apply(self, b: Builder, acc: Value, terms: Sequence[Value]) -> Value:
        """combine(acc, terms), `terms` being the operands other than the accumulator, in order."""
        operands = [*terms[: self.position], acc, *terms[self.position :]]
        return b.insert(type(self.op).build(operands, [acc.type], self.op.attributes)).result

    def merge(self, b: Builder, x: Value, y: Value) -> Value:
        """Combine two accumulators (a sum when the combination is a multiply-add)."""
        cls = arith.AddFOp if isinstance(self.op, FmaOp) else type(self.op)
        return b.insert(cls.build([x, y], [x.type])).result

    def across_lanes(self, b: Builder, x: Value) -> Value:
        """Combine all lanes of a vector."""
        kind = _KINDS[type(self.op)]
        if kind is not None:
            return b.insert(vector.ReductionOp(kind, x, None)).result
        lanes = vector_type(x).static_shape[0]
        while lanes > 1:
            lanes //= 2
            low = b.insert(vector.ShuffleOp(x, x, tuple(range(lanes)))).result
            high = b.insert(vector.ShuffleOp(x, x, tuple(range(lanes, 2 * lanes)))).result
            x = self.merge(b, low, high)
        return b.insert(vector.ExtractOp(x, (0,))).result


def dependent_ops(block: Block, roots: Sequence[Value]) -> set[Op]:
    """The operations of the block that depend on one of `roots`."""
    seen: set[Value] = set(roots)
    found: set[Op] = set()
    for op in block:
        if op is not block.last and any(v in seen for v in op.operands):
            found.add(op)
            seen.update(op.results)
    return found


def match_combiners(block: Block, output_count: int) -> list[Combiner] | None:
    """One combiner for each output when the body is a set of recognised reductions, else None."""
    accs = block.args[len(block.args) - output_count :]
    dependent = dependent_ops(block, accs)
    combiners: list[Combiner] = []
    for acc, y in zip(accs, block.terminator.operands, strict=True):
        op = y.defining_op
        if op is None or type(op) not in _KINDS or op not in dependent or not acc.has_one_use:
            return None
        positions = [i for i, v in enumerate(op.operands) if v is acc]
        if len(positions) != 1 or (isinstance(op, FmaOp) and positions != [2]):
            return None
        others = [v for v in op.operands if v is not acc]
        if any(v.defining_op in dependent or v in accs for v in others) or not y.has_one_use:
            return None
        neutral = neutral_element(type(op), acc.type) if isinstance(acc.type, DType) else None
        if neutral is None:
            return None
        combiners.append(Combiner(op, positions[0], neutral))
    return combiners if len(dependent) == len(combiners) else None


@dataclass(frozen=True)
class Monoid:
    """A body that combines elements with accumulators of the same types (argmax): elements[k] goes with accumulator
    k.
    """

    block: Block
    accs: tuple[Value, ...]
    elements: tuple[Value, ...]
    dependent: frozenset[Op]

    def merge(self, v: BodyVectorizer, accs: Sequence[Lane], elements: Sequence[Lane]) -> list[Lane]:
        """body(elements, accumulators)."""
        values: dict[Value, Lane] = {**dict(zip(self.accs, accs, strict=True))}
        values.update(zip(self.elements, elements, strict=True))
        for op in self.block:
            if op in self.dependent or isinstance(op, arith.ConstantOp):
                values[op.result] = v.evaluate(op, values)
        return [values.get(y, y) for y in self.block.terminator.operands]


def match_monoid(block: Block, output_count: int) -> Monoid | None:
    """The body as a combination of two tuples, when it is clear which element goes with which accumulator.

    StableHLO's reduce has associative bodies whose initial values are neutral. Elements are found where the result for
    accumulator k selects between it and one other value that depends on no accumulator.
    """
    accs = tuple(block.args[len(block.args) - output_count :])
    dependent = dependent_ops(block, accs)
    elements: list[Value] = []
    for acc, y in zip(accs, block.terminator.operands, strict=True):
        element = _counterpart(y, acc, accs, dependent)
        # A constant that is taken (a flag) is the same on all lanes; which of them took it, it does not say.
        if element is None or element in elements or isinstance(element.defining_op, arith.ConstantOp):
            return None
        elements.append(element)
    # What a body computes from its elements alone (is it nan?) belongs to the combination too.
    dependent = dependent_ops(block, [*accs, *elements])
    known = {*accs, *elements, *(op.result for op in dependent)}
    if any(e.defining_op in dependent for e in elements):
        return None
    for op in dependent:
        for operand in op.operands:
            source = operand.defining_op
            constant = isinstance(source, arith.ConstantOp) or (source is None and operand not in block.args)
            if operand not in known and not constant:
                return None
    return Monoid(block, accs, tuple(elements), frozenset(dependent))


def _counterpart(y: Value, acc: Value, accs: Sequence[Value], dependent: set[Op]) -> Value | None:
    op = y.defining_op
    if op is None or op not in dependent:
        return None
    if isinstance(op, arith.SelectOp):
        pair = [op.true_value, op.false_value]
    elif type(op) in _KINDS and len(op.operands) == 2:
        pair = list(op.operands)
    else:
        return None
    # A chain of selects: the accumulator may stand deeper.
    free = [v for v in pair if v.defining_op not in dependent and v not in accs]
    if acc in pair and len(free) == 1:
        return free[0]
    for v in pair:
        found = _counterpart(v, acc, accs, dependent) if v.defining_op in dependent else None
        if found is not None:
            return found
    return None


def extract_lane(b: Builder, x: Value, lane: int) -> Value:
    return b.insert(vector.ExtractOp(x, (lane,))).result
