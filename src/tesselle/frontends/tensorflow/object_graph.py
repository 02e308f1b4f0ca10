"""Which tensor of the checkpoint holds which variable.

The checkpoint has a graph of its own (TrackableObjectGraph), whose nodes name tensors. Both graphs begin at the root and
are walked side by side, by the names of their edges, as TensorFlow does when it restores.
Source: tensorflow/core/protobuf/trackable_object_graph.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.frontends.tensorflow.checkpoint import Checkpoint
from tesselle.frontends.tensorflow.saved_model import SavedObject
from tesselle.frontends.tensorflow.wire import Message

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"
"""The attribute of an object that is the value of a variable."""


@dataclass(frozen=True, slots=True)
class _Node:
    children: dict[str, int]
    key: str


def variable_keys(objects: Sequence[SavedObject], checkpoint: Checkpoint) -> dict[int, str]:
    """Number of a saved object → key of the tensor that it holds. Errors: ParseError."""
    graph = checkpoint.read_string(OBJECT_GRAPH_KEY)
    nodes = [_node(n) for n in graph.messages(1)]
    if not nodes:
        graph.fail("an object graph without objects")
    keys: dict[int, str] = {}
    pairs = [(0, 0)]
    seen = {0}
    while pairs:
        saved, tracked = pairs.pop()
        if tracked >= len(nodes):
            graph.fail(f"there is no object {tracked}")
        node = nodes[tracked]
        if node.key:
            keys[saved] = node.key
        for name, child in objects[saved].children.items():
            below = node.children.get(name)
            if below is not None and child not in seen:
                seen.add(child)
                pairs.append((child, below))
    return keys


def _node(message: Message) -> _Node:
    children = {reference.text(2): reference.integer(1) for reference in message.messages(1)}
    values = [a.text(3) for a in message.messages(2) if a.text(1) == VALUE]
    return _Node(children, values[0] if values else "")
