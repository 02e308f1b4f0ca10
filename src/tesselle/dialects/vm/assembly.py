"""Text of `vm`: its type; operations are written in the generic form."""

from __future__ import annotations

import tesselle.dialects.vm.ops  # noqa: F401  (declares the operations)
from tesselle.dialects.vm.types import REF
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS
from tesselle.ir.types import Type


def _ref(p: Parser) -> Type:
    return REF


TYPE_PARSERS["vm.ref"] = _ref
