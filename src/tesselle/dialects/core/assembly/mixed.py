"""Lists of offsets, sizes and strides, in which integers and index values are mixed: `[0, %i, 4]`."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.ir.core import Value
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.types import Dim
from tesselle.support.dtypes import INDEX


def read_mixed(p: Parser) -> tuple[tuple[Dim, ...], list[Value]]:
    """The integers, with None where a value stands, and the values."""
    p.expect("[")
    static: list[Dim] = []
    dynamic: list[Value] = []
    while not p.accept("]"):
        if static:
            p.expect(",")
        if p.token[:1] == "%":
            static.append(None)
            dynamic.append(p.resolve(p.operand(), INDEX))
        else:
            static.append(p.integer())
    return tuple(static), dynamic


def mixed_text(p: Printer, static: Sequence[Dim], dynamic: Sequence[Value]) -> str:
    values = iter(dynamic)
    return f"[{', '.join(p.value_name(next(values)) if s is None else str(s) for s in static)}]"
