# ruff: noqa: E501  (a line for each function)
"""JAX's shape polymorphism: functions exported once for sizes with names, arithmetic on them and constraints.

JAX, which compiles anew for every size, says what is right for a few; the reference, which it agrees with there, for 200
without JAX's promise that no size is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest
from jax import core, export, lax
from jax import numpy as jnp
from oracle_harness import assert_close
from random_sizes import SIZES, SMALL, combinations, without_promises

import tesselle
from tesselle.ir.text import parse_module
from tesselle.reference import interpret

F32, I32 = np.float32, np.int32


@dataclass(frozen=True)
class Case:
    """`function` of arguments whose shapes are `shapes`, for each of `sizes`: the symbols' values.

    `least`: sizes below which the program makes no sense: it takes an element of none, slides a window of size 0 (as
    cumulative sums do), puts a row where there is none, or a loop never ends as it waits for a sum of nothing to grow.
    `drawn`: the sizes that the 200 calls are made of.
    """

    function: Callable[..., Any]
    shapes: Sequence[str]
    sizes: Sequence[dict[str, int]]
    constraints: Sequence[str] = ()
    dtypes: Sequence[Any] = ()
    tolerance: float = 2e-5
    least: Mapping[str, int] = field(default_factory=dict[str, int])
    drawn: Sequence[int] = SIZES


def sizes(**values: Sequence[int]) -> list[dict[str, int]]:
    """One dictionary for each place in the lists."""
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


BC = sizes(b=(1, 5, 3), c=(1, 2, 7))
BIG = sizes(b=(2, 4, 7))


def attention(q: Any, k: Any, v: Any) -> Any:
    scores = jnp.einsum("bshd,bthd->bhst", q, k) / np.sqrt(4).astype(F32)
    mask = jnp.tril(jnp.ones((q.shape[1], k.shape[1]), bool))
    return jnp.einsum("bhst,bthd->bshd", jax.nn.softmax(jnp.where(mask, scores, -1e9), -1), v)


def layer_norm(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)


def rnn(x: Any, h: Any) -> Any:
    return lax.scan(lambda h, r: ((h + jnp.tanh(r)) / 2, h.sum(-1)), h, x)


def loss(w: Any, x: Any, y: Any) -> Any:
    return ((jnp.tanh(x @ w) - y) ** 2).mean()


def pooled(x: Any) -> Any:
    return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2), (1, 2, 2), "SAME")


def convolved(x: Any, w: Any) -> Any:
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


CASES: dict[str, Case] = {
    "product": Case(lambda x, y: x @ y, ["b, k", "k, c"], sizes(b=(1, 4), k=(3, 1), c=(2, 9))),
    "product-of-three": Case(lambda x, y: jnp.einsum("abc,cd->adb", x, y), ["a, b, c", "c, 4"], sizes(a=(1, 3), b=(2, 5), c=(4, 1))),
    "outer": Case(lambda x, y: x[:, None] + y[None, :], ["b", "c"], BC),
    "row-and-column": Case(lambda x, y: x * y, ["b, 1", "1, c"], BC),
    "concatenate": Case(lambda x, y: jnp.concatenate([x, y, x]), ["b, 3", "c, 3"], BC),
    "stack": Case(lambda x: jnp.stack([x, x * 2], 1), ["b, c"], BC),
    "tile": Case(lambda x: jnp.tile(x, (2, 3)), ["b, c"], BC),
    "repeat": Case(lambda x: jnp.repeat(x, 2, axis=0), ["b, c"], BC),
    "flatten": Case(lambda x: x.reshape(-1), ["b, c"], BC),
    "unflatten": Case(lambda x: x.reshape(x.shape[0], 2, -1), ["b, 2*c"], BC),
    "merge": Case(lambda x: x.reshape(x.shape[0] * 2, -1), ["b, 2, c"], BC),
    "half": Case(lambda x: x[: x.shape[0] // 2] * 2, ["b, c"], BC),
    "other-half": Case(lambda x: x[x.shape[0] // 2 :], ["b"], BIG),
    "every-other": Case(lambda x: x[::2], ["b"], BIG, ["b>=2"], least={"b": 2}),
    "without-ends": Case(lambda x: x[1:-1], ["b"], BIG, ["b>=2"], least={"b": 2}),
    "remainder": Case(lambda x: x[: x.shape[0] % 3], ["b"], BIG),
    "least": Case(lambda x, y: x[: core.min_dim(x.shape[0], y.shape[0])], ["b", "c"], BC),
    "greatest": Case(
        lambda x, y: jnp.pad(x, (0, core.max_dim(x.shape[0], y.shape[0]) - x.shape[0])), ["b", "c"], BC
    ),
    "one-more": Case(lambda x, y: x[:-1] + y, ["b + 1", "b"], BIG),
    "two-for-one": Case(lambda x, y: x.reshape(-1, 2).sum(1) + y, ["2*b", "b"], BIG),
    "sum-of-two": Case(lambda x, y, z: jnp.concatenate([x, y]) * z, ["b", "c", "b + c"], BC),
    "floordiv": Case(lambda x, y: x[: y.shape[0]] + y, ["b", "floordiv(b, 2)"], BIG, ["b>=2"], least={"b": 2}),
    "mean": Case(lambda x: x.mean(0) + x.shape[0], ["b, c"], BC),
    "softmax": Case(lambda x: jax.nn.softmax(x, 0), ["b, c"], BC),
    "layer-norm": Case(layer_norm, ["b, c"], BC, tolerance=1e-4),
    "logsumexp": Case(lambda x: jax.scipy.special.logsumexp(x, -1), ["b, c"], BC),
    "cumsum": Case(lambda x: jnp.cumsum(x, 0), ["b, c"], BC, tolerance=1e-4, least={"b": 1}),
    "cummax": Case(lambda x: lax.cummax(x, 1), ["b, c"], BC, least={"c": 1}),
    "argmax": Case(lambda x: (jnp.argmax(x, 1), jnp.argmin(x, 0)), ["b, c"], BC),
    "sort": Case(lambda x: jnp.sort(x, 1), ["b, c"], BC),
    "argsort": Case(lambda x: jnp.argsort(x, 0), ["b, c"], BC),
    "top-k": Case(lambda x: lax.top_k(x, 2), ["b, c"], sizes(b=(1, 3), c=(2, 5)), ["c>=2"], least={"c": 2}),
    "arange": Case(lambda x: x + jnp.arange(x.shape[0]), ["b"], BIG),
    "eye": Case(lambda x: x @ jnp.eye(x.shape[1], dtype=F32), ["b, c"], BC),
    "triangle": Case(lambda x: jnp.tril(x) + jnp.triu(x, 1), ["b, b"], BIG),
    "flip": Case(lambda x: jnp.flip(x), ["b, c"], BC),
    "roll": Case(lambda x: jnp.roll(x, 1, 0), ["b, c"], BC),
    "pad": Case(lambda x: jnp.pad(x, ((1, 2), (0, 1)), constant_values=3), ["b, c"], BC),
    "where": Case(lambda x, y: jnp.where(x > 0, x, y), ["b, c", "b, c"], BC),
    "take": Case(lambda x, i: jnp.take(x, i, axis=0, mode="clip"), ["b, c", "n"], sizes(b=(1, 4), c=(2, 3), n=(5, 2)), dtypes=(F32, I32), least={"b": 1}),
    "take-along": Case(lambda x, i: jnp.take_along_axis(x, i, 1, mode="clip"), ["b, c", "b, n"], sizes(b=(1, 4), c=(2, 3), n=(5, 2)), dtypes=(F32, I32), least={"c": 1}),
    "embedding": Case(lambda t, i: t[i], ["9, c", "b, s"], sizes(b=(1, 2), c=(3, 4), s=(5, 1)), dtypes=(F32, I32)),
    "scatter-add": Case(lambda x, i, u: x.at[i].add(u, mode="drop"), ["b, c", "n", "n, c"], sizes(b=(1, 4), c=(2, 3), n=(5, 2)), dtypes=(F32, I32, F32)),
    "one-hot": Case(lambda i: jax.nn.one_hot(i, 5), ["b"], BIG, dtypes=(I32,)),
    "segment-sum": Case(lambda x, i: jax.ops.segment_sum(x, i, 4), ["b, c", "b"], BC, dtypes=(F32, I32)),
    "dynamic-slice": Case(lambda x, i: lax.dynamic_slice(x, (i[0], I32(0)), (2, x.shape[1])), ["b, c", "1"], sizes(b=(2, 5), c=(3, 1)), ["b>=2"], dtypes=(F32, I32), least={"b": 2}),
    "dynamic-update": Case(lambda x, u, i: lax.dynamic_update_slice(x, u, (i[0], I32(0))), ["b, c", "1, c", "1"], BC, dtypes=(F32, F32, I32), least={"b": 1}),
    "convolution": Case(convolved, ["b, h, w, 2", "3, 3, 2, 4"], sizes(b=(1, 2), h=(3, 8), w=(7, 4)), drawn=SMALL),
    "pool": Case(pooled, ["b, h, w"], sizes(b=(1, 2), h=(3, 8), w=(7, 4)), drawn=SMALL),
    "pool-gradient": Case(jax.grad(lambda x: pooled(x).sum()), ["b, h, w"], sizes(b=(1, 2), h=(4, 8), w=(6, 4)), drawn=SMALL),
    "scan": Case(rnn, ["t, b, c", "b, c"], sizes(t=(1, 6), b=(2, 3), c=(4, 1)), drawn=SMALL),
    "for": Case(lambda x: lax.fori_loop(0, x.shape[0], lambda i, s: s + x[i], x[0] * 0), ["b, c"], BC, least={"b": 1}),
    "while": Case(lambda x: lax.while_loop(lambda s: s.sum() < 100, lambda s: s * 2, jnp.abs(x) + 1), ["b, c"], BC, least={"b": 1, "c": 1}),
    "cond": Case(lambda x: lax.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, x), ["b, c"], BC),
    "switch": Case(lambda i, x: lax.switch(i[0], [jnp.sin, jnp.cos, lambda x: x], x), ["1", "b, c"], BC, dtypes=(I32, F32)),
    "attention": Case(attention, ["b, s, 2, 4", "b, s, 2, 4", "b, s, 2, 4"], sizes(b=(1, 2), s=(5, 3))),
    "gradient": Case(jax.grad(loss), ["4, c", "b, 4", "b, c"], BC),
    "vmap": Case(jax.vmap(lambda x, y: jnp.outer(x, y)), ["b, c", "b, 3"], BC),
    "random": Case(lambda k, x: x + jax.random.uniform(jax.random.wrap_key_data(k), x.shape), ["2", "b, c"], BC, dtypes=(np.uint32, F32)),
    "fft": Case(lambda x: jnp.fft.fft(x).real, ["b, 8"], BIG),
    "cholesky": Case(lambda x: jnp.linalg.cholesky(x @ x.mT + 3 * jnp.eye(3)), ["b, 3, 3"], BIG, tolerance=1e-4),
    "nonzero": Case(lambda x: jnp.nonzero(x > 0, size=x.shape[0], fill_value=-1)[0], ["b"], BIG, least={"b": 1}),
    "diagonal": Case(lambda x: jnp.diagonal(x) + jnp.trace(x), ["b, b"], BIG),
    "kron": Case(jnp.kron, ["b, 2", "c, 3"], BC),
    "cross-entropy": Case(lambda x, i: -jnp.take_along_axis(jax.nn.log_softmax(x), i[:, None], 1, mode="clip").mean(), ["b, c", "b"], BC, dtypes=(F32, I32), least={"c": 1}),
    "median": Case(lambda x: jnp.median(x, 0), ["b, c"], BC, least={"b": 1}),
    "moveaxis": Case(lambda x: jnp.moveaxis(x, 0, -1), ["a, b, c"], sizes(a=(1, 2), b=(3, 1), c=(2, 4))),
    "interpolate": Case(lambda x: jax.image.resize(x, (2 * x.shape[0], 4), "linear"), ["b, 4"], BIG, tolerance=1e-4),
}  # fmt: skip


def exported(case: Case) -> Any:
    scope = export.SymbolicScope(case.constraints)
    dtypes = case.dtypes or [F32] * len(case.shapes)
    shapes = [export.symbolic_shape(text, scope=scope) for text in case.shapes]
    specs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    return export.export(jax.jit(case.function))(*specs)


def arguments(case: Case, values: dict[str, int], seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    drawn: list[Any] = []
    for i, shape in enumerate(case.shapes):
        names = {"floordiv": lambda a, b: a // b, **values}
        dims = eval(f"({shape},)", names)
        dtype = case.dtypes[i] if case.dtypes else F32
        x = rng.normal(size=dims) if dtype is F32 else rng.integers(0, 4, dims)
        drawn.append(x.astype(dtype))
    return drawn


@pytest.mark.parametrize("name", CASES)
def test_one_artifact_for_every_size(name: str) -> None:
    case = CASES[name]
    program = exported(case)
    function = tesselle.load(tesselle.compile(program))["main"]
    text = parse_module(program.mlir_module())
    kept = program.module_kept_var_idx
    for values in case.sizes:
        xs = arguments(case, values)
        wanted = jax.tree.leaves(jax.jit(case.function)(*xs))
        found = function(*xs)
        assert_close(found if isinstance(found, tuple) else (found,), wanted, f"{values}", case.tolerance)
        used = [x for i, x in enumerate(xs) if i in kept]
        assert_close(interpret(text, "main", used), wanted, f"the reference, {values}", case.tolerance)


@pytest.mark.parametrize("name", CASES)
def test_two_hundred_sizes(name: str) -> None:
    case = CASES[name]
    program = exported(case)
    text, kept = without_promises(program.mlir_module()), program.module_kept_var_idx
    function, module = tesselle.load(tesselle.compile(text))["main"], parse_module(text)
    seed = list(CASES).index(name)
    for i, values in enumerate(combinations(list(case.sizes[0]), case.least, sizes=case.drawn, seed=seed)):
        xs = [x for k, x in enumerate(arguments(case, values, i)) if k in kept]
        with np.errstate(all="ignore"):
            wanted = interpret(module, "main", xs)
        found = function(*xs)
        assert_close(found if isinstance(found, tuple) else (found,), wanted, f"{values}", case.tolerance)
