"""Readers of what other frameworks write: each turns a program into a module of StableHLO."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tesselle.dialects.core.builtin import ModuleOp


def import_program(source: object) -> ModuleOp:
    """The verified module of any program that Tesselle takes.

    `source`: the path of a file of MLIR text or bytecode, text or bytes themselves, `jax.stages.Lowered`,
    `jax.export.Exported`, `tesselle.jax.StatefulModule`, or a module already. Errors: TypeError for anything else;
    those of the reader.
    """
    from tesselle.dialects.core.builtin import ModuleOp
    from tesselle.ir.verify import verify_all

    if isinstance(source, ModuleOp):
        verify_all(source)
        return source
    if isinstance(source, str | Path | bytes):
        from tesselle.frontends.stablehlo import import_source

        return import_source(source)
    from tesselle.frontends.jax import import_jax, is_jax_program

    if is_jax_program(source):
        return import_jax(source)
    raise TypeError(
        f"{type(source).__name__} is no program: expected a path, MLIR text or bytecode, jax.stages.Lowered,"
        " jax.export.Exported or tesselle.jax.StatefulModule"
    )
