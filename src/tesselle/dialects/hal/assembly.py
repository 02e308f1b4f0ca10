"""Text of `hal`: its types and attributes; operations are written in the generic form."""

from __future__ import annotations

from tesselle.dialects.hal.ops import EntryAttr
from tesselle.dialects.hal.types import BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS, register_simple_type

for _type in (BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE):
    register_simple_type(_type)


def _count(p: Parser) -> int | None:
    return None if p.accept("?") else p.integer()


def _entry(p: Parser) -> EntryAttr:
    """`<"name", "summary", flops, bytes, "location">`; `?` for a count that is dynamic."""
    p.expect("<")
    name = p.string()
    p.expect(",")
    summary = p.string()
    p.expect(",")
    flops = _count(p)
    p.expect(",")
    size = _count(p)
    p.expect(",")
    location = p.string()
    p.expect(">")
    return EntryAttr(name, summary, flops, size, location)


ATTRIBUTE_PARSERS["hal.entry"] = _entry
