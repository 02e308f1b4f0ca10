"""Text of `flow`: its types; operations are written in the generic form but for the terminator."""

from __future__ import annotations

from tesselle.dialects.flow.ops import Access, DispatchTensorType, ReturnOp
from tesselle.ir.text.format import register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import TYPE_PARSERS
from tesselle.ir.types import TensorType


def _dispatch_tensor(p: Parser) -> DispatchTensorType:
    """`<readonly:tensor<…>>`."""
    p.expect("<")
    access = p.enum_value(Access)
    p.expect(":")
    at = p.pos
    t = p.type()
    if not isinstance(t, TensorType):
        p.fail(f"expected a tensor type, found {t}", at)
    p.expect(">")
    return DispatchTensorType(access, t)


TYPE_PARSERS["flow.dispatch.tensor"] = _dispatch_tensor
register_value_list(ReturnOp)
