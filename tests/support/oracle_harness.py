"""Programs from JAX, run three ways: by JAX, by the reference on StableHLO, by the reference on the lowered linalg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_dtypes
import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.passes import Pipeline
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.passes.global_optimization import GLOBAL_OPTIMIZATION_PASSES
from tesselle.passes.input import INPUT_PASSES
from tesselle.reference import interpret

FLOATS = ("float32", "float64", "bfloat16", "float16")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
COMPLEX = ("complex64", "complex128")
BOOL = ("bool",)

EPSILON = {
    "float32": 2e-6,
    "float64": 1e-12,
    "bfloat16": 1.6e-2,
    "float16": 2e-3,
    "complex64": 4e-6,
    "complex128": 1e-11,
}
"""Relative tolerances: a few units in the last place of each type."""


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name)) if name in ("bfloat16",) else np.dtype(name)


def sample(dtype: str, shape: Sequence[int] = (3, 7), seed: int = 0, *, special: bool = True) -> np.ndarray[Any, Any]:
    """Values of many sizes and both signs; with `special` also -0, infinities and nan, or an integer's limits."""
    rng = np.random.default_rng(seed)
    kind = numpy_dtype(dtype)
    size = int(np.prod(shape))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in INTEGERS:
        info = np.iinfo(kind)
        values = rng.integers(-20 if info.min else 0, 20, size)
        if special and size >= 6:
            values = np.concatenate([np.array([0, 1, 2], np.int64), values[3:]])
            out = values.astype(kind)
            out[3:5] = info.min, info.max
            return rng.permutation(out).reshape(shape)
        return values.astype(kind).reshape(shape)
    values = rng.normal(size=size) * rng.choice([0.1, 1.0, 5.0], size)
    if dtype in COMPLEX:
        return (values + 1j * rng.normal(size=size)).astype(kind).reshape(shape)
    if special and size >= 10:
        values[:6] = 0.0, -0.0, np.inf, -np.inf, np.nan, 1.0
        values = rng.permutation(values)
    return values.astype(kind).reshape(shape)


def lowered(text: str) -> ModuleOp:
    """The module of a StableHLO text after input and global optimization, verified after every pass."""
    module = parse_module(text, "case.mlir")
    assert isinstance(module, ModuleOp)
    verify(module)
    Pipeline((*INPUT_PASSES, *GLOBAL_OPTIMIZATION_PASSES), verify_each=True).run(module)
    return module


def assert_close(found: Sequence[Any], expected: Sequence[Any], what: str, tolerance: float | None = None) -> None:
    """Equal dtypes and shapes; equal values for integers, close ones for floats (nan equals nan)."""
    assert len(found) == len(expected), what
    for i, (f, e) in enumerate(zip(found, expected, strict=True)):
        f, e = np.asarray(f), np.asarray(e)
        assert f.dtype == e.dtype, f"{what}, result {i}: {f.dtype} instead of {e.dtype}"
        assert f.shape == e.shape, f"{what}, result {i}: {f.shape} instead of {e.shape}"
        name = e.dtype.name
        if name not in EPSILON:
            np.testing.assert_array_equal(f, e, err_msg=f"{what}, result {i}")
            continue
        limit = EPSILON[name] if tolerance is None else max(tolerance, EPSILON[name] if name != "float32" else 0)
        wide = np.complex128 if name.startswith("complex") else np.float64
        np.testing.assert_allclose(
            f.astype(wide), e.astype(wide), rtol=limit, atol=limit, err_msg=f"{what}, result {i}"
        )


def check(function: Callable[..., Any], *args: Any, tolerance: float | None = None) -> ModuleOp:
    """JAX, the reference and the lowered program agree on `args`; returns the lowered program."""
    wanted = jax.tree.leaves(jax.jit(function)(*args))
    text = jax.jit(function, keep_unused=True).lower(*args).as_text()
    arrays = [np.asarray(a) for a in jax.tree.leaves(args)]
    module = parse_module(text, "case.mlir")
    assert isinstance(module, ModuleOp)
    verify(module)
    meaning = interpret(module, "main", arrays)
    assert_close(meaning, wanted, "the reference and JAX", tolerance)
    result = lowered(text)
    assert_close(interpret(result, "main", arrays), meaning, "linalg and the reference", tolerance)
    return result
