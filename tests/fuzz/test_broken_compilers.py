"""What the comparison allows hides no fault: compilers that are broken on purpose are found out.

Each test breaks one lowering and takes programs that have the operation; one of the first of them must differ. The
faults are small: some roundings, one class of elements (nan, the sign of a zero), one element of a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

import tesselle as ts
from tesselle.dialects.core import arith as a
from tesselle.dialects.core import complex as cx
from tesselle.dialects.core import math as m
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import contraction, convolution, indexing, normalization, reduction, window
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo import shape as sh
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.passes.global_optimization.stablehlo_to_linalg.complex_bodies import COMPLEX
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import LOWERINGS, Lowering, scalar_constant
from tesselle.passes.global_optimization.stablehlo_to_linalg.scalar_bodies import SCALARS, dtype_of, in_f32

from .evaluate import evaluate
from .generate import Program, generate

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

FIRST = 20_000
PROGRAMS = 40

Emitter = Callable[[Builder, Op, list[Value]], Value]


def programs_with(pattern: str) -> Iterator[Program]:
    """Small programs with a line that matches."""
    for number in count(FIRST):
        program = generate(Random(number), max_operations=5)
        if re.search(pattern, program.text):
            yield program


def is_noticed(cls: type[Op], folder: Path, of: str = "", programs: int = PROGRAMS) -> bool:
    """Whether one of so many programs with the operation, on a line that has `of` too, differs."""
    options = ts.CompileOptions(jobs=1, cache_dir=folder)
    for program in islice(programs_with(rf"{re.escape(cls.NAME)}\b.*{of}"), programs):
        verdict = evaluate(program, options)
        assert verdict.kind in ("equal", "different"), verdict.detail
        if verdict.kind == "different":
            return True
    return False


# ------------------------------------------------------------------------------------------ elementwise operations


def scaled(emitter: Emitter, factor: float) -> Emitter:
    """Real results in f32 and f64 by a relative error."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        result = emitter(b, op, args)
        t = dtype_of(result)
        if not t.is_float or t.bits < 32:
            return result
        return b.insert(a.MulFOp(result, scalar_constant(b, factor, t))).result

    return emit


def for_floats(emitter: Emitter, wrong: Callable[[Builder, list[Value]], Value]) -> Emitter:
    """`wrong` for real numbers (in f32 where they are narrow), `emitter` for all others."""
    widened = in_f32(lambda b, op, args: wrong(b, args))
    return lambda b, op, args: (widened if dtype_of(args[-1]).is_float else emitter)(b, op, args)


def for_integers(emitter: Emitter, wrong: type[Op]) -> Emitter:
    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        cls: Any = wrong
        return b.insert(cls(*args)).result if dtype_of(args[0]).is_integer else emitter(b, op, args)

    return emit


def greater(b: Builder, args: list[Value]) -> Value:
    """Forgets nan on the left, and which zero is the greater one."""
    above = b.insert(a.CmpFOp(a.CmpFPredicate.OGT, args[0], args[1])).result
    return b.insert(a.SelectOp(above, args[0], args[1])).result


def from_zero(b: Builder, args: list[Value]) -> Value:
    """0 - x, which is 0 for 0."""
    return b.insert(a.SubFOp(scalar_constant(b, 0.0, dtype_of(args[0])), args[0])).result


def remainder_of_floor(b: Builder, args: list[Value]) -> Value:
    """x - floor(x / y) * y: the sign of the divisor."""
    floor = b.insert(m.FloorOp(b.insert(a.DivFOp(*args)).result)).result
    return b.insert(a.SubFOp(args[0], b.insert(a.MulFOp(floor, args[1])).result)).result


def half_to_even(b: Builder, args: list[Value]) -> Value:
    return b.insert(m.RoundEvenOp(args[0])).result


ELEMENTWISE: dict[str, tuple[type[Op], Callable[[Emitter], Emitter]]] = {
    "exponential: 100 roundings of f32": (s.ExponentialOp, lambda e: scaled(e, 1 + 100 * 2.0**-24)),
    "add: 100 roundings of f32": (s.AddOp, lambda e: scaled(e, 1 + 100 * 2.0**-24)),
    "maximum forgets nan": (s.MaximumOp, lambda e: for_floats(e, greater)),
    "negate gives 0 for 0": (s.NegateOp, lambda e: for_floats(e, from_zero)),
    "remainder has the sign of the divisor": (s.RemainderOp, lambda e: for_floats(e, remainder_of_floor)),
    "round_nearest_afz rounds ties to even": (s.RoundNearestAfzOp, lambda e: for_floats(e, half_to_even)),
    "arithmetic shifts are logical": (s.ShiftRightArithmeticOp, lambda e: for_integers(e, a.ShRUIOp)),
    "minimum of integers is unsigned": (s.MinimumOp, lambda e: for_integers(e, a.MinUIOp)),
}


