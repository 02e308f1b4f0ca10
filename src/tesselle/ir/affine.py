"""Affine expressions and maps: `(d0, d1)[s0] -> (d0 * 4 + s0, d1 floordiv 2)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


class AffineExpr:
    """An expression over dimensions and symbols, built with `+`, `*`, `//`, `%`; simplified as it is built."""

    __slots__ = ()

    def __add__(self, other: AffineExpr | int) -> AffineExpr:
        b = _expr(other)
        if isinstance(self, AffineConst) and isinstance(b, AffineConst):
            return AffineConst(self.value + b.value)
        if isinstance(self, AffineConst):
            return b + self
        if b == AffineConst(0):
            return self
        if isinstance(self, AffineBinary) and self.kind == "+" and isinstance(self.rhs, AffineConst):
            return self.lhs + (self.rhs + b) if isinstance(b, AffineConst) else (self.lhs + b) + self.rhs
        return AffineBinary("+", self, b)

    __radd__ = __add__

    def __mul__(self, other: AffineExpr | int) -> AffineExpr:
        b = _expr(other)
        if isinstance(self, AffineConst) and isinstance(b, AffineConst):
            return AffineConst(self.value * b.value)
        if isinstance(self, AffineConst):
            return b * self
        if isinstance(b, AffineConst) and b.value in (0, 1):
            return self if b.value else b
        return AffineBinary("*", self, b)

    __rmul__ = __mul__

    def __sub__(self, other: AffineExpr | int) -> AffineExpr:
        return self + _expr(other) * -1

    def __floordiv__(self, other: AffineExpr | int) -> AffineExpr:
        b = _expr(other)
        if isinstance(self, AffineConst) and isinstance(b, AffineConst) and b.value:
            return AffineConst(self.value // b.value)
        return self if b == AffineConst(1) else AffineBinary("floordiv", self, b)

    def __mod__(self, other: AffineExpr | int) -> AffineExpr:
        b = _expr(other)
        if isinstance(self, AffineConst) and isinstance(b, AffineConst) and b.value:
            return AffineConst(self.value % b.value)
        return AffineConst(0) if b == AffineConst(1) else AffineBinary("mod", self, b)

    def replace(self, dims: Mapping[int, AffineExpr], symbols: Mapping[int, AffineExpr] | None = None) -> AffineExpr:
        """The expression with dimensions and symbols replaced; those not named stay."""
        if isinstance(self, AffineDim):
            return dims.get(self.position, self)
        if isinstance(self, AffineSymbol):
            return (symbols or {}).get(self.position, self)
        if isinstance(self, AffineBinary):
            a, b = self.lhs.replace(dims, symbols), self.rhs.replace(dims, symbols)
            return _COMBINE[self.kind](a, b)
        return self

    def evaluate(self, dims: Sequence[int], symbols: Sequence[int] = ()) -> int:
        if isinstance(self, AffineDim):
            return dims[self.position]
        if isinstance(self, AffineSymbol):
            return symbols[self.position]
        if isinstance(self, AffineConst):
            return self.value
        assert isinstance(self, AffineBinary)
        a, b = self.lhs.evaluate(dims, symbols), self.rhs.evaluate(dims, symbols)
        if self.kind == "+":
            return a + b
        if self.kind == "*":
            return a * b
        return a // b if self.kind == "floordiv" else a % b

    def used_dims(self) -> frozenset[int]:
        """Positions of the dimensions that the expression reads."""
        if isinstance(self, AffineDim):
            return frozenset((self.position,))
        if isinstance(self, AffineBinary):
            return self.lhs.used_dims() | self.rhs.used_dims()
        return frozenset()

    def linear_coefficients(self, dim_count: int) -> tuple[tuple[int, ...], int] | None:
        """`(c, k)` with `expr = sum(c[i] * d[i]) + k`, or None when it is not linear with constant factors."""
        if isinstance(self, AffineDim):
            return tuple(int(i == self.position) for i in range(dim_count)), 0
        if isinstance(self, AffineConst):
            return (0,) * dim_count, self.value
        if isinstance(self, AffineBinary) and self.kind in ("+", "*"):
            a, b = self.lhs.linear_coefficients(dim_count), self.rhs.linear_coefficients(dim_count)
            if a is None or b is None:
                return None
            if self.kind == "+":
                return tuple(x + y for x, y in zip(a[0], b[0], strict=True)), a[1] + b[1]
            if not any(b[0]):
                return tuple(x * b[1] for x in a[0]), a[1] * b[1]
            if not any(a[0]):
                return tuple(x * a[1] for x in b[0]), a[1] * b[1]
        return None


@dataclass(frozen=True, slots=True)
class AffineDim(AffineExpr):
    position: int

    def __str__(self) -> str:
        return f"d{self.position}"


@dataclass(frozen=True, slots=True)
class AffineSymbol(AffineExpr):
    position: int

    def __str__(self) -> str:
        return f"s{self.position}"


@dataclass(frozen=True, slots=True)
class AffineConst(AffineExpr):
    value: int

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class AffineBinary(AffineExpr):
    """`kind` is one of `+`, `*`, `floordiv`, `mod`."""

    kind: str
    lhs: AffineExpr
    rhs: AffineExpr

    def __str__(self) -> str:
        def side(e: AffineExpr) -> str:
            return f"({e})" if isinstance(e, AffineBinary) and not (self.kind == "+" and e.kind != "mod") else str(e)

        return f"{side(self.lhs)} {self.kind} {side(self.rhs)}"


_COMBINE: dict[str, Callable[[AffineExpr, AffineExpr], AffineExpr]] = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}


def _expr(value: AffineExpr | int) -> AffineExpr:
    return AffineConst(value) if isinstance(value, int) else value


def dim(position: int) -> AffineExpr:
    return AffineDim(position)


@dataclass(frozen=True, slots=True)
class AffineMap:
    """`(d0, …)[s0, …] -> (results)`."""

    dim_count: int
    symbol_count: int
    results: tuple[AffineExpr, ...]

    def __str__(self) -> str:
        dims = ", ".join(f"d{i}" for i in range(self.dim_count))
        symbols = f"[{', '.join(f's{i}' for i in range(self.symbol_count))}]" if self.symbol_count else ""
        return f"({dims}){symbols} -> ({', '.join(map(str, self.results))})"

    @staticmethod
    def identity(rank: int) -> AffineMap:
        return AffineMap(rank, 0, tuple(AffineDim(i) for i in range(rank)))

    @staticmethod
    def select(dim_count: int, positions: Sequence[int]) -> AffineMap:
        """`(d0, …) -> (d_p for p in positions)`: a projection or permutation."""
        return AffineMap(dim_count, 0, tuple(AffineDim(p) for p in positions))

    @property
    def is_identity(self) -> bool:
        return len(self.results) == self.dim_count and all(
            isinstance(e, AffineDim) and e.position == i for i, e in enumerate(self.results)
        )

    @property
    def is_permutation(self) -> bool:
        positions = self.projected_dims()
        return positions is not None and sorted(positions) == list(range(self.dim_count))

    def projected_dims(self) -> tuple[int, ...] | None:
        """Positions when every result is a distinct bare dimension, else None."""
        positions = tuple(e.position for e in self.results if isinstance(e, AffineDim))
        return positions if len(positions) == len(self.results) == len(set(positions)) else None

    def used_dims(self) -> frozenset[int]:
        return frozenset(d for e in self.results for d in e.used_dims())

    def evaluate(self, dims: Sequence[int], symbols: Sequence[int] = ()) -> tuple[int, ...]:
        return tuple(e.evaluate(dims, symbols) for e in self.results)

    def compose(self, inner: AffineMap) -> AffineMap:
        """`self(inner(x))`; neither may have symbols."""
        table = dict(enumerate(inner.results))
        return AffineMap(inner.dim_count, 0, tuple(e.replace(table) for e in self.results))

    def inverse_permutation(self) -> AffineMap:
        """The inverse of a permutation; ValueError when the map is none."""
        positions = self.projected_dims()
        if positions is None or not self.is_permutation:
            raise ValueError(f"{self} is not a permutation")
        return AffineMap.select(self.dim_count, [positions.index(i) for i in range(self.dim_count)])
