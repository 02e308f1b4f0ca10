"""Comparators of sorts, taken apart: what each element contributes by itself, and the comparison proper.

JAX orders floats by a dozen operations on either side (nan last, -0 equal to +0) and one integer comparison. The former
are computed once for each element, on vectors, and stored as a *key* beside it; a merge then compares keys.

    yield g(left) < g(right)    ->    key = g(element);  yield key(left) < key(right)
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import generics
from tesselle.dialects.core import arith
from tesselle.dialects.linalg.ops import SortOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import ELEMENTWISE, BlockArgument, Op, Value
from tesselle.ir.types import DType

_LEFT, _RIGHT = 1, 2


@dataclass(frozen=True)
class Comparator:
    """The body of a sort. `keys`: pairs (left, right) of values of the body that are equal functions of one element."""

    op: SortOp
    keys: tuple[tuple[Value, Value], ...]

    @property
    def key_types(self) -> list[DType]:
        return [generics.element_type(left) for left, _ in self.keys]

    def emit(self, b: Builder, left: Sequence[Value], right: Sequence[Value]) -> Value:
        """Whether `left` comes before `right`: the operands' elements, then their keys where these are known."""
        block = self.op.body.block
        count = len(self.op.inputs)
        values: dict[Value, Value] = {}
        for k, (x, y) in enumerate(zip(left[:count], right[:count], strict=True)):
            values[block.args[2 * k]], values[block.args[2 * k + 1]] = x, y
        for (mine, other), x, y in zip(self.keys, left[count:], right[count:], strict=False):
            values[mine], values[other] = x, y
        (result,) = block.terminator.operands
        return self._value(b, result, values)

    def _value(self, b: Builder, v: Value, values: dict[Value, Value]) -> Value:
        """`v` of the body at `b`, with everything that it needs and that is not in `values` yet."""
        op = v.defining_op
        if v in values or op is None or op.parent is not self.op.body.block:
            return values.get(v, v)
        for operand in op.operands:
            self._value(b, operand, values)
        b.insert(op.clone(values))
        return values[v]

    def emit_keys(self, b: Builder, elements: Sequence[Value], keys: Sequence[Value]) -> None:
        """keys[i] = g(elements[i]) on memory of rank 1."""
        block = self.op.body.block
        identity = AffineMap.identity(1)

        def body(c: Builder, args: Sequence[Value]) -> Sequence[Value]:
            values: dict[Value, Value] = {block.args[2 * k]: args[k] for k in range(len(elements))}
            return [self._value(c, left, values) for left, _ in self.keys]

        maps = [identity] * (len(elements) + len(keys))
        generics.generic(b, elements, keys, maps, [generics.PARALLEL], body)


def take_apart(op: SortOp) -> Comparator:
    """The comparator of a sort, with keys where both sides of the comparison compute them alike."""
    block = op.body.block
    sides: dict[Value, int] = {a: _LEFT if i % 2 == 0 else _RIGHT for i, a in enumerate(block.args)}
    names: dict[Value, Hashable] = {a: ("element", i // 2) for i, a in enumerate(block.args)}
    frontier: dict[int, dict[Hashable, Value]] = {_LEFT: {}, _RIGHT: {}}
    for inner in block:
        if inner is block.last:
            continue
        if len(inner.results) != 1 or not (ELEMENTWISE in inner.TRAITS or isinstance(inner, arith.ConstantOp)):
            return Comparator(op, ())
        side = 0
        for v in inner.operands:
            side |= sides.get(v, 0)
        sides[inner.result] = side
        names[inner.result] = _name(inner, names)
        if side == _LEFT | _RIGHT:
            for v in inner.operands:
                if sides.get(v, 0) in frontier:
                    frontier[sides[v]][names[v]] = v
    left, right = frontier[_LEFT], frontier[_RIGHT]
    if left.keys() != right.keys():
        return Comparator(op, ())
    pairs = [(left[n], right[n]) for n in left if not isinstance(left[n], BlockArgument)]
    (result,) = block.terminator.operands
    if sides.get(result, 0) != _LEFT | _RIGHT or any(generics.element_type(v).is_bool for v, _ in pairs):
        return Comparator(op, ())
    return Comparator(op, tuple(pairs))


def _name(op: Op, names: dict[Value, Hashable]) -> Hashable:
    """The same for operations that compute the same function of their side's elements."""
    attributes = tuple(sorted((k, repr(v)) for k, v in op.attributes.items()))
    return (op.name, attributes, op.result.type, tuple(names.get(v, v) for v in op.operands))
