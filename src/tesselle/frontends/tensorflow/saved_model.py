"""`saved_model.pb`: the graph of saved objects, and the signatures of functions, as far as an import needs them.

Source: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saved_object_graph.proto, struct.proto.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tesselle.frontends.tensorflow.wire import Message, to_signed
from tesselle.support.diagnostics import Unsupported

META_GRAPHS = 2
GRAPH, OBJECT_GRAPH = 2, 7
"""Fields of a MetaGraphDef."""

TENSOR_SPEC, TUPLE, DICT = 33, 52, 53
"""Fields of a StructuredValue."""

_SERVE = "serve"
_MAX_DEPTH = 64
"""Of nested structures."""


class Kind(enum.Enum):
    """What a saved object is; the value is the number of the field that says so."""

    USER_OBJECT = 4
    ASSET = 5
    FUNCTION = 6
    VARIABLE = 7
    BARE_FUNCTION = 8
    CONSTANT = 9
    RESOURCE = 10
    CAPTURED_TENSOR = 12
    NOTHING = 0


@dataclass(frozen=True, slots=True)
class SavedVariable:
    """None in `shape` is a dimension that may change; None for it a rank that may."""

    dtype: int
    shape: tuple[int | None, ...] | None
    name: str


@dataclass(frozen=True, slots=True)
class SavedObject:
    """A node of the object graph. `children`: attribute → number of the node.

    `detail` belongs to the kind: the identifier of a user object, the names of a function's traces, the name of a bare
    function's trace, the name of a constant's operation.
    """

    kind: Kind
    children: Mapping[str, int]
    detail: tuple[str, ...] = ()
    variable: SavedVariable | None = None
    spec: Structured = None
    """Of a function: its FunctionSpec's fullargspec."""
    keywords: tuple[str, ...] = ()
    allowed_positional: int = 0
    """Of a bare function: how its flat arguments are called."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor in a structure."""

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class NamedTuple:
    name: str
    fields: Mapping[str, Structured]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that has no place in an artifact, such as a composite tensor; `text` is what errors call it."""

    text: str


_Leaf: TypeAlias = "bool | int | float | str | TensorSpec | NamedTuple | Opaque | None"
Structured: TypeAlias = "_Leaf | list[Structured] | tuple[Structured, ...] | dict[str, Structured]"
"""A nested structure, the Python value that a StructuredValue stands for."""


@dataclass(frozen=True, slots=True)
class ConcreteFunction:
    """A trace. `inputs`: a tuple by position and a dict by name. `captures`: the objects behind its last arguments."""

    name: str
    captures: tuple[int, ...]
    inputs: Structured
    outputs: Structured


@dataclass(frozen=True, slots=True)
class SavedModel:
    """The one meta graph that is imported, and what its object graph holds."""

    message: Message
    meta_graph: Message
    tensorflow_version: str
    objects: tuple[SavedObject, ...]
    concrete_functions: Mapping[str, ConcreteFunction]

    @property
    def graph(self) -> Message:
        """The GraphDef, which holds the functions."""
        return self.meta_graph.message(GRAPH) or Message.of(b"", self.message.file)


def read_saved_model(message: Message) -> SavedModel:
    """Errors: ParseError; Unsupported for models of TensorFlow 1, which have no object graph."""
    graphs = list(message.messages(META_GRAPHS))
    if not graphs:
        message.fail("a SavedModel without a graph")
    tags = [_tags(g) for g in graphs]
    serving = [i for i, t in enumerate(tags) if _SERVE in t]
    if len(graphs) > 1 and len(serving) != 1:
        listed = "; ".join(", ".join(t) or "none" for t in tags)
        raise Unsupported(f"{message.file}: one graph tagged '{_SERVE}' is expected, the graphs are tagged: {listed}")
    chosen = serving[0] if len(graphs) > 1 else 0
    object_graph = graphs[chosen].message(OBJECT_GRAPH)
    info = graphs[chosen].message(1)
    version = "" if info is None else info.text(5)
    if object_graph is None:
        raise Unsupported(
            f"{message.file}: a SavedModel of TensorFlow 1 ({version}), without saved objects: load it with"
            " tf.saved_model.load and save what it has with tf.saved_model.save"
        )
    objects = tuple(_saved_object(n) for n in object_graph.messages(1))
    for i, node in enumerate(objects):
        for name, child in node.children.items():
            if child >= len(objects):
                object_graph.fail(f"object {i} has a child '{name}' that is not there ({child})")
    if not objects:
        object_graph.fail("an object graph without objects")
    functions: dict[str, ConcreteFunction] = {}
    for pair in object_graph.messages(2):
        function = _concrete_function(pair.text(1), pair.message(2) or pair)
        if any(c >= len(objects) for c in function.captures):
            pair.fail(f"function '{function.name}' captures an object that is not there")
        functions[function.name] = function
    for node in objects:
        if node.kind in (Kind.FUNCTION, Kind.BARE_FUNCTION):
            for name in node.detail:
                if name not in functions:
                    object_graph.fail(f"there is no concrete function '{name}'")
    return SavedModel(message, graphs[chosen], version, objects, functions)


def _tags(meta_graph: Message) -> list[str]:
    info = meta_graph.message(1)
    return [] if info is None else info.texts(4)


def _saved_object(node: Message) -> SavedObject:
    children: dict[str, int] = {}
    kind, body = Kind.NOTHING, node
    kinds = {k.value: k for k in Kind}
    for number, value in node.fields():
        if number == 1:
            reference = node.as_message(value, number)
            children[reference.text(2)] = reference.integer(1)
        elif number in kinds:
            kind, body = kinds[number], node.as_message(value, number)
    match kind:
        case Kind.USER_OBJECT | Kind.CONSTANT:
            return SavedObject(kind, children, (body.text(1),))
        case Kind.FUNCTION:
            return SavedObject(kind, children, tuple(body.texts(1)), spec=_full_arg_spec(body.message(2)))
        case Kind.BARE_FUNCTION:
            return SavedObject(
                kind,
                children,
                (body.text(1),),
                spec=_full_arg_spec(body.message(4)),
                keywords=tuple(body.texts(2)),
                allowed_positional=body.integer(3),
            )
        case Kind.VARIABLE:
            variable = SavedVariable(body.integer(1), _shape(body.message(2)), body.text(6))
            return SavedObject(kind, children, variable=variable)
        case _:
            return SavedObject(kind, children)


def _full_arg_spec(function_spec: Message | None) -> Structured:
    spec = None if function_spec is None else function_spec.message(1)
    return None if spec is None else read_structured(spec)


def _concrete_function(name: str, message: Message) -> ConcreteFunction:
    inputs, outputs = message.message(3), message.message(4)
    return ConcreteFunction(
        name,
        tuple(message.integers(2)),
        None if inputs is None else read_structured(inputs),
        None if outputs is None else read_structured(outputs),
    )


def _shape(message: Message | None) -> tuple[int | None, ...] | None:
    """A TensorShapeProto; one that is not there has rank 0."""
    if message is None:
        return ()
    if message.integer(3):
        return None
    sizes = [to_signed(dim.integer(1)) for dim in message.messages(2)]
    return tuple(None if size < 0 else size for size in sizes)


def read_structured(message: Message, depth: int = 0) -> Structured:
    """The Python value of a StructuredValue."""
    if depth > _MAX_DEPTH:
        message.fail(f"a structure nested more than {_MAX_DEPTH} deep")
    found: Structured = None
    for number, value in message.fields():
        found = _structured(number, value, message, depth + 1)
    return found


def _structured(number: int, value: int | Message, parent: Message, depth: int) -> Structured:
    if isinstance(value, int):
        match number:
            case 11:
                return _double(value)
            case 12:
                # sint64: the sign is the last bit.
                return value >> 1 ^ -(value & 1)
            case 14:
                return bool(value)
            case 32:
                return Opaque(f"element type {value}")
            case _:
                parent.fail(f"a structure of an unknown kind ({number})")
    match number:
        case 1:
            return None
        case 13:
            return value.to_text()
        case 31:
            return Opaque("a shape")
        case 33 | 35:  # TENSOR_SPEC, and one with bounds
            return TensorSpec(value.text(1), value.integer(3), _shape(value.message(2)))
        case 34:
            return Opaque(value.text(3) or "a composite tensor")
        case 51:
            return [read_structured(v, depth) for v in value.messages(1)]
        case 52:
            return tuple(read_structured(v, depth) for v in value.messages(1))
        case 53:
            return dict(sorted(_pairs(value, 1, depth)))
        case 54:
            return NamedTuple(value.text(1), dict(_pairs(value, 2, depth)))
        case 55 | 56:
            return Opaque("a constant tensor")
        case _:
            parent.fail(f"a structure of an unknown kind ({number})")


def _pairs(message: Message, number: int, depth: int) -> list[tuple[str, Structured]]:
    pairs: list[tuple[str, Structured]] = []
    for pair in message.messages(number):
        value = pair.message(2)
        pairs.append((pair.text(1), None if value is None else read_structured(value, depth)))
    return pairs


def _double(bits: int) -> float:
    return struct.unpack("<d", bits.to_bytes(8, "little"))[0]
