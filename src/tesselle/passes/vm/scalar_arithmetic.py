"""How arith and math on scalars of the host become instructions.

Types: index and 64-bit integers live in i64, all narrower integers and i1 in i32. A narrow integer is kept extended to
32 bits (sign or zero, as its type says), so every operation that may leave its range is followed by a normalisation.
"""

from __future__ import annotations

from collections.abc import Callable

from tesselle.dialects.core import arith, math
from tesselle.dialects.core.arith import CmpFPredicate, CmpIPredicate
from tesselle.dialects.vm import ops as vm
from tesselle.dialects.vm.types import REF, REGISTER_TYPES
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import DType, Type
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import BF16, F16, F32, F64, I1, I32, I64, INDEX

_BINARY: dict[type[Op], str] = {
    arith.AddIOp: "add",
    arith.SubIOp: "sub",
    arith.MulIOp: "mul",
    arith.AndIOp: "and",
    arith.OrIOp: "or",
    arith.XOrIOp: "xor",
    arith.ShLIOp: "shl",
    arith.ShRSIOp: "shr_s",
    arith.ShRUIOp: "shr_u",
    arith.MinSIOp: "min_s",
    arith.MinUIOp: "min_u",
    arith.MaxSIOp: "max_s",
    arith.MaxUIOp: "max_u",
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
_DIVISION: dict[type[Op], str] = {
    arith.DivSIOp: "div_s",
    arith.DivUIOp: "div_u",
    arith.RemSIOp: "rem_s",
    arith.RemUIOp: "rem_u",
}
_SHIFTS = frozenset({"shl", "shr_s", "shr_u"})
_CMPI = {
    CmpIPredicate.EQ: ("eq", False),
    CmpIPredicate.NE: ("ne", False),
    CmpIPredicate.SLT: ("lt_s", False),
    CmpIPredicate.SLE: ("le_s", False),
    CmpIPredicate.SGT: ("lt_s", True),
    CmpIPredicate.SGE: ("le_s", True),
    CmpIPredicate.ULT: ("lt_u", False),
    CmpIPredicate.ULE: ("le_u", False),
    CmpIPredicate.UGT: ("lt_u", True),
    CmpIPredicate.UGE: ("le_u", True),
}
# (instruction, operands swapped, result negated); an unordered comparison is the negation of the opposite ordered one.
_CMPF = {
    CmpFPredicate.OEQ: ("eq", False, False),
    CmpFPredicate.UNE: ("ne", False, False),
    CmpFPredicate.OLT: ("lt", False, False),
    CmpFPredicate.OLE: ("le", False, False),
    CmpFPredicate.OGT: ("lt", True, False),
    CmpFPredicate.OGE: ("le", True, False),
    CmpFPredicate.ULT: ("le", True, True),
    CmpFPredicate.ULE: ("lt", True, True),
    CmpFPredicate.UGT: ("le", False, True),
    CmpFPredicate.UGE: ("lt", False, True),
}


def register_type_of(type: Type) -> Type:
    """The VM type that holds scalars of `type`; Unsupported for what the host cannot compute with."""
    if isinstance(type, DType):
        if type == INDEX or (type.is_integer and type.bits == 64):
            return I64
        if type.is_integer or type.is_bool:
            return I32
        if type in (F32, F64):
            return type
        if type in (BF16, F16):
            raise Unsupported(f"scalars of type {type} cannot be computed by the host program")
    return REF


def has_register(type: Type) -> bool:
    """Whether the host can compute with scalars of `type`."""
    return isinstance(type, DType) and (type.is_index or type.is_integer or type.is_bool or type in (F32, F64))


def register_suffix(type: Type) -> str:
    """How instruction names spell a VM type: "i32" … "ref"."""
    return REGISTER_TYPES[type].spelling


class ScalarLowering:
    """Emits instructions for scalar operations; `lookup` gives the VM value of an operand."""

    def __init__(self, builder: Builder, lookup: Callable[[Value], Value]) -> None:
        self.b = builder
        self.lookup = lookup

    def emit(self, name: str, *operands: Value) -> Value:
        return self.b.insert(vm.instruction(name, *operands)).result

    def constant(self, value: int | float, type: Type) -> Value:
        return self.b.insert(vm.instruction(f"const.{register_suffix(type)}", value)).result

    def lower(self, op: Op) -> Value | None:
        """The VM value of a scalar operation's result, or None when the operation is not one of this table."""
        operands = [self.lookup(v) for v in op.operands]
        if isinstance(op, arith.ConstantOp):
            return self._constant(op)
        name = _BINARY.get(type(op))
        if name is not None:
            result = self.emit(f"{name}.{register_suffix(operands[0].type)}", *self._shift_amount(name, op, operands))
            return self.normalise(result, op.results[0].type)
        name = _UNARY.get(type(op))
        if name is not None:
            return self.emit(f"{name}.{register_suffix(operands[0].type)}", operands[0])
        if isinstance(op, math.AbsIOp):
            suffix = register_suffix(operands[0].type)
            negated = self.emit(f"sub.{suffix}", self.constant(0, operands[0].type), operands[0])
            return self.normalise(self.emit(f"max_s.{suffix}", operands[0], negated), op.results[0].type)
        if isinstance(op, arith.DivSIOp | arith.DivUIOp | arith.RemSIOp | arith.RemUIOp):
            return self._division(op, operands[0], operands[1])
        if isinstance(op, arith.FloorDivSIOp | arith.CeilDivSIOp):
            return self._rounded_division(operands[0], operands[1], up=isinstance(op, arith.CeilDivSIOp))
        if isinstance(op, arith.CmpIOp):
            name, swapped = _CMPI[op.predicate]
            pair = operands[::-1] if swapped else operands
            return self.emit(f"cmp.{name}.{register_suffix(operands[0].type)}", *pair)
        if isinstance(op, arith.CmpFOp):
            return self._compare_floats(op.predicate, operands[0], operands[1])
        if isinstance(op, arith.SelectOp):
            return self.emit(f"select.{register_suffix(operands[1].type)}", *operands)
        if isinstance(op, arith.CastOp):
            return self._cast(op, operands[0])
        return None

    def _constant(self, op: arith.ConstantOp) -> Value | None:
        if not isinstance(op.value, bool | int | float):
            return None
        type = register_type_of(op.result_type)
        return self.constant(float(op.value) if type in (F32, F64) else int(op.value), type)

    def _shift_amount(self, name: str, op: Op, operands: list[Value]) -> list[Value]:
        """A narrow left operand is shifted in 32 bits; an amount past its own width must still clear it."""
        element = op.operands[0].type
        if name not in _SHIFTS or not isinstance(element, DType) or element.bits in (32, 64):
            return operands
        too_far = self.emit("cmp.le_u.i32", self.constant(element.bits, I32), operands[1])
        return [operands[0], self.emit("select.i32", too_far, self.constant(32, I32), operands[1])]

    def normalise(self, value: Value, type: Type) -> Value:
        """Bring a result in i32 back into the range of a narrow integer type."""
        if not isinstance(type, DType) or value.type != I32 or type.bits >= 32:
            return value
        if type.is_signed:
            shift = self.constant(32 - type.bits, I32)
            return self.emit("shr_s.i32", self.emit("shl.i32", value, shift), shift)
        return self.emit("and.i32", value, self.constant((1 << type.bits) - 1, I32))

    def _division(self, op: Op, lhs: Value, rhs: Value) -> Value:
        """The VM's x / 0 is 0; arith's is -1 (all ones) and its remainder is x."""
        suffix = register_suffix(lhs.type)
        name = _DIVISION[type(op)]
        result = self.emit(f"{name}.{suffix}", lhs, rhs)
        if op.operands[0].type == INDEX:  # never divided by zero
            return result
        by_zero = self.emit(f"cmp.eq.{suffix}", rhs, self.constant(0, rhs.type))
        instead = lhs if name.startswith("rem") else self.constant(-1, lhs.type)
        return self.normalise(self.emit(f"select.{suffix}", by_zero, instead, result), op.results[0].type)

    def _rounded_division(self, lhs: Value, rhs: Value, *, up: bool) -> Value:
        """div_s truncates; correct by one where the remainder has the wrong sign."""
        s = register_suffix(lhs.type)
        zero, one = self.constant(0, lhs.type), self.constant(1, lhs.type)
        quotient, remainder = self.emit(f"div_s.{s}", lhs, rhs), self.emit(f"rem_s.{s}", lhs, rhs)
        signs_differ = self.emit(f"cmp.lt_s.{s}", self.emit(f"xor.{s}", remainder, rhs), zero)
        inexact = self.emit(f"cmp.ne.{s}", remainder, zero)
        if up:
            signs_agree = self.emit("xor.i32", signs_differ, self.constant(1, I32))
            return self.emit(
                f"select.{s}",
                self.emit("and.i32", inexact, signs_agree),
                self.emit(f"add.{s}", quotient, one),
                quotient,
            )
        return self.emit(
            f"select.{s}", self.emit("and.i32", inexact, signs_differ), self.emit(f"sub.{s}", quotient, one), quotient
        )

    def _compare_floats(self, predicate: CmpFPredicate, lhs: Value, rhs: Value) -> Value:
        s = register_suffix(lhs.type)
        row = _CMPF.get(predicate)
        if row is not None:
            name, swapped, negated = row
            result = self.emit(f"cmp.{name}.{s}", *((rhs, lhs) if swapped else (lhs, rhs)))
            return self.emit("xor.i32", result, self.constant(1, I32)) if negated else result
        ordered = self.emit("and.i32", self.emit(f"cmp.eq.{s}", lhs, lhs), self.emit(f"cmp.eq.{s}", rhs, rhs))
        if predicate is CmpFPredicate.ORD:
            return ordered
        unordered = self.emit("xor.i32", ordered, self.constant(1, I32))
        if predicate is CmpFPredicate.UNO:
            return unordered
        if predicate is CmpFPredicate.ONE:
            return self.emit("and.i32", ordered, self.emit(f"cmp.ne.{s}", lhs, rhs))
        return self.emit("or.i32", unordered, self.emit(f"cmp.eq.{s}", lhs, rhs))  # UEQ

    def _cast(self, op: arith.CastOp, operand: Value) -> Value:
        source, target = op.operand.type, op.result_type
        have, want = operand.type, register_type_of(target)
        if isinstance(op, arith.BitcastOp) and have != want:
            return self.emit(f"bitcast.{register_suffix(have)}.{register_suffix(want)}", operand)
        if have in (I32, I64) and want in (I32, I64):
            unsigned = isinstance(op, arith.ExtUIOp | arith.IndexCastUIOp)
            if source == I1 and isinstance(op, arith.ExtSIOp):
                operand = self.emit("sub.i32", self.constant(0, I32), operand)
            if have == want:
                return self.normalise(operand, target)
            if want == I64:
                return self.emit("ext_u.i32.i64" if unsigned else "ext_s.i32.i64", operand)
            return self.normalise(self.emit("trunc.i64.i32", operand), target)
        if have == want:
            return operand
        pair = f"{register_suffix(have)}.{register_suffix(want)}"
        if isinstance(op, arith.ExtFOp):
            return self.emit(f"ext.{pair}", operand)
        if isinstance(op, arith.TruncFOp):
            return self.emit(f"trunc.{pair}", operand)
        sign = "u" if isinstance(op, arith.UIToFPOp | arith.FPToUIOp) else "s"
        result = self.emit(f"convert_{sign}.{pair}", operand)
        if want == I32 and isinstance(target, DType) and target.bits < 32:
            return self._saturate(result, target)
        return result

    def _saturate(self, value: Value, target: DType) -> Value:
        """Clamp a converted float to the range of a narrow integer."""
        if target.is_signed:
            low, high = -(1 << (target.bits - 1)), (1 << (target.bits - 1)) - 1
            return self.emit(
                "min_s.i32", self.emit("max_s.i32", value, self.constant(low, I32)), self.constant(high, I32)
            )
        return self.emit("min_u.i32", value, self.constant((1 << target.bits) - 1, I32))
