"""Kernels that overwrite what they read: every element is read before it is gone, whatever the kernel does besides."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tesselle as ts
from tesselle.frontends import import_program
from tesselle.reference import Interpreter

SUM_OF_ROWS = "applies stablehlo.add across dimensions = [1] : (TT, tensor<f32>) -> RR"

BODIES = {
    "sum": f"""
        %new = stablehlo.subtract %w, %g : TT
        %out = stablehlo.reduce(%new init: %zero) {SUM_OF_ROWS}""",
    "sum of columns": f"""
        %new = stablehlo.subtract %w, %g : TT
        %0 = stablehlo.reduce(%new init: %zero) applies stablehlo.add across dimensions = [0] : (TT, tensor<f32>) -> CC
        %1 = stablehlo.broadcast_in_dim %0, dims = [1] : (CC) -> TT
        %2 = stablehlo.maximum %1, %g : TT
        %out = stablehlo.reduce(%2 init: %zero) {SUM_OF_ROWS}""",
    "normalized": f"""
        %0 = stablehlo.subtract %w, %g : TT
        %out = stablehlo.reduce(%0 init: %zero) {SUM_OF_ROWS}
        %1 = stablehlo.broadcast_in_dim %out, dims = [0] : (RR) -> TT
        %new = stablehlo.add %0, %1 : TT""",
    "by its own sum": f"""
        %out = stablehlo.reduce(%w init: %zero) {SUM_OF_ROWS}
        %0 = stablehlo.broadcast_in_dim %out, dims = [0] : (RR) -> TT
        %1 = stablehlo.subtract %w, %0 : TT
        %new = stablehlo.add %1, %g : TT""",
    "softmax of another": f"""
        %0 = stablehlo.exponential %g : TT
        %out = stablehlo.reduce(%0 init: %zero) {SUM_OF_ROWS}
        %1 = stablehlo.broadcast_in_dim %out, dims = [0] : (RR) -> TT
        %2 = stablehlo.divide %0, %1 : TT
        %new = stablehlo.add %w, %2 : TT""",
    "softmax of itself": f"""
        %0 = stablehlo.multiply %w, %g : TT
        %1 = stablehlo.exponential %0 : TT
        %out = stablehlo.reduce(%1 init: %zero) {SUM_OF_ROWS}
        %2 = stablehlo.broadcast_in_dim %out, dims = [0] : (RR) -> TT
        %3 = stablehlo.divide %1, %2 : TT
        %new = stablehlo.add %w, %3 : TT""",
    "reversed beside itself": f"""
        %0 = stablehlo.reverse %w, dims = [0] : TT
        %1 = stablehlo.add %w, %g : TT
        %new = stablehlo.add %0, %1 : TT
        %out = stablehlo.reduce(%g init: %zero) {SUM_OF_ROWS}""",
    "reversed": f"""
        %0 = stablehlo.reverse %w, dims = [1] : TT
        %new = stablehlo.add %0, %g : TT
        %out = stablehlo.reduce(%g init: %zero) {SUM_OF_ROWS}""",
    "old beside new": f"""
        %0 = stablehlo.subtract %w, %g : TT
        %new = stablehlo.multiply %w, %0 : TT
        %out = stablehlo.reduce(%0 init: %zero) {SUM_OF_ROWS}""",
    "product of itself": f"""
        %0 = stablehlo.dot_general %w, %g, contracting_dims = [1] x [1] : (TT, TT) -> SS
        %1 = stablehlo.dot_general %0, %g, contracting_dims = [1] x [0] : (SS, TT) -> TT
        %c = stablehlo.constant dense<0.001> : TT
        %2 = stablehlo.multiply %c, %1 : TT
        %new = stablehlo.subtract %w, %2 : TT
        %out = stablehlo.reduce(%new init: %zero) {SUM_OF_ROWS}""",
    "flat": f"""
        %0 = stablehlo.reshape %w : (TT) -> FF
        %1 = stablehlo.reshape %g : (TT) -> FF
        %2 = stablehlo.add %0, %1 : FF
        %new = stablehlo.reshape %2 : (FF) -> TT
        %3 = stablehlo.add %0, %2 : FF
        %4 = stablehlo.reshape %3 : (FF) -> TT
        %out = stablehlo.reduce(%4 init: %zero) {SUM_OF_ROWS}""",
}


@pytest.mark.parametrize("shape", [(5, 7), (300, 520), (1, 4099), (600, 33)], ids=str)
@pytest.mark.parametrize("name", BODIES)
def test_beside_other_work(name: str, shape: tuple[int, int]) -> None:
    m, n = shape
    text = f"""
