"""Text of the check dialect: `check.expect_eq %x, %y : T`, `check.expect_eq_const %x, dense<…> : T`."""

from __future__ import annotations

from tesselle.dialects.check.ops import (
    AlmostEqOp,
    EqOp,
    ExpectAlmostEqConstOp,
    ExpectAlmostEqOp,
    ExpectationOfConstant,
    ExpectCloseOp,
    ExpectEqConstOp,
    ExpectEqOp,
    ExpectSerializedEqOp,
)
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import TensorType

_INTEGERS = ("max_ulp_difference", "min_ulp_difference", "iteration")


def _parse_named(p: Parser, attributes: dict[str, Attribute]) -> None:
    """`, name = value`, any number of times; the values stand without a type."""
    while p.accept(","):
        name = p.word()
        p.expect("=")
        if name in _INTEGERS:
            attributes[name] = p.integer()
        elif name == "probe_id":
            attributes[name] = p.string()
        elif name == "tolerance":
            at, text = p.pos, p.tokens[p.pos]
            try:
                attributes[name] = float(text)
            except ValueError:
                p.fail("expected a number", at)
            p.pos += 1
        else:
            p.fail(f"there is no attribute {name}", p.pos - 2)


def _parse_values(cls: type[Op], p: Parser) -> Op:
    """`%x, %y[, name = value]… attr-dict : T[, T]`."""
    places = [p.operand()]
    if cls is not ExpectSerializedEqOp:
        p.expect(",")
        places.append(p.operand())
    attributes: dict[str, Attribute] = {}
    _parse_named(p, attributes)
    if p.token == "{":
        p.declared_attributes(cls, attributes)
    p.expect(":")
    types = [p.type()]
    if len(places) == 2:
        types.append(p.type() if p.accept(",") else types[0])
    return cls.build([p.resolve(place, t) for place, t in zip(places, types, strict=True)], (), attributes)


def _parse_constant(cls: type[ExpectationOfConstant], p: Parser) -> Op:
    """`%x, dense<…> : T[, tolerance = value] attr-dict`."""
    place = p.operand()
    p.expect(",")
    at = p.pos
    value = p.any_attribute()
    t: object = getattr(value, "type", None)
    if not isinstance(t, TensorType):
        p.fail("expected the elements of a tensor", at)
    attributes: dict[str, Attribute] = {"value": value}
    _parse_named(p, attributes)
    if p.token == "{":
        p.declared_attributes(cls, attributes)
    return cls.build([p.resolve(place, t)], (), attributes)


def _print_values(p: Printer, op: Op) -> None:
    named: list[str] = []
    text = ", ".join(p.value_name(v) for v in op.operands)
    if isinstance(op, ExpectCloseOp):
        named = ["max_ulp_difference", "min_ulp_difference"]
        text += f", max_ulp_difference = {op.max_ulp_difference}, min_ulp_difference = {op.min_ulp_difference}"
    elif isinstance(op, ExpectSerializedEqOp):
        named = ["probe_id", "iteration"]
        text += f", probe_id = {p.attribute_text(op.probe_id)}, iteration = {op.iteration}"
    rest = p.attribute_dict_text(op, named)
    types = ", ".join(str(v.type) for v in (op.operands if isinstance(op, ExpectCloseOp) else op.operands[:1]))
    p.write(f" {text}{' ' if rest else ''}{rest} : {types}")


def _print_constant(p: Printer, op: ExpectationOfConstant) -> None:
    rest = p.attribute_dict_text(op, ("value",))
    p.write(f" {p.value_name(op.lhs)}, {p.attribute_text(op.value)}{' ' if rest else ''}{rest}")


for _cls in (ExpectEqOp, ExpectAlmostEqOp, ExpectCloseOp, ExpectSerializedEqOp):
    register_assembly(_cls, lambda p, cls=_cls: _parse_values(cls, p), _print_values)
for _cls in (ExpectEqConstOp, ExpectAlmostEqConstOp, EqOp, AlmostEqOp):
    register_assembly(_cls, lambda p, cls=_cls: _parse_constant(cls, p), _print_constant)
