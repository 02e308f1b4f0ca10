"""The training step of the digits beside the same one in JAX and in TensorFlow: milliseconds a step, taking turns.

All start from the same weights and take the same batch again and again, as an array of their own. Every one is waited
for after each step, as a loop does that looks at the loss.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import tesselle as ts
from perceptron import DECAYS, EPSILON, LEARNING_RATE, WIDTHS, State, train_step
from tesselle.cli.console import format_seconds, table

ROUNDS = 30
STEPS = 40

Step = Callable[[], float]
Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def compare_steps(program: ts.Program, state: State, batch: Batch, console: Console) -> Table:
    """A table of the steps: the median of rounds that take turns, and the loss after the same number of steps."""
    steps: dict[str, Step] = {
        "Tesselle": tesselle_step(program, batch),
        "JAX, jit with donated state": jax_step(state, batch),
    }
    for step in steps.values():
        step()
    try:
        with console.status("Building TensorFlow's step…"), without_stderr():
            steps |= tensorflow_steps(state, batch)
    except ImportError:
        console.print("TensorFlow is not installed: it is left out")
    times: dict[str, list[float]] = {name: [] for name in steps}
    losses: dict[str, float] = {}
    with console.status("Timing…"):
        for _ in range(ROUNDS):
            for name, step in steps.items():
                started = time.perf_counter()
                for _ in range(STEPS):
                    losses[name] = step()
                times[name].append((time.perf_counter() - started) / STEPS)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    result = table("training step", "median", "beside Tesselle", "loss", right=("median", "beside Tesselle", "loss"))
    for name, seconds in medians.items():
        ratio = f"{seconds / medians['Tesselle']:.2f}×"
        result.add_row(name, format_seconds(seconds), ratio, f"{losses[name]:.6f}")
    return result


def tesselle_step(program: ts.Program, batch: Batch) -> Step:
    function = program.new_session()["train"]
    return lambda: float(function(*batch))


def jax_step(state: State, batch: Batch) -> Step:
    function = jax.jit(train_step, donate_argnums=0)
    images, labels = jax.device_put(batch)
    current = [jax.tree_util.tree_map(jax.numpy.array, state)]

    def step() -> float:
        current[0], loss = function(current[0], images, labels)
        return float(loss)

    return step


def tensorflow_steps(state: State, batch: Batch) -> dict[str, Step]:
    """The step as a tf.function, and the same compiled by XLA. Errors: ImportError."""
    tf: Any = importlib.import_module("tensorflow")
    images, labels = map(tf.constant, batch)

    def build(**options: Any) -> Step:
        variables = [tf.Variable(layer[name]) for layer in state["params"] for name in ("kernel", "bias")]
        means = [tf.Variable(tf.zeros_like(v)) for v in variables]
        squares = [tf.Variable(tf.zeros_like(v)) for v in variables]
        count = tf.Variable(0, dtype=tf.int32)

        @tf.function(**options)
        def step(images: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                x = images * (1 / 16)
                for kernel, bias in zip(variables[:-2:2], variables[1:-2:2], strict=True):
                    x = tf.nn.relu(x @ kernel + bias)
                scores = tf.nn.log_softmax(x @ variables[-2] + variables[-1])
                loss = -tf.reduce_mean(tf.reduce_sum(tf.one_hot(labels, WIDTHS[-1]) * scores, axis=-1))
            gradients = tape.gradient(loss, variables)
            t = tf.cast(count.assign_add(1), tf.float32)
            rate = LEARNING_RATE * tf.sqrt(1 - DECAYS[1] ** t) / (1 - DECAYS[0] ** t)
            for w, m, v, g in zip(variables, means, squares, gradients, strict=True):
                m.assign(DECAYS[0] * m + (1 - DECAYS[0]) * g)
                v.assign(DECAYS[1] * v + (1 - DECAYS[1]) * g * g)
                w.assign_sub(rate * m / (tf.sqrt(v) + EPSILON))
            return loss

        return lambda: float(step(images, labels))

    steps = {"TensorFlow, tf.function": build(), "TensorFlow, tf.function with XLA": build(jit_compile=True)}
    for step in steps.values():
        step()  # traced here, where its remarks are out of the way
    return steps


@contextmanager
def without_stderr() -> Generator[None]:
    """Drop what native code writes about the devices that it does not find; no setting of TensorFlow keeps it quiet."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
