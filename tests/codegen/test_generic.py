"""linalg.generic through the whole of code generation, against NumPy: shapes with odd tails × element types ×
targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.codegen.harness import Dispatch, run

from tesselle.dialects.core import arith, math, tensor
from tesselle.dialects.core import complex as cx
from tesselle.dialects.linalg.ops import ContractOp, ConvOp, IndexOp
from tesselle.ir.affine import AffineMap, dim
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.support.dtypes import C64, F32, I1, I32, INDEX, from_numpy

TARGETS = ("host", "generic")
BF16 = ml_dtypes.bfloat16
ELEMENTS: tuple[Any, ...] = (np.float32, np.float64, BF16, np.float16, np.int8, np.int16, np.int32, np.int64)
MOVED: tuple[Any, ...] = (np.float32, np.float64, BF16, np.int8)

pytestmark = pytest.mark.parametrize("target", TARGETS)


def make(shape: Sequence[int], dtype: Any, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * 5
    return values.astype(dtype)


def emit(b: Builder, cls: type[Op], *arguments: Any) -> Value:
    return b.insert(cls(*arguments)).result


def binary(cls: type[Op]) -> Callable[[Builder, Sequence[Value]], Sequence[Value]]:
    return lambda c, a: [emit(c, cls, a[0], a[1])]


def adder(dtype: Any) -> type[Op]:
    return arith.AddFOp if from_numpy(dtype).is_float else arith.AddIOp


# ---------------------------------------------------------------------------------------------- elementwise


@pytest.mark.parametrize("n", [0, 1, 7, 8, 33, 1000, 5003])
def test_add(n: int, target: str) -> None:
    x, y = make([n], np.float32), make([n], np.float32, 1)
    (r,) = run(
        [x, y],
        [((n,), np.float32)],
        lambda d: [d.elementwise(d.loads, d.empty((n,), F32), binary(arith.AddFOp))],
        target,
    )
    np.testing.assert_array_equal(r, x + y)


@pytest.mark.parametrize("dtype", ELEMENTS)
@pytest.mark.parametrize("shape", [(33, 77), (1, 130)])
def test_broadcast_row(shape: tuple[int, int], dtype: Any, target: str) -> None:
    m, n = shape
    x, y = make(shape, dtype), make([n], dtype, 1)

    def build(d: Dispatch) -> Sequence[Value]:
        out = d.empty(shape, from_numpy(dtype))
        return d.generic(d.loads, [out], [(0, 1), (1,), (0, 1)], "pp", binary(adder(dtype)))

    (r,) = run([x, y], [((m, n), dtype)], build, target)
    np.testing.assert_array_equal(r, (x + y).astype(dtype))


@pytest.mark.parametrize("shape", [(1, 7, 3), (2, 3, 50), (65,), (4, 1, 1)])
def test_booleans(shape: tuple[int, ...], target: str) -> None:
    x, y = make(shape, np.float32), make(shape, np.float32, 1)
    less = x < y

    def compare(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        return [emit(c, arith.CmpFOp, arith.CmpFPredicate.OLT, a[0], a[1])]

    (r,) = run([x, y], [(shape, np.bool_)], lambda d: [d.elementwise(d.loads, d.empty(shape, I1), compare)], target)
    np.testing.assert_array_equal(r, less)
    (r,) = run(
        [less, x, y],
        [(shape, np.float32)],
        lambda d: [d.elementwise(d.loads, d.empty(shape, F32), lambda c, a: [emit(c, arith.SelectOp, *a[:3])])],
        target,
    )
    np.testing.assert_array_equal(r, np.where(less, x, y))
    (r,) = run(
        [less, ~less],
        [(shape, np.bool_)],
        lambda d: [d.elementwise(d.loads, d.empty(shape, I1), binary(arith.OrIOp))],
        target,
    )
    assert r.all()


def test_mixed_widths(target: str) -> None:
    """i8 -> f64 and back to f16: lanes follow the widest type."""
    x = make([1001], np.int8)

    def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        wide = emit(c, arith.SIToFPOp, a[0], from_numpy(np.float64))
        return [emit(c, arith.TruncFOp, wide, from_numpy(np.float16)), emit(c, arith.AddFOp, wide, wide)]

    def build(d: Dispatch) -> Sequence[Value]:
        outs = [d.empty((1001,), from_numpy(np.float16)), d.empty((1001,), from_numpy(np.float64))]
        return d.generic(d.loads, outs, [(0,)] * 3, "p", body)

    half, double = run([x], [((1001,), np.float16), ((1001,), np.float64)], build, target)
    np.testing.assert_array_equal(half, x.astype(np.float16))
    np.testing.assert_array_equal(double, x.astype(np.float64) * 2)


@pytest.mark.parametrize("n", [1, 8, 37])
def test_complex(n: int, target: str) -> None:
    x = (make([n], np.float32) + 1j * make([n], np.float32, 1)).astype(np.complex64)
    y = x[::-1].copy()

    def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        re = emit(c, arith.AddFOp, emit(c, cx.ReOp, a[0]), emit(c, cx.ReOp, a[1]))
        im = emit(c, arith.SubFOp, emit(c, cx.ImOp, a[0]), emit(c, cx.ImOp, a[1]))
        return [emit(c, cx.CreateOp, re, im)]

    (r,) = run([x, y], [((n,), np.complex64)], lambda d: [d.elementwise(d.loads, d.empty((n,), C64), body)], target)
    np.testing.assert_array_equal(r, x.real + y.real + 1j * (x.imag - y.imag))


@pytest.mark.parametrize("n", [5, 70])
def test_index(n: int, target: str) -> None:
    def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        i, j = (emit(c, arith.IndexCastOp, emit(c, IndexOp, d), I32) for d in range(2))
        return [emit(c, arith.AddIOp, emit(c, arith.MulIOp, i, j), i)]

    (r,) = run(
        [], [((n, 13), np.int32)], lambda d: d.generic([], [d.empty((n, 13), I32)], [(0, 1)], "pp", body), target
    )
    i, j = np.indices((n, 13))
    np.testing.assert_array_equal(r, i * j + i)


def test_scalars_and_constants(target: str) -> None:
    """Splat and other constants, scalar operands."""
    x = make([6, 4], np.float32)
    table = np.arange(24, dtype=np.float32).reshape(6, 4)

    def build(d: Dispatch) -> Sequence[Value]:
        from tesselle.ir.attributes import DenseElements
        from tesselle.ir.types import TensorType

        t = TensorType((6, 4), F32)
        splat = d.b.insert(arith.ConstantOp(DenseElements.splat(2.5, t), t)).result
        dense = d.b.insert(arith.ConstantOp(DenseElements(table, t), t)).result
        scaled = d.elementwise([d.loads[0], splat], d.empty((6, 4), F32), binary(arith.MulFOp))
        return [d.elementwise([scaled, dense], d.empty((6, 4), F32), binary(arith.AddFOp))]

    (r,) = run([x], [((6, 4), np.float32)], build, target)
    np.testing.assert_array_equal(r, x * np.float32(2.5) + table)


# ---------------------------------------------------------------------------------------------- reading patterns


@pytest.mark.parametrize("dtype", MOVED)
@pytest.mark.parametrize("shape", [(5, 7), (70, 33), (128, 200)])
def test_transpose(shape: tuple[int, int], dtype: Any, target: str) -> None:
    x = make(shape, dtype)
    m, n = shape

    def build(d: Dispatch) -> Sequence[Value]:
        return d.generic(d.loads, [d.empty((n, m), from_numpy(dtype))], [(1, 0), (0, 1)], "pp", lambda c, a: [a[0]])

    (r,) = run([x], [((n, m), dtype)], build, target)
    np.testing.assert_array_equal(r, x.T)


@pytest.mark.parametrize("dtype", MOVED)
@pytest.mark.parametrize("order", [(0, 2, 1, 3), (2, 0, 3, 1), (3, 2, 1, 0), (0, 3, 1, 2)])
def test_permute(order: tuple[int, ...], dtype: Any, target: str) -> None:
    x = make([3, 5, 12, 9], dtype)
    shape = tuple(x.shape[d] for d in order)
    source = [order.index(d) for d in range(4)]

    def build(d: Dispatch) -> Sequence[Value]:
        out = d.empty(shape, from_numpy(dtype))
        return d.generic(d.loads, [out], [source, range(4)], "pppp", lambda c, a: [a[0]])

    (r,) = run([x], [(shape, dtype)], build, target)
    np.testing.assert_array_equal(r, x.transpose(order))


def test_transposed_sum(target: str) -> None:
    """x + x.T and y + x.T: contiguous and transposed reads in one body."""
    x = make([75, 75], np.float32)

    def build(d: Dispatch) -> Sequence[Value]:
        x = d.loads[0]
        out = d.empty((75, 75), F32)
        return d.generic([x, x], [out], [(0, 1), (1, 0), (0, 1)], "pp", binary(arith.AddFOp))

    (r,) = run([x], [((75, 75), np.float32)], build, target)
    np.testing.assert_array_equal(r, x + x.T)


@pytest.mark.parametrize("dtype", MOVED)
def test_reverse(dtype: Any, target: str) -> None:
    x = make([4, 2045], dtype)
    for m, want in (
        (AffineMap(2, 0, (dim(0), dim(1) * -1 + 2044)), x[:, ::-1]),
        (AffineMap(2, 0, (dim(0) * -1 + 3, dim(1))), x[::-1]),
    ):
        (r,) = run(
            [x],
            [((4, 2045), dtype)],
            lambda d, m=m: d.generic(
                d.loads, [d.empty((4, 2045), from_numpy(dtype))], [m, (0, 1)], "pp", lambda c, a: [a[0]]
            ),
            target,
        )
        np.testing.assert_array_equal(r, want)


@pytest.mark.parametrize("size", [4, 75])
def test_a_result_of_the_same_dispatch_read_backwards(size: int, target: str) -> None:
    x = make([size, size], np.float32)
    last = size - 1
    backwards = AffineMap(2, 0, (dim(1) * -1 + last, dim(0) * -1 + last))

    def build(d: Dispatch) -> Sequence[Value]:
        out = d.empty((size, size), F32)
        (first,) = d.generic([d.loads[0]] * 2, [out], [(0, 1)] * 3, "pp", binary(arith.AddFOp))
        return d.generic([first], [out], [backwards, (0, 1)], "pp", lambda c, a: [a[0]])

    (r,) = run([x], [((size, size), np.float32)], build, target)
    np.testing.assert_array_equal(r, (x + x)[::-1, ::-1].T)


@pytest.mark.parametrize("dtype", MOVED)
def test_strided(dtype: Any, target: str) -> None:
    x = make([3 * 1500 + 1], dtype)
    m = AffineMap(1, 0, (dim(0) * 3 + 1,))

    def build(d: Dispatch) -> Sequence[Value]:
        return d.generic(d.loads, [d.empty((1500,), from_numpy(dtype))], [m, (0,)], "p", lambda c, a: [a[0]])

    (r,) = run([x], [((1500,), dtype)], build, target)
    np.testing.assert_array_equal(r, x[1::3])


@pytest.mark.parametrize("dtype", [*MOVED, np.bool_])
def test_gather(dtype: Any, target: str) -> None:
    table, indices = make([50, 37], dtype), np.random.default_rng(0).integers(0, 50, 19).astype(np.int32)

    def rows(d: Dispatch) -> Sequence[Value]:
        def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
            i = emit(c, arith.IndexCastOp, a[0], INDEX)
            return [emit(c, tensor.ExtractOp, d.loads[0], [i, emit(c, IndexOp, 1)])]

        return d.generic([d.loads[1]], [d.empty((19, 37), from_numpy(dtype))], [(0,), (0, 1)], "pp", body)

    (r,) = run([table, indices], [((19, 37), dtype)], rows, target)
    np.testing.assert_array_equal(r, table[indices])

    def elements(d: Dispatch) -> Sequence[Value]:
        def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
            i = emit(c, arith.IndexCastOp, a[0], INDEX)
            return [emit(c, tensor.ExtractOp, d.loads[0], [i, d.index(3)])]

        return d.generic([d.loads[1]], [d.empty((19,), from_numpy(dtype))], [(0,), (0,)], "p", body)

    (r,) = run([table, indices], [((19,), dtype)], elements, target)
    np.testing.assert_array_equal(r, table[indices, 3])


# ---------------------------------------------------------------------------------------------- reductions

REDUCTIONS = [
    ((4, 5, 6), (0, 2)),
    ((4, 5, 6), (1,)),
    ((200, 70), (0,)),
    ((3, 300), (1,)),
    ((40, 50), (0, 1)),
    ((100, 2000), (0,)),
    ((5, 0), (1,)),
    ((0, 5), (0,)),
    ((1, 1), (0,)),
    ((7, 3), (1,)),
    ((2, 3, 4, 5), (1, 3)),
]


@pytest.mark.parametrize(
    ("shape", "axes", "dtype"),
    [(*case, np.float32) for case in REDUCTIONS]
    + [(*case, t) for case in REDUCTIONS[:5] for t in (BF16, np.float16, np.int8)],
)
def test_sum(shape: tuple[int, ...], axes: tuple[int, ...], dtype: Any, target: str) -> None:
    x = make(shape, dtype)
    t = from_numpy(dtype)
    kept = [d for d in range(len(shape)) if d not in axes]
    out = [shape[d] for d in kept]
    kinds = "".join("r" if d in axes else "p" for d in range(len(shape)))

    def build(d: Dispatch) -> Sequence[Value]:
        init = d.fill(0.0 if t.is_float else 0, out, t)
        return d.generic(d.loads, [init], [range(len(shape)), kept], kinds, binary(adder(dtype)))

    (r,) = run([x], [(out, dtype)], build, target)
    if t.is_float:
        want = x.astype(np.float64).sum(axes)
        ulp = 2.0 ** -{"f32": 20, "bf16": 7, "f16": 9}[t.name]
        scale = np.abs(x.astype(np.float64)).sum(axes)
        assert (np.abs(r.astype(np.float64) - want) <= ulp * scale + 1e-12).all()
    else:
        np.testing.assert_array_equal(r, x.sum(axes, dtype=dtype))


@pytest.mark.parametrize(
    ("cls", "dtype", "init", "reference"),
    [
        (arith.MaximumFOp, np.float32, -np.inf, np.max),
        (arith.MinimumFOp, np.float64, np.inf, np.min),
        (arith.MaxNumFOp, np.float32, -np.inf, np.max),
        (arith.MaximumFOp, BF16, -np.inf, np.max),
        (arith.MaxSIOp, np.int8, -128, np.max),
        (arith.MinSIOp, np.int32, 2**31 - 1, np.min),
        (arith.MaxUIOp, np.uint16, 0, np.max),
        (arith.MinUIOp, np.uint8, 255, np.min),
        (arith.MulIOp, np.int64, 1, np.prod),
        (arith.AndIOp, np.bool_, True, np.all),
        (arith.OrIOp, np.bool_, False, np.any),
        (arith.XOrIOp, np.int32, 0, np.bitwise_xor.reduce),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_combiners(cls: type[Op], dtype: Any, init: Any, reference: Any, axis: int, target: str) -> None:
    x = make([23, 131], dtype)
    t = from_numpy(dtype)
    size = x.shape[1 - axis]

    def build(d: Dispatch) -> Sequence[Value]:
        return d.generic(
            d.loads, [d.fill(init, (size,), t)], [(0, 1), (1 - axis,)], "rp" if axis == 0 else "pr", binary(cls)
        )

    (r,) = run([x], [((size,), dtype)], build, target)
    np.testing.assert_array_equal(r, reference(x, axis=axis).astype(dtype))


def test_maximum_propagates_nan(target: str) -> None:
    x = make([3, 100], np.float32)
    x[1, 57] = np.nan

    def build(d: Dispatch) -> Sequence[Value]:
        return d.generic(d.loads, [d.fill(-np.inf, (3,), F32)], [(0, 1), (0,)], "pr", binary(arith.MaximumFOp))

    (r,) = run([x], [((3,), np.float32)], build, target)
    np.testing.assert_array_equal(np.isnan(r), [False, True, False])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3, 5), (17, 100), (64, 8)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_argmax(shape: tuple[int, int], axis: int, dtype: Any, target: str) -> None:
    x = np.round(make(shape, dtype))
    t = from_numpy(dtype)
    size = shape[1 - axis]

    def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        x, best, place = a
        i = emit(c, arith.IndexCastOp, emit(c, IndexOp, axis), I32)
        greater = emit(c, arith.CmpFOp, arith.CmpFPredicate.OGT, x, best)
        nan = emit(c, arith.CmpFOp, arith.CmpFPredicate.UNE, x, x)
        better = emit(c, arith.OrIOp, greater, nan)
        equal = emit(c, arith.CmpFOp, arith.CmpFPredicate.OEQ, x, best)
        earlier = emit(c, arith.CmpIOp, arith.CmpIPredicate.SLT, i, place)
        take = emit(c, arith.OrIOp, better, emit(c, arith.AndIOp, equal, earlier))
        return [emit(c, arith.SelectOp, better, x, best), emit(c, arith.SelectOp, take, i, place)]

    def build(d: Dispatch) -> Sequence[Value]:
        inits = [d.fill(-np.inf, (size,), t), d.fill(0, (size,), I32)]
        kept = (1 - axis,)
        return d.generic(d.loads, inits, [(0, 1), kept, kept], "rp" if axis == 0 else "pr", body)

    best, place = run([x], [((size,), dtype), ((size,), np.int32)], build, target)
    np.testing.assert_array_equal(best, x.max(axis))
    np.testing.assert_array_equal(place, x.argmax(axis))


def test_unknown_combination(target: str) -> None:
    """acc' = acc * 0.5 + x is no monoid: the order of the elements must be kept."""
    x = make([9, 21], np.float64)

    def body(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        half = emit(c, arith.ConstantOp, 0.5, from_numpy(np.float64))
        return [emit(c, arith.AddFOp, emit(c, arith.MulFOp, a[1], half), a[0])]

    def build(d: Dispatch) -> Sequence[Value]:
        return d.generic(d.loads, [d.fill(0.0, (9,), from_numpy(np.float64))], [(0, 1), (0,)], "pr", body)

    (r,) = run([x], [((9,), np.float64)], build, target)
    want = np.zeros(9)
    for i in range(21):
        want = want * 0.5 + x[:, i]
    np.testing.assert_allclose(r, want, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "h", "w", "c", "k", "s", "dtype"),
    [(2, 9, 9, 16, 3, 2, np.float32), (1, 8, 8, 3, 2, 2, np.float32), (1, 12, 7, 65, 3, 1, BF16)],
)
def test_pooling(n: int, h: int, w: int, c: int, k: int, s: int, dtype: Any, target: str) -> None:
    x = make([n, h, w, c], dtype)
    t = from_numpy(dtype)
    oh, ow = (h - k) // s + 1, (w - k) // s + 1
    m = AffineMap(6, 0, (dim(0), dim(1) * s + dim(4), dim(2) * s + dim(5), dim(3)))

    def body(b: Builder, a: Sequence[Value]) -> Sequence[Value]:
        return [emit(b, arith.MaximumFOp, a[0], a[2])]

    def build(d: Dispatch) -> Sequence[Value]:
        window = d.empty((k, k), t)
        return d.generic(
            [d.loads[0], window], [d.fill(-np.inf, (n, oh, ow, c), t)], [m, (4, 5), (0, 1, 2, 3)], "pppprr", body
        )

    (r,) = run([x], [((n, oh, ow, c), dtype)], build, target)
    places = [(i, j) for i in range(k) for j in range(k)]
    want = np.stack([x[:, i : i + s * (oh - 1) + 1 : s, j : j + s * (ow - 1) + 1 : s] for i, j in places]).max(0)
    np.testing.assert_array_equal(r, want)


