"""Text of `vm`: its types; operations are written in the generic form."""

from __future__ import annotations

import tesselle.dialects.vm.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it declares the operations
from tesselle.dialects.vm.types import REF
from tesselle.ir.text.registry import register_simple_type

register_simple_type(REF)
