"""Text of `hal`: its types and attributes; operations are written in the generic form."""

from __future__ import annotations

import tesselle.dialects.hal.ops  # noqa: F401  (declares the operations)
from collections.abc import Callable

from tesselle.dialects.hal.types import BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS
from tesselle.ir.types import Type


def _constant(t: Type) -> Callable[[Parser], Type]:
    return lambda p: t


for _type in (BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE):
    TYPE_PARSERS[str(_type)[1:]] = _constant(_type)