# ---------------------------------------------------------------------------------------------- fused


def softmax(d: Dispatch, m: int, n: int) -> Sequence[Value]:
    (x,) = d.loads
    top = d.generic([x], [d.fill(-np.inf, (m,), F32)], [(0, 1), (0,)], "pr", binary(arith.MaximumFOp))[0]

    def exponential(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
        return [emit(c, math.ExpOp, emit(c, arith.SubFOp, a[0], a[1]))]

    e = d.generic([x, top], [d.empty((m, n), F32)], [(0, 1), (0,), (0, 1)], "pp", exponential)[0]
    total = d.generic([e], [d.fill(0.0, (m,), F32)], [(0, 1), (0,)], "pr", binary(arith.AddFOp))[0]
    maps = [(0, 1), (0,), (0, 1)]
    return d.generic([e, total], [d.empty((m, n), F32)], maps, "pp", binary(arith.DivFOp))


@pytest.mark.parametrize("shape", [(3, 5), (64, 128), (1, 1000), (17, 333), (0, 4), (2, 70001)])
def test_softmax(shape: tuple[int, int], target: str) -> None:
    x = make(shape, np.float32)
    (r,) = run([x], [(shape, np.float32)], lambda d: softmax(d, *shape), target)
    e = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
    np.testing.assert_allclose(r, e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 7), (10, 384), (5, 1000), (1, 1)])
