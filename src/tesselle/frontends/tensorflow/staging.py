"""The SavedModel that TensorFlow is given to convert: functions of the original under plain names, and no weights.

The object graph is made anew: the root, the variables and constants that the functions capture, the functions, each
with one trace and one name. So TensorFlow has no say in names, and sees nothing that nobody asked for.
The checkpoint holds zeros for every variable, all of them the same bytes of one sparse file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tesselle.frontends.tensorflow.checkpoint import HEADER_KEY
from tesselle.frontends.tensorflow.crc32c import crc32c, crc32c_of_zeros, mask
from tesselle.frontends.tensorflow.dtypes import FLOAT, STRING, dtype_of
from tesselle.frontends.tensorflow.exports import Checked, Export
from tesselle.frontends.tensorflow.graph import Extracted, cut_graph, large_constants
from tesselle.frontends.tensorflow.object_graph import OBJECT_GRAPH_KEY, VALUE
from tesselle.frontends.tensorflow.saved_model import (
    DICT,
    GRAPH,
    META_GRAPHS,
    OBJECT_GRAPH,
    TENSOR_SPEC,
    TUPLE,
    Kind,
    SavedModel,
)
from tesselle.frontends.tensorflow.signatures import FlatTensor
from tesselle.frontends.tensorflow.table import write_table
from tesselle.frontends.tensorflow.wire import Message, bytes_field, fixed32_field, integer_field, varint

Array = np.ndarray[Any, Any]

_VARIABLES = "variables"
_META_INFO = 1


@dataclass(frozen=True, slots=True)
class Staged:
    """What the names in the staged model stand for.

    `functions`: name → trace. `objects`: name → number of the variable or constant in the original. `constants`:
    number → elements of a captured constant that is large, staged as zeros. `resources`: number → path of a resource
    that is no variable, and staged as one without elements that matter.
    """

    functions: Mapping[str, str]
    objects: Mapping[str, int]
    constants: Mapping[int, Array]
    resources: Mapping[int, str]
    extracted: Extracted


def stage(model: SavedModel, checked: Checked, shapes: Mapping[int, tuple[int, ...]], folder: Path) -> Staged:
    """Write the model into an empty folder. `shapes`: number of a variable → its shape in the checkpoint."""
    by_trace = {e.function.name: e for e in checked.exports}
    traces = list(by_trace)
    functions = {f"f{i}": trace for i, trace in enumerate(traces)}
    captured = sorted({c for trace in traces for c in model.concrete_functions[trace].captures})
    operations = {n: model.objects[n].detail[0] for n in captured if model.objects[n].kind is Kind.CONSTANT}
    large = large_constants(model.graph, operations.values())
    constants = {n: large[operation] for n, operation in operations.items() if operation in large}
    numbers = {n: i + 1 for i, n in enumerate(captured)}
    objects = {f"v{n}": n for n in captured}
    extracted = Extracted()

    object_graph = model.meta_graph.message(OBJECT_GRAPH)
    assert object_graph is not None, "read_saved_model has refused it"
    children = [*(f"v{n}" for n in captured), *functions]
    nodes = [_user_object(children)]
    originals = list(object_graph.messages(1))
    nodes += [_any_variable(f"v{n}") if n in checked.resources else _bare(originals[n]) for n in captured]
    nodes += [bytes_field(Kind.FUNCTION.value, bytes_field(1, name)) for name in functions]
    parts = [bytes_field(1, node) for node in nodes]
    parts += [bytes_field(2, _concrete_function(name, by_trace[trace], numbers)) for name, trace in functions.items()]
    info = model.meta_graph.message(_META_INFO)
    staged_graph = b"".join(
        (
            b"" if info is None else bytes_field(_META_INFO, info.data),
            bytes_field(GRAPH, cut_graph(model.graph, functions, operations.values(), extracted)),
            bytes_field(OBJECT_GRAPH, b"".join(parts)),
        )
    )
    schema_version = integer_field(1, model.message.integer(1))
    (folder / "saved_model.pb").write_bytes(schema_version + bytes_field(META_GRAPHS, staged_graph))

    tensors: dict[str, tuple[int, tuple[int, ...]]] = {}
    for n in captured:
        variable = model.objects[n].variable
        if n in checked.resources:
            tensors[f"v{n}"] = (FLOAT, ())
        elif variable is not None:
            tensors[f"v{n}"] = (variable.dtype, shapes[n])
    _write_checkpoint(folder / _VARIABLES, tensors, {name: i + 1 for i, name in enumerate(objects)})
    return Staged(functions, objects, constants, checked.resources, extracted)


def _user_object(children: Sequence[str]) -> bytes:
    references = [bytes_field(1, integer_field(1, i + 1) + bytes_field(2, name)) for i, name in enumerate(children)]
    return b"".join(references) + bytes_field(Kind.USER_OBJECT.value, bytes_field(1, "_generic_user_object"))


def _bare(node: Message) -> bytes:
    """A variable or a constant, without the rest of its object."""
    kinds = (Kind.VARIABLE.value, Kind.CONSTANT.value)
    return b"".join(bytes_field(k, body.data) for k in kinds for body in node.messages(k))


def _any_variable(name: str) -> bytes:
    """A variable, in place of a resource of another kind: a handle is a handle to the functions that take it."""
    fields = integer_field(1, FLOAT) + bytes_field(2, _shape(())) + bytes_field(6, name)
    return bytes_field(Kind.VARIABLE.value, fields)


def _concrete_function(name: str, export: Export, numbers: Mapping[int, int]) -> bytes:
    """A trace whose arguments and results are flat, with its captures called by their new numbers."""
    signature = export.signature
    no_keywords = bytes_field(DICT, b"")
    inputs = _tuple([_specs(signature.arguments), no_keywords])
    parts = [integer_field(2, numbers[c]) for c in export.function.captures]
    parts += [bytes_field(3, inputs), bytes_field(4, _specs(signature.results))]
    return bytes_field(1, name) + bytes_field(2, b"".join(parts))


def _specs(tensors: Sequence[FlatTensor]) -> bytes:
    return _tuple(
        [
            bytes_field(TENSOR_SPEC, bytes_field(2, _shape(t.spec.shape)) + integer_field(3, t.spec.dtype))
            for t in tensors
        ]
    )


def _tuple(values: Sequence[bytes]) -> bytes:
    return bytes_field(TUPLE, b"".join(bytes_field(1, value) for value in values))


def _shape(shape: Sequence[int | None] | None) -> bytes:
    if shape is None:
        return integer_field(3, 1)
    return b"".join(bytes_field(2, integer_field(1, -1 if size is None else size)) for size in shape)


# ------------------------------------------------------------------------------------------------ checkpoint


def _write_checkpoint(
    folder: Path, tensors: Mapping[str, tuple[int, tuple[int, ...]]], nodes: Mapping[str, int]
) -> None:
    """A checkpoint of zeros. `tensors`: key → element type and shape; the object of that name has it for its value."""
    folder.mkdir()
    references = [bytes_field(1, integer_field(1, i) + bytes_field(2, name)) for name, i in nodes.items()]
    tracked = [b"".join(references)]
    for name in nodes:
        attribute = bytes_field(1, VALUE) + bytes_field(3, name)
        tracked.append(bytes_field(2, attribute) if name in tensors else b"")
    graph = b"".join(bytes_field(1, node) for node in tracked)
    stored, crc = _stored_string(graph)
    entries = {HEADER_KEY: integer_field(1, 1) + bytes_field(3, integer_field(1, 1))}
    entries[OBJECT_GRAPH_KEY.encode()] = _entry(STRING, (), 0, len(stored), crc)
    end = 0
    for key, (number, shape) in tensors.items():
        dtype = dtype_of(number)
        assert dtype is not None
        size = math.prod(shape) * dtype.size_bytes
        end = max(end, size)
        entries[key.encode()] = _entry(number, shape, len(stored), size, crc32c_of_zeros(size))
    (folder / f"{_VARIABLES}.index").write_bytes(write_table(sorted(entries.items())))
    with (folder / f"{_VARIABLES}.data-00000-of-00001").open("wb") as file:
        file.write(stored)
        file.truncate(len(stored) + end)


def _entry(number: int, shape: Sequence[int], offset: int, size: int, crc: int) -> bytes:
    parts = [integer_field(1, number), bytes_field(2, _shape(shape)), integer_field(4, offset), integer_field(5, size)]
    return b"".join((*parts, fixed32_field(6, mask(crc))))


def _stored_string(value: bytes) -> tuple[bytes, int]:
    """A string as a checkpoint stores it, and its CRC."""
    length = crc32c(len(value).to_bytes(4, "little"))
    checksum = mask(length).to_bytes(4, "little")
    return varint(len(value)) + checksum + value, crc32c(value, crc32c(checksum, length))
