"""Text of `math`: `math.exp %x : T`."""

from __future__ import annotations

from tesselle.ir.declare import OPS
from tesselle.ir.text.format import register_format

for _name, _cls in list(OPS.items()):
    if _name.startswith("math."):
        register_format(_cls, "operands attr-dict `:` same-type")
