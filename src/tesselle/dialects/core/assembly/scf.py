"""Text of `scf`, as MLIR writes it."""

from __future__ import annotations

from tesselle.dialects.core.scf import ConditionOp, ForOp, IfOp, WhileOp, YieldOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import TERMINATOR, Block, Op, Region, Value
from tesselle.ir.text.format import register_value_list
from tesselle.ir.text.parser import BlockArg, Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import Type
from tesselle.support.dtypes import I1, INDEX
from tesselle.support.locations import UNKNOWN


def _end_with_yield(p: Parser, region: Region) -> None:
    """Add the terminator that the text may leave out."""
    if region.is_empty:
        region.append(Block())
    last = region.blocks[-1].last
    if last is None or TERMINATOR not in last.TRAITS:
        end = YieldOp.build()
        end.location = p.place(p.pos - 1)
        region.blocks[-1].append(end)


def _bindings(p: Parser) -> tuple[list[int], list[int]]:
    """`(%a = %init, …)`: the places of the names and of the initial values."""
    p.expect("(")
    names: list[int] = []
    inits: list[int] = []
    while not p.accept(")"):
        if names:
            p.expect(",")
        names.append(p.operand())
        p.expect("=")
        inits.append(p.operand())
    return names, inits


def _attributes(p: Parser, cls: type[Op]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(cls, found)
    return found


def _parse_for(p: Parser) -> Op:
    """`%i = %low to %high step %s iter_args(%a = %init, …) -> (T, …) { … }`."""
    counter = p.operand()
    p.expect("=")
    bounds = [p.operand()]
    p.expect("to")
    bounds.append(p.operand())
    p.expect("step")
    bounds.append(p.operand())
    names: list[int] = []
    inits: list[int] = []
    types: list[Type] = []
    if p.accept("iter_args"):
        names, inits = _bindings(p)
        p.expect("->")
        types = p.result_types()
        if len(types) != len(names):
            p.fail(f"{len(names)} iteration values have {len(types)} types")
    operands = [p.resolve(b, INDEX) for b in bounds] + p.resolve_all(inits, types)
    args: list[BlockArg] = [(counter, INDEX, UNKNOWN)]
    args += [(n, t, UNKNOWN) for n, t in zip(names, types, strict=True)]
    body = p.region(args)
    _end_with_yield(p, body)
    return ForOp.build(operands, types, _attributes(p, ForOp), (body,))


def _print_for(p: Printer, op: ForOp) -> None:
    with p.scope():
        values = [p.value_name(v) for v in op.operands]
        counter, *names = p.define_arguments(op.body.block.args)
        p.write(f" {counter} = {values[0]} to {values[1]} step {values[2]}")
        if names:
            pairs = ", ".join(f"{n} = {v}" for n, v in zip(names, values[3:], strict=True))
            p.write(f" iter_args({pairs}) -> ({', '.join(str(r.type) for r in op.results)})")
        p.write(" ")
        p.region_body(op.body, named_args=True, hide_terminator=True)
    _print_attributes(p, op)


def _parse_if(p: Parser) -> Op:
    """`%c -> (T, …) { … } else { … }`."""
    condition = p.resolve(p.operand(), I1)
    types = p.result_types() if p.accept("->") else []
    then = p.region()
    _end_with_yield(p, then)
    otherwise = Region()
    if p.accept("else"):
        otherwise = p.region()
        _end_with_yield(p, otherwise)
    return IfOp.build([condition], types, _attributes(p, IfOp), (then, otherwise))


def _print_if(p: Printer, op: IfOp) -> None:
    p.write(f" {p.value_name(op.condition)} ")
    if op.results:
        p.write(f"-> ({', '.join(str(r.type) for r in op.results)}) ")
    p.region(op.then_region, hide_terminator=True)
    if not op.else_region.is_empty:
        p.write(" else ")
        p.region(op.else_region, hide_terminator=True)
    _print_attributes(p, op)


def _parse_while(p: Parser) -> Op:
    """`(%a = %init, …) : (T, …) -> (U, …) { … } do { … }`."""
    names, inits = _bindings(p)
    p.expect(":")
    inputs, results = p.function_types()
    operands: list[Value] = p.resolve_all(inits, inputs)
    before = p.region([(n, t, UNKNOWN) for n, t in zip(names, inputs, strict=True)])
    p.expect("do")
    after = p.region()
    _end_with_yield(p, after)
    return WhileOp.build(operands, results, _attributes(p, WhileOp), (before, after))


def _print_while(p: Printer, op: WhileOp) -> None:
    with p.scope():
        values = [p.value_name(v) for v in op.operands]
        names = p.define_arguments(op.before.block.args)
        p.write(f" ({', '.join(f'{n} = {v}' for n, v in zip(names, values, strict=True))})")
        inputs = ", ".join(str(v.type) for v in op.operands)
        p.write(f" : ({inputs}) -> ({', '.join(str(r.type) for r in op.results)}) ")
        p.region_body(op.before, named_args=True)
    p.write(" do ")
    p.region(op.after, hide_terminator=not op.after.block.args)
    _print_attributes(p, op)


def _parse_condition(p: Parser) -> Op:
    """`(%c) %a, … : T, …`."""
    p.expect("(")
    condition = p.resolve(p.operand(), I1)
    p.expect(")")
    attributes = _attributes(p, ConditionOp)
    places = p.operands()
    rest: list[Value] = []
    if places:
        p.expect(":")
        rest = p.resolve_all(places, p.type_list())
    return ConditionOp.build([condition, *rest], (), attributes)


def _print_condition(p: Printer, op: ConditionOp) -> None:
    p.write(f"({p.value_name(op.condition)})")
    _print_attributes(p, op)
    if op.args:
        p.write(f" {p.value_names(op.args)} : {', '.join(str(v.type) for v in op.args)}")


def _print_attributes(p: Printer, op: Op) -> None:
    text = p.attribute_dict_text(op)
    if text:
        p.write(f" {text}")


register_assembly(ForOp, _parse_for, _print_for)
register_assembly(IfOp, _parse_if, _print_if)
register_assembly(WhileOp, _parse_while, _print_while)
register_assembly(ConditionOp, _parse_condition, _print_condition)
register_value_list(YieldOp)
