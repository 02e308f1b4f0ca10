"""fft of four kinds against JAX and NumPy: every way that a length is taken apart, ranks, batches, empty tensors."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from random_sizes import combinations, without_promises

import tesselle as ts
from tesselle.ir.text import parse_module
from tesselle.passes.input.expand_fft import DIRECT, STEP, roots, smooth_length, split
from tesselle.reference import interpret

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
TOLERANCE = {"float32": 2e-6, "complex64": 2e-6, "float64": 4e-15, "complex128": 4e-15}
"""Units: the largest magnitude of the result, as the error of a transform goes with its norm."""

REAL = {"complex64": "float32", "complex128": "float64"}


def make(dtype: str, *shape: int) -> Array:
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if dtype.startswith("complex") else x).astype(dtype)


def check(function: Any, x: Array) -> None:
    """JAX, the reference and the compiled program agree."""
    lowered = jax.jit(function).lower(x)
    wanted = np.asarray(lowered.compile()(x))
    found = ts.load(ts.compile(lowered))["main"](x)
    module: Any = parse_module(lowered.as_text())
    limit = TOLERANCE[x.dtype.name] * max(1.0, float(np.abs(wanted).max(initial=0)))
    for y, what in ((found, "compiled"), (interpret(module, "main", [x])[0], "the reference")):
        assert y.dtype == wanted.dtype and y.shape == wanted.shape, what
        np.testing.assert_allclose(y, wanted, rtol=0, atol=limit, err_msg=what)


LENGTHS = (1, 2, 3, 8, 31, 32, 37, 64, 67, 74, 100, 134, 263, 1000)
"""Direct up to 32; primes up to 64; products; primes above 64; their multiples."""


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("n", LENGTHS)
def test_length(n: int, dtype: str) -> None:
    check(jnp.fft.fft, make(dtype, 3, n))
    check(jnp.fft.ifft, make(dtype, 3, n))
    check(jnp.fft.rfft, make(REAL[dtype], 3, n))
    check(lambda x: jnp.fft.irfft(x, n), make(dtype, 3, n // 2 + 1))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_rank(dtype: str) -> None:
    x = make(dtype, 2, 4, 6, 35)
    for axes in ((2, 3), (1, 2, 3)):
        check(lambda x, a=axes: jnp.fft.fftn(x, axes=a), x)
        check(lambda x, a=axes: jnp.fft.ifftn(x, axes=a), x)
        check(lambda x, a=axes: jnp.fft.rfftn(x.real, axes=a), x)
        check(lambda x, a=axes: jnp.fft.irfftn(x[..., :18], s=[*x.shape[a[0] : 3], 35], axes=a), x)
    check(jnp.fft.fft, x[0, 0, 0])


@pytest.mark.parametrize("n", [6, 7, 66, 67])
def test_what_no_real_signal_has_does_not_count(n: int) -> None:
    """The imaginary parts at frequency 0 and at n / 2, be they not finite."""
    x = make("complex64", 2, n // 2 + 1)
    given = x.copy()
    given.imag[:, 0] = np.nan
    if n % 2 == 0:
        given.imag[:, -1] = np.inf
    text = irfft(x.shape, n)
    found = ts.load(ts.compile(text))["main"](given)
    np.testing.assert_allclose(found, np.fft.irfft(x, n), atol=2e-6)


def irfft(shape: tuple[int, ...], n: int) -> str:
    a = f"tensor<{'x'.join(map(str, shape))}xcomplex<f32>>"
    b = f"tensor<{'x'.join(map(str, (*shape[:-1], n)))}xf32>"
    return f"""func.func @main(%x: {a}) -> {b} {{
      %r = stablehlo.fft %x, type = IRFFT, length = [{n}] : ({a}) -> {b}
      return %r : {b} }}"""


def test_no_elements() -> None:
    check(jnp.fft.fft, make("complex64", 0, 4))
    text = """func.func @main(%x: tensor<3x0xf32>) -> tensor<3x0xcomplex<f32>> {
      %r = stablehlo.fft %x, type = RFFT, length = [0] : (tensor<3x0xf32>) -> tensor<3x0xcomplex<f32>>
      return %r : tensor<3x0xcomplex<f32>> }"""
    assert ts.load(ts.compile(text))["main"](np.zeros((3, 0), np.float32)).shape == (3, 0)


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        (jnp.fft.fft, (3, 5, 67), "complex64"),
        (jnp.fft.ifft, (3, 5, 40), "complex128"),
        (jnp.fft.fft2, (3, 5, 6, 16), "complex64"),
        (jnp.fft.rfft, (3, 5, 40), "float32"),
        (jnp.fft.irfft, (3, 5, 9), "complex64"),
        (jnp.fft.irfft, (3, 5, 40), "complex64"),
    ],
)
@pytest.mark.parametrize("open_dimensions", ["b, 5", "b, c"])
def test_batches_of_open_size(function: Any, shape: tuple[int, ...], dtype: str, open_dimensions: str) -> None:
    """JAX promises that no size is 0; without that, a batch may be of any size."""
    spec = jax.export.symbolic_shape(f"{open_dimensions}, {', '.join(map(str, shape[2:]))}")
    exported = jax.export.export(jax.jit(function))(jax.ShapeDtypeStruct(spec, np.dtype(dtype)))
    main = ts.load(ts.compile(without_promises(exported.mlir_module())))["main"]

    def compare(x: Array, wanted: Array) -> None:
        found = main(x)
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        limit = TOLERANCE[dtype] * max(1.0, float(np.abs(wanted).max(initial=0)))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=limit, err_msg=str(x.shape))

    x = make(dtype, *shape)
    wanted = np.asarray(function(x))
    compare(x, wanted)
    wide = np.complex128 if dtype.startswith("complex") else np.float64
    for values in combinations(("b", "c") if "c" in open_dimensions else ("b",)):
        x = make(dtype, values["b"], values.get("c", 5), *shape[2:])
        # NumPy's own: JAX would compile anew for every size.
        compare(x, getattr(np.fft, function.__name__)(x.astype(wide)).astype(wanted.dtype))


def test_batch_of_open_size_without_elements() -> None:
    text = """func.func @main(%x: tensor<?x0x4xcomplex<f32>>) -> tensor<?x0x4xcomplex<f32>> {
      %r = stablehlo.fft %x, type = FFT, length = [4] : (tensor<?x0x4xcomplex<f32>>) -> tensor<?x0x4xcomplex<f32>>
      return %r : tensor<?x0x4xcomplex<f32>> }"""
    assert ts.load(ts.compile(text))["main"](np.zeros((3, 0, 4), np.complex64)).shape == (3, 0, 4)


def test_open_lengths_are_checked() -> None:
    text = """func.func @main(%x: tensor<4x?xcomplex<f32>>) -> tensor<4x?xcomplex<f32>> {
      %r = stablehlo.fft %x, type = FFT, length = [4] : (tensor<4x?xcomplex<f32>>) -> tensor<4x?xcomplex<f32>>
      return %r : tensor<4x?xcomplex<f32>> }"""
    main, x = ts.load(ts.compile(text))["main"], make("complex64", 4, 5)
    np.testing.assert_allclose(main(x[:, :4]), np.fft.fft(x[:, :4]), rtol=1e-5, atol=1e-5)
    with pytest.raises(ts.InvocationError, match="dimension 1 is 5, but must be 4"):
        main(x)


# ------------------------------------------------------------------------------------------------ tables


def test_roots_are_exact_where_angles_are_right() -> None:
    for n in (1, 2, 4, 8, 12, 100):
        w = roots(np.arange(n), n, -1)
        np.testing.assert_allclose(w, np.exp(-2j * np.pi * np.arange(n) / n), atol=4e-16)
        for k in range(n):
            if 4 * k % n == 0:
                assert w[k] == (1, -1j, -1, 1j)[4 * k // n]
        assert np.array_equal(w, roots(np.arange(n) - 7 * n, n, -1))


def test_lengths_are_taken_apart() -> None:
    for n in range(STEP + 1, 5000):
        p = split(n)
        assert n % p == 0 and p <= DIRECT
        smooth = smooth_length(n)
        assert n <= smooth < 2 * n
        for factor in (2, 3, 5):
            while smooth % factor == 0:
                smooth //= factor
        assert smooth == 1
