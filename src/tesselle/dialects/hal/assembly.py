"""Text of `hal`: its types; operations are written in the generic form."""

from __future__ import annotations

import tesselle.dialects.hal.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it declares the operations
from tesselle.dialects.hal.types import BUFFER, BUFFER_VIEW, COMMAND_BUFFER, COMMAND_CACHE, FENCE
from tesselle.ir.text.registry import register_simple_type

for _type in (BUFFER, BUFFER_VIEW, COMMAND_BUFFER, COMMAND_CACHE, FENCE):
    register_simple_type(_type)
