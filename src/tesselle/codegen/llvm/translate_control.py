"""Structured control flow -> basic blocks with phi nodes."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.llvm.kernel import Kernel, unsupported
from tesselle.codegen.llvm.layout import slot_count, slot_type
from tesselle.dialects.core.scf import ConditionOp, ForOp, IfOp, WhileOp, YieldOp
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import MemRefType, VectorType


def _slot_types(values: Sequence[Value]) -> list[str]:
    return [slot_type(v.type) for v in values for _ in range(slot_count(v.type))]


def _flat_slots(k: Kernel, values: Sequence[Value]) -> list[str]:
    return [s for v in values for s in k.slots(v)]


def _assign(k: Kernel, values: Sequence[Value], slots: Sequence[str]) -> None:
    """Give consecutive `slots` to `values`."""
    start = 0
    for v in values:
        count = slot_count(v.type)
        k.set(v, slots[start : start + count])
        start += count


def _check_no_views(op: Op, values: Sequence[Value]) -> None:
    for v in values:
        if isinstance(v.type, MemRefType):
            raise unsupported(op, "memrefs that flow through a loop or a branch; load and store inside instead")


def _phi(type: str, incoming: Sequence[tuple[str, str]]) -> str:
    return f"phi {type} " + ", ".join(f"[ {value}, %{label} ]" for value, label in incoming)


def _yielded(k: Kernel, op: Op, terminator: Op) -> list[str]:
    if not isinstance(terminator, YieldOp):
        raise unsupported(op, f"a body that ends in {terminator.name}")
    return _flat_slots(k, terminator.values)


def translate_for(k: Kernel, op: ForOp) -> None:
    """Blocks: head (phis, test), body, exit."""
    _check_no_views(op, op.init_args)
    lower, upper, step = k.scalar(op.lower), k.scalar(op.upper), k.scalar(op.step)
    init = _flat_slots(k, op.init_args)
    types = _slot_types(op.init_args)
    head, body, exit_ = k.new_label("head"), k.new_label("body"), k.new_label("exit")
    before = k.label
    k.do(f"br label %{head}")
    k.start_block(head)
    phi_line = len(k.lines)
    i, following = k.fresh(), k.fresh()
    carried = [k.fresh() for _ in init]
    k.lines.extend([""] * (1 + len(init)))
    k.do(f"{(test := k.fresh())} = icmp slt i64 {i}, {upper}")
    k.do(f"br i1 {test}, label %{body}, label %{exit_}")
    k.start_block(body)
    block = op.body.block
    k.set(block.args[0], (i,))
    _assign(k, block.args[1:], carried)
    results = _yielded(k, op, k.translate_block(block))
    k.do(f"{following} = add nsw i64 {i}, {step}")
    k.do(f"br label %{head}{_loop_metadata(k, op)}")
    latch = k.label
    k.lines[phi_line] = f"  {i} = {_phi('i64', [(lower, before), (following, latch)])}"
    for n, (name, type, first, again) in enumerate(zip(carried, types, init, results, strict=True)):
        k.lines[phi_line + 1 + n] = f"  {name} = {_phi(type, [(first, before), (again, latch)])}"
    k.start_block(exit_)
    _assign(k, op.results, carried)


def _loop_metadata(k: Kernel, op: ForOp) -> str:
    """Unrolling as the `unroll` attribute says; no automatic vectorisation where the body already works on vectors."""
    hints: list[str] = []
    unroll = op.attributes.get("unroll")
    if isinstance(unroll, int):
        unrolling = '!"llvm.loop.unroll.disable"' if unroll <= 1 else f'!"llvm.loop.unroll.count", i32 {unroll}'
        hints.append(k.module.add_metadata(f"!{{{unrolling}}}"))
    if any(isinstance(v.type, VectorType) for inner in op.body.block for v in (*inner.results, *inner.operands)):
        hints.append(k.module.add_metadata('!{!"llvm.loop.vectorize.enable", i1 false}'))
    if not hints:
        return ""
    listed = ", ".join(("!self", *hints))
    return f", !llvm.loop {k.module.add_metadata(f'distinct !{{{listed}}}')}"


def translate_if(k: Kernel, op: IfOp) -> None:
    then, merge = k.new_label("then"), k.new_label("endif")
    has_else = not op.else_region.is_empty
    otherwise = k.new_label("else") if has_else else merge
    k.do(f"br i1 {k.scalar(op.condition)}, label %{then}, label %{otherwise}")
    incoming: list[tuple[list[str], str]] = []

    def branch(label: str, region: Region) -> None:
        k.start_block(label)
        values = _yielded(k, op, k.translate_block(region.block))
        incoming.append((values, k.label))
        k.do(f"br label %{merge}")

    branch(then, op.then_region)
    if has_else:
        branch(otherwise, op.else_region)
    k.start_block(merge)
    _check_no_views(op, op.results)
    types = _slot_types(op.results)
    merged = [k.emit(_phi(t, [(values[n], label) for values, label in incoming])) for n, t in enumerate(types)]
    _assign(k, op.results, merged)


def translate_while(k: Kernel, op: WhileOp) -> None:
    """Blocks: head (phis, `before`), body (`after`), exit."""
    _check_no_views(op, op.init_args)
    _check_no_views(op, op.results)
    init = _flat_slots(k, op.init_args)
    types = _slot_types(op.init_args)
    head, body, exit_ = k.new_label("while"), k.new_label("do"), k.new_label("done")
    entry = k.label
    k.do(f"br label %{head}")
    k.start_block(head)
    phi_line = len(k.lines)
    carried = [k.fresh() for _ in init]
    k.lines.extend([""] * len(init))
    before: Block = op.before.block
    _assign(k, before.args, carried)
    condition = k.translate_block(before)
    if not isinstance(condition, ConditionOp):
        raise unsupported(op, f"a condition that ends in {condition.name}")
    forwarded = _flat_slots(k, condition.args)
    k.do(f"br i1 {k.scalar(condition.condition)}, label %{body}, label %{exit_}")
    k.start_block(body)
    after: Block = op.after.block
    _assign(k, after.args, forwarded)
    again = _yielded(k, op, k.translate_block(after))
    latch = k.label
    k.do(f"br label %{head}")
    for n, (name, type) in enumerate(zip(carried, types, strict=True)):
        k.lines[phi_line + n] = f"  {name} = {_phi(type, [(init[n], entry), (again[n], latch)])}"
    k.start_block(exit_)
    _assign(k, op.results, forwarded)


TRANSLATORS = {
    ForOp: translate_for,
    IfOp: translate_if,
    WhileOp: translate_while,
}
"""By operation class."""
