"""Elementwise StableHLO on scalars: the bodies of loop nests, and host arithmetic.

Integers are read signed or unsigned as their type says. Floats narrower than 32 bits are computed in f32 and rounded
after every operation, as the reference does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tesselle.dialects.core import arith as a
from tesselle.dialects.core import math as m
from tesselle.dialects.stablehlo import control_flow, shape
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.stablehlo_to_linalg import complex_bodies
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import scalar_constant
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DTYPES, INDEX, UI64, DType
from tesselle.support.float_formats import format_of, reduced_exponents

Emitter = Callable[[Builder, Op, list[Value]], Value]

SCALARS: dict[type[Op], Emitter] = {}
"""Operation class -> function that builds the operation on scalars."""


def dtype_of(value: Value) -> DType:
    t = value.type
    if isinstance(t, TensorType):
        return t.dtype
    assert isinstance(t, DType)
    return t


def scalar(*classes: type[Op]) -> Callable[[Emitter], Emitter]:
    """Register how operation classes are built on scalars."""

    def register(function: Emitter) -> Emitter:
        for cls in classes:
            SCALARS[cls] = function
        return function

    return register


def emit_scalar(b: Builder, op: Op, args: Sequence[Value]) -> Value:
    """`op` on scalars; Unsupported when there is no such lowering."""
    emitter = SCALARS.get(type(op))
    if emitter is None:
        raise Unsupported(f"{op.name} cannot stand in the body of a loop", op.location, op.name)
    return emitter(b, op, list(args))


_IDENTITY = (shape.BroadcastInDimOp, shape.ReshapeOp, shape.TransposeOp, control_flow.OptimizationBarrierOp)


def emit_block(
    b: Builder, block: Block, args: Sequence[Value], outer: Mapping[Value, Value] | None = None
) -> list[Value]:
    """The operations of a region on tensors of rank 0, as scalars; the operands of its terminator.

    `outer`: the scalars of the values of the blocks around it.
    """
    values: dict[Value, Value] = {**(outer or {}), **dict(zip(block.args, args, strict=True))}
    for op in block:
        if isinstance(op, control_flow.ReturnOp):
            return [_value(b, values, v) for v in op.operands]
        if isinstance(op, shape.ConstantOp | a.ConstantOp):
            elements = op.value
            assert isinstance(elements, DenseElements)
            values[op.result] = scalar_constant(b, elements.splat_value, dtype_of(op.result))
        elif isinstance(op, _IDENTITY):
            for r, v in zip(op.results, op.operands, strict=True):
                values[r] = _value(b, values, v)
        elif isinstance(op, s.MapOp):
            inner = emit_block(b, op.computation.block, [_value(b, values, v) for v in op.operands])
            values[op.result] = inner[0]
        elif isinstance(op, control_flow.IfOp | control_flow.CaseOp):
            values.update(zip(op.results, _chosen_branch(b, op, values), strict=True))
        else:
            values[op.result] = emit_scalar(b, op, [_value(b, values, v) for v in op.operands])
    return []


def _chosen_branch(
    b: Builder, op: control_flow.IfOp | control_flow.CaseOp, values: dict[Value, Value]
) -> Sequence[Value]:
    """All branches are computed and one is chosen: what stands in a body has neither effects nor traps."""
    selector = _value(b, values, op.operands[0])
    if isinstance(op, control_flow.IfOp):
        yes, no = (emit_block(b, r.block, (), values) for r in (op.true_branch, op.false_branch))
        return [b.insert(a.SelectOp(selector, p, q)).result for p, q in zip(yes, no, strict=True)]
    *first, chosen = (emit_block(b, r.block, (), values) for r in op.branches)
    for i, branch in enumerate(first):
        number = b.insert(a.ConstantOp(i, dtype_of(selector))).result
        here = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, selector, number)).result
        chosen = [b.insert(a.SelectOp(here, p, q)).result for p, q in zip(branch, chosen, strict=True)]
    return chosen


def _value(b: Builder, values: dict[Value, Value], v: Value) -> Value:
    """The scalar for a tensor of rank 0; one from outside of the region is read there."""
    found = values.get(v)
    if found is not None:
        return found
    from tesselle.dialects.core.tensor import ExtractOp, FromElementsOp
    from tesselle.ir.core import constant_elements

    elements = constant_elements(v)
    if elements is not None:
        found = scalar_constant(b, elements.splat_value, dtype_of(v))
    elif isinstance(v.defining_op, FromElementsOp):
        found = v.defining_op.elements[0]
    else:
        found = b.insert(ExtractOp(v, ())).result
    values[v] = found
    return found


# ---------------------------------------------------------------------------------------------- conversions


def is_narrow(dtype: DType) -> bool:
    """A float that is computed in a wider one. (Narrow integers are left to targets, which have them of any width.)"""
    return dtype.is_float and dtype.compute is not dtype


def widen(b: Builder, value: Value) -> Value:
    """A narrow float in the type that it is computed in; others as they are."""
    dtype = dtype_of(value)
    return b.insert(a.ExtFOp(value, dtype.compute)).result if is_narrow(dtype) else value


def narrow(b: Builder, value: Value, to: DType) -> Value:
    return value if value.type == to else b.insert(a.TruncFOp(value, to)).result


def in_f32(emitter: Emitter) -> Emitter:
    """The emitter on widened operands, its result rounded to the operands' type."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        dtype = dtype_of(args[-1])
        if not is_narrow(dtype):
            return emitter(b, op, args)
        result = emitter(b, op, [widen(b, x) for x in args])
        return narrow(b, result, dtype) if dtype_of(result) == dtype.compute else result

    return emit


