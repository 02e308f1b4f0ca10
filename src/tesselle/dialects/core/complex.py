"""complex: making and taking apart complex numbers; arithmetic on them is expanded to their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core.arith import element_of, with_element
from tesselle.ir.attributes import DialectAttr
from tesselle.ir.core import ELEMENTWISE, PURE, Op, Value
from tesselle.ir.declare import op, op_base, operand_def
from tesselle.ir.text.elements import float_text
from tesselle.ir.types import Type
from tesselle.support.dtypes import C64, C128, F32, DType


@dataclass(frozen=True, slots=True)
class ComplexAttr(DialectAttr):
    """A typed complex number: `#complex.number<:f32 1.0, -2.0> : complex<f32>`."""

    value: complex
    type: DType

    def __str__(self) -> str:
        part = self.type.element
        real, imaginary = (float_text(x, part) for x in (self.value.real, self.value.imag))
        return f"#complex.number<:{part} {real}, {imaginary}> : {self.type}"


@op("complex.create", PURE, ELEMENTWISE)
class CreateOp(Op):
    """result = real + i·imaginary."""

    real: Value = operand_def()
    imaginary: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        self.require(self.real.type == self.imaginary.type, "type", "parts differ in type")
        return [with_element(self.real.type, C64 if element_of(self.real.type) == F32 else C128)]


@op_base
class PartOp(Op):
    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        element = element_of(self.operand.type)
        self.require(element.is_complex, "type", f"{self.operand.type} is not complex")
        return [with_element(self.operand.type, element.element)]


@op("complex.re", PURE, ELEMENTWISE)
class ReOp(PartOp):
    """The real part."""


@op("complex.im", PURE, ELEMENTWISE)
class ImOp(PartOp):
    """The imaginary part."""
