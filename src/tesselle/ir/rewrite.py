"""Pattern rewriting: greedy application of local rules, and the two cleanups that every pass may ask for.

A rule is a function decorated with `@pattern`; the annotation of its first parameter says which operations it sees:

    @pattern
    def drop_identity(op: TransposeOp, rw: Rewriter) -> Value | None:
        return op.operand if op.permutation == tuple(range(op.operand.type.rank)) else None

It returns None when it does not apply, the replacement value(s) when it does, or DONE when it changed the IR in place.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from tesselle.ir.builder import Builder
from tesselle.ir.core import CONSTANT_LIKE, ISOLATED, PURE, TERMINATOR, Block, Op, Region, Value

OpT = TypeVar("OpT", bound=Op)


class _Done:
    def __repr__(self) -> str:
        return "DONE"


DONE = _Done()
"""What a rule returns after changing the IR in place through the rewriter."""

Replacement = Value | Sequence[Value] | _Done | None


class Rewriter(Builder):
    """Builds in front of the operation under rewrite, and tells the driver what changed."""

    def __init__(self, op: Op) -> None:
        assert op.parent is not None
        super().__init__(op.parent, op, op.location)
        self.op = op
        self.touched: list[Op] = []

    def insert(self, op: OpT) -> OpT:
        super().insert(op)
        self.touched.append(op)
        return op

    def replace(self, op: Op, values: Value | Sequence[Value]) -> None:
        """Replace another operation than the one under rewrite."""
        for r in op.results:
            self.touched.extend(r.users)
        op.replace_with(values)

    def erase(self, op: Op) -> None:
        for v in op.operands:
            if v.defining_op is not None:
                self.touched.append(v.defining_op)
        op.erase()

    def modified(self, op: Op) -> None:
        """Say that `op` was changed in place, so that rules look at it again."""
        self.touched.append(op)


@dataclass(frozen=True)
class Pattern:
    """A rule for operations of class `root`; rules with a higher benefit are tried first."""

    root: type[Op]
    apply: Callable[[Any, Rewriter], Replacement]
    benefit: int = 1

    @property
    def name(self) -> str:
        return self.apply.__name__

    def __call__(self, op: Op, rewriter: Rewriter) -> Replacement:
        return self.apply(op, rewriter)


def pattern(function: Callable[[OpT, Rewriter], Replacement]) -> Pattern:
    """Make a rule out of a function; see the module's text."""
    hints = typing.get_type_hints(function)
    first = next(iter(hints))
    return Pattern(hints[first], function)


def apply_patterns(root: Op, patterns: Iterable[Pattern], *, max_rewrites: int = 10_000_000) -> bool:
    """Apply rules to everything inside `root` until none applies; erase pure operations whose results are unused.

    Returns whether anything changed. RuntimeError when `max_rewrites` is exceeded (rules that undo one another).
    """
    table: dict[type[Op], list[Pattern]] = {}
    for p in patterns:
        table.setdefault(p.root, []).append(p)
    for rules in table.values():
        rules.sort(key=lambda p: -p.benefit)
    general = table.pop(Op, [])
    worklist: dict[Op, None] = {op: None for op in reversed(list(root.walk())) if op is not root}
    erased: set[Op] = set()
    changed = False
    count = 0
    while worklist:
        op = next(reversed(worklist))
        del worklist[op]
        if op in erased or op.parent is None:
            continue
        if is_trivially_dead(op):
            for v in op.operands:
                if v.defining_op is not None:
                    worklist[v.defining_op] = None
            erased.update(op.walk())
            op.erase()
            changed = True
            continue
        for rule in (*table.get(type(op), ()), *general):
            rewriter = Rewriter(op)
            result = rule(op, rewriter)
            if result is None:
                continue
            changed = True
            count += 1
            if count > max_rewrites:
                raise RuntimeError(f"rewriting does not end; the last rule was {rule.name} on {op.name}")
            for r in op.results:
                for user in r.users:
                    worklist[user] = None
            for v in op.operands:
                if v.defining_op is not None:
                    worklist[v.defining_op] = None
            if not isinstance(result, _Done):
                erased.update(op.walk())
                op.replace_with(result)
            elif _is_attached(op):
                worklist[op] = None
            for t in rewriter.touched:
                if t not in erased:
                    for inner in t.walk():
                        worklist[inner] = None
            break
    return changed


