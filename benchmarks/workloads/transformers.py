"""Transformers with random weights: encoders of a sequence, and a step of a decoder."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .base import Array, Bound, Parameters, Workload, draw_normal, draw_uniform, functional, normal, torch_twin
from .streams import EPSILON, jax_layer_norm

EMBEDDINGS = ("tokens", "positions")


def _linear_layout(name: str, value: Array) -> Array:
    """Linear layers [input, output] -> [output, input]; tables of embeddings stay."""
    return value.T if value.ndim == 2 and name not in EMBEDDINGS else value


def _draw_linear(rng: np.random.Generator, weights: dict[str, Array], name: str, m: int, n: int, scale: float) -> None:
    weights[f"{name}_kernel"] = draw_normal(rng, m, n, scale=scale)
    weights[f"{name}_bias"] = draw_normal(rng, n, scale=0.02)


def _draw_norm(rng: np.random.Generator, weights: dict[str, Array], name: str, features: int) -> None:
    weights[f"{name}_scale"] = draw_uniform(rng, 0.8, 1.2, features)
    weights[f"{name}_bias"] = draw_normal(rng, features, scale=0.05)


def _jax_linear(w: Parameters, name: str, x: Any) -> Any:
    return x @ w[f"{name}_kernel"] + w[f"{name}_bias"]


def _jax_norm(w: Parameters, name: str, x: Any) -> Any:
    return jax_layer_norm(x, w[f"{name}_scale"], w[f"{name}_bias"])


def _torch_linear(w: Parameters, name: str, x: Any) -> Any:
    return functional().linear(x, w[f"{name}_kernel"], w[f"{name}_bias"])


def _torch_norm(w: Parameters, name: str, x: Any) -> Any:
    return functional().layer_norm(x, x.shape[-1:], w[f"{name}_scale"], w[f"{name}_bias"], EPSILON)


@dataclass(frozen=True)
class Encoder:
    """Self-attention and a feed-forward part per layer, each with its sum normalized behind it (BERT)."""

    layers: int
    features: int
    heads: int
    hidden: int
    length: int = 128

    @property
    def flops(self) -> float:
        f = self.features
        return 2 * self.layers * self.length * (4 * f * f + 2 * self.length * f + 2 * f * self.hidden)

    def weights(self) -> dict[str, Array]:
        rng = np.random.default_rng(7)
        f, scale = self.features, 0.02 * (768 / self.features) ** 0.5
        weights: dict[str, Array] = {}
        for i in range(self.layers):
            for name in ("query", "key", "value", "out"):
                _draw_linear(rng, weights, f"layer{i}_{name}", f, f, scale)
            _draw_linear(rng, weights, f"layer{i}_up", f, self.hidden, scale)
            _draw_linear(rng, weights, f"layer{i}_down", self.hidden, f, scale)
            for name in ("attention_norm", "norm"):
                _draw_norm(rng, weights, f"layer{i}_{name}", f)
        return weights

    def of_jax(self, w: Parameters, x: Any) -> Any:
        width = self.features // self.heads
        for i in range(self.layers):
            layer = f"layer{i}"
            q, k, v = (
                _jax_linear(w, f"{layer}_{n}", x).reshape(1, self.length, self.heads, width).transpose(0, 2, 1, 3)
                for n in ("query", "key", "value")
            )
            a = jax.nn.softmax((q @ k.transpose(0, 1, 3, 2)) * width**-0.5, -1) @ v
            a = a.transpose(0, 2, 1, 3).reshape(1, self.length, self.features)
            x = _jax_norm(w, f"{layer}_attention_norm", x + _jax_linear(w, f"{layer}_out", a))
            h = jax.nn.gelu(_jax_linear(w, f"{layer}_up", x), approximate=False)
            x = _jax_norm(w, f"{layer}_norm", x + _jax_linear(w, f"{layer}_down", h))
        return x

    def of_torch(self, w: Parameters, x: Any) -> Any:
        f, width = functional(), self.features // self.heads
        for i in range(self.layers):
            layer = f"layer{i}"
            q, k, v = (
                _torch_linear(w, f"{layer}_{n}", x).reshape(1, self.length, self.heads, width).transpose(1, 2)
                for n in ("query", "key", "value")
            )
            a = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, self.length, self.features)
            x = _torch_norm(w, f"{layer}_attention_norm", x + _torch_linear(w, f"{layer}_out", a))
            h = f.gelu(_torch_linear(w, f"{layer}_up", x))
            x = _torch_norm(w, f"{layer}_norm", x + _torch_linear(w, f"{layer}_down", h))
        return x

    def workload(self, name: str, description: str) -> Workload:
        return Workload(
            name,
            f"{description}: {self.layers} layers, {self.features} features, {self.length} tokens",
            self.of_jax,
            torch_twin(self.of_torch, _linear_layout),
            lambda: (normal(1, 1, self.length, self.features),),
            self.weights,
            flops=self.flops,
            bound=Bound.COMPUTE,
        )


@dataclass(frozen=True)
class Decoder:
    """GPT-2: norms before attention and feed-forward part; one token behind a full cache of keys and values."""

    layers: int = 12
    features: int = 768
    heads: int = 12
    hidden: int = 3072
    vocabulary: int = 50257
    positions: int = 1024
    cached: int = 512

    @property
    def _parameters(self) -> float:
        return self.layers * 12 * self.features**2 + self.vocabulary * self.features

    @property
    def _cache_elements(self) -> float:
        return 2 * self.layers * self.cached * self.features

    @property
    def flops(self) -> float:
        return 2 * (self._parameters + self._cache_elements)

    @property
    def bytes(self) -> float:
        return 4 * (self._parameters + self._cache_elements)

    def weights(self) -> dict[str, Array]:
        rng = np.random.default_rng(8)
        f = self.features
        weights = {
            "tokens": draw_normal(rng, self.vocabulary, f, scale=0.02),
            "positions": draw_normal(rng, self.positions, f, scale=0.02),
        }
        sizes = {"qkv": (f, 3 * f), "out": (f, f), "up": (f, self.hidden), "down": (self.hidden, f)}
        for i in range(self.layers):
            for name, (m, n) in sizes.items():
                _draw_linear(rng, weights, f"layer{i}_{name}", m, n, 0.02)
            for name in ("attention_norm", "norm"):
                _draw_norm(rng, weights, f"layer{i}_{name}", f)
        _draw_norm(rng, weights, "last_norm", f)
        return weights

    def inputs(self) -> tuple[Array, ...]:
        rng = np.random.default_rng(1)
        cache = (self.layers, self.heads, self.cached, self.features // self.heads)
        token, position = np.array([1234], np.int32), np.array([self.cached], np.int32)
        return token, position, draw_normal(rng, *cache), draw_normal(rng, *cache)

    def of_jax(self, w: Parameters, token: Any, position: Any, keys: Any, values: Any) -> Any:
        width = self.features // self.heads
        x = jnp.take(w["tokens"], token, 0, mode="clip") + jnp.take(w["positions"], position, 0, mode="clip")
        new_keys: list[Any] = []
        new_values: list[Any] = []
        for i in range(self.layers):
            layer = f"layer{i}"
            qkv = _jax_linear(w, f"{layer}_qkv", _jax_norm(w, f"{layer}_attention_norm", x))
            q, k, v = (part.reshape(self.heads, 1, width) for part in jnp.split(qkv, 3, -1))
            new_keys.append(k)
            new_values.append(v)
            scores = jnp.concatenate([q @ keys[i].transpose(0, 2, 1), q @ k.transpose(0, 2, 1)], -1)
            a = jax.nn.softmax(scores * width**-0.5, -1)
            a = a[..., : self.cached] @ values[i] + a[..., self.cached :] * v
            x = x + _jax_linear(w, f"{layer}_out", a.reshape(1, self.features))
            h = jax.nn.gelu(_jax_linear(w, f"{layer}_up", _jax_norm(w, f"{layer}_norm", x)), approximate=True)
            x = x + _jax_linear(w, f"{layer}_down", h)
        return _jax_norm(w, "last_norm", x) @ w["tokens"].T, jnp.stack(new_keys), jnp.stack(new_values)

    def of_torch(self, w: Parameters, token: Any, position: Any, keys: Any, values: Any) -> Any:
        torch: Any = importlib.import_module("torch")
        f, width = functional(), self.features // self.heads
        x = f.embedding(token, w["tokens"]) + f.embedding(position, w["positions"])
        new_keys: list[Any] = []
        new_values: list[Any] = []
        for i in range(self.layers):
            layer = f"layer{i}"
            qkv = _torch_linear(w, f"{layer}_qkv", _torch_norm(w, f"{layer}_attention_norm", x))
            q, k, v = (part.reshape(self.heads, 1, width) for part in qkv.split(self.features, -1))
            new_keys.append(k)
            new_values.append(v)
            scores = torch.cat([q @ keys[i].transpose(1, 2), q @ k.transpose(1, 2)], -1)
            a = f.softmax(scores * width**-0.5, -1)
            a = a[..., : self.cached] @ values[i] + a[..., self.cached :] * v
            x = x + _torch_linear(w, f"{layer}_out", a.reshape(1, self.features))
            h = f.gelu(_torch_linear(w, f"{layer}_up", _torch_norm(w, f"{layer}_norm", x)), approximate="tanh")
            x = x + _torch_linear(w, f"{layer}_down", h)
        return f.linear(_torch_norm(w, "last_norm", x), w["tokens"]), torch.stack(new_keys), torch.stack(new_values)

    def workload(self, name: str) -> Workload:
        return Workload(
            name,
            f"one token through the shape of GPT-2 small, {self.cached} in the cache",
            self.of_jax,
            torch_twin(self.of_torch, _linear_layout),
            self.inputs,
            self.weights,
            flops=self.flops,
            bytes=self.bytes,
            bound=Bound.MEMORY,
        )


TRANSFORMERS = (
    Encoder(12, 768, 12, 3072).workload("bert_base", "the shape of BERT base"),
    Encoder(6, 384, 12, 1536).workload("minilm", "the shape of MiniLM-L6"),
    Decoder().workload("gpt2_decode"),
)
