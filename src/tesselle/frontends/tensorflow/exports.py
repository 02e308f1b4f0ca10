"""What a SavedModel offers: its functions and signatures under their names, and the variables that they use.

A function is called by its path from the root, attributes joined by dots: `__call__`, `encoder.encode`. One that was
traced several times gives `NAME.trace_0`, `NAME.trace_1`, …, as TensorFlow numbers them. A signature is called by its
key; where that is the name of a function already, `signatures.KEY`.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tesselle.frontends.tensorflow.dtypes import dtype_name, dtype_of
from tesselle.frontends.tensorflow.saved_model import ConcreteFunction, Kind, SavedModel, SavedObject
from tesselle.frontends.tensorflow.signatures import Signature, signature_of
from tesselle.support.diagnostics import Diagnostic, OptionError, Unsupported

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
    """A variable that exported functions use: the number of its object, its name, and its key in the checkpoint."""

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
    """
    used = sorted({c for e in exports for c in e.function.captures})
    paths = _object_paths(model)
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


@dataclass(frozen=True, slots=True)
class Checked:
    """`exports`: those that TensorFlow can convert. `problems`: arguments, results and captures that a program cannot
    have. `resources`: number → path of the captures that are neither variables nor constants, as lookup tables; what
    uses them is found out by the conversion.
    """

    exports: tuple[Export, ...]
    problems: tuple[str, ...]
    resources: Mapping[int, str]


def check_exports(model: SavedModel, exports: Sequence[Export], keys: Mapping[int, str]) -> Checked:
    """What of the exports can be converted. `keys`: number of an object → key in the checkpoint.

    Errors: Unsupported, where nothing can be.
    """
    paths = _object_paths(model)
    convertible: list[Export] = []
    problems: list[str] = []
    resources: dict[int, str] = {}
    for export in exports:
        problems += [f"function '{export.name}': {problem}" for problem in export.signature.problems]
        captures = {c: ".".join(paths.get(c, ())) or f"object {c}" for c in export.function.captures}
        found = {c: _problem(model.objects[c], path, c in keys) for c, path in captures.items()}
        unfit = {c: problem for c, problem in found.items() if problem}
        if export.signature.is_convertible and all(model.objects[c].kind is Kind.RESOURCE for c in unfit):
            convertible.append(export)
            resources |= {c: captures[c] for c in unfit}
        else:
            problems += [f"function '{export.name}' uses {problem}" for problem in unfit.values()]
    problems = list(dict.fromkeys(problems))
    if problems and not convertible:
        raise Unsupported.several([Diagnostic(text, rule="tensorflow.export") for text in problems])
    return Checked(tuple(convertible), tuple(problems), resources)


def _problem(saved: SavedObject, path: str, is_stored: bool) -> str:
    """Why a capture is neither a constant nor can be a variable of the program; empty where it is or can."""
    if saved.kind is Kind.CONSTANT:
        return ""
    if saved.variable is None:
        what = saved.kind.name.lower().replace("_", " ")
        return f"'{path}', a {what}: only variables and constants can be"
    if not is_stored:
        return f"the variable '{path}', which the checkpoint does not have"
    if dtype_of(saved.variable.dtype) is None:
        return f"the variable '{path}', which holds elements of type {dtype_name(saved.variable.dtype)}"
    return ""
