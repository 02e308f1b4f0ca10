"""Text of reduce and while."""

from __future__ import annotations

from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.stablehlo.elementwise import BinaryOp
from tesselle.dialects.stablehlo.reduction import ReduceOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.declare import OPS
from tesselle.ir.text.parser import BlockArg, Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType, TensorType, Type
from tesselle.support.locations import UNKNOWN


def _parse_reduce(p: Parser) -> Op:
    """`(%x init: %c), … applies stablehlo.add across dimensions = [1] : …`, or with a `reducer` behind the types."""
    inputs: list[int] = []
    inits: list[int] = []
    while True:
        p.expect("(")
        inputs.append(p.operand())
        p.expect_all("init", ":")
        inits.append(p.operand())
        p.expect(")")
        if not p.accept(","):
            break
    body_op: type[Op] | None = None
    at = p.pos
    if p.accept("applies"):
        at = p.pos
        name = p.word("an operation")
        found = OPS.get(name)
        if found is None or not issubclass(found, BinaryOp):
            p.unexpected("a binary operation", at)
        if len(inputs) != 1:
            p.fail("only a reduction of one input applies a single operation", at)
        body_op = found
    p.expect_all("across", "dimensions", "=")
    attributes: dict[str, Attribute] = {"dimensions": p.int_list()}
    if p.token == "{":
        p.declared_attributes(ReduceOp, attributes)
    p.expect(":")
    types, results = p.function_types()
    operands = p.resolve_all([*inputs, *inits], types)
    if body_op is not None:
        region = _single_op_body(p, body_op, results, at)
    else:
        region = _parse_reducer(p, len(inputs))
    return ReduceOp.build(operands, results, attributes, (region,))


def _single_op_body(p: Parser, cls: type[Op], results: list[Type], at: int) -> Region:
    t = results[0] if len(results) == 1 else None
    if not isinstance(t, TensorType):
        p.fail("a reduction of one input has one tensor as its result", at)
    element = TensorType((), t.dtype)
    block = Block([element, element])
    combined = cls.build(block.args, (element,))
    returned = ReturnOp.build(combined.results)
    p.implied_ops += (combined, returned)
    block.append(combined)
    block.append(returned)
    return Region([block])


def _parse_reducer(p: Parser, count: int) -> Region:
    """`reducer(%a: T, %b: T) … { … }`: one pair for every input; all first ones come before all second ones."""
    p.expect("reducer")
    first: list[BlockArg] = []
    second: list[BlockArg] = []
    for _ in range(count):
        at = p.pos
        pair = p.typed_arguments()
        if len(pair) != 2:
            p.fail(f"expected a pair of arguments, found {len(pair)}", at)
        first.append(pair[0])
        second.append(pair[1])
    return p.region([*first, *second])


def _print_reduce(p: Printer, op: ReduceOp) -> None:
    if op.body.is_empty:
        return
    pairs = [f"({p.value_name(x)} init: {p.value_name(i)})" for x, i in zip(op.inputs, op.init_values, strict=True)]
    p.write(", ".join(pairs))
    applied = _applied_op(op)
    if p.locations and any(o.location != op.location for o in op.body.walk()):
        applied = None  # the short form has no place for them
    if applied is not None:
        p.write(f" applies {applied}")
    p.write(f" across dimensions = {list(op.dimensions)}")
    attributes = p.attribute_dict_text(op, ("dimensions",))
    if attributes:
        p.write(f" {attributes}")
    p.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")
    if applied is not None:
        return
    p.newline()
    args = op.body.block.args
    half = len(args) // 2
    with p.scope():
        names = p.define_arguments(args)
        typed = [f"{n}: {a.type}{p.location_suffix(a.location)}" for n, a in zip(names, args, strict=True)]
        p.write(" reducer" + " ".join(f"({a}, {b})" for a, b in zip(typed[:half], typed[half:], strict=True)) + " ")
        p.region_body(op.body, named_args=True)


def _applied_op(op: ReduceOp) -> str | None:
    """The name of the binary operation that is the whole body, when the short form says everything."""
    if len(op.operands) != 2 or len(op.body.blocks) != 1:
        return None
    block = op.body.block
    first, last = block.first, block.last
    if first is None or first.next is not last or not isinstance(first, BinaryOp) or not isinstance(last, ReturnOp):
        return None
    t = op.results[0].type if len(op.results) == 1 else None
    if not isinstance(t, TensorType):
        return None
    element = TensorType((), t.dtype)
    whole = (
        first.operands == tuple(block.args)
        and last.operands == first.results
        and not first.attributes
        and not last.attributes
        and all(v.type == element for v in (*block.args, *first.results))
    )
    return first.name if whole else None


def _parse_while(p: Parser) -> Op:
    """`(%arg = %init, …) : T, … attributes {…} cond { … } do { … }`."""
    p.expect("(")
    names: list[int] = []
    inits: list[int] = []
    while not p.accept(")"):
        if names:
            p.expect(",")
        names.append(p.operand())
        p.expect("=")
        inits.append(p.operand())
    types = p.type_list() if p.accept(":") else []
    operands: list[Value] = p.resolve_all(inits, types)
    attributes: dict[str, Attribute] = {}
    if p.accept("attributes"):
        p.declared_attributes(WhileOp, attributes)
    args: list[BlockArg] = [(n, t, UNKNOWN) for n, t in zip(names, types, strict=True)]
    p.expect("cond")
    cond = p.region(args)
    p.expect("do")
    body = p.region(args)
    return WhileOp.build(operands, types, attributes, (cond, body))


def _print_while(p: Printer, op: WhileOp) -> None:
    regions = (op.cond, op.body)
    if any(len(r.blocks) != 1 or len(r.block.args) != len(op.operands) for r in regions):
        return
    with p.scope():
        args = op.body.block.args
        for c, b in zip(op.cond.block.args, args, strict=True):
            if c.name_hint is None:
                c.name_hint = b.name_hint or "iterArg"
        inits = [p.value_name(v) for v in op.operands]
        names = p.define_arguments(op.cond.block.args, "iterArg")
        p.name_like(args, names)
        p.write(f"({', '.join(f'{n} = {i}' for n, i in zip(names, inits, strict=True))})")
        if args:
            p.write(f" : {', '.join(str(v.type) for v in op.operands)}")
        attributes = p.attribute_dict_text(op)
        if attributes:
            p.write(f" attributes {attributes}")
        p.newline()
        p.write("cond ")
        with p.scope():
            p.region_body(op.cond, named_args=True)
        p.write(" do ")
        with p.scope():
            p.region_body(op.body, named_args=True)


register_assembly(ReduceOp, _parse_reduce, _print_reduce)
register_assembly(WhileOp, _parse_while, _print_while)
