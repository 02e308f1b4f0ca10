"""create-initializer: what gives the variables of a new session their first values becomes a function.

    ml_program.global mutable @count(dense<7> : tensor<i32>) : tensor<i32>
    func.func public @initialize() { … }
->
    func.func public @tesselle.initializer() attributes {tesselle.initializer} {
      %0 = stablehlo.constant dense<7> : tensor<i32>
      ml_program.global_store @count = %0
      func.call @initialize()
      return
    }

A variable without a value begins with zeros, and with size 0 in dimensions that are not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core import builtin, func, ml_program
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import UNIT, DenseElements, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.types import TensorType
from tesselle.support.diagnostics import Diagnostic, Unsupported

INITIALIZER = "tesselle.initializer"
"""Name of the function, and the attribute that marks it."""

INITIALIZE = "initialize"
"""The program's own function, called once in every session after the variables have their values."""


@register_pass("create-initializer")
@dataclass(frozen=True)
class CreateInitializer(Pass):
    """Errors: Unsupported for variables that are no tensors, or whose values are not known (all of them at once)."""

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        variables = [g for g in ml_program.globals_of(module) if g.is_mutable]
        own = module.lookup(INITIALIZE)
        calls_own = isinstance(own, func.FuncOp) and _is_initializer(own)
        if module.lookup(INITIALIZER) is not None or not (variables or calls_own):
            return
        function = func.FuncOp.with_entry(INITIALIZER, (), ())
        function.attributes[INITIALIZER] = UNIT
        b = Builder.at_end(function.entry, module.location)
        failures: list[Diagnostic] = []
        for variable in variables:
            with b.located(variable.location):
                try:
                    value = b.insert(ConstantOp(first_value(variable)))
                except Unsupported as error:
                    failures.extend(error.diagnostics)
                    continue
                value.result.name_hint = variable.sym_name
                b.insert(ml_program.GlobalStoreOp(SymbolRef(variable.sym_name), value.result))
        if failures:
            raise Unsupported.several(failures)
        if calls_own:
            b.insert(func.CallOp(SymbolRef(INITIALIZE), (), ()))
        b.insert(func.ReturnOp(()))
        module.body.append(function)


def _is_initializer(function: func.FuncOp) -> bool:
    t = function.function_type
    return function.is_public and not function.is_declaration and not t.inputs and not t.results


def first_value(variable: ml_program.GlobalOp) -> DenseElements:
    """What the variable holds when a session begins. Errors: Unsupported."""
    t = variable.type
    if not isinstance(t, TensorType):
        raise Unsupported(f"@{variable.sym_name} has type {t}; variables are tensors", variable.location, "variable")
    if isinstance(variable.value, DenseElements):
        return variable.value
    if variable.value is not None:
        text = f"the value of @{variable.sym_name} is no tensor of known elements"
        raise Unsupported(text, variable.location, "variable")
    static = TensorType(tuple(d or 0 for d in t.shape), t.dtype)
    return DenseElements(np.broadcast_to(np.zeros((), t.dtype.numpy), static.static_shape), static)
