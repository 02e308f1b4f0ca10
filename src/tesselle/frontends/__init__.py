"""Readers of what other frameworks write: each turns a program into a module of StableHLO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tesselle.support.diagnostics import OptionError

if TYPE_CHECKING:
    from tesselle.dialects.core.builtin import ModuleOp


def import_program(
    source: object,
    functions: tuple[str, ...] = (),
    weights: Path | None = None,
    on_step: Callable[[str], None] | None = None,
) -> ModuleOp:
    """The verified module of any program that Tesselle takes.

    `source`: the path of a file of MLIR text or bytecode, or of the folder of a SavedModel; text or bytes themselves,
    `jax.stages.Lowered`, `jax.export.Exported`, `tesselle.jax.StatefulModule`, or a module already. `functions` and
    `weights` are those of `tesselle.CompileOptions`; `on_step` is told what a slow reader is at.
    Errors: TypeError for anything else, OptionError (options for other sources), those of the reader.
    """
    from tesselle.dialects.core.builtin import ModuleOp
    from tesselle.ir.verify import verify_all

    folder = _folder(source)
    if folder is not None:
        from tesselle.frontends.tensorflow import SavedModelOptions, import_saved_model

        return import_saved_model(folder, SavedModelOptions(functions, weights, on_step))
    for flag, value in (("--functions", functions), ("--weights", weights)):
        if value:
            raise OptionError(f"{flag} is for SavedModels")
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


def _folder(source: object) -> Path | None:
    """The folder that a source is the path of."""
    if isinstance(source, str) and ("\n" in source or "{" in source):
        return None
    path = Path(source) if isinstance(source, str | Path) else None
    return path if path is not None and path.is_dir() else None
