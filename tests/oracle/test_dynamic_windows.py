# ruff: noqa: E501  (programs are quoted as people write them)
"""Windows whose sizes, strides, dilations and padding are arguments, beside XLA's windows of the same sizes."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from oracle_harness import assert_close
from random_sizes import combinations
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.runtime import load
from tesselle.support.diagnostics import Unsupported

CALL = """stablehlo.custom_call @stablehlo.dynamic_reduce_window(OPERANDS, %w, %s, %b, %d, %p) {called_computations = [@body]}"""

VECTORS = "tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2x2xi32>"
PARAMETERS = "%w: tensor<2xi32>, %s: tensor<2xi32>, %b: tensor<2xi32>, %d: tensor<2xi32>, %p: tensor<2x2xi32>"

SUM = f"""
func.func private @body(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {{
  %0 = stablehlo.add %x, %y : tensor<f32>
  return %0 : tensor<f32>
}}
func.func @main(%x: tensor<?x?xf32>, {PARAMETERS}) -> tensor<?x?xf32> {{
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %r = {CALL.replace("OPERANDS", "%x, %z")} : (tensor<?x?xf32>, tensor<f32>, {VECTORS}) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}}"""

BEST = f"""
func.func private @body(%x: tensor<f32>, %i: tensor<i32>, %y: tensor<f32>, %j: tensor<i32>) -> (tensor<f32>, tensor<i32>) {{
  %c = stablehlo.compare GE, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %0 = stablehlo.select %c, %x, %y : tensor<i1>, tensor<f32>
  %1 = stablehlo.select %c, %i, %j : tensor<i1>, tensor<i32>
  return %0, %1 : tensor<f32>, tensor<i32>
}}
func.func @main(%x: tensor<?x?xf32>, %i: tensor<?x?xi32>, {PARAMETERS}) -> (tensor<?x?xf32>, tensor<?x?xi32>) {{
  %z = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %m = stablehlo.constant dense<-1> : tensor<i32>
  %r:2 = {CALL.replace("OPERANDS", "%x, %i, %z, %m")} : (tensor<?x?xf32>, tensor<?x?xi32>, tensor<f32>, tensor<i32>, {VECTORS}) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  return %r#0, %r#1 : tensor<?x?xf32>, tensor<?x?xi32>
}}"""

Array = np.ndarray[Any, Any]

WINDOWS = [
    # window, strides, base dilations, window dilations, padding
    ((1, 1), (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((5, 1), (1, 1), (1, 1), (1, 1), ((4, 0), (0, 0))),
    ((1, 4), (1, 1), (1, 1), (1, 1), ((0, 0), (0, 3))),
    ((2, 3), (2, 1), (1, 1), (1, 2), ((1, 0), (2, 2))),
    ((2, 2), (1, 3), (2, 3), (1, 1), ((0, -1), (1, 1))),
    ((9, 1), (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),  # none fits
]


def as_vectors(numbers: Any) -> list[np.ndarray[Any, Any]]:
    return [np.array(n, np.int32) for n in numbers]


@pytest.mark.parametrize("text", [SUM, BEST], ids=["sum", "best"])
def test_windows_that_are_arguments(text: str) -> None:
    function = load(compile(text))["main"]
    for (rows, columns), numbers in itertools.product(((5, 4), (1, 6)), WINDOWS):
        x = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)
        window, strides, base, dilations, padding = numbers
        keywords = {"base_dilation": base, "window_dilation": dilations}
        arguments = [x, *as_vectors(numbers)]
        if text is SUM:
            wanted = [np.asarray(lax.reduce_window(x, np.float32(0), lax.add, window, strides, padding, **keywords))]
        else:
            i = np.arange(x.size, dtype=np.int32).reshape(x.shape)
            arguments.insert(1, i)

            def best(a: Any, b: Any) -> Any:
                first = a[0] >= b[0]
                return lax.select(first, a[0], b[0]), lax.select(first, a[1], b[1])

            found = lax.reduce_window(
                (x, i), (np.float32(-np.inf), np.int32(-1)), best, window, strides, padding, **keywords
            )
            wanted = jax.tree.leaves(found)
        assert_close(run_reference(text, *arguments), wanted, f"the reference, {numbers}", 1e-5)
        values = function(*arguments)
        assert_close(values if isinstance(values, tuple) else [values], wanted, f"compiled, {numbers}", 1e-5)


def random_windows() -> list[tuple[tuple[int, int], Any]]:
    """200 sizes of a matrix with windows, strides, dilations and padding."""
    found = []
    for i, v in enumerate(combinations("rc", seed=1)):
        rng = np.random.default_rng(i)
        two = [tuple(int(n) for n in rng.integers(1, most + 1, 2)) for most in (5, 3, 3, 3)]
        edges = rng.integers((-1, 0), 4, (2, 2))  # more than there is cannot be cut off
        padding = [(max(int(low), -v[n]), int(high)) for n, (low, high) in zip("rc", edges, strict=True)]
        found.append(((v["r"], v["c"]), (*two, tuple(padding))))
    return found


def slid(x: Array, numbers: Any, fill: Any) -> list[Array]:
    """For every place in a window, what stands there, of the result's shape."""
    window, strides, base, dilations, padding = numbers
    shape = [max((n - 1) * b + 1, 0) if n else 0 for n, b in zip(x.shape, base, strict=True)]
    spread = np.full(shape, fill, x.dtype)
    spread[:: base[0], :: base[1]] = x
    rows, columns = (max(0, n + low + high) for n, (low, high) in zip(shape, padding, strict=True))
    out = np.full((rows, columns), fill, x.dtype)
    (top, _), (left, _) = padding
    for i in range(rows):  # negative padding cuts off
        for j in range(columns):
            if 0 <= i - top < shape[0] and 0 <= j - left < shape[1]:
                out[i, j] = spread[i - top, j - left]
    places = [
        max(0, (n - (w - 1) * d - 1) // s + 1) for n, w, d, s in zip(out.shape, window, dilations, strides, strict=True)
    ]
    taken = []
    for i in range(window[0]):
        for j in range(window[1]):
            part = out[i * dilations[0] :: strides[0], j * dilations[1] :: strides[1]]
            taken.append(part[: places[0], : places[1]])
    return taken


@pytest.mark.parametrize("text", [SUM, BEST], ids=["sum", "best"])
def test_two_hundred_windows(text: str) -> None:
    function = load(compile(text))["main"]
    for i, (shape, numbers) in enumerate(random_windows()):
        x = np.random.default_rng(i).normal(size=shape).astype(np.float32)
        vectors = as_vectors(numbers)
        if text is SUM:
            found = [function(x, *vectors)]
            wanted = [np.sum(slid(x, numbers, 0), 0, dtype=np.float32)]
        else:
            places = np.arange(x.size, dtype=np.int32).reshape(x.shape)
            found = list(function(x, places, *vectors))
            values, index = np.stack(slid(x, numbers, -np.inf)), np.stack(slid(places, numbers, -1))
            first = np.argmax(values, 0)[None]
            wanted = [np.take_along_axis(a, first, 0)[0] for a in (values, index)]
        assert_close(found, wanted, f"{shape}, {numbers}", 1e-5)


CUMULATIVE = """
func.func private @body(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
  %0 = stablehlo.REDUCER %x, %y : tensor<f32>
  return %0 : tensor<f32>
}
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %one = stablehlo.constant dense<1> : tensor<1xi32>
  %m = stablehlo.constant dense<-1> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<1xi32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  %k = stablehlo.add %n, %m : tensor<i32>
  %n1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %k1 = stablehlo.reshape %k : (tensor<i32>) -> tensor<1xi32>
  %p = stablehlo.concatenate %k1, %zero, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %q = stablehlo.reshape %p : (tensor<2xi32>) -> tensor<1x2xi32>
  %r = stablehlo.custom_call @stablehlo.dynamic_reduce_window(%x, %z, %n1, %one, %one, %one, %q) {called_computations = [@body]} :
    (tensor<?xf32>, tensor<f32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>, tensor<1x2xi32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}"""


@pytest.mark.parametrize(("reducer", "accumulate"), [("add", np.add), ("maximum", np.maximum)])
def test_cumulative_folds_of_any_length(reducer: str, accumulate: Any) -> None:
    function = load(compile(CUMULATIVE.replace("REDUCER", reducer)))["main"]
    # A window is at least 1 long, and as long as the tensor.
    for n in (*(v["n"] for v in combinations("n", {"n": 1})), 1000, 4097):
        x = np.abs(np.random.default_rng(n).normal(size=n)).astype(np.float32)
        assert_close([function(x)], [accumulate.accumulate(x, dtype=np.float64).astype(np.float32)], f"{n}", 1e-5)


def test_a_call_of_another_form_is_refused() -> None:
    text = SUM.replace("(%x, %z, %w, %s, %b, %d, %p)", "(%x, %z, %w, %s, %b, %d)").replace(
        VECTORS, VECTORS[: VECTORS.rindex(",")]
    )
    with pytest.raises(Unsupported, match="five vectors"):
        compile(text)
