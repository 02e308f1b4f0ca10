"""Text of CHLO: the pretty forms of its operations and the readers of its attributes."""

from __future__ import annotations

from tesselle.dialects.chlo.attributes import ENUMS, RaggedDotDimensionNumbers
from tesselle.dialects.chlo.broadcast import BroadcastingOp, BroadcastSelectOp
from tesselle.dialects.chlo.structured import ConstantOp, ScanOp, TopKOp
from tesselle.dialects.stablehlo.assembly_attributes import read_struct
from tesselle.dialects.stablehlo.elementwise import BinaryOp, UnaryOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.ir.text.format import register_format
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS, register_assembly, register_enum
from tesselle.ir.types import FunctionType, TensorType

for _name, _cls in list(OPS.items()):
    if not _name.startswith("chlo.") or _name == "chlo.constant_like":
        continue
    if issubclass(_cls, UnaryOp):
        register_format(_cls, "$operand attr-dict `:` type($operand) `->` type(results)")
    elif issubclass(_cls, BinaryOp):
        register_format(_cls, "$lhs `,` $rhs attr-dict `:` type(operands) `->` type(results)")
    elif issubclass(_cls, BroadcastingOp):
        register_format(_cls, "$lhs `,` $rhs attr-dict `:` functional-type")
register_format(BroadcastSelectOp, "$pred `,` $on_true `,` $on_false attr-dict `:` functional-type")


def _parse_constant(p: Parser) -> Op:
    attributes: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(ConstantOp, attributes)
    at = p.pos
    value = p.any_attribute()
    t: object = getattr(value, "type", None)
    if not isinstance(t, TensorType):
        p.fail("expected the elements of a tensor", at)
    attributes["value"] = value
    return ConstantOp.build((), (t,), attributes)


def _print_constant(p: Printer, op: ConstantOp) -> None:
    attributes = p.attribute_dict_text(op, ("value",))
    p.write(f"{' ' if attributes else ''}{attributes} {p.attribute_text(op.value)}")


def _parse_top_k(p: Parser) -> Op:
    """`(%x, k = 5) : T -> (T, T)`."""
    p.expect("(")
    place = p.operand()
    p.expect_all(",", "k", "=")
    attributes: dict[str, Attribute] = {"k": p.integer()}
    p.expect(")")
    if p.token == "{":
        p.declared_attributes(TopKOp, attributes)
    p.expect(":")
    t = p.type()
    p.expect("->")
    return TopKOp.build([p.resolve(place, t)], p.result_types(), attributes)


def _print_top_k(p: Printer, op: TopKOp) -> None:
    attributes = p.attribute_dict_text(op, ("k",))
    p.write(f"({p.value_name(op.operand)}, k = {op.k}){' ' if attributes else ''}{attributes}")
    p.write(f" : {op.operand.type} -> ({', '.join(str(r.type) for r in op.results)})")


def _parse_scan(p: Parser) -> Op:
    """`(%x) inits (%c) dimension=0 {…} { ^bb0(…): … } : (T, T) -> (T, T)`."""
    inputs = p.operands_in_parentheses()
    p.expect("inits")
    inits = p.operands_in_parentheses()
    p.expect_all("dimension", "=")
    attributes: dict[str, Attribute] = {"dimension": p.integer()}
    if p.accept("attributes") or _dictionary_follows(p):
        p.declared_attributes(ScanOp, attributes)
    body = p.region()
    p.expect(":")
    types, results = p.function_types()
    operands = p.resolve_all([*inputs, *inits], types)
    return ScanOp.build(operands, results, attributes, (body,), (), (len(inputs), len(inits)))


def _dictionary_follows(p: Parser) -> bool:
    """Whether `{` opens a dictionary of attributes, not the body."""
    return p.token == "{" and (p.tokens[p.pos + 2] == "=" or p.tokens[p.pos + 2] in (",", "}"))


def _print_scan(p: Printer, op: ScanOp) -> None:
    p.write(f"({p.value_names(op.inputs)}) inits ({p.value_names(op.inits)}) dimension={op.dimension} ")
    attributes = p.attribute_dict_text(op, ("dimension",))
    if attributes:
        p.write(f"attributes {attributes} ")
    p.region(op.body)
    p.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")


register_assembly(ConstantOp, _parse_constant, _print_constant)
register_assembly(TopKOp, _parse_top_k, _print_top_k)
register_assembly(ScanOp, _parse_scan, _print_scan)

ATTRIBUTE_PARSERS["chlo.ragged_dot"] = lambda p: read_struct(p, RaggedDotDimensionNumbers)

for _mnemonic, _enum in ENUMS.items():
    register_enum("chlo", _mnemonic, _enum)
