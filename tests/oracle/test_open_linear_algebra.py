# ruff: noqa: E501  (programs are quoted as people write them)
"""cholesky, triangular_solve and fft of matrices whose sizes are open, beside SciPy and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from oracle_harness import assert_close
from random_sizes import SMALL, combinations
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.runtime import load
from tesselle.support.diagnostics import InvocationError

Array = np.ndarray[Any, Any]
NUMPY = {"f32": np.float32, "f64": np.float64, "complex<f32>": np.complex64, "f16": np.float16}
TOLERANCE = {"f32": 2e-4, "f64": 1e-10, "complex<f32>": 2e-4, "f16": 2e-2}


def normal(dtype: str, *shape: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return ((x + 1j * rng.normal(size=shape)) if dtype.startswith("complex") else x).astype(NUMPY[dtype])


def positive(dtype: str, *shape: int) -> Array:
    x = normal(dtype, *shape).astype(np.complex128 if dtype.startswith("complex") else np.float64)
    n = shape[-1]
    return (x @ np.conj(np.swapaxes(x, -1, -2)) / max(n, 1) + np.eye(n)).astype(NUMPY[dtype])


@pytest.mark.parametrize(("dtype", "lower"), [("f32", True), ("f64", False), ("complex<f32>", False), ("f16", True)])
def test_cholesky(dtype: str, lower: bool) -> None:
    text = f"""func.func @main(%a: tensor<?x?x?x{dtype}>) -> tensor<?x?x?x{dtype}> {{
  %0 = "stablehlo.cholesky"(%a) <{{lower = {str(lower).lower()}}}> : (tensor<?x?x?x{dtype}>) -> tensor<?x?x?x{dtype}>
  return %0 : tensor<?x?x?x{dtype}>
}}"""
    function = load(compile(text))["main"]
    for batch, n in ((v["b"], v["n"]) for v in combinations("bn", legal=lambda v: v["b"] * v["n"] ** 2 <= 1500)):
        a = positive(dtype, batch, n, n)
        inside = np.tril if lower else np.triu
        found = inside(np.asarray(function(a)).astype(np.complex128))
        product = found @ np.conj(np.swapaxes(found, -1, -2))
        wanted = a.astype(np.complex128)
        if not lower:
            product = np.conj(np.swapaxes(found, -1, -2)) @ found
        np.testing.assert_allclose(product, wanted, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    bad = np.stack([np.eye(3), -np.eye(3)]).astype(NUMPY[dtype])
    found = np.asarray(function(bad))
    assert not np.isnan(found[0]).any() and np.isnan(inside(found[1])).any()


def test_cholesky_of_one_matrix_of_open_size() -> None:
    text = """func.func @main(%a: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}"""
    function = load(compile(text))["main"]
    for n in (v["n"] for v in combinations("n")):
        a = positive("f32", n, n)
        np.testing.assert_allclose(np.tril(function(a)), np.linalg.cholesky(a), atol=2e-5)


FORMS = [
    (True, True, False, "NO_TRANSPOSE"),
    (True, False, False, "NO_TRANSPOSE"),
    (True, True, True, "TRANSPOSE"),
    (True, False, True, "ADJOINT"),
    (False, True, False, "NO_TRANSPOSE"),
    (False, False, True, "TRANSPOSE"),
    (False, True, False, "ADJOINT"),
]


@pytest.mark.parametrize(("left", "lower", "unit", "transpose"), FORMS)
def test_triangular_solve(left: bool, lower: bool, unit: bool, transpose: str) -> None:
    dtype = "complex<f32>" if transpose == "ADJOINT" else "f32"
    t = f"tensor<?x?x?x{dtype}>"
    text = f"""func.func @main(%a: {t}, %b: {t}) -> {t} {{
  %0 = "stablehlo.triangular_solve"(%a, %b) <{{left_side = {str(left).lower()}, lower = {str(lower).lower()}, unit_diagonal = {str(unit).lower()}, transpose_a = #stablehlo<transpose {transpose}>}}> : ({t}, {t}) -> {t}
  return %0 : {t}
}}"""
    function = load(compile(text))["main"]
    calls = combinations("bnm", sizes=(*SMALL, 13), legal=lambda v: v["b"] * (v["n"] + v["m"]) <= 60)
    for batch, n, m in (v.values() for v in calls):
        a = normal(dtype, batch, n, n) * 0.3 + 2 * np.eye(n, dtype=NUMPY[dtype])
        b = normal(dtype, *((batch, n, m) if left else (batch, m, n)), seed=1)
        found = np.asarray(function(a, b))
        assert found.shape == b.shape
        for matrix, right, x in zip(a, b, found, strict=True):
            trans = {"NO_TRANSPOSE": 0, "TRANSPOSE": 1, "ADJOINT": 2}[transpose]
            if not n or not m:
                continue
            if left:
                wanted = scipy.linalg.solve_triangular(matrix, right, trans=trans, lower=lower, unit_diagonal=unit)
            else:
                # x op(a) = b  <=>  op(a)^T x^T = b^T
                of = {0: matrix, 1: matrix.T, 2: matrix.conj().T}[trans].T
                flips = lower if trans else not lower
                wanted = scipy.linalg.solve_triangular(of, right.T, lower=flips, unit_diagonal=unit).T
            np.testing.assert_allclose(x, wanted, atol=1e-4, rtol=1e-4)


def test_what_lies_outside_of_the_triangle_is_not_read() -> None:
    text = """func.func @main(%a: tensor<?x?xf32>, %b: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<?x?xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}"""
    a, b = normal("f32", 4, 4) + 3 * np.eye(4, dtype=np.float32), normal("f32", 4, 2, seed=1)
    wanted = scipy.linalg.solve_triangular(a, b, lower=True)
    a[np.triu_indices(4, 1)] = np.nan
    np.testing.assert_allclose(load(compile(text))["main"](a, b), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["FFT", "IFFT", "RFFT", "IRFFT"])
@pytest.mark.parametrize("length", [8, 15])
def test_fft(kind: str, length: int) -> None:
    """The length stands in the operation; the dimension may be open, and must be as long."""
    source, target = {"RFFT": ("f32", "complex<f32>"), "IRFFT": ("complex<f32>", "f32")}.get(
        kind, ("complex<f32>",) * 2
    )
    text = f"""func.func @main(%x: tensor<?x?x{source}>) -> tensor<?x?x{target}> {{
  %0 = "stablehlo.fft"(%x) <{{fft_type = #stablehlo<fft_type {kind}>, fft_length = array<i64: {length}>}}> : (tensor<?x?x{source}>) -> tensor<?x?x{target}>
  return %0 : tensor<?x?x{target}>
}}"""
    function = load(compile(text))["main"]
    size = length // 2 + 1 if kind == "IRFFT" else length
    formula = {"FFT": np.fft.fft, "IFFT": np.fft.ifft, "RFFT": np.fft.rfft, "IRFFT": lambda x: np.fft.irfft(x, length)}[
        kind
    ]
    for rows in (v["n"] for v in combinations("n")):
        x = normal(source, rows, size)
        wanted = (
            [formula(x).astype(NUMPY[target])]
            if rows
            else [np.zeros((0, formula(np.ones((1, size))).shape[1]), NUMPY[target])]
        )
        assert_close([function(x)], wanted, "compiled", 1e-4)
        if rows in (1, 5):
            assert_close(run_reference(text, x), wanted, "the reference", 1e-4)
    with pytest.raises(InvocationError, match=f"argument 0 'x': dimension 1 is {size + 1}, but must be {size}"):
        function(normal(source, 2, size + 1))
