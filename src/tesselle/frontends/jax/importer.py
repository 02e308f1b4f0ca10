"""Reads programs that JAX lowered or exported.

jaxlib prints the program without the elements of large constants; these are taken from its module as arrays, without
a copy where NumPy can look at them directly. Arguments that JAX dropped because nothing uses them are put back, so that
the program is called like the function it came from.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.ir.attributes import Attribute, DenseElements
from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.core import BlockArgument
from tesselle.ir.text import parse_module, parse_ops
from tesselle.ir.types import FunctionType, TensorType
from tesselle.ir.verify import verify_all
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import from_numpy

Array = np.ndarray[Any, np.dtype[Any]]

LARGE = 1024
"""Constants with more elements are handed over as arrays."""


def is_jax_program(source: object) -> bool:
    """Whether `source` is a `jax.stages.Lowered` or a `jax.export.Exported`."""
    cls = type(source)
    return cls.__module__.split(".", 1)[0] == "jax" and cls.__name__ in ("Lowered", "Exported")


def import_jax(source: Any) -> ModuleOp:
    """The verified module of a lowered or exported function of JAX, with the locations of its Python source.

    Errors: VerifyError, Unsupported (unknown operations, element types that have no tensors), TypeError for other
    objects.
    """
    if not is_jax_program(source):
        raise TypeError(f"expected a jax.stages.Lowered or jax.export.Exported, found {type(source).__name__}")
    if type(source).__name__ == "Exported":
        module = _import_exported(source)
        kept: Sequence[int] = sorted(source.module_kept_var_idx)
        avals: list[Any] = list(source.in_avals)
    else:
        module = import_mlir_module(source.compiler_ir("stablehlo"))
        # The arguments that survived are known only here; without the entry nothing was dropped.
        kept = sorted(source._lowering.compile_args.get("kept_var_idx", ()))
        avals = sys.modules["jax"].tree_util.tree_leaves(source.in_avals)
    main = module.lookup("main")
    if isinstance(main, FuncOp):
        _restore_arguments(main, kept, avals)
    verify_all(module)
    return module


def _import_exported(exported: Any) -> ModuleOp:
    module = parse_bytecode(exported.mlir_module_serialized, "<jax>")
    assert isinstance(module, ModuleOp)
    return module


def import_mlir_module(mlir_module: Any) -> ModuleOp:
    """The module that a module of jaxlib's MLIR holds, not verified."""
    operation = mlir_module.operation
    text: str = operation.get_asm(large_elements_limit=LARGE, enable_debug_info=True)
    elided = _large_constants(operation) if "dense_resource<__elided__>" in text else []
    module = parse_module(text, "<jax>", elided=iter(elided))
    assert isinstance(module, ModuleOp)
    return module


def _large_constants(operation: Any) -> list[Array]:
    """The arrays of all constants whose elements the text leaves out, in the order of the text."""
    from jaxlib.mlir import ir

    found: list[Array] = []

    def visit(op: Any) -> Any:
        if op.name == "stablehlo.constant" and _element_count(op.results[0].type) > LARGE:
            array = _array_of(op)
            if array is not None:
                found.append(array)
        return ir.WalkResult.ADVANCE

    operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def _element_count(type: Any) -> int:
    count = 1
    for size in type.shape:
        count *= size
    return count


def _array_of(op: Any) -> Array | None:
    """The elements of a constant of jaxlib's MLIR; None when one element stands for all."""
    try:
        attribute = op.attributes["value"]
        if attribute.is_splat:
            return None
        array = np.asarray(attribute)
    except TypeError:  # jaxlib gives no view of bf16, i4, f8, complex: these go through text
        constant = parse_ops(op.get_asm())[0].attributes["value"]
        if not isinstance(constant, DenseElements) or constant.is_splat:
            return None
        return constant.array
    array.flags.writeable = False
    return array


def _restore_arguments(main: FuncOp, kept: Sequence[int], avals: list[Any]) -> None:
    """Put back the arguments of `main` that JAX dropped; `kept` holds the positions of those that are left."""
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
