"""MLIR bytecode: `parse_bytecode` reads it.

module = parse_bytecode(Path("model.mlirbc").read_bytes(), file="model.mlirbc")

All versions of the format are read (0 to 6). Nothing in a file is trusted: every number is held against what the file
can contain before anything is made of it.
"""

from __future__ import annotations

import gc

import tesselle.ir.bytecode.builtin  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers the builtin encodings
from tesselle.ir.bytecode.reader import Reader
from tesselle.ir.bytecode.sections import MAGIC, read_sections
from tesselle.ir.core import Block, Op, Region
from tesselle.ir.declare import OPS
from tesselle.ir.text.registry import load_dialect
from tesselle.support.locations import ByteLocation

__all__ = ["MAGIC", "parse_bytecode"]


def parse_bytecode(data: bytes | memoryview, file: str = "<bytes>", *, allow_unregistered: bool = False) -> Op:
    """The `builtin.module` of a file, not verified; operations outside of one are put into one.

    Large constants are views of `data`, which may be a memory map.
    Errors: ParseError with the offset of what is malformed, Unsupported that lists all operations that are not known.
    """
    load_dialect("builtin")
    data = data.toreadonly() if isinstance(data, memoryview) else data
    # Nothing becomes garbage while a program is read, and it is full of cycles: collections would only cost time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        ops = Reader(read_sections(data, file), allow_unregistered=allow_unregistered).top_level()
    finally:
        if collecting:
            gc.enable()
    if len(ops) == 1 and ops[0].name == "builtin.module":
        return ops[0]
    block = Block()
    for op in ops:
        block.append(op)
    return OPS["builtin.module"].build(regions=[Region([block])], location=ByteLocation(file, 0))
