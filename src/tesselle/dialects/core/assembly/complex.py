"""Text of `complex`."""

from __future__ import annotations

from tesselle.dialects.core.complex import CreateOp, ImOp, ReOp
from tesselle.ir.text.format import register_format

register_format(CreateOp, "$real `,` $imaginary attr-dict `:` type($real,$imaginary)")
register_format(ReOp, "$operand attr-dict `:` type($operand)")
register_format(ImOp, "$operand attr-dict `:` type($operand)")
