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
from tesselle.ir.symbols import rename_symbols
from tesselle.ir.types import FunctionType, TensorType
from tesselle.ir.verify import verify_all
from tesselle.support.dtypes import from_numpy
from tesselle.support.locations import Location

_NOTHING: Mapping[str, Attribute] = {}


@dataclass(frozen=True)
class StateLeaf:
    """A leaf of the state: what its global is called, and its initial value."""

    name: str
    value: np.ndarray[Any, Any]

    @property
    def type(self) -> TensorType:
        return TensorType(self.value.shape, from_numpy(self.value.dtype))


@dataclass(frozen=True)
class StatefulFunction:
    """An exported function whose first arguments are the leaves of the state.

    With `writes`, its first results are the leaves again; `stored` names those of them that are not what went in.
    `arguments` and `results` name the others; an empty name is none.
    """

    name: str
    exported: Any
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    writes: bool
    stored: frozenset[str]
    location: Location


def changed_arguments(exported: Any, count: int) -> list[int]:
    """Which of the first `count` arguments do not come back as they went in, as the first results."""
    module = import_exported(exported)
    functions = {name: op for name, op in module.symbols() if isinstance(op, FuncOp)}
    main = functions["main"]
    values = main.entry.terminator.operands[:count]
    return [i for i, value in enumerate(values) if _origin(value, functions) is not main.args[i]]


def merge_functions(name: str, leaves: Sequence[StateLeaf], functions: Sequence[StatefulFunction]) -> ModuleOp:
    """The verified module of `functions` over the state. A leaf that none of them changes is constant."""
    module = ModuleOp.empty(name)
    stored = frozenset[str]().union(*(f.stored for f in functions))
    for leaf in leaves:
        value = DenseElements(leaf.value, leaf.type)
        module.body.append(GlobalOp(leaf.name, leaf.type, leaf.name in stored, value, "private"))
    taken = {leaf.name for leaf in leaves} | {f.name for f in functions}
    for function in functions:
        source = import_exported(function.exported)
        main = source.lookup("main")
        assert isinstance(main, FuncOp)
        _rename(source, main, function.name, taken)
        _use_globals(main, function, leaves, stored)
        for op in source.body:
            module.body.append(op.detach())
    verify_all(module)
    return module


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
    rename_symbols(module, names)


def _use_globals(main: FuncOp, function: StatefulFunction, leaves: Sequence[StateLeaf], stored: frozenset[str]) -> None:
    """Load the state where it was an argument, and store it where it was a result. `stored`: by any function."""
    count = len(leaves)
    t = main.function_type
    argument_attrs = list(main.arg_attrs or (_NOTHING,) * len(t.inputs))[count:]
    result_attrs = list(main.res_attrs or (_NOTHING,) * len(t.results))
    terminator = main.entry.terminator
    assert isinstance(terminator, ReturnOp)
    results = list(terminator.operands)
    if function.writes:
        store = Builder.before_op(terminator)
        for leaf, value in zip(leaves, results[:count], strict=True):
            if leaf.name in function.stored:
                store.insert(GlobalStoreOp(SymbolRef(leaf.name), value))
        results, result_attrs = results[count:], result_attrs[count:]
        terminator.set_operands(results)
    load = Builder(main.entry, main.entry.first, main.location)
    for leaf, argument in zip(leaves, main.entry.args[:count], strict=True):
        if argument.uses:
            load_op = GlobalLoadOp if leaf.name in stored else GlobalLoadConstOp
            argument.replace_all_uses_with(load.insert(load_op(SymbolRef(leaf.name), argument.type)).result)
    for _ in leaves:
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
