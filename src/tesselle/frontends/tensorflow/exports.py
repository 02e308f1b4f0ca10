"""What a SavedModel offers: its functions and signatures under their names, and the variables that they use.

A function is called by its path from the root, attributes joined by dots: `__call__`, `encoder.encode`. One that was
traced several times gives `NAME.trace_0`, `NAME.trace_1`, …, as TensorFlow numbers them. A signature is called by its
key; where that is the name of a function already, `signatures.KEY`.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tesselle.frontends.tensorflow.dtypes import dtype_name, dtype_of
from tesselle.frontends.tensorflow.saved_model import ConcreteFunction, Kind, SavedModel
from tesselle.frontends.tensorflow.signatures import Signature, signature_of
from tesselle.support.diagnostics import Diagnostic, Note, OptionError, Unsupported

_SIGNATURES = "signatures"
_KERAS_LISTS = frozenset({"variables", "trainable_variables", "non_trainable_variables", "_all_variables"})
"""Under these, Keras exports variables by number only."""
_METADATA = frozenset({"keras_api", "saved_model_metadata"})
_LEGACY_LAYER = "_tf_keras_"
"""Layers of Keras before version 3 save every way to call them; the model that holds them is called instead."""


@dataclass(frozen=True, slots=True)
class Export:
    """A function that can be called. `function` is the trace that it runs."""

    name: str
    function: ConcreteFunction
    signature: Signature


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that exported functions use: the number of its object, its name in the program, and where it is kept."""

    node: int
    name: str
    key: str


def find_exports(model: SavedModel, only: tuple[str, ...] = ()) -> tuple[Export, ...]:
    """The functions of a model, or those called `only`, in a stable order. Errors: OptionError, Unsupported."""
    found: dict[str, Export] = {}
    for path, node in _functions(model):
        saved = model.objects[node]
        for i, trace in enumerate(saved.detail):
            name = path if len(saved.detail) == 1 else f"{path}.trace_{i}"
            function = model.concrete_functions[trace]
            found[name] = Export(name, function, signature_of(function, saved))
    signatures = model.objects[0].children.get(_SIGNATURES)
    for key, node in sorted(() if signatures is None else model.objects[signatures].children.items()):
        saved = model.objects[node]
        if saved.kind not in (Kind.FUNCTION, Kind.BARE_FUNCTION) or not saved.detail:
            continue
        function = model.concrete_functions[saved.detail[0]]
        name = key if key not in found else f"{_SIGNATURES}.{key}"
        found[name] = Export(name, function, signature_of(function, saved))
    if only:
        missing = [n for n in only if n not in found]
        if missing:
            listed = ", ".join(found) or "none"
            raise OptionError(f"the SavedModel has no function '{missing[0]}'; its functions are: {listed}")
        found = {n: e for n, e in found.items() if n in only}
    if not found:
        raise Unsupported(
            f"{model.message.file}: no function is exported: call the functions of the module once before you save it,"
            " or give them an input_signature"
        )
    return tuple(found.values())


def _functions(model: SavedModel) -> Iterator[tuple[str, int]]:
    """Path and number of every function that has a name without an underscore before it, nearest to the root first."""
    seen = {0}
    queue: deque[tuple[str, int]] = deque([("", 0)])
    while queue:
        path, node = queue.popleft()
        is_legacy = bool(path) and any(d.startswith(_LEGACY_LAYER) for d in model.objects[node].detail)
        for name, child in model.objects[node].children.items():
            private = name.startswith("_") and name != "__call__"
            if child in seen or private or name in _METADATA or (not path and name == _SIGNATURES):
                continue
            full = f"{path}.{name}" if path else name
            kind = model.objects[child].kind
            if kind is Kind.FUNCTION and not is_legacy:
                seen.add(child)
                yield full, child
            elif kind is Kind.USER_OBJECT:
                seen.add(child)
                queue.append((full, child))


def find_variables(model: SavedModel, exports: tuple[Export, ...], keys: Mapping[int, str]) -> tuple[Variable, ...]:
    """The variables that the exported functions use, in the order of their objects, each with a name of its own.

    `keys`: number of an object → key in the checkpoint. A variable is called by its path from the root; by the name
    that it was given where the path only numbers it, or leads through private attributes.
    Errors: Unsupported, which lists every capture that is no variable or constant.
    """
    used = sorted({c for e in exports for c in e.function.captures})
    paths = _object_paths(model)
    _require_supported(model, exports, keys, paths)
    nodes = [n for n in used if model.objects[n].kind is Kind.VARIABLE]
    given = {n: v.name for n in nodes if (v := model.objects[n].variable) is not None}
    given_counts = Counter(given.values())
    names: dict[int, str] = {}
    for n in nodes:
        path = paths.get(n, ())
        numbered = path[:1] and path[0] in _KERAS_LISTS
        private = any(p.startswith("_") for p in path)
        own = given[n] if given_counts[given[n]] == 1 else ""
        names[n] = own if own and (not path or numbered or private) else ".".join(path) or f"variable{n}"
    taken = {e.name for e in exports}
    variables: list[Variable] = []
    for n in nodes:
        name = wanted = names[n]
        number = 0
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        variables.append(Variable(n, name, keys[n]))
    return tuple(variables)


def _object_paths(model: SavedModel) -> dict[int, tuple[str, ...]]:
    """The path to every object: the one with the fewest private attributes, of those the shortest."""
    best: dict[int, tuple[str, ...]] = {}
    queue: list[tuple[int, int, tuple[str, ...], int]] = [(0, 0, (), 0)]
    while queue:
        private, length, path, node = heapq.heappop(queue)
        if node in best:
            continue
        best[node] = path
        for name, child in model.objects[node].children.items():
            if child not in best:
                entry = (private + name.startswith("_"), length + 1, (*path, name), child)
                heapq.heappush(queue, entry)
    return best


def _require_supported(
    model: SavedModel, exports: tuple[Export, ...], keys: Mapping[int, str], paths: Mapping[int, tuple[str, ...]]
) -> None:
    """Errors: Unsupported with all arguments, results and captures that a program cannot have."""
    problems: list[str] = []
    for export in exports:
        problems += [f"function '{export.name}': {problem}" for problem in export.signature.problems]
        for capture in export.function.captures:
            saved = model.objects[capture]
            path = ".".join(paths.get(capture, ())) or f"object {capture}"
            if saved.kind is Kind.CONSTANT:
                continue
            if saved.variable is None:
                what = saved.kind.name.lower().replace("_", " ")
                problems.append(
                    f"function '{export.name}' uses '{path}', a {what}: only variables and constants can be"
                )
            elif capture not in keys:
                problems.append(
                    f"function '{export.name}' uses the variable '{path}', which the checkpoint does not have"
                )
            elif dtype_of(saved.variable.dtype) is None:
                elements = dtype_name(saved.variable.dtype)
                problems.append(
                    f"function '{export.name}' uses the variable '{path}', which holds elements of type {elements}"
                )
    if problems:
        hint = Note("functions that are not needed can be left out: name the others with --functions")
        several = [Diagnostic(text, rule="tensorflow.export") for text in dict.fromkeys(problems)]
        several[-1] = Diagnostic(several[-1].message, rule="tensorflow.export", notes=(hint,))
        raise Unsupported.several(several)
