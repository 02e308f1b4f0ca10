"""Reads one function that JAX lowered or exported.

It is taken as MLIR bytecode, which jaxlib writes and Tesselle reads many times faster than text. Arguments that JAX
dropped because nothing uses them are put back, so that the program is called like the function it came from.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.core import BlockArgument
from tesselle.ir.types import FunctionType, TensorType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import from_numpy


def import_exported(exported: Any) -> ModuleOp:
    """The module of a `jax.export.Exported`, whose function is `main`; not verified."""
    module = _import_bytecode(exported.mlir_module_serialized)
    _restore_arguments(module, sorted(exported.module_kept_var_idx), list(exported.in_avals))
    return module


def import_lowered(lowered: Any) -> ModuleOp:
    """The module of a `jax.stages.Lowered`, whose function is `main`; not verified."""
    module = import_mlir_module(lowered.compiler_ir("stablehlo"))
    # The arguments that survived are known only here; without the entry nothing was dropped.
    kept = sorted(lowered._lowering.compile_args.get("kept_var_idx", ()))
    _restore_arguments(module, kept, sys.modules["jax"].tree_util.tree_leaves(lowered.in_avals))
    return module


def import_mlir_module(mlir_module: Any) -> ModuleOp:
    """The module that a module of jaxlib's MLIR holds, not verified."""
    file = io.BytesIO()
    mlir_module.operation.write_bytecode(file)
    return _import_bytecode(file.getbuffer())


def _import_bytecode(data: bytes | memoryview) -> ModuleOp:
    module = parse_bytecode(data, "<jax>")
    assert isinstance(module, ModuleOp)
    return module


def _restore_arguments(module: ModuleOp, kept: Sequence[int], avals: list[Any]) -> None:
    """Put back the arguments of `main` that JAX dropped; `kept` holds the positions of those that are left."""
    main = module.lookup("main")
    if not isinstance(main, FuncOp):
        return
    t = main.function_type
    if len(t.inputs) == len(avals) or len(kept) != len(t.inputs) or main.is_declaration:
        return
    block = main.entry
    args: list[BlockArgument] = []
    nothing: Mapping[str, Attribute] = {}
    attrs = list(main.arg_attrs or (nothing,) * len(t.inputs))
    left = iter(zip(block.args, attrs, strict=True))
    new_attrs: list[Mapping[str, Attribute]] = []
    for i, aval in enumerate(avals):
        if i in kept:
            arg, attr = next(left)
        else:
            arg, attr = BlockArgument(_type_of(aval), block, i), nothing
        arg.index = i
        args.append(arg)
        new_attrs.append(attr)
    block.args = args
    main.function_type = FunctionType(tuple(a.type for a in args), t.results)
    main.attributes.pop("arg_attrs", None)
    if any(new_attrs):
        main.arg_attrs = tuple(new_attrs)


def _type_of(aval: Any) -> TensorType:
    shape = tuple(d if isinstance(d, int) else None for d in aval.shape)
    try:
        return TensorType(shape, from_numpy(aval.dtype))
    except (KeyError, TypeError) as error:
        raise Unsupported(f"an argument of element type {aval.dtype} has no tensor") from error
