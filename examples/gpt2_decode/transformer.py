"""A transformer of the shape of GPT-2 small, decoded one token at a time, as plain JAX functions over one state.

The state holds the weights, which nothing changes, and for every layer a cache of keys and values with room for
`capacity` tokens, which each call extends by its own tokens at `position`.
Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; the blocks normalise first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

import tesselle.jax

State = dict[str, Any]
EPSILON = 1e-5
PREFIXES = (128, 256, 512)
"""Lengths of the cache for which attention has code of its own, below its capacity."""


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of GPT-2 small: 124 million parameters."""

    layers: int = 12
    features: int = 768
    heads: int = 12
    vocabulary: int = 50257
    capacity: int = 1024

    @property
    def width(self) -> int:
        """Features of one head."""
        return self.features // self.heads


def random_state(config: Config, seed: int = 0) -> State:
    """Weights drawn as GPT-2's are initialised, an empty cache, and position 0."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int, scale: float = 0.02) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape, np.float32) * np.float32(scale)

    def dense(inputs: int, outputs: int) -> State:
        return {"kernel": weights(inputs, outputs), "bias": weights(outputs)}

    def norm() -> State:
        return {"scale": 1 + weights(config.features), "bias": weights(config.features)}

    d = config.features
    layers = [
        {
            "norm_1": norm(),
            "query_key_value": dense(d, 3 * d),
            "project": dense(d, d),
            "norm_2": norm(),
            "expand": dense(d, 4 * d),
            "contract": dense(4 * d, d),
        }
        for _ in range(config.layers)
    ]
    cache = [
        {name: np.zeros((config.capacity, config.heads, config.width), np.float32) for name in ("keys", "values")}
        for _ in range(config.layers)
    ]
    params = {
        "tokens": weights(config.vocabulary, d),
        "positions": weights(config.capacity, d, scale=0.01),
        "layers": layers,
        "norm": norm(),
    }
    return {"params": params, "cache": cache, "position": np.int32(0)}


def layer_norm(params: State, x: jax.Array) -> jax.Array:
    """(x - mean) / sqrt(variance + ε) · scale + bias over the features."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centred * centred, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + EPSILON) * params["scale"] + params["bias"]


def dense(params: State, x: jax.Array) -> jax.Array:
    return x @ params["kernel"] + params["bias"]


def split_heads(config: Config, x: jax.Array) -> jax.Array:
    """[token, 3 · feature] → query, key and value, each [token, head, width]."""
    return jnp.transpose(x.reshape(x.shape[0], 3, config.heads, config.width), (1, 0, 2, 3))


def attend(query: jax.Array, keys: jax.Array, values: jax.Array, position: jax.Array | int) -> jax.Array:
    """Causal attention: the query of token i sees keys 0 … position + i. [token, head, width] → [token, feature]."""
    scores = jnp.einsum("qhw,khw->hqk", query, keys) * np.float32(query.shape[-1] ** -0.5)
    sees = jnp.arange(keys.shape[0])[None, :] <= position + jnp.arange(query.shape[0])[:, None]
    weights = jax.nn.softmax(jnp.where(sees, scores, -jnp.inf), axis=-1)
    mixed = jnp.einsum("hqk,khw->qhw", weights, values)
    return mixed.reshape(mixed.shape[0], -1)


def attend_prefix(query: jax.Array, keys: jax.Array, values: jax.Array, position: jax.Array) -> jax.Array:
    """`attend` to the shortest prefix of the cache that holds every token so far: a short text reads little of it."""
    capacity = keys.shape[0]
    lengths = [*(n for n in PREFIXES if n < capacity), capacity]
    end = position + query.shape[0]
    branches = [partial(_attend_first, length) for length in lengths]
    return jax.lax.switch(sum(jnp.int32(end > n) for n in lengths[:-1]), branches, query, keys, values, position)


def _attend_first(length: int, query: jax.Array, keys: jax.Array, values: jax.Array, position: jax.Array) -> jax.Array:
    return attend(query, keys[:length], values[:length], position)


def mlp(params: State, x: jax.Array) -> jax.Array:
    return dense(params["contract"], jax.nn.gelu(dense(params["expand"], x)))


def extend(config: Config, state: State, tokens: jax.Array) -> tuple[State, jax.Array]:
    """Append tokens [token] at the position; the logits [vocabulary] of what follows the last of them."""
    params, position = state["params"], state["position"]
    places = jax.lax.dynamic_slice_in_dim(params["positions"], position, tokens.shape[0])
    x = params["tokens"][tokens] + places
    cache: list[State] = []
    for layer, kept in zip(params["layers"], state["cache"], strict=True):
        query, key, value = split_heads(config, dense(layer["query_key_value"], layer_norm(layer["norm_1"], x)))
        keys = jax.lax.dynamic_update_slice(kept["keys"], key, (position, 0, 0))
        values = jax.lax.dynamic_update_slice(kept["values"], value, (position, 0, 0))
        cache.append({"keys": keys, "values": values})
        x = x + dense(layer["project"], attend_prefix(query, keys, values, position))
        x = x + mlp(layer, layer_norm(layer["norm_2"], x))
    last = layer_norm(params["norm"], x[-1:])[0]
    return {**state, "cache": cache, "position": position + tokens.shape[0]}, params["tokens"] @ last


def forward(config: Config, params: State, tokens: jax.Array) -> jax.Array:
    """Logits [token, vocabulary] of a whole text, without a cache: what decoding must agree with."""
    x = params["tokens"][tokens] + params["positions"][: tokens.shape[0]]
    for layer in params["layers"]:
        query, key, value = split_heads(config, dense(layer["query_key_value"], layer_norm(layer["norm_1"], x)))
        x = x + dense(layer["project"], attend(query, key, value, 0))
        x = x + mlp(layer, layer_norm(layer["norm_2"], x))
    return layer_norm(params["norm"], x) @ params["tokens"].T


def decoder(config: Config, state: State) -> tesselle.jax.StatefulModule:
    """The program: `step(tokens: [1]) -> logits`, `prefill(tokens: [?]) -> logits`, `reset()`."""
    module = tesselle.jax.StatefulModule(state, name="gpt2_decode")

    def prefill(state: State, tokens: jax.Array) -> tuple[State, jax.Array]:
        return extend(config, state, tokens)

    def step(state: State, tokens: jax.Array) -> tuple[State, jax.Array]:
        return extend(config, state, tokens)

    def reset(state: State) -> tuple[State, tuple[()]]:
        return {**state, "position": jnp.int32(0)}, ()

    (count,) = jax.export.symbolic_shape("n", constraints=[f"n <= {config.capacity}"])
    module.add("step", step, jax.ShapeDtypeStruct((1,), np.int32))
    module.add("prefill", prefill, jax.ShapeDtypeStruct((count,), np.int32))
    module.add("reset", reset)
    return module
