"""A product or convolution whose result is padded is written into the middle of the padded tensor, by one dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import export, lax
from jax import numpy as jnp
from random_sizes import combinations, without_promises

import tesselle as ts

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
Function = Callable[[Any], Any]
WRITTEN_INSIDE = "written into the middle of a padded result"


def values(*shape: int, dtype: str = "float32", seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def convolved(
    channels: int, features: int, window: int = 1, stride: int = 1, dtype: str = "float32", rank: int = 2
) -> Function:
    """A convolution, a bias, and what mobilenet does with them."""
    filter = values(*(window,) * rank, channels, features, dtype=dtype, seed=1)
    bias = values(features, dtype=dtype, seed=2)
    numbers = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}[rank]

    def apply(x: Any) -> Any:
        y = lax.conv_general_dilated(x, filter, (stride,) * rank, "VALID", dimension_numbers=numbers)
        return jnp.clip(y + bias, 0, 6)

    return apply


def padded(function: Function, low: tuple[int, ...], high: tuple[int, ...], value: float = 0.0) -> Function:
    return lambda x: jnp.pad(function(x), list(zip(low, high, strict=True)), constant_values=value)


def product(x: Any) -> Any:
    return jnp.tanh(x @ values(12, 40, seed=3))


CASES: dict[str, tuple[Function, tuple[int, ...], str]] = {
    "both_sides": (padded(convolved(24, 144), (0, 1, 1, 0), (0, 1, 1, 0)), (1, 56, 56, 24), "float32"),
    "one_side": (padded(convolved(3, 20), (0, 0, 2, 0), (0, 1, 0, 0), -1.5), (3, 5, 7, 3), "float32"),
    "rows_alone": (padded(convolved(4, 40), (0, 3, 0, 0), (0, 2, 0, 0)), (2, 1, 1, 4), "float32"),
    "columns_alone": (padded(convolved(8, 17), (0, 0, 1, 0), (0, 0, 2, 0), 7.0), (2, 9, 4, 8), "float32"),
    "images": (padded(convolved(8, 16), (1, 0, 0, 0), (2, 0, 1, 0)), (3, 4, 4, 8), "float32"),
    "few_features": (padded(convolved(16, 17), (0, 1, 1, 0), (0, 1, 1, 0), 0.5), (2, 6, 5, 16), "float32"),
    "window": (padded(convolved(16, 32, 3), (0, 1, 1, 0), (0, 1, 1, 0)), (2, 9, 11, 16), "float32"),
    "strides": (padded(convolved(16, 32, 3, 2), (0, 0, 1, 0), (0, 1, 1, 0)), (1, 15, 13, 16), "float32"),
    "doubles": (padded(convolved(8, 24, dtype="float64"), (0, 1, 1, 0), (0, 1, 1, 0)), (2, 7, 7, 8), "float64"),
    "one_dimension": (padded(convolved(8, 24, rank=1), (0, 4, 0), (0, 1, 0)), (2, 20, 8), "float32"),
    "volumes": (padded(convolved(4, 16, rank=3), (0, 1, 0, 2, 0), (0, 0, 1, 1, 0)), (2, 3, 4, 5, 4), "float32"),
    "product": (padded(product, (2, 0), (1, 0), -1.0), (33, 12), "float32"),
    "product_of_many": (padded(product, (0, 1, 0), (3, 2, 0)), (4, 6, 12), "float32"),
}


def kernels(artifact: ts.Artifact) -> list[str]:
    return [entry.kernel for executable in artifact.manifest.executables for entry in executable.entries]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_one_dispatch(name: str, threads: int) -> None:
    function, shape, dtype = CASES[name]
    x = values(*shape, dtype=dtype)
    with jax.enable_x64(dtype == "float64"):
        artifact = ts.compile(jax.jit(function).lower(x))
        expected = np.asarray(function(x))
    (kernel,) = kernels(artifact)
    assert WRITTEN_INSIDE in kernel
    main = ts.load(artifact, device=f"cpu:threads={threads}")["main"]
    for _ in range(2):  # the second call's memory holds the first one's results
        np.testing.assert_allclose(main(x), expected, rtol=2e-5, atol=2e-5)


def test_every_size_of_a_batch() -> None:
    """200 sizes; only the dimension that is not padded is open."""
    function = padded(convolved(3, 20), (0, 1, 1, 0), (0, 1, 2, 0), 3.0)
    spec = jax.ShapeDtypeStruct(export.symbolic_shape("b, 5, 7, 3"), np.float32)
    text = without_promises(export.export(jax.jit(function))(spec).mlir_module())
    artifact = ts.compile(text)
    assert any(WRITTEN_INSIDE in kernel for kernel in kernels(artifact))
    main = ts.load(artifact, device="cpu:threads=2")["main"]
    largest = values(300, 5, 7, 3)
    expected = np.asarray(function(largest))
    for v in combinations("b"):
        np.testing.assert_allclose(main(largest[: v["b"]]), expected[: v["b"]], rtol=2e-5, atol=2e-5)


def test_open_sizes_behind_the_border() -> None:
    """Where the first padded row begins depends on a size that is known at run time only: the pad stays a dispatch."""
    function = padded(product, (2, 0, 0), (1, 0, 0))
    spec = jax.ShapeDtypeStruct(export.symbolic_shape("4, s, 12"), np.float32)
    text = without_promises(export.export(jax.jit(function))(spec).mlir_module())
    main = ts.load(ts.compile(text), device="cpu:threads=2")["main"]
    largest = values(4, 300, 12)
    expected = np.asarray(function(largest))
    for v in combinations("s"):
        np.testing.assert_allclose(main(largest[:, : v["s"]]), expected[:, : v["s"]], rtol=2e-5, atol=2e-5)


def _wrapped(x: Any) -> Any:
    """The epilogue reads an operand at remainders of its counters."""
    y = convolved(8, 16)(x)
    return jnp.pad(y * jnp.tile(x[:, :3, :, :4], (1, 2, 1, 4)), ((0, 0), (1, 1), (1, 1), (0, 0)))


def _reversed(x: Any) -> Any:
    y = convolved(8, 16)(x)
    return jnp.pad(y + jnp.flip(jnp.concatenate([x, x], -1), (1, 2)), ((0, 0), (1, 1), (1, 1), (0, 0)))


def _reshaped(x: Any) -> Any:
    y = convolved(8, 16)(x)
    return jnp.pad(y - jnp.concatenate([x, x], 0).reshape(y.shape), ((0, 0), (1, 1), (1, 1), (0, 0)))


def _as_integers(x: Any) -> Any:
    y = jnp.round(convolved(8, 16)(x) * 10).astype(np.int32)
    return jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-7)


def _as_truth(x: Any) -> Any:
    return jnp.pad(convolved(8, 16)(x) > 1, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=True)


def _twice(x: Any) -> Any:
    y = convolved(8, 16)(x)
    return jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))), y.sum()


def _features(x: Any) -> Any:
    return jnp.pad(convolved(8, 16)(x), ((0, 0), (1, 1), (0, 0), (0, 3)))


def _computed_border(x: Any) -> Any:
    return lax.pad(convolved(8, 16)(x), x[0, 0, 0, 0], [(0, 0, 0), (1, 1, 0), (1, 1, 0), (0, 0, 0)])


def _between(x: Any) -> Any:
    return lax.pad(convolved(8, 16)(x), np.float32(2), [(0, 0, 0), (1, 1, 1), (1, 1, 0), (0, 0, 0)])


def _cut(x: Any) -> Any:
    return lax.pad(convolved(8, 16)(x), np.float32(2), [(0, 0, 0), (-1, 2, 0), (1, -1, 0), (0, 0, 0)])


def _of_a_pad(x: Any) -> Any:
    first = padded(convolved(8, 16), (0, 1, 1, 0), (0, 1, 1, 0))(x)
    return jnp.pad(lax.optimization_barrier(first), ((0, 0), (2, 0), (0, 2), (0, 0)), constant_values=4.0)


OTHERS = [_twice, _features, _computed_border, _between, _cut, _of_a_pad, _wrapped, _reversed, _reshaped]
OTHERS += [_as_integers, _as_truth]


@pytest.mark.parametrize("function", OTHERS)
def test_other_pads(function: Function) -> None:
    """Results that have other readers or types, epilogues of all kinds, and borders that the kernel does not fill."""
    x = values(2, 6, 5, 8)
    main = ts.load(ts.compile(jax.jit(function).lower(x)), device="cpu:threads=2")["main"]
    for found, expected in zip(jax.tree.leaves(main(x)), jax.tree.leaves(function(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_a_network_of_them() -> None:
    """Pointwise and depthwise convolutions in turns, as in mobilenet; the padded tensors share one arena."""
    weights = [values(3, 3, 1, 16, seed=i) / 9 for i in range(3)]

    def network(x: Any) -> Any:
        for i, w in enumerate(weights):
            y = convolved(16, 16)(x) / 16
            low = ((1, 1), (1, 1)) if i % 2 else ((0, 1), (0, 1))
            y = lax.conv_general_dilated(
                y, w, (1, 1), low, dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=16
            )
            x = x[:, : y.shape[1], : y.shape[2]] + y
        return x

    x = values(2, 14, 13, 16)
    artifact = ts.compile(jax.jit(network).lower(x))
    assert sum(WRITTEN_INSIDE in kernel for kernel in kernels(artifact)) >= 2
    for threads in (1, 2):
        main = ts.load(artifact, device=f"cpu:threads={threads}")["main"]
        np.testing.assert_allclose(main(x), network(x), rtol=1e-4, atol=1e-4)
