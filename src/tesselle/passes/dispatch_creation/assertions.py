"""What programs say when sizes do not fit: which dimension of which argument is wrong, and what it must be.

argument 1 'mask': dimension 0 is 7, but must equal dimension 0 of argument 0 'x', which is 5 (model.mlir:12:8)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import arith, func, tensor
from tesselle.dialects.flow import ops as flow
from tesselle.ir.builder import Builder
from tesselle.ir.core import BlockArgument, Value
from tesselle.passes.index_arithmetic import IndexBuilder, Size, fold
from tesselle.support.dtypes import INDEX
from tesselle.support.locations import Location, UnknownLocation

_CASTS = (arith.IndexCastOp, arith.ExtSIOp, arith.TruncIOp)

COMPARISONS = {
    arith.CmpIPredicate.EQ: "must be",
    arith.CmpIPredicate.NE: "must not be",
    arith.CmpIPredicate.SGE: "must be at least",
    arith.CmpIPredicate.SGT: "must be greater than",
    arith.CmpIPredicate.SLE: "must be at most",
    arith.CmpIPredicate.SLT: "must be less than",
}
MIRRORED = {
    arith.CmpIPredicate.EQ: arith.CmpIPredicate.EQ,
    arith.CmpIPredicate.NE: arith.CmpIPredicate.NE,
    arith.CmpIPredicate.SGE: arith.CmpIPredicate.SLE,
    arith.CmpIPredicate.SGT: arith.CmpIPredicate.SLT,
    arith.CmpIPredicate.SLE: arith.CmpIPredicate.SGE,
    arith.CmpIPredicate.SLT: arith.CmpIPredicate.SGT,
}


@dataclass(frozen=True)
class ArgumentDim:
    """Dimension `axis` of argument number `index`, called `name`."""

    index: int
    axis: int
    name: str

    @property
    def argument(self) -> str:
        return f"argument {self.index} '{self.name}'"

    def __str__(self) -> str:
        return f"dimension {self.axis} of {self.argument}"


def without_casts(value: Value) -> Value:
    """The value in front of conversions between integer types, which sizes survive."""
    while isinstance(value.defining_op, _CASTS):
        value = value.defining_op.operands[0]
    return value


def argument_dim(size: Size) -> ArgumentDim | None:
    """The dimension of an argument of the function that a size is; None when it is something else."""
    op = without_casts(size).defining_op if isinstance(size, Value) else None
    if not isinstance(op, tensor.DimOp) or not isinstance(op.operand, BlockArgument):
        return None
    function = op.operand.block.parent_op
    if not isinstance(function, func.FuncOp):
        return None
    index = op.operand.index
    return ArgumentDim(index, op.axis, func.argument_names(function)[index])


@dataclass(frozen=True)
class _Linear:
    """factor * dim + offset."""

    dim: Value
    factor: int
    offset: int


def _linear(size: Size) -> _Linear | int | None:
    """A size as a linear function of one value; an int when it is constant."""
    size = fold(without_casts(size)) if isinstance(size, Value) else size
    if isinstance(size, int):
        return size
    op = size.defining_op
    if isinstance(op, arith.AddIOp | arith.SubIOp | arith.MulIOp):
        x, y = _linear(op.lhs), _linear(op.rhs)
        if isinstance(x, int) and isinstance(op, arith.AddIOp | arith.MulIOp):
            x, y = y, x
        if isinstance(x, _Linear) and isinstance(y, int):
            if isinstance(op, arith.MulIOp):
                return _Linear(x.dim, x.factor * y, x.offset * y)
            return _Linear(x.dim, x.factor, x.offset + (y if isinstance(op, arith.AddIOp) else -y))
    return _Linear(size, 1, 0)


def describe_comparison(predicate: arith.CmpIPredicate, a: Size, b: Size) -> tuple[str, tuple[Size, ...]] | None:
    """What a comparison of sizes asks of an argument, as a message and the values in it; None when it asks nothing.

    The message speaks of the argument that comes last: those in front of it are what it must fit.
    """
    x, y = argument_dim(a), argument_dim(b)
    if x is None or (y is not None and (y.index, y.axis) > (x.index, x.axis)):
        a, b, x, y, predicate = b, a, y, x, MIRRORED.get(predicate, predicate)
    if x is None:
        return _describe_linear(predicate, a, b) or _describe_linear(MIRRORED.get(predicate, predicate), b, a)
    if predicate not in COMPARISONS:
        return None
    b = fold(without_casts(b)) if isinstance(b, Value) else b
    found = f"{x.argument}: dimension {x.axis} is {{0}}"
    must = COMPARISONS[predicate]
    if y is not None:
        must = "must equal" if predicate is arith.CmpIPredicate.EQ else must
        return f"{found}, but {must} {y}, which is {{1}}", (a, b)
    if isinstance(b, int):
        return f"{found}, but {must} {b}", (a,)
    of = _linear(b)
    origin = argument_dim(of.dim) if isinstance(of, _Linear) else None
    if isinstance(of, _Linear) and origin is not None:
        must = "must equal" if predicate is arith.CmpIPredicate.EQ else must
        text = f"{found}, but {must} {_linear_text(of)}, which is {{1}}, where n is {origin}, which is {{2}}"
        return text, (a, b, of.dim)
    return f"{found}, but {must} {{1}}", (a, b)


def _describe_linear(predicate: arith.CmpIPredicate, a: Size, b: Size) -> tuple[str, tuple[Size, ...]] | None:
    """factor * dim + offset >= bound, solved for the dimension."""
    form, bound = _linear(a), _linear(b)
    if not isinstance(form, _Linear) or not isinstance(bound, int) or abs(form.factor) != 1:
        return None
    x = argument_dim(form.dim)
    if form.factor < 0:
        predicate = MIRRORED.get(predicate, predicate)
    if x is None or predicate not in COMPARISONS:
        return None
    limit = (bound - form.offset) * form.factor
    return f"{x.argument}: dimension {x.axis} is {{0}}, but {COMPARISONS[predicate]} {limit}", (form.dim,)


def _linear_text(form: _Linear) -> str:
    text = "n" if form.factor == 1 else f"{form.factor} * n"
    if form.offset:
        text += f" {'+' if form.offset > 0 else '-'} {abs(form.offset)}"
    return text


def place_text(location: Location) -> str:
    """` (file:line:column)`, or nothing."""
    place = location.file_location()
    if place is not None:
        return f" ({place})"
    return "" if isinstance(location, UnknownLocation) else f" ({location})"


def insert_assertion(
    b: Builder, condition: Value, message: str, values: Sequence[Size], *, is_argument: bool
) -> flow.AssertOp:
    """Fail with `message` unless `condition` holds; `{i}` in it stands for values[i]."""
    index = IndexBuilder(b)
    numbers: list[Value] = []
    for size in values:
        value = index.value(size)
        numbers.append(value if value.type == INDEX else b.insert(arith.IndexCastOp(value, INDEX)).result)
    return b.insert(flow.AssertOp(condition, numbers, message, is_argument))


def require(b: Builder, predicate: arith.CmpIPredicate, a: Size, c: Size, what: str) -> flow.AssertOp | None:
    """Fail unless `a` compares with `c`; `what` names `a` where it is no dimension of an argument.

    Nothing is inserted, and None returned, where both are constants that do.
    """
    a, c = fold(a), fold(c)
    index = IndexBuilder(b)
    if isinstance(a, int) and isinstance(c, int) and holds(predicate, a, c):
        return None
    condition = b.insert(arith.CmpIOp(predicate, index.value(a), index.value(c))).result
    place = place_text(b.location)
    described = describe_comparison(predicate, a, c)
    if described is not None:
        text, values = described
        return insert_assertion(b, condition, text + place, values, is_argument=True)
    must = COMPARISONS[predicate]
    return insert_assertion(b, condition, f"{what} is {{0}}, but {must} {{1}}{place}", (a, c), is_argument=False)


def holds(predicate: arith.CmpIPredicate, a: int, b: int) -> bool:
    """Whether a comparison of two numbers is true."""
    match predicate:
        case arith.CmpIPredicate.EQ:
            return a == b
        case arith.CmpIPredicate.SGE:
            return a >= b
        case arith.CmpIPredicate.SLE:
            return a <= b
        case _:
            raise ValueError(f"sizes are not compared by {predicate.value}")