def as_index(b: Builder, x: Value) -> Value:
    """An integer as an index value; what is beyond the greatest index becomes that, and not a negative one."""
    if x.type is UI64:
        x = b.insert(a.MinUIOp(x, scalar_constant(b, (1 << 63) - 1, UI64))).result
    return convert(b, x, INDEX)


def convert(b: Builder, x: Value, to: DType) -> Value:
    """x as `to`, by StableHLO's rules."""
    source = dtype_of(x)
    if source == to:
        return x
    if source.is_complex or to.is_complex:
        return complex_bodies.convert(b, x, to)
    if to.is_bool:
        zero = scalar_constant(b, 0, source)
        if source.is_float:
            return b.insert(a.CmpFOp(a.CmpFPredicate.UNE, x, zero)).result
        return b.insert(a.CmpIOp(a.CmpIPredicate.NE, x, zero)).result
    if source.is_float:
        if to.is_float:
            return _float_to_float(b, x, source, to)
        cls = a.FPToUIOp if to.is_unsigned else a.FPToSIOp
        return b.insert(cls(widen(b, x), to)).result
    if to.is_float:
        unsigned = source.is_unsigned or source.is_bool
        return b.insert((a.UIToFPOp if unsigned else a.SIToFPOp)(x, to)).result
    if source.is_index or to.is_index:
        unsigned = source.is_unsigned or source.is_bool
        return b.insert((a.IndexCastUIOp if unsigned else a.IndexCastOp)(x, to)).result
    if to.bits > source.bits:
        unsigned = source.is_unsigned or source.is_bool
        return b.insert((a.ExtUIOp if unsigned else a.ExtSIOp)(x, to)).result
    return b.insert((a.TruncIOp if to.bits < source.bits else a.BitcastOp)(x, to)).result


def _float_to_float(b: Builder, x: Value, source: DType, to: DType) -> Value:
    if source.bits < 32 and to.bits < 32:
        return narrow(b, widen(b, x), to)
    return b.insert((a.ExtFOp if to.bits > source.bits else a.TruncFOp)(x, to)).result


# ---------------------------------------------------------------------------------------------- tables


def _unary(floats: type[Op] | None, integers: type[Op] | None = None) -> Emitter:
    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        dtype = dtype_of(args[0])
        if dtype.is_complex:
            return complex_bodies.emit(b, op, args)
        cls: Any = floats if dtype.is_float else integers
        return b.insert(cls(args[0])).result

    return in_f32(emit)


