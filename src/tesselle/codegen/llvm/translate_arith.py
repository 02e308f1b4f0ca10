"""arith: integer and float arithmetic, comparisons, selects and casts, slot by slot."""

from __future__ import annotations

import re
from collections.abc import Callable

from tesselle.codegen.llvm.kernel import Kernel, Translator, lanes_suffix, unsupported
from tesselle.codegen.llvm.layout import (
    element_type,
    is_small_float,
    lane_count,
    register_bits,
    register_element,
    slot_type,
    splat_constant,
    vector_of,
)
from tesselle.codegen.llvm.small_floats import check_format, narrow_f64_function, narrow_function, widen_function
from tesselle.codegen.llvm.vector_math import math_function
from tesselle.dialects.core import arith
from tesselle.ir.core import Op
from tesselle.ir.types import Type
from tesselle.support.dtypes import F32, F64, INDEX, DType

_SPLAT = re.compile(r"splat \(i\d+ (-?\d+)\)")


def constant_integer(slot: str) -> int | None:
    """The value of an integer constant, scalar or on every lane."""
    if slot[0] == "%":
        return None
    if found := _SPLAT.fullmatch(slot):
        return int(found[1])
    return int(slot) if slot.lstrip("-").isdigit() else None


# ---------------------------------------------------------------------------------------------- small floats


def widen_slot(k: Kernel, dtype: DType, lanes: int | None, slot: str) -> str:
    """A slot of a small float type as f32."""
    check_format(dtype)
    return k.call(widen_function(dtype.name, lanes or 0, k.target), slot)


def narrow_slot(k: Kernel, dtype: DType, lanes: int | None, slot: str) -> str:
    """An f32 slot rounded to a small float type."""
    check_format(dtype)
    return k.call(narrow_function(dtype.name, lanes or 0, k.target), slot)


def in_f32(k: Kernel, type: Type, compute: Callable[[list[str]], str], *slots: str) -> str:
    """`compute` on slots of a small float type by way of f32: widen, compute, round once."""
    dtype, lanes = element_type(type), lane_count(type)
    return narrow_slot(k, dtype, lanes, compute([widen_slot(k, dtype, lanes, s) for s in slots]))


# ---------------------------------------------------------------------------------------------- binary

IntegerBinary = Callable[[Kernel, Type, str, str], str]


def _plain(instruction: str) -> IntegerBinary:
    return lambda k, type, a, b: k.emit(f"{instruction} {slot_type(type)} {a}, {b}")


def _wrapping(instruction: str) -> IntegerBinary:
    """Index arithmetic never overflows, which lets LLVM reason about addresses, and folds; everything else wraps."""

    def emit(k: Kernel, type: Type, a: str, b: str) -> str:
        if not element_type(type).is_index:
            return k.emit(f"{instruction} {slot_type(type)} {a}, {b}")
        x, y = constant_integer(a), constant_integer(b)
        if type is INDEX and instruction != "sub":
            left, right = a if x is None else x, b if y is None else y
            return str(k.add(left, right) if instruction == "add" else k.mul(left, right))
        if type is INDEX and x is not None and y is not None:
            return str(x - y)
        return k.emit(f"{instruction} nsw {slot_type(type)} {a}, {b}")

    return emit


def _integer_intrinsic(name: str) -> IntegerBinary:
    def emit(k: Kernel, type: Type, a: str, b: str) -> str:
        t = slot_type(type)
        return k.intrinsic(name, lanes_suffix(t), t, [(t, a), (t, b)])

    return emit


def _mask_type(type: Type) -> str:
    return vector_of(lane_count(type), "i1")


def _select(k: Kernel, type: Type, condition: str, yes: str, no: str) -> str:
    t = slot_type(type)
    return k.emit(f"select {_mask_type(type)} {condition}, {t} {yes}, {t} {no}")


