"""Facts about integers against the integers themselves: random arithmetic on sizes, evaluated for random sizes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tesselle.dialects.core import arith
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.core.tensor import DimOp
from tesselle.dialects.flow.ops import AssertOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.index_facts import IndexFacts
from tesselle.passes.index_forms import Form, Opaque, Part, Symbol
from tesselle.support.dtypes import F32, I32, INDEX

LIMIT = 1 << 31


def wrap(x: int) -> int:
    return (x + LIMIT) % (1 << 32) - LIMIT


def truncated(x: int, y: int) -> int:
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


BINARY: dict[type[arith.BinaryOp], Callable[[int, int], int]] = {
    arith.AddIOp: lambda x, y: x + y,
    arith.SubIOp: lambda x, y: x - y,
    arith.MulIOp: lambda x, y: x * y,
    arith.MinSIOp: min,
    arith.MaxSIOp: max,
}
BY_CONSTANT: dict[type[arith.BinaryOp], Callable[[int, int], int]] = {
    arith.DivSIOp: truncated,
    arith.FloorDivSIOp: lambda x, y: x // y,
    arith.CeilDivSIOp: lambda x, y: -(-x // y),
    arith.RemSIOp: lambda x, y: x - truncated(x, y) * y,
}


class Program:
    """A function of tensors whose dimensions are `sizes`, and the number that each of its values is."""

    def __init__(self, sizes: list[int]) -> None:
        t = TensorType((None,) * len(sizes), F32)
        self.function = FuncOp.with_entry("f", [t], ())
        self.b = Builder.at_end(self.function.entry)
        self.number: dict[Value, int] = {}
        for axis, size in enumerate(sizes):
            self.number[self.b.insert(DimOp(self.function.args[0], axis)).result] = size
        self.sizes = list(self.number)
        self.facts = IndexFacts()

    def constant(self, x: int) -> Value:
        value = self.b.insert(arith.ConstantOp(x, INDEX)).result
        self.number[value] = x
        return value

    def binary(self, op: type[arith.BinaryOp], x: Value, y: Value, result: int) -> Value:
        value = self.b.insert(op(x, y)).result
        self.number[value] = result if value.type is INDEX else wrap(result)
        return value

    def cast(self, x: Value) -> Value:
        """index <-> i32"""
        narrow = x.type is INDEX
        value = self.b.insert(arith.IndexCastOp(x, I32 if narrow else INDEX)).result
        self.number[value] = wrap(self.number[x]) if narrow else self.number[x]
        return value

    def check(self, x: Value, predicate: arith.CmpIPredicate, y: Value) -> None:
        condition = self.b.insert(arith.CmpIOp(predicate, x, y)).result
        self.b.insert(AssertOp(condition, (), "holds"))
        self.facts.learn(condition)

    # ------------------------------------------------------------------------------------------ the other side

    def evaluate(self, form: Form) -> int:
        total = 0
        for monomial, coefficient in form:
            for symbol in monomial:
                coefficient *= self.symbol(symbol)
            total += coefficient
        return total

    def symbol(self, s: Symbol) -> int:
        if isinstance(s, Value):
            return self.number[s]
        if isinstance(s, Part):
            whole = self.symbol(s.symbol)
            assert whole % s.divisor == 0
            return whole // s.divisor
        assert isinstance(s, Opaque)
        x, y = map(self.evaluate, s.operands)
        table: dict[str, Callable[[int, int], int]] = {
            "floordiv": lambda x, y: x // y,
            "ceildiv": lambda x, y: -(-x // y),
            "remainder": lambda x, y: x % y,
            "min": min,
            "max": max,
        }
        return table[s.operation](x, y)

    def hold(self) -> None:
        """Everything that is said about any value is true of its number."""
        for value, number in self.number.items():
            low, high = self.facts.range(value)
            assert low <= number <= high
            assert self.evaluate(self.facts.form(value)) == number
            multiple = self.facts.multiple(value)
            assert number == 0 if multiple == 0 else number % multiple == 0


@st.composite
def programs(draw: st.DrawFn) -> Program:
    p = Program(draw(st.lists(st.one_of(st.integers(0, 9), st.integers(0, 1 << 33)), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 3))):
        _promise(draw, p)
    for _ in range(draw(st.integers(1, 12))):
        values = list(p.number)
        x = draw(st.sampled_from(values))
        match draw(st.integers(0, 3)):
            case 0:
                y = draw(st.sampled_from([v for v in values if v.type == x.type]))
                op = draw(st.sampled_from(list(BINARY)))
                assume(abs(BINARY[op](p.number[x], p.number[y])) < 1 << 62)
                p.binary(op, x, y, BINARY[op](p.number[x], p.number[y]))
            case 1 if x.type is INDEX:
                op = draw(st.sampled_from(list(BY_CONSTANT)))
                y = p.constant(draw(st.sampled_from([1, 2, 3, 8, 12])))
                p.binary(op, x, y, BY_CONSTANT[op](p.number[x], p.number[y]))
            case 2:
                p.cast(x)
            case _:
                p.constant(draw(st.integers(-20, 20)))
    p.b.insert(ReturnOp(()))
    return p


def _promise(draw: st.DrawFn, p: Program) -> None:
    """Something that holds for the sizes, as programs state it."""
    x = draw(st.sampled_from(p.sizes))
    size = p.number[x]
    match draw(st.integers(0, 3)):
        case 0:
            factor = draw(st.sampled_from([1, 2, 12]))
            divisor = draw(st.sampled_from([d for d in (1, 2, 3, 4, 8) if size * factor % d == 0]))
            product = p.binary(arith.MulIOp, x, p.constant(factor), size * factor)
            rest = p.binary(arith.RemSIOp, product, p.constant(divisor), 0)
            p.check(rest, arith.CmpIPredicate.EQ, p.constant(0))
        case 1:
            p.check(x, arith.CmpIPredicate.SLE, p.constant(size + draw(st.integers(0, 5))))
        case 2:
            p.check(x, arith.CmpIPredicate.SGT, p.constant(size - draw(st.integers(1, 5))))
        case _:
            y = draw(st.sampled_from(p.sizes))
            difference = p.constant(p.number[x] - p.number[y])
            p.check(x, arith.CmpIPredicate.EQ, p.binary(arith.AddIOp, y, difference, size))


@given(programs())
@settings(max_examples=400, deadline=None)
def test_what_is_known_is_true(p: Program) -> None:
    p.hold()


@given(programs())
@settings(max_examples=100, deadline=None)
def test_values_that_are_the_same_are_equal(p: Program) -> None:
    values = list(p.number)
    for x in values:
        for y in values:
            if p.facts.same(x, y):
                assert p.number[x] == p.number[y]


def test_products_in_any_order() -> None:
    p = Program([5, 7])
    b, s = p.sizes
    four = p.constant(4)
    one = p.binary(arith.MulIOp, p.binary(arith.MulIOp, b, s, 35), four, 140)
    other = p.binary(arith.MulIOp, s, p.binary(arith.MulIOp, four, b, 20), 140)
    assert p.facts.same(one, other)
    assert p.facts.multiple(one) == 4
    assert not p.facts.same(one, b)


def test_through_i32_where_it_fits() -> None:
    p = Program([5])
    (n,) = p.sizes
    there_and_back = p.cast(p.cast(n))
    assert not p.facts.same(n, there_and_back)
    p.check(n, arith.CmpIPredicate.SLE, p.constant(LIMIT - 1))
    assert p.facts.same(n, there_and_back)


def test_chains_of_promises() -> None:
    """n = 8·k, m = n + 4, k >= 2: 4 divides m, which is at least 20."""
    p = Program([24, 28])
    n, m = p.sizes
    p.check(p.binary(arith.RemSIOp, n, p.constant(8), 0), arith.CmpIPredicate.EQ, p.constant(0))
    p.check(m, arith.CmpIPredicate.EQ, p.binary(arith.AddIOp, n, p.constant(4), 28))
    k = p.binary(arith.DivSIOp, n, p.constant(8), 3)
    p.check(k, arith.CmpIPredicate.SGE, p.constant(2))
    assert p.facts.multiple(m) == 4
    assert p.facts.range(m)[0] == 20
    assert p.facts.same(n, p.binary(arith.MulIOp, k, p.constant(8), 24))
    p.hold()