def test_layernorm(shape: tuple[int, int], target: str) -> None:
    m, n = shape
    x, gain = make(shape, np.float32), make([n], np.float32, 1)

    def build(d: Dispatch) -> Sequence[Value]:
        x, g = d.loads
        scale, small = d.constant(1.0 / n, F32), d.constant(1e-5, F32)
        total = d.generic([x], [d.fill(0.0, (m,), F32)], [(0, 1), (0,)], "pr", binary(arith.AddFOp))[0]
        centred = d.generic(
            [x, total],
            [d.empty(shape, F32)],
            [(0, 1), (0,), (0, 1)],
            "pp",
            lambda c, a: [emit(c, arith.SubFOp, a[0], emit(c, arith.MulFOp, a[1], scale))],
        )[0]
        squares = d.generic(
            [centred],
            [d.fill(0.0, (m,), F32)],
            [(0, 1), (0,)],
            "pr",
            lambda c, a: [emit(c, arith.AddFOp, emit(c, arith.MulFOp, a[0], a[0]), a[1])],
        )[0]

        def inverse(c: Builder, a: Sequence[Value]) -> Sequence[Value]:
            return [emit(c, math.RsqrtOp, emit(c, arith.AddFOp, emit(c, arith.MulFOp, a[0], scale), small))]

        r = d.generic([squares], [d.empty((m,), F32)], [(0,), (0,)], "p", inverse)[0]
        return d.generic(
            [centred, r, g],
            [d.empty(shape, F32)],
            [(0, 1), (0,), (1,), (0, 1)],
            "pp",
            lambda c, a: [emit(c, arith.MulFOp, emit(c, arith.MulFOp, a[0], a[1]), a[2])],
        )

    (r,) = run([x, gain], [(shape, np.float32)], build, target)
    c = x - x.mean(1, keepdims=True)
    np.testing.assert_allclose(r, c / np.sqrt((c * c).mean(1, keepdims=True) + 1e-5) * gain, rtol=1e-3, atol=1e-4)