def _division(instruction: str, signed: bool, remainder: bool) -> IntegerBinary:
    """Divide by 1 instead where the processor would trap, then put the agreed result in place."""

    def emit(k: Kernel, type: Type, a: str, b: str) -> str:
        t = slot_type(type)
        divisor = constant_integer(b)
        if divisor is not None and divisor not in (0, -1):
            return k.emit(f"{instruction} {t} {a}, {b}")
        zero, one, ones = (splat_constant(c, type) for c in ("0", "1", "-1"))
        by_zero = k.emit(f"icmp eq {t} {b}, {zero}")
        trapping = by_zero
        if signed:
            bits = int(register_element(element_type(type))[1:])
            lowest = splat_constant(str(-(1 << (bits - 1))), type)
            is_lowest = k.emit(f"icmp eq {t} {a}, {lowest}")
            is_minus_one = k.emit(f"icmp eq {t} {b}, {ones}")
            overflow = k.emit(f"and {_mask_type(type)} {is_lowest}, {is_minus_one}")
            trapping = k.emit(f"or {_mask_type(type)} {by_zero}, {overflow}")
        safe = _select(k, type, trapping, one, b)
        result = k.emit(f"{instruction} {t} {a}, {safe}")
        return _select(k, type, by_zero, a if remainder else ones, result)

    return emit


_DIVS = _division("sdiv", signed=True, remainder=False)


def _rounded_division(up: bool) -> IntegerBinary:
    """Quotient towards zero, moved by one where there is a remainder and the true quotient lies on the other side."""

    def emit(k: Kernel, type: Type, a: str, b: str) -> str:
        t, mask = slot_type(type), _mask_type(type)
        zero, one = splat_constant("0", type), splat_constant("1", type)
        divisor = constant_integer(b)
        if not up and divisor is not None and divisor > 0 and divisor & (divisor - 1) == 0:
            return k.emit(f"ashr {t} {a}, {splat_constant(str(divisor.bit_length() - 1), type)}")
        quotient = _DIVS(k, type, a, b)
        rest = k.emit(f"sub {t} {a}, {k.emit(f'mul {t} {quotient}, {b}')}")
        signs = k.emit(f"xor {t} {rest}, {b}")
        side = k.emit(f"icmp {'sge' if up else 'slt'} {t} {signs}, {zero}")
        inexact = k.emit(f"icmp ne {t} {rest}, {zero}")
        move = k.emit(f"and {mask} {side}, {inexact}")
        moved = k.emit(f"{'add' if up else 'sub'} {t} {quotient}, {one}")
        return _select(k, type, move, moved, quotient)

    return emit


def _shift(instruction: str) -> IntegerBinary:
    """Amounts that reach the width shift everything out."""

    def emit(k: Kernel, type: Type, a: str, b: str) -> str:
        t = slot_type(type)
        bits = int(register_element(element_type(type))[1:])
        amount = constant_integer(b)
        if amount is not None and 0 <= amount < bits:
            return k.emit(f"{instruction} {t} {a}, {b}")
        last = splat_constant(str(bits - 1), type)
        fits = k.emit(f"icmp ule {t} {b}, {last}")
        amount_text = _select(k, type, fits, b, last)
        shifted = k.emit(f"{instruction} {t} {a}, {amount_text}")
        if instruction == "ashr":
            return shifted
        return _select(k, type, fits, shifted, splat_constant("0", type))

    return emit


INTEGER_BINARY: dict[type[arith.BinaryOp], IntegerBinary] = {
    arith.AddIOp: _wrapping("add"),
    arith.SubIOp: _wrapping("sub"),
    arith.MulIOp: _wrapping("mul"),
    arith.DivSIOp: _DIVS,
    arith.DivUIOp: _division("udiv", signed=False, remainder=False),
    arith.RemSIOp: _division("srem", signed=True, remainder=True),
    arith.RemUIOp: _division("urem", signed=False, remainder=True),
    arith.FloorDivSIOp: _rounded_division(up=False),
    arith.CeilDivSIOp: _rounded_division(up=True),
    arith.AndIOp: _plain("and"),
    arith.OrIOp: _plain("or"),
    arith.XOrIOp: _plain("xor"),
    arith.ShLIOp: _shift("shl"),
    arith.ShRSIOp: _shift("ashr"),
    arith.ShRUIOp: _shift("lshr"),
    arith.MinSIOp: _integer_intrinsic("smin"),
    arith.MinUIOp: _integer_intrinsic("umin"),
    arith.MaxSIOp: _integer_intrinsic("smax"),
    arith.MaxUIOp: _integer_intrinsic("umax"),
}

# An instruction, or the name of an intrinsic after "@", or of a library function after "!", or after "?" the comparison
# that chooses lhs (LLVM's own minnum may become a call of C's fminf).
FLOAT_BINARY: dict[type[arith.BinaryOp], str] = {
    arith.AddFOp: "fadd",
    arith.SubFOp: "fsub",
    arith.MulFOp: "fmul",
    arith.DivFOp: "fdiv",
    arith.RemFOp: "!fmod",
    arith.MinimumFOp: "@minimum",
    arith.MaximumFOp: "@maximum",
    arith.MinNumFOp: "?olt",
    arith.MaxNumFOp: "?ogt",
}


