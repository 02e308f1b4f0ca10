"""dot_general, dot and convolution on quantized tensors: static range, hybrid, per axis; and what is built on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.oracle.quantized.programs import Array, Quant, by_jaxlib, by_reference, check, compiled, function

A = Quant((0.5,), (3,))
W = Quant((0.25,), (0,))
W_AXIS = Quant((0.5, 0.25, 0.125, 1.0), (0, 0, 0, 0), 1)
OUT = Quant((64.0,), (-11,))
OUT_AXIS = Quant((64.0, 32.0, 16.0, 128.0), (-11, 0, 5, 3), 1)
DOT = "contracting_dims = [1] x [0]"


@pytest.mark.parametrize(("w", "out"), [(W, OUT), (W_AXIS, OUT), (W_AXIS, OUT_AXIS)], ids=["tensor", "axis", "axes"])
@pytest.mark.parametrize("operation", ["dot_general", "dot"])
def test_dot(w: Quant, out: Quant, operation: str, cache: Path) -> None:
    """Scales are powers of two, so that floats hold every partial sum exactly and its order does not matter."""
    x, y = A.sample(5, 40), w.sample(40, 4, seed=1)
    types = (A.tensor(5, 40), w.tensor(40, 4), out.tensor(5, 4))
    config = f", {DOT}" if operation == "dot_general" else ""
    body = f"  %r0 = stablehlo.{operation} %a, %b{config} : ({types[0]}, {types[1]}) -> {types[2]}"
    want = out.to_stored(A.to_float(x) @ w.to_float(y))
    assert len(np.unique(want)) > 5
    check(function(types[:2], types[2:], body), [x, y], [want], cache, jaxlib=operation == "dot_general")


@pytest.mark.parametrize("w", [W, W_AXIS, Quant((0.3, 0.7, 0.11, 0.9), (0, 0, 0, 0), 1)], ids=["tensor", "axis", "any"])
@pytest.mark.parametrize("expressed", ["f32", "f64"])
def test_hybrid_dot(w: Quant, expressed: str, cache: Path) -> None:
    """Floats by quantized weights give floats."""
    w = Quant(w.scales, w.zeros, w.axis, "i8", expressed)
    kind = np.float32 if expressed == "f32" else np.float64
    x, y = np.random.default_rng(0).normal(size=(5, 40)).astype(kind), w.sample(40, 4)
    types = (f"tensor<5x40x{expressed}>", w.tensor(40, 4), f"tensor<5x4x{expressed}>")
    body = f"  %r0 = stablehlo.dot_general %a, %b, {DOT} : ({types[0]}, {types[1]}) -> {types[2]}"
    want = (x.astype(np.float64) @ w.to_float(y).astype(np.float64)).astype(kind)
    text = function(types[:2], types[2:], body)
    ways = [by_reference(text, [x, y]), compiled(text, [x, y], cache)]
    if expressed == "f32":  # all that jaxlib's pass takes apart
        ways.append(by_jaxlib(text, [x, y]))
    for (found,) in ways:
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4)


def test_batched_dot(cache: Path) -> None:
    x, y = A.sample(3, 5, 8), W.sample(3, 8, 4, seed=1)
    types = (A.tensor(3, 5, 8), W.tensor(3, 8, 4), OUT.tensor(3, 5, 4))
    body = (
        "  %r0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1]"
        f" : ({types[0]}, {types[1]}) -> {types[2]}"
    )
    want = OUT.to_stored(A.to_float(x) @ W.to_float(y))
    check(function(types[:2], types[2:], body), [x, y], [want], cache)


def _convolved(x: Array, w: Array, stride: int, pad: int) -> Array:
    """NHWC by HWIO, in f64: zeros around, which stand for the zero point."""
    x = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    size = (x.shape[1] - w.shape[0]) // stride + 1
    out = np.zeros((x.shape[0], size, size, w.shape[3]))
    for i, j in np.ndindex(size, size):
        window = x[:, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        out[:, i, j] = np.tensordot(window, w.astype(np.float64), 3)
    return out


CONV = (
    '"stablehlo.convolution"(%a, %b) <{{batch_group_count = 1 : i64, feature_group_count = 1 : i64,'
    " dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,"
    " window_strides = array<i64: {stride}, {stride}>,"
    " padding = dense<{pad}> : tensor<2x2xi64>}}>"
)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("axis", [False, True])
def test_convolution(stride: int, pad: int, axis: bool, cache: Path) -> None:
    """The padding stands for the float 0, which is stored as the zero point."""
    w = Quant(W_AXIS.scales, W_AXIS.zeros, 3) if axis else W
    out = Quant(OUT_AXIS.scales, OUT_AXIS.zeros, 3) if axis else OUT
    x, y = A.sample(2, 7, 7, 3), w.sample(3, 3, 3, 4, seed=1)
    want = out.to_stored(_convolved(A.to_float(x), w.to_float(y), stride, pad).astype(np.float32))
    types = (A.tensor(*x.shape), w.tensor(*y.shape), out.tensor(*want.shape))
    body = f"  %r0 = {CONV.format(stride=stride, pad=pad)} : ({types[0]}, {types[1]}) -> {types[2]}"
    check(function(types[:2], types[2:], body), [x, y], [want], cache, jaxlib=False)


def test_hybrid_and_dynamic_convolution(cache: Path) -> None:
    w = Quant(W_AXIS.scales, W_AXIS.zeros, 3)
    x, y = np.random.default_rng(0).normal(size=(2, 7, 7, 3)).astype(np.float32), w.sample(3, 3, 3, 4)
    xq = A.sample(2, 7, 7, 3)
    want = _convolved(x, w.to_float(y), 1, 1).astype(np.float32)
    stored = OUT.to_stored(_convolved(A.to_float(xq), w.to_float(y), 1, 1).astype(np.float32))
    tx, tw, tf, tq = "tensor<2x7x7x3xf32>", w.tensor(*y.shape), "tensor<2x7x7x4xf32>", OUT.tensor(2, 7, 7, 4)
    dynamic = CONV.format(stride=1, pad=1).replace("convolution", "dynamic_conv")
    dynamic = dynamic.replace(", padding = dense<1> : tensor<2x2xi64>", "").replace("(%a, %b)", "(%c, %b, %p)")
    body = f"""
  %p = stablehlo.constant dense<1> : tensor<2x2xi32>
  %r0 = {CONV.format(stride=1, pad=1)} : ({tx}, {tw}) -> {tf}
  %r1 = {dynamic} : ({A.tensor(2, 7, 7, 3)}, {tw}, tensor<2x2xi32>) -> {tq}"""
    text = function([tx, tw, A.tensor(2, 7, 7, 3)], [tf, tq], body)
    for found in (by_reference(text, [x, y, xq]), compiled(text, [x, y, xq], cache)):
        np.testing.assert_allclose(found[0], want, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(found[1], stored)


def test_normalization(cache: Path) -> None:
    """batch_norm_inference: dequantize everything, normalize, quantize."""
    v = Quant((0.125,), (-20,))
    x, scale, offset, mean = A.sample(6, 3), *(v.sample(3, seed=i) for i in range(1, 4))
    variance = np.array([5, 60, 120], np.int8)
    tv = v.tensor(3)
    types = [A.tensor(6, 3), tv, tv, tv, tv]
    body = (
        '  %r0 = "stablehlo.batch_norm_inference"(%a, %b, %c, %d, %e)'
        " <{epsilon = 0.125 : f32, feature_index = 1 : i64}>"
        f" : ({', '.join(types)}) -> {A.tensor(6, 3)}"
    )
    fx, g, b, m, s = A.to_float(x), *(v.to_float(k) for k in (scale, offset, mean, variance))
    want = A.to_stored(((fx - m) / np.sqrt(s + np.float32(0.125)) * g + b).astype(np.float32))
    arrays = [x, scale, offset, mean, variance]
    check(function(types, [A.tensor(6, 3)], body), arrays, [want], cache, jaxlib=False, steps=1)


def test_network_of_quantized_layers(cache: Path) -> None:
    """Two layers with bias and relu, as post-training quantization writes them: nothing is rounded in between."""
    bias = Quant((0.125,), (0,), None, "i32")
    hidden = Quant((2.0,), (-128,))
    wide = Quant((0.125,), (0,), None, "i32")
    x, w1, w2 = A.sample(4, 16), W.sample(16, 8, seed=1), W.sample(8, 3, seed=2)
    b1 = np.random.default_rng(3).integers(-1000, 1000, (4, 8)).astype(np.int32)
    body = f"""
  %0 = stablehlo.dot_general %a, %b, {DOT} : ({A.tensor(4, 16)}, {W.tensor(16, 8)}) -> {wide.tensor(4, 8)}
  %1 = stablehlo.add %0, %c : ({wide.tensor(4, 8)}, {bias.tensor(4, 8)}) -> {wide.tensor(4, 8)}
  %2 = stablehlo.uniform_quantize %1 : ({wide.tensor(4, 8)}) -> {hidden.tensor(4, 8)}
  %z = "stablehlo.constant"() <{{value = dense<-128> : tensor<4x8xi8>}}> : () -> {hidden.tensor(4, 8)}
  %3 = stablehlo.maximum %2, %z : {hidden.tensor(4, 8)}
  %4 = stablehlo.dot_general %3, %d, {DOT} : ({hidden.tensor(4, 8)}, {W.tensor(8, 3)}) -> {OUT.tensor(4, 3)}
  %r0 = stablehlo.uniform_dequantize %4 : ({OUT.tensor(4, 3)}) -> tensor<4x3xf32>"""
    types = [A.tensor(4, 16), W.tensor(16, 8), bias.tensor(4, 8), W.tensor(8, 3)]
    h = hidden.to_stored(
        wide.to_float(wide.to_stored(wide.to_float(wide.to_stored(A.to_float(x) @ W.to_float(w1))) + bias.to_float(b1)))
    )
    want = OUT.to_float(OUT.to_stored(np.maximum(hidden.to_float(h), 0) @ W.to_float(w2)))
    check(function(types, ["tensor<4x3xf32>"], body), [x, w1, b1, w2], [want], cache)