def test_several_results(target: str) -> None:
    """A row's maximum and the row scaled by it, both stored."""
    x = np.abs(make([37, 65], np.float32)) + 1

    def build(d: Dispatch) -> Sequence[Value]:
        (x,) = d.loads
        top = d.generic([x], [d.fill(0.0, (37,), F32)], [(0, 1), (0,)], "pr", binary(arith.MaximumFOp))[0]
        maps = [(0, 1), (0,), (0, 1)]
        return [d.generic([x, top], [d.empty((37, 65), F32)], maps, "pp", binary(arith.DivFOp))[0], top]

    scaled, top = run([x], [((37, 65), np.float32), ((37,), np.float32)], build, target)
    np.testing.assert_array_equal(top, x.max(1))
    np.testing.assert_array_equal(scaled, x / x.max(1, keepdims=True))


# ---------------------------------------------------------------------------------------------- products without gemm


@pytest.mark.parametrize("dtype", [np.float32, np.float64, BF16, np.int32, np.int8])
@pytest.mark.parametrize(("b", "m", "n", "k"), [(2, 9, 21, 17), (1, 1, 5, 40), (3, 4, 1, 1)])
def test_contract(b: int, m: int, n: int, k: int, dtype: Any, target: str) -> None:
    x, y = make([b, m, k], dtype), make([b, k, n], dtype, 1)
    t = from_numpy(dtype)
    maps = tuple(AffineMap.select(4, p) for p in ((0, 1, 3), (0, 3, 2), (0, 1, 2)))

    def build(d: Dispatch) -> Sequence[Value]:
        zero = d.fill(0.0 if t.is_float else 0, (b, m, n), t)
        return [d.b.insert(ContractOp(d.loads[0], d.loads[1], zero, maps)).result]

    (r,) = run([x, y], [((b, m, n), dtype)], build, target)
    want = np.einsum("bmk,bkn->bmn", x.astype(np.float64), y.astype(np.float64))
    if t.is_float:
        narrow = t.bits < 32
        np.testing.assert_allclose(
            r.astype(np.float64), want, rtol=2e-2 if narrow else 1e-4, atol=2 if narrow else 2e-3
        )
    else:
        np.testing.assert_array_equal(r, want.astype(np.int64).astype(dtype))


@pytest.mark.parametrize("groups", [1, 3])
def test_convolution(groups: int, target: str) -> None:
    x, w = make([2, 9, 8, 4 * groups], np.float32), make([3, 3, 4, 6 * groups], np.float32, 1)
    shape = (2, 4, 6, 6 * groups)

    def build(d: Dispatch) -> Sequence[Value]:
        return [d.b.insert(ConvOp(d.loads[0], d.loads[1], d.fill(0.0, shape, F32), (2, 1), (1, 1), groups)).result]

    (r,) = run([x, w], [(shape, np.float32)], build, target)
    want = np.zeros(shape)
    for i in range(3):
        for j in range(3):
            part = x[:, i : i + 7 : 2, j : j + 6, :].astype(np.float64)
            for g in range(groups):
                a, f = slice(4 * g, 4 * g + 4), slice(6 * g, 6 * g + 6)
                want[..., f] += part[..., a] @ w[i, j, :, f].astype(np.float64)
    np.testing.assert_allclose(r, want, rtol=1e-4, atol=1e-3)
