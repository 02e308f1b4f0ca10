"""The report on operations that have no lowering: each once, with where it stands and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tesselle.dialects.tf_type.types import StringType
from tesselle.ir.core import Op
from tesselle.ir.types import TensorType
from tesselle.passes.input.tf_to_stablehlo.variables import bound_symbol
from tesselle.support.diagnostics import Diagnostic, Note

_LISTED = 3
"""So many further places are named."""

_STRINGS = "strings stay outside of compiled functions: turn them into numbers before the call, and back behind it"

_ADVICE = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"Table", "look keys up before the call, or keep the values in a tf.Variable and take them with tf.gather"),
        (r"String|Regex|Unicode|Substr|Base64", _STRINGS),
        (r"Ragged", "make it dense, by RaggedTensor.to_tensor(), and hand on the lengths of its rows"),
        (r"Sparse", "make it dense, by tf.sparse.to_dense, or write it with tf.gather and tf.math.segment_sum"),
        (r"PyFunc", "code in Python is not part of a model: write it in operations of TensorFlow, or call it outside"),
        (r"Dataset|Iterator|File|Summary|Decode|Encode|Parse", "read and write data outside, and pass on tensors"),
        (r"Random|Multinomial", "draw numbers with tf.random.stateless_…, or from a tf.random.Generator"),
    )
)
_OTHERWISE = "write it with other operations, or compute it outside and pass on tensors"


def moves_strings(op: Op) -> bool:
    """Whether an operation takes or gives strings, which few say in their names."""
    types = [v.type for v in (*op.operands, *op.results)]
    return any(isinstance(t, TensorType) and isinstance(t.dtype, StringType) for t in types)


def _advice(op: Op) -> str:
    if moves_strings(op):
        return _STRINGS
    return next((text for pattern, text in _ADVICE if pattern.search(op.name)), _OTHERWISE)


def not_supported(ops: Iterable[Op]) -> list[Diagnostic]:
    """One finding for all operations of a name."""
    by_name: dict[str, list[Op]] = {}
    for op in ops:
        by_name.setdefault(op.name, []).append(op)
    return [_finding(same) for same in by_name.values()]


def _finding(ops: list[Op]) -> Diagnostic:
    op, *others = ops
    notes: list[Note] = []
    if others:
        places = list(dict.fromkeys(str(o.location) for o in others))
        more = f", and in {len(places) - _LISTED} more places" if len(places) > _LISTED else ""
        notes.append(Note(f"also {', '.join(places[:_LISTED])}{more}"))
    taken = dict.fromkeys(str(s.root) for o in ops for v in o.operands if (s := bound_symbol(v)) is not None)
    if taken:
        notes.append(Note(f"it uses {', '.join(map(repr, taken))}"))
    notes.append(Note(_advice(op)))
    return Diagnostic(f"{op.name} is not supported", op.location, op.name, tuple(notes))
