"""Programs of dynamic shapes, compiled once, against JAX and against the program of the same static shape.

Kernels are chosen for sizes that nobody knows when they are made: rows of any number, rows of unknown length whose
intermediates have no place of their own, sizes that are known to be equal or multiples. Every size here is one that
ends in another tail. The reference says what is right for 200 more, with 0 among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from random_sizes import SIZES, combinations, without_promises

from tesselle.compiler import compile, compile_to_text
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.diagnostics import InvocationError
from tesselle.support.options import CompileOptions

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = Any
Function = Callable[..., Any]


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """`shapes`: of the arguments, in JAX's symbols; `sizes`: what these are, one tuple for each call.

    `least`: sizes below which the program makes no sense. `drawn` and `elements`: what the 200 calls are made of, and
    how many places their sizes have together at most, where the reference takes long.
    """

    name: str
    function: Function
    shapes: tuple[str, ...]
    sizes: tuple[tuple[int, ...], ...]
    constraints: tuple[str, ...] = ()
    same_dispatches: bool = True
    least: Mapping[str, int] = field(default_factory=dict[str, int])
    drawn: Sequence[int] = SIZES
    elements: int = 100_000

    @property
    def symbols(self) -> list[str]:
        letters = [c for s in self.shapes for c in s if c.isalpha()]
        return list(dict.fromkeys(letters))

    def export(self, sizes: Sequence[int] | None = None) -> export.Exported:
        """With symbols, or for these sizes."""
        if sizes is None:
            scope = export.SymbolicScope(self.constraints)
            shapes = [export.symbolic_shape(s, scope=scope) for s in self.shapes]
        else:
            shapes = [self.shape(s, sizes) for s in self.shapes]
        return export.export(jax.jit(self.function))(*[jax.ShapeDtypeStruct(s, np.float32) for s in shapes])

    def shape(self, text: str, sizes: Sequence[int]) -> tuple[int, ...]:
        values = dict(zip(self.symbols, sizes, strict=True))
        return tuple(int(eval(part, {}, values)) for part in text.split(","))  # shapes of this file

    def arguments(self, sizes: Sequence[int]) -> list[Array]:
        return [normal(*self.shape(s, sizes), seed=i) for i, s in enumerate(self.shapes)]


def layer_norm(x: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5)


def attention(x: Array) -> Array:
    """Two heads of 16 over [b, s, 32]."""
    q, k, v = (x @ normal(32, 32, seed=i, scale=0.2) + normal(32, seed=i + 9) for i in range(3))
    q, k, v = (t.reshape(*x.shape[:2], 2, 16).transpose(0, 2, 1, 3) for t in (q, k, v))
    weights = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) * 0.25, -1)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape)


def encoder(x: Array) -> Array:
    """A transformer layer as MiniLM has six of."""
    x = layer_norm(x + attention(x) @ normal(32, 32, seed=20, scale=0.2))
    hidden = jax.nn.gelu(x @ normal(32, 80, seed=21, scale=0.2) + normal(80, seed=22), approximate=False)
    return layer_norm(x + hidden @ normal(80, 32, seed=23, scale=0.1))


def convolution(x: Array, seed: int, kernel: int, features: int, stride: int = 1) -> Array:
    """With batch norm, as ResNet has fifty of."""
    w = normal(kernel, kernel, x.shape[-1], features, seed=seed, scale=0.2)
    padding = [((kernel - 1) // 2,) * 2] * 2
    y = lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    mean, variance, scale, offset = (normal(features, seed=seed + i) for i in range(1, 5))
    return (y - mean) * (lax.rsqrt(variance**2 + 1.0) * scale) + offset


def residual_network(x: Array) -> Array:
    x = jax.nn.relu(convolution(x, 0, 3, 16, 2))
    x = lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = jax.nn.relu(convolution(x, 10, 1, 8))
    y = jax.nn.relu(convolution(y, 20, 3, 8))
    x = jax.nn.relu(convolution(y, 30, 1, 32) + convolution(x, 40, 1, 32))
    return x.mean((1, 2)) @ normal(32, 10, seed=50) + normal(10, seed=51)


def mlp(x: Array) -> Array:
    for i, (m, n) in enumerate(((24, 40), (40, 33))):
        x = jax.nn.relu(x @ normal(m, n, seed=i, scale=0.3) + normal(n, seed=i + 5))
    return x @ normal(33, 5, seed=9)


def online_softmax(x: Array) -> Array:
    """Rows whose exponentials several results need."""
    e = jnp.exp(x - x.max(-1, keepdims=True))
    return jnp.concatenate([e / e.sum(-1, keepdims=True), e * e], -1)


def stages(x: Array) -> Array:
    """Rows that are computed from rows, which are read again after they were summed up."""
    total = x.max(-1, keepdims=True)
    for _ in range(4):
        x = jnp.exp(jnp.tanh(x - total))
        total = x.sum(-1, keepdims=True) + total
    return x / total


def convolution_of_rows(x: Array, w: Array) -> Array:
    dims = ("NWC", "WIO", "NWC")
    return lax.conv_general_dilated(x[None], w, (1,), "SAME", dimension_numbers=dims)[0]


ROWS = ((1, 7), (2, 1), (3, 16), (5, 33), (17, 100), (64, 31))
BATCHES = tuple((b,) for b in (1, 2, 3, 4, 5, 13, 14, 15, 16, 17, 29, 31, 45))

CASES = (
    Case("mlp", mlp, ("b,24",), BATCHES),
    Case("encoder", encoder, ("b,s,32",), ((1, 1), (1, 7), (2, 16), (1, 31), (3, 5), (1, 64)), elements=400),
    Case("network", residual_network, ("b,20,20,3",), ((1,), (2,), (3,), (7,))),
    Case("softmax", lambda x: jax.nn.softmax(x, -1), ("b,s",), ROWS),
    Case("log-softmax", lambda x: jax.nn.log_softmax(x, -1), ("b,s",), ROWS),
    Case("softmax-in-bf16", lambda x: jax.nn.softmax(x, -1).astype(jnp.bfloat16).astype(jnp.float32), ("b,s",), ROWS),
    Case("softmax-of-columns", lambda x: jax.nn.softmax(x, 0), ("b,s",), ROWS),
    Case("masked", lambda x, m: jax.nn.softmax(jnp.where(m > 0, x, -1e9), -1), ("b,s", "b,s"), ROWS),
    Case("masked-by-row", lambda x, m: jax.nn.softmax(x + m[None, :], -1) * m, ("b,s", "s"), ROWS),
    # Rows of unknown length that three operations need are kept in memory.
    Case("exponentials-twice", online_softmax, ("b,s",), ROWS, same_dispatches=False),
    Case("layer-norm", layer_norm, ("b,s",), ROWS),
    Case("standardise", lambda x: (x - x.mean(0)) / (x.std(0) + 0.1), ("b,s",), ROWS),
    Case("rms-norm", lambda x, g: x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g, ("b,s", "s"), ROWS),
    Case("three-stages", lambda x: jnp.tanh(jnp.exp(-abs(x)) - x.sum(-1, keepdims=True)).sum(-1), ("b,s",), ROWS),
    Case("four-stages", stages, ("b,s",), ROWS, same_dispatches=False),
    Case("gradient", jax.grad(lambda x: (jax.nn.softmax(x, -1) ** 2).sum()), ("b,s",), ROWS, same_dispatches=False),
    Case("windows", convolution_of_rows, ("b,s", "3,s,4"), ROWS, same_dispatches=False),
    Case("outer", lambda x, y: x[:, None] * y[None, :] + 1, ("b", "s"), ROWS),
    Case("product", lambda x, y: jax.nn.relu(x @ y) + 1, ("b,s", "s,20"), ROWS),
    Case("gram", lambda x: x @ x.T, ("b,s",), ROWS),
    Case("batched-product", lambda x: jnp.einsum("bsd,btd->bst", x, x), ("b,s,9",), ((1, 7), (3, 16), (2, 33))),
    Case("flatten", lambda x: jnp.tanh(x.reshape(-1)) * 2, ("b,s",), ROWS),
    Case("merge", lambda x: layer_norm(x.reshape(-1, 12) @ normal(12, 12)), ("b,s,12",), ((1, 1), (3, 5), (2, 17))),
    Case("split", lambda x: x.reshape(-1, 4, x.shape[1]).sum(1), ("4*b,s",), ROWS),
    Case("sums", lambda x: (x.sum(), x.sum(0), x.max(1)), ("b,s",), ROWS),
    Case("concatenate", lambda x, y: jnp.concatenate([x, y]).mean(0), ("b,s", "7,s"), ROWS),
    Case("transpose", lambda x: x.T * 2, ("b,s",), ROWS),
    Case("sort", lambda x: jnp.sort(x, -1), ("b,s",), ROWS),
    Case("multiples", lambda x, y: jax.nn.softmax(x, -1) * y, ("8*b,16*s", "16*s"), ((1, 1), (2, 3), (3, 8))),
    # The static program is so small that all of it is one dispatch.
    Case(
        "bounded",
        lambda x: layer_norm(x) + x.max(0),
        ("b,s",),
        ROWS,
        ("s <= 128", "b >= 1"),
        same_dispatches=False,
        least={"b": 1},
    ),
)


def check(have: Any, want: Any, tolerance: float) -> None:
    have = have if isinstance(have, tuple) else (have,)
    for a, b in zip(have, jax.tree.leaves(want), strict=True):
        b = np.asarray(b, np.float64)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=tolerance * max(1.0, abs(b).max(initial=0)), rtol=0)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_one_program_for_all_sizes(case: Case) -> None:
    main = runtime.load(compile(case.export(), options=CompileOptions(verify_each=True, jobs=1)))["main"]
    tolerance = 1e-2 if "bf16" in case.name else 3e-5
    for sizes in (*case.sizes, *case.sizes):  # once more with the commands that the first call recorded
        arguments = case.arguments(sizes)
        check(main(*arguments), jax.jit(case.function)(*arguments), tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_two_hundred_sizes(case: Case) -> None:
    text = without_promises(case.export().mlir_module())
    main, module = runtime.load(compile(text, options=CompileOptions(jobs=1)))["main"], parse_module(text)
    tolerance = 1e-2 if "bf16" in case.name else 3e-5

    def legal(values: Mapping[str, int]) -> bool:
        return int(np.prod(list(values.values()))) <= case.elements

    for values in combinations(case.symbols, case.least, legal=legal, sizes=case.drawn):
        arguments = case.arguments([values[s] for s in case.symbols])
        with np.errstate(all="ignore"):  # means of nothing
            wanted = interpret(module, "main", arguments)
        check(main(*arguments), wanted, tolerance)


@pytest.mark.parametrize("name", ["mlp", "encoder", "network"])
def test_the_same_numbers_as_the_static_program(name: str) -> None:
    """Sums are cut at the same places whatever is known of the sizes."""
    case = next(c for c in CASES if c.name == name)
    main = runtime.load(compile(case.export(), options=CompileOptions(jobs=1)))["main"]
    for sizes in case.sizes[:3]:
        arguments = case.arguments(sizes)
        static = runtime.load(compile(case.export(sizes), options=CompileOptions(jobs=1)))["main"]
        np.testing.assert_allclose(main(*arguments), static(*arguments), rtol=3e-7, atol=3e-7)


def dispatches(exported: export.Exported) -> int:
    text = compile_to_text(exported, options=CompileOptions(compile_to="flow"))
    return text.count('"flow.dispatch"(')


@pytest.mark.parametrize("case", [c for c in CASES if c.same_dispatches], ids=lambda c: c.name)
def test_as_many_dispatches_as_the_static_program(case: Case) -> None:
    """What is fused where sizes are known is fused where they are not."""
    assert dispatches(case.export()) <= dispatches(case.export(case.sizes[-1]))


def test_promises_about_sizes_are_kept() -> None:
    """Kernels that rely on them never run on other sizes."""
    case = next(c for c in CASES if c.name == "multiples")
    main = runtime.load(compile(case.export(), options=CompileOptions(jobs=1)))["main"]
    for x, y in ((9, 32), (8, 24), (0, 16)):
        with pytest.raises(InvocationError, match="Input shapes do not match"):
            main(normal(x, y), normal(y))
    with pytest.raises(InvocationError, match="Input shapes do not match"):
        main(normal(8, 32), normal(16))


def test_many_sizes_one_after_the_other() -> None:
    """More than a session keeps commands for."""
    main = runtime.load(compile(CASES[0].export(), options=CompileOptions(jobs=1)))["main"]
    for b in (*range(1, 40), *range(39, 0, -1)):
        (x,) = CASES[0].arguments((b,))
        check(main(x), CASES[0].function(x), 3e-5)
