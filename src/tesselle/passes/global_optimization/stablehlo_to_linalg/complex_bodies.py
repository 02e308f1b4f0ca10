"""Complex arithmetic on scalars, expanded to the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as c
from tesselle.dialects.core import math as m
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F32, DType

Parts = tuple[Value, Value]


def emit(b: Builder, op: Op, args: list[Value]) -> Value:
    """`op` on complex scalars (or real parts, for stablehlo.complex); Unsupported when it is not covered."""
    emitter = COMPLEX.get(type(op))
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


def _divide(b: Builder, x: Parts, y: Parts) -> Parts:
    """Smith's algorithm: scales by the larger part of the divisor, so that squares do not overflow."""
    larger = b.insert(a.CmpFOp(a.CmpFPredicate.OGE, _new(b, m.AbsFOp, y[0]), _new(b, m.AbsFOp, y[1]))).result
    big, small = _new(b, a.SelectOp, larger, y[0], y[1]), _new(b, a.SelectOp, larger, y[1], y[0])
    ratio = _new(b, a.DivFOp, small, big)
    scale = _new(b, a.AddFOp, big, _new(b, a.MulFOp, small, ratio))
    u, v = _new(b, a.SelectOp, larger, x[0], x[1]), _new(b, a.SelectOp, larger, x[1], x[0])
    real = _new(b, a.DivFOp, _new(b, a.AddFOp, u, _new(b, a.MulFOp, v, ratio)), scale)
    straight = _new(b, a.SubFOp, v, _new(b, a.MulFOp, u, ratio))
    imaginary = _new(b, a.SelectOp, larger, straight, _new(b, a.NegFOp, straight))
    return real, _new(b, a.DivFOp, imaginary, scale)


def _absolute(b: Builder, x: Parts) -> Value:
    """hypot: the larger part times sqrt(1 + ratio**2); infinite when a part is."""
    p, q = _new(b, m.AbsFOp, x[0]), _new(b, m.AbsFOp, x[1])
    big, small = _new(b, a.MaximumFOp, p, q), _new(b, a.MinimumFOp, p, q)
    dtype = big.type
    assert isinstance(dtype, DType)
    zero, one = scalar_constant(b, 0, dtype), scalar_constant(b, 1, dtype)
    ratio = _new(b, a.DivFOp, small, big)
    root = _new(b, m.SqrtOp, _new(b, a.AddFOp, one, _new(b, a.MulFOp, ratio, ratio)))
    equal = b.insert(a.CmpFOp(a.CmpFPredicate.OEQ, small, big)).result
    # 0/0 and inf/inf are nan, while the ratio of equal parts is 1.
    diagonal = _new(b, a.MulFOp, big, scalar_constant(b, 2**0.5, dtype))
    is_zero = b.insert(a.CmpFOp(a.CmpFPredicate.OEQ, big, zero)).result
    safe = _new(b, a.SelectOp, equal, diagonal, _new(b, a.MulFOp, big, root))
    return _new(b, a.SelectOp, is_zero, zero, safe)


def _exponential(b: Builder, x: Parts) -> Parts:
    size = _new(b, m.ExpOp, x[0])
    return _new(b, a.MulFOp, size, _new(b, m.CosOp, x[1])), _new(b, a.MulFOp, size, _new(b, m.SinOp, x[1]))


def _logarithm(b: Builder, x: Parts) -> Parts:
    return _new(b, m.LogOp, _absolute(b, x)), _new(b, m.Atan2Op, x[1], x[0])


def _power(b: Builder, x: Parts, y: Parts) -> Parts:
    return _exponential(b, _multiply(b, y, _logarithm(b, x)))


def _half(b: Builder, x: Value) -> Value:
    assert isinstance(x.type, DType)
    return _new(b, a.MulFOp, x, scalar_constant(b, 0.5, x.type))


