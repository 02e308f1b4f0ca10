"""How scalars of the host program live in VM registers, and their arithmetic there.

    index, i64, ui64     i64
    i32, ui32            i32
    i16, i8, i4, i2      i32, sign-extended
    ui16, ui8, ui4, ui2  i32, zero-extended
    i1                   i32, 0 or 1
    f32, f64             as they are

Other types have no arithmetic on the host; their constants are known as bits.
"""

from __future__ import annotations

import numpy as np

from tesselle.dialects.core import arith, math
from tesselle.dialects.vm.ops import instruction
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import Type
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F32, F64, I32, I64, DType


def register_dtype(t: Type) -> DType | None:
    """i32, i64, f32 or f64; None for types without a register."""
    if not isinstance(t, DType):
        return None
    if t.is_index or (t.is_integer and t.bits == 64):
        return I64
    if t.is_bool or t.is_integer:
        return I32
    return t if t in (F32, F64) else None


def constant_bits(value: int | float | bool | complex, t: DType) -> int:
    """The element's bytes as an integer (two's complement of 64 bits); ValueError when they are more than 8."""
    data = np.asarray(value, dtype=t.numpy).tobytes()
    if len(data) > 8:
        raise ValueError(f"{t} has more than 8 bytes")
    return int.from_bytes(data, "little", signed=len(data) == 8)


