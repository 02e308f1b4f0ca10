"""The verifier: structure, dominance, declarations, types and each operation's own rules.

Structure: uses match operands, regions and blocks know their parents, terminators stand last. Dominance: a value is
defined before it is used (within a block by order; across blocks of a region by the dominator tree). Then the
declaration (number of operands, regions, successors; attributes present), the result types against `infer`, and
`check`. The first broken rule is raised as VerifyError; `verify_all` collects one error per operation instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from tesselle.ir.bounds import verify_bounds
from tesselle.ir.core import (
    ISOLATED,
    NO_TERMINATOR,
    SYMBOL_TABLE,
    TERMINATOR,
    Block,
    Op,
    OpResult,
    Region,
    UnregisteredOp,
    Value,
)
from tesselle.ir.declare import FieldKind, OpSpec, spec_of
from tesselle.ir.types import TensorType, UnrankedTensorType
from tesselle.support.diagnostics import Diagnostic, VerifyError


def verify(root: Op) -> None:
    """Check `root` and everything inside it; raise VerifyError at the first broken rule."""
    for error in _errors(root):
        raise error


def verify_all(root: Op) -> None:
    """Like `verify`, but raise one VerifyError that lists the first broken rule of every operation."""
    found: list[Diagnostic] = []
    for error in _errors(root):
        found.extend(error.diagnostics)
    if found:
        raise VerifyError.several(found)


def _errors(root: Op) -> Iterator[VerifyError]:
    yield from _verify_tree(root, set())


def _verify_tree(op: Op, visible: set[Value]) -> Iterator[VerifyError]:
    try:
        _verify_op(op)
    except VerifyError as error:
        yield error
    for region in op.regions:
        yield from _verify_region(op, region, set() if ISOLATED in op.TRAITS else visible)


def _verify_op(op: Op) -> None:
    if isinstance(op, UnregisteredOp):
        return
    spec = spec_of(op)
    single = spec.single_operand_count
    count = len(op.operands)
    if spec.has_segments:
        _verify_segments(op, spec)
    elif len(spec.operands) == single:
        if count != single:
            op.fail("operands", f"expected {single} operands, found {count}")
    elif count < single or (spec.has_optional_operand and count > single + 1):
        few = f"{single} or {single + 1}" if spec.has_optional_operand else f"at least {single}"
        op.fail("operands", f"expected {few} operands, found {count}")
    regions, fixed = len(op.regions), spec.fixed_region_count
    if regions < fixed or (regions > fixed and not spec.has_open_regions):
        op.fail("regions", f"expected {fixed} regions, found {regions}")
    if len(op.successors) != len(spec.successors):
        op.fail("successors", f"expected {len(spec.successors)} successors, found {len(op.successors)}")
    for name in spec.required_attributes:
        if name not in op.attributes:
            op.fail("attribute", f"attribute '{name}' is missing")
    given = spec.given_result_count
    if given is not None and len(op.results) != given:
        op.fail("results", f"expected {given or 'no'} results, found {len(op.results)}")
    for r in op.results:
        if isinstance(r.type, TensorType) and r.type.encoding is not None:
            _verify_encoding(op, r.type)
    if not op.NAME.startswith("tf.") or not has_unranked(op):
        if spec.infers:
            op.verify_types()
            verify_bounds(op)
        op.check()
    if SYMBOL_TABLE in op.TRAITS:
        _verify_symbols(op)


def _verify_encoding(op: Op, t: TensorType) -> None:
    error = t.encoding_error()
    op.require(error is None, "encoding", error or "")


def has_unranked(op: Op) -> bool:
    """Whether an operand or a result has no rank: then no rule about shapes can be checked yet."""
    return any(isinstance(v.type, UnrankedTensorType) for v in (*op.operands, *op.results))


def _verify_segments(op: Op, spec: OpSpec) -> None:
    sizes = op.operand_segments
    op.require(
        sizes is not None and len(sizes) == len(spec.operands) and sum(sizes) == len(op.operands),
        "operandSegmentSizes",
        f"operand segments {sizes} do not fit {len(op.operands)} operands in {len(spec.operands)} groups",
    )
    assert sizes is not None
    for size, f in zip(sizes, spec.operands, strict=True):
        if (f.kind is not FieldKind.VARIADIC and size > 1) or (f.kind is FieldKind.OPERAND and size != 1):
            op.fail("operandSegmentSizes", f"group '{f.name}' ({f.kind.value}) has {size} operands")


def _verify_symbols(table: Op) -> None:
    seen: dict[str, Op] = {}
    for region in table.regions:
        for block in region.blocks:
            for op in block:
                name = op.attributes.get("sym_name")
                if not isinstance(name, str):
                    continue
                if name in seen:
                    op.fail("symbol", f"symbol @{name} is defined twice; first at {seen[name].location}")
                seen[name] = op


def _verify_region(parent: Op, region: Region, visible: set[Value]) -> Iterator[VerifyError]:
    """Check the blocks of `region`; `visible` holds the values of the enclosing scopes and is left as it was."""
    try:
        parent.require(region.parent is parent, "structure", "a region does not know its operation")
        if len(region.blocks) <= 1:
            order: list[tuple[Block, Block | None]] = [(b, None) for b in region.blocks]
        else:
            order = dominator_order(region)
    except VerifyError as error:
        yield error
        return
    if len(order) == 1:
        defined: list[Value] = []
        yield from _verify_block(parent, order[0][0], visible, defined)
        visible.difference_update(defined)
        return
    visible_at_end: dict[Block, set[Value]] = {}
    for block, dominator in order:
        scope = set(visible if dominator is None else visible_at_end[dominator])
        yield from _verify_block(parent, block, scope, [])
        visible_at_end[block] = scope


def _verify_block(parent: Op, block: Block, visible: set[Value], defined: list[Value]) -> Iterator[VerifyError]:
    visible.update(block.args)
    defined.extend(block.args)
    for arg in block.args:
        if isinstance(arg.type, TensorType) and (error := arg.type.encoding_error()) is not None:
            yield VerifyError(error, arg.location, f"{parent.name}.encoding")
    last = block.last
    if NO_TERMINATOR not in parent.TRAITS and not isinstance(parent, UnregisteredOp):
        ends = last is not None and (TERMINATOR in last.TRAITS or isinstance(last, UnregisteredOp))
        if not ends:
            place = last or parent
            yield VerifyError(
                f"a block of {parent.name} must end with a terminator", place.location, f"{parent.name}.terminator"
            )
    for op in block:
        for i, v in enumerate(op.operands):
            if v not in visible:
                yield VerifyError(f"operand {i} does not dominate this use", op.location, f"{op.name}.dominance")
                break
        if op is not last and TERMINATOR in op.TRAITS:
            yield VerifyError("a terminator must stand last in its block", op.location, f"{op.name}.terminator")
        # As _verify_tree, written out: a generator for every operation would cost more than most checks.
        try:
            _verify_op(op)
        except VerifyError as error:
            yield error
        if op.regions:
            inner = set[Value]() if ISOLATED in op.TRAITS else visible
            for region in op.regions:
                yield from _verify_region(op, region, inner)
        visible.update(op.results)
        defined.extend(op.results)


def dominator_order(region: Region) -> list[tuple[Block, Block | None]]:
    """Reachable blocks, each after its immediate dominator, which stands beside it (None for the entry).

    Unreachable blocks come last, with the entry as their dominator. Algorithm: Cooper, Harvey, Kennedy, "A Simple, Fast
    Dominance Algorithm" (2001).
    """
    entry = region.blocks[0]
    post: list[Block] = []
    seen = {entry}
    stack: list[tuple[Block, Iterator[Block]]] = [(entry, iter(_successors(entry)))]
    while stack:
        block, rest = stack[-1]
        following = next((s for s in rest if s not in seen), None)
        if following is None:
            post.append(block)
            stack.pop()
        else:
            if following.parent is not region:
                raise VerifyError("a branch leaves its region", block.terminator.location, "ir.successor")
            seen.add(following)
            stack.append((following, iter(_successors(following))))
    number = {b: i for i, b in enumerate(post)}
    predecessors: dict[Block, list[Block]] = {b: [] for b in post}
    for b in post:
        for s in _successors(b):
            predecessors[s].append(b)
    idom: dict[Block, Block] = {entry: entry}
    changed = True
    while changed:
        changed = False
        for b in reversed(post[:-1]):
            new: Block | None = None
            for p in predecessors[b]:
                if p not in idom:
                    continue
                other: Block = p
                if new is None:
                    new = p
                    continue
                while new is not other:
                    while number[new] < number[other]:
                        new = idom[new]
                    while number[other] < number[new]:
                        other = idom[other]
            if new is not None and idom.get(b) is not new:
                idom[b] = new
                changed = True
    order: list[tuple[Block, Block | None]] = [(b, None if b is entry else idom[b]) for b in reversed(post)]
    # A dominator has a higher postorder number than what it dominates, so reverse postorder lists it first.
    order.extend((b, entry) for b in region.blocks if b not in seen)
    return order


def _successors(block: Block) -> tuple[Block, ...]:
    return block.last.successors if block.last is not None else ()


def defines_in(value: Value, region: Region) -> bool:
    """Whether `value` is defined inside `region` (or a region nested in it)."""
    owner = value.op.parent_region if isinstance(value, OpResult) else value.parent_region
    return region.is_ancestor_of(owner)
