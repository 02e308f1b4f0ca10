"""Convolutions against a sum over the window in NumPy (f64): strides, dilations, groups, depthwise, packed filters,
epilogues.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from contraction_harness import Array, Compiled, compile_dispatch
from random_sizes import combinations
from test_contraction import add, fill, generic, random, relu, tolerance

from tesselle.codegen.common.convolution import ConvolutionStrategy
from tesselle.dialects.core import arith
from tesselle.dialects.linalg.ops import ConvOp
from tesselle.dialects.linalg.packed import PackedConvOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.pack_constants import pack
from tesselle.support.dtypes import F32, F64, DType


@dataclass(frozen=True)
class Case:
    """`image`: [N, spatial…, C], padded; `window`: [window…]; `features`: F."""

    image: tuple[int, ...]
    window: tuple[int, ...]
    features: int
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    groups: int = 1

    @property
    def spatial(self) -> int:
        return len(self.window)

    def steps(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        ones = (1,) * self.spatial
        return self.strides or ones, self.dilations or ones

    @property
    def out_shape(self) -> tuple[int, ...]:
        strides, dilations = self.steps()
        spans = [(w - 1) * d + 1 for w, d in zip(self.window, dilations, strict=True)]
        pixels = [(x - s) // t + 1 for x, s, t in zip(self.image[1:-1], spans, strides, strict=True)]
        return (self.image[0], *pixels, self.features)

    @property
    def filter_shape(self) -> tuple[int, ...]:
        return (*self.window, self.image[-1] // self.groups, self.features)

    def __str__(self) -> str:
        return f"{self.image}*{self.window}->{self.features}s{self.strides}d{self.dilations}g{self.groups}".replace(
            " ", ""
        )


def reference(case: Case, image: Array, filter: Array) -> Array:
    strides, dilations = case.steps()
    out = np.zeros(case.out_shape)
    channels, features = case.image[-1] // case.groups, case.features // case.groups
    pixels = case.out_shape[1:-1]
    for at in itertools.product(*map(range, case.window)):
        window = tuple(
            slice(w * d, w * d + (x - 1) * s + 1, s) for w, d, x, s in zip(at, dilations, pixels, strides, strict=True)
        )
        part = image[(slice(None), *window)].astype(np.float64)
        for g in range(case.groups):
            left = part[..., g * channels : (g + 1) * channels]
            out[..., g * features : (g + 1) * features] += left @ filter[at][:, g * features : (g + 1) * features]
    return out


CASES = [
    Case((1, 10, 12, 8), (3, 3), 16),
    Case((2, 9, 9, 3), (3, 3), 20, (2, 2)),
    Case((1, 15, 15, 5), (3, 2), 7, (1, 2), (2, 3)),
    Case((2, 7, 7, 32), (1, 1), 24),
    Case((2, 7, 8, 32), (1, 1), 24, (2, 2)),
    Case((1, 20, 20, 70), (3, 3), 33),
    Case((1, 8, 8, 200), (3, 3), 16),
    Case((1, 6, 6, 900), (2, 2), 16),
    Case((3, 50, 4), (5,), 12, (3,)),
    Case((1, 6, 7, 8, 4), (2, 3, 2), 10),
    Case((1, 9, 9, 12), (3, 3), 18, groups=3),
    Case((1, 9, 9, 32), (3, 3), 64, groups=2),
    Case((1, 9, 10, 24), (3, 3), 24, groups=24),
    Case((2, 13, 11, 37), (3, 3), 37, (2, 2), groups=37),
    Case((1, 9, 10, 5), (3, 3), 10, groups=5),
    Case((1, 3, 3, 4), (3, 3), 1),
]


def compile_conv(
    case: Case, packed: bool, dtype: DType, target: str, dynamic: bool = False
) -> tuple[Compiled, Array, Array]:
    """A convolution alone; the filter, and the filter as the kernel reads it. `dynamic`: for every size of images."""
    filter = random(case.filter_shape, dtype, f"f{case}")
    strides, dilations = case.steps()
    weights = filter
    if packed:
        depth = math.prod(case.filter_shape[:-1])
        split = filter.reshape(depth, case.groups, case.features // case.groups).transpose(1, 0, 2)
        weights = pack(split, 64 // dtype.size_bytes, (case.groups,)).copy()

    def hide(shape: tuple[int, ...]) -> tuple[int | None, ...]:
        return (*(None for _ in shape[:-1]), shape[-1]) if dynamic else shape

    inputs = [TensorType(hide(case.image), dtype), TensorType(weights.shape, dtype)]
    output = TensorType(hide(case.out_shape), dtype)

    def body(b: Builder, t: Sequence[Value], dims: Sequence[Value]) -> Sequence[Value]:
        init = fill(b, output, dims[len(dims) // 2 :])
        if packed:
            op = PackedConvOp(t[0], t[1], init, strides, dilations, case.window, case.features, case.groups)
        else:
            op = ConvOp(t[0], t[1], init, strides, dilations, case.groups)
        return [b.insert(op).result]

    return compile_dispatch(inputs, [output], body, target, [ConvolutionStrategy()]), filter, weights


def call_and_check(case: Case, kernel: tuple[Compiled, Array, Array], dtype: DType) -> None:
    run, filter, weights = kernel
    image = random(case.image, dtype, f"i{case}")
    result = np.full(case.out_shape, np.nan, dtype.numpy)
    run(image, weights, result)
    check(case, image, filter, result, dtype)


def check(case: Case, image: Array, filter: Array, result: Array, dtype: DType) -> None:
    depth = math.prod(case.filter_shape[:-1])
    scale = reference(case, np.abs(image), np.abs(filter)) / math.sqrt(depth) + 1.0
    np.testing.assert_array_less(np.abs(result - reference(case, image, filter)) / scale, tolerance(dtype, depth))


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution(case: Case, packed: bool, target: str) -> None:
    call_and_check(case, compile_conv(case, packed, F32, target), F32)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_dynamic_images(case: Case, packed: bool) -> None:
    """One kernel for images of 200 sizes. The smallest are those of which one pixel less than a window is there."""
    kernel = compile_conv(case, packed, F32, "host", dynamic=True)
    call_and_check(case, kernel, F32)
    names = "nxyz"[: 1 + case.spatial]
    _, dilations = case.steps()
    least = {name: (w - 1) * d for name, w, d in zip(names[1:], case.window, dilations, strict=True)}
    for sizes in combinations(names, least, legal=lambda v: math.prod(v.values()) * case.image[-1] <= 50_000):
        call_and_check(replace(case, image=(*sizes.values(), case.image[-1])), kernel, F32)


@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_double_precision(case: Case) -> None:
    call_and_check(case, compile_conv(case, True, F64, "host"), F64)


@pytest.mark.parametrize("groups", [1, 16, 4])
def test_epilogue(groups: int) -> None:
    """max(conv * scale[f] + shift[f], 0) + residual."""
    case = Case((2, 8, 9, 16), (3, 3), 16, groups=groups)
    image, filter = random(case.image, F32, "i"), random(case.filter_shape, F32, "f")
    scale, shift, residual = (random(s, F32, n) for s, n in (((16,), "a"), ((16,), "b"), (case.out_shape, "c")))
    out = TensorType(case.out_shape, F32)
    along = AffineMap.select(4, [3])

    def body(b: Builder, t: Sequence[Value], dims: Sequence[Value]) -> Sequence[Value]:
        conv = b.insert(ConvOp(t[0], t[1], fill(b, out, ()), (1, 1), (1, 1), groups)).result
        inputs = [(conv, AffineMap.identity(4)), (t[2], along), (t[3], along), (t[4], AffineMap.identity(4))]
        return [
            generic(
                b,
                inputs,
                out,
                (),
                lambda b, v: add(b, relu(b, add(b, b.insert(arith.MulFOp(v[0], v[1])).result, v[2])), v[3]),
            )
        ]

    arrays = [image, filter, scale, shift, residual]
    result = np.full(case.out_shape, np.nan, np.float32)
    run = compile_dispatch([TensorType(a.shape, F32) for a in arrays], [out], body, "host", [ConvolutionStrategy()])
    run(*arrays, result)
    expected = np.maximum(reference(case, image, filter) * scale + shift, 0) + residual
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
