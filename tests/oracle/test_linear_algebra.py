"""Factorisations and triangular systems: LAPACK by name as JAX calls it, and StableHLO's own operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.lax import linalg
from oracle_harness import assert_close

import tesselle as ts
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.dtypes import from_numpy

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
DTYPES = ("float32", "float64", "complex64", "complex128")
TOLERANCE = {"float16": 4e-3, "float32": 3e-5, "float64": 1e-12, "complex64": 3e-5, "complex128": 1e-12}
"""Factors of well-conditioned matrices of these sizes: some hundred units in the last place."""


def make(dtype: str, *shape: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if dtype.startswith("complex"):
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def hermitian(x: Array) -> Array:
    return x + np.conj(np.swapaxes(x, -1, -2))


def positive(x: Array) -> Array:
    n = x.shape[-1]
    return (x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n)).astype(x.dtype)


def results(out: Any) -> list[Array]:
    return list(out) if isinstance(out, tuple) else [out]


# ------------------------------------------------------------------------------------------------ calls of LAPACK

Function = Callable[..., Any]
SQUARE: dict[str, Function] = {
    "lu": linalg.lu,
    "det": jnp.linalg.det,
    "inv": jnp.linalg.inv,
    "solve": lambda a: jnp.linalg.solve(a, a[..., :2]),
    "eig": lambda a: linalg.eig(a),
    "eigvals": jnp.linalg.eigvals,
    "schur": linalg.schur,
    "hessenberg": linalg.hessenberg,
    "eigh": lambda a: linalg.eigh(hermitian_(a)),
    "eigvalsh": lambda a: jnp.linalg.eigvalsh(hermitian_(a), UPLO="U"),
    "tridiagonal-lower": lambda a: linalg.tridiagonal(hermitian_(a)),
    "tridiagonal-upper": lambda a: linalg.tridiagonal(hermitian_(a), lower=False),
    "cholesky": lambda a: linalg.cholesky(positive_(a)),
    "cholesky-failed": lambda a: linalg.cholesky(hermitian_(a)),
}
ANY: dict[str, Function] = {
    "lu": linalg.lu,
    "qr": lambda a: linalg.qr(a, full_matrices=False),
    "qr-full": linalg.qr,
    "qr-pivoting": lambda a: linalg.qr(a, pivoting=True),
    "svd": lambda a: linalg.svd(a, full_matrices=False),
    "svd-full": linalg.svd,
    "svd-values": lambda a: linalg.svd(a, compute_uv=False),
    "svd-by-qr": lambda a: linalg.svd(a, algorithm=linalg.SvdAlgorithm.QR),
    "householder": lambda a: linalg.householder_product(a, a[..., 0, : min(a.shape[-2:])] / 8),
    "pinv": jnp.linalg.pinv,
}


def hermitian_(x: Any) -> Any:
    return x + jnp.conj(jnp.swapaxes(x, -1, -2))


def positive_(x: Any) -> Any:
    return x @ jnp.conj(jnp.swapaxes(x, -1, -2)) + x.shape[-1] * jnp.eye(x.shape[-1], dtype=x.dtype)


def check(function: Function, *args: Array, tolerance: float | None = None) -> None:
    """JAX, the reference and the compiled program agree."""
    lowered = jax.jit(function).lower(*args)
    wanted = [np.asarray(x) for x in jax.tree.leaves(lowered.compile()(*args))]
    limit = tolerance or TOLERANCE[args[0].dtype.name]
    assert_close(results(ts.load(ts.compile(lowered))["main"](*args)), wanted, "compiled and JAX", limit)
    module: Any = parse_module(lowered.as_text())
    assert_close(interpret(module, "main", args), wanted, "the reference and JAX", limit)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SQUARE)
def test_square(name: str, dtype: str) -> None:
    for shape in ((2, 4, 4), (1, 1), (0, 0)):
        if shape == (0, 0) and name in ("hessenberg", "tridiagonal-lower", "tridiagonal-upper", "schur"):
            continue  # JAX's own shape rules do not take them
        check(SQUARE[name], make(dtype, *shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ANY)
def test_any_shape(name: str, dtype: str) -> None:
    for shape in ((3, 5), (2, 5, 3)):
        if name == "householder" and shape[-2] < shape[-1]:
            continue
        check(ANY[name], make(dtype, *shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_ormqr(dtype: str) -> None:
    a, taus, c = make(dtype, 2, 5, 3), make(dtype, 2, 3) / 4, make(dtype, 2, 5, 4)
    for transpose in (False, True):
        check(lambda a, t, c, k=transpose: linalg.ormqr(a, t, c, transpose=k), a, taus.astype(dtype), c)
        other = np.swapaxes(c, 1, 2).copy()
        check(lambda a, t, c, k=transpose: linalg.ormqr(a, t, c, left=False, transpose=k), a, taus.astype(dtype), other)


@pytest.mark.parametrize("dtype", DTYPES)
def test_systems(dtype: str) -> None:
    d = [make(dtype, 2, 6, seed=i) + 4 * (i == 1) for i in range(3)]
    check(linalg.tridiagonal_solve, *(x.astype(dtype) for x in d), make(dtype, 2, 6, 3))
    for n in (1, 2, 6):
        diagonals = [x[:, :n].astype(dtype) for x in d]
        check(lambda *x: linalg.tridiagonal_solve(*x, perturb_singular=True), *diagonals, make(dtype, 2, n, 3))
    a, b = positive(make(dtype, 4, 4)), make(dtype, 4, 2)
    check(lambda a, b: linalg.triangular_solve(a, b, left_side=True, lower=True, transpose_a=True), a, b)


def test_pivots_that_are_given() -> None:
    """geqp3 keeps the columns in front whose pivot is not zero."""
    from scipy.linalg import lapack as scipy_lapack

    for fixed in ([0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [1, 1, 1, 1]):
        for rows in (6, 4, 2):
            a = make("float64", rows, 4)
            t, v = f"tensor<{rows}x4xf64>", "tensor<4xi32>"
            k = f"tensor<{min(rows, 4)}xf64>"
            text = f"""func.func @main(%a: {t}, %p: {v}) -> ({t}, {v}, {k}) {{
              %0:3 = stablehlo.custom_call @lapack_dgeqp3_ffi(%a, %p) : ({t}, {v}) -> ({t}, {v}, {k})
              return %0#0, %0#1, %0#2 : {t}, {v}, {k} }}"""
            qr, pivots, taus = ts.load(ts.compile(text))["main"](a, np.array(fixed, np.int32))
            r = np.triu(qr)
            q = scipy_lapack.dorgqr(np.asfortranarray(qr[:, : len(taus)]), taus)[0]
            np.testing.assert_allclose(q @ r[: len(taus)], a[:, pivots - 1], atol=1e-12)
            kept = [i + 1 for i, f in enumerate(fixed) if f]
            assert pivots[: len(kept)].tolist() == kept and sorted(pivots) == [1, 2, 3, 4]


XLA_NAMES = ("Qr", "ProductOfElementaryHouseholderReflectors", "LuDecomposition", "Eigh")


def test_names_of_xla() -> None:
    """Programs lowered for TPUs call them by these names."""
    a = make("float32", 2, 4, 4)
    t, v, i = "tensor<2x4x4xf32>", "tensor<2x4xf32>", "tensor<2x4xi32>"
    text = f"""func.func @main(%a: {t}) -> ({t}, {t}, {t}, {i}, {t}, {v}) {{
      %qr:2 = stablehlo.custom_call @Qr(%a) : ({t}) -> ({t}, {v})
      %q = stablehlo.custom_call @ProductOfElementaryHouseholderReflectors(%qr#0, %qr#1) : ({t}, {v}) -> {t}
      %lu:3 = stablehlo.custom_call @LuDecomposition(%a) : ({t}) -> ({t}, {i}, {i})
      %e:2 = stablehlo.custom_call @Eigh(%a) {{backend_config = "1,1,100,1e-6"}} : ({t}) -> ({t}, {v})
      return %qr#0, %q, %lu#0, %lu#2, %e#0, %e#1 : {t}, {t}, {t}, {i}, {t}, {v} }}"""
    qr, q, lu, permutation, vectors, values = ts.load(ts.compile(text))["main"](a)
    np.testing.assert_allclose(q @ np.triu(qr), a, atol=1e-5)
    low = np.tril(lu, -1) + np.eye(4)
    np.testing.assert_allclose(low @ np.triu(lu), np.take_along_axis(a, permutation[..., None], 1), atol=1e-5)
    full = np.tril(a) + np.swapaxes(np.tril(a, -1), 1, 2)
    np.testing.assert_allclose(full @ vectors, vectors * values[:, None], atol=1e-5)


def test_sizes_as_operands_are_refused() -> None:
    t = "tensor<2x2xf32>"
    text = f"""func.func @main(%a: {t}, %n: tensor<i32>) -> ({t}, tensor<2xi32>, tensor<i32>) {{
      %0:3 = stablehlo.custom_call @lapack_sgetrf_ffi(%n, %a) : (tensor<i32>, {t}) -> ({t}, tensor<2xi32>, tensor<i32>)
      return %0#0, %0#1, %0#2 : {t}, tensor<2xi32>, tensor<i32> }}"""
    with pytest.raises(ts.ExecutionError, match="takes 1 operands, found 2: calls that encode sizes as operands"):
        ts.load(ts.compile(text))["main"](make("float32", 2, 2), np.int32(2))


# ------------------------------------------------------------------------------------------------ StableHLO's own


def text_type(x: Array) -> str:
    return "tensor<" + "".join(f"{d}x" for d in x.shape) + f"{from_numpy(x.dtype)}>"


def run(text: str, *args: Array) -> Array:
    """The compiled result, which is that of the reference."""
    module: Any = parse_module(text)
    found = results(ts.load(ts.compile(text))["main"](*args))
    assert_close(found, interpret(module, "main", args), "compiled and the reference", TOLERANCE[args[0].dtype.name])
    return found[0]


def cholesky(a: Array, lower: bool) -> Array:
    t, word = text_type(a), str(lower).lower()
    text = f"func.func @main(%a: {t}) -> {t} {{ %r = stablehlo.cholesky %a, lower = {word} : {t} return %r : {t} }}"
    return run(text, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "batch"), [(0, ()), (1, ()), (3, (2,)), (5, (2, 3)), (4, (0,)), (33, ()), (70, (2,))])
def test_cholesky(n: int, batch: Sequence[int], dtype: str) -> None:
    a = positive(make(dtype, *batch, n, n))
    for lower in (True, False):
        factor = cholesky(a, lower)
        other = np.conj(np.swapaxes(factor, -1, -2))
        assert_close([factor @ other if lower else other @ factor], [a], "the product", TOLERANCE[dtype] * max(n, 1))
        assert not (np.triu(factor, 1) if lower else np.tril(factor, -1)).any()


@pytest.mark.parametrize("n", [4, 40])
def test_cholesky_reads_one_triangle(n: int) -> None:
    a = positive(make("float32", n, n))
    above = np.triu(np.full_like(a, np.nan), 1)
    np.testing.assert_array_equal(cholesky(np.tril(a) + above, True), cholesky(a, True))
    np.testing.assert_array_equal(cholesky(np.triu(a) + above.T, False), cholesky(a, False))


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_cholesky_of_what_is_not_positive_definite(dtype: str, n: int) -> None:
    """Spec, cholesky: undefined; XLA gives nan throughout, and the other matrices of the batch are fine."""
    a = positive(make(dtype, 3, n, n))
    a[1, n - 1, n - 1] = -1
    a[2, 0, 0] = 0
    found = cholesky(a, True)
    assert np.isnan(found[1:]).all() and not np.isnan(found[0]).any()


def solve(a: Array, b: Array, left: bool, lower: bool, unit: bool, transpose: str) -> Array:
    ta, tb = text_type(a), text_type(b)
    words = [str(x).lower() for x in (left, lower, unit)]
    attributes = f"left_side = {words[0]}, lower = {words[1]}, unit_diagonal = {words[2]}"
    attributes += f", transpose_a = #stablehlo<transpose {transpose}>"
    operation = f'%r = "stablehlo.triangular_solve"(%a, %b) {{{attributes}}} : ({ta}, {tb}) -> {tb}'
    return run(f"func.func @main(%a: {ta}, %b: {tb}) -> {tb} {{ {operation} return %r : {tb} }}", a, b)


@pytest.mark.parametrize("transpose", ["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_triangular_solve(left: bool, lower: bool, unit: bool, transpose: str) -> None:
    """op(a) x = b or x op(a) = b, and what stands outside the triangle may be nan."""
    for dtype, n, m, batch in (("complex64", 4, 3, (2,)), ("float32", 37, 5, ()), ("float64", 1, 2, (1, 2))):
        a = (make(dtype, *batch, n, n) / n + 2 * np.eye(n)).astype(dtype)
        b = make(dtype, *batch, *((n, m) if left else (m, n)))
        outside = np.full_like(a, np.nan)
        given = np.where(np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T, a, outside)
        if unit:
            given = np.where(np.eye(n, dtype=bool), outside, given)
        x = solve(given, b, left, lower, unit, transpose)
        full = np.tril(a) if lower else np.triu(a)
        if unit:
            full = np.where(np.eye(n, dtype=bool), 1, full)
        if transpose != "NO_TRANSPOSE":
            full = np.swapaxes(full, -1, -2)
        full = (np.conj(full) if transpose == "ADJOINT" else full).astype(dtype)
        assert_close([full @ x if left else x @ full], [b], "the product", TOLERANCE[dtype])


def test_triangular_solve_of_no_elements_and_of_short_floats() -> None:
    eye = (True, True, False, "NO_TRANSPOSE")
    assert solve(make("float32", 0, 0), make("float32", 0, 3), *eye).shape == (0, 3)
    assert solve(make("float32", 3, 3), make("float32", 3, 0), *eye).shape == (3, 0)
    a = (make("float16", 4, 4) / 4 + 2 * np.eye(4)).astype(np.float16)
    solve(a, make("float16", 4, 2), *eye)


# ------------------------------------------------------------------------------------------------ expansions of calls


@pytest.mark.parametrize("is_max", [True, False])
def test_approx_top_k(is_max: bool) -> None:
    x = make("float32", 5, 64)
    function = lax.approx_max_k if is_max else lax.approx_min_k
    check(lambda x: function(x, 4), x)
    check(lambda x: function(x, 3, reduction_dimension=0), x)


def test_top_k_and_functions_of_mhlo() -> None:
    x = make("float32", 3, 8)
    t, i = "tensor<3x2xf32>", "tensor<3x2xi32>"
    text = f"""func.func @main(%x: tensor<3x8xf32>) -> ({t}, {i}, {t}, {i}, tensor<3x8xf32>) {{
      %0:2 = stablehlo.custom_call @mhlo.topk(%x) {{mhlo.attributes = {{k = 2 : i64, largest = true}}}}
        : (tensor<3x8xf32>) -> ({t}, {i})
      %1:2 = stablehlo.custom_call @mhlo.topk(%x) {{mhlo.attributes = {{k = 2 : i64, largest = false}}}}
        : (tensor<3x8xf32>) -> ({t}, {i})
      %2 = stablehlo.custom_call @mhlo.erf(%x) {{mhlo.version = 1 : i64}} : (tensor<3x8xf32>) -> tensor<3x8xf32>
      return %0#0, %0#1, %1#0, %1#1, %2 : {t}, {i}, {t}, {i}, tensor<3x8xf32> }}"""
    found = results(ts.load(ts.compile(text))["main"](x))
    order = np.argsort(x, axis=1, kind="stable").astype(np.int32)
    high, low = order[:, :-3:-1], order[:, :2]
    wanted = [np.take_along_axis(x, high, 1), high, np.take_along_axis(x, low, 1), low, np.asarray(lax.erf(x))]
    assert_close(found, wanted, "compiled and NumPy")


def test_calls_whose_sizes_are_constants() -> None:
    x = make("float32", 6, 6)
    t, i = "tensor<6x2xf32>", "tensor<6x2xi32>"
    text = f"""
    func.func private @sum(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {{
      %0 = stablehlo.add %a, %b : tensor<f32>
      return %0 : tensor<f32>
    }}
    func.func @main(%x: tensor<6x6xf32>) -> ({t}, {i}, tensor<3x5xf32>) {{
      %k = stablehlo.constant dense<2> : tensor<i32>
      %0:2 = stablehlo.custom_call @stablehlo.dynamic_top_k(%x, %k) : (tensor<6x6xf32>, tensor<i32>) -> ({t}, {i})
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %w = stablehlo.constant dense<[2, 2]> : tensor<2xi32>
      %s = stablehlo.constant dense<[2, 1]> : tensor<2xi32>
      %o = stablehlo.constant dense<1> : tensor<2xi32>
      %p = stablehlo.constant dense<0> : tensor<2x2xi32>
      %1 = stablehlo.custom_call @stablehlo.dynamic_reduce_window(%x, %z, %w, %s, %o, %o, %p)
        {{called_computations = [@sum]}} : (tensor<6x6xf32>, tensor<f32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>,
        tensor<2xi32>, tensor<2x2xi32>) -> tensor<3x5xf32>
      return %0#0, %0#1, %1 : {t}, {i}, tensor<3x5xf32>
    }}"""
    values, places = (np.asarray(v) for v in lax.top_k(x, 2))
    sums = np.asarray(lax.reduce_window(x, np.float32(0), lax.add, (2, 2), (2, 1), "valid"))
    assert_close(results(ts.load(ts.compile(text))["main"](x)), [values, places, sums], "compiled and JAX")


ANNOTATIONS = ("Sharding", "SPMDFullToShardShape", "annotate_device_placement", "xla.sdy.FuncResultSharding")


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_annotations(name: str) -> None:
    text = "func.func @main(%x: tensor<4xf32>) -> tensor<SIZExf32> { %r = stablehlo.custom_call @NAME(%x)"
    text += " : (tensor<4xf32>) -> tensor<SIZExf32> return %r : tensor<SIZExf32> }"
    text = text.replace("NAME", name)
    x = make("float32", 4)
    np.testing.assert_array_equal(run(text.replace("SIZE", "4"), x), x)
    with pytest.raises(ts.Unsupported, match="splits a program over several devices"):
        ts.compile(text.replace("SIZE", "2"))
