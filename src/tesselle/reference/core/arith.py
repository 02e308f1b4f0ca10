"""arith on scalars and tensors; the operation says how the bits of integers are read, never the type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tesselle.dialects.core import arith as a
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Op
from tesselle.reference import numerics as n
from tesselle.reference.registry import Array, element_dtype, semantics
from tesselle.support.dtypes import DType

Binary = Callable[[Array, Array], Array]


def _signed(function: Binary) -> Binary:
    """`function` on operands read as signed integers."""
    return lambda x, y: n.view_as(np.asarray(function(n.as_signed(x), n.as_signed(y))), x.dtype)


def _unsigned(function: Binary) -> Binary:
    """`function` on operands read as unsigned integers."""
    return lambda x, y: n.view_as(np.asarray(function(n.as_unsigned(x), n.as_unsigned(y))), x.dtype)


def _boolean_or(boolean: Binary, other: Binary) -> Binary:
    return lambda x, y: boolean(x, y) if x.dtype == np.bool_ else other(x, y)


def _floor_divide(x: Array, y: Array) -> Array:
    return np.where(y == 0, -1, x // np.where(y == 0, 1, y)).astype(x.dtype)


def _ceil_divide(x: Array, y: Array) -> Array:
    return -_floor_divide(-x, y)


def _min_num(x: Array, y: Array) -> Array:
    return np.where(np.isnan(x), y, np.where(np.isnan(y), x, n.float_minimum(x, y)))


def _max_num(x: Array, y: Array) -> Array:
    return np.where(np.isnan(x), y, np.where(np.isnan(y), x, n.float_maximum(x, y)))


_BINARY: dict[type[Op], Binary] = {
    a.AddIOp: _boolean_or(np.logical_xor, np.add),
    a.SubIOp: _boolean_or(np.logical_xor, np.subtract),
    a.MulIOp: _boolean_or(np.logical_and, np.multiply),
    a.DivSIOp: _signed(n.int_divide),
    a.DivUIOp: _unsigned(n.int_divide),
    a.RemSIOp: _signed(n.int_remainder),
    a.RemUIOp: _unsigned(n.int_remainder),
    a.FloorDivSIOp: _signed(_floor_divide),
    a.CeilDivSIOp: _signed(_ceil_divide),
    a.AndIOp: np.bitwise_and,
    a.OrIOp: np.bitwise_or,
    a.XOrIOp: np.bitwise_xor,
    a.ShLIOp: n.shift_left,
    a.ShRSIOp: n.shift_right_arithmetic,
    a.ShRUIOp: n.shift_right_logical,
    a.MinSIOp: _signed(np.minimum),
    a.MinUIOp: _boolean_or(np.logical_and, _unsigned(np.minimum)),
    a.MaxSIOp: _signed(np.maximum),
    a.MaxUIOp: _boolean_or(np.logical_or, _unsigned(np.maximum)),
    a.AddFOp: np.add,
    a.SubFOp: np.subtract,
    a.MulFOp: np.multiply,
    a.DivFOp: np.divide,
    a.RemFOp: np.fmod,
    a.MinimumFOp: n.float_minimum,
    a.MaximumFOp: n.float_maximum,
    a.MinNumFOp: _min_num,
    a.MaxNumFOp: _max_num,
}


_ON_BITS = (
    a.DivSIOp,
    a.DivUIOp,
    a.RemSIOp,
    a.RemUIOp,
    a.FloorDivSIOp,
    a.CeilDivSIOp,
    a.ShLIOp,
    a.ShRSIOp,
    a.ShRUIOp,
    a.MinSIOp,
    a.MinUIOp,
    a.MaxSIOp,
    a.MaxUIOp,
)
"""Operations that say themselves how they read the bits of narrow integers."""


def _register(cls: type[Op], function: Binary) -> None:
    rounded = function if cls in _ON_BITS else n.widened(function)

    @semantics(cls)
    def apply(op: Op, x: Array, y: Array) -> Array:
        return rounded(x, y).astype(x.dtype, copy=False)

    del apply


for _cls, _function in _BINARY.items():
    _register(_cls, _function)


@semantics(a.ConstantOp)
def constant(op: a.ConstantOp) -> Array:
    value = op.value
    if isinstance(value, DenseElements):
        return value.array
    dtype = element_dtype(op.result_type)
    if isinstance(value, int) and dtype.bits >= 8 and not dtype.is_float and not dtype.is_bool:
        # Integers may be written signed or unsigned; the bits count.
        return n.wrap_bits(np.array(value & ((1 << 64) - 1), np.uint64), dtype)
    return np.array(value, dtype.numpy)


@semantics(a.NegFOp)
def negf(op: a.NegFOp, x: Array) -> Array:
    return np.negative(x)


_INT: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@semantics(a.CmpIOp)
def cmpi(op: a.CmpIOp, x: Array, y: Array) -> Array:
    name = op.predicate.value
    if name not in _INT:
        x, y = (n.as_signed(x), n.as_signed(y)) if name[0] == "s" else (n.as_unsigned(x), n.as_unsigned(y))
        name = name[1:]
    return np.asarray(_INT[name](n.widen(x), n.widen(y)), np.bool_)


@semantics(a.CmpFOp)
def cmpf(op: a.CmpFOp, x: Array, y: Array) -> Array:
    name = op.predicate.value
    x, y = n.widen(x), n.widen(y)
    unordered = np.isnan(x) | np.isnan(y)
    if name in ("ord", "uno"):
        return unordered if name == "uno" else ~unordered
    result = _INT[name[1:]](x, y)
    return np.asarray(result | unordered if name[0] == "u" else result & ~unordered, np.bool_)


@semantics(a.SelectOp)
def select(op: a.SelectOp, condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


def _to(op: Op) -> DType:
    return element_dtype(op.result.type)


@semantics(a.ExtSIOp)
def extsi(op: a.ExtSIOp, x: Array) -> Array:
    value = -x.astype(np.int8) if x.dtype == np.bool_ else n.as_signed(x)
    return n.wrap_bits(value.astype(np.int64), _to(op))


@semantics(a.ExtUIOp)
def extui(op: a.ExtUIOp, x: Array) -> Array:
    return n.wrap_bits(n.as_unsigned(x), _to(op))


@semantics(a.TruncIOp)
def trunci(op: a.TruncIOp, x: Array) -> Array:
    to = _to(op)
    return (n.widen(x) & np.array(1, n.widen(x).dtype)) != 0 if to.is_bool else n.wrap_bits(n.widen(x), to)


@semantics(a.ExtFOp, a.TruncFOp)
def float_to_float(op: a.ExtFOp | a.TruncFOp, x: Array) -> Array:
    return n.convert(x, _to(op))


@semantics(a.SIToFPOp)
def sitofp(op: a.SIToFPOp, x: Array) -> Array:
    return n.convert(n.as_signed(x), _to(op))


@semantics(a.UIToFPOp)
def uitofp(op: a.UIToFPOp, x: Array) -> Array:
    return n.convert(n.as_unsigned(x), _to(op))


@semantics(a.FPToSIOp, a.FPToUIOp)
def float_to_int(op: a.FPToSIOp | a.FPToUIOp, x: Array) -> Array:
    return n.float_to_int(x, _to(op))


@semantics(a.BitcastOp)
def bitcast(op: a.BitcastOp, x: Array) -> Array:
    return n.view_as(n.as_unsigned(x), _to(op).numpy)


@semantics(a.IndexCastOp)
def index_cast(op: a.IndexCastOp, x: Array) -> Array:
    return n.wrap_bits(n.as_signed(x), _to(op))


@semantics(a.IndexCastUIOp)
def index_castui(op: a.IndexCastUIOp, x: Array) -> Array:
    return n.wrap_bits(n.as_unsigned(x), _to(op))
