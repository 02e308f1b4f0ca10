"""Dynamic dimensions: one kernel for all sizes, which come as push constants; grids from the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from random_sizes import combinations
from tests.codegen.harness import Compiled, Dispatch, check_guard, compile_dispatch, guarded
from tests.codegen.test_generic import binary, emit, make, softmax
from tests.codegen.test_sort_scatter import sort as sort_by_first

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common import sort
from tesselle.dialects.core import arith, memref, scf, tensor, vector
from tesselle.dialects.core.tensor import ConcatOp, ExtractSliceOp, InsertSliceOp, PadOp
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import F32, I8, I32, INDEX

MATRICES = [(v["m"], v["n"]) for v in combinations("mn")]
"""200 shapes; every test calls its kernel for some that are larger too."""

ROWS = [v["n"] for v in combinations("n")]

pytestmark = pytest.mark.parametrize("target", ["host", "generic"])
D = None


def call(
    kernel: Compiled, arrays: Sequence[np.ndarray], outputs: Sequence[tuple[Sequence[int], Any]], push: Sequence[int]
) -> list[np.ndarray]:
    results = [guarded(np.full(s, 77).astype(d)) for s, d in outputs]
    kernel([guarded(a) for a in arrays], results, push)
    for r in results:
        check_guard(r)
    return results


def test_elementwise(target: str) -> None:
    t = TensorType((D, D), F32)

    def build(d: Dispatch) -> Sequence[Value]:
        return [d.elementwise(d.loads, d.empty(d.push, F32), binary(arith.AddFOp))]

    kernel = compile_dispatch([t, t], [t], build, target, [INDEX, INDEX], [(0, 1)] * 3)
    for m, n in (*MATRICES, (64, 64), (7, 1001), (200, 33)):
        x, y = make([m, n], np.float32), make([m, n], np.float32, 1)
        (r,) = call(kernel, [x, y], [((m, n), np.float32)], [m, n])
        np.testing.assert_array_equal(r, x + y)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [F32, I8])
def test_reduce(axis: int, dtype: Any, target: str) -> None:
    add = arith.AddFOp if dtype is F32 else arith.AddIOp

    def build(d: Dispatch) -> Sequence[Value]:
        init = d.fill(0.0 if dtype is F32 else 0, [d.push[1 - axis]], dtype)
        return d.generic(d.loads, [init], [(0, 1), (1 - axis,)], "rp" if axis == 0 else "pr", binary(add))

    kernel = compile_dispatch(
        [TensorType((D, D), dtype)], [TensorType((D,), dtype)], build, target, [INDEX, INDEX], [(0, 1), (1 - axis,)]
    )
    for m, n in (*MATRICES, (65, 130), (7, 2001), (300, 33)):
        x = make([m, n], dtype.numpy)
        (r,) = call(kernel, [x], [((x.shape[1 - axis],), dtype.numpy)], [m, n])
        np.testing.assert_allclose(r, x.sum(axis, dtype=dtype.numpy), rtol=1e-5, atol=1e-3)


def test_softmax_rows(target: str) -> None:
    """Rows of unknown length: the exponentials lie in the output."""
    t = TensorType((D, D), F32)
    kernel = compile_dispatch([t], [t], lambda d: softmax(d, *d.push), target, [INDEX, INDEX], [(0, 1)] * 2)
    for m, n in (*MATRICES, (65, 130), (2, 70001)):
        x = make([m, n], np.float32)
        (r,) = call(kernel, [x], [((m, n), np.float32)], [m, n])
        e = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
        np.testing.assert_allclose(r, e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7)


def test_batch_of_static_rows(target: str) -> None:
    t = TensorType((D, 48), F32)
    kernel = compile_dispatch([t], [t], lambda d: softmax(d, d.push[0], 48), target, [INDEX], [(0, None)] * 2)
    for m in (*ROWS, 1000):
        x = make([m, 48], np.float32)
        (r,) = call(kernel, [x], [((m, 48), np.float32)], [m])
        e = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
        np.testing.assert_allclose(r, e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7)


def test_recomputed_producer(target: str) -> None:
    """An elementwise intermediate of unknown row length, read by two reductions, is computed twice."""

    def build(d: Dispatch) -> Sequence[Value]:
        m, n = d.push
        y = d.elementwise([d.loads[0], d.loads[0]], d.empty([m, n], F32), binary(arith.MulFOp))
        sums = d.generic([y], [d.fill(0.0, [m], F32)], [(0, 1), (0,)], "pr", binary(arith.AddFOp))[0]
        tops = d.generic([y], [d.fill(0.0, [m], F32)], [(0, 1), (0,)], "pr", binary(arith.MaximumFOp))[0]
        return [sums, tops]

    t, row = TensorType((D, D), F32), TensorType((D,), F32)
    kernel = compile_dispatch([t], [row, row], build, target, [INDEX, INDEX], [(0, 1), (0,), (0,)])
    for m, n in (*MATRICES, (9, 130)):
        x = make([m, n], np.float32)
        sums, tops = call(kernel, [x], [((m,), np.float32)] * 2, [m, n])
        np.testing.assert_allclose(sums, (x * x).sum(1), rtol=1e-5)
        # The maximum begins at the 0 that the output is filled with.
        np.testing.assert_array_equal(tops, (x * x).max(1, initial=0))


def test_transpose(target: str) -> None:
    def build(d: Dispatch) -> Sequence[Value]:
        out = d.empty([d.push[1], d.push[0]], F32)
        return d.generic(d.loads, [out], [(1, 0), (0, 1)], "pp", lambda c, a: [a[0]])

    t = TensorType((D, D), F32)
    kernel = compile_dispatch([t], [t], build, target, [INDEX, INDEX], [(0, 1), (1, 0)])
    for m, n in (*MATRICES, (33, 70), (64, 64), (130, 100)):
        x = make([m, n], np.float32)
        (r,) = call(kernel, [x], [((n, m), np.float32)], [m, n])
        np.testing.assert_array_equal(r, x.T)


def test_slice_at_a_computed_place(target: str) -> None:
    """The start is read from a tensor in the kernel and clamped there."""

    def build(d: Dispatch) -> Sequence[Value]:
        start = emit(d.b, arith.IndexCastOp, emit(d.b, tensor.ExtractOp, d.loads[1], []), INDEX)
        start = emit(d.b, arith.MaxSIOp, emit(d.b, arith.MinSIOp, start, d.index(40)), d.index(0))
        return [d.b.insert(ExtractSliceOp.of(d.loads[0], [start, 0], [10, 33])).result]

    kernel = compile_dispatch(
        [TensorType((50, 33), F32), TensorType((), I32)], [TensorType((10, 33), F32)], build, target
    )
    x = make([50, 33], np.float32)
    for at in range(-100, 100):
        (r,) = call(kernel, [x, np.asarray(at, np.int32)], [((10, 33), np.float32)], [])
        start = min(max(at, 0), 40)
        np.testing.assert_array_equal(r, x[start : start + 10])


def test_insert_row_at_a_push_constant(target: str) -> None:
    def build(d: Dispatch) -> Sequence[Value]:
        return [d.b.insert(InsertSliceOp.of(d.loads[0], d.loads[1], [d.push[0], 0], [1, 65])).result]

    kernel = compile_dispatch(
        [TensorType((1, 65), F32), TensorType((20, 65), F32)], [], build, target, [INDEX], tied=[1]
    )
    x, row = make([20, 65], np.float32), make([1, 65], np.float32, 1)
    for at in range(20):  # there are no more
        place = guarded(x)
        kernel([row, place], [], [at])
        want = x.copy()
        want[at] = row
        np.testing.assert_array_equal(place, want)
        check_guard(place)


def test_pad(target: str) -> None:
    def build(d: Dispatch) -> Sequence[Value]:
        out = TensorType((D, D), F32)
        value = d.constant(0.0, F32)
        return [d.b.insert(PadOp(d.loads[0], value, [], [d.push[2]], (1, 0), (2, None), out)).result]

    t = TensorType((D, D), F32)
    pushes = [INDEX] * 5
    kernel = compile_dispatch([t], [t], build, target, pushes, [(0, 1), (3, 4)])
    sizes = [(v["m"], v["n"], v["h"]) for v in combinations("mnh")]
    for m, n, high in (*sizes, (40, 33, 100)):
        x = make([m, n], np.float32)
        shape = (m + 3, n + high)
        (r,) = call(kernel, [x], [(shape, np.float32)], [m, n, high, *shape])
        np.testing.assert_array_equal(r, np.pad(x, ((1, 2), (0, high))))


@pytest.mark.parametrize("chunk_bytes", [sort.CHUNK_BYTES, 400])
def test_sort(chunk_bytes: int, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of any length, in chunks of a length that is known; stable."""
    monkeypatch.setattr(sort, "CHUNK_BYTES", chunk_bytes)
    keys, values = TensorType((D,), I32), TensorType((D,), F32)
    kernel = compile_dispatch(
        [keys, values], [keys, values], lambda d: sort_by_first(d, d.loads, 0), target, [INDEX], [(0,)] * 4
    )
    for n in (*ROWS, 1000):
        k = np.random.default_rng(n).integers(0, 30, n).astype(np.int32)
        v = np.arange(n, dtype=np.float32)
        a, b = call(kernel, [k, v], [((n,), np.int32), ((n,), np.float32)], [n])
        order = np.argsort(k, kind="stable")
        np.testing.assert_array_equal(a, k[order])
        np.testing.assert_array_equal(b, v[order])


