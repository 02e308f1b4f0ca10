"""A classifier of handwritten digits and its training step, as plain JAX functions over one state.

A multi-layer perceptron on images of 8 by 8 pixels, trained with Adam on the cross entropy of its softmax.
Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization"; the data is that of scikit-learn's
`load_digits`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

import tesselle.jax

State = dict[str, Any]

WIDTHS = (64, 256, 128, 10)
BATCH = 64
LEARNING_RATE = 1e-3
DECAYS = (0.9, 0.999)
EPSILON = 1e-7


def initial_state(seed: int = 0) -> State:
    """Weights drawn as He et al. 2015 do, Adam's moments, and the number of steps taken."""
    rng = np.random.default_rng(seed)
    params = [
        {
            "kernel": (rng.standard_normal((inputs, outputs)) * np.sqrt(2 / inputs)).astype(np.float32),
            "bias": np.zeros(outputs, np.float32),
        }
        for inputs, outputs in pairwise(WIDTHS)
    ]
    zeros = jax.tree_util.tree_map(np.zeros_like, params)
    return {"params": params, "mean": zeros, "square": zeros, "steps": np.int32(0)}


def logits(params: list[State], images: jax.Array) -> jax.Array:
    """Unscaled log-probabilities [image, digit] of images [image, pixel], whose values are 0 … 16."""
    x = images * np.float32(1 / 16)
    for layer in params[:-1]:
        x = jax.nn.relu(x @ layer["kernel"] + layer["bias"])
    return x @ params[-1]["kernel"] + params[-1]["bias"]


def loss(params: list[State], images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross entropy in nats."""
    scores = jax.nn.log_softmax(logits(params, images))
    return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, WIDTHS[-1]) * scores, axis=-1))


def train_step(state: State, images: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
    """One step of Adam; the loss before it.

    m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - α √(1-β₂ᵗ)/(1-β₁ᵗ) · m/(√v + ε).
    """
    value, gradients = jax.value_and_grad(loss)(state["params"], images, labels)
    steps = state["steps"] + 1
    t = steps.astype(jnp.float32)
    rate = LEARNING_RATE * jnp.sqrt(1 - DECAYS[1] ** t) / (1 - DECAYS[0] ** t)
    tree_map = jax.tree_util.tree_map
    mean = tree_map(lambda m, g: DECAYS[0] * m + (1 - DECAYS[0]) * g, state["mean"], gradients)
    square = tree_map(lambda v, g: DECAYS[1] * v + (1 - DECAYS[1]) * g * g, state["square"], gradients)
    params = tree_map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), state["params"], mean, square)
    return {"params": params, "mean": mean, "square": square, "steps": steps}, value


def predict(state: State, images: jax.Array) -> jax.Array:
    """The digit of every image."""
    return jnp.argmax(logits(state["params"], images), axis=-1).astype(jnp.int32)


def classifier(state: State, batch: int = BATCH) -> tesselle.jax.StatefulModule:
    """The program: `train(images, labels) -> loss`, `predict(images: [?, 64]) -> digits`."""
    module = tesselle.jax.StatefulModule(state, name="digits")
    (count,) = jax.export.symbolic_shape("n")
    images = jax.ShapeDtypeStruct((batch, WIDTHS[0]), np.float32)
    module.add("train", train_step, images, jax.ShapeDtypeStruct((batch,), np.int32))
    module.add("predict", predict, jax.ShapeDtypeStruct((count, WIDTHS[0]), np.float32), reads_only=True)
    return module
