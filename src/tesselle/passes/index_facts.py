"""What is known of integers on the host: their ranges, what divides them, and which of them are the same.

    %b = tensor.dim %x, 0                         0 <= b
    %8 = arith.muli %b, 8                         8·b
    flow.assert (%8 remsi 16 == 0)                b is 2·c  from here on
    flow.assert (%b == tensor.dim %y, 1)          dimension 1 of %y is b
    %n = index_cast(index_cast %b : i32) : index  b, if b < 2^31

Every value has a form, a polynomial over symbols (`index_forms`), and a range. Numbers in i32 are followed while they
provably fit: StableHLO computes sizes in i32. There is no arithmetic on inequalities besides ranges.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable

from tesselle.dialects.core import arith, func, scf, tensor
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.stream import ops as stream
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.ir.types import DType
from tesselle.passes.index_arithmetic import Size
from tesselle.passes.index_forms import Form, Opaque, Part, Symbol
from tesselle.support.dtypes import I1

Range = tuple[float, float]
"""The least and the greatest value, both possible; infinities where nothing is known."""

UNKNOWN: Range = (-math.inf, math.inf)


def type_range(dtype: DType) -> Range:
    """What an integer type can hold; index values are sizes and places, and never overflow."""
    if dtype.is_index:
        return UNKNOWN
    if dtype.is_unsigned or dtype.is_bool:
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1


def is_within(r: Range, limits: Range) -> bool:
    return limits[0] <= r[0] and r[1] <= limits[1]


class IndexFacts:
    """Forms and ranges of scalar integers, computed once per value, and what `learn` was told of them."""

    def __init__(self) -> None:
        self._forms: dict[Value, Form] = {}
        self._ranges: dict[Value, Range] = {}
        self._learned: dict[Symbol, Range] = {}
        self._same: dict[Symbol, Form] = {}

    @staticmethod
    def of_function(function: func.FuncOp) -> IndexFacts:
        """With what the function's checks of the sizes of its arguments promise (see `is_size_check`)."""
        facts = IndexFacts()
        if not function.is_declaration:
            for op in function.entry:
                if isinstance(op, flow.AssertOp) and is_size_check(op):
                    facts.learn(op.condition)
        return facts

    # ------------------------------------------------------------------------------------------ questions

    def constant(self, value: Size) -> int | None:
        """The number that a value is, when it can be no other."""
        if isinstance(value, int):
            return value
        low, high = self.range(value)
        return int(low) if low == high and math.isfinite(low) else None

    def same(self, a: Size, b: Size) -> bool:
        """Whether two integers are the same number."""
        return self.form(a) == self.form(b)

    def multiple(self, value: Size) -> int:
        """The largest known divisor; 0 of zero."""
        return self.form(value).divisor

    def range(self, value: Size) -> Range:
        if isinstance(value, int):
            return value, value
        found = self._ranges.get(value)
        if found is None:
            self._ranges[value] = UNKNOWN  # for values that depend on themselves
            found = self._ranges[value] = self._range_of(value)
        return found

    def form(self, value: Size) -> Form:
        if isinstance(value, int):
            return Form.of(value)
        found = self._forms.get(value)
        if found is None:
            self._forms[value] = Form.of(value)
            found = self._forms[value] = self._form_of(value)
        return found

    def unwrapped(self, value: Value) -> Form:
        """The form that integer arithmetic would give without limits: equal to the value modulo 2^bits."""
        op = value.defining_op
        if isinstance(op, arith.AddIOp | arith.SubIOp | arith.MulIOp):
            result = _POLYNOMIAL[type(op)](self.unwrapped(op.lhs), self.unwrapped(op.rhs))
            return Form.of(value) if result.is_too_long else result
        if isinstance(op, arith.IndexCastOp | arith.TruncIOp) and isinstance(op.operand.type, DType):
            source = op.operand.type
            bits = math.inf if source.is_index else source.bits
            assert isinstance(value.type, DType)
            if not value.type.is_index and value.type.bits <= bits:
                return self.unwrapped(op.operand)
        return self.form(value)

    def range_of_form(self, form: Form) -> Range:
        low = high = 0.0
        for monomial, coefficient in form:
            r: Range = (coefficient, coefficient)
            for symbol in monomial:
                r = _multiply(r, self._range_of_symbol(symbol))
            low, high = low + r[0], high + r[1]
        return low, high

    def decide(self, op: arith.CmpIOp) -> bool | None:
        """What a comparison always gives, or None."""
        a, b = self.range(op.lhs), self.range(op.rhs)
        name = op.predicate.value
        if name[0] == "u":
            if a[0] < 0 or b[0] < 0:
                return None
            name = f"s{name[1:]}"
        apart = self.range_of_form(self.form(op.lhs) - self.form(op.rhs))
        low, high = max(apart[0], a[0] - b[1]), min(apart[1], a[1] - b[0])
        if name in ("eq", "ne"):
            if low == high == 0:
                return name == "eq"
            return name == "ne" if low > 0 or high < 0 else None
        compare = _COMPARE[name[1:]]
        results = {compare(low, 0), compare(high, 0)}
        return results.pop() if len(results) == 1 else None

    # ------------------------------------------------------------------------------------------ what is learned

    def learn(self, condition: Value) -> None:
        """From here on `condition` holds."""
        op = condition.defining_op
        if isinstance(op, arith.AndIOp):
            self.learn(op.lhs)
            self.learn(op.rhs)
        elif isinstance(op, arith.CmpIOp):
            name = op.predicate.value
            difference = self.form(op.lhs) - self.form(op.rhs)
            if name == "eq":
                self._learn_zero(difference)
            elif name in ("sge", "sgt"):
                self._learn_at_least(difference, int(name == "sgt"))
            elif name in ("sle", "slt"):
                self._learn_at_least(-difference, int(name == "slt"))
        self._forms.clear()
        self._ranges.clear()

    def learn_equal(self, a: Size, b: Size) -> None:
        """From here on two integers are the same number."""
        self._learn_zero(self.form(a) - self.form(b))
        self._forms.clear()
        self._ranges.clear()

    def _learn_zero(self, form: Form) -> None:
        """form == 0: one of its symbols is the others."""
        remainder = form.symbol
        if isinstance(remainder, Opaque) and remainder.operation == "remainder":
            dividend, divisor = remainder.operands
            if divisor.known:
                self._learn_multiple(dividend, divisor.known)
            return
        # The symbol that was made last is written in terms of the others.
        for monomial, coefficient in sorted(form, key=lambda t: _age(t[0]), reverse=True):
            if len(monomial) != 1 or abs(coefficient) != 1:
                continue
            (symbol,) = monomial
            rest = form - Form.summed([(monomial, coefficient)])
            rest = rest if coefficient < 0 else -rest
            if isinstance(symbol, Value | Part) and not any(_contains(s, symbol) for s in rest.symbols):
                self._same[symbol] = rest
                return

    def _learn_multiple(self, form: Form, divisor: int) -> None:
        """`divisor` divides the form: of one symbol, it is a multiple itself."""
        term = form.monomial
        if term is None or len(term[0]) != 1:
            return
        (symbol,), coefficient = term
        divisor //= math.gcd(divisor, coefficient)
        if divisor > 1:
            self._same[symbol] = Form.of(Part(symbol, divisor)) * Form.of(divisor)

    def _learn_at_least(self, form: Form, least: int) -> None:
        """form >= least: a bound of its symbol, when there is one."""
        terms = [(m, c) for m, c in form if m]
        if len(terms) != 1 or len(terms[0][0]) != 1:
            return
        ((symbol,), coefficient) = terms[0]
        bound = least - form.constant
        low, high = self._range_of_symbol(symbol)
        if coefficient > 0:
            low = max(low, -(-bound // coefficient))
        else:
            high = min(high, -bound // -coefficient)
        if low <= high:
            self._learned[symbol] = (low, high)

    # ------------------------------------------------------------------------------------------ forms

    def _form_of(self, value: Value) -> Form:
        op = value.defining_op
        if not isinstance(value.type, DType) or value.type.is_float or value.type.is_complex:
            return Form.of(value)
        result = self._computed(op, value.type) if op is not None else None
        if result is None or result.is_too_long:
            known = self.constant(value)
            return Form.of(known) if known is not None else self._form_of_symbol(value)
        return result

    def _form_of_symbol(self, symbol: Symbol) -> Form:
        """The symbol, or what it was learned to be, in terms of symbols of which no more is known."""
        found = self._same.get(symbol)
        if found is None:
            return Form.of(symbol)
        result = Form.of(0)
        for monomial, coefficient in found:
            product = Form.of(coefficient)
            for s in monomial:
                product = product * self._form_of_symbol(s)
            result = result + product
        return result

    def _computed(self, op: Op, dtype: DType) -> Form | None:
        """The form of an operation's result; None when it is a symbol of its own."""
        match op:
            case arith.ConstantOp():
                return Form.of(int(op.value)) if isinstance(op.value, int) else None
            case arith.AddIOp() | arith.SubIOp() | arith.MulIOp():
                if not dtype.is_index and not is_within(self._by_rule(op), type_range(dtype)):
                    return None
                return _POLYNOMIAL[type(op)](self.form(op.lhs), self.form(op.rhs))
            case arith.IndexCastOp() | arith.ExtSIOp() | arith.TruncIOp() | arith.IndexCastUIOp() | arith.ExtUIOp():
                return self._cast(op, dtype)
            case arith.SelectOp():
                condition = self.constant(op.condition)
                if condition is not None:
                    return self.form(op.true_value if condition else op.false_value)
                a, b = self.form(op.true_value), self.form(op.false_value)
                return a if a == b else None
            case arith.DivSIOp() | arith.DivUIOp() | arith.FloorDivSIOp() | arith.CeilDivSIOp():
                return self._quotient(op)
            case arith.RemSIOp() | arith.RemUIOp():
                return self._remainder(op)
            case arith.MinSIOp() | arith.MaxSIOp():
                return self._bound(op)
            case _:
                return None

    def _cast(self, op: Op, dtype: DType) -> Form | None:
        (operand,) = op.operands
        if not isinstance(operand.type, DType) or operand.type.is_float:
            return None
        r = self.range(operand)
        # Signed casts read an i1 as 0 and -1; unsigned ones read negative numbers as large ones.
        signed = isinstance(op, arith.IndexCastOp | arith.ExtSIOp | arith.TruncIOp)
        if (signed and operand.type.is_bool) or (not signed and r[0] < 0):
            return None
        return self.form(operand) if is_within(r, type_range(dtype)) else None

    def _quotient(self, op: Op) -> Form | None:
        dividend, divisor = (self.form(v) for v in op.operands)
        by = divisor.known
        if by is None or by <= 0:
            return None
        if by == 1 or dividend.divisor % by == 0:
            return dividend.divided(by)
        if self.range(op.operands[0])[0] < 0:
            return None
        name = "ceildiv" if isinstance(op, arith.CeilDivSIOp) else "floordiv"  # all others are the same from 0 on
        return self._form_of_symbol(Opaque(name, (dividend, divisor)))

    def _remainder(self, op: Op) -> Form | None:
        dividend, divisor = (self.form(v) for v in op.operands)
        by = divisor.known
        if by is None or by <= 0:
            return None
        if dividend.divisor % by == 0:
            return Form.of(0)
        low, high = self.range(op.operands[0])
        if low < 0:
            return None
        return dividend if high < by else Form.of(Opaque("remainder", (dividend, divisor)))

    def _bound(self, op: Op) -> Form | None:
        a, b = (self.form(v) for v in op.operands)
        low, high = self.range_of_form(a - b)
        r, s = (self.range(v) for v in op.operands)
        low, high = max(low, r[0] - s[1]), min(high, r[1] - s[0])
        if high <= 0:
            return a if isinstance(op, arith.MinSIOp) else b
        if low >= 0:
            return b if isinstance(op, arith.MinSIOp) else a
        first, second = sorted((a, b), key=hash)
        return Form.of(Opaque("min" if isinstance(op, arith.MinSIOp) else "max", (first, second)))

    # ------------------------------------------------------------------------------------------ ranges

    def _range_of(self, value: Value) -> Range:
        if not isinstance(value.type, DType) or value.type.is_float or value.type.is_complex:
            return UNKNOWN
        limits = type_range(value.type)
        if isinstance(value, BlockArgument):
            result = _within(self._counter(value), limits)
        else:
            op = value.defining_op
            assert op is not None
            # A result that may leave its type wraps around: then only the type is known.
            result = _within(self._by_rule(op), limits)
            computed = self._computed(op, value.type)
            if computed is not None and not computed.is_too_long:
                result = _intersection(result, self.range_of_form(computed))
        result = _intersection(result, self._learned.get(value, UNKNOWN))
        same = self._same.get(value)
        return result if same is None else _intersection(result, self.range_of_form(self._form_of_symbol(value)))

    def _range_of_symbol(self, symbol: Symbol) -> Range:
        learned = self._learned.get(symbol, UNKNOWN)
        if isinstance(symbol, Value):
            # Of a value that is written by a part of itself: what is known besides.
            op = symbol.defining_op
            return _intersection(self._by_rule(op), learned) if symbol in self._same and op else self.range(symbol)
        if isinstance(symbol, Part):
            low, high = self._range_of_symbol(symbol.symbol)
            return _intersection((_divided_up(low, symbol.divisor), _divided_down(high, symbol.divisor)), learned)
        a, b = (self.range_of_form(f) for f in symbol.operands)
        match symbol.operation:
            case "floordiv":
                found = _quotient_rounded_down((max(0.0, a[0]), a[1]), b)
            case "ceildiv":
                found = _quotient_rounded_up((max(0.0, a[0]), a[1]), b)
            case "remainder":
                found = _rest((max(0.0, a[0]), a[1]), b)
            case "min":
                found = _minimum(a, b)
            case _:
                found = _maximum(a, b)
        return _intersection(found, learned)

    def _by_rule(self, op: Op) -> Range:
        """The range of an operation's result from those of its operands, as if its type had no limits."""
        if isinstance(op, arith.ConstantOp):
            return (int(op.value), int(op.value)) if isinstance(op.value, int) else UNKNOWN
        if isinstance(op, tensor.DimOp | stream.TensorDimOp):
            return 0, math.inf
        if isinstance(op, arith.SelectOp):
            condition = self.constant(op.condition)
            if condition is not None:
                return self.range(op.true_value if condition else op.false_value)
            a, b = self.range(op.true_value), self.range(op.false_value)
            return min(a[0], b[0]), max(a[1], b[1])
        if isinstance(op, arith.CmpIOp):
            known = self.decide(op)
            return (0, 1) if known is None else (int(known), int(known))
        if isinstance(op, arith.ExtSIOp | arith.IndexCastOp) and op.operand.type is I1:
            return -1, 0
        rule = _RULES.get(type(op))
        return UNKNOWN if rule is None else rule(*[self.range(v) for v in op.operands])

    def _counter(self, value: BlockArgument) -> Range:
        loop = value.block.parent_op
        if not isinstance(loop, scf.ForOp) or value.index != 0:
            return UNKNOWN
        low, high, step = self.range(loop.lower), self.range(loop.upper), self.range(loop.step)
        last = high[1] - 1
        if low[0] == low[1] and step[0] == step[1] and math.isfinite(last) and math.isfinite(low[0]) and step[0] > 0:
            last = low[0] + (last - low[0]) // step[0] * step[0]
        return low[0], max(low[0], last)


def is_size_check(op: flow.AssertOp) -> bool:
    """Whether the check depends on nothing but the sizes of the function's arguments: it can come first of all."""
    todo, seen = [op.condition], set[Value]()
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        maker = value.defining_op
        if maker is None or maker.parent is not op.parent:
            return False
        if isinstance(maker, tensor.DimOp):
            if not isinstance(maker.operand, BlockArgument):
                return False
        elif maker.dialect != "arith":
            return False
        else:
            todo.extend(maker.operands)
    return isinstance(op.parent_op, func.FuncOp)


def _contains(symbol: Symbol, other: Symbol) -> bool:
    """Whether `symbol` is `other`, or a part of it."""
    while symbol != other:
        if not isinstance(symbol, Part):
            return False
        symbol = symbol.symbol
    return True


def _age(monomial: Iterable[Symbol]) -> tuple[int, int]:
    """Later values are larger: those of later arguments."""
    for symbol in monomial:
        op = symbol.defining_op if isinstance(symbol, Value) else None
        if isinstance(op, tensor.DimOp) and isinstance(op.operand, BlockArgument):
            return op.operand.index, op.axis
    return 1 << 20, 0


def _divided_down(a: float, b: float) -> float:
    return a // b if math.isfinite(a) else a


def _divided_up(a: float, b: float) -> float:
    return -(-a // b) if math.isfinite(a) else a


def _intersection(a: Range, b: Range) -> Range:
    """Both hold; where they contradict one another nothing ever gets there."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else a


def _within(r: Range, limits: Range) -> Range:
    return r if is_within(r, limits) else limits


def _multiply(a: Range, b: Range) -> Range:
    ends = [x * y if x and y else 0.0 for x in a for y in b]
    return min(ends), max(ends)


def _add(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Range, b: Range) -> Range:
    return a[0] - b[1], a[1] - b[0]


def _maximum(a: Range, b: Range) -> Range:
    return max(a[0], b[0]), max(a[1], b[1])


def _minimum(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), min(a[1], b[1])


def _same(a: Range) -> Range:
    return a


def _unsigned(a: Range) -> Range:
    """The same number, when it is none that reads differently as unsigned."""
    return a if a[0] >= 0 else UNKNOWN


def _unsigned_minimum(a: Range, b: Range) -> Range:
    return _minimum(a, b) if a[0] >= 0 and b[0] >= 0 else UNKNOWN


def _unsigned_to_index(a: Range) -> Range:
    """As _unsigned; numbers beyond the greatest index come out negative."""
    return a if a[0] >= 0 and a[1] < 1 << 63 else UNKNOWN


def _quotient_rounded_down(a: Range, b: Range) -> Range:
    """Of numbers from 0 on by a constant."""
    return (_divided_down(a[0], b[0]), _divided_down(a[1], b[0])) if a[0] >= 0 and b[0] == b[1] > 0 else UNKNOWN


def _quotient_rounded_up(a: Range, b: Range) -> Range:
    return (_divided_up(a[0], b[0]), _divided_up(a[1], b[0])) if a[0] >= 0 and b[0] == b[1] > 0 else UNKNOWN


def _rest(a: Range, b: Range) -> Range:
    return (0, min(a[1], b[0] - 1)) if a[0] >= 0 and b[0] == b[1] > 0 else UNKNOWN


def _are_flags(*ranges: Range) -> bool:
    return all(r[0] >= 0 and r[1] <= 1 for r in ranges)


def _both(a: Range, b: Range) -> Range:
    """a & b of booleans."""
    return _minimum(a, b) if _are_flags(a, b) else UNKNOWN


def _either(a: Range, b: Range) -> Range:
    """a | b of booleans."""
    return _maximum(a, b) if _are_flags(a, b) else UNKNOWN


_RULES: dict[type[Op], Callable[..., Range]] = {
    arith.AddIOp: _add,
    arith.SubIOp: _subtract,
    arith.MulIOp: _multiply,
    arith.MaxSIOp: _maximum,
    arith.MinSIOp: _minimum,
    arith.MinUIOp: _unsigned_minimum,
    arith.IndexCastOp: _same,
    arith.IndexCastUIOp: _unsigned_to_index,
    arith.ExtSIOp: _same,
    arith.ExtUIOp: _unsigned,
    arith.TruncIOp: _same,
    arith.BitcastOp: _same,
    arith.DivSIOp: _quotient_rounded_down,
    arith.DivUIOp: _quotient_rounded_down,
    arith.FloorDivSIOp: _quotient_rounded_down,
    arith.CeilDivSIOp: _quotient_rounded_up,
    arith.RemSIOp: _rest,
    arith.RemUIOp: _rest,
    arith.AndIOp: _both,
    arith.OrIOp: _either,
}

_POLYNOMIAL: dict[type[Op], Callable[[Form, Form], Form]] = {
    arith.AddIOp: operator.add,
    arith.SubIOp: operator.sub,
    arith.MulIOp: operator.mul,
}

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