# (bits of an element, lanes) -> the ending of the instruction's name, and the type of its mask.
_RANGES = {
    (32, 16): ("ps.512", "i16"),
    (64, 8): ("pd.512", "i8"),
    (32, 8): ("ps.256", "i8"),
    (64, 4): ("pd.256", "i8"),
    (32, 4): ("ps.128", "i8"),
    (64, 2): ("pd.128", "i8"),
}
_RANGE_IMMEDIATES = {"minimum": 4, "maximum": 5}
"""Bits 1:0 choose the smaller or the larger, bits 3:2 its own sign. Source: Intel SDM vol. 2, VRANGEPS."""


def _range(k: Kernel, name: str, bits: int, lanes: int, t: str, a: str, b: str) -> str | None:
    """The smaller or larger of two vectors by AVX-512's range instruction; None where there is none.

    It knows zeros apart; nan, which it leaves out, is put in beside it. LLVM's own way is twice as long a chain, which
    is what reductions wait for.
    """
    found = _RANGES.get((bits, lanes))
    if found is None or not (k.target.has("avx512dq") and k.target.has("avx512vl")):
        return None
    suffix, mask = found
    arguments = [(t, a), (t, b), ("i32", str(_RANGE_IMMEDIATES[name])), (t, "zeroinitializer"), (mask, "-1")]
    if suffix.endswith("512"):
        arguments.append(("i32", "4"))  # rounding as the processor is set
    chosen = k.intrinsic("x86.avx512.mask.range", suffix, t, arguments)
    is_nan = k.emit(f"fcmp uno {t} {a}, {b}")
    element = "float" if bits == 32 else "double"
    nan = f"<{', '.join([f'{element} 0x7FF8000000000000'] * lanes)}>"
    return k.emit(f"select <{lanes} x i1> {is_nan}, {t} {nan}, {t} {chosen}")


def _float_binary(k: Kernel, how: str, flags: str, dtype: DType, lanes: int | None, a: str, b: str) -> str:
    t = vector_of(lanes, register_element(dtype))
    if how[0] == "@":
        found = _range(k, how[1:], dtype.bits, lanes or 0, t, a, b)
        return found or k.intrinsic(how[1:], lanes_suffix(t), t, [(t, a), (t, b)], flags)
    if how[0] == "?":
        mask = vector_of(lanes, "i1")
        chosen = k.emit(f"select {mask} {k.emit(f'fcmp {how[1:]} {t} {a}, {b}')}, {t} {a}, {t} {b}")
        return k.emit(f"select {mask} {k.emit(f'fcmp uno {t} {b}, {b}')}, {t} {a}, {t} {chosen}")
    if how[0] == "!":
        return k.call(math_function(how[1:], dtype.bits, lanes or 0, k.target), a, b)
    return k.emit(f"{how} {flags}{t} {a}, {b}")


def binary_slot(k: Kernel, op: Op, kind: type[arith.BinaryOp], type: Type, a: str, b: str) -> str:
    """The operation `kind` on two slots of `type`; `op` gives flags and location."""
    dtype, lanes = element_type(type), lane_count(type)
    how = FLOAT_BINARY.get(kind)
    if how is None:
        if dtype.is_float or dtype.is_complex:
            raise unsupported(op, f"{kind.NAME} on {dtype}")
        return INTEGER_BINARY[kind](k, type, a, b)
    if not dtype.is_float:
        raise unsupported(op, f"{kind.NAME} on {dtype}; complex arithmetic is expanded to its parts")
    flags = k.fast_math(op)
    if is_small_float(dtype):
        return in_f32(k, type, lambda s: _float_binary(k, how, flags, F32, lanes, *s), a, b)
    return _float_binary(k, how, flags, dtype, lanes, a, b)


def _translate_binary(k: Kernel, op: arith.BinaryOp) -> None:
    pairs = zip(k.slots(op.lhs), k.slots(op.rhs), strict=True)
    k.set(op.results[0], [binary_slot(k, op, type(op), op.lhs.type, a, b) for a, b in pairs])


# ---------------------------------------------------------------------------------------------- the rest