class ScalarEmitter:
    """Emits vm operations for arithmetic at the end of the builder's block."""

    def __init__(self, builder: Builder) -> None:
        self.b = builder

    def emit(self, name: str, *fields: object) -> Value:
        return self.b.insert(instruction(name, *fields)).result

    def constant(self, value: int | float, t: DType) -> Value:
        """A constant in a register of type i32, i64, f32 or f64."""
        return self.emit(f"const.{t}", value)

    def integer(self, value: int, like: Value) -> Value:
        t = like.type
        assert isinstance(t, DType)
        return self.constant(value, t)

    def binary(self, name: str, a: Value, b: Value) -> Value:
        return self.emit(f"{name}.{a.type}", a, b)

    def normalise(self, value: Value, t: Type) -> Value:
        """Bring a register back to its canonical form after arithmetic on a type narrower than 32 bits."""
        if not isinstance(t, DType) or t.is_float or t.is_index or t.bits >= 32:
            return value
        if t.is_bool or t.is_unsigned:
            return self.binary("and", value, self.constant((1 << t.bits) - 1, I32))
        shift = self.constant(32 - t.bits, I32)
        return self.binary("shr_s", self.binary("shl", value, shift), shift)

    def unsigned(self, value: Value, t: Type) -> Value:
        """The register with its bits read as unsigned."""
        if isinstance(t, DType) and t.is_integer and t.bits < 32 and not t.is_unsigned:
            return self.binary("and", value, self.constant((1 << t.bits) - 1, I32))
        return value

    def to_i64_bits(self, value: Value, t: Type) -> Value:
        """The value's bits in an i64: what push constants and fill patterns are."""
        register = value.type
        if register == F32:
            value = self.emit("bitcast.f32.i32", value)
            return self.emit("ext_u.i32.i64", value)
        if register == F64:
            return self.emit("bitcast.f64.i64", value)
        if register == I32:
            unsigned = isinstance(t, DType) and (t.is_unsigned or t.is_bool)
            return self.emit("ext_u.i32.i64" if unsigned else "ext_s.i32.i64", value)
        return value

    # ------------------------------------------------------------------------------------------ operations

    def lower(self, op: Op, values: list[Value]) -> Value:
        """The result of scalar operation `op` on registers `values`; Unsupported when the host cannot compute it."""
        for v in (*op.operands, *op.results):
            if register_dtype(v.type) is None:
                raise Unsupported(f"{op.name} on {v.type} cannot run on the host", op.location, op.name)
        simple = _BINARY.get(type(op))
        if simple is not None:
            return self.normalise(self.binary(simple, *values), op.result.type)
        unary = _UNARY.get(type(op))
        if unary is not None:
            return self.emit(f"{unary}.{values[0].type}", *values)
        match op:
            case arith.CmpIOp():
                return self._compare_integers(op, *values)
            case arith.CmpFOp():
                return self._compare_floats(op, *values)
            case arith.SelectOp():
                return self.emit(f"select.{values[1].type}", *values)
            case arith.DivSIOp() | arith.RemSIOp() | arith.DivUIOp() | arith.RemUIOp():
                return self._divide(op, *values)
            case arith.FloorDivSIOp() | arith.CeilDivSIOp():
                return self._divide_rounding(values[0], values[1], up=isinstance(op, arith.CeilDivSIOp))
            case arith.MinUIOp() | arith.MaxUIOp():
                name = "min_u" if isinstance(op, arith.MinUIOp) else "max_u"
                t = op.result.type
                return self.normalise(self.binary(name, *(self.unsigned(v, t) for v in values)), t)
            case arith.ShLIOp() | arith.ShRSIOp() | arith.ShRUIOp():
                return self._shift(op, *values)
            case arith.MinNumFOp() | arith.MaxNumFOp():
                return self._number_minimum(op, *values)
            case arith.CastOp():
                return self._cast(op, values[0])
            case math.AbsIOp():
                zero = self.integer(0, values[0])
                negative = self.binary("sub", zero, values[0])
                return self.normalise(self.binary("max_s", values[0], negative), op.result.type)
            case math.RsqrtOp():
                one = self.constant(1.0, F32 if values[0].type == F32 else F64)
                return self.binary("div", one, self.emit(f"sqrt.{values[0].type}", values[0]))
            case _:
                raise Unsupported(f"{op.name} cannot run on the host", op.location, op.name)

    def _compare_integers(self, op: arith.CmpIOp, a: Value, b: Value) -> Value:
        p = op.predicate.value
        t = op.lhs.type
        if p in ("eq", "ne"):
            return self.binary(f"cmp.{p}", a, b)
        if p[0] == "u":
            a, b = self.unsigned(a, t), self.unsigned(b, t)
        if p[1] == "g":
            a, b = b, a
        return self.binary(f"cmp.{'lt' if p[2] == 't' else 'le'}_{p[0]}", a, b)

    def _compare_floats(self, op: arith.CmpFOp, a: Value, b: Value) -> Value:
        p = op.predicate
        ordered = self.binary("and", self.binary("cmp.eq", a, a), self.binary("cmp.eq", b, b))
        unordered = self.binary("xor", ordered, self.constant(1, I32))
        if p is arith.CmpFPredicate.ORD:
            return ordered
        if p is arith.CmpFPredicate.UNO:
            return unordered
        relation, kind = p.value[1:], p.value[0]
        if relation in ("gt", "ge"):
            a, b = b, a
        name = {"gt": "lt", "ge": "le"}.get(relation, relation)
        holds = self.binary(f"cmp.{name}", a, b)
        if kind == "o":
            return self.binary("and", holds, ordered)
        return self.binary("or", holds, unordered)

    def _divide(self, op: Op, a: Value, b: Value) -> Value:
        """The machine gives 0 for division by zero; StableHLO's results are -1 (all ones) and the dividend."""
        t = op.result.type
        is_unsigned = isinstance(op, arith.DivUIOp | arith.RemUIOp)
        if is_unsigned:
            a, b = self.unsigned(a, t), self.unsigned(b, t)
        is_quotient = isinstance(op, arith.DivSIOp | arith.DivUIOp)
        name = ("div" if is_quotient else "rem") + ("_u" if is_unsigned else "_s")
        result = self.binary(name, a, b)
        is_zero = self.binary("cmp.eq", b, self.integer(0, b))
        special = self.integer(-1, b) if is_quotient else a
        return self.normalise(self.emit(f"select.{a.type}", is_zero, special, result), t)

    def _divide_rounding(self, a: Value, b: Value, *, up: bool) -> Value:
        """Quotient towards minus (plus) infinity: one less (more) than towards zero when signs differ (agree)."""
        quotient, rest = self.binary("div_s", a, b), self.binary("rem_s", a, b)
        zero = self.integer(0, a)
        inexact = self.binary("cmp.ne", rest, zero)
        differ = self.binary("cmp.lt_s", self.binary("xor", a, b), zero)
        if up:
            differ = self.binary("xor", differ, self.constant(1, I32))
        adjust = self.binary("and", inexact, differ)
        step = self.emit(f"select.{a.type}", adjust, self.integer(1 if up else -1, a), zero)
        return self.binary("add", quotient, step)

    def _shift(self, op: Op, a: Value, b: Value) -> Value:
        t = op.result.type
        assert isinstance(t, DType)
        amount = self.unsigned(b, t)
        if isinstance(op, arith.ShRUIOp):
            return self.normalise(self.binary("shr_u", self.unsigned(a, t), amount), t)
        return self.normalise(self.binary("shl" if isinstance(op, arith.ShLIOp) else "shr_s", a, amount), t)

    def _number_minimum(self, op: Op, a: Value, b: Value) -> Value:
        """min and max give nan when either is; here the other one is wanted."""
        name = "min" if isinstance(op, arith.MinNumFOp) else "max"
        result = self.binary(name, a, b)
        result = self.emit(f"select.{a.type}", self.binary("cmp.eq", a, a), result, b)
        return self.emit(f"select.{a.type}", self.binary("cmp.eq", b, b), result, a)

    def _cast(self, op: arith.CastOp, value: Value) -> Value:
        source, target = op.operand.type, op.result.type
        assert isinstance(source, DType) and isinstance(target, DType)
        have, want = value.type, register_dtype(target)
        match op:
            case arith.ExtSIOp() if source.is_bool:
                zero = self.constant(0, I32)
                value = self.binary("sub", zero, value)
                return self.emit("ext_s.i32.i64", value) if want == I64 else value
            case arith.ExtSIOp() | arith.IndexCastOp() | arith.TruncIOp():
                if have == I32 and want == I64:
                    return self.emit("ext_s.i32.i64", value)
                if have == I64 and want == I32:
                    value = self.emit("trunc.i64.i32", value)
                return self.normalise(value, target)
            case arith.ExtUIOp() | arith.IndexCastUIOp():
                value = self.unsigned(value, source)
                if have == I32 and want == I64:
                    return self.emit("ext_u.i32.i64", value)
                if have == I64 and want == I32:
                    value = self.emit("trunc.i64.i32", value)
                return self.normalise(value, target)
            case arith.ExtFOp():
                return self.emit("ext.f32.f64", value)
            case arith.TruncFOp():
                return self.emit("trunc.f64.f32", value)
            case arith.SIToFPOp():
                return self.emit(f"convert_s.{have}.{want}", value)
            case arith.UIToFPOp():
                return self.emit(f"convert_u.{have}.{want}", self.unsigned(value, source))
            case arith.FPToSIOp() | arith.FPToUIOp():
                return self._from_float(op, value, target)
            case arith.BitcastOp():
                if have == want:
                    return self.normalise(value, target)
                return self.emit(f"bitcast.{have}.{want}", value)
            case _:
                raise Unsupported(f"{op.name} cannot run on the host", op.location, op.name)

    def _from_float(self, op: Op, value: Value, target: DType) -> Value:
        """Saturating, also to types narrower than the register."""
        want = register_dtype(target)
        if isinstance(op, arith.FPToUIOp):
            result = self.emit(f"convert_u.{value.type}.{want}", value)
            if target.bits < 32:
                result = self.binary("min_u", result, self.constant((1 << target.bits) - 1, I32))
            return result
        result = self.emit(f"convert_s.{value.type}.{want}", value)
        if target.bits < 32:
            high = (1 << (target.bits - 1)) - 1
            result = self.binary("min_s", result, self.constant(high, I32))
            result = self.binary("max_s", result, self.constant(-high - 1, I32))
        return result


_BINARY: dict[type[Op], str] = {
    arith.AddIOp: "add",
    arith.SubIOp: "sub",
    arith.MulIOp: "mul",
    arith.AndIOp: "and",
    arith.OrIOp: "or",
    arith.XOrIOp: "xor",
    arith.MinSIOp: "min_s",
    arith.MaxSIOp: "max_s",
    arith.AddFOp: "add",
    arith.SubFOp: "sub",
    arith.MulFOp: "mul",
    arith.DivFOp: "div",
    arith.RemFOp: "rem",
    arith.MinimumFOp: "min",
    arith.MaximumFOp: "max",
    math.PowFOp: "pow",
}

_UNARY: dict[type[Op], str] = {
    arith.NegFOp: "neg",
    math.AbsFOp: "abs",
    math.FloorOp: "floor",
    math.CeilOp: "ceil",
    math.SqrtOp: "sqrt",
}
