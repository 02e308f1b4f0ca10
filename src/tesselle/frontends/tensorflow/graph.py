"""The graph of a SavedModel, cut down to what is converted, with large data taken out of it.

Functions that nothing reaches are left out. The artifacts of StableHLO in `XlaCallModule` are taken out, as Tesselle
reads them itself; so are large constants of floats, whose place is taken by variables:

    c = Const(value = <4 MB>)      ->      c/handle = VarHandleOp(shared_name = "constant.0")
                                           c = ReadVariableOp(c/handle)

TensorFlow hands programs over as text. No shape depends on the elements of a constant of floats.

Its importer does not know the shapes of variables, and refuses to take from them by more than one index:

    y = ResourceGatherNd(v, i)         ->      y/read = ReadVariableOp(v)
                                               y = GatherNd(y/read, i)

Source: tensorflow/core/framework/graph.proto, function.proto, node_def.proto, attr_value.proto, tensor.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tesselle.frontends.tensorflow.dtypes import dtype_of
from tesselle.frontends.tensorflow.wire import Message, bytes_field, integer_field, to_signed

CONSTANT = "constant."
"""Prefix of the shared names of variables that stand for constants."""
MODULE = "tesselle.module."
"""Prefix of what stands for an embedded module; its number follows."""

_LARGE_BYTES = 4096

# Numbers of fields.
_NODES, _LIBRARY, _VERSIONS = 1, 2, 4  # of a GraphDef
_FUNCTIONS = 1  # of a FunctionDefLibrary
_SIGNATURE, _NODE_DEFS, _RETURNS = 1, 3, 4  # of a FunctionDef
_NAME, _OP, _INPUTS, _ATTRIBUTES = 1, 2, 3, 5  # of a NodeDef
_KEY, _VALUE = 1, 2  # of a pair in a map
_LIST, _STRING, _TYPE, _SHAPE, _TENSOR, _FUNCTION = 1, 2, 6, 7, 8, 10  # of an AttrValue
_LIST_FUNCTIONS = 9  # of a list in an AttrValue

Array = np.ndarray[Any, Any]


@dataclass
class Extracted:
    """What was taken out: name of the variable → elements of a constant; the embedded modules, by number."""

    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    modules: list[Message] = field(default_factory=list[Message])


def cut_graph(graph: Message, functions: Mapping[str, str], constants: Iterable[str], extracted: Extracted) -> bytes:
    """A GraphDef with copies of functions, what they reach, and those nodes of the graph itself that `constants` names.

    `functions`: name of the copy → name of the function. Copies, as TensorFlow's importer does not take all names: that
    of a signature's wrapper makes it crash.
    """
    by_name = functions_of(graph)
    waiting: list[str] = []

    def edited(name: str) -> bytes:
        editor = _FunctionEditor(by_name[name], extracted)
        function = editor.edited()
        waiting.extend(n for n in editor.references if n in by_name)
        return function

    for copied in functions.values():
        if copied not in by_name:
            graph.fail(f"there is no function '{copied}'")
    copies = [_renamed_function(edited(copied), graph.file, copy) for copy, copied in functions.items()]
    kept: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = edited(name)
    wanted = set(constants)
    parts = [bytes_field(_NODES, _without_data(n)) for n in graph.messages(_NODES) if n.text(_NAME) in wanted]
    # In the order of the source, so that the same model always gives the same program.
    all_functions = copies + [kept[n] for n in by_name if n in kept]
    parts.append(bytes_field(_LIBRARY, b"".join(bytes_field(_FUNCTIONS, f) for f in all_functions)))
    versions = graph.message(_VERSIONS)
    if versions is not None:
        parts.append(bytes_field(_VERSIONS, versions.data))
    return b"".join(parts)


def functions_of(graph: Message) -> dict[str, Message]:
    """The functions of a GraphDef, by name."""
    library = graph.message(_LIBRARY)
    return {} if library is None else {_function_name(f): f for f in library.messages(_FUNCTIONS)}


def large_constants(graph: Message, names: Iterable[str]) -> dict[str, Array]:
    """The elements of those nodes of the graph itself that are large constants of floats, by name."""
    wanted = set(names)
    found: dict[str, Array] = {}
    for node in graph.messages(_NODES) if wanted else ():
        name = node.text(_NAME)
        value = _large_constant(node) if name in wanted else None
        if value is not None:
            found[name] = value[1]
    return found


def _without_data(node: Message) -> bytes | memoryview:
    """A node, with zeros in place of the elements of a large constant."""
    large = _large_constant(node)
    if large is None:
        return node.data
    dtype, shape = large[0].integer(1), large[0].message(2)
    zeros = integer_field(1, dtype) + bytes_field(2, b"" if shape is None else shape.data)

    def edit(_: int, pair: Message) -> bytes | None:
        if pair.text(_KEY) != "value":
            return None
        return bytes_field(_KEY, "value") + bytes_field(_VALUE, bytes_field(_TENSOR, zeros))

    return node.edited(_ATTRIBUTES, edit)


def _function_name(function: Message) -> str:
    signature = function.message(_SIGNATURE)
    return "" if signature is None else signature.text(_NAME)


def _renamed_function(function: bytes, file: str, name: str) -> bytes:
    def rename(_: int, signature: Message) -> bytes:
        return signature.edited(_NAME, lambda _, __: name.encode())

    return Message.of(function, file).edited(_SIGNATURE, rename)


class _FunctionEditor:
    """One FunctionDef. `references` are the names of the functions that its nodes may call."""

    def __init__(self, function: Message, extracted: Extracted) -> None:
        self.function = function
        self.extracted = extracted
        self.references: list[str] = []
        self._added: list[bytes] = []
        self._outputs: dict[str, str] = {}
        """Outputs of constants that are variables now: what they were called → what they are called."""

    def edited(self) -> bytes:
        for node in self.function.messages(_NODE_DEFS):
            if _large_constant(node) is not None:
                name = node.text(_NAME)
                self._outputs[f"{name}:output:0"] = f"{name}:value:0"
        nodes = self.function.edited(_NODE_DEFS, lambda _, node: self._node(node))
        if not self._added:
            return nodes
        whole = nodes + b"".join(bytes_field(_NODE_DEFS, node) for node in self._added)
        return Message.of(whole, self.function.file).edited(_RETURNS, lambda _, pair: self._renamed(pair, _VALUE))

    def _node(self, node: Message) -> bytes | None:
        """What stands for a node; None for itself."""
        op = node.text(_OP)
        self.references.append(op)
        self.references.extend(function_attributes(node))
        constant = _large_constant(node)
        if constant is not None:
            return self._variable(node, *constant)
        if op == "XlaCallModule":
            return node.edited(_ATTRIBUTES, lambda _, pair: self._module(pair))
        if op == "ResourceGatherNd":
            return self._gather(node)
        return self._renamed(node, _INPUTS) if self._outputs else None

    def _variable(self, node: Message, tensor: Message, value: Array) -> bytes:
        """A read of a variable in place of a constant."""
        name = node.text(_NAME)
        shared_name = f"{CONSTANT}{len(self.extracted.constants)}"
        self.extracted.constants[shared_name] = value
        dtype = integer_field(_TYPE, tensor.integer(1))
        shape = tensor.message(2)
        attributes = {
            "container": bytes_field(_STRING, ""),
            "shared_name": bytes_field(_STRING, shared_name),
            "dtype": dtype,
            "shape": bytes_field(_SHAPE, b"" if shape is None else shape.data),
            "allowed_devices": bytes_field(_LIST, b""),
        }
        self._added.append(_node_def(f"{name}/handle", "VarHandleOp", (), attributes))
        return _node_def(name, "ReadVariableOp", (f"{name}/handle:resource:0",), {"dtype": dtype})

    def _gather(self, node: Message) -> bytes:
        """Elements of what a variable holds, in place of elements of a variable."""
        name = node.text(_NAME)
        inputs = node.texts(_INPUTS)
        given = {pair.text(_KEY): value for pair in node.messages(_ATTRIBUTES) if (value := pair.message(_VALUE))}
        if len(inputs) < 2 or not {"dtype", "Tindices"} <= given.keys():
            node.fail(f"'{name}' lacks operands or types")
        resource, indices, *control = inputs
        dtype, index = bytes(given["dtype"].data), bytes(given["Tindices"].data)
        self._added.append(_node_def(f"{name}/read", "ReadVariableOp", (resource, *control), {"dtype": dtype}))
        operands = (f"{name}/read:value:0", indices, *control)
        return _node_def(name, "GatherNd", operands, {"Tparams": dtype, "Tindices": index})

    def _module(self, pair: Message) -> bytes | None:
        """A number in place of an embedded module; `pair` is an attribute."""
        value = pair.message(_VALUE)
        content = None if value is None else value.message(_STRING)
        if pair.text(_KEY) != "module" or content is None:
            return None
        placeholder = f"{MODULE}{len(self.extracted.modules)}"
        self.extracted.modules.append(content)
        return bytes_field(_KEY, "module") + bytes_field(_VALUE, bytes_field(_STRING, placeholder))

    def _renamed(self, message: Message, number: int) -> bytes:
        """The message with the outputs that the strings of a field name called by their new names."""

        def rename(_: int, text: Message) -> bytes | None:
            new = self._outputs.get(text.to_text())
            return None if new is None else new.encode()

        return message.edited(number, rename)


def _node_def(name: str, op: str, inputs: Iterable[str], attributes: dict[str, bytes]) -> bytes:
    parts = [bytes_field(_NAME, name), bytes_field(_OP, op)]
    parts += [bytes_field(_INPUTS, i) for i in inputs]
    for key, value in attributes.items():
        parts.append(bytes_field(_ATTRIBUTES, bytes_field(_KEY, key) + bytes_field(_VALUE, value)))
    return b"".join(parts)


def function_attributes(node: Message) -> Iterator[str]:
    """The names of the functions in a node's attributes."""
    for pair in node.messages(_ATTRIBUTES):
        value = pair.message(_VALUE)
        if value is None:
            continue
        for function in value.messages(_FUNCTION):
            yield function.text(1)
        for several in value.messages(_LIST):
            for function in several.messages(_LIST_FUNCTIONS):
                yield function.text(1)


def _large_constant(node: Message) -> tuple[Message, Array] | None:
    """The TensorProto of a constant of many floats, and its elements; None for any other node."""
    if len(node.data) < _LARGE_BYTES or node.text(_OP) != "Const":
        return None
    for pair in node.messages(_ATTRIBUTES):
        value = pair.message(_VALUE)
        tensor = None if value is None or pair.text(_KEY) != "value" else value.message(_TENSOR)
        if tensor is None:
            continue
        dtype, shape, content = dtype_of(tensor.integer(1)), tensor.message(2), tensor.message(4)
        if dtype is None or not (dtype.is_float or dtype.is_complex) or shape is None or content is None:
            return None
        sizes = tuple(to_signed(dim.integer(1)) for dim in shape.messages(2))
        if any(s < 0 for s in sizes) or math.prod(sizes) * dtype.size_bytes != len(content.data):
            tensor.fail(f"{len(content.data)} bytes, which is not what a constant of shape {sizes} takes")
        if len(content.data) < _LARGE_BYTES:
            return None
        elements = np.frombuffer(bytes(content.data), dtype.numpy).reshape(sizes)
        return tensor, elements
    return None