def _translate_negf(k: Kernel, op: arith.NegFOp) -> None:
    type = op.operand.type
    dtype = element_type(type).element
    t = slot_type(type)
    if dtype.name in ("f16", "bf16"):
        sign = splat_constant("-32768", type)
        k.set(op.results[0], [k.emit(f"xor {t} {s}, {sign}") for s in k.slots(op.operand)])
    elif is_small_float(dtype):
        wide = vector_of(lane_count(type), "float")
        k.set(op.results[0], [in_f32(k, type, lambda x: k.emit(f"fneg {wide} {x[0]}"), s) for s in k.slots(op.operand)])
    else:
        k.set(op.results[0], [k.emit(f"fneg {k.fast_math(op)}{t} {s}") for s in k.slots(op.operand)])


def _translate_cmpi(k: Kernel, op: arith.CmpIOp) -> None:
    t = slot_type(op.lhs.type)
    pairs = zip(k.slots(op.lhs), k.slots(op.rhs), strict=True)
    k.set(op.results[0], [k.emit(f"icmp {op.predicate.value} {t} {a}, {b}") for a, b in pairs])


def _translate_cmpf(k: Kernel, op: arith.CmpFOp) -> None:
    type = op.lhs.type
    dtype, lanes = element_type(type), lane_count(type)
    if not dtype.is_float:
        raise unsupported(op, f"float comparisons of {dtype}")
    out: list[str] = []
    for a, b in zip(k.slots(op.lhs), k.slots(op.rhs), strict=True):
        if is_small_float(dtype):
            a, b = widen_slot(k, dtype, lanes, a), widen_slot(k, dtype, lanes, b)
        t = vector_of(lanes, register_element(F32 if is_small_float(dtype) else dtype))
        out.append(k.emit(f"fcmp {op.predicate.value} {t} {a}, {b}"))
    k.set(op.results[0], out)


def _translate_select(k: Kernel, op: arith.SelectOp) -> None:
    type = op.results[0].type
    t = slot_type(type)
    conditions = k.slots(op.condition)
    yes, no = k.slots(op.true_value), k.slots(op.false_value)
    condition_type = slot_type(op.condition.type)
    repeated = [conditions[i % len(conditions)] for i in range(len(yes))]
    triples = zip(repeated, yes, no, strict=True)
    k.set(op.results[0], [k.emit(f"select {condition_type} {c}, {t} {a}, {t} {b}") for c, a, b in triples])


def _integer_cast(extend: str) -> Translator[arith.CastOp]:
    """To another width: `extend` where the result is wider."""

    def translate(k: Kernel, op: arith.CastOp) -> None:
        source, result = op.operand.type, op.result_type
        a, b = slot_type(source), slot_type(result)
        slots = k.slots(op.operand)
        if a == b:
            k.set(op.results[0], slots)
            return
        narrower = element_type(result).bits < element_type(source).bits
        k.set(op.results[0], [_cast(k, "trunc" if narrower else extend, a, b, s) for s in slots])

    return translate


def _cast(k: Kernel, kind: str, a: str, b: str, slot: str) -> str:
    value = constant_integer(slot)
    # Index arithmetic folds constants, so casts must not hide them.
    if value is not None and a[0] == "i" and b[0] == "i" and a != "i1" and b != "i1" and kind == "sext":
        return str(value)
    return k.emit(f"{kind} {a} {slot} to {b}")


def float_to_float(k: Kernel, source: DType, result: DType, lanes: int | None, slot: str) -> str:
    """Convert one slot between float types; one rounding at most."""
    if source is result:
        return slot
    if is_small_float(source):
        return float_to_float(k, F32, result, lanes, widen_slot(k, source, lanes, slot))
    if is_small_float(result):
        check_format(result)
        if source is F64:
            return k.call(narrow_f64_function(result.name, lanes or 0, k.target), slot)
        return narrow_slot(k, result, lanes, slot)
    a, b = (vector_of(lanes, register_element(d)) for d in (source, result))
    return k.emit(f"{'fpext' if result.bits > source.bits else 'fptrunc'} {a} {slot} to {b}")


def _translate_float_cast(k: Kernel, op: arith.CastOp) -> None:
    source, result = element_type(op.operand.type), element_type(op.result_type)
    lanes = lane_count(op.operand.type)
    # The parts of a complex number are converted one by one.
    k.set(op.results[0], [float_to_float(k, source.element, result.element, lanes, s) for s in k.slots(op.operand)])


