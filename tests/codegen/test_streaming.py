"""Kernels over more memory than the caches hold, made small: whatever is larger than a line counts as large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import tesselle
from tesselle.codegen.common import lowering, streaming
from tesselle.dialects.core import memref, vector
from tesselle.dialects.core.func import FuncOp
from tesselle.support.options import CompileOptions

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

SHAPES = ((1, 64), (5, 1024), (7, 1000), (33, 17), (64, 5), (3, 4096))


def layer_norm(x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5)


PROGRAMS: dict[str, tuple[Callable[..., Any], bool, bool]] = {
    "add": (lambda x, y: jax.nn.relu(x * 2 + y), True, False),
    "gelu": (lambda x, y: jax.nn.gelu(x), True, False),
    "transpose": (lambda x, y: x.T + 1, True, False),
    "in-bf16": (lambda x, y: (x + y).astype(jnp.bfloat16), True, False),
    "softmax": (lambda x, y: jax.nn.softmax(x, -1), True, True),
    "softmax-of-two": (lambda x, y: jax.nn.softmax(x + y, -1), True, True),
    "layer-norm": (lambda x, y: layer_norm(x), True, True),
    "sum": (lambda x, y: x.sum(-1), False, False),
    "sum-and-copy": (lambda x, y: (x.sum(-1), x * 2), True, False),
}
"""Program -> whether rows of whole vectors are stored past the caches, whether the next ones are prefetched."""


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[FuncOp]:
    """The kernels that are compiled, for which everything is large."""
    found: list[FuncOp] = []

    def stream(function: FuncOp) -> str:
        found.append(function)
        return streaming.stream(function)

    monkeypatch.setattr(streaming, "LARGE_BYTES", 64)
    monkeypatch.setattr(lowering, "stream", stream)
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", PROGRAMS)
def test_results(name: str, shape: tuple[int, int], kernels: list[FuncOp]) -> None:
    program, stores, prefetches = PROGRAMS[name]
    rng = np.random.default_rng(0)
    arguments = [rng.normal(size=shape).astype(np.float32) for _ in range(2)]
    lowered = jax.jit(program, keep_unused=True).lower(*arguments)
    main = tesselle.load(tesselle.compile(lowered, options=CompileOptions(jobs=1, verify_each=True)))["main"]
    wanted = jax.tree.leaves(jax.jit(program)(*arguments))
    found = main(*arguments)
    for f, w in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        tolerance = 1e-2 if w.dtype == jnp.bfloat16 else 2e-6
        np.testing.assert_allclose(np.asarray(f, np.float32), np.asarray(w, np.float32), rtol=tolerance, atol=tolerance)
    if shape == (5, 1024):
        ops = [op for f in kernels for op in f.walk()]
        assert any(isinstance(op, vector.StoreOp) and op.nontemporal for op in ops) == stores
        assert any(isinstance(op, memref.PrefetchOp) for op in ops) == prefetches


def test_small_results_go_through_the_caches(kernels: list[FuncOp], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LARGE_BYTES", 1 << 20)
    x = np.ones((16, 1024), np.float32)
    tesselle.compile(jax.jit(lambda x: jax.nn.softmax(x, -1)).lower(x), options=CompileOptions(jobs=1))
    ops = [op for f in kernels for op in f.walk()]
    assert ops
    assert not any(isinstance(op, memref.PrefetchOp) or getattr(op, "nontemporal", False) for op in ops)


def test_what_is_updated_in_place_goes_through_the_caches(kernels: list[FuncOp]) -> None:
    """Its lines are in the caches already."""
    text = """
    ml_program.global private mutable @v(dense<1.0> : tensor<4096xf32>) : tensor<4096xf32>
    func.func @main(%x: tensor<4096xf32>) {
      %v = ml_program.global_load @v : tensor<4096xf32>
      %w = stablehlo.add %v, %x : tensor<4096xf32>
      ml_program.global_store @v = %w : tensor<4096xf32>
      return
    }
    """
    program = tesselle.load(tesselle.compile(text, options=CompileOptions(jobs=1)))
    session = program.new_session()
    for n in (2, 3):
        session["main"](np.ones(4096, np.float32))
        np.testing.assert_array_equal(session.state_dict()["v"], np.full(4096, n, np.float32))
    assert not any(getattr(op, "nontemporal", False) for f in kernels for op in f.walk())
