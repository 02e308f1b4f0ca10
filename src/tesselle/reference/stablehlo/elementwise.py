"""Elementwise StableHLO."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.core import Op
from tesselle.reference import complex_functions as cx
from tesselle.reference import numerics as n
from tesselle.reference.registry import Array, RegionRunner, element_dtype, region_semantics, semantics
from tesselle.support.diagnostics import Unsupported

COMPLEX_REMAINDER = "the specification gives remainder of complex numbers no meaning (openxla/stablehlo#997)"

Unary = Callable[[Array], Array]
Binary = Callable[[Array, Array], Array]

_ON_BITS = (
    n.count_leading_zeros,
    n.population_count,
    n.shift_left,
    n.shift_right_arithmetic,
    n.shift_right_logical,
)
"""Functions that depend on the width of the type: they are never computed in a wider one."""


def _unary(cls: type[Op], function: Unary) -> None:
    rounded = function if function in _ON_BITS else n.widened(function)

    @semantics(cls)
    def apply(op: Op, x: Array) -> Array:
        return rounded(x).astype(x.dtype, copy=False)

    del apply


def _binary(cls: type[Op], function: Binary) -> None:
    rounded = function if function in _ON_BITS else n.widened(function)

    @semantics(cls)
    def apply(op: Op, x: Array, y: Array) -> Array:
        return rounded(x, y).astype(x.dtype, copy=False)

    del apply


def _integer_or(integer: Binary, other: Binary) -> Binary:
    """`integer` for integers, `other` for floats and complex numbers."""
    return lambda x, y: integer(x, y) if x.dtype.kind in "iu" else other(x, y)


def _bool_or(boolean: Binary, other: Binary) -> Binary:
    return lambda x, y: boolean(x, y) if x.dtype == np.bool_ else other(x, y)


def _lexicographic(x: Array, y: Array, first: Callable[[Array, Array], Array]) -> Array:
    """The complex number that `first` prefers, by real parts, then by imaginary parts."""
    return np.where(np.where(x.real == y.real, first(x.imag, y.imag), first(x.real, y.real)), x, y)


def _maximum(x: Array, y: Array) -> Array:
    if x.dtype.kind == "c":
        return _lexicographic(x, y, np.greater)
    return n.float_maximum(x, y) if n.dtype_of(x).is_float else np.maximum(x, y)


def _minimum(x: Array, y: Array) -> Array:
    if x.dtype.kind == "c":
        return _lexicographic(x, y, np.less)
    return n.float_minimum(x, y) if n.dtype_of(x).is_float else np.minimum(x, y)


def _multiply(x: Array, y: Array) -> Array:
    return (cx.multiply if x.dtype.kind == "c" else np.multiply)(x, y)


def _complex_or(complex_: Callable[..., Array], other: Callable[..., Array]) -> Callable[..., Array]:
    """`complex_` in a wider type for complex numbers, `other` for all others."""
    wide = cx.in_wider(complex_)
    return lambda *operands: (wide if operands[0].dtype.kind == "c" else other)(*operands)


def _remainder(x: Array, y: Array) -> Array:
    if x.dtype.kind == "c":
        raise Unsupported(COMPLEX_REMAINDER)
    return np.fmod(x, y)


_UNARY: dict[type[Op], Unary] = {
    s.CbrtOp: _complex_or(cx.cbrt, np.cbrt),
    s.CeilOp: np.ceil,
    s.CountLeadingZerosOp: n.count_leading_zeros,
    s.CosineOp: _complex_or(np.cos, np.cos),
    s.ExponentialOp: _complex_or(np.exp, np.exp),
    s.ExponentialMinusOneOp: _complex_or(cx.expm1, np.expm1),
    s.FloorOp: np.floor,
    s.LogOp: _complex_or(np.log, np.log),
    s.LogPlusOneOp: _complex_or(cx.log1p, np.log1p),
    s.LogisticOp: _complex_or(cx.logistic, n.logistic),
    s.NegateOp: np.negative,
    s.NotOp: np.invert,
    s.PopcntOp: n.population_count,
    s.RoundNearestAfzOp: n.round_half_away,
    s.RoundNearestEvenOp: np.rint,
    s.RsqrtOp: _complex_or(cx.rsqrt, n.rsqrt),
    s.SignOp: _complex_or(cx.sign, n.sign),
    s.SineOp: _complex_or(np.sin, np.sin),
    s.SqrtOp: _complex_or(np.sqrt, np.sqrt),
    s.TanOp: _complex_or(np.tan, np.tan),
    s.TanhOp: _complex_or(np.tanh, np.tanh),
}

_BINARY: dict[type[Op], Binary] = {
    s.AddOp: _bool_or(np.logical_or, np.add),
    s.AndOp: np.bitwise_and,
    s.Atan2Op: _complex_or(cx.atan2, np.arctan2),
    s.DivideOp: _integer_or(n.int_divide, _complex_or(cx.divide, np.divide)),
    s.MaximumOp: _bool_or(np.logical_or, _maximum),
    s.MinimumOp: _bool_or(np.logical_and, _minimum),
    s.MultiplyOp: _bool_or(np.logical_and, _multiply),
    s.OrOp: np.bitwise_or,
    s.PowerOp: _integer_or(n.int_power, _complex_or(cx.power, np.power)),
    s.RemainderOp: _integer_or(n.int_remainder, _remainder),
    s.ShiftLeftOp: n.shift_left,
    s.ShiftRightArithmeticOp: n.shift_right_arithmetic,
    s.ShiftRightLogicalOp: n.shift_right_logical,
    s.SubtractOp: np.subtract,
    s.XorOp: np.bitwise_xor,
}

for _cls, _unary_function in _UNARY.items():
    _unary(_cls, _unary_function)
for _cls, _binary_function in _BINARY.items():
    _binary(_cls, _binary_function)


_modulus = cx.in_wider(np.abs)


@semantics(s.AbsOp)
def absolute(op: s.AbsOp, x: Array) -> Array:
    return _modulus(x) if x.dtype.kind == "c" else n.narrow(np.abs(n.widen(x)), x.dtype)


@semantics(s.ComplexOp)
def make_complex(op: s.ComplexOp, x: Array, y: Array) -> Array:
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), element_dtype(op.result.type).numpy)
    out.real, out.imag = x, y
    return out


@semantics(s.RealOp)
def real(op: s.RealOp, x: Array) -> Array:
    return np.ascontiguousarray(x.real).reshape(x.shape) if x.dtype.kind == "c" else x


@semantics(s.ImagOp)
def imag(op: s.ImagOp, x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.ascontiguousarray(x.imag).reshape(x.shape)
    return n.convert(np.zeros(x.shape, np.float32), n.dtype_of(x))


@semantics(s.IsFiniteOp)
def is_finite(op: s.IsFiniteOp, x: Array) -> Array:
    return np.isfinite(n.widen(x))


COMPARE: dict[ComparisonDirection, Binary] = {
    ComparisonDirection.EQ: operator.eq,
    ComparisonDirection.NE: operator.ne,
    ComparisonDirection.GE: operator.ge,
    ComparisonDirection.GT: operator.gt,
    ComparisonDirection.LE: operator.le,
    ComparisonDirection.LT: operator.lt,
}


@semantics(s.CompareOp)
def compare(op: s.CompareOp, x: Array, y: Array) -> Array:
    if op.compare_type is ComparisonType.TOTALORDER:
        x, y = n.total_order(x), n.total_order(y)
    return np.asarray(COMPARE[op.comparison_direction](n.widen(x), n.widen(y)), np.bool_)


@semantics(s.ConvertOp)
def convert(op: s.ConvertOp, x: Array) -> Array:
    return n.convert(x, element_dtype(op.result.type))


@semantics(s.ReducePrecisionOp)
def reduce_precision(op: s.ReducePrecisionOp, x: Array) -> Array:
    return n.reduce_precision(x, op.exponent_bits, op.mantissa_bits)


@semantics(s.SelectOp)
def select(op: s.SelectOp, condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


@semantics(s.ClampOp)
def clamp(op: s.ClampOp, low: Array, x: Array, high: Array) -> Array:
    return _clamped(x, low, high).astype(x.dtype, copy=False)


def _between(x: Array, low: Array, high: Array) -> Array:
    return _minimum(_maximum(x, low), high)


_clamped = n.widened(_between)


@region_semantics(s.MapOp)
def map_elements(op: s.MapOp, runner: RegionRunner, *inputs: Array) -> Array:
    (out,) = runner.run_elementwise(op.computation.block, inputs)
    return np.broadcast_to(out, inputs[0].shape)


@semantics(s.BitcastConvertOp)
def bitcast_convert(op: s.BitcastConvertOp, x: Array) -> Array:
    """The first of several narrow elements has the lowest bits."""
    to = element_dtype(op.result.type)
    source = n.dtype_of(x)
    if source.bits == to.bits:
        return n.view_as(n.as_unsigned(x) if source.bits < 8 else x, to.numpy)
    if min(source.bits, to.bits) >= 8:
        if source.bits > to.bits:
            return np.ascontiguousarray(x[..., None]).view(to.numpy)
        return np.ascontiguousarray(x).view(to.numpy)[..., 0]
    if source.bits > to.bits:
        pattern = n.as_unsigned(x)
        shifts = (n.ramp(source.bits // to.bits) * to.bits).astype(pattern.dtype)
        mask = np.array((1 << to.bits) - 1, pattern.dtype)
        parts = ((pattern[..., None] >> shifts) & mask).astype(np.uint8)
        return parts != 0 if to.is_bool else n.view_as(parts, to.numpy)
    shifts = (n.ramp(x.shape[-1]) * source.bits).astype(np.uint64)
    whole = np.bitwise_or.reduce(n.as_unsigned(x).astype(np.uint64) << shifts, axis=-1)
    return n.view_as(np.asarray(whole).astype(f"u{to.numpy.itemsize}"), to.numpy)
