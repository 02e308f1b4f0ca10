"""Programs of dynamic shapes beside the programs of the same static shapes, one thread.

Each network is compiled once with `?` for batch and sequence, and once for every size; the two take turns.
`dynamic_over_static` is the ratio of their median processor times: 1 is what is aimed at, above 1.1 is a fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

import tesselle as ts

Array = Any
Network = Callable[[Array], Array]


class Weights:
    """Random weights by name, made when they are first asked for."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.made: dict[str, Array] = {}

    def __call__(self, name: str, *shape: int) -> Array:
        """Of a size that keeps what passes through the network about the same."""
        if name not in self.made:
            scale = float(np.prod(shape[:-1])) ** -0.5 if len(shape) > 1 else 0.1
            self.made[name] = (self.rng.standard_normal(shape, np.float32) * np.float32(scale)).astype(np.float32)
        return self.made[name]


def resnet50() -> Network:
    """He, Zhang, Ren and Sun 2015, "Deep Residual Learning", with batch norm of fixed statistics."""
    w = Weights()

    def convolution(x: Array, name: str, kernel: int, features: int, stride: int = 1) -> Array:
        filters = w(f"{name} filters", kernel, kernel, x.shape[-1], features)
        edge = (kernel - 1) // 2
        padding = [(edge, edge)] * 2
        y = lax.conv_general_dilated(x, filters, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        mean, variance, scale, offset = (w(f"{name} {k}", features) for k in ("mean", "variance", "scale", "offset"))
        return (y - mean) * (lax.rsqrt(variance**2 + 1.0) * (scale + 1)) + offset

    def network(x: Array) -> Array:
        x = jax.nn.relu(convolution(x, "stem", 7, 64, 2))
        x = lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
        for stage, (channels, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
            for block in range(blocks):
                name, stride = f"{stage}.{block}", 2 if stage and not block else 1
                y = jax.nn.relu(convolution(x, f"{name}a", 1, channels))
                y = jax.nn.relu(convolution(y, f"{name}b", 3, channels, stride))
                y = convolution(y, f"{name}c", 1, 4 * channels)
                shortcut = x if block else convolution(x, f"{name}d", 1, 4 * channels, stride)
                x = jax.nn.relu(shortcut + y)
        return x.mean((1, 2)) @ w("classes", 2048, 1000) + w("offsets", 1000)

    return network


def encoder(layers: int = 6, width: int = 384, heads: int = 12, hidden: int = 1536) -> Network:
    """The encoder of all-MiniLM-L6-v2."""
    w = Weights()

    def linear(x: Array, name: str, features: int) -> Array:
        return x @ w(f"{name} weights", x.shape[-1], features) + w(f"{name} offsets", features)

    def norm(x: Array, name: str) -> Array:
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        scale, offset = w(f"{name} scale", width), w(f"{name} offset", width)
        return (x - mean) * lax.rsqrt(variance + 1e-5) * (scale + 1) + offset

    def network(x: Array) -> Array:
        batch, length, _ = x.shape
        for i in range(layers):
            q, k, v = (linear(x, f"{i}{n}", width).reshape(batch, length, heads, -1) for n in "qkv")
            q, k, v = (t.transpose(0, 2, 1, 3) for t in (q, k, v))
            attention = jax.nn.softmax((q @ k.transpose(0, 1, 3, 2)) * (heads / width) ** 0.5, -1)
            mixed = (attention @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)
            x = norm(x + linear(mixed, f"{i}o", width), f"{i}m")
            x = norm(x + linear(jax.nn.gelu(linear(x, f"{i}h", hidden), approximate=False), f"{i}g", width), f"{i}n")
        return x

    return network


def multi_layer_perceptron() -> Network:
    """784 -> 1024 -> 1024 -> 10 with ReLU."""
    w = Weights()

    def network(x: Array) -> Array:
        for i, features in enumerate((1024, 1024, 10)):
            x = x @ w(f"{i} weights", x.shape[-1], features) + w(f"{i} offsets", features)
            x = jnp.maximum(x, 0) if features > 10 else x
        return x

    return network


NETWORKS: dict[str, tuple[Callable[[], Network], str]] = {
    "resnet50": (resnet50, "b,224,224,3"),
    "encoder": (encoder, "b,s,384"),
    "mlp": (multi_layer_perceptron, "b,784"),
}

SIZES: list[tuple[str, tuple[int, ...]]] = [
    *(("resnet50", (b, 224, 224, 3)) for b in (1, 2, 8)),
    *(("encoder", (1, s, 384)) for s in (7, 16, 31, 64, 100, 128)),
    *(("encoder", (b, s, 384)) for b, s in ((2, 16), (4, 128))),
    *(("mlp", (b, 784)) for b in (1, 2, 7, 64)),
]


def load_one_thread(network: Network, shape: Sequence[Any]) -> Callable[..., Any]:
    exported = export.export(jax.jit(network))(jax.ShapeDtypeStruct(shape, np.float32))
    return ts.load(ts.compile(exported, targets=["cpu"]), device="cpu:threads=1")["main"]


@cache
def network_of(name: str) -> Network:
    return NETWORKS[name][0]()


@cache
def dynamic_program(name: str) -> Callable[..., Any]:
    return load_one_thread(network_of(name), tuple(export.symbolic_shape(NETWORKS[name][1])))


@pytest.mark.parametrize(("name", "shape"), SIZES, ids=lambda p: p if isinstance(p, str) else "x".join(map(str, p)))
def bench_dynamic_shapes(benchmark: Any, name: str, shape: tuple[int, ...]) -> None:
    programs = {"dynamic": dynamic_program(name), "static": load_one_thread(network_of(name), shape)}
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    want = programs["static"](x)
    np.testing.assert_allclose(programs["dynamic"](x), want, atol=1e-6 * abs(want).max())
    spent: dict[str, list[float]] = {kind: [] for kind in programs}

    def turns() -> None:
        """Processor time: on a machine that others use, too, the time on the clock says little."""
        for kind, program in programs.items():
            started = time.thread_time()
            program(x)
            spent[kind].append(time.thread_time() - started)

    turns()
    rounds = 15 if name == "resnet50" else 61
    benchmark.pedantic(lambda: programs["dynamic"](x), setup=turns, rounds=rounds, warmup_rounds=1)
    medians = {kind: float(np.median(times)) for kind, times in spent.items()}
    for kind, median in medians.items():
        benchmark.extra_info[f"{kind}_ms"] = round(median * 1e3, 3)
    benchmark.extra_info["dynamic_over_static"] = round(medians["dynamic"] / medians["static"], 3)
