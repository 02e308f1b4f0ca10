"""math: elementary functions call the library of vector_math; the rest are instructions."""

from __future__ import annotations

from tesselle.codegen.llvm.kernel import Kernel, Translator, lanes_suffix, unsupported
from tesselle.codegen.llvm.layout import (
    element_type,
    is_small_float,
    lane_count,
    register_element,
    slot_type,
    vector_of,
)
from tesselle.codegen.llvm.translate_arith import in_f32, widen_slot
from tesselle.codegen.llvm.vector_math import math_function
from tesselle.dialects.core import math
from tesselle.dialects.core.arith import BinaryOp, UnaryOp
from tesselle.ir.core import Op
from tesselle.ir.types import Type
from tesselle.support.dtypes import F32

UNARY_FUNCTIONS: dict[type[UnaryOp], str] = {
    math.CeilOp: "ceil",
    math.FloorOp: "floor",
    math.TruncOp: "trunc",
    math.RoundOp: "round",
    math.RoundEvenOp: "roundeven",
    math.SqrtOp: "sqrt",
    math.RsqrtOp: "rsqrt",
    math.CbrtOp: "cbrt",
    math.ExpOp: "exp",
    math.Exp2Op: "exp2",
    math.ExpM1Op: "expm1",
    math.LogOp: "log",
    math.Log2Op: "log2",
    math.Log1pOp: "log1p",
    math.SinOp: "sin",
    math.CosOp: "cos",
    math.TanOp: "tan",
    math.AsinOp: "asin",
    math.AcosOp: "acos",
    math.AtanOp: "atan",
    math.SinhOp: "sinh",
    math.CoshOp: "cosh",
    math.TanhOp: "tanh",
    math.AsinhOp: "asinh",
    math.AcoshOp: "acosh",
    math.AtanhOp: "atanh",
    math.ErfOp: "erf",
    math.ErfcOp: "erfc",
    math.LogisticOp: "logistic",
}
BINARY_FUNCTIONS: dict[type[BinaryOp], str] = {
    math.Atan2Op: "atan2",
    math.PowFOp: "pow",
}


def _call(k: Kernel, op: Op, name: str, type: Type, *slots: str) -> str:
    dtype, lanes = element_type(type), lane_count(type) or 0
    if not dtype.is_float:
        raise unsupported(op, f"{op.name} on {dtype}; complex functions are expanded to their parts")
    if is_small_float(dtype):
        return in_f32(k, type, lambda wide: k.call(math_function(name, 32, lanes, k.target), *wide), *slots)
    return k.call(math_function(name, dtype.bits, lanes, k.target), *slots)


def _translate_unary(k: Kernel, op: UnaryOp) -> None:
    name, operand = UNARY_FUNCTIONS[type(op)], op.operand.type
    k.set(op.results[0], [_call(k, op, name, operand, s) for s in k.slots(op.operand)])


def _translate_binary(k: Kernel, op: BinaryOp) -> None:
    name, operand = BINARY_FUNCTIONS[type(op)], op.lhs.type
    k.set(
        op.results[0],
        [_call(k, op, name, operand, a, b) for a, b in zip(k.slots(op.lhs), k.slots(op.rhs), strict=True)],
    )


def _float_intrinsic(name: str) -> Translator[Op]:
    """An intrinsic that is a few instructions on every target, on operands of one type."""

    def translate(k: Kernel, op: Op) -> None:
        type = op.operands[0].type
        t = slot_type(type)

        def call(t: str, *slots: str) -> str:
            return k.intrinsic(name, lanes_suffix(t), t, [(t, s) for s in slots])

        wide = vector_of(lane_count(type), "float")
        small = is_small_float(element_type(type))
        rows = zip(*(k.slots(v) for v in op.operands), strict=True)
        k.set(
            op.results[0],
            [in_f32(k, type, lambda s: call(wide, *s), *row) if small else call(t, *row) for row in rows],
        )

    return translate


def fma_slot(k: Kernel, op: Op, type: Type, a: str, b: str, c: str) -> str:
    """a*b + c on one slot, rounded once where the target can; on integers it wraps."""
    dtype, lanes = element_type(type), lane_count(type)
    if dtype.is_complex:
        raise unsupported(op, f"{op.name} on {dtype}")
    if not dtype.is_float:
        t = slot_type(type)
        return k.emit(f"add {t} {k.emit(f'mul {t} {a}, {b}')}, {c}")
    if is_small_float(dtype):
        return in_f32(k, type, lambda s: _fma(k, vector_of(lanes, "float"), *s), a, b, c)
    return _fma(k, vector_of(lanes, register_element(dtype)), a, b, c)


def _fma(k: Kernel, t: str, a: str, b: str, c: str) -> str:
    if k.target.has_fma:
        return k.intrinsic("fma", lanes_suffix(t), t, [(t, a), (t, b), (t, c)])
    return k.emit(f"fadd {t} {k.emit(f'fmul {t} {a}, {b}')}, {c}")


def _translate_fma(k: Kernel, op: math.FmaOp) -> None:
    triples = zip(k.slots(op.a), k.slots(op.b), k.slots(op.c), strict=True)
    k.set(op.results[0], [fma_slot(k, op, op.a.type, *t) for t in triples])


def _translate_absi(k: Kernel, op: math.AbsIOp) -> None:
    _integer_intrinsic(k, op, "abs", "i1 false")


def _translate_ctlz(k: Kernel, op: math.CtLzOp) -> None:
    _integer_intrinsic(k, op, "ctlz", "i1 false")


def _integer_intrinsic(k: Kernel, op: UnaryOp, name: str, flag: str) -> None:
    t = slot_type(op.operand.type)
    flag_type, flag_value = flag.split()
    slots = k.slots(op.operand)
    k.set(op.results[0], [k.intrinsic(name, lanes_suffix(t), t, [(t, s), (flag_type, flag_value)]) for s in slots])


def _translate_ctpop(k: Kernel, op: math.CtPopOp) -> None:
    t = slot_type(op.operand.type)
    k.set(op.results[0], [k.intrinsic("ctpop", lanes_suffix(t), t, [(t, s)]) for s in k.slots(op.operand)])


def _translate_isfinite(k: Kernel, op: math.IsFiniteOp) -> None:
    """|x| < infinity."""
    type = op.operand.type
    dtype, lanes = element_type(type), lane_count(type)
    out: list[str] = []
    for slot in k.slots(op.operand):
        wide = widen_slot(k, dtype, lanes, slot) if is_small_float(dtype) else slot
        t = vector_of(lanes, register_element(F32 if is_small_float(dtype) else dtype))
        magnitude = k.intrinsic("fabs", lanes_suffix(t), t, [(t, wide)])
        element = t if lanes is None else t[1:-1].split(" x ")[1]
        infinity = "0x7FF0000000000000"
        text = infinity if lanes is None else f"splat ({element} {infinity})"
        out.append(k.emit(f"fcmp olt {t} {magnitude}, {text}"))
    k.set(op.results[0], out)


TRANSLATORS = {
    **dict.fromkeys(UNARY_FUNCTIONS, _translate_unary),
    **dict.fromkeys(BINARY_FUNCTIONS, _translate_binary),
    math.AbsFOp: _float_intrinsic("fabs"),
    math.CopySignOp: _float_intrinsic("copysign"),
    math.FmaOp: _translate_fma,
    math.AbsIOp: _translate_absi,
    math.CtLzOp: _translate_ctlz,
    math.CtPopOp: _translate_ctpop,
    math.IsFiniteOp: _translate_isfinite,
}
"""By operation class."""