def _square_root(b: Builder, x: Parts) -> Parts:
    size = _absolute(b, x)
    t = _new(b, m.SqrtOp, _half(b, _new(b, a.AddFOp, size, _new(b, m.AbsFOp, x[0]))))
    dtype = t.type
    assert isinstance(dtype, DType)
    zero = scalar_constant(b, 0, dtype)
    is_zero = b.insert(a.CmpFOp(a.CmpFPredicate.OEQ, t, zero)).result
    other = _new(b, a.SelectOp, is_zero, zero, _half(b, _new(b, a.DivFOp, x[1], t)))
    right = b.insert(a.CmpFOp(a.CmpFPredicate.OGE, x[0], zero)).result
    real = _new(b, a.SelectOp, right, t, _new(b, m.AbsFOp, other))
    imaginary = _new(b, a.SelectOp, right, other, _new(b, m.CopySignOp, t, x[1]))
    return real, imaginary


def _sine(b: Builder, x: Parts) -> Parts:
    real = _new(b, a.MulFOp, _new(b, m.SinOp, x[0]), _new(b, m.CoshOp, x[1]))
    return real, _new(b, a.MulFOp, _new(b, m.CosOp, x[0]), _new(b, m.SinhOp, x[1]))


def _cosine(b: Builder, x: Parts) -> Parts:
    real = _new(b, a.MulFOp, _new(b, m.CosOp, x[0]), _new(b, m.CoshOp, x[1]))
    product = _new(b, a.MulFOp, _new(b, m.SinOp, x[0]), _new(b, m.SinhOp, x[1]))
    return real, _new(b, a.NegFOp, product)


def _one(b: Builder, like: Value) -> Parts:
    assert isinstance(like.type, DType)
    return scalar_constant(b, 1, like.type), scalar_constant(b, 0, like.type)


def _tanh(b: Builder, x: Parts) -> Parts:
    """(e**2x - 1) / (e**2x + 1), as the quotient of sinh and cosh of the parts.

    Beyond a real part that makes the result +-1 to the last digit, a smaller one does so too, and does not overflow.
    """
    dtype = x[0].type
    assert isinstance(dtype, DType)
    limit = 40 if dtype is F32 else 350
    bounded = _new(b, a.MinimumFOp, x[0], scalar_constant(b, limit, dtype))
    x = (_new(b, a.MaximumFOp, bounded, scalar_constant(b, -limit, dtype)), x[1])
    sinh = (
        _new(b, a.MulFOp, _new(b, m.SinhOp, x[0]), _new(b, m.CosOp, x[1])),
        _new(b, a.MulFOp, _new(b, m.CoshOp, x[0]), _new(b, m.SinOp, x[1])),
    )
    cosh = (
        _new(b, a.MulFOp, _new(b, m.CoshOp, x[0]), _new(b, m.CosOp, x[1])),
        _new(b, a.MulFOp, _new(b, m.SinhOp, x[0]), _new(b, m.SinOp, x[1])),
    )
    return _divide(b, sinh, cosh)


def _tan(b: Builder, x: Parts) -> Parts:
    """-i * tanh(i * x)"""
    real, imaginary = _tanh(b, (_new(b, a.NegFOp, x[1]), x[0]))
    return imaginary, _new(b, a.NegFOp, real)


def _logistic(b: Builder, x: Parts) -> Parts:
    one = _one(b, x[0])
    e = _exponential(b, (_new(b, a.NegFOp, x[0]), _new(b, a.NegFOp, x[1])))
    return _divide(b, one, (_new(b, a.AddFOp, one[0], e[0]), e[1]))


def _sign(b: Builder, x: Parts) -> Parts:
    size = _absolute(b, x)
    dtype = size.type
    assert isinstance(dtype, DType)
    zero = scalar_constant(b, 0, dtype)
    is_zero = b.insert(a.CmpFOp(a.CmpFPredicate.OEQ, size, zero)).result
    real = _new(b, a.SelectOp, is_zero, zero, _new(b, a.DivFOp, x[0], size))
    return real, _new(b, a.SelectOp, is_zero, zero, _new(b, a.DivFOp, x[1], size))


def _pairwise(cls: type[Op]) -> Callable[[Builder, Parts, Parts], Parts]:
    return lambda b, x, y: (_new(b, cls, x[0], y[0]), _new(b, cls, x[1], y[1]))


