"""fold-vm: constants through instructions, equal instructions merged, constant branches resolved, dead ones dropped.

Shapes and offsets of static programs are constants by now; what is left is close to what a person would write.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.dialects.vm import ops as vm
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import Pattern, Rewriter, apply_patterns, eliminate_common_subexpressions
from tesselle.ir.types import Type
from tesselle.passes.vm.scalar_arithmetic import register_suffix
from tesselle.support.dtypes import I32, I64


@register_pass("fold-vm", needs=[Fact.VM])
@dataclass(frozen=True)
class FoldVm(Pass):
    """Simplify every vm.func. %2 = vm.add.i64 %c4, %c8  ->  vm.const.i64 12."""

    def run(self, module: Op) -> None:
        for f in module.walk():
            if isinstance(f, vm.FuncOp):
                _share_constants(f)
        apply_patterns(module, [Pattern(vm.INSTRUCTION_OPS[name], _fold) for name in _FOLDABLE])
        eliminate_common_subexpressions(module)
        for f in module.walk():
            if isinstance(f, vm.FuncOp):
                _simplify_branches(f)
                _drop_unreachable(f)
        apply_patterns(module, [])


def _wrap(value: int, type: Type) -> int:
    bits = 32 if type == I32 else 64
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _divide(a: int, b: int) -> int:
    """Towards zero; by zero is 0 (vm_isa)."""
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    return 0 if b == 0 else a - _divide(a, b) * b


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "div_s": _divide,
    "rem_s": _remainder,
    "min_s": min,
    "max_s": max,
    "cmp.eq": lambda a, b: int(a == b),
    "cmp.ne": lambda a, b: int(a != b),
    "cmp.lt_s": lambda a, b: int(a < b),
    "cmp.le_s": lambda a, b: int(a <= b),
}
_FOLDABLE = (
    *(f"{name}.{suffix}" for name in _INTEGER for suffix in ("i32", "i64")),
    *(f"select.{suffix}" for suffix in ("i32", "i64", "f32", "f64", "ref")),
    "ext_s.i32.i64",
    "ext_u.i32.i64",
    "trunc.i64.i32",
)


def _is_constant(op: Op) -> bool:
    return isinstance(op, vm.InstructionOp) and op.ROW.name.startswith("const.")


def constant_of(value: Value) -> int | None:
    """The integer that `value` is, when a constant defines it."""
    op = value.defining_op
    if op is None or not _is_constant(op):
        return None
    number = op.attributes.get("value")
    return number if isinstance(number, int) else None


def _fold(op: vm.InstructionOp, rw: Rewriter) -> Value | None:
    name, _, _ = op.ROW.name.rpartition(".")
    numbers = [constant_of(v) for v in op.operands]
    if name == "select":
        if op.operands[1] is op.operands[2]:
            return op.operands[1]
        return None if numbers[0] is None else op.operands[1 if numbers[0] else 2]
    type = op.results[0].type
    if len(numbers) == 1:
        number = numbers[0]
        if number is None:
            return None
        result = number & 0xFFFFFFFF if name.startswith("ext_u") else number
        return _constant(rw, result, type)
    a, b = numbers
    if a is not None and b is not None:
        return _constant(rw, _INTEGER[name](a, b), type)
    return _identity(op, name, a, b)


def _identity(op: Op, name: str, a: int | None, b: int | None) -> Value | None:
    """x + 0, x - 0, x * 1 and their mirror images."""
    lhs, rhs = op.operands
    if (name in ("add", "sub", "or", "xor") and b == 0) or (name in ("mul", "div_s") and b == 1):
        return lhs
    if (name in ("add", "or", "xor") and a == 0) or (name == "mul" and a == 1):
        return rhs
    return None


def _constant(b: Builder, value: int, type: Type) -> Value:
    wrapped = _wrap(value, type) if type in (I32, I64) else value
    return b.insert(vm.instruction(f"const.{register_suffix(type)}", wrapped)).result


def _share_constants(f: vm.FuncOp) -> None:
    """One of each constant, at the head of the function, where it dominates every use."""
    entry = f.body.blocks[0]
    known: dict[tuple[type[Op], str], Value] = {}
    first = entry.first
    for block in f.body.blocks:
        for op in block:
            if not _is_constant(op):
                continue
            at_head = op is first
            if at_head:
                first = op.next
            key = type(op), repr(op.attributes.get("value"))
            if key in known:
                op.replace_with(known[key])
                continue
            known[key] = op.results[0]
            if not at_head and first is not None:
                op.move_before(first)


def _simplify_branches(f: vm.FuncOp) -> None:
    """cond_br on a constant -> br."""
    for block in f.body.blocks:
        last = block.last
        if not isinstance(last, vm.CondBranchOp):
            continue
        condition = constant_of(last.condition)
        if condition is None:
            continue
        arguments: Sequence[Value] = last.then_arguments if condition else last.else_arguments
        target: Block = last.then_target if condition else last.else_target
        Builder.before_op(last).insert(vm.BranchOp(arguments, target))
        last.erase()


def _drop_unreachable(f: vm.FuncOp) -> None:
    reached: set[Block] = set()
    stack = [f.body.blocks[0]]
    while stack:
        block = stack.pop()
        if block not in reached:
            reached.add(block)
            stack.extend(block.terminator.successors)
    gone = [b for b in f.body.blocks if b not in reached]
    for block in gone:
        for op in block:
            op.drop_all_references()
    for block in gone:
        for op in block:
            block.unlink(op)
        f.body.blocks.remove(block)
        block.parent = None