def _integer_to_float(instruction: str) -> Translator[arith.CastOp]:
    def translate(k: Kernel, op: arith.CastOp) -> None:
        source, result = op.operand.type, element_type(op.result_type)
        lanes = lane_count(source)
        # Integers of up to 24 bits are exact in f32, those of up to 53 bits in f64.
        middle = result if not is_small_float(result) else F32 if element_type(source).bits <= 16 else F64
        t = vector_of(lanes, register_element(middle))
        slots = k.slots(op.operand)
        if middle is not result and element_type(source).bits == 64:
            slots = [_odd_in_f64(k, source, s, unsigned=instruction == "uitofp") for s in slots]
        out = [k.emit(f"{instruction} {slot_type(source)} {s} to {t}") for s in slots]
        k.set(op.results[0], [float_to_float(k, middle, result, lanes, s) for s in out])

    return translate


def _odd_in_f64(k: Kernel, type: Type, slot: str, *, unsigned: bool) -> str:
    """A 64-bit integer that f64 holds: one of more than 53 bits gets an odd last bit where low bits are lost, which
    makes a second rounding exact."""
    t = slot_type(type)
    lost, last = splat_constant("2047", type), splat_constant("2048", type)
    limit = splat_constant(str(1 << 53), type)
    inexact = k.emit(f"icmp ne {t} {k.emit(f'and {t} {slot}, {lost}')}, {splat_constant('0', type)}")
    sticky = _select(k, type, inexact, last, splat_constant("0", type))
    kept = k.emit(f"and {t} {slot}, {splat_constant('-2048', type)}")
    odd = k.emit(f"or {t} {kept}, {sticky}")
    magnitude = slot if unsigned else k.intrinsic("abs", lanes_suffix(t), t, [(t, slot), ("i1", "false")])
    far = k.emit(f"icmp ugt {t} {magnitude}, {limit}")
    return _select(k, type, far, odd, slot)


def _float_to_integer(name: str) -> Translator[arith.CastOp]:
    def translate(k: Kernel, op: arith.CastOp) -> None:
        source, lanes = element_type(op.operand.type), lane_count(op.operand.type)
        middle = F32 if is_small_float(source) else source
        a, b = vector_of(lanes, register_element(middle)), slot_type(op.result_type)
        suffix = f"{lanes_suffix(b)}.{lanes_suffix(a)}"
        wide = [float_to_float(k, source, middle, lanes, s) for s in k.slots(op.operand)]
        k.set(op.results[0], [k.intrinsic(name, suffix, b, [(a, s)]) for s in wide])

    return translate


def _translate_bitcast(k: Kernel, op: arith.BitcastOp) -> None:
    """Codes of less than a byte lie in bytes when they are floats, and in integers of their width otherwise."""
    a, b = slot_type(op.operand.type), slot_type(op.result_type)
    bits, wanted = (register_bits(element_type(t)) for t in (op.operand.type, op.result_type))
    kind = "bitcast" if bits == wanted else "zext" if bits < wanted else "trunc"
    slots = k.slots(op.operand)
    k.set(op.results[0], slots if a == b else [k.emit(f"{kind} {a} {s} to {b}") for s in slots])


TRANSLATORS = {
    **dict.fromkeys((*INTEGER_BINARY, *FLOAT_BINARY), _translate_binary),
    arith.ConstantOp: Kernel.constant,
    arith.NegFOp: _translate_negf,
    arith.CmpIOp: _translate_cmpi,
    arith.CmpFOp: _translate_cmpf,
    arith.SelectOp: _translate_select,
    arith.ExtSIOp: _integer_cast("sext"),
    arith.ExtUIOp: _integer_cast("zext"),
    arith.TruncIOp: _integer_cast("trunc"),
    arith.IndexCastOp: _integer_cast("sext"),
    arith.IndexCastUIOp: _integer_cast("zext"),
    arith.ExtFOp: _translate_float_cast,
    arith.TruncFOp: _translate_float_cast,
    arith.SIToFPOp: _integer_to_float("sitofp"),
    arith.UIToFPOp: _integer_to_float("uitofp"),
    arith.FPToSIOp: _float_to_integer("fptosi.sat"),
    arith.FPToUIOp: _float_to_integer("fptoui.sat"),
    arith.BitcastOp: _translate_bitcast,
}
"""By operation class."""
