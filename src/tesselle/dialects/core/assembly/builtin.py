"""Text of `builtin`: `module @name attributes {…} { … }`."""

from __future__ import annotations

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import ISOLATED, Block
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer, symbol_name_text
from tesselle.ir.text.registry import register_assembly


def _parse(p: Parser) -> ModuleOp:
    attributes: dict[str, Attribute] = {}
    if p.token in ("public", "private", "nested"):
        attributes["sym_visibility"] = p.word()
    if p.token[:1] == "@":
        attributes["sym_name"] = p.symbol()
    if p.accept("attributes"):
        p.declared_attributes(ModuleOp, attributes)
    region = p.region(isolated=True)
    if region.is_empty:
        region.append(Block())
    return p.make(ModuleOp, (), (), attributes, (region,))


def _print(p: Printer, op: ModuleOp) -> None:
    if op.sym_visibility is not None:
        p.write(f" {op.sym_visibility}")
    if op.sym_name is not None:
        p.write(f" {symbol_name_text(op.sym_name)}")
    attributes = p.attribute_dict_text(op, ("sym_name", "sym_visibility"))
    if attributes:
        p.write(f" attributes {attributes}")
    p.write(" ")
    p.region(op.body_region, isolated=ISOLATED in op.TRAITS)


register_assembly(ModuleOp, _parse, _print)
