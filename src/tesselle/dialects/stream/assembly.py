"""Text of `stream`: its types; operations are written in the generic form."""

from __future__ import annotations

import tesselle.dialects.stream.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it declares the operations
from tesselle.dialects.stream.types import TIMEPOINT, Lifetime, ResourceType
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS, register_simple_type


def _resource(p: Parser) -> ResourceType:
    """`<transient>`, `<*>`."""
    p.expect("<")
    lifetime = Lifetime.UNKNOWN if p.accept("*") else p.enum_value(Lifetime)
    p.expect(">")
    return ResourceType(lifetime)


TYPE_PARSERS["stream.resource"] = _resource
register_simple_type(TIMEPOINT)
