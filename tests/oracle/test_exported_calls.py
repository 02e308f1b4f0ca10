"""Programs that earlier versions of JAX exported, with the custom calls that JAX promises to keep, and their results.

The programs, arguments and results are JAX's own (`jax._src.internal_test_util.export_back_compat_test_data`): each as
text and as a portable artifact of the StableHLO of its day.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from random_sizes import combinations, without_promises

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

MODULES = (
    "cpu_cholesky_lapack_potrf",
    "cpu_hessenberg_lapack_gehrd",
    "cpu_lu_lapack_getrf",
    "cpu_qr_lapack_geqrf",
    "cpu_svd_lapack_gesdd",
    "cpu_tridiagonal_lapack_sytrd_hetrd",
    "cpu_tridiagonal_solve_lapack_gtsv",
    "cpu_triangular_solve_blas_trsm",
    "stablehlo_dynamic_approx_top_k",
    "stablehlo_dynamic_top_k",
    "tpu_ApproxTopK",
    "tpu_Lu",
    "tpu_Qr",
)
NOT_UNIQUE = ("cpu_eig_lapack_geev", "cpu_eigh_lapack_syev", "cpu_schur_lapack_gees", "tpu_Eigh")
"""Vectors of these have any phase, and equal values any order: they must run; test_linear_algebra compares others."""


def programs(module: str) -> list[tuple[str, dict[str, Any]]]:
    found = importlib.import_module(f"jax._src.internal_test_util.export_back_compat_test_data.{module}")

    def walk(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(value, dict) and "mlir_module_text" in value:
            yield path, value
        elif isinstance(value, dict):
            for name, inner in value.items():
                yield from walk(inner, f"{path}.{name}")

    return [row for name, value in vars(found).items() if name.startswith("data") for row in walk(value, name)]


def run(program: str | bytes, inputs: Any) -> list[np.ndarray[Any, Any]]:
    out = ts.load(ts.compile(program))["main"](*map(np.asarray, inputs))
    return list(out) if isinstance(out, tuple) else [out]


@pytest.mark.parametrize("module", [*MODULES, *NOT_UNIQUE])
def test_exported(module: str) -> None:
    for path, data in programs(module):
        forms: list[str | bytes] = [data["mlir_module_text"], data["mlir_module_serialized"]]
        for form in forms:
            results = run(form, data["inputs"])
            for found, wanted in zip(results, map(np.asarray, data["expected_outputs"]), strict=True):
                assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), path
                if module not in NOT_UNIQUE:
                    limit = 1e-4 if found.dtype.itemsize <= (8 if found.dtype.kind == "c" else 4) else 1e-10
                    np.testing.assert_allclose(found, wanted, rtol=limit, atol=limit, err_msg=path)


@pytest.mark.parametrize("name", ["approx_max_k", "approx_min_k"])
def test_approx_top_k_of_an_open_batch(name: str) -> None:
    function = jax.vmap(lambda x: getattr(jax.lax, name)(x, 3))
    x = np.random.default_rng(0).permutation(80).reshape(5, 16).astype(np.float32)
    spec = jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, 16"), x.dtype)
    exported = jax.export.export(jax.jit(function))(spec)
    for found, wanted in zip(run(exported.mlir_module(), [x]), function(x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    main = ts.load(ts.compile(without_promises(exported.mlir_module())))["main"]
    for v in combinations("b"):
        x = np.random.default_rng(v["b"]).permutation(v["b"] * 16).reshape(-1, 16).astype(np.float32)
        order = np.argsort(-x if "max" in name else x, 1)[:, :3]
        values, places = main(x)
        np.testing.assert_array_equal(places, order)
        np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))
