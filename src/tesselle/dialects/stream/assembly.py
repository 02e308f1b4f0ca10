"""Text of `stream`: its types; operations are written in the generic form."""

from __future__ import annotations

from tesselle.dialects.stream.types import TIMEPOINT, Lifetime, ResourceType
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS, register_simple_type


def _resource(p: Parser) -> ResourceType:
    """`<transient>`."""
    p.expect("<")
    lifetime = p.enum_value(Lifetime)
    p.expect(">")
    return ResourceType(lifetime)


TYPE_PARSERS["stream.resource"] = _resource
register_simple_type(TIMEPOINT)