def _is_attached(op: Op) -> bool:
    return op.parent is not None


def is_pure(op: Op) -> bool:
    """Whether the operation has no side effect (regions of pure operations are pure by declaration)."""
    return PURE in op.TRAITS


def is_trivially_dead(op: Op) -> bool:
    """Pure, with results that nothing uses. One without results (linalg on memory) is there for its effect."""
    if not op.results or PURE not in op.TRAITS or TERMINATOR in op.TRAITS:
        return False
    return not any(r.uses for r in op.results)


def eliminate_dead_code(root: Op) -> bool:
    """Erase pure operations whose results nothing uses, inside `root`."""
    changed = False
    for region in root.regions:
        for block in region.blocks:
            op = block.last
            while op is not None:
                previous = op.prev
                if is_trivially_dead(op):
                    op.erase()
                    changed = True
                elif op.regions:
                    changed |= eliminate_dead_code(op)
                    if is_trivially_dead(op):
                        op.erase()
                op = previous
    return changed


def eliminate_common_subexpressions(root: Op) -> bool:
    """Merge pure operations without regions that are equal and where the first dominates the second."""
    return _cse(root, [])


def _key(op: Op) -> tuple[Any, ...] | None:
    try:
        attributes = tuple(sorted(((k, _bits(v)) for k, v in op.attributes.items()), key=lambda kv: kv[0]))
        key = (type(op), op.operands, op.result_types, attributes, op.operand_segments)
        hash(key)
    except TypeError:  # an attribute that cannot be hashed, such as a dictionary
        return None
    return key


def _bits(attribute: Any) -> Any:
    """What tells the attribute from others: 0.0 and -0.0 are equal, but not the same."""
    if isinstance(attribute, float):
        return (float, attribute.hex())
    if isinstance(attribute, tuple):
        return tuple(_bits(part) for part in cast("tuple[Any, ...]", attribute))
    return attribute


def _cse(op: Op, scopes: list[dict[tuple[Any, ...], Op]]) -> bool:
    changed = False
    for region in op.regions:
        outer = [] if ISOLATED in op.TRAITS else scopes
        for block in region.blocks:
            changed |= _cse_block(block, outer)
    return changed


def _cse_block(block: Block, scopes: list[dict[tuple[Any, ...], Op]]) -> bool:
    changed = False
    known: dict[tuple[Any, ...], Op] = {}
    inner = [*scopes, known]
    for op in block:
        if op.regions:
            changed |= _cse(op, inner)
            continue
        if PURE not in op.TRAITS or not op.results:
            continue
        key = _key(op)
        if key is None:
            continue
        earlier = next((scope[key] for scope in inner if key in scope), None)
        if earlier is None:
            known[key] = op
        else:
            op.replace_with(earlier.results)
            changed = True
    return changed


def inline_block(block: Block, before: Op, arguments: Sequence[Value]) -> list[Value]:
    """Move the operations of `block` in front of `before`, with `arguments` for its arguments.

    The terminator is erased; its operands are returned.
    """
    for arg, value in zip(block.args, arguments, strict=True):
        arg.replace_all_uses_with(value)
    terminator = block.terminator
    results = list(terminator.operands)
    terminator.erase()
    for op in block:
        op.move_before(before)
    return results


def is_constant(value: Value) -> bool:
    op = value.defining_op
    return op is not None and CONSTANT_LIKE in op.TRAITS


def region_is_isolated(region: Region) -> bool:
    """Whether the region uses no value from outside."""
    for op in region.walk():
        for v in op.operands:
            if not region.is_ancestor_of(v.parent_region):
                return False
    return True
