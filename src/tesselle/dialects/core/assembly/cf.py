"""Text of `cf`."""

from __future__ import annotations

from tesselle.dialects.core.cf import AssertOp
from tesselle.ir.text.format import register_format

register_format(AssertOp, "$arg:i1 `,` $msg attr-dict")
