"""Reads programs of JAX: lowered and exported functions, and modules of several functions that share state."""

from __future__ import annotations

from typing import Any

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.frontends.jax.functions import import_exported, import_lowered
from tesselle.frontends.jax.stateful import StatefulModule
from tesselle.ir.verify import verify_all


def is_jax_program(source: object) -> bool:
    """Whether `source` is a `jax.stages.Lowered`, a `jax.export.Exported` or a `tesselle.jax.StatefulModule`."""
    cls = type(source)
    if cls.__module__.split(".", 1)[0] == "jax":
        return cls.__name__ in ("Lowered", "Exported")
    return isinstance(source, StatefulModule)


def import_jax(source: Any) -> ModuleOp:
    """The verified module of a program of JAX, with the locations of its Python source.

    A lowered or exported function is called `main`; the functions of a stateful module have the names they were given.
    Errors: VerifyError, Unsupported (unknown operations, element types that have no tensors), TypeError for other
    objects.
    """
    if not is_jax_program(source):
        raise TypeError(
            "expected a jax.stages.Lowered, jax.export.Exported or tesselle.jax.StatefulModule,"
            f" found {type(source).__name__}"
        )
    if isinstance(source, StatefulModule):
        return source.to_module()
    module = import_exported(source) if type(source).__name__ == "Exported" else import_lowered(source)
    verify_all(module)
    return module
