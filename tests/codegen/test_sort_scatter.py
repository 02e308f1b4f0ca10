"""linalg.sort and linalg.scatter against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.codegen.harness import Dispatch, run

from tesselle.dialects.core import arith
from tesselle.dialects.linalg.ops import ScatterOp, SortOp, YieldOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.support.dtypes import F32, I32, from_numpy

pytestmark = pytest.mark.parametrize("target", ["host", "generic"])


def make(shape: Sequence[int], dtype: Any, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=tuple(shape)) * 20).astype(dtype)


def less(b: Builder, x: Value, y: Value) -> Value:
    t = x.type
    if t in (F32, from_numpy(np.float64)):
        return b.insert(arith.CmpFOp(arith.CmpFPredicate.OLT, x, y)).result
    return b.insert(arith.CmpIOp(arith.CmpIPredicate.SLT, x, y)).result


def sort(d: Dispatch, inputs: Sequence[Value], axis: int) -> Sequence[Value]:
    """By the first operand."""
    types = [t for v in inputs for t in (v.type.dtype, v.type.dtype)]
    block = Block(types)
    b = Builder.at_end(block)
    b.insert(YieldOp([less(b, block.args[0], block.args[1])]))
    return d.b.insert(SortOp(inputs, axis, Region([block]))).results


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((0,), 0),
        ((1,), 0),
        ((2,), 0),
        ((7,), 0),
        ((8,), 0),
        ((9,), 0),
        ((1000,), 0),
        ((33, 4), 0),
        ((5, 33), 1),
        ((2, 70, 3), 1),
    ],
)
def test_sort(shape: tuple[int, ...], axis: int, dtype: Any, target: str) -> None:
    x = make(shape, dtype)
    (r,) = run([x], [(shape, dtype)], lambda d: sort(d, d.loads, axis), target)
    np.testing.assert_array_equal(r, np.sort(x, axis))


@pytest.mark.parametrize("n", [5, 8, 100, 2500])
def test_sort_is_stable(n: int, target: str) -> None:
    """Equal keys keep the order of what travels with them."""
    keys = np.random.default_rng(n).integers(0, 5, n).astype(np.int32)
    values = np.arange(n, dtype=np.float32)
    a, b = run([keys, values], [((n,), np.int32), ((n,), np.float32)], lambda d: sort(d, d.loads, 0), target)
    order = np.argsort(keys, kind="stable")
    np.testing.assert_array_equal(a, keys[order])
    np.testing.assert_array_equal(b, values[order])


def scatter(d: Dispatch, out: Value, index_dims: Sequence[int], inserted: Sequence[int], op: str) -> Sequence[Value]:
    t = out.type.dtype
    block = Block([t, t])
    b = Builder.at_end(block)
    old, new = block.args
    add = arith.AddFOp if t.is_float else arith.AddIOp
    b.insert(YieldOp([b.insert(add(old, new)).result if op == "add" else new]))
    updates, indices = d.loads[:2]
    region = Region([block])
    return d.b.insert(ScatterOp([updates], indices, [out], tuple(index_dims), tuple(inserted), region)).results


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_scatter_elements(dtype: Any, target: str) -> None:
    """Places that repeat, and some outside of the result, which are skipped."""
    rng = np.random.default_rng(0)
    x, updates = make([9, 11], dtype), make([40], dtype, 1)
    places = np.stack([rng.integers(-1, 10, 40), rng.integers(-2, 12, 40)], 1).astype(np.int32)
    want = x.copy()
    for (i, j), u in zip(places, updates, strict=True):
        if 0 <= i < 9 and 0 <= j < 11:
            want[i, j] += u
    (r,) = run([updates, places, x], [], lambda d: scatter(d, d.loads[2], (0, 1), (0, 1), "add"), target, tied=[2])
    np.testing.assert_array_equal(r, want)


@pytest.mark.parametrize("columns", [1, 37, 5000])
@pytest.mark.parametrize("op", ["add", "set"])
def test_scatter_rows(columns: int, op: str, target: str) -> None:
    rng = np.random.default_rng(0)
    x, updates = make([7, columns], np.float32), make([20, columns], np.float32, 1)
    places = rng.integers(0, 8, (20, 1)).astype(np.int64)
    want = x.copy()
    for (i,), u in zip(places, updates, strict=True):
        if i < 7:
            want[i] = want[i] + u if op == "add" else u
    (r,) = run([updates, places, x], [], lambda d: scatter(d, d.loads[2], (0,), (0,), op), target, tied=[2])
    np.testing.assert_array_equal(r, want)


def test_scatter_windows(target: str) -> None:
    """Windows of two rows and three columns at computed corners; of those that stick out, the elements inside count."""
    rng = np.random.default_rng(0)
    x, updates = make([6, 8], np.float32), make([9, 2, 3], np.float32, 1)
    places = np.array([[0, 0], [4, 5], [5, 0], [1, 6], [2, 2], [-1, -2], [-2, 0], [7, 3], [3, 2**31 - 1]], np.int32)
    rng.shuffle(places)
    want = x.copy()
    for (i, j), u in zip(places, updates, strict=True):
        for (a, c), element in np.ndenumerate(u):
            if 0 <= int(i) + a < 6 and 0 <= int(j) + c < 8:
                want[i + a, j + c] += element
    (r,) = run([updates, places, x], [], lambda d: scatter(d, d.loads[2], (0, 1), (), "add"), target, tied=[2])
    np.testing.assert_array_equal(r, want)


def test_scatter_into_zeros(target: str) -> None:
    """A destination that the dispatch makes itself."""
    updates, places = make([10, 4], np.float32), np.arange(10, dtype=np.int32)[:, None] // 2
    want = np.zeros((6, 4), np.float32)
    np.add.at(want, places[:, 0], updates)

    def build(d: Dispatch) -> Sequence[Value]:
        return scatter(d, d.fill(0.0, (6, 4), F32), (0,), (0,), "add")

    (r,) = run([updates, places], [((6, 4), np.float32)], build, target)
    np.testing.assert_allclose(r, want, rtol=1e-6)
    assert from_numpy(places.dtype) == I32