def _binary(
    floats: type[Op] | None,
    signed: type[Op] | None = None,
    unsigned: type[Op] | None = None,
    boolean: type[Op] | None = None,
) -> Emitter:
    """Operations by the kind of element; `unsigned` and `boolean` are `signed` where they are not given."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        dtype = dtype_of(args[0])
        if dtype.is_complex:
            return complex_bodies.emit(b, op, args)
        cls: Any
        if dtype.is_float:
            cls = floats
        elif dtype.is_bool:
            cls = boolean or signed
        else:
            cls = (unsigned or signed) if dtype.is_unsigned else signed
        return b.insert(cls(args[0], args[1])).result

    return in_f32(emit)


SCALARS.update(
    {
        s.CbrtOp: _unary(m.CbrtOp),
        s.CeilOp: _unary(m.CeilOp),
        s.CosineOp: _unary(m.CosOp),
        s.CountLeadingZerosOp: _unary(None, m.CtLzOp),
        s.ExponentialOp: _unary(m.ExpOp),
        s.ExponentialMinusOneOp: _unary(m.ExpM1Op),
        s.FloorOp: _unary(m.FloorOp),
        s.LogOp: _unary(m.LogOp),
        s.LogPlusOneOp: _unary(m.Log1pOp),
        s.LogisticOp: _unary(m.LogisticOp),
        s.PopcntOp: _unary(None, m.CtPopOp),
        s.RoundNearestAfzOp: _unary(m.RoundOp),
        s.RoundNearestEvenOp: _unary(m.RoundEvenOp),
        s.RsqrtOp: _unary(m.RsqrtOp),
        s.SineOp: _unary(m.SinOp),
        s.SqrtOp: _unary(m.SqrtOp),
        s.TanOp: _unary(m.TanOp),
        s.TanhOp: _unary(m.TanhOp),
        s.AddOp: _binary(a.AddFOp, a.AddIOp, boolean=a.OrIOp),
        s.AndOp: _binary(None, a.AndIOp),
        s.Atan2Op: _binary(m.Atan2Op),
        s.DivideOp: _binary(a.DivFOp, a.DivSIOp, a.DivUIOp),
        s.MaximumOp: _binary(a.MaximumFOp, a.MaxSIOp, a.MaxUIOp, a.OrIOp),
        s.MinimumOp: _binary(a.MinimumFOp, a.MinSIOp, a.MinUIOp, a.AndIOp),
        s.MultiplyOp: _binary(a.MulFOp, a.MulIOp, boolean=a.AndIOp),
        s.OrOp: _binary(None, a.OrIOp),
        s.RemainderOp: _binary(a.RemFOp, a.RemSIOp, a.RemUIOp),
        s.ShiftLeftOp: _binary(None, a.ShLIOp),
        s.ShiftRightArithmeticOp: _binary(None, a.ShRSIOp),
        s.ShiftRightLogicalOp: _binary(None, a.ShRUIOp),
        s.SubtractOp: _binary(a.SubFOp, a.SubIOp),
        s.XorOp: _binary(None, a.XOrIOp),
    }
)


@scalar(s.AbsOp)
def absolute(b: Builder, op: Op, args: list[Value]) -> Value:
    dtype = dtype_of(args[0])
    if dtype.is_complex:
        return complex_bodies.emit(b, op, args)
    if dtype.is_float:
        # The sign bit is cleared exactly in every format, but targets compute narrow floats in f32.
        return in_f32(lambda b, op, args: b.insert(m.AbsFOp(args[0])).result)(b, op, args)
    return b.insert(m.AbsIOp(args[0])).result


@scalar(s.NegateOp)
def negate(b: Builder, op: Op, args: list[Value]) -> Value:
    dtype = dtype_of(args[0])
    if dtype.is_complex:
        return complex_bodies.emit(b, op, args)
    if dtype.is_float:
        return in_f32(lambda b, op, args: b.insert(a.NegFOp(args[0])).result)(b, op, args)
    return b.insert(a.SubIOp(scalar_constant(b, 0, dtype), args[0])).result


@scalar(s.NotOp)
def bitwise_not(b: Builder, op: Op, args: list[Value]) -> Value:
    dtype = dtype_of(args[0])
    ones = 1 if dtype.is_bool else (1 << dtype.bits) - 1 if dtype.is_unsigned else -1
    return b.insert(a.XOrIOp(args[0], scalar_constant(b, ones, dtype))).result


@scalar(s.SignOp)
def sign(b: Builder, op: Op, args: list[Value]) -> Value:
    dtype = dtype_of(args[0])
    if dtype.is_complex:
        return complex_bodies.emit(b, op, args)
    return in_f32(_sign)(b, op, args)


def _sign(b: Builder, op: Op, args: list[Value]) -> Value:
    (x,) = args
    dtype = dtype_of(x)
    zero, one = scalar_constant(b, 0, dtype), scalar_constant(b, 1, dtype)
    if dtype.is_float:
        # Zeros of both signs and nan are not ordered and unequal to zero: they stay.
        nonzero = b.insert(a.CmpFOp(a.CmpFPredicate.ONE, x, zero)).result
        signed = b.insert(m.CopySignOp(one, x)).result
        return b.insert(a.SelectOp(nonzero, signed, x)).result
    positive = b.insert(a.CmpIOp(a.CmpIPredicate.SGT, x, zero)).result
    negative = b.insert(a.CmpIOp(a.CmpIPredicate.SLT, x, zero)).result
    below = b.insert(a.SelectOp(negative, scalar_constant(b, -1, dtype), zero)).result
    return b.insert(a.SelectOp(positive, one, below)).result


@scalar(s.PowerOp)
def power(b: Builder, op: Op, args: list[Value]) -> Value:
    dtype = dtype_of(args[0])
    if dtype.is_complex:
        return complex_bodies.emit(b, op, args)
    if dtype.is_float:
        return in_f32(lambda b, op, args: b.insert(m.PowFOp(args[0], args[1])).result)(b, op, args)
    return _integer_power(b, args[0], args[1], dtype)


def _integer_power(b: Builder, x: Value, y: Value, dtype: DType) -> Value:
    """x ** y by squaring, one step per bit; negative exponents give 0, or a power of -1 or 1."""
    zero, one = scalar_constant(b, 0, dtype), scalar_constant(b, 1, dtype)
    result, base = one, x
    for bit in range(dtype.bits):
        shifted = b.insert(a.ShRUIOp(y, scalar_constant(b, bit, dtype))).result
        odd = b.insert(a.CmpIOp(a.CmpIPredicate.NE, b.insert(a.AndIOp(shifted, one)).result, zero)).result
        result = b.insert(a.SelectOp(odd, b.insert(a.MulIOp(result, base)).result, result)).result
        if bit + 1 < dtype.bits:
            base = b.insert(a.MulIOp(base, base)).result
    if dtype.is_unsigned:
        return result
    minus = scalar_constant(b, -1, dtype)
    is_one = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, x, one)).result
    is_minus = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, x, minus)).result
    odd = b.insert(a.CmpIOp(a.CmpIPredicate.NE, b.insert(a.AndIOp(y, one)).result, zero)).result
    of_minus = b.insert(a.SelectOp(is_minus, b.insert(a.SelectOp(odd, minus, one)).result, zero)).result
    inverse = b.insert(a.SelectOp(is_one, one, of_minus)).result
    negative = b.insert(a.CmpIOp(a.CmpIPredicate.SLT, y, zero)).result
    return b.insert(a.SelectOp(negative, inverse, result)).result


@scalar(s.ComplexOp, s.RealOp, s.ImagOp)
def complex_parts(b: Builder, op: Op, args: list[Value]) -> Value:
    if isinstance(op, s.ComplexOp) or dtype_of(args[0]).is_complex:
        return complex_bodies.emit(b, op, args)
    return args[0] if isinstance(op, s.RealOp) else scalar_constant(b, 0, dtype_of(args[0]))


@scalar(s.IsFiniteOp)
def is_finite(b: Builder, op: Op, args: list[Value]) -> Value:
    return b.insert(m.IsFiniteOp(widen(b, args[0]))).result


_FLOAT_PREDICATES = {
    ComparisonDirection.EQ: a.CmpFPredicate.OEQ,
    ComparisonDirection.NE: a.CmpFPredicate.UNE,
    ComparisonDirection.GE: a.CmpFPredicate.OGE,
    ComparisonDirection.GT: a.CmpFPredicate.OGT,
    ComparisonDirection.LE: a.CmpFPredicate.OLE,
    ComparisonDirection.LT: a.CmpFPredicate.OLT,
}


def integer_predicate(direction: ComparisonDirection, unsigned: bool) -> a.CmpIPredicate:
    name = direction.value.lower()
    return a.CmpIPredicate(name if name in ("eq", "ne") else ("u" if unsigned else "s") + name)


@scalar(s.CompareOp)
def compare(b: Builder, op: Op, args: list[Value]) -> Value:
    assert isinstance(op, s.CompareOp)
    if dtype_of(args[0]).is_complex:
        return complex_bodies.emit(b, op, args)
    return compare_scalars(b, op.comparison_direction, args[0], args[1], op.compare_type)


def compare_scalars(
    b: Builder, direction: ComparisonDirection, x: Value, y: Value, kind: ComparisonType | None
) -> Value:
    """x <direction> y of real scalars."""
    dtype = dtype_of(x)
    if dtype.is_float and kind is ComparisonType.TOTALORDER:
        x, y = _total_order(b, x), _total_order(b, y)
        return b.insert(a.CmpIOp(integer_predicate(direction, unsigned=False), x, y)).result
    if dtype.is_float:
        return b.insert(a.CmpFOp(_FLOAT_PREDICATES[direction], widen(b, x), widen(b, y))).result
    unsigned = dtype.is_unsigned or dtype.is_bool
    return b.insert(a.CmpIOp(integer_predicate(direction, unsigned), x, y)).result


def _total_order(b: Builder, x: Value) -> Value:
    """An integer whose order is totalOrder of the float: negative patterns are flipped below the sign bit.

    A format with a single nan has it last.
    """
    form = format_of(dtype_of(x))
    width = form.storage_bits
    integer = DTYPES[f"i{width}"]
    code = b.insert(a.BitcastOp(x, integer)).result
    if form.specials == "scale":
        return b.insert(a.XOrIOp(code, scalar_constant(b, -(1 << (width - 1)), integer))).result
    bits = code
    if form.code_bits < width:
        bits = b.insert(a.ShLIOp(code, scalar_constant(b, width - form.code_bits, integer))).result
    sign_bits = b.insert(a.ShRSIOp(bits, scalar_constant(b, width - 1, integer))).result
    flip = b.insert(a.AndIOp(sign_bits, scalar_constant(b, (1 << (width - 1)) - 1, integer))).result
    order = b.insert(a.XOrIOp(bits, flip)).result
    if form.specials != "fnuz":
        return order
    is_nan = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, code, scalar_constant(b, -(1 << (width - 1)), integer))).result
    return b.insert(a.SelectOp(is_nan, scalar_constant(b, (1 << (width - 1)) - 1, integer), order)).result


@scalar(s.ConvertOp)
def convert_op(b: Builder, op: Op, args: list[Value]) -> Value:
    return convert(b, args[0], dtype_of(op.results[0]))


@scalar(s.BitcastConvertOp)
def bitcast_convert(b: Builder, op: Op, args: list[Value]) -> Value:
    to = dtype_of(op.results[0])
    return args[0] if args[0].type == to else b.insert(a.BitcastOp(args[0], to)).result


@scalar(s.SelectOp)
def select(b: Builder, op: Op, args: list[Value]) -> Value:
    return b.insert(a.SelectOp(args[0], args[1], args[2])).result


@scalar(s.ClampOp)
def clamp(b: Builder, op: Op, args: list[Value]) -> Value:
    low, x, high = args
    if dtype_of(x).is_complex:
        return complex_bodies.emit(b, op, args)
    above = SCALARS[s.MaximumOp](b, op, [low, x])
    return SCALARS[s.MinimumOp](b, op, [above, high])


@scalar(s.ReducePrecisionOp)
def reduce_precision(b: Builder, op: Op, args: list[Value]) -> Value:
    assert isinstance(op, s.ReducePrecisionOp)
    x = args[0]
    form = format_of(dtype_of(x))
    width = form.storage_bits
    integer = DTYPES[f"i{width}"]
    mantissa, exponent = form.mantissa_bits, form.exponent_bits

    def number(value: int) -> Value:
        return scalar_constant(b, value - (1 << width) if value >> (width - 1) else value, integer)

    code = b.insert(a.BitcastOp(x, integer)).result
    bits = b.insert(a.AndIOp(code, number(form.magnitude_mask))).result
    if op.mantissa_bits < mantissa:
        drop = mantissa - op.mantissa_bits
        last = b.insert(a.AndIOp(b.insert(a.ShRUIOp(bits, number(drop))).result, number(1))).result
        rounded = b.insert(a.AddIOp(bits, b.insert(a.AddIOp(last, number((1 << (drop - 1)) - 1))).result)).result
        bits = b.insert(a.AndIOp(rounded, number(((1 << width) - 1) & ~((1 << drop) - 1)))).result
    over = number(form.infinity - 1)
    if op.exponent_bits < exponent:
        field = b.insert(a.AndIOp(bits, number(((1 << width) - 1) & ~((1 << mantissa) - 1)))).result
        largest, smallest = reduced_exponents(form, op.exponent_bits)
        under = b.insert(a.CmpIOp(a.CmpIPredicate.ULE, field, number(smallest))).result
        above = b.insert(a.CmpIOp(a.CmpIPredicate.UGT, field, number(largest))).result
        bits = b.insert(a.SelectOp(above, number(form.infinity), bits)).result
        bits = b.insert(a.SelectOp(under, number(form.zero), bits)).result
    outside = b.insert(a.CmpIOp(a.CmpIPredicate.UGT, bits, over)).result
    bits = b.insert(a.SelectOp(outside, number(form.overflow), bits)).result
    signed = b.insert(a.OrIOp(bits, b.insert(a.AndIOp(code, number(form.sign_bit))).result)).result
    if form.specials == "fnuz":
        # There is no negative zero.
        zero = b.insert(a.CmpIOp(a.CmpIPredicate.EQ, bits, number(0))).result
        signed = b.insert(a.SelectOp(zero, number(0), signed)).result
    value = b.insert(a.BitcastOp(signed, dtype_of(x))).result
    wide = widen(b, x)
    nan = b.insert(a.CmpFOp(a.CmpFPredicate.UNO, wide, wide)).result
    return b.insert(a.SelectOp(nan, x, value)).result
