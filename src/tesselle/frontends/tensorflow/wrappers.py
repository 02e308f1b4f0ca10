"""Signatures that only call a function which is exported too: one function of the program stands for both.

def signature_wrapper(*, y, x):              serving_default is f, with its arguments in another order
    return {"output_0": f(x, y)}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tesselle.frontends.tensorflow.exports import Export
from tesselle.frontends.tensorflow.graph import function_attributes, functions_of
from tesselle.frontends.tensorflow.saved_model import SavedModel
from tesselle.frontends.tensorflow.signatures import FlatTensor, Signature
from tesselle.frontends.tensorflow.wire import Message

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def unwrap_signatures(model: SavedModel, exports: Sequence[Export]) -> tuple[Export, ...]:
    """The exports; those of wrappers run the function that they wrap."""
    functions = functions_of(model.graph)
    exported = {e.function.name: e for e in exports}
    found: list[Export] = []
    for export in exports:
        body = functions.get(export.function.name)
        call = None if body is None else _only_call(body)
        inner = None if call is None else exported.get(call.callee)
        if call is None or inner is None or inner is export:
            found.append(export)
            continue
        signature = _as_inner(export, call, inner)
        found.append(export if signature is None else replace(export, function=inner.function, signature=signature))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Call:
    """`arguments`: for each operand of the call, the wrapper's argument; `results`: for each result, the call's."""

    callee: str
    arguments: tuple[int, ...]
    results: tuple[int, ...]


def _only_call(function: Message) -> _Call | None:
    """The call that a function consists of; None where it does more."""
    signature = function.message(1)
    if signature is None:
        return None
    arguments = {a.text(1): i for i, a in enumerate(signature.messages(2))}
    call: Message | None = None
    sources: dict[str, str] = {}
    for node in function.messages(3):
        op, inputs = node.text(2), [i for i in node.texts(3) if not i.startswith("^")]
        if op in _CALLS and call is None:
            call = node
        elif op == "Identity" and len(inputs) == 1:
            sources[f"{node.text(1)}:output:0"] = inputs[0]
        elif op != "NoOp":
            return None
    if call is None:
        return None
    callee = next(function_attributes(call), "")
    operands = [arguments.get(i, -1) for i in call.texts(3) if not i.startswith("^")]
    prefix = f"{call.text(1)}:output:"
    returned = {pair.text(1): pair.text(2) for pair in function.messages(4)}
    results: list[int] = []
    for output in signature.messages(3):
        source = returned.get(output.text(1), "")
        of_call = sources.get(source, source)
        number = of_call.removeprefix(prefix)
        results.append(int(number) if of_call.startswith(prefix) and number.isdecimal() else -1)
    return None if -1 in operands or -1 in results else _Call(callee, tuple(operands), tuple(results))


def _as_inner(outer: Export, call: _Call, inner: Export) -> Signature | None:
    """How the wrapper's caller calls the inner function; None where the two do not fit."""
    theirs, ours = inner.signature, outer.signature
    count = len(theirs.arguments)
    if sorted(call.arguments[:count]) != list(range(len(ours.arguments))) or len(ours.arguments) != count:
        return None
    captures = tuple(c for i in call.arguments[count:] for c in outer.function.captures[i - count : i - count + 1])
    if captures != inner.function.captures or any(k >= len(theirs.results) for k in call.results):
        return None
    argument_places = {i: j for j, i in enumerate(call.arguments[:count])}
    arguments = tuple(ours.arguments[i] for i in call.arguments[:count])
    results = [FlatTensor((), "", r.spec) for r in theirs.results]
    for result, k in zip(ours.results, call.results, strict=True):
        if _type(result) != _type(theirs.results[k]):
            return None
        results[k] = result
    if list(map(_type, arguments)) != list(map(_type, theirs.arguments)):
        return None
    structure = ours.structure.renumbered(argument_places, dict(enumerate(call.results)))
    return Signature(structure, arguments, tuple(results), ours.problems, ours.is_convertible)


def _type(tensor: FlatTensor) -> tuple[int, tuple[int | None, ...] | None]:
    return tensor.spec.dtype, tensor.spec.shape
