"""How the source of a program nests the arguments and results of a function: `FunctionRecord.structure`, JSON text.

    {"positional": [PARAMETER, …], "keyword": [PARAMETER, …], "results": TREE}
    PARAMETER   {"name": "inputs", "value": TREE}; a name may be empty; "optional": true where it may be left out
    TREE        3                                                    the flat argument or result number 3
                {"list": [TREE, …]}, {"tuple": [TREE, …]}            sequences
                {"dict": {"image": TREE, …}}                         a mapping
                {"namedtuple": {"name": "Pair", "fields": {"x": TREE, …}}}
                null, {"value": true}                                nothing; always this number, boolean or string

`keyword` parameters are given by name only. Every flat argument stands in the structure once. Text that is empty stands
for the flat function: all arguments by position or name; one result, or a tuple of them.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias, cast

from tesselle.support.diagnostics import ArtifactError

_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Leaf:
    """A flat argument or result."""

    index: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the source fixed."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class DictOf:
    items: Mapping[str, Tree]


@dataclass(frozen=True, slots=True)
class NamedTupleOf:
    name: str
    items: Mapping[str, Tree]


Tree: TypeAlias = "Leaf | Literal | ListOf | TupleOf | DictOf | NamedTupleOf"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`optional`: without it, a call passes what the literals in `value` say; only for values without leaves."""

    name: str
    value: Tree
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    positional: tuple[Parameter, ...]
    keyword: tuple[Parameter, ...]
    results: Tree

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.positional + self.keyword

    def argument_paths(self) -> dict[int, str]:
        """Where each flat argument stands, as Python writes it: `inputs['image'][0]`."""
        found: dict[int, str] = {}
        for i, p in enumerate(self.parameters):
            found.update((leaf.index, path) for leaf, path in walk(p.value, p.name or f"argument {i}"))
        return found

    def renumbered(self, arguments: Mapping[int, int], results: Mapping[int, int]) -> Structure:
        """The same structure over other flat arguments and results: number here → number there."""

        def parameters(given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
            return tuple(replace(p, value=_renumbered(p.value, arguments)) for p in given)

        return Structure(parameters(self.positional), parameters(self.keyword), _renumbered(self.results, results))

    def to_json(self) -> str:
        def encode(parameters: tuple[Parameter, ...]) -> list[Any]:
            return [
                {"name": p.name, "value": _encode(p.value), **({"optional": True} if p.optional else {})}
                for p in parameters
            ]

        whole = {
            "positional": encode(self.positional),
            "keyword": encode(self.keyword),
            "results": _encode(self.results),
        }
        return json.dumps(whole, separators=(",", ":"))


def walk(tree: Tree, path: str) -> Iterator[tuple[Leaf, str]]:
    """The leaves of a tree, in order, with their paths; `path` is that of the tree."""
    match tree:
        case Leaf():
            yield tree, path
        case Literal():
            return
        case ListOf(items) | TupleOf(items):
            for i, item in enumerate(items):
                yield from walk(item, f"{path}[{i}]")
        case DictOf(items):
            for key, item in items.items():
                yield from walk(item, f"{path}[{key!r}]")
        case NamedTupleOf(_, items):
            for key, item in items.items():
                yield from walk(item, f"{path}.{key}")


def _renumbered(tree: Tree, numbers: Mapping[int, int]) -> Tree:
    match tree:
        case Leaf(index):
            return Leaf(numbers[index])
        case Literal():
            return tree
        case ListOf(items):
            return ListOf(tuple(_renumbered(i, numbers) for i in items))
        case TupleOf(items):
            return TupleOf(tuple(_renumbered(i, numbers) for i in items))
        case DictOf(items):
            return DictOf({key: _renumbered(i, numbers) for key, i in items.items()})
        case NamedTupleOf(name, items):
            return NamedTupleOf(name, {key: _renumbered(i, numbers) for key, i in items.items()})


def parse_structure(text: str, argument_count: int, result_count: int) -> Structure:
    """The structure of a function with so many flat arguments and results. Errors: ArtifactError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"structure: is not JSON: {error}") from None
    match value:
        case {"positional": [*by_position], "keyword": [*by_name], "results": results, **rest} if not rest:
            structure = Structure(
                tuple(_parameter(p, "positional", i) for i, p in enumerate(by_position)),
                tuple(_parameter(p, "keyword", i) for i, p in enumerate(by_name)),
                _tree(results, "results", 0),
            )
        case _:
            _fail("", "expected positional, keyword and results")
    names = [p.name for p in structure.parameters if p.name]
    if len(set(names)) != len(names):
        _fail("", "two parameters of one name")
    if any(not p.name for p in structure.keyword):
        _fail("keyword", "a parameter without a name")
    arguments = sorted(leaf.index for p in structure.parameters for leaf, _ in walk(p.value, ""))
    if arguments != list(range(argument_count)):
        _fail("", f"does not name each of {argument_count} arguments once")
    for leaf, path in walk(structure.results, "results"):
        if leaf.index >= result_count:
            _fail(path, f"there is no result {leaf.index}")
    return structure


def _encode(tree: Tree) -> Any:
    match tree:
        case Leaf(index):
            return index
        case Literal(None):
            return None
        case Literal(value):
            return {"value": value}
        case ListOf(items):
            return {"list": [_encode(i) for i in items]}
        case TupleOf(items):
            return {"tuple": [_encode(i) for i in items]}
        case DictOf(items):
            return {"dict": {key: _encode(i) for key, i in items.items()}}
        case NamedTupleOf(name, items):
            return {"namedtuple": {"name": name, "fields": {key: _encode(i) for key, i in items.items()}}}


def _parameter(value: Any, path: str, index: int) -> Parameter:
    path = f"{path}[{index}]"
    match value:
        case {"name": str(name), "value": tree, **rest} if rest in ({}, {"optional": True}):
            parameter = Parameter(name, _tree(tree, path, 0), bool(rest))
        case _:
            _fail(path, "expected name and value")
    if parameter.optional and next(walk(parameter.value, ""), None) is not None:
        _fail(path, "an optional parameter with tensors")
    return parameter


def _tree(value: Any, path: str, depth: int) -> Tree:
    if depth > _MAX_DEPTH:
        _fail(path, f"nested more than {_MAX_DEPTH} deep")
    match value:
        case None:
            return Literal(None)
        case bool():
            pass
        case int():
            if value < 0:
                _fail(path, f"there is no argument or result {value}")
            return Leaf(value)
        case {"value": bool() | int() | float() | str() as literal, **rest} if not rest:
            return Literal(literal)
        case {"list": [*items], **rest} if not rest:
            return ListOf(tuple(_tree(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(items)))
        case {"tuple": [*items], **rest} if not rest:
            return TupleOf(tuple(_tree(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(items)))
        case {"dict": {**items}, **rest} if not rest:
            return DictOf(_trees(cast(dict[str, Any], items), path, depth))
        case {"namedtuple": {"name": str(name), "fields": {**items}, **more}, **rest} if not rest and not more:
            fields = _trees(cast(dict[str, Any], items), path, depth)
            if not all(map(_is_name, (name, *fields))) or any(f.startswith("_") for f in fields):
                _fail(path, f"{name!r} with fields {list(fields)} is no named tuple")
            return NamedTupleOf(name, fields)
        case _:
            pass
    _fail(path, f"expected a tree, found {json.dumps(value)[:60]}")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _trees(items: Mapping[str, Any], path: str, depth: int) -> dict[str, Tree]:
    return {key: _tree(v, f"{path}[{key!r}]", depth + 1) for key, v in items.items()}


def _fail(path: str, what: str) -> NoReturn:
    raise ArtifactError(f"structure{f' {path}' if path else ''}: {what}")
