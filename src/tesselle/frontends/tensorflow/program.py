"""The program that TensorFlow wrote, under the names of the model and with its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.ml_program import GlobalLoadConstOp, GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.frontends.tensorflow.exports import Export, Variable
from tesselle.frontends.tensorflow.graph import CONSTANT
from tesselle.frontends.tensorflow.locations import Places
from tesselle.frontends.tensorflow.staging import Staged
from tesselle.ir.attributes import Attribute, DenseElements, SymbolRef
from tesselle.ir.core import Op, UnregisteredOp
from tesselle.ir.text import parse_module
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify_all
from tesselle.support.diagnostics import Diagnostic, Note, ParseError, Unsupported
from tesselle.support.dtypes import from_numpy

Array = np.ndarray[Any, Any]

NAME, STRUCTURE, ALIASES = "tesselle.name", "tesselle.structure", "tesselle.aliases"
"""Attributes of functions. NAME: what callers call it, where that is not its symbol. STRUCTURE: how its arguments and
results nest. ALIASES: dictionaries with the name, the structure and the names of the arguments and results of other
functions that it stands for.
"""

_EXPORTED = "tf_saved_model.exported_names"
_GLOBAL = re.compile(r"vars\.(?:__sm_node\d+__(v\d+)|(" + re.escape(CONSTANT) + r"\d+))")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.$]")
_RESERVED = frozenset({"initialize"})
"""Names of functions that the compiler calls by itself."""


def build_program(
    name: str,
    text: str,
    staged: Staged,
    exports: Sequence[Export],
    variables: Sequence[Variable],
    values: Mapping[int, Array],
) -> ModuleOp:
    """The verified module. Errors: Unsupported with all operations that are not."""
    module = parse_module(text, name, allow_unregistered=True)
    assert isinstance(module, ModuleOp)
    module.attributes.clear()
    module.sym_name = name
    by_trace: dict[str, list[Export]] = {}
    for export in exports:
        by_trace.setdefault(export.function.name, []).append(export)
    Places({copy: by_trace[trace][0].name for copy, trace in staged.functions.items()}).improve(module)
    _require_known(module)
    _name_globals(module, staged, variables, values, {e.name for e in exports})
    taken = {symbol for symbol, _ in module.symbols()}
    for op in module.body:
        exported = op.attributes.get(_EXPORTED)
        if isinstance(op, FuncOp) and isinstance(exported, tuple):
            _name_function(op, by_trace[staged.functions[str(exported[0])]], taken)
    verify_all(module)
    return module


def _require_known(module: ModuleOp) -> None:
    """Errors: Unsupported with every operation that nobody declares, or that changes a variable in an unknown way."""
    problems: list[Diagnostic] = []
    for op in module.walk():
        if isinstance(op, UnregisteredOp) and op.name != "tf.VarHandleOp":
            problems.append(Diagnostic(f"{op.name} is not supported", op.location, op.name))
        elif any("!tf_type.resource" in str(v.type) for v in op.operands):
            problems.append(Diagnostic(f"{op.name} uses a variable in a way that is not supported", op.location, op.name))
    if problems:
        last = problems[-1]
        hint = Note("functions that are not needed can be left out: name the others with --functions")
        problems[-1] = Diagnostic(last.message, last.location, last.rule, (hint,))
        raise Unsupported.several(problems)
    for op in list(module.walk()):
        if op.name == "tf.VarHandleOp":
            op.erase()


# ------------------------------------------------------------------------------------------------ variables


def _name_globals(
    module: ModuleOp,
    staged: Staged,
    variables: Sequence[Variable],
    values: Mapping[int, Array],
    functions: Iterable[str],
) -> None:
    """Variables and constants by their names, with their values; what nothing stores to is constant."""
    names = {v.node: v.name for v in variables}
    taken = {*names.values(), *functions}
    stored = {op.global_.root for op in module.walk() if isinstance(op, GlobalStoreOp)}
    symbols: dict[str, str] = {}
    for op in list(module.body):
        if not isinstance(op, GlobalOp):
            continue
        old = op.sym_name
        found = _GLOBAL.fullmatch(old)
        if found is None:
            # The importer's own names of the same variables: nothing uses them.
            op.erase()
            continue
        value: Array | None
        if found[1] is not None:
            node = staged.objects[found[1]]
            value = values.get(node, staged.constants.get(node))
            new = names.get(node) or _free(f"{CONSTANT}captured.{node}", taken)
        else:
            value, new = staged.extracted.constants[found[2]], _free(found[2], taken)
        symbols[old] = op.sym_name = new
        op.sym_visibility = "private"
        op.is_mutable = old in stored
        if value is not None:
            op.value = DenseElements(value, TensorType(value.shape, from_numpy(value.dtype)))
    for op in list(module.walk()):
        if isinstance(op, GlobalLoadOp | GlobalLoadConstOp | GlobalStoreOp):
            op.global_ = SymbolRef(symbols[op.global_.root])


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
    kept = ("sym_name", "function_type")
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
    t = function.function_type
    arguments, results = first.signature.arguments, first.signature.results
    if (len(t.inputs), len(t.results)) != (len(arguments), len(results)):
        raise ParseError(
            f"function '{first.name}' has {len(t.inputs)} arguments and {len(t.results)} results, its signature"
            f" {len(arguments)} and {len(results)}"
        )
    function.arg_attrs = tuple({NAME: a.name} for a in arguments)
    function.res_attrs = tuple({NAME: r.name} if r.name else {} for r in results)
    for argument, tensor in zip(function.entry.args, arguments, strict=True):
        argument.name_hint = tensor.name


def _alias(export: Export) -> Mapping[str, Attribute]:
    signature = export.signature
    return {
        "name": export.name,
        "structure": "" if signature.is_flat else signature.structure.to_json(),
        "arguments": tuple(a.name for a in signature.arguments),
        "results": tuple(r.name for r in signature.results),
    }
