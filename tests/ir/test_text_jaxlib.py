"""jaxlib's own reader takes what is printed, and finds the same module in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
lax = pytest.importorskip("jax.lax")
ir = pytest.importorskip("jaxlib.mlir.ir")
mlir_dialects = pytest.importorskip("jaxlib.mlir.dialects")

DATA = Path(__file__).parent / "data"


def context() -> Any:
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext
    from jaxlib.mlir.dialects import chlo, sdy, stablehlo

    made = ir.Context()
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    made.append_dialect_registry(registry)
    made.load_all_available_dialects()
    stablehlo.register_dialect(made)
    chlo.register_dialect(made)
    sdy.register_dialect(made)
    return made


def canonical(text: str) -> str:
    """The generic form that jaxlib prints, without attributes that spell out their defaults."""
    with context():
        module = ir.Module.parse(text)
        generic = module.operation.get_asm(print_generic_op_form=True)
    return re.sub(r"(indices_are_sorted|unique_indices) = false(, )?", "", generic).replace(", }", "}")


def check(text: str) -> None:
    expected = canonical(text)
    module = parse_module(text, "jax.mlir")
    verify(module)
    assert canonical(print_op(module)) == expected
    assert canonical(print_op(module, generic=True)) == expected


@pytest.mark.parametrize(
    "name",
    [
        "stablehlo_generic",
        "stablehlo_pretty",
        "stablehlo_more",
        "chlo",
        "jax_lstm",
        "jax_sort",
        "jax_softmax_locations",
    ],
)
def test_stored_texts(name: str) -> None:
    check((DATA / f"{name}.mlir").read_text())


def f32(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, np.float32)


def i32(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, np.int32)


def conv_net(x: Any, w: Any, v: Any) -> Any:
    y = lax.conv_general_dilated(x, w, (2, 2), [(1, 1), (0, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC"))
    y = lax.conv_general_dilated(
        y, v, (1, 1), "SAME", rhs_dilation=(2, 1), feature_group_count=4, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = jax.nn.relu(y)
    y = lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return y.mean((1, 2))


def attention(x: Any, w: Any) -> Any:
    q, k, v = jnp.split(x @ w, 3, axis=-1)
    scores = jnp.where(jnp.tril(jnp.ones((8, 8), bool)), q @ k.swapaxes(-1, -2), -jnp.inf)
    return jax.nn.gelu(jax.nn.softmax(scores, -1) @ v, approximate=False)


def recurrent(x: Any, w: Any) -> Any:
    def step(h: Any, e: Any) -> Any:
        h = jnp.tanh(h @ w + e)
        return h, h.sum()

    return lax.scan(step, jnp.zeros((2, 4)), x)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "conv": (conv_net, (f32(1, 9, 9, 3), f32(3, 3, 3, 4), f32(3, 3, 1, 4))),
    "conv_grad": (
        jax.grad(lambda x, w, v: conv_net(x, w, v).sum(), argnums=(0, 1)),
        (f32(1, 9, 9, 3), f32(3, 3, 3, 4), f32(3, 3, 1, 4)),
    ),
    "attention": (attention, (f32(2, 8, 6), f32(6, 12))),
    "scan": (recurrent, (f32(5, 2, 4), f32(4, 4))),
    "cond": (lambda x, p: lax.cond(p[0] > 0, jnp.sin, jnp.cos, x), (f32(3), i32(1))),
    "switch": (lambda x, p: lax.switch(p[0], [jnp.sin, jnp.cos, jnp.tan], x), (f32(3), i32(1))),
    "while": (lambda x: lax.while_loop(lambda c: c.sum() < 9, lambda c: c * 2, x), (f32(3),)),
    "sort": (lambda x: (jnp.sort(x), jnp.argsort(-x), lax.top_k(x, 2)), (f32(7),)),
    "gather": (lambda x, i: (x[i], x.at[i].add(1.0), jnp.take_along_axis(x, i[:, None], 1)), (f32(5, 4), i32(5))),
    "index": (lambda x, i: lax.dynamic_update_slice(x, x[:1, 1:3] * 2, (i[0], 0)), (f32(5, 4), i32(1))),
    "fft": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * 1j), (f32(8),)),
    "complex": (lambda x: jnp.abs(lax.complex(x, -x)), (f32(3),)),
    "argmax": (lambda x: (jnp.argmax(x, 1), x.var(0), jnp.cumsum(x, 0)), (f32(4, 5),)),
    "random": (lambda: jax.random.normal(jax.random.key(0), (3,)), ()),
    "rng_bits": (lambda k: lax.rng_bit_generator(k, (3,)), (jax.ShapeDtypeStruct((4,), np.uint32),)),
    "special": (
        lambda x: (jax.scipy.special.erfinv(x), lax.lgamma(x), lax.digamma(x), jnp.arcsin(x), lax.bessel_i1e(x)),
        (f32(3),),
    ),
    "integers": (
        lambda x: (x // 3, x % 3, x << 2, lax.population_count(x), lax.clz(x), x.astype(np.uint8), x > 1),
        (i32(3),),
    ),
    "pad_reverse": (lambda x: lax.pad(jnp.flip(x, 0), 0.0, [(1, -1, 0), (0, 2, 1)])[::2, ::-1], (f32(4, 5),)),
    "linalg": (lambda x: (jnp.linalg.cholesky(x), jax.scipy.linalg.solve_triangular(x, x)), (f32(3, 3),)),
    "bf16": (lambda x: (x.astype(jnp.bfloat16) @ x.astype(jnp.bfloat16)).astype(np.float32), (f32(4, 4),)),
    "precision": (lambda x: lax.dot(x, x, precision="highest"), (f32(4, 4),)),
    "bitcast": (lambda x: lax.bitcast_convert_type(x, np.uint8), (f32(4),)),
    "checkpoint": (jax.grad(lambda x: jax.checkpoint(jnp.sin)(x).sum()), (f32(4),)),
    "constants": (lambda x: x + np.arange(200, dtype=np.float32) + np.float32(np.nan), (f32(200),)),
    "einsum": (lambda x, y: jnp.einsum("bij,bjk->bik", x, y), (f32(2, 3, 4), f32(2, 4, 5))),
    "select_and_scatter": (
        jax.grad(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID").sum()),
        (f32(4, 4),),
    ),
    "barrier": (lambda x: lax.optimization_barrier((x, x + 1)), (f32(4),)),
    "reduce_precision": (lambda x: lax.reduce_precision(x, 5, 7), (f32(4),)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("debug_info", [False, True], ids=["plain", "locations"])
def test_lowered_functions(name: str, debug_info: bool) -> None:
    function, arguments = FUNCTIONS[name]
    check(jax.jit(function).lower(*arguments).as_text(debug_info=debug_info))
