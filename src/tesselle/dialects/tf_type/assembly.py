"""Text of `tf_type`: the readers of its types. Its attributes are kept as they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tesselle.dialects.tf_type.types import OpaqueType, Subtype, other, resource, variant
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS
from tesselle.ir.types import TensorType, UnrankedTensorType
from tesselle.support.dtypes import DTYPES

_UNRANKED = re.compile(r"tensor<\s*\*\s*x\s*(.+)>")

_OTHER = "string qint8 qint16 qint32 quint8 quint16 control"


def _parse_with_subtypes(make: Callable[[Sequence[Subtype]], OpaqueType]) -> Callable[[Parser], OpaqueType]:
    """`<tensor<…>, …>`, or nothing."""

    def parse(p: Parser) -> OpaqueType:
        subtypes: list[Subtype] = []
        if p.accept("<"):
            while not p.accept(">"):
                if subtypes:
                    p.expect(",")
                subtypes.append(_subtype(p))
        return make(subtypes)

    return parse


def _subtype(p: Parser) -> Subtype:
    at = p.pos
    unranked = _UNRANKED.fullmatch(p.token)
    if unranked is not None:
        dtype = DTYPES.get(unranked[1].strip())
        if dtype is None:
            p.unsupported_type(f"handles of {p.token} are not supported", at)
        p.pos += 1
        return Subtype(None, dtype)
    if p.token == "tensor":  # nested too deep for one token: a handle of handles
        p.expect_all("tensor", "<", "*", "x") if p.tokens[at + 2] == "*" else None
        if p.pos != at:
            t = p.type()
            p.expect(">")
            if not isinstance(t, OpaqueType):
                p.unexpected("an element type", at)
            return Subtype(None, t)
    t = p.type()
    if isinstance(t, UnrankedTensorType):
        return Subtype(None, t.dtype)
    if not isinstance(t, TensorType):
        p.unexpected("a tensor type", at)
    return Subtype(t.shape, t.dtype)


def _parse_other(name: str) -> Callable[[Parser], OpaqueType]:
    return lambda _: other(name)


TYPE_PARSERS["tf_type.variant"] = _parse_with_subtypes(variant)
TYPE_PARSERS["tf_type.resource"] = _parse_with_subtypes(resource)
for _name in _OTHER.split():
    TYPE_PARSERS[f"tf_type.{_name}"] = _parse_other(_name)
