"""MLIR text: `parse_module` reads it, `print_op` writes it.

module = parse_module(text, file="model.mlir")
text = print_op(module)
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np

from tesselle.ir.core import Op, Region
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.support.diagnostics import ParseError
from tesselle.support.locations import FileLocation

__all__ = ["Parser", "Printer", "parse_module", "parse_ops", "print_op"]


def parse_ops(
    text: str,
    file: str = "<text>",
    *,
    allow_unregistered: bool = False,
    elided: Iterator[np.ndarray[Any, np.dtype[Any]]] | None = None,
) -> list[Op]:
    """The operations of a text, detached and not verified.

    `elided` gives the arrays of constants whose elements the text leaves out (`dense_resource<__elided__>`), in order.
    Errors: ParseError with place, Unsupported that lists all operations that are not known.
    """
    # Nothing becomes garbage while a program is read, and it is full of cycles: collections would only cost time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        parser = Parser(text, file, allow_unregistered=allow_unregistered, elided=elided)
        return parser.top_level()
    except RecursionError:
        raise ParseError(f"{file}: the text is nested too deeply") from None
    finally:
        if collecting:
            gc.enable()


def parse_module(
    text: str,
    file: str = "<text>",
    *,
    allow_unregistered: bool = False,
    elided: Iterator[np.ndarray[Any, np.dtype[Any]]] | None = None,
) -> Op:
    """The `builtin.module` of a text, not verified; operations outside of one are put into one. Errors: `parse_ops`."""
    from tesselle.ir.core import Block
    from tesselle.ir.declare import OPS
    from tesselle.ir.text.registry import load_dialect

    load_dialect("builtin")
    ops = parse_ops(text, file, allow_unregistered=allow_unregistered, elided=elided)
    if len(ops) == 1 and ops[0].name == "builtin.module":
        return ops[0]
    block = Block()
    for op in ops:
        block.append(op)
    return OPS["builtin.module"].build(regions=[Region([block])], location=FileLocation(file, 1, 1))


def print_op(
    op: Op, *, generic: bool = False, locations: bool = False, elide_above: int | None = None, indent: int = 0
) -> str:
    """The text of an operation, ending with a line break.

    `generic`: without pretty forms. `locations`: with `loc(…)`. `elide_above`: leave out the elements of constants with
    more elements than that, for people who read.
    """
    printer = Printer(generic=generic, locations=locations, elide_above=elide_above, indent=indent)
    printer.op(op)
    printer.write("\n")
    return printer.text()
