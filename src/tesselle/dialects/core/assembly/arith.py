"""Text of `arith`, as MLIR writes it."""

from __future__ import annotations

from typing import Any

from tesselle.dialects.core import arith
from tesselle.ir.attributes import Attribute, DenseElements, FloatAttr, IntegerAttr
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.ir.text.elements import ElementsError, array_from_tokens, float_text
from tesselle.ir.text.format import register_format
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import Type
from tesselle.support.dtypes import F64, I1, I64, DType

for _name, _cls in list(OPS.items()):
    if not _name.startswith("arith."):
        continue
    if issubclass(_cls, arith.BinaryOp | arith.UnaryOp):
        register_format(_cls, "operands attr-dict `:` same-type")
    elif issubclass(_cls, arith.CastOp):
        register_format(_cls, "$operand attr-dict `:` type($operand) `to` type(results)")
for _cls in (arith.CmpIOp, arith.CmpFOp):
    register_format(_cls, "$predicate `,` $lhs `,` $rhs attr-dict `:` type($lhs,$rhs)")


def _parse_constant(p: Parser) -> Op:
    """`dense<…> : T`, `1 : i32`, `1.5 : f32`, `true`, `(1.0, 2.0) : complex<f32>`."""
    attributes: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(arith.ConstantOp, attributes)
    value, t = _complex_value(p) if p.token == "(" else _plain_value(p)
    attributes["value"] = value
    return arith.ConstantOp.build((), (t,), attributes)


def _plain_value(p: Parser) -> tuple[Any, Type]:
    at = p.pos
    value = p.any_attribute()
    if isinstance(value, IntegerAttr | FloatAttr):
        return value.value, value.type
    if isinstance(value, DenseElements):
        return value, value.type
    if isinstance(value, bool):
        return value, I1
    if isinstance(value, int):
        return value, I64
    if isinstance(value, float):
        return value, F64
    p.unexpected("a number or elements", at)


def _complex_value(p: Parser) -> tuple[Any, Type]:
    at = p.pos
    p.expect("(")
    parts = [p.tokens[p.pos], p.tokens[p.pos + 2] if p.tokens[p.pos] else ""]
    p.pos += 1
    p.expect(",")
    p.pos += 1
    p.expect(")")
    p.expect(":")
    t = p.type()
    if not isinstance(t, DType) or not t.is_complex:
        p.fail(f"a pair of numbers cannot have type {t}", at)
    try:
        return complex(array_from_tokens(parts, t)[0]), t
    except ElementsError as error:
        p.fail(str(error), at)


def _print_constant(p: Printer, op: arith.ConstantOp) -> None:
    attributes = p.attribute_dict_text(op, ("value",))
    value, t = op.value, op.result.type
    if isinstance(value, DenseElements):
        text = p.attribute_text(value)
    elif isinstance(t, DType) and t.is_complex:
        number = complex(value)
        text = f"({float_text(number.real, t.element)}, {float_text(number.imag, t.element)}) : {t}"
    else:
        text = p.number_text(value, t)
    p.write(f"{' ' if attributes else ''}{attributes} {text}")


def _parse_select(p: Parser) -> Op:
    """`%c, %a, %b : T` with a condition of type i1, else `: C, T`."""
    places = p.operands()
    attributes: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(arith.SelectOp, attributes)
    p.expect(":")
    types = p.type_list()
    condition = types[0] if len(types) == 2 else I1
    t = types[-1]
    return arith.SelectOp.build(p.resolve_all(places, (condition, t, t)), (t,), attributes)


def _print_select(p: Printer, op: arith.SelectOp) -> None:
    attributes = p.attribute_dict_text(op)
    condition = "" if op.condition.type == I1 else f"{op.condition.type}, "
    p.write(f" {p.value_names(op.operands)}{' ' if attributes else ''}{attributes} : {condition}{op.result.type}")


register_assembly(arith.ConstantOp, _parse_constant, _print_constant)
register_assembly(arith.SelectOp, _parse_select, _print_select)
