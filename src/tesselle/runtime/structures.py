"""Nested arguments and results: what a caller nests becomes flat arguments, and flat results are nested again."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

from tesselle.artifact.schema import FunctionRecord
from tesselle.artifact.structure import (
    DictOf,
    Leaf,
    ListOf,
    Literal,
    NamedTupleOf,
    Parameter,
    Tree,
    TupleOf,
    parse_structure,
)
from tesselle.support.diagnostics import ArtifactError, InvocationError

_MISSING = object()


class Nesting:
    """How one function nests what it takes and gives. Errors: ArtifactError (a structure that does not suit it)."""

    def __init__(self, record: FunctionRecord) -> None:
        try:
            self.structure = parse_structure(record.structure, len(record.arguments), len(record.results))
        except ArtifactError as error:
            raise ArtifactError(f"function '{record.name}': {error.diagnostics[0].message}") from None
        self._name = record.name
        self._count = len(record.arguments)
        self._single_result = len(record.results) == 1
        self.labels: Mapping[int, str] = self.structure.argument_paths()
        """Where each flat argument stands, as errors call it."""
        self._rebuild = _builder(self.structure.results)

    def flatten(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """The flat arguments of a call. InvocationError, with the path of what is wrong."""
        structure = self.structure
        if len(args) > len(structure.positional):
            self._fail(f"takes {_count(len(structure.positional), 'positional argument')}, {len(args)} given")
        flat: list[Any] = [None] * self._count
        left = dict(kwargs)
        for i, parameter in enumerate(structure.parameters):
            path = parameter.name or f"argument {i}"
            value = args[i] if i < len(args) else _MISSING
            if parameter.name in left:
                if value is not _MISSING:
                    self._fail(f"argument '{parameter.name}' is given by position and by name")
                value = left.pop(parameter.name)
            if value is not _MISSING:
                self._fill(flat, parameter.value, path, value)
            elif not parameter.optional:
                self._fail(f"missing argument {path}{_shape(parameter)}")
        if left:
            names = ", ".join(p.name for p in structure.parameters if p.name) or "none of its arguments has a name"
            self._fail(f"no argument named '{next(iter(left))}'; there are: {names}")
        return flat

    def rebuild(self, results: Any) -> Any:
        """The nested results; `results` is one array, or a tuple of them."""
        return self._rebuild((results,) if self._single_result else results)

    def _fill(self, flat: list[Any], tree: Tree, path: str, value: Any) -> None:
        """Put the leaves of a value where they belong."""
        match tree:
            case Leaf(index):
                flat[index] = value
            case Literal(expected):
                if not _is_same(value, expected):
                    self._fail(f"{path}: the program was made for {expected!r}, found {_describe(value)}")
            case ListOf(items) | TupleOf(items):
                if not isinstance(value, list | tuple):
                    self._fail(f"{path}: expected {_describe_tree(tree)}, found {_describe(value)}")
                sequence = cast("Sequence[Any]", value)
                if len(sequence) != len(items):
                    self._fail(f"{path}: expected {_describe_tree(tree)}, found {len(sequence)}")
                for i, (item, part) in enumerate(zip(items, sequence, strict=True)):
                    self._fill(flat, item, f"{path}[{i}]", part)
            case DictOf(items):
                if not isinstance(value, Mapping):
                    self._fail(f"{path}: expected {_describe_tree(tree)}, found {_describe(value)}")
                self._fill_mapping(flat, items, path, cast("Mapping[Any, Any]", value), "{path}[{key!r}]")
            case NamedTupleOf(_, items):
                fields = _fields(value, items)
                if fields is None:
                    self._fail(f"{path}: expected {_describe_tree(tree)}, found {_describe(value)}")
                self._fill_mapping(flat, items, path, fields, "{path}.{key}")

    def _fill_mapping(
        self, flat: list[Any], items: Mapping[str, Tree], path: str, value: Mapping[Any, Any], form: str
    ) -> None:
        unexpected = [k for k in value if k not in items]
        if unexpected:
            known = ", ".join(map(repr, items))
            self._fail(f"{path}: unexpected key {unexpected[0]!r}; expected: {known}")
        for key, item in items.items():
            inner = form.format(path=path, key=key)
            if key not in value:
                self._fail(f"{inner} is missing")
            self._fill(flat, item, inner, value[key])

    def _fail(self, text: str) -> NoReturn:
        raise InvocationError(f"function '{self._name}': {text}")


def _fields(value: Any, items: Mapping[str, Tree]) -> Mapping[Any, Any] | None:
    """The fields of a named tuple; of a plain one, or of a mapping, in its place."""
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    if isinstance(value, tuple):
        names = cast("tuple[str, ...]", getattr(cast(Any, value), "_fields", tuple(items)))
        parts = cast("tuple[Any, ...]", value)
        return dict(zip(names, parts, strict=True)) if len(parts) == len(names) == len(items) else None
    return None


def _is_same(value: Any, expected: object) -> bool:
    """Whether a value is the one that the program was made for; arrays never are."""
    if expected is None or isinstance(expected, str | bool):
        return value is expected or (isinstance(value, str | bool) and value == expected)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == expected


def _named_tuple(name: str, fields: Sequence[str]) -> Callable[..., Any]:
    # The fields are the model's: no type checker can know them.
    return collections.namedtuple(name, fields)  # pyright: ignore[reportUntypedNamedTuple]


def _builder(tree: Tree) -> Callable[[Sequence[Any]], Any]:
    """A function from flat results to nested ones."""
    match tree:
        case Leaf(index):
            return lambda flat: flat[index]
        case Literal(value):
            return lambda _: value
        case ListOf(items):
            parts = [_builder(i) for i in items]
            return lambda flat: [part(flat) for part in parts]
        case TupleOf(items):
            parts = [_builder(i) for i in items]
            return lambda flat: tuple([part(flat) for part in parts])
        case DictOf(items):
            pairs = [(key, _builder(i)) for key, i in items.items()]
            return lambda flat: {key: part(flat) for key, part in pairs}
        case NamedTupleOf(name, items):
            cls = _named_tuple(name, list(items))
            parts = [_builder(i) for i in items.values()]
            return lambda flat: cls(*[part(flat) for part in parts])


def _shape(parameter: Parameter) -> str:
    """What a missing parameter should have been, where it is more than an array."""
    return "" if isinstance(parameter.value, Leaf) else f" ({_describe_tree(parameter.value)})"


def _describe_tree(tree: Tree) -> str:
    match tree:
        case ListOf(items):
            return f"a list of {len(items)}"
        case TupleOf(items):
            return f"a tuple of {len(items)}"
        case DictOf(items):
            return f"a dict with {', '.join(map(repr, items)) or 'no keys'}"
        case NamedTupleOf(name, items):
            return f"a {name} of {', '.join(items)}"
        case Leaf():
            return "an array"
        case Literal(value):
            return repr(value)


def _describe(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)[:60]
    return f"a value of type {type(value).__name__}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
