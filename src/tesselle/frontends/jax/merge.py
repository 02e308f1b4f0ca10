"""Joins functions that JAX exported into one module, with the state that they share as its globals.

func @main(%w: T, %x: X) -> (T, Y)     ->   ml_program.global private mutable @w(dense<…> : T) : T
                                            func @train(%x: X) -> Y {
                                              %w = ml_program.global_load @w
                                              … ml_program.global_store @w = %new … }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import CallOp, FuncOp, ReturnOp
from tesselle.dialects.core.ml_program import GlobalLoadConstOp, GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.frontends.jax.functions import import_exported
from tesselle.ir.attributes import Attribute, DenseElements, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import BlockArgument, Value
from tesselle.ir.types import FunctionType, TensorType
from tesselle.ir.verify import verify_all
from tesselle.support.dtypes import from_numpy
from tesselle.support.locations import Location

_NOTHING: Mapping[str, Attribute] = {}


@dataclass(frozen=True)
class Variable:
    """A leaf of the state: its name, and what it holds at first."""

    name: str
    value: np.ndarray[Any, Any]

    @property
    def type(self) -> TensorType:
        return TensorType(self.value.shape, from_numpy(self.value.dtype))


@dataclass(frozen=True)
class StatefulFunction:
    """An exported function whose first arguments are the leaves of the state.

    With `writes`, its first results are the leaves again. `arguments` and `results` name the others; an empty name is
    none.
    """

    name: str
    exported: Any
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    writes: bool
    location: Location


def merge_functions(name: str, variables: Sequence[Variable], functions: Sequence[StatefulFunction]) -> ModuleOp:
    """The verified module of `functions` over `variables`. A variable that none of them changes is constant."""
    module = ModuleOp.empty(name)
    mains: list[tuple[StatefulFunction, FuncOp, Sequence[Value | None]]] = []
    taken = {v.name for v in variables} | {f.name for f in functions}
    for function in functions:
        source = import_exported(function.exported)
        main = source.lookup("main")
        assert isinstance(main, FuncOp)
        changes = _changes(source, main, len(variables)) if function.writes else (None,) * len(variables)
        _rename(source, main, function.name, taken)
        for op in source.body:
            module.body.append(op.detach())
        mains.append((function, main, changes))
    first = module.body.first
    stored: set[str] = set()
    for _, _, changes in mains:
        stored.update(v.name for v, change in zip(variables, changes, strict=True) if change is not None)
    for v in variables:
        mutable = v.name in stored
        module.body.insert(GlobalOp(v.name, v.type, mutable, DenseElements(v.value, v.type), "private"), first)
    for function, main, changes in mains:
        _use_globals(main, function, variables, changes, stored)
    verify_all(module)
    return module


def _changes(module: ModuleOp, main: FuncOp, count: int) -> list[Value | None]:
    """What `main` returns for each of the first `count` arguments; None where that is the argument itself."""
    functions = {name: op for name, op in module.symbols() if isinstance(op, FuncOp)}
    values = main.entry.terminator.operands[:count]
    return [None if _origin(value, functions) is main.args[i] else value for i, value in enumerate(values)]


def _origin(value: Value, functions: Mapping[str, FuncOp]) -> Value:
    """Where a value comes from when it is followed through functions that return their arguments as they are."""
    call = value.defining_op
    if not isinstance(call, CallOp):
        return value
    callee = functions.get(call.callee.root)
    if callee is None or callee.is_declaration or len(callee.body.blocks) != 1:
        return value
    index = next(i for i, r in enumerate(call.results) if r is value)
    inside = _origin(callee.entry.terminator.operands[index], functions)
    if isinstance(inside, BlockArgument) and inside.block is callee.entry:
        return _origin(call.operands[inside.index], functions)
    return value


def _rename(module: ModuleOp, main: FuncOp, name: str, taken: set[str]) -> None:
    """Call `main` by its name in the program, and every other symbol of its module by one that is not `taken`."""
    names: dict[str, str] = {}
    for old, op in module.symbols():
        new = name
        if op is not main:
            new = wanted = f"{name}.{old}"
            number = 0
            while new in taken:
                number += 1
                new = f"{wanted}_{number}"
            taken.add(new)
        names[old] = new
    for op in module.walk():
        for key, attribute in op.attributes.items():
            op.attributes[key] = _renamed(attribute, names)
    for old, op in list(module.symbols()):
        op.attributes["sym_name"] = names[old]


def _renamed(attribute: Attribute, names: Mapping[str, str]) -> Attribute:
    """`attribute` with the symbols in it called by their new names."""
    match attribute:
        case SymbolRef(root, nested) if root in names:
            return SymbolRef(names[root], nested)
        case tuple():
            return tuple(_renamed(a, names) for a in attribute)
        case Mapping():
            return {key: _renamed(a, names) for key, a in attribute.items()}
        case _:
            return attribute


def _use_globals(
    main: FuncOp,
    function: StatefulFunction,
    variables: Sequence[Variable],
    changes: Sequence[Value | None],
    stored: set[str],
) -> None:
    """Load the state where it was an argument, and store it where it was a result."""
    count = len(variables)
    t = main.function_type
    argument_attrs = list(main.arg_attrs or (_NOTHING,) * len(t.inputs))[count:]
    result_attrs = list(main.res_attrs or (_NOTHING,) * len(t.results))
    terminator = main.entry.terminator
    assert isinstance(terminator, ReturnOp)
    results = list(terminator.operands)
    store = Builder.before_op(terminator)
    if function.writes:
        results, result_attrs = results[count:], result_attrs[count:]
        for v, change in zip(variables, changes, strict=True):
            if change is not None:
                store.insert(GlobalStoreOp(SymbolRef(v.name), change))
        terminator.set_operands(results)
    load = Builder(main.entry, main.entry.first, main.location)
    for v, argument in zip(variables, main.entry.args[:count], strict=True):
        if argument.uses:
            load_op = GlobalLoadOp if v.name in stored else GlobalLoadConstOp
            argument.replace_all_uses_with(load.insert(load_op(SymbolRef(v.name), argument.type)).result)
    for _ in variables:
        main.entry.erase_arg(0)
    main.location = function.location
    main.sym_visibility = "public"
    main.function_type = FunctionType(t.inputs[count:], tuple(r.type for r in results))
    main.arg_attrs = _named(argument_attrs, function.arguments)
    main.res_attrs = _named(result_attrs, function.results)


def _named(attributes: Sequence[Mapping[str, Attribute]], names: Sequence[str]) -> tuple[Mapping[str, Attribute], ...]:
    """The dictionaries of arguments or results with their names; JAX's own describe the function with its state."""
    kept = [{k: v for k, v in given.items() if not k.startswith(("jax.", "tf."))} for given in attributes]
    return tuple({**given, "tesselle.name": name} if name else given for given, name in zip(kept, names, strict=True))
