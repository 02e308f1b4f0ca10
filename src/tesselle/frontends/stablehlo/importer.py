"""Reads a StableHLO program from a file, a text or bytes, and verifies it."""

from __future__ import annotations

from pathlib import Path

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify_all
from tesselle.support.diagnostics import ParseError, Unsupported

BYTECODE_MAGIC = b"ML\xefR"


def import_source(source: str | Path | bytes, *, name: str | None = None) -> ModuleOp:
    """The verified module of a program.

    `source` is the path of a file, MLIR text, or the bytes of either. A string is taken for text when it holds a line
    break or a brace, else for a path. `name` stands for the file in diagnostics.
    Errors: ParseError with place, VerifyError listing every operation that breaks a rule, Unsupported listing every
    operation that is not known; FileNotFoundError and the other errors of reading a file.
    """
    if isinstance(source, str) and ("\n" in source or "{" in source):
        return import_text(source, name or "<text>")
    if isinstance(source, str | Path):
        name = name or str(source)
        source = Path(source).read_bytes()
    if source.startswith(BYTECODE_MAGIC):
        raise Unsupported(
            f"{name or '<bytes>'} holds MLIR bytecode, which is not read yet; give the program as MLIR text",
            rule="bytecode",
        )
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"{name or '<bytes>'} is neither MLIR text nor MLIR bytecode: {error}") from error
    return import_text(text, name or "<bytes>")


def import_text(text: str, file: str) -> ModuleOp:
    """The verified module of a text."""
    module = parse_module(text, file)
    if not isinstance(module, ModuleOp):
        raise ParseError(f"{file}: expected a module, found {module.name}", module.location)
    verify_all(module)
    return module
