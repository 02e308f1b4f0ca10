"""Reads a StableHLO program from a file, a text or bytes, and verifies it.

Files and bytes hold MLIR text or MLIR bytecode; a portable artifact (VHLO) of any version is upgraded as it is read.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.bytecode import MAGIC, parse_bytecode
from tesselle.ir.core import Op
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify_all
from tesselle.support.diagnostics import ParseError


def import_source(source: str | Path | bytes, *, name: str | None = None) -> ModuleOp:
    """The verified module of a program.

    `source` is the path of a file, MLIR text, or the bytes of either. A string is taken for text when it holds a line
    break or a brace, else for a path. `name` stands for the file in diagnostics.
    Errors: ParseError with place, VerifyError listing every operation that breaks a rule, Unsupported listing every
    operation that is not known; FileNotFoundError and the other errors of reading a file.
    """
    if isinstance(source, str) and ("\n" in source or "{" in source):
        module: Op = parse_module(source, name or "<text>")
    elif isinstance(source, str | Path):
        module = read_module(map_file(Path(source)), name or str(source))
    else:
        module = read_module(source, name or "<bytes>")
    if not isinstance(module, ModuleOp):
        raise ParseError(f"expected a module, found {module.name}", module.location)
    verify_all(module)
    return module


def map_file(path: Path) -> bytes | memoryview:
    """What a file holds; bytecode is mapped into memory, so that its constants are read when something needs them."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return path.read_bytes()


def read_module(data: bytes | memoryview, file: str) -> Op:
    """The module that MLIR text or bytecode holds, not verified. Errors: ParseError, Unsupported."""
    if bytes(data[: len(MAGIC)]) == MAGIC:
        return parse_bytecode(data, file)
    try:
        text = bytes(data).decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"{file} is neither MLIR text nor MLIR bytecode: {error}") from error
    return parse_module(text, file)
