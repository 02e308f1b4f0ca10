"""Makers of elementwise operations, from the registry: every unary and binary operation with its element types."""

from __future__ import annotations

from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import OPS
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import C64, C128, F32, F64, I1, DType

from .scope import Scope, scalar, shape_of, type_of
from .values import ALL, COMPLEX, FLOATS, random_dtype

UNARY = tuple(c for n, c in sorted(OPS.items()) if n.startswith("stablehlo.") and issubclass(c, s.UnaryOp))
BINARY = tuple(c for n, c in sorted(OPS.items()) if n.startswith("stablehlo.") and issubclass(c, s.BinaryOp))

COMMON = (s.AddOp, s.SubtractOp, s.MultiplyOp, s.MaximumOp, s.MinimumOp)


def dtypes_of(cls: type[Op]) -> tuple[DType, ...]:
    kinds = cls.KINDS  # type: ignore[attr-defined]  # every unary and binary operation has them
    # XLA has no remainder of complex numbers, and the specification does not say what it would be.
    return tuple(t for t in ALL if t.kind in kinds and not (cls is s.RemainderOp and t.is_complex))


def unary(scope: Scope) -> None:
    cls = scope.random.choice(UNARY)
    scope.insert(cls(scope.pick(dtypes_of(cls))))


def binary(scope: Scope) -> None:
    cls = scope.random.choice(COMMON if scope.random.random() < 0.3 else BINARY)
    lhs = scope.pick(dtypes_of(cls))
    scope.insert(cls(lhs, scope.like(shape_of(lhs), type_of(lhs).dtype)))


def compare(scope: Scope) -> None:
    lhs = scope.pick()
    dtype = type_of(lhs).dtype
    directions = list(ComparisonDirection)
    if dtype.is_complex:
        directions = [ComparisonDirection.EQ, ComparisonDirection.NE]
    kind = None
    if dtype.is_float and scope.random.random() < 0.3:
        kind = ComparisonType.TOTALORDER
    rhs = scope.like(shape_of(lhs), dtype)
    scope.insert(s.CompareOp(lhs, rhs, scope.random.choice(directions), kind))


def select(scope: Scope) -> None:
    yes = scope.pick()
    shape = shape_of(yes)
    pred = scope.like(() if scope.random.random() < 0.2 else shape, I1)
    scope.insert(s.SelectOp(pred, yes, scope.like(shape, type_of(yes).dtype)))


def clamp(scope: Scope) -> None:
    x = scope.pick()
    t = type_of(x)
    low, high = (scope.like(() if scope.random.random() < 0.4 else shape_of(x), t.dtype) for _ in range(2))
    scope.insert(s.ClampOp(low, x, high))


def convert(scope: Scope) -> None:
    x = scope.pick()
    scope.convert(x, random_dtype(scope.random))


def reduce_precision(scope: Scope) -> None:
    x = scope.pick(FLOATS)
    scope.insert(s.ReducePrecisionOp(x, scope.random.choice((2, 4, 5, 8, 11)), scope.random.choice((0, 2, 7, 10, 23))))


def bitcast(scope: Scope) -> None:
    x = scope.pick(tuple(t for t in ALL if t is not I1 and not t.is_complex))
    t = type_of(x)
    target = random_dtype(scope.random, tuple(d for d in ALL if d is not I1 and not d.is_complex))
    shape = shape_of(x)
    if target.bits < t.dtype.bits:
        shape = (*shape, t.dtype.bits // target.bits)
    elif target.bits > t.dtype.bits:
        ratio = target.bits // t.dtype.bits
        if not shape or shape[-1] != ratio:
            x = scope.fresh((*shape[:1], ratio), t.dtype)
            shape = shape_of(x)
        shape = shape[:-1]
    scope.insert(s.BitcastConvertOp(x, TensorType(shape, target)))


def complex_parts(scope: Scope) -> None:
    if scope.random.random() < 0.4:
        real = scope.pick((F32, F64))
        scope.insert(s.ComplexOp(real, scope.like(shape_of(real), type_of(real).dtype)))
    else:
        scope.insert(scope.random.choice((s.RealOp, s.ImagOp))(scope.pick((C64, C128))))


def is_finite(scope: Scope) -> None:
    scope.insert(s.IsFiniteOp(scope.pick(FLOATS)))


def map_(scope: Scope) -> None:
    first = scope.pick()
    shape = shape_of(first)
    inputs = [first, *(scope.like(shape, random_dtype(scope.random)) for _ in range(scope.random.randrange(3)))]
    result = random_dtype(scope.random)
    region = scope.region(
        [scalar(type_of(v).dtype) for v in inputs],
        lambda inner: [scalar_result(inner, result)],
    )
    scope.insert(s.MapOp(inputs, tuple(range(len(shape))), region, TensorType(shape, result)))


def scalar_result(inner: Scope, dtype: DType) -> Value:
    """A scalar computed in a region by one to four operations."""
    for _ in range(inner.random.randint(1, 4)):
        inner.random.choice((unary_scalar, binary_scalar, binary_scalar, select_scalar))(inner)
    found = [v for v in inner.values if type_of(v) == scalar(dtype)]
    if found:
        return found[-1]
    real = [v for v in inner.values if not type_of(v).dtype.is_complex or dtype.is_complex]
    return inner.convert(real[-1], dtype) if real else inner.fresh((), dtype)


def _has_scalar(scope: Scope, among: tuple[DType, ...]) -> bool:
    return any(type_of(v).rank == 0 and type_of(v).dtype in among for v in scope.visible())


def unary_scalar(scope: Scope) -> None:
    cls = scope.random.choice(UNARY)
    if _has_scalar(scope, dtypes_of(cls)):
        scope.insert(cls(_pick_scalar(scope, dtypes_of(cls))))


def binary_scalar(scope: Scope) -> None:
    cls = scope.random.choice(BINARY)
    if _has_scalar(scope, dtypes_of(cls)):
        lhs = _pick_scalar(scope, dtypes_of(cls))
        scope.insert(cls(lhs, scope.like((), type_of(lhs).dtype)))


def select_scalar(scope: Scope) -> None:
    lhs = _pick_scalar(scope, ALL)
    dtype = type_of(lhs).dtype
    directions = (ComparisonDirection.EQ, ComparisonDirection.NE) if dtype in COMPLEX else tuple(ComparisonDirection)
    rhs = scope.like((), dtype)
    pred = scope.insert(s.CompareOp(lhs, rhs, scope.random.choice(directions))).result
    scope.insert(s.SelectOp(pred, lhs, rhs))


def _pick_scalar(scope: Scope, among: tuple[DType, ...]) -> Value:
    found = [v for v in scope.visible() if type_of(v).rank == 0 and type_of(v).dtype in among]
    return scope.random.choice(found) if found else scope.fresh((), random_dtype(scope.random, among))


MAKERS = {
    unary: 6,
    binary: 10,
    compare: 3,
    select: 3,
    clamp: 2,
    convert: 4,
    reduce_precision: 1,
    bitcast: 1,
    complex_parts: 1,
    is_finite: 1,
    map_: 1,
}
