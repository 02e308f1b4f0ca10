"""How a function of a SavedModel is called: its nested arguments and results, and the names of the flat ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tesselle.artifact.structure import (
    DictOf,
    Leaf,
    ListOf,
    Literal,
    NamedTupleOf,
    Parameter,
    Structure,
    Tree,
    TupleOf,
    walk,
)
from tesselle.frontends.tensorflow.dtypes import dtype_name, dtype_of
from tesselle.frontends.tensorflow.saved_model import (
    ConcreteFunction,
    Kind,
    NamedTuple,
    Opaque,
    SavedObject,
    Structured,
    TensorSpec,
)

Path = tuple["int | str", ...]
"""Keys that lead from the whole to a part, as TensorFlow writes them in `tf_saved_model.index_path`."""


@dataclass(frozen=True, slots=True)
class FlatTensor:
    """A tensor among the arguments or results: where it stands, and its name in flat calls (empty: none)."""

    path: Path
    name: str
    spec: TensorSpec


@dataclass(frozen=True, slots=True)
class Signature:
    """`problems` are the arguments and results that an artifact cannot have; `is_convertible`: whether all of them are
    tensors, so that TensorFlow can convert the function none the less.
    """

    structure: Structure
    arguments: tuple[FlatTensor, ...]
    results: tuple[FlatTensor, ...]
    problems: tuple[str, ...] = ()
    is_convertible: bool = True

    @property
    def is_flat(self) -> bool:
        """Whether the nesting says no more than the flat arguments and results do."""
        values = [p.value for p in self.structure.positional]
        arguments = values == [Leaf(i) for i in range(len(self.arguments))] and not self.structure.keyword
        count = len(self.results)
        results = Leaf(0) if count == 1 else TupleOf(tuple(Leaf(i) for i in range(count)))
        named = [p.name for p in self.structure.positional] == [a.name for a in self.arguments]
        return arguments and named and self.structure.results == results and not self.problems


class _Flattener:
    """Numbers the tensors of structures in their order."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tensors: list[FlatTensor] = []
        self.problems: list[str] = []
        self.is_convertible = True

    def tree(self, value: Structured, path: Path, name: str) -> Tree:
        match value:
            case TensorSpec():
                if dtype_of(value.dtype) is None:
                    self.problems.append(
                        f"{self.what} {name or 'value'} holds elements of type {dtype_name(value.dtype)}"
                    )
                elif value.shape is None:
                    self.problems.append(f"{self.what} {name or 'value'} has no fixed rank")
                self.tensors.append(FlatTensor(path, name, value))
                return Leaf(len(self.tensors) - 1)
            case Opaque(text):
                self.problems.append(f"{self.what} {name or 'value'} is {text}")
                self.is_convertible = False
                return Literal(None)
            case list():
                return ListOf(self._items(value, path, name))
            case tuple():
                return TupleOf(self._items(value, path, name))
            case dict():
                return DictOf({k: self.tree(v, (*path, k), _joined(name, k)) for k, v in value.items()})
            case NamedTuple(type_name, fields):
                items = {k: self.tree(v, (*path, k), _joined(name, k)) for k, v in fields.items()}
                return NamedTupleOf(type_name, items)
            case _:
                return Literal(value)

    def _items(self, values: Sequence[Structured], path: Path, name: str) -> tuple[Tree, ...]:
        return tuple(self.tree(v, (*path, i), _joined(name, i)) for i, v in enumerate(values))


def _joined(name: str, key: int | str) -> str:
    return f"{name}.{key}" if name else str(key)


def signature_of(function: ConcreteFunction, caller: SavedObject) -> Signature:
    """The signature of a trace, called through `caller`: a function, or a bare one, whose arguments have names only."""
    match function.inputs:
        case (tuple() as positional, dict() as keyword):
            pass
        case _:
            return Signature(Structure((), (), Literal(None)), (), (), ("its arguments are not known",), False)
    arguments = _Flattener("argument")
    if caller.kind is Kind.BARE_FUNCTION:
        names: Sequence[str] = [n for n in caller.keywords if n in keyword][: caller.allowed_positional]
    else:
        names = _positional_names(caller.spec, len(positional))
    by_position: list[Parameter] = []
    for i, value in enumerate(positional):
        name = names[i] if i < len(names) else ""
        by_position.append(_parameter(name, arguments.tree(value, (i,), name or f"arg{i}")))
    by_name = {k: _parameter(k, arguments.tree(v, (k,), k)) for k, v in keyword.items()}
    if caller.kind is Kind.BARE_FUNCTION:
        by_position += [by_name.pop(n) for n in names]
    results = _Flattener("result")
    tree = results.tree(function.outputs, (), "")
    structure = Structure(tuple(by_position), tuple(by_name.values()), tree)
    return Signature(
        structure,
        tuple(arguments.tensors),
        tuple(results.tensors),
        (*arguments.problems, *results.problems),
        arguments.is_convertible and results.is_convertible,
    )


def _parameter(name: str, tree: Tree) -> Parameter:
    """A parameter without tensors may be left out: it has one value only."""
    return Parameter(name, tree, next(walk(tree, ""), None) is None)


def _positional_names(spec: Structured, count: int) -> list[str]:
    """What Python calls the positional parameters; those of `*args` have no names."""
    fields: Mapping[str, Structured] = spec.fields if isinstance(spec, NamedTuple) else {}
    args = fields.get("args")
    names = [a for a in args if isinstance(a, str)] if isinstance(args, list | tuple) else []
    if names[:1] == ["self"] and len(names) > count:
        del names[0]
    return names[:count]