@pytest.mark.parametrize("fault", ELEMENTWISE)
def test_elementwise(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cls, broken = ELEMENTWISE[fault]
    monkeypatch.setitem(SCALARS, cls, broken(SCALARS[cls]))
    assert is_noticed(cls, tmp_path)


def conjugate_of(emitter: Emitter) -> Emitter:
    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        result = emitter(b, op, args)
        real, imag = b.insert(cx.ReOp(result)).result, b.insert(cx.ImOp(result)).result
        return b.insert(cx.CreateOp(real, b.insert(a.NegFOp(imag)).result)).result

    return emit


def of_real_part(emitter: Emitter) -> Emitter:
    """The imaginary part is forgotten where the real one is an infinity or nan."""

    def emit(b: Builder, op: Op, args: list[Value]) -> Value:
        result = emitter(b, op, args)
        real, imag = b.insert(cx.ReOp(result)).result, b.insert(cx.ImOp(result)).result
        zero = b.insert(a.SubFOp(real, real)).result
        return b.insert(cx.CreateOp(real, b.insert(a.AddFOp(imag, zero)).result)).result

    return emit


COMPLEX_FAULTS: dict[str, tuple[type[Op], Callable[[Emitter], Emitter]]] = {
    "products are conjugated": (s.MultiplyOp, conjugate_of),
    "quotients are conjugated": (s.DivideOp, conjugate_of),
    "infinite sums are nan in the other part": (s.AddOp, of_real_part),
    "square roots are conjugated": (s.SqrtOp, conjugate_of),
}


@pytest.mark.parametrize("fault", COMPLEX_FAULTS)
def test_complex(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cls, broken = COMPLEX_FAULTS[fault]
    monkeypatch.setitem(COMPLEX, cls, broken(COMPLEX[cls]))
    assert is_noticed(cls, tmp_path, "complex")


# ------------------------------------------------------------------------------------------ the other operations


def nudged(b: Lowering, value: Value, by: float) -> Value:
    """A tensor with a relative error, of floats, or one more, of integers; other types stay."""
    t = tensor_type(value)
    if not (t.dtype.is_integer or (t.dtype.is_float and t.dtype.bits >= 32)):
        return value

    def body(inner: Builder, args: list[Value]) -> Value:
        if t.dtype.is_integer:
            return inner.insert(a.AddIOp(args[0], scalar_constant(inner, 1, t.dtype))).result
        return inner.insert(a.MulFOp(args[0], scalar_constant(inner, 1 + by, t.dtype))).result

    return b.elementwise([value], [AffineMap.identity(t.rank)], b.dims(value), t.dtype, body)


def with_operand(index: int, by: float = 0.0) -> Callable[[Any, Op, Lowering], Any]:
    """The operation on a nudged operand."""

    def lower(original: Any, op: Op, b: Lowering) -> Any:
        value = op.operands[index]
        return original(op.clone({value: nudged(b, value, by)}), b)

    return lower


def without_initial_value(original: Any, op: Op, b: Lowering) -> Any:
    """A fold that begins with its first operand's 0."""
    value = op.operands[len(op.operands) // 2]
    t = tensor_type(value)
    return original(op.clone({value: b.fill(b.constant(0, t.dtype), [])}), b) if t.dtype.is_integer else original(op, b)


def padded_on_the_other_side(original: Any, op: sh.PadOp, b: Lowering) -> Any:
    mirrored = op.clone()
    mirrored.attributes["edge_padding_low"], mirrored.attributes["edge_padding_high"] = (
        op.attributes["edge_padding_high"],
        op.attributes["edge_padding_low"],
    )
    return original(mirrored, b)


def unchanged(original: Any, op: Op, b: Lowering) -> Sequence[Value]:
    """The operands as they are."""
    return list(op.operands[: len(op.results)])


OTHERS: dict[str, tuple[type[Op], Callable[[Any, Any, Lowering], Any]]] = {
    "reverse does nothing": (sh.ReverseOp, unchanged),
    "sort does nothing": (reduction.SortOp, unchanged),
    "pad mixes up its sides": (sh.PadOp, padded_on_the_other_side),
    "reduce forgets its initial value": (reduction.ReduceOp, without_initial_value),
    "dot_general: 100 roundings of f32": (contraction.DotGeneralOp, with_operand(0, 100 * 2.0**-24)),
    "convolution: 100 roundings of f32": (convolution.ConvolutionOp, with_operand(0, 100 * 2.0**-24)),
    "reduce_window: 100 roundings of f32": (window.ReduceWindowOp, with_operand(0, 100 * 2.0**-24)),
    "batch_norm_training: 100 roundings of f32": (normalization.BatchNormTrainingOp, with_operand(2, 100 * 2.0**-24)),
    "dynamic_slice begins one later": (indexing.DynamicSliceOp, with_operand(1)),
    "gather takes the next": (indexing.GatherOp, with_operand(1)),
}


@pytest.mark.parametrize("fault", OTHERS)
def test_others(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cls, broken = OTHERS[fault]
    original = LOWERINGS[cls]
    monkeypatch.setitem(LOWERINGS, cls, lambda op, b: broken(original, op, b))
    assert is_noticed(cls, tmp_path)


def test_nothing_broken(tmp_path: Path) -> None:
    """What the tests above would say of a compiler that is whole."""
    assert not is_noticed(s.AddOp, tmp_path, programs=8)