def test_concat(target: str) -> None:
    a, b, c = TensorType((3, D), F32), TensorType((3, 5), F32), TensorType((3, D), F32)
    kernel = compile_dispatch(
        [a, b],
        [c],
        lambda d: [d.b.insert(ConcatOp(d.loads, 1)).result],
        target,
        [INDEX, INDEX],
        [(None, 0), (None, None), (None, 1)],
    )
    for n in (*ROWS, 3000):
        x, y = make([3, n], np.float32), make([3, 5], np.float32, 1)
        (r,) = call(kernel, [x, y], [((3, n + 5), np.float32)], [n, n + 5])
        np.testing.assert_array_equal(r, np.concatenate([x, y], 1))


def test_no_scalar_code_in_the_inner_loop(target: str) -> None:
    """The loop along a contiguous dimension loads vectors; scalars appear in tails at most."""
    del target
    t = TensorType((4096,), F32)
    kernel = compile_dispatch(
        [t, t], [t], lambda d: [d.elementwise(d.loads, d.empty((4096,), F32), binary(arith.AddFOp))]
    )
    assert not [op for op in kernel.executable.walk() if isinstance(op, memref.LoadOp)]


@pytest.mark.parametrize("multiples", [(), (1, 64)], ids=["any", "multiple-of-64"])
def test_no_masks_where_nothing_is_left_over(multiples: tuple[int, ...], target: str) -> None:
    """Rows that are known to be multiples of all vectors have no tails."""
    t = TensorType((D, D), F32)
    kernel = compile_dispatch(
        [t], [t], lambda d: softmax(d, *d.push), target, [INDEX, INDEX], [(0, 1)] * 2, multiples=multiples
    )
    loops = [op for op in kernel.executable.walk() if isinstance(op, scf.ForOp)]
    along_rows = [op for op in loops if not any(isinstance(o, scf.ForOp) for o in op.body.walk())]
    tails = [op for op in kernel.executable.walk() if isinstance(op, vector.CreateMaskOp)]
    single = [op for op in along_rows if ix.known(op.step) == 1]
    # Of what is kept for each row (maxima, sums) there may be any number.
    assert bool(multiples) == (len(tails) + len(single) <= 4)
    step = 64 if multiples else 1
    for m, n in (*((m, n * step) for m, n in MATRICES), (9, 1024)):
        x = make([m, n], np.float32)
        (r,) = call(kernel, [x], [((m, n), np.float32)], [m, n])
        e = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
        np.testing.assert_allclose(r, e / e.sum(1, keepdims=True), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(64, 128), (3, 5)])
def test_wide_vectors_compile(shape: tuple[int, int], target: str) -> None:
    """Code for AVX-512, which need not run here."""
    del target
    t = TensorType(shape, F32)
    compile_dispatch([t], [t], lambda d: softmax(d, *shape), "x86-64-v4")
    small, out = TensorType(shape, I8), TensorType((shape[1], shape[0]), I8)
    compile_dispatch(
        [small],
        [out],
        lambda d: d.generic(d.loads, [d.empty((shape[1], shape[0]), I8)], [(1, 0), (0, 1)], "pp", lambda c, a: [a[0]]),
        "x86-64-v4",
    )