def _lexicographic(b: Builder, direction: ComparisonDirection, x: Parts, y: Parts) -> Value:
    """By the real parts, and where these are equal by the imaginary parts; with nan only NE holds."""

    def compare(predicate: a.CmpFPredicate, p: Value, q: Value) -> Value:
        return b.insert(a.CmpFOp(predicate, p, q)).result

    if direction is ComparisonDirection.NE:
        return _new(b, a.OrIOp, *(compare(a.CmpFPredicate.UNE, p, q) for p, q in zip(x, y, strict=True)))
    same = compare(a.CmpFPredicate.OEQ, x[0], y[0])
    last = compare(_ORDERED[direction], x[1], y[1])
    if direction is ComparisonDirection.EQ:
        return _new(b, a.AndIOp, same, last)
    return _new(b, a.SelectOp, same, last, compare(_ORDERED[direction], x[0], y[0]))


_ORDERED = {
    ComparisonDirection.EQ: a.CmpFPredicate.OEQ,
    ComparisonDirection.GE: a.CmpFPredicate.OGE,
    ComparisonDirection.GT: a.CmpFPredicate.OGT,
    ComparisonDirection.LE: a.CmpFPredicate.OLE,
    ComparisonDirection.LT: a.CmpFPredicate.OLT,
}


def _compare(b: Builder, op: Op, args: list[Value]) -> Value:
    assert isinstance(op, s.CompareOp)
    return _lexicographic(b, op.comparison_direction, parts(b, args[0]), parts(b, args[1]))


def _larger(b: Builder, x: Value, y: Value, direction: ComparisonDirection) -> Value:
    """`x` where it stands in `direction` to `y`, else `y`."""
    return _new(b, a.SelectOp, _lexicographic(b, direction, parts(b, x), parts(b, y)), x, y)


def _clamp(b: Builder, op: Op, args: list[Value]) -> Value:
    low, x, high = args
    return _larger(b, _larger(b, x, low, ComparisonDirection.GT), high, ComparisonDirection.LT)


def _unary(function: Callable[[Builder, Parts], Parts]) -> Callable[[Builder, Op, list[Value]], Value]:
    return lambda b, op, args: join(b, function(b, parts(b, args[0])))


def _binary(function: Callable[[Builder, Parts, Parts], Parts]) -> Callable[[Builder, Op, list[Value]], Value]:
    return lambda b, op, args: join(b, function(b, parts(b, args[0]), parts(b, args[1])))


COMPLEX: dict[type[Op], Callable[[Builder, Op, list[Value]], Value]] = {
    s.AbsOp: lambda b, op, args: _absolute(b, parts(b, args[0])),
    s.AddOp: _binary(_pairwise(a.AddFOp)),
    s.ClampOp: _clamp,
    s.CompareOp: _compare,
    s.ComplexOp: lambda b, op, args: join(b, (args[0], args[1])),
    s.CosineOp: _unary(_cosine),
    s.DivideOp: _binary(_divide),
    s.ExponentialOp: _unary(_exponential),
    s.ExponentialMinusOneOp: _unary(lambda b, x: _pairwise(a.SubFOp)(b, _exponential(b, x), _one(b, x[0]))),
    s.ImagOp: lambda b, op, args: _new(b, c.ImOp, args[0]),
    s.LogOp: _unary(_logarithm),
    s.LogPlusOneOp: _unary(lambda b, x: _logarithm(b, _pairwise(a.AddFOp)(b, x, _one(b, x[0])))),
    s.LogisticOp: _unary(_logistic),
    s.MaximumOp: lambda b, op, args: _larger(b, *args, ComparisonDirection.GT),
    s.MinimumOp: lambda b, op, args: _larger(b, *args, ComparisonDirection.LT),
    s.MultiplyOp: _binary(_multiply),
    s.NegateOp: _unary(lambda b, x: (_new(b, a.NegFOp, x[0]), _new(b, a.NegFOp, x[1]))),
    s.PowerOp: _binary(_power),
    s.RealOp: lambda b, op, args: _new(b, c.ReOp, args[0]),
    s.RsqrtOp: _unary(lambda b, x: _divide(b, _one(b, x[0]), _square_root(b, x))),
    s.SignOp: _unary(_sign),
    s.SineOp: _unary(_sine),
    s.SqrtOp: _unary(_square_root),
    s.SubtractOp: _binary(_pairwise(a.SubFOp)),
    s.TanOp: _unary(_tan),
    s.TanhOp: _unary(_tanh),
}
"""What complex numbers have a lowering for."""
