"""Integers as polynomials over symbols: what makes two sizes that were computed in different ways comparable.

    (b * s) * 4  and  4 * s * b   ->  4·b·s

A symbol is a value of which nothing better is known (mostly the size of an argument), an exact part of another symbol
(`Part`), or an operation on forms that is no polynomial (`Opaque`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tesselle.ir.core import Value

_MAX_TERMS = 16
"""Longer sums are not followed."""


@dataclass(frozen=True)
class Part:
    """`symbol` / `divisor`, where the division is known to be exact."""

    symbol: Symbol
    divisor: int


@dataclass(frozen=True)
class Opaque:
    """An operation on forms: equal ones are the same number."""

    operation: str
    operands: tuple[Form, ...]


Symbol = Value | Part | Opaque

Monomial = tuple[Symbol, ...]
"""A product of symbols, in a fixed order; () is 1."""


@dataclass(frozen=True)
class Form:
    """The sum of coefficient * monomial, without zeros."""

    terms: frozenset[tuple[Monomial, int]]

    @staticmethod
    def of(value: int | Symbol) -> Form:
        if isinstance(value, int):
            return Form(frozenset({((), value)}) if value else frozenset())
        return Form(frozenset({((value,), 1)}))

    @staticmethod
    def summed(terms: Iterable[tuple[Monomial, int]]) -> Form:
        found: dict[Monomial, int] = {}
        for monomial, coefficient in terms:
            found[monomial] = found.get(monomial, 0) + coefficient
        return Form(frozenset((m, c) for m, c in found.items() if c))

    def __iter__(self) -> Iterator[tuple[Monomial, int]]:
        return iter(self.terms)

    @property
    def known(self) -> int | None:
        """The number, when there are no symbols in it."""
        if not self.terms:
            return 0
        ((monomial, coefficient), *rest) = self.terms
        return coefficient if not rest and not monomial else None

    @cached_property
    def constant(self) -> int:
        """The term without symbols."""
        return next((c for m, c in self.terms if not m), 0)

    @property
    def monomial(self) -> tuple[Monomial, int] | None:
        """The only term, when there is just one."""
        return next(iter(self.terms)) if len(self.terms) == 1 else None

    @property
    def symbol(self) -> Symbol | None:
        """The symbol that the form is, when it is one."""
        term = self.monomial
        return term[0][0] if term is not None and term[1] == 1 and len(term[0]) == 1 else None

    @property
    def symbols(self) -> set[Symbol]:
        return {s for m, _ in self.terms for s in m}

    def __add__(self, other: Form) -> Form:
        return Form.summed((*self.terms, *other.terms))

    def __neg__(self) -> Form:
        return Form(frozenset((m, -c) for m, c in self.terms))

    def __sub__(self, other: Form) -> Form:
        return self + -other

    def __mul__(self, other: Form) -> Form:
        return Form.summed((tuple(sorted((*m, *n), key=_order)), c * d) for m, c in self.terms for n, d in other.terms)

    @property
    def is_too_long(self) -> bool:
        return len(self.terms) > _MAX_TERMS

    @cached_property
    def divisor(self) -> int:
        """The largest number that divides every coefficient; 0 for zero."""
        return math.gcd(*(c for _, c in self.terms)) if self.terms else 0

    def divided(self, divisor: int) -> Form | None:
        """The form / `divisor`, None unless every coefficient is a multiple of it."""
        if self.divisor % divisor:
            return None
        return Form(frozenset((m, c // divisor) for m, c in self.terms))


def _order(symbol: Symbol) -> int:
    """Any fixed order: symbols that are equal have equal hashes."""
    return hash(symbol)
