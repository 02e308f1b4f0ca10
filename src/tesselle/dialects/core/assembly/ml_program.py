"""Text of `ml_program`: `ml_program.global private mutable @v(dense<0.0> : tensor<f32>) : tensor<f32>`."""

from __future__ import annotations

from tesselle.dialects.core.ml_program import GlobalLoadConstOp, GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op
from tesselle.ir.text.format import register_format
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer, symbol_name_text, symbol_text
from tesselle.ir.text.registry import register_assembly

_NAMED = ("sym_name", "type", "is_mutable", "value", "sym_visibility")


def _parse_global(p: Parser) -> Op:
    attributes: dict[str, Attribute] = {}
    if p.token in ("public", "private", "nested"):
        attributes["sym_visibility"] = p.word()
    if p.accept("mutable"):
        attributes["is_mutable"] = True
    attributes["sym_name"] = p.symbol()
    if p.accept("("):
        attributes["value"] = p.any_attribute()
        p.expect(")")
    p.expect(":")
    attributes["type"] = p.type()
    if p.token == "{":
        p.declared_attributes(GlobalOp, attributes)
    return GlobalOp.build((), (), attributes)


def _print_global(p: Printer, op: GlobalOp) -> None:
    visibility = f" {op.sym_visibility}" if op.sym_visibility is not None else ""
    p.write(f"{visibility}{' mutable' if op.is_mutable else ''} {symbol_name_text(op.sym_name)}")
    if op.value is not None:
        p.write(f"({p.attribute_text(op.value)})")
    p.write(f" : {op.type}")
    attributes = p.attribute_dict_text(op, _NAMED)
    if attributes:
        p.write(f" {attributes}")


def _parse_store(p: Parser) -> Op:
    """`@v = %x : T`."""
    attributes: dict[str, Attribute] = {"global": p.symbol_ref()}
    p.expect("=")
    place = p.operand()
    if p.token == "{":
        p.declared_attributes(GlobalStoreOp, attributes)
    p.expect(":")
    return GlobalStoreOp.build([p.resolve(place, p.type())], (), attributes)


def _print_store(p: Printer, op: GlobalStoreOp) -> None:
    attributes = p.attribute_dict_text(op, ("global",))
    p.write(f" {symbol_text(op.global_)} = {p.value_name(op.value)}{' ' if attributes else ''}{attributes}")
    p.write(f" : {op.value.type}")


register_assembly(GlobalOp, _parse_global, _print_global)
register_format(GlobalLoadOp, "$global_ attr-dict `:` type(results)")
register_format(GlobalLoadConstOp, "$global_ attr-dict `:` type(results)")
register_assembly(GlobalStoreOp, _parse_store, _print_store)