ml_program.global private mutable @w(dense<1.0> : TT) : TT
func.func @main(%g: TT) -> RR {{
  %w = ml_program.global_load @w : TT
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  {BODIES[name]}
  ml_program.global_store @w = %new : TT
  return %out : RR
}}"""
    for word, sizes in (("TT", f"{m}x{n}"), ("RR", m), ("CC", n), ("SS", f"{m}x{m}"), ("FF", m * n)):
        text = text.replace(word, f"tensor<{sizes}xf32>")
    rng = np.random.default_rng(0)
    session, reference = ts.load(ts.compile(text)).session, Interpreter(import_program(text))
    for _ in range(2):
        g = (0.1 * rng.standard_normal(shape)).astype(np.float32)
        (expected,) = reference.call("main", [g])
        np.testing.assert_allclose(session["main"](g), expected, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(session.state_dict()["w"], reference.variables["w"], rtol=1e-3, atol=1e-3)


DTYPES: dict[str, Any] = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "i32": np.int32}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (64, 48, 20), (129, 257, 65), (3, 100, 2500), (14, 32, 4100)], ids=str)
@pytest.mark.parametrize("sides", ["mk,kn", "km,kn", "mk,nk"])
def test_epilogues_of_products(dtype: str, sizes: tuple[int, int, int], sides: str) -> None:
    """w - c * (a @ b), with the variable's old elements read in the epilogue; no memory is allocated."""
    m, n, k = sizes
    size_of = {"m": m, "n": n, "k": k}
    shapes = [tuple(size_of[d] for d in side) for side in sides.split(",")]
    a, b, w = (f"tensor<{rows}x{columns}x{dtype}>" for rows, columns in (*shapes, (m, n)))
    contracting = " x ".join(f"[{side.index('k')}]" for side in sides.split(","))
    factor = 3 if dtype == "i32" else 0.5
    text = f"""
ml_program.global private mutable @w(dense<{factor}> : {w}) : {w}
func.func @main(%a: {a}, %b: {b}) {{
  %w = ml_program.global_load @w : {w}
  %p = stablehlo.dot_general %a, %b, contracting_dims = {contracting} : ({a}, {b}) -> {w}
  %c = stablehlo.constant dense<{factor}> : {w}
  %0 = stablehlo.multiply %c, %p : {w}
  %1 = stablehlo.subtract %w, %0 : {w}
  ml_program.global_store @w = %1 : {w}
  return
}}"""
    program = ts.load(ts.compile(text))
    rng = np.random.default_rng(0)
    wide = np.int64 if dtype == "i32" else np.float64
    expected = np.full((m, n), factor, wide)
    before = program.device.memory_use().allocations
    for _ in range(2):
        x, y = ((rng.standard_normal(s) * (3 if dtype == "i32" else 0.1)).astype(DTYPES[dtype]) for s in shapes)
        program["main"](x, y)
        expected = expected - wide(factor) * np.einsum(f"{sides}->mn", x.astype(wide), y.astype(wide))
    assert program.device.memory_use().allocations == before
    tolerance = 0.03 if dtype == "bf16" else 1e-4
    found = program.session.state_dict()["w"].astype(wide)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
