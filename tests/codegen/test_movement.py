"""pad, concat, insert_slice and extract_slice against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.codegen.harness import Dispatch, run

from tesselle.dialects.core.tensor import ConcatOp, ExtractSliceOp, InsertSliceOp, PadOp
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import from_numpy

ELEMENTS: tuple[Any, ...] = (np.float32, np.int8, np.complex64)
Shape = tuple[int, ...]

pytestmark = [pytest.mark.parametrize("target", ["host", "generic"]), pytest.mark.parametrize("dtype", ELEMENTS)]


def make(shape: Sequence[int], dtype: Any, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=tuple(shape)) * 5).astype(dtype)


PADS: list[tuple[Shape, Shape, Shape]] = [
    ((3, 4), (1, 2), (0, 5)),
    ((2, 5, 6, 7), (0, 1, 1, 0), (0, 1, 2, 0)),
    ((100,), (7,), (3,)),
    ((0, 3), (2, 0), (1, 0)),
    ((4, 4), (0, 0), (0, 0)),
    ((300, 70), (1, 1), (1, 1)),
    ((3, 0), (1, 1), (1, 1)),
    ((40000,), (1,), (40000,)),
]


@pytest.mark.parametrize(("shape", "low", "high"), PADS)
def test_pad(shape: Shape, low: Shape, high: Shape, dtype: Any, target: str) -> None:
    x, t = make(shape, dtype), from_numpy(dtype)
    size = tuple(s + a + b for s, a, b in zip(shape, low, high, strict=True))

    def build(d: Dispatch) -> Sequence[Value]:
        value = d.constant(np.asarray(3).astype(dtype).item(), t)
        return [d.b.insert(PadOp(d.loads[0], value, [], [], low, high, TensorType(size, t))).result]

    (r,) = run([x], [(size, dtype)], build, target)
    np.testing.assert_array_equal(r, np.pad(x, list(zip(low, high, strict=True)), constant_values=3))


@pytest.mark.parametrize(
    ("shapes", "axis"),
    [
        (((3, 4), (3, 5)), 1),
        (((3, 4), (6, 4), (0, 4)), 0),
        (((2, 3, 40), (2, 1, 40)), 1),
        (((70000,), (5,)), 0),
        (((6,),), 0),
    ],
)
def test_concat(shapes: tuple[Shape, ...], axis: int, dtype: Any, target: str) -> None:
    xs = [make(s, dtype, i) for i, s in enumerate(shapes)]
    want = np.concatenate(xs, axis)
    (r,) = run(xs, [(want.shape, dtype)], lambda d: [d.b.insert(ConcatOp(d.loads, axis)).result], target)
    np.testing.assert_array_equal(r, want)


SLICES: list[tuple[Shape, Shape, Shape, Shape]] = [
    ((9, 20), (3, 7), (2, 5), (1, 1)),
    ((9, 40), (3, 7), (0, 3), (3, 5)),
    ((5, 6, 7), (5, 1, 7), (0, 3, 0), (1, 1, 1)),
    ((50,), (50,), (0,), (1,)),
    ((4, 3000), (2, 1400), (1, 5), (2, 2)),
]


def places(size: Shape, offset: Shape, step: Shape) -> tuple[slice, ...]:
    return tuple(slice(o, o + (n - 1) * s + 1, s) for n, o, s in zip(size, offset, step, strict=True))


@pytest.mark.parametrize(("shape", "size", "offset", "step"), SLICES)
def test_insert_slice(shape: Shape, size: Shape, offset: Shape, step: Shape, dtype: Any, target: str) -> None:
    """Only the slice of the tied operand is written."""
    x, y = make(shape, dtype), make(size, dtype, 1)
    want = x.copy()
    want[places(size, offset, step)] = y

    def build(d: Dispatch) -> Sequence[Value]:
        return [d.b.insert(InsertSliceOp.of(d.loads[0], d.loads[1], offset, size, step)).result]

    (r,) = run([y, x], [], build, target, tied=[1])
    np.testing.assert_array_equal(r, want)


@pytest.mark.parametrize(("shape", "size", "offset", "step"), SLICES)
def test_extract_slice(shape: Shape, size: Shape, offset: Shape, step: Shape, dtype: Any, target: str) -> None:
    x = make(shape, dtype)

    def build(d: Dispatch) -> Sequence[Value]:
        return [d.b.insert(ExtractSliceOp.of(d.loads[0], offset, size, step)).result]

    (r,) = run([x], [(size, dtype)], build, target)
    np.testing.assert_array_equal(r, x[places(size, offset, step)])


def test_untied_insert_slice(dtype: Any, target: str) -> None:
    """The whole of the destination is written when it is no operand that is updated."""
    x, y = make([9, 33], dtype), make([4, 5], dtype, 1)
    want = x.copy()
    want[2:6, 10:15] = y

    def build(d: Dispatch) -> Sequence[Value]:
        return [d.b.insert(InsertSliceOp.of(d.loads[0], d.loads[1], (2, 10), (4, 5))).result]

    (r,) = run([y, x], [((9, 33), dtype)], build, target)
    np.testing.assert_array_equal(r, want)
