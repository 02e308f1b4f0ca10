"""Text of `complex`."""

from __future__ import annotations

from tesselle.dialects.core.complex import ComplexAttr, CreateOp, ImOp, ReOp
from tesselle.ir.text.format import register_format
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS
from tesselle.support.dtypes import DTYPES, DType

register_format(CreateOp, "$real `,` $imaginary attr-dict `:` type($real,$imaginary)")
register_format(ReOp, "$operand attr-dict `:` type($operand)")
register_format(ImOp, "$operand attr-dict `:` type($operand)")


def _parse_number(p: Parser) -> ComplexAttr:
    """`<:f32 1.0, -2.0>` behind `#complex.number`, and, if it is there, the type that follows from it."""
    p.expect_all("<", ":")
    part = p.type()
    at = p.pos
    parts: list[float] = []
    for end in (",", ">"):
        value = p.any_attribute()
        if not isinstance(value, float | int):
            p.fail("expected a number", at)
        parts.append(float(value))  # type: ignore[arg-type]  # checked above
        p.expect(end)
    t = p.type() if p.accept(":") else DTYPES.get(f"complex<{part}>")
    if not isinstance(t, DType) or not t.is_complex or t.element is not part:
        p.fail(f"expected a complex type of {part}, found {t}", at)
        raise AssertionError
    return ComplexAttr(complex(*parts), t)


ATTRIBUTE_PARSERS["complex.number"] = _parse_number
