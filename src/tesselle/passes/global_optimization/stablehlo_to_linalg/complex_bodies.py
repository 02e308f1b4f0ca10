"""Complex arithmetic on scalars, expanded to the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tesselle.dialects.chlo import elementwise as chlo
from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as c
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg import complex_elementary as ce
from tesselle.passes.global_optimization.stablehlo_to_linalg.expressions import Expression
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F64, DType

Parts = tuple[Value, Value]
Emitter = Callable[[Builder, Op, list[Value]], Value]


def emit(b: Builder, op: Op, args: list[Value]) -> Value:
    """`op` on complex scalars (or real parts, for stablehlo.complex); Unsupported when it is not covered."""
    emitter = COMPLEX.get(type(op))
    if isinstance(op, s.RemainderOp):
        reason = "the specification gives remainder of complex numbers no meaning (openxla/stablehlo#997)"
        raise Unsupported(reason, op.location, op.name)
    if emitter is None:
        raise Unsupported(f"{op.name} of complex numbers is not supported", op.location, op.name)
    return emitter(b, op, args)


def _new(b: Builder, cls: Any, *args: Value) -> Value:
    return b.insert(cls(*args)).result


def parts(b: Builder, x: Value) -> Parts:
    return _new(b, c.ReOp, x), _new(b, c.ImOp, x)


def join(b: Builder, p: Parts) -> Value:
    return _new(b, c.CreateOp, *p)


def convert(b: Builder, x: Value, to: DType) -> Value:
    """Between complex types, and between complex and real ones (the imaginary part is 0, or lost)."""
    from tesselle.passes.global_optimization.stablehlo_to_linalg import scalar_bodies

    assert isinstance(x.type, DType)
    if not to.is_complex:
        return scalar_bodies.convert(b, _new(b, c.ReOp, x), to)
    if not x.type.is_complex:
        real = scalar_bodies.convert(b, x, to.element)
        return join(b, (real, scalar_constant(b, 0, to.element)))
    re, im = parts(b, x)
    return join(b, (scalar_bodies.convert(b, re, to.element), scalar_bodies.convert(b, im, to.element)))


def _multiply(b: Builder, x: Parts, y: Parts) -> Parts:
    real = _new(b, a.SubFOp, _new(b, a.MulFOp, x[0], y[0]), _new(b, a.MulFOp, x[1], y[1]))
    imaginary = _new(b, a.AddFOp, _new(b, a.MulFOp, x[0], y[1]), _new(b, a.MulFOp, x[1], y[0]))
    return real, imaginary


def _compute(b: Builder, x: Value) -> ce.Parts:
    """The parts in the type that functions compute in."""
    from tesselle.passes.global_optimization.stablehlo_to_linalg import scalar_bodies

    re, im = (Expression(b, scalar_bodies.convert(b, p, F64)) for p in parts(b, x))
    return re, im


def _round(b: Builder, values: ce.Parts, dtype: DType) -> Value:
    from tesselle.passes.global_optimization.stablehlo_to_linalg import scalar_bodies

    re, im = (scalar_bodies.convert(b, v.value, dtype.element) for v in values)
    return join(b, (re, im))


def _absolute(b: Builder, op: Op, args: list[Value]) -> Value:
    from tesselle.passes.global_optimization.stablehlo_to_linalg import scalar_bodies

    (x,) = args
    assert isinstance(x.type, DType)
    return scalar_bodies.convert(b, ce.modulus(_compute(b, x)).value, x.type.element)


def _negate(b: Builder, op: Op, args: list[Value]) -> Value:
    re, im = parts(b, args[0])
    return join(b, (_new(b, a.NegFOp, re), _new(b, a.NegFOp, im)))


def _pairwise(cls: type[Op]) -> Emitter:
    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        x, y = parts(b, args[0]), parts(b, args[1])
        return join(b, (_new(b, cls, x[0], y[0]), _new(b, cls, x[1], y[1])))

    return emit


_STRICT = {
    ComparisonDirection.GE: ComparisonDirection.GT,
    ComparisonDirection.LE: ComparisonDirection.LT,
}


def compare(b: Builder, direction: ComparisonDirection, left: Value, right: Value) -> Value:
    """x <direction> y; orders are lexicographic: by the real parts, by the imaginary ones where those are equal."""
    from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import compare_scalars

    x, y = parts(b, left), parts(b, right)
    if direction in (ComparisonDirection.EQ, ComparisonDirection.NE):
        both = [compare_scalars(b, direction, p, q, None) for p, q in zip(x, y, strict=True)]
        return _new(b, a.AndIOp if direction is ComparisonDirection.EQ else a.OrIOp, *both)
    first = compare_scalars(b, _STRICT.get(direction, direction), x[0], y[0], None)
    equal = compare_scalars(b, ComparisonDirection.EQ, x[0], y[0], None)
    second = compare_scalars(b, direction, x[1], y[1], None)
    return _new(b, a.OrIOp, first, _new(b, a.AndIOp, equal, second))


def _compare(b: Builder, op: Op, args: list[Value]) -> Value:
    assert isinstance(op, s.CompareOp)
    return compare(b, op.comparison_direction, args[0], args[1])


def _choose(direction: ComparisonDirection) -> Emitter:
    """The first of two numbers where the comparison holds, else the second."""
    return lambda b, op, args: _new(b, a.SelectOp, compare(b, direction, args[0], args[1]), args[0], args[1])


_maximum, _minimum = _choose(ComparisonDirection.GT), _choose(ComparisonDirection.LT)


def _clamp(b: Builder, op: Op, args: list[Value]) -> Value:
    low, x, high = args
    return _minimum(b, op, [_maximum(b, op, [x, low]), high])


def in_f64(function: Callable[..., ce.Parts]) -> Emitter:
    """The emitter of a function of parts in f64."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        dtype = args[0].type
        assert isinstance(dtype, DType)
        return _round(b, function(*(_compute(b, x) for x in args)), dtype)

    return emit


def _times(b: Builder, op: Op, args: list[Value]) -> Value:
    return join(b, _multiply(b, parts(b, args[0]), parts(b, args[1])))


COMPLEX: dict[type[Op], Emitter] = {
    **{cls: in_f64(f) for cls, f in ce.UNARY.items()},
    **{cls: in_f64(f) for cls, f in ce.BINARY.items()},
    s.AbsOp: _absolute,
    s.AddOp: _pairwise(a.AddFOp),
    s.ClampOp: _clamp,
    s.CompareOp: _compare,
    s.ComplexOp: lambda b, op, args: join(b, (args[0], args[1])),
    s.ImagOp: lambda b, op, args: _new(b, c.ImOp, args[0]),
    s.MaximumOp: _maximum,
    s.MinimumOp: _minimum,
    s.MultiplyOp: _times,
    s.NegateOp: _negate,
    s.RealOp: lambda b, op, args: _new(b, c.ReOp, args[0]),
    s.SubtractOp: _pairwise(a.SubFOp),
    chlo.SquareOp: lambda b, op, args: _times(b, op, [args[0], args[0]]),
}
"""What complex numbers have a lowering for."""
