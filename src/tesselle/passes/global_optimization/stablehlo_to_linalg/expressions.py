"""Float scalars with Python's operators, to write the bodies of loop nests as formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import math as m
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.support.dtypes import DType


class Condition:
    """A boolean scalar."""

    def __init__(self, b: Builder, value: Value) -> None:
        self.b, self.value = b, value

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.b, self.b.insert(a.AndIOp(self.value, other.value)).result)

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.b, self.b.insert(a.OrIOp(self.value, other.value)).result)

    def __invert__(self) -> Condition:
        true = scalar_constant(self.b, True, self.dtype)
        return Condition(self.b, self.b.insert(a.XOrIOp(self.value, true)).result)

    @property
    def dtype(self) -> DType:
        assert isinstance(self.value.type, DType)
        return self.value.type


class Expression:
    """A float scalar; numbers take its type."""

    def __init__(self, b: Builder, value: Value) -> None:
        self.b, self.value = b, value

    @property
    def dtype(self) -> DType:
        assert isinstance(self.value.type, DType)
        return self.value.type

    def number(self, value: float) -> Expression:
        """A constant of this type."""
        return Expression(self.b, scalar_constant(self.b, value, self.dtype))

    def _of(self, cls: Any, *args: Value) -> Expression:
        return Expression(self.b, self.b.insert(cls(*args)).result)

    def _other(self, other: Expression | float) -> Value:
        return other.value if isinstance(other, Expression) else self.number(other).value

    def __add__(self, other: Expression | float) -> Expression:
        return self._of(a.AddFOp, self.value, self._other(other))

    def __radd__(self, other: float) -> Expression:
        return self._of(a.AddFOp, self._other(other), self.value)

    def __sub__(self, other: Expression | float) -> Expression:
        return self._of(a.SubFOp, self.value, self._other(other))

    def __rsub__(self, other: float) -> Expression:
        return self._of(a.SubFOp, self._other(other), self.value)

    def __mul__(self, other: Expression | float) -> Expression:
        return self._of(a.MulFOp, self.value, self._other(other))

    def __rmul__(self, other: float) -> Expression:
        return self._of(a.MulFOp, self._other(other), self.value)

    def __truediv__(self, other: Expression | float) -> Expression:
        return self._of(a.DivFOp, self.value, self._other(other))

    def __rtruediv__(self, other: float) -> Expression:
        return self._of(a.DivFOp, self._other(other), self.value)

    def __neg__(self) -> Expression:
        return self._of(a.NegFOp, self.value)

    def __abs__(self) -> Expression:
        return self.apply(m.AbsFOp)

    def __lt__(self, other: Expression | float) -> Condition:
        return self.compare(a.CmpFPredicate.OLT, other)

    def __le__(self, other: Expression | float) -> Condition:
        return self.compare(a.CmpFPredicate.OLE, other)

    def __gt__(self, other: Expression | float) -> Condition:
        return self.compare(a.CmpFPredicate.OGT, other)

    def __ge__(self, other: Expression | float) -> Condition:
        return self.compare(a.CmpFPredicate.OGE, other)

    def equals(self, other: Expression | float) -> Condition:
        """Ordered: false for nan. (`==` is left to Python, which needs it for identity.)"""
        return self.compare(a.CmpFPredicate.OEQ, other)

    def apply(self, cls: Any, *others: Expression) -> Expression:
        """A function of the math dialect."""
        return self._of(cls, self.value, *(o.value for o in others))

    def compare(self, predicate: a.CmpFPredicate, other: Expression | float) -> Condition:
        return Condition(self.b, self.b.insert(a.CmpFOp(predicate, self.value, self._other(other))).result)

    def where(self, condition: Condition, other: Expression | float) -> Expression:
        """self where the condition holds, else other."""
        return self._of(a.SelectOp, condition.value, self.value, self._other(other))

    def with_sign_of(self, other: Expression) -> Expression:
        return self._of(m.CopySignOp, self.value, other.value)


def polynomial(x: Expression, coefficients: Sequence[float]) -> Expression:
    """Horner's scheme; coefficients lowest degree first."""
    result = x.number(coefficients[-1])
    for k in reversed(coefficients[:-1]):
        result = result * x + k
    return result


def chebyshev(t: Expression, coefficients: Sequence[float]) -> Expression:
    """The sum of coefficients[k] * T_k(t), by Clenshaw's recurrence."""
    twice = t + t
    last, before = t.number(coefficients[-1]), t.number(0.0)
    for k in reversed(coefficients[1:-1]):
        last, before = twice * last - before + k, last
    return t * last - before + coefficients[0]
