"""arith in kernels: compiled results equal NumPy's, on every element type, as scalars and as vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tesselle.dialects.core import arith, memref, scf, vector
from tesselle.dialects.core import complex as complex_dialect
from tesselle.dialects.core import math as math_dialect
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import MemRefType, VectorType
from tesselle.support.dtypes import (
    BF16,
    C64,
    DTYPES,
    F16,
    F32,
    F64,
    I1,
    I4,
    I8,
    I16,
    I32,
    I64,
    INDEX,
    UI4,
    UI8,
    UI32,
    UI64,
    DType,
)  # fmt: skip

Array = np.ndarray[Any, Any]
Make = Callable[..., Op]


def elementwise(
    toolchain: Any, inputs: Sequence[DType], output: DType, make: Make, lanes: int | None, target: str
) -> Any:
    """out[i] = make(in[i], …) over n elements, by vectors of `lanes` or by scalars; constructors get the result type
    last when they want one."""
    memrefs = [MemRefType((None,), d) for d in (*inputs, output)]

    def body(b: Builder, args: Sequence[Value]) -> None:
        *sources, destination, n = args[: len(inputs) + 2]
        zero = b.insert(arith.ConstantOp(0, INDEX)).result
        step = b.insert(arith.ConstantOp(lanes or 1, INDEX)).result
        block = Block([INDEX])
        with b.at(block):
            i = block.args[0]
            if lanes is None:
                loaded = [b.insert(memref.LoadOp(s, (i,))).results[0] for s in sources]
                b.insert(memref.StoreOp(b.insert(make(*loaded, output)).results[0], destination, (i,)))
            else:
                types = [VectorType((lanes,), d) for d in (*inputs, output)]
                loaded = [b.insert(vector.LoadOp(s, (i,), t)).results[0] for s, t in zip(sources, types, strict=False)]
                b.insert(vector.StoreOp(b.insert(make(*loaded, types[-1])).results[0], destination, (i,)))
            b.insert(scf.YieldOp(()))
        b.insert(scf.ForOp(zero, n, step, (), Region([block])))

    dims = ((0,),) * len(memrefs)
    return toolchain.load(toolchain.make_kernel([*memrefs, INDEX], body, dim_bindings=dims), target)


def run(
    toolchain: Any, inputs: Sequence[Array], output: DType, make: Make, lanes: int | None, target: str = "host"
) -> Array:
    from tesselle.support.dtypes import from_numpy

    kernel = elementwise(toolchain, [from_numpy(x.dtype) for x in inputs], output, make, lanes, target)
    got = np.zeros(inputs[0].shape, output.numpy)
    kernel.run([*inputs, got], [len(got)])
    return got


def binary(operation: type[arith.BinaryOp]) -> Make:
    return lambda a, b, _type: operation(a, b)


def unary(operation: type[arith.UnaryOp]) -> Make:
    return lambda a, _type: operation(a)


def cast(operation: type[arith.CastOp]) -> Make:
    return lambda a, type: operation(a, type)


def integers(dtype: DType, count: int = 256) -> Array:
    """All kinds of bit patterns, the extremes and small numbers."""
    rng = np.random.default_rng(7)
    info = np.iinfo(dtype.numpy) if dtype.bits >= 8 else ml_dtypes.iinfo(dtype.numpy)
    low, high = int(info.min), int(info.max)
    edges = [low, low + 1, 0, 1, 2, 3, high - 1, high]
    wide = np.int64 if low < 0 else np.uint64
    rest = rng.integers(low, high, count - len(edges), dtype=wide, endpoint=True)
    return np.concatenate([np.array(edges, dtype=wide), rest]).astype(dtype.numpy)


def paired(dtype: DType, count: int = 256) -> tuple[Array, Array]:
    a = integers(dtype, count)
    b = np.random.default_rng(3).permutation(a)
    b[::5] = np.array([0], dtype=dtype.numpy)
    b[1::7] = np.array(-1 if dtype.is_signed else 3).astype(dtype.numpy)
    return a, b


def _quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


INTEGER_OPERATIONS: dict[type[arith.BinaryOp], Callable[[int, int, int], int]] = {
    arith.AddIOp: lambda a, b, w: a + b,
    arith.SubIOp: lambda a, b, w: a - b,
    arith.MulIOp: lambda a, b, w: a * b,
    arith.DivSIOp: lambda a, b, w: _quotient(a, b) if b else -1,
    arith.RemSIOp: lambda a, b, w: a - _quotient(a, b) * b if b else a,
    arith.DivUIOp: lambda a, b, w: a // b if b else -1,
    arith.RemUIOp: lambda a, b, w: a % b if b else a,
    arith.FloorDivSIOp: lambda a, b, w: a // b if b else -1,
    arith.CeilDivSIOp: lambda a, b, w: -(-a // b) if b else -1,
    arith.AndIOp: lambda a, b, w: a & b,
    arith.OrIOp: lambda a, b, w: a | b,
    arith.XOrIOp: lambda a, b, w: a ^ b,
    arith.ShLIOp: lambda a, b, w: a << b if 0 <= b < w else 0,
    arith.ShRSIOp: lambda a, b, w: a >> b if 0 <= b < w else a >> (w - 1),
    arith.ShRUIOp: lambda a, b, w: a >> b if 0 <= b < w else 0,
    arith.MinSIOp: lambda a, b, w: min(a, b),
    arith.MaxSIOp: lambda a, b, w: max(a, b),
    arith.MinUIOp: lambda a, b, w: min(a, b),
    arith.MaxUIOp: lambda a, b, w: max(a, b),
}
UNSIGNED = {arith.DivUIOp, arith.RemUIOp, arith.ShRUIOp, arith.MinUIOp, arith.MaxUIOp}


@pytest.mark.parametrize("lanes", [None, 8], ids=["scalar", "vector"])
@pytest.mark.parametrize("operation", INTEGER_OPERATIONS, ids=lambda o: o.NAME)
def test_integer_operations_agree_with_python(
    toolchain: Any, operation: type[arith.BinaryOp], lanes: int | None
) -> None:
    meaning = INTEGER_OPERATIONS[operation]
    for dtype in (UI8, UI32, UI64, UI4) if operation in UNSIGNED else (I8, I16, I32, I64, I4):
        a, b = paired(dtype)
        if operation in (arith.ShLIOp, arith.ShRSIOp, arith.ShRUIOp):
            b = (np.arange(len(b)) % min(dtype.bits + 3, 1 << (dtype.bits - 1))).astype(dtype.numpy)
        if operation in (arith.FloorDivSIOp, arith.CeilDivSIOp):
            b = np.where(b == 0, np.array(3).astype(dtype.numpy), b)
        got = run(toolchain, [a, b], dtype, binary(operation), lanes)
        mask = (1 << dtype.bits) - 1
        want = [meaning(int(x), int(y), dtype.bits) & mask for x, y in zip(a, b, strict=True)]
        assert [int(v) & mask for v in got] == want, dtype


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize("dtype", [F32, F64, F16, BF16], ids=str)
def test_float_operations_agree_with_numpy(toolchain: Any, dtype: DType, target: str) -> None:
    rng = np.random.default_rng(0)
    special = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.5, 1e-8, 6e-8]
    a, b = (m.reshape(-1) for m in np.meshgrid(special, special))
    a = np.concatenate([a, rng.normal(size=156) * 10]).astype(dtype.numpy)
    b = np.concatenate([b, rng.normal(size=156) * 10]).astype(dtype.numpy)
    wide_a, wide_b = (x.astype(np.float64 if dtype is F64 else np.float32) for x in (a, b))
    zeros = (wide_a == 0) & (wide_b == 0)
    negative_a, negative_b = np.signbit(wide_a), np.signbit(wide_b)
    ordered_min = np.where(zeros, np.where(negative_a | negative_b, -0.0, 0.0), np.minimum(wide_a, wide_b))
    ordered_max = np.where(zeros, np.where(negative_a & negative_b, -0.0, 0.0), np.maximum(wide_a, wide_b))
    cases: list[tuple[type[arith.BinaryOp], Array]] = [
        (arith.AddFOp, wide_a + wide_b),
        (arith.SubFOp, wide_a - wide_b),
        (arith.MulFOp, wide_a * wide_b),
        (arith.DivFOp, wide_a / wide_b),
        (arith.RemFOp, np.fmod(wide_a, wide_b)),
        (arith.MinimumFOp, ordered_min),
        (arith.MaximumFOp, ordered_max),
        (arith.MinNumFOp, np.fmin(wide_a, wide_b)),
        (arith.MaxNumFOp, np.fmax(wide_a, wide_b)),
    ]
    for operation, exact in cases:
        want = exact.astype(dtype.numpy)
        # Of minimum and maximum each width of a register has an instruction of its own.
        every = operation in (arith.MinimumFOp, arith.MaximumFOp)
        for lanes in (None, 2, 4, 8, 16, 32) if every else (None, 8):
            got = run(toolchain, [a, b], dtype, binary(operation), lanes, target)
            same_nan = np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64))
            assert np.all((got == want) | same_nan), f"{operation.NAME} {lanes}"
            if operation not in (arith.MinNumFOp, arith.MaxNumFOp):
                zeros = np.asarray(want == 0)
                np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]), err_msg=operation.NAME)
    number = ~np.isnan(a.astype(np.float64))
    for operation, want in ((arith.NegFOp, -a), (math_dialect.AbsFOp, np.abs(a))):
        got = run(toolchain, [a], dtype, unary(operation), 8, target)
        np.testing.assert_array_equal(got[number], want[number], err_msg=operation.NAME)


def test_fmod_is_exact_over_the_whole_range(toolchain: Any) -> None:
    rng = np.random.default_rng(5)
    for dtype, bits in ((F32, np.uint32), (F64, np.uint64)):
        a, b = (rng.integers(0, np.iinfo(bits).max, 4096, dtype=bits).view(dtype.numpy) for _ in range(2))
        want = np.fmod(a, b)
        np.testing.assert_array_equal(run(toolchain, [a, b], dtype, binary(arith.RemFOp), 8), want)


@pytest.mark.parametrize("dtype", [F32, F64, BF16], ids=str)
def test_float_comparisons(toolchain: Any, dtype: DType) -> None:
    a, b = (
        m.reshape(-1)
        for m in np.meshgrid([0.0, -0.0, 1.0, 2.0, np.nan, np.inf, -np.inf, 3.0], [1.0, np.nan, 0.0, np.inf])
    )
    x, y = a.astype(dtype.numpy), b.astype(dtype.numpy)
    unordered = np.isnan(a) | np.isnan(b)
    for predicate in arith.CmpFPredicate:
        p = predicate.value
        plain = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}.get(p[1:])
        if plain is None:
            want = unordered if predicate is arith.CmpFPredicate.UNO else ~unordered
        else:
            want = plain & ~unordered if p[0] == "o" else plain | unordered
        got = run(toolchain, [x, y], I1, lambda u, v, _t, p=predicate: arith.CmpFOp(p, u, v), 8)
        np.testing.assert_array_equal(got, want, err_msg=p)


def test_integer_comparisons_and_select(toolchain: Any) -> None:
    a, b = paired(I32)
    for predicate in arith.CmpIPredicate:
        p = predicate.value
        x, y = (a.view(np.uint32), b.view(np.uint32)) if p[0] == "u" else (a, b)
        name = p[1:] if len(p) == 3 else p
        want = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}[name]
        got = run(toolchain, [a, b], I1, lambda u, v, _t, p=predicate: arith.CmpIOp(p, u, v), 8)
        np.testing.assert_array_equal(got, want, err_msg=p)
    condition = np.arange(len(a)) % 3 == 0
    for lanes in (None, 8):
        got = run(toolchain, [condition, a, b], I32, lambda c, u, v, _t: arith.SelectOp(c, u, v), lanes)
        np.testing.assert_array_equal(got, np.where(condition, a, b))


SMALL_FLOATS = [d for d in DTYPES.values() if d.is_float and d.bits <= 16]


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize("dtype", SMALL_FLOATS, ids=str)
def test_small_floats_convert_as_ml_dtypes_does(toolchain: Any, dtype: DType, target: str) -> None:
    codes = np.arange(1 << max(8, dtype.bits), dtype=np.uint16 if dtype.bits == 16 else np.uint8)
    if dtype.bits < 8:
        codes = np.resize(codes[: 1 << dtype.bits], 64)
    x = codes.view(dtype.numpy)
    wide = run(toolchain, [x], F32, cast(arith.ExtFOp), 8, target)
    np.testing.assert_array_equal(wide, x.astype(np.float32))
    zeros = wide == 0
    np.testing.assert_array_equal(np.signbit(wide[zeros]), np.signbit(x.astype(np.float32)[zeros]))
    rng = np.random.default_rng(11)
    finite = x.astype(np.float64)
    finite = np.sort(finite[np.isfinite(finite)])
    between = (finite[:-1] + finite[1:]) / 2
    values = np.concatenate(
        [finite, between, np.nextafter(between, -np.inf), np.nextafter(between, np.inf),
         [np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30],
         rng.integers(0, 1 << 32, 4096, dtype=np.uint32).view(np.float32).astype(np.float64)]
    )  # fmt: skip
    values = np.concatenate([values, np.zeros(-len(values) % 8)])
    for source, make in ((F32, np.float32), (F64, np.float64)):
        y = values.astype(make)
        want = y.astype(dtype.numpy)
        got = run(toolchain, [y], dtype, cast(arith.TruncFOp), 8, target)
        unsigned = np.uint16 if dtype.bits == 16 else np.uint8
        # ml_dtypes rounds f64 by way of f32 for formats of 8 bits and less; ties that this moves are its own.
        twice = y.astype(np.float32).astype(np.float64) != y
        nan = np.isnan(want.astype(np.float32))
        np.testing.assert_array_equal(np.isnan(got.astype(np.float32)), nan)
        same = ~nan & ~(twice if source is F64 else False)
        np.testing.assert_array_equal(got.view(unsigned)[same], want.view(unsigned)[same])


def test_f64_rounds_once_to_small_floats(toolchain: Any) -> None:
    """1 + 2^-8 + 2^-40 is above the tie between 1 and 1 + 2^-7 in bf16, but f32 would round it onto the tie."""
    y = np.array(
        [1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-8 - 2.0**-40, 1 + 3 * 2.0**-8 - 2.0**-40, -1 - 2.0**-8 - 2.0**-40] * 2
    )
    got = run(toolchain, [y], BF16, cast(arith.TruncFOp), 8).astype(np.float64)
    np.testing.assert_array_equal(got[:4], [1 + 2.0**-7, 1.0, 1 + 2.0**-7, -1 - 2.0**-7])


@pytest.mark.parametrize("lanes", [None, 8], ids=["scalar", "vector"])
def test_integers_and_floats_convert(toolchain: Any, lanes: int | None) -> None:
    for source in (I8, I32, I64, UI8, UI32, UI64):
        x = integers(source)
        make = cast(arith.SIToFPOp if source.is_signed else arith.UIToFPOp)
        for result in (F32, F64, F16, BF16):
            want = x.astype(np.float64 if result is not F32 else np.float32).astype(result.numpy)
            np.testing.assert_array_equal(run(toolchain, [x], result, make, lanes), want, err_msg=f"{source} {result}")
    y = np.array(
        [
            0.0,
            -0.5,
            1.99,
            -1.99,
            127.9,
            -129.5,
            300.0,
            2.0**31,
            -(2.0**31),
            2.0**40,
            2.0**63,
            2.0**64,
            np.nan,
            np.inf,
            -np.inf,
            255.5,
        ]
    )
    for source in (F32, F64, BF16):
        z = y.astype(source.numpy)
        exact = z.astype(np.float64)
        for result in (I8, I32, I64, UI8, UI32, UI64):
            info = np.iinfo(result.numpy)
            want = [
                0 if np.isnan(v) else int(info.max) if v >= info.max else int(info.min) if v <= info.min else int(v)
                for v in exact
            ]
            make = cast(arith.FPToSIOp if result.is_signed else arith.FPToUIOp)
            assert run(toolchain, [z], result, make, lanes).tolist() == want, (source, result)


def test_integer_casts(toolchain: Any) -> None:
    a = integers(I16)
    for lanes in (None, 8):
        assert np.array_equal(run(toolchain, [a], I32, cast(arith.ExtSIOp), lanes), a.astype(np.int32))
        assert np.array_equal(
            run(toolchain, [a.view(np.uint16)], UI32, cast(arith.ExtUIOp), lanes), a.view(np.uint16).astype(np.uint32)
        )
        assert np.array_equal(run(toolchain, [a], I8, cast(arith.TruncIOp), lanes), a.astype(np.int8))
        assert np.array_equal(run(toolchain, [a > 0], I32, cast(arith.ExtUIOp), lanes), (a > 0).astype(np.int32))
        assert np.array_equal(run(toolchain, [a], I1, cast(arith.TruncIOp), lanes), a % 2 != 0)
        x = np.linspace(-3, 3, 256, dtype=np.float32)
        assert np.array_equal(run(toolchain, [x], I32, cast(arith.BitcastOp), lanes), x.view(np.int32))
    i4 = integers(I4)
    assert np.array_equal(run(toolchain, [i4], I32, cast(arith.ExtSIOp), 8), i4.astype(np.int32))


def test_integer_math(toolchain: Any) -> None:
    a = integers(I32)
    assert np.array_equal(run(toolchain, [a], I32, unary(math_dialect.AbsIOp), 8), np.abs(a))
    assert np.array_equal(run(toolchain, [a], I32, unary(math_dialect.CtPopOp), 8), np.bitwise_count(a.view(np.uint32)))
    zeros = [32 - int(v).bit_length() for v in a.view(np.uint32)]
    assert run(toolchain, [a], I32, unary(math_dialect.CtLzOp), 8).tolist() == zeros


def test_fma_copysign_isfinite(toolchain: Any) -> None:
    x = np.array([1.0, -2.0, 3.0, np.inf, np.nan, 0.0, -0.0, 1e30], dtype=np.float32)
    y = x[::-1].copy()
    want = (x.astype(np.float64) * y + x).astype(np.float32)
    np.testing.assert_array_equal(run(toolchain, [x, y], F32, lambda a, b, _t: math_dialect.FmaOp(a, b, a), 8), want)
    np.testing.assert_array_equal(run(toolchain, [x, y], F32, binary(math_dialect.CopySignOp), 8), np.copysign(x, y))
    np.testing.assert_array_equal(run(toolchain, [x], I1, lambda a, _t: math_dialect.IsFiniteOp(a), 8), np.isfinite(x))
    half = x.astype(np.float16)
    np.testing.assert_array_equal(
        run(toolchain, [half], I1, lambda a, _t: math_dialect.IsFiniteOp(a), 8), np.isfinite(half)
    )


def test_functions_of_small_floats_round_once(toolchain: Any) -> None:
    x = np.linspace(-4, 4, 256).astype(BF16.numpy)
    got = run(toolchain, [x], BF16, unary(math_dialect.TanhOp), 8)
    want = np.tanh(x.astype(np.float64)).astype(BF16.numpy)
    assert np.mean(got == want) > 0.99


@pytest.mark.parametrize("lanes", [None, 4], ids=["scalar", "vector"])
def test_complex_values(toolchain: Any, lanes: int | None) -> None:
    rng = np.random.default_rng(2)
    z = (rng.normal(size=16) + 1j * rng.normal(size=16)).astype(np.complex64)
    real = run(toolchain, [z], F32, lambda a, _t: complex_dialect.ReOp(a), lanes)
    imaginary = run(toolchain, [z], F32, lambda a, _t: complex_dialect.ImOp(a), lanes)
    np.testing.assert_array_equal(real, z.real)
    np.testing.assert_array_equal(imaginary, z.imag)
    np.testing.assert_array_equal(
        run(toolchain, [imaginary, real], C64, lambda a, b, _t: complex_dialect.CreateOp(a, b), lanes),
        z.imag + 1j * z.real,
    )
