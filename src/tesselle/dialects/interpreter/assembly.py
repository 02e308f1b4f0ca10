"""Text of the interpreter dialect; run_parallel stands in MLIR's generic form."""

from __future__ import annotations

from tesselle.dialects.interpreter.ops import PrintOp, ProbeOp
from tesselle.ir.text.format import register_format

register_format(PrintOp, "$operand attr-dict `:` same-type")
register_format(ProbeOp, "$operand `,` `probe_id` `=` $probe_id attr-dict `:` same-type")
