"""The program that TensorFlow wrote, under the names of the model and with its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import ALIASES, NAME, STRUCTURE, FuncOp
from tesselle.dialects.core.ml_program import CONSTANT_UNLESS_STORED, GlobalOp
from tesselle.dialects.tf.variables import VarHandleOp
from tesselle.dialects.tf_saved_model import BOUND_INPUT, UNSUPPORTED, GlobalTensorOp
from tesselle.frontends.tensorflow.exports import Checked, Export, Variable
from tesselle.frontends.tensorflow.graph import CONSTANT
from tesselle.frontends.tensorflow.locations import Places
from tesselle.frontends.tensorflow.staging import Staged
from tesselle.frontends.tensorflow.xla_call import EmbeddedModules
from tesselle.ir.attributes import UNIT, Attribute, DenseElements, SymbolRef
from tesselle.ir.text import parse_module
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify_all
from tesselle.support.diagnostics import ParseError
from tesselle.support.dtypes import from_numpy

Array = np.ndarray[Any, Any]

_EXPORTED = "tf_saved_model.exported_names"
_NODE = re.compile(r"__sm_node\d+__(v\d+)")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.$]")
_RESERVED = frozenset({"initialize"})
"""Names of functions that the compiler calls by itself."""


def build_program(
    name: str,
    text: str,
    staged: Staged,
    checked: Checked,
    variables: Sequence[Variable],
    values: Mapping[int, Array],
) -> ModuleOp:
    """The verified module, in which operations may stand that nobody declares."""
    module = parse_module(text, name, allow_unregistered=True)
    assert isinstance(module, ModuleOp)
    module.attributes.clear()
    module.sym_name = name
    if checked.problems:
        module.attributes[UNSUPPORTED] = checked.problems
    by_trace: dict[str, list[Export]] = {}
    for export in checked.exports:
        by_trace.setdefault(export.function.name, []).append(export)
    Places({copy: by_trace[trace][0].name for copy, trace in staged.functions.items()}).improve(module)
    EmbeddedModules(module, staged.extracted.modules).expand()
    _name_globals(module, staged, variables, values, {e.name for e in checked.exports})
    taken = {symbol for symbol, _ in module.symbols()}
    for op in module.body:
        exported = op.attributes.get(_EXPORTED)
        if isinstance(op, FuncOp) and isinstance(exported, tuple):
            _name_function(op, by_trace[staged.functions[str(exported[0])]], taken)
    verify_all(module)
    return module


# ------------------------------------------------------------------------------------------------ variables


def _name_globals(
    module: ModuleOp,
    staged: Staged,
    variables: Sequence[Variable],
    values: Mapping[int, Array],
    functions: Iterable[str],
) -> None:
    """Variables and constants by their names, with their values."""
    names = {v.node: v.name for v in variables}
    taken = {*names.values(), *functions}
    symbols: dict[str, str] = {}
    for op in list(module.body):
        if isinstance(op, GlobalTensorOp):
            found = _NODE.fullmatch(op.sym_name)
            if found is None:
                raise ParseError(f"a variable of an unknown name, {op.sym_name}", op.location)
            node = staged.objects[found[1]]
            symbol = names.get(node) or _free(staged.resources.get(node) or f"{CONSTANT}{node}", taken)
            symbols[op.sym_name] = symbol
            array = values.get(node, staged.constants.get(node))
            value = op.value if array is None else _elements(array)
            variable = GlobalOp(symbol, op.type, node in names, value, "private")
            if node in names:
                variable.attributes[CONSTANT_UNLESS_STORED] = UNIT
            variable.location = op.location
            module.body.insert(variable, op)
            op.erase()
    for op in module.walk():
        if isinstance(op, FuncOp) and op.arg_attrs is not None:
            op.arg_attrs = tuple(_renamed(given, symbols) for given in op.arg_attrs)
        elif isinstance(op, VarHandleOp) and op.shared_name in staged.extracted.constants:
            array = staged.extracted.constants[op.shared_name]
            op.shared_name = _constant(module, op.shared_name, array, symbols, taken)


def _constant(module: ModuleOp, name: str, array: Array, symbols: dict[str, str], taken: set[str]) -> str:
    """The symbol of a constant that was taken out of a function."""
    symbol = symbols.get(name)
    if symbol is None:
        symbol = symbols[name] = _free(name, taken)
        value = _elements(array)
        module.body.append(GlobalOp(symbol, value.type, False, value, "private"))
    return symbol


def _elements(array: Array) -> DenseElements:
    return DenseElements(array, TensorType(array.shape, from_numpy(array.dtype)))


def _renamed(attributes: Mapping[str, Attribute], symbols: Mapping[str, str]) -> Mapping[str, Attribute]:
    bound = attributes.get(BOUND_INPUT)
    return {BOUND_INPUT: SymbolRef(symbols[bound.root])} if isinstance(bound, SymbolRef) else {}


def _free(wanted: str, taken: set[str]) -> str:
    """A name that is not taken, and is from now on."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


# ------------------------------------------------------------------------------------------------ functions


def _name_function(function: FuncOp, exports: Sequence[Export], taken: set[str]) -> None:
    """The function under the name of its first export; the others are its aliases."""
    first, *others = exports
    kept = ("sym_name", "function_type", "arg_attrs")
    function.attributes = {k: v for k, v in function.attributes.items() if k in kept}
    symbol = _FORBIDDEN.sub("_", first.name) or "_"
    if symbol[0].isdigit():
        symbol = f"_{symbol}"
    function.sym_name = _free(f"{symbol}_" if symbol in _RESERVED else symbol, taken)
    function.sym_visibility = "public"
    if function.sym_name != first.name:
        function.attributes[NAME] = first.name
    if not first.signature.is_flat:
        function.attributes[STRUCTURE] = first.signature.structure.to_json()
    if others:
        function.attributes[ALIASES] = tuple(_alias(e) for e in others)
    nothing: Mapping[str, Attribute] = {}
    given = function.arg_attrs or (nothing,) * len(function.args)
    flat = [i for i, attributes in enumerate(given) if BOUND_INPUT not in attributes]
    arguments, results = first.signature.arguments, first.signature.results
    found, expected = (len(flat), len(function.function_type.results)), (len(arguments), len(results))
    if found != expected:
        text = f"function '{first.name}' has %d arguments and %d results"
        raise ParseError(f"{text % found}, its signature %d and %d" % expected)
    names = dict(zip(flat, arguments, strict=True))
    for i, tensor in names.items():
        function.args[i].name_hint = tensor.name
    function.arg_attrs = tuple({NAME: names[i].name} if i in names else a for i, a in enumerate(given))
    function.res_attrs = tuple({NAME: r.name} if r.name else {} for r in results)


def _alias(export: Export) -> Mapping[str, Attribute]:
    signature = export.signature
    return {
        "name": export.name,
        "structure": "" if signature.is_flat else signature.structure.to_json(),
        "arguments": tuple(a.name for a in signature.arguments),
        "results": tuple(r.name for r in signature.results),
    }
